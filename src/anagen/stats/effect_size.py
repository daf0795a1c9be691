"""Change within people in units of a standard deviation, so that studies on different scales can be compared."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special, stats

from anagen.errors import InputError, NotEnoughDataError
from anagen.records import Estimate
from anagen.stats.noncentral_t import noncentrality_interval


@dataclass(frozen=True, slots=True)
class StandardisedChange:
    """A standardised mean change and the sampling variance that a meta-analysis needs.

    Parameters
    ----------
    estimate : Estimate
        Bias-corrected, a pure number.
    variance : float
        Its large-sample sampling variance.
    """

    estimate: Estimate
    variance: float


def small_sample_factor(df: float) -> float:
    """Exact factor J(df) that removes the bias of a standardised mean: Gamma(df/2) / (sqrt(df/2) Gamma((df-1)/2)).

    Parameters
    ----------
    df : float
        Degrees of freedom of the standard deviation, above 1.

    Returns
    -------
    float
        Between 0 and 1.

    References
    ----------
    Hedges (1981), J Educ Stat 6:107, equation 6e.

    Examples
    --------
    >>> round(small_sample_factor(29), 6)
    0.973875
    """
    if not df > 1:
        raise NotEnoughDataError(f"the small-sample factor needs more than 1 degree of freedom, got {df}")
    return math.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / math.sqrt(df / 2)


def standardise_by_change_sd(
    mean_change: float, sd_change: float, n: int, *, level: float = 0.95
) -> StandardisedChange:
    """Mean change over the standard deviation of the changes (SMCC), bias-corrected, with an exact interval.

    Parameters
    ----------
    mean_change, sd_change : float
        In one unit; the standard deviation above 0.
    n : int
        Pairs, at least 3.
    level : float
        Confidence level.

    Returns
    -------
    StandardisedChange
        value J d with d = mean / sd; interval: noncentral t of the uncorrected d, times J; variance 1/n + (J d)^2 / 2n.

    References
    ----------
    Gibbons, Hedeker, Davis (1993), J Educ Stat 18:271; variance as in metafor's SMCC.

    Examples
    --------
    >>> change = standardise_by_change_sd(8.2, 22, 30)
    >>> round(change.estimate.value, 4), round(change.estimate.ci_low, 3), round(change.estimate.ci_high, 3)
    (0.363, -0.001, 0.721)
    """
    _check(sd_change, n, "sd_change")
    d, j = mean_change / sd_change, small_sample_factor(n - 1)
    low, high = (j * end / math.sqrt(n) for end in noncentrality_interval(d * math.sqrt(n), n - 1, level=level))
    estimate = Estimate(j * d, "1", low, high, n, "SMCC, bias-corrected; exact interval (noncentral t)", level)
    return StandardisedChange(estimate, 1 / n + (j * d) ** 2 / (2 * n))


def standardise_by_baseline_sd(
    mean_change: float, sd_before: float, correlation: float, n: int, *, level: float = 0.95
) -> StandardisedChange:
    """Mean change over the standard deviation at baseline (SMCR), bias-corrected.

    Parameters
    ----------
    mean_change, sd_before : float
        In one unit; the standard deviation above 0.
    correlation : float
        Between the two visits, -1 to 1. A paper that does not report it needs a range: call this for both ends.
    n : int
        Pairs, at least 3.
    level : float
        Confidence level.

    Returns
    -------
    StandardisedChange
        value J d with d = mean / sd; variance 2 (1 - r) / n + (J d)^2 / 2n, which takes both visits to vary alike;
        normal interval.

    References
    ----------
    Becker (1988), Br J Math Stat Psychol 41:257; variance as in metafor's SMCR.
    """
    _check(sd_before, n, "sd_before")
    if not -1 <= correlation <= 1:
        raise InputError(f"correlation must lie between -1 and 1, got {correlation}: give Pearson's r of the visits")
    d = small_sample_factor(n - 1) * mean_change / sd_before
    variance = 2 * (1 - correlation) / n + d**2 / (2 * n)
    reach = float(stats.norm.isf((1 - level) / 2)) * math.sqrt(variance)
    estimate = Estimate(d, "1", d - reach, d + reach, n, "SMCR, bias-corrected; normal interval", level)
    return StandardisedChange(estimate, variance)


def _check(sd: float, n: int, name: str) -> None:
    if not (sd > 0 and math.isfinite(sd)):
        raise InputError(f"{name} must be above 0, got {sd}: a measure that does not vary cannot be standardised")
    if n < 3:
        raise NotEnoughDataError(f"a standardised change needs at least 3 people, got {n}")
