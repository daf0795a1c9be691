"""One effect and its variance from each study, on a scale on which studies can be pooled.

Names follow metafor's `escalc`, whose formulas (version 5.1) these are. Group 1 is the treated one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from anagen.errors import InputError, NotEnoughDataError
from anagen.stats.effect_size import small_sample_factor

Measure = Literal[
    "mean change",
    "mean difference",
    "standardised mean difference",
    "standardised mean change (change SD)",
    "standardised mean change (baseline SD)",
    "log ratio of means",
    "log ratio of means, change",
    "log risk ratio",
    "log odds ratio",
    "risk difference",
    "log odds",
    "arcsine proportion",
    "double arcsine proportion",
    "proportion",
]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one study contributes to a pool.

    Parameters
    ----------
    effect, variance : float
        On the scale of `measure`.
    measure : str
        Which effect.
    """

    effect: float
    variance: float
    measure: Measure

    @property
    def std_error(self) -> float:
        """Square root of the variance."""
        return math.sqrt(self.variance)


def mean_change(mean: float, sd: float, n: int) -> Effect:
    """MN of within-person change: variance sd^2 / n.

    Examples
    --------
    >>> mean_change(3.9, 21.7, 78).variance
    6.037...
    """
    return Effect(mean, _sd("sd", sd) ** 2 / _n(n), "mean change")


def mean_difference(mean1: float, sd1: float, n1: int, mean2: float, sd2: float, n2: int) -> Effect:
    """Difference of two independent means: variance sd1^2/n1 + sd2^2/n2.

    Examples
    --------
    >>> effect = mean_difference(18.6, 25.4, 139, 3.9, 21.7, 78)
    >>> round(effect.effect, 1), round(effect.std_error, 2)
    (14.7, 3.27)
    """
    variance = _sd("sd1", sd1) ** 2 / _n(n1) + _sd("sd2", sd2) ** 2 / _n(n2)
    return Effect(mean1 - mean2, variance, "mean difference")


def standardised_mean_difference(mean1: float, sd1: float, n1: int, mean2: float, sd2: float, n2: int) -> Effect:
    """Hedges' g: J(m) (mean1 - mean2) / pooled sd, m = n1 + n2 - 2; variance 1/n1 + 1/n2 + g^2 / (2 (n1 + n2)).

    Examples
    --------
    >>> round(standardised_mean_difference(18.6, 25.4, 139, 3.9, 21.7, 78).effect, 2)
    0.61
    """
    m = _n(n1) + _n(n2) - 2
    pooled = math.sqrt(((n1 - 1) * _sd("sd1", sd1) ** 2 + (n2 - 1) * _sd("sd2", sd2) ** 2) / m)
    g = small_sample_factor(m) * (mean1 - mean2) / pooled
    return Effect(g, 1 / n1 + 1 / n2 + g**2 / (2 * (n1 + n2)), "standardised mean difference")


def standardised_mean_change_by_change_sd(mean: float, sd_change: float, n: int) -> Effect:
    """SMCC: J(n - 1) mean / sd of change; variance 1/n + d^2 / (2n).

    References
    ----------
    Gibbons RD et al. J Educ Stat 1993;18:271.

    Examples
    --------
    >>> round(standardised_mean_change_by_change_sd(7.9, 14.0, 20).effect, 4)
    0.5417
    """
    d = small_sample_factor(_n(n) - 1) * mean / _sd("sd_change", sd_change)
    return Effect(d, 1 / n + d**2 / (2 * n), "standardised mean change (change SD)")


def standardised_mean_change_by_baseline_sd(
    mean: float, sd_baseline: float, n: int, correlation: float, *, sd_followup: float | None = None
) -> Effect:
    """SMCR: J(n - 1) mean / baseline sd.

    Variance 2 (1 - r)/n + d^2/(2n); with `sd_followup`, which need not equal the baseline one, Bonett's
    sd_change^2 / (sd_baseline^2 (n - 1)) + d^2 / (2 (n - 1)) (SMCRH). The correlation r of the two visits is needed;
    where a paper is silent, compute the effect for a range of r.

    References
    ----------
    Becker BJ. Br J Math Stat Psychol 1988;41:257. Bonett DG. Psychol Methods 2008;13:99, equation 13.

    Examples
    --------
    >>> round(standardised_mean_change_by_baseline_sd(7.9, 15.0, 20, 0.47).variance, 5)
    0.05939
    """
    d = small_sample_factor(_n(n) - 1) * mean / _sd("sd_baseline", sd_baseline)
    _correlation(correlation)
    if sd_followup is None:
        variance = 2 * (1 - correlation) / n + d**2 / (2 * n)
    else:
        s2 = _sd("sd_followup", sd_followup)
        change_variance = sd_baseline**2 + s2**2 - 2 * correlation * sd_baseline * s2
        variance = change_variance / (sd_baseline**2 * (n - 1)) + d**2 / (2 * (n - 1))
    return Effect(d, variance, "standardised mean change (baseline SD)")


