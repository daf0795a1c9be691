"""How much a selected group would seem to change by itself, because it was chosen on a measurement that has error."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from anagen.errors import InputError, NotEnoughDataError
from anagen.records import Estimate


def expected_regression(sd: float, reliability: float, lowest_fraction: float) -> float:
    """Mean rise, without any treatment, of people enrolled because they measured in the lowest fraction.

    Parameters
    ----------
    sd : float
        Standard deviation of a measurement in the unselected population, above 0.
    reliability : float
        Correlation of two measurements of the same person when nothing happened, 0 to 1: error and the person's own
        fluctuation both lower it.
    lowest_fraction : float
        Which fraction of the population the enrolled are, above 0, at most 1.

    Returns
    -------
    float
        (1 - reliability) sd phi(z_f) / f, in the unit of `sd`; normal measurements.

    References
    ----------
    Davis (1976), Am J Epidemiol 104:493.

    Examples
    --------
    >>> [round(expected_regression(40, rho, 0.5), 1) for rho in (0.95, 0.90, 0.85)]
    [1.6, 3.2, 4.8]
    """
    _check(sd, reliability)
    if not 0 < lowest_fraction <= 1:
        raise InputError(f"lowest_fraction must lie above 0 and at most 1, got {lowest_fraction}: give a proportion")
    if lowest_fraction == 1:
        return 0.0
    height = float(stats.norm.pdf(stats.norm.ppf(lowest_fraction)))
    return (1 - reliability) * sd * height / lowest_fraction


def adjust_change_for_regression(
    before: ArrayLike,
    after: ArrayLike,
    *,
    population_mean: float,
    reliability: float,
    unit: str = "1",
    level: float = 0.95,
) -> Estimate:
    """Estimate a group's mean change beyond what regression to the mean gives.

    Without treatment a person who measured y is expected at mean + reliability (y - mean). The mean of what exceeds
    this is the change left; its t interval takes `population_mean` and `reliability` as known, so repeat it over their
    own intervals.

    Parameters
    ----------
    before, after : array_like, shape (n,)
        One value a person in the same order; NaN where not measured.
    population_mean : float
        Mean before treatment of the population from which the group was selected by the measurement `before`.
    reliability : float
        As in `expected_regression`; 1 leaves the change as it is.
    unit : str
        Unit of the values as printed.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        With the p-value of no change left.

    Raises
    ------
    InputError
        When the lengths differ, or the reliability is outside 0 to 1.
    NotEnoughDataError
        With fewer than 3 people who have both visits.

    References
    ----------
    Mee, Chua (1991), Am Stat 45:39.
    """
    _check(1.0, reliability)
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, got {level}: give a proportion, not a percentage")
    pre, post = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    if pre.ndim != 1 or pre.shape != post.shape or np.isinf(pre).any() or np.isinf(post).any():
        raise InputError(f"before and after need one finite value a person, got shapes {pre.shape} and {post.shape}")
    left = post - population_mean - reliability * (pre - population_mean)
    left = left[~np.isnan(left)]
    n = len(left)
    if n < 3:
        raise NotEnoughDataError(f"at least 3 people need before and after, got {n}")
    value, error = float(left.mean()), float(left.std(ddof=1)) / math.sqrt(n)
    reach = float(stats.t.isf((1 - level) / 2, n - 1)) * error
    p_value = float(2 * stats.t.sf(abs(value) / error, n - 1)) if error > 0 else math.nan
    method = f"change beyond regression to the mean (reliability {reliability:g}), t"
    return Estimate(value, unit, value - reach, value + reach, n, method, level, p_value)


def _check(sd: float, reliability: float) -> None:
    if not (sd > 0 and math.isfinite(sd)):
        raise InputError(f"sd must be above 0, got {sd}: give that of one measurement in the population")
    if not 0 <= reliability <= 1:
        raise InputError(f"reliability must lie between 0 and 1, got {reliability}: give a correlation")
