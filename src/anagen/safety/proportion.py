"""How often an adverse event may really happen, given how many of the treated people had it (or that nobody had)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from anagen.errors import InputError
from anagen.records import Estimate

Sides = Literal["two", "upper", "lower"]


@dataclass(frozen=True, slots=True)
class EventProportion:
    """People with an event among people treated, with exact bounds.

    Parameters
    ----------
    n_with_event, n_treated : int
        People, not events.
    rate : Estimate
        Proportion with its two-sided Clopper-Pearson interval, 0 to 1.
    upper_one_sided : float
        One-sided upper bound of the same level: the rate that these data exclude.
    lower_one_sided : float
        One-sided lower bound of the same level.
    """

    n_with_event: int
    n_treated: int
    rate: Estimate
    upper_one_sided: float
    lower_one_sided: float


def estimate_event_proportion(n_with_event: int, n_treated: int, *, level: float = 0.95) -> EventProportion:
    """Estimate the proportion of people who have an event, with exact two- and one-sided bounds.

    Parameters
    ----------
    n_with_event : int
        0 to `n_treated` people had it at least once.
    n_treated : int
        People who could have had it, above 0.
    level : float
        Confidence level of each bound, between 0 and 1.

    Returns
    -------
    EventProportion

    Examples
    --------
    >>> nobody = estimate_event_proportion(0, 30)
    >>> round(nobody.rate.ci_high, 6), round(nobody.upper_one_sided, 6)
    (0.115703, 0.095034)
    """
    low, high = clopper_pearson(n_with_event, n_treated, level=level)
    rate = Estimate(n_with_event / n_treated, "1", low, high, n_treated, "Clopper-Pearson, two-sided", level)
    return EventProportion(
        n_with_event=int(n_with_event),
        n_treated=int(n_treated),
        rate=rate,
        upper_one_sided=clopper_pearson(n_with_event, n_treated, level=level, sides="upper")[1],
        lower_one_sided=clopper_pearson(n_with_event, n_treated, level=level, sides="lower")[0],
    )


def clopper_pearson(
    n_with_event: int, n_treated: int, *, level: float = 0.95, sides: Sides = "two"
) -> tuple[float, float]:
    """Exact interval of a binomial proportion: every rate that a tail test of the stated level does not reject.

    Parameters
    ----------
    n_with_event : int
        0 to `n_treated`.
    n_treated : int
        Above 0.
    level : float
        Confidence level, between 0 and 1.
    sides : {"two", "upper", "lower"}
        ``two`` shares 1 - level between both ends; ``upper`` gives (0, bound), ``lower`` (bound, 1).

    Returns
    -------
    tuple of float
        (low, high), proportions. The coverage is at least `level` for every true rate.

    Raises
    ------
    InputError
        When the counts or the level are outside their range.

    References
    ----------
    Clopper, Pearson (1934), Biometrika 26:404, in the form of beta quantiles.

    Examples
    --------
    >>> clopper_pearson(1, 30, sides="upper")
    (0.0, 0.14859...)
    """
    x, n = _check_counts(n_with_event, n_treated)
    alpha = 1 - _check_fraction("level", level)
    tail = alpha / 2 if sides == "two" else alpha
    low = 0.0 if x == 0 or sides == "upper" else float(stats.beta.ppf(tail, x, n - x + 1))
    high = 1.0 if x == n or sides == "lower" else float(stats.beta.isf(tail, x + 1, n - x))
    return low, high


def rule_of_three(n_treated: int) -> float:
    """Upper 95 % bound of a rate when nobody had the event, by the rule of thumb 3 / n; a check of the exact bound.

    It lies above the exact one-sided bound 1 - 0.05^(1/n) for every n, because -ln 0.05 = 2.996 < 3.

    Parameters
    ----------
    n_treated : int
        Above 0.

    Returns
    -------
    float
        Proportion, at most 1.

    References
    ----------
    Hanley, Lippman-Hand (1983), JAMA 249:1743.
    """
    return min(1.0, 3.0 / _check_counts(0, n_treated)[1])


def n_to_see_one_event(rate: float, *, probability: float = 0.95) -> int:
    """People needed so that an event of this rate is seen at least once with the stated probability.

    Parameters
    ----------
    rate : float
        True proportion of people who have the event, between 0 and 1.
    probability : float
        Chance of seeing it, between 0 and 1.

    Returns
    -------
    int
        Smallest n with 1 - (1 - rate)^n >= probability.

    Examples
    --------
    >>> [n_to_see_one_event(rate) for rate in (0.05, 0.02, 0.01)]
    [59, 149, 299]
    """
    _check_fraction("rate", rate)
    _check_fraction("probability", probability)
    n = max(1, math.ceil(math.log1p(-probability) / math.log1p(-rate)))
    while n > 1 and 1 - probability_of_missing(rate, n - 1) >= probability:  # the logarithms may round past an integer
        n -= 1
    while 1 - probability_of_missing(rate, n) < probability:
        n += 1
    return n


def probability_of_missing(rate: float, n_treated: int) -> float:
    """Chance that a study of `n_treated` people sees no event of a given true rate: (1 - rate)^n.

    Parameters
    ----------
    rate : float
        True proportion of people who have the event, between 0 and 1.
    n_treated : int
        Above 0.

    Returns
    -------
    float
        Probability.

    Examples
    --------
    >>> round(probability_of_missing(0.05, 30), 3)
    0.215
    """
    _check_fraction("rate", rate)
    return math.exp(_check_counts(0, n_treated)[1] * math.log1p(-rate))


def _check_counts(n_with_event: int, n_treated: int) -> tuple[int, int]:
    if n_treated != int(n_treated) or n_treated < 1:
        raise InputError(f"n_treated must be a whole number above 0, got {n_treated}: give the people treated")
    if n_with_event != int(n_with_event) or not 0 <= n_with_event <= n_treated:
        raise InputError(
            f"n_with_event must be a whole number from 0 to n_treated = {n_treated}, got {n_with_event}: "
            "count people, not events"
        )
    return int(n_with_event), int(n_treated)


def _check_fraction(name: str, value: float) -> float:
    if not 0 < value < 1:
        raise InputError(f"{name} must lie between 0 and 1, got {value}: give a proportion, not a percentage")
    return value