def mean_change_from_visits(
    baseline_mean: float, baseline_sd: float, followup_mean: float, followup_sd: float, n: int, correlation: float
) -> Effect:
    """MC: follow-up minus baseline; variance (s1^2 + s2^2 - 2 r s1 s2) / n.

    Examples
    --------
    >>> round(mean_change_from_visits(30.6, 15.0, 38.5, 11.6, 20, 0.47).variance, 4)
    9.8
    """
    s1, s2 = _sd("baseline_sd", baseline_sd), _sd("followup_sd", followup_sd)
    variance = (s1**2 + s2**2 - 2 * _correlation(correlation) * s1 * s2) / _n(n)
    return Effect(followup_mean - baseline_mean, variance, "mean change")


def log_ratio_of_means(mean1: float, sd1: float, n1: int, mean2: float, sd2: float, n2: int) -> Effect:
    """ROM: log(mean1 / mean2) + (c1 - c2) / 2 with c = sd^2 / (n mean^2); variance c1 + c2; both means above 0.

    The second term removes the bias of the logarithm to first order, as metafor does from version 5 on.

    References
    ----------
    Hedges LV, Gurevitch J, Curtis PS. Ecology 1999;80:1150. Lajeunesse MJ. Ecology 2015;96:2056, equation 8.

    Examples
    --------
    >>> round(log_ratio_of_means(20.0, 4.0, 16, 10.0, 2.0, 16).effect, 3)
    0.693
    """
    _positive_means(mean1, mean2)
    c1 = (_sd("sd1", sd1) / mean1) ** 2 / _n(n1)
    c2 = (_sd("sd2", sd2) / mean2) ** 2 / _n(n2)
    return Effect(math.log(mean1 / mean2) + (c1 - c2) / 2, c1 + c2, "log ratio of means")


def log_ratio_of_means_change(
    baseline_mean: float, baseline_sd: float, followup_mean: float, followup_sd: float, n: int, correlation: float
) -> Effect:
    """ROMC: log(follow-up / baseline) in one group, with the correlation of the two visits and the same correction.

    References
    ----------
    Lajeunesse MJ. Ecology 2011;92:2049.

    Examples
    --------
    >>> round(log_ratio_of_means_change(30.6, 15.0, 38.5, 11.6, 20, 0.47).effect, 4)
    0.2259
    """
    _positive_means(baseline_mean, followup_mean)
    c1 = _sd("baseline_sd", baseline_sd) / baseline_mean
    c2 = _sd("followup_sd", followup_sd) / followup_mean
    variance = (c1**2 + c2**2 - 2 * _correlation(correlation) * c1 * c2) / _n(n)
    effect = math.log(followup_mean / baseline_mean) + (c2**2 - c1**2) / (2 * n)
    return Effect(effect, variance, "log ratio of means, change")


def log_risk_ratio(events1: int, n1: int, events2: int, n2: int) -> Effect:
    """Log risk ratio; one half is added to every cell when any of the four is zero.

    Variance 1/a - 1/n1 + 1/c - 1/n2.

    Examples
    --------
    >>> round(log_risk_ratio(4, 123, 11, 139).effect, 4)
    -0.8893
    """
    a, b, c, d = _four_cells(events1, n1, events2, n2)
    effect = math.log(a / (a + b)) - math.log(c / (c + d))
    return Effect(effect, 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d), "log risk ratio")


def log_odds_ratio(events1: int, n1: int, events2: int, n2: int) -> Effect:
    """Log odds ratio; one half is added to every cell when any of the four is zero. Variance 1/a + 1/b + 1/c + 1/d.

    Examples
    --------
    >>> round(log_odds_ratio(4, 123, 11, 139).effect, 4)
    -0.9387
    """
    a, b, c, d = _four_cells(events1, n1, events2, n2)
    return Effect(math.log(a * d / (b * c)), 1 / a + 1 / b + 1 / c + 1 / d, "log odds ratio")


