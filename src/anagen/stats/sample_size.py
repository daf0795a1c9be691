"""How many people a trial needs, by formula: exact for t-tests, so that simulation has something to agree with."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from scipy import optimize, stats

from anagen.errors import InputError, NotEnoughDataError
from anagen.stats.noncentral_t import noncentral_t_cdf

LARGEST_N: Final = 1e7
"""More people than any trial has: the difference is too small to be planned for."""


def power_two_groups(n_per_group: float, difference: float, sd: float, *, alpha: float = 0.05) -> float:
    """Power of the two-sample t-test with equal groups, in the direction of the difference.

    Parameters
    ----------
    n_per_group : float
        Above 1; a fraction is allowed.
    difference, sd : float
        True difference of means; standard deviation in each group, above 0.
    alpha : float
        Two-sided level.

    Returns
    -------
    float
        P(T > t_{1 - alpha/2}), T noncentral t with 2 n - 2 df. A significant result in the wrong direction is no
        success; leaving it out changes less than alpha/2.

    Examples
    --------
    >>> round(power_two_groups(103, 10, 22), 4)
    0.9009
    """
    _check(difference, sd, alpha)
    return _power(abs(difference) / sd * math.sqrt(n_per_group / 2), 2 * n_per_group - 2, alpha)


def power_one_group(n: float, difference: float, sd: float, *, alpha: float = 0.05) -> float:
    """Power of the one-sample (paired) t-test, in the direction of the difference.

    Parameters
    ----------
    n : float
        Above 1; a fraction is allowed.
    difference, sd : float
        True mean; standard deviation of what is averaged, above 0.
    alpha : float
        Two-sided level.

    Returns
    -------
    float
        As `power_two_groups`, with n - 1 df.
    """
    _check(difference, sd, alpha)
    return _power(abs(difference) / sd * math.sqrt(n), n - 1, alpha)


def n_two_groups(difference: float, sd: float, *, power: float = 0.9, alpha: float = 0.05) -> float:
    """People per group for a two-sample t-test, before drop-out; round it up.

    Parameters
    ----------
    difference, sd : float
        As in `power_two_groups`; the difference not 0.
    power, alpha : float
        Wanted; `power` above `alpha` / 2.

    Returns
    -------
    float
        Not rounded, as R's power.t.test gives it.

    Examples
    --------
    >>> round(n_two_groups(10, 22), 3)
    102.682
    """
    return solve_n(lambda n: power_two_groups(n, difference, sd, alpha=alpha), difference, power=power, alpha=alpha)


def n_one_group(difference: float, sd: float, *, power: float = 0.9, alpha: float = 0.05) -> float:
    """People for a one-sample or paired t-test, before drop-out; round it up.

    Parameters
    ----------
    difference, sd : float
        As in `power_one_group`; the difference not 0.
    power, alpha : float
        Wanted; `power` above `alpha` / 2.

    Returns
    -------
    float
        Not rounded.
    """
    return solve_n(lambda n: power_one_group(n, difference, sd, alpha=alpha), difference, power=power, alpha=alpha)


def power_ancova(n_per_group: float, difference: float, sd: float, correlation: float, *, alpha: float = 0.05) -> float:
    """Power of the comparison of two equal groups after adjustment for the baseline, in the difference's direction.

    Parameters
    ----------
    n_per_group : float
        Above 2; a fraction is allowed.
    difference, sd : float
        True difference; standard deviation of one visit, above 0.
    correlation : float
        Of the outcome with its baseline, -1 to 1, ends excluded.
    alpha : float
        Two-sided level.

    Returns
    -------
    float
        The residual SD is sd sqrt(1 - r^2); the groups' chance difference at baseline widens the squared standard error
        by 1 + 1 / (2 n - 4) on average; 2 n - 3 df.

    References
    ----------
    Borm, Fransen, Lemmens (2007), J Clin Epidemiol 60:1234; the last factor is the mean of the F-distributed distance
    of normal baselines.
    """
    _check(difference, sd, alpha)
    if not -1 < correlation < 1:
        raise InputError(f"correlation must lie between -1 and 1, got {correlation}")
    if not n_per_group > 2:
        raise NotEnoughDataError(f"ANCOVA needs more than 2 people per group, got {n_per_group}")
    residual = sd * math.sqrt(1 - correlation**2) * math.sqrt(1 + 1 / (2 * n_per_group - 4))
    return _power(abs(difference) / residual * math.sqrt(n_per_group / 2), 2 * n_per_group - 3, alpha)


def n_ancova(difference: float, sd: float, correlation: float, *, power: float = 0.9, alpha: float = 0.05) -> float:
    """People per group for an analysis of covariance, before drop-out; round it up.

    Parameters
    ----------
    difference, sd, correlation : float
        As in `power_ancova`; the difference not 0.
    power, alpha : float
        Wanted; `power` above `alpha` / 2.

    Returns
    -------
    float
        Not rounded.

    Examples
    --------
    >>> [math.ceil(n_ancova(10, 37.1, 0.85, power=power)) for power in (0.8, 0.9)]
    [62, 82]
    """
    return solve_n(
        lambda n: power_ancova(n, difference, sd, correlation, alpha=alpha), difference, power=power, alpha=alpha
    )


def solve_n(power_of: Callable[[float], float], difference: float, *, power: float, alpha: float) -> float:
    """Find the n at which a power that grows with it reaches what is wanted.

    Parameters
    ----------
    power_of : callable
        Power for n people.
    difference : float
        For the messages; not 0.
    power, alpha : float
        Wanted; `power` above `alpha` / 2.

    Returns
    -------
    float
        At least 2.1, below which the t-tests here have no degree of freedom.

    Raises
    ------
    InputError
        When no such n below ten million exists.
    """
    if difference == 0:
        raise InputError("difference must not be 0: no number of people shows a difference that is not there")
    if not alpha / 2 < power < 1:
        raise InputError(f"power must lie between alpha / 2 and 1, got {power}: 0.8 or 0.9 is usual")
    low, high = 2.1, 8.0
    while power_of(high) < power:
        high *= 2
        if high > LARGEST_N:
            raise InputError(f"a difference of {difference} needs more than {LARGEST_N:.0f} people at this spread")
    if power_of(low) >= power:
        return low
    return float(optimize.brentq(lambda n: power_of(n) - power, low, high, xtol=1e-10, rtol=1e-12))


def split_scalp_sd(sd_change: float, correlation_sides: float) -> float:
    """Return the standard deviation of the difference between two sides' changes: sd sqrt(2 (1 - rho)).

    Parameters
    ----------
    sd_change : float
        Of the change of one side.
    correlation_sides : float
        Between the changes of both sides of a head, -1 to 1, 1 excluded.

    Returns
    -------
    float
        In the unit of `sd_change`.
    """
    if not -1 <= correlation_sides < 1:
        raise InputError(f"correlation_sides must lie from -1 to below 1, got {correlation_sides}")
    return sd_change * math.sqrt(2 * (1 - correlation_sides))


def _power(noncentrality: float, df: float, alpha: float) -> float:
    if not df > 0:
        raise NotEnoughDataError(f"a t-test needs a degree of freedom, got {df}")
    return 1 - noncentral_t_cdf(float(stats.t.isf(alpha / 2, df)), df, noncentrality)


def _check(difference: float, sd: float, alpha: float) -> None:
    if not math.isfinite(difference):
        raise InputError(f"difference must be a number, got {difference}")
    if not (sd > 0 and math.isfinite(sd)):
        raise InputError(f"sd must be above 0, got {sd}")
    if not 0 < alpha < 1:
        raise InputError(f"alpha must lie between 0 and 1, got {alpha}: 0.05 is usual")
