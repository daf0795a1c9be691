"""The trial that would settle the question: how many people it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from scipy import stats

from anagen.errors import InputError

LARGEST_RATIO: Final = 1e4
"""Standard deviation over difference beyond which no size is given: it would take more people than there are."""


@dataclass(frozen=True, slots=True)
class SettlingTrial:
    """Size of a two-group trial that finds a given difference.

    Parameters
    ----------
    difference, change_sd : float
        Difference to find and standard deviation of change, in `unit`.
    unit : str
        Unit of both.
    n_per_group_80, n_per_group_90 : int
        People per group for 80 % and 90 % power, before drop-out.
    dropout : float
        Assumed fraction lost.
    n_per_group_90_dropout : int
        People to enrol per group for 90 % power after that loss.
    """

    difference: float
    change_sd: float
    unit: str
    n_per_group_80: int
    n_per_group_90: int
    dropout: float
    n_per_group_90_dropout: int


def size_settling_trial(
    difference: float, change_sd: float, *, unit: str = "hairs/cm2", alpha: float = 0.05, dropout: float = 0.15
) -> SettlingTrial:
    """Size a parallel trial of two equal groups, compared by their mean change.

    Parameters
    ----------
    difference : float
        Smallest difference worth finding, not 0.
    change_sd : float
        Standard deviation between people of the change, above 0.
    unit : str
        Unit of both, for print.
    alpha : float
        Two-sided level.
    dropout : float
        Fraction expected to be lost, at least 0 and below 1.

    Returns
    -------
    SettlingTrial

    Examples
    --------
    >>> trial = size_settling_trial(10.0, 22.0)
    >>> trial.n_per_group_80, trial.n_per_group_90, trial.n_per_group_90_dropout
    (77, 103, 122)
    """
    if not 0 <= dropout < 1:
        raise InputError(f"dropout must be at least 0 and below 1, got {dropout}")
    n_80, n_90 = (n_per_group(difference, change_sd, power=power, alpha=alpha) for power in (0.8, 0.9))
    return SettlingTrial(difference, change_sd, unit, n_80, n_90, dropout, math.ceil(n_90 / (1 - dropout)))


def n_per_group(difference: float, change_sd: float, *, power: float = 0.9, alpha: float = 0.05) -> int:
    """People per group for a two-sided two-sample t-test.

    n = 2 (z_{1-alpha/2} + z_power)^2 (sd / difference)^2 + z_{1-alpha/2}^2 / 4, Guenther's correction of the normal
    formula; it equals the exact noncentral-t answer or is one larger for n above 5.

    Parameters
    ----------
    difference : float
        Not 0.
    change_sd : float
        Above 0, in the same unit.
    power, alpha : float
        Between 0 and 1.

    Returns
    -------
    int
        At least 2.

    References
    ----------
    Guenther WC. Am Stat 1981;35:243.

    Examples
    --------
    >>> [n_per_group(d, 22.0) for d in (5.0, 7.5, 10.0, 15.0)]
    [408, 182, 103, 47]
    """
    if difference == 0 or not math.isfinite(difference):
        raise InputError(f"difference must be finite and not 0, got {difference}")
    if not (change_sd > 0 and math.isfinite(change_sd)):
        raise InputError(f"change_sd must be above 0 and finite, got {change_sd}")
    if not (0 < power < 1 and 0 < alpha < 1):
        raise InputError(f"power and alpha must be between 0 and 1, got {power} and {alpha}")
    z_alpha, z_power = float(stats.norm.isf(alpha / 2)), float(stats.norm.ppf(power))
    ratio = change_sd / abs(difference)
    if ratio > LARGEST_RATIO:
        raise InputError(
            f"difference {difference} is too small beside change_sd {change_sd} for any trial:"
            " state a difference worth finding"
        )
    return max(2, math.ceil(2 * ((z_alpha + z_power) * ratio) ** 2 + z_alpha**2 / 4))