def risk_difference(events1: int, n1: int, events2: int, n2: int) -> Effect:
    """Risk difference; one half is added to every cell when any of the four is zero. Variance sum of p (1 - p) / n.

    Examples
    --------
    >>> round(risk_difference(4, 123, 11, 139).effect, 4)
    -0.0466
    """
    a, b, c, d = _four_cells(events1, n1, events2, n2)
    p1, p2 = a / (a + b), c / (c + d)
    return Effect(p1 - p2, p1 * (1 - p1) / (a + b) + p2 * (1 - p2) / (c + d), "risk difference")


def log_odds(events: int, n: int) -> Effect:
    """PLO: log(x / (n - x)); one half added to both cells when either is zero.

    Examples
    --------
    >>> round(log_odds(0, 30).effect, 4)
    -4.1109
    """
    x, rest = _two_cells(events, n)
    return Effect(math.log(x / rest), 1 / x + 1 / rest, "log odds")


def arcsine_proportion(events: int, n: int) -> Effect:
    """PAS: asin sqrt(x / n), variance 1/(4n); needs no correction at zero events.

    Examples
    --------
    >>> arcsine_proportion(0, 30)
    Effect(effect=0.0, variance=0.008333333333333333, measure='arcsine proportion')
    """
    _check_events(events, n)
    return Effect(math.asin(math.sqrt(events / n)), 1 / (4 * n), "arcsine proportion")


def double_arcsine_proportion(events: int, n: int) -> Effect:
    """PFT, Freeman and Tukey's double arcsine; variance 1/(4n + 2).

    Its back-transformation depends on one sample size and misleads when sizes differ (Schwarzer 2019): prefer
    `log_odds` or `pool_events`.

    Examples
    --------
    >>> round(double_arcsine_proportion(0, 30).effect, 4)
    0.0903
    """
    _check_events(events, n)
    effect = (math.asin(math.sqrt(events / (n + 1))) + math.asin(math.sqrt((events + 1) / (n + 1)))) / 2
    return Effect(effect, 1 / (4 * n + 2), "double arcsine proportion")


def proportion(events: int, n: int) -> Effect:
    """PR: x / n, variance p (1 - p) / n; one half added to both cells when either is zero.

    Examples
    --------
    >>> round(proportion(0, 30).effect, 4)
    0.0161
    """
    x, rest = _two_cells(events, n)
    p = x / (x + rest)
    return Effect(p, p * (1 - p) / (x + rest), "proportion")


def cliffs_delta(mann_whitney_u: float, n1: int, n2: int) -> float:
    """Cliff's delta from the Mann-Whitney U (or Wilcoxon W) of group 1: 2 U / (n1 n2) - 1.

    Examples
    --------
    >>> round(cliffs_delta(86.5, 10, 10), 2)
    0.73
    """
    if not 0 <= mann_whitney_u <= n1 * n2:
        raise InputError(f"mann_whitney_u must be between 0 and n1 n2 = {n1 * n2}, got {mann_whitney_u}")
    return 2 * mann_whitney_u / (n1 * n2) - 1


def _sd(name: str, value: float) -> float:
    if not (value > 0 and math.isfinite(value)):
        raise InputError(f"{name} must be above 0, got {value}")
    return value


def _n(n: int) -> int:
    if n < 2:
        raise NotEnoughDataError(f"a group needs at least 2 people, got n = {n}")
    return n


def _correlation(value: float) -> float:
    if not -1 <= value <= 1:
        raise InputError(f"correlation must be between -1 and 1, got {value}")
    return value


def _positive_means(*means: float) -> None:
    if not all(mean > 0 for mean in means):
        raise InputError(f"a ratio of means needs means above 0, got {means}")


def _check_events(events: float, n: float) -> None:
    if not (0 <= events <= n and n >= 1):
        raise InputError(f"events must be between 0 and n, got {events} of {n}")


def _two_cells(events: int, n: int) -> tuple[float, float]:
    _check_events(events, n)
    add = 0.5 if events in {0, n} else 0.0
    return events + add, n - events + add


def _four_cells(events1: int, n1: int, events2: int, n2: int) -> tuple[float, float, float, float]:
    _check_events(events1, n1)
    _check_events(events2, n2)
    cells = (events1, n1 - events1, events2, n2 - events2)
    add = 0.5 if 0 in cells else 0.0
    a, b, c, d = (cell + add for cell in cells)
    return a, b, c, d
