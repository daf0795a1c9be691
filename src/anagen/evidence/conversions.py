"""From what a paper prints to a mean and a standard deviation, each step named.

A result carries the name of its conversion, so that a table of evidence can say how each number was got.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats

from anagen.errors import InputError


@dataclass(frozen=True, slots=True)
class Converted:
    """A number that was computed, not read.

    Parameters
    ----------
    value : float
        In the unit of what was read.
    conversion : str
        What was done, for print.
    """

    value: float
    conversion: str


@dataclass(frozen=True, slots=True)
class ConvertedMean:
    """Mean and standard deviation from order statistics.

    Parameters
    ----------
    mean, sd : float
        In the unit of what was read.
    conversion : str
        What was done, for print.
    skew : float
        (q1 + q3 - 2 median) / (q3 - q1): 0 for a symmetric sample; beyond about 0.3 in a sample of 20 the conversion
        misleads.
    """

    mean: float
    sd: float
    conversion: str
    skew: float


def sd_from_std_error(std_error: float, n: int) -> Converted:
    """Compute the standard deviation of one group: SE sqrt(n).

    Examples
    --------
    >>> sd_from_std_error(2.0, 25).value
    10.0
    """
    _check_n(n)
    return Converted(_positive("std_error", std_error) * math.sqrt(n), "SD = SE x sqrt(n)")


def sd_from_interval(low: float, high: float, n: int, *, level: float = 0.95) -> Converted:
    """Compute the standard deviation of one group from the t interval of its mean.

    SD = sqrt(n) (high - low) / (2 t), t the quantile with n - 1 degrees of freedom (Cochrane Handbook 6.5.2.2).

    Examples
    --------
    >>> round(sd_from_interval(1.2845, 18.7155, 9).value, 2)
    11.34
    """
    _check_n(n)
    width = _positive("high - low", high - low)
    t = float(stats.t.isf((1 - level) / 2, n - 1))
    return Converted(math.sqrt(n) * width / (2 * t), f"SD = sqrt(n) x width of the {100 * level:.3g} % t interval / 2t")


def std_error_from_interval(low: float, high: float, *, level: float = 0.95, df: float = math.inf) -> Converted:
    """Compute the standard error of an estimate from its interval; normal unless degrees of freedom are given.

    Examples
    --------
    >>> round(std_error_from_interval(14.04, 41.06).value, 2)
    6.89
    """
    width = _positive("high - low", high - low)
    quantile = float(stats.t.isf((1 - level) / 2, df) if math.isfinite(df) else stats.norm.isf((1 - level) / 2))
    name = f"t with {df:g} df" if math.isfinite(df) else "normal"
    return Converted(width / (2 * quantile), f"SE = width of the {100 * level:.3g} % interval / 2 {name} quantiles")


def std_error_from_p(effect: float, p_value: float, *, df: float = math.inf) -> Converted:
    """Compute the standard error of an estimate from its two-sided p-value: |effect| / quantile.

    An inequality such as p < 0.05 gives only the largest standard error; say so where you use it so.

    Examples
    --------
    >>> round(std_error_from_p(3.0, 0.05).value, 3)
    1.531
    """
    if not 0 < p_value < 1:
        raise InputError(f"p_value must lie between 0 and 1, got {p_value}; 'p < 0.05' is a bound, not a value")
    if effect == 0:
        raise InputError("effect is 0: a p-value says nothing about its standard error")
    quantile = float(stats.t.isf(p_value / 2, df) if math.isfinite(df) else stats.norm.isf(p_value / 2))
    return Converted(abs(effect) / quantile, f"SE = |effect| / quantile at two-sided p = {p_value:g}")


def change_sd(baseline_sd: float, followup_sd: float, correlation: float) -> Converted:
    """Compute the standard deviation of change from those of the two visits and their correlation.

    SD^2 = s1^2 + s2^2 - 2 r s1 s2 (Cochrane Handbook 6.5.2.8). An assumed correlation is an assumption of the result.

    Examples
    --------
    >>> round(change_sd(39.82, 37.14, 0.85).value, 1)
    21.2
    """
    s1, s2 = _positive("baseline_sd", baseline_sd), _positive("followup_sd", followup_sd)
    if not -1 <= correlation <= 1:
        raise InputError(f"correlation must be between -1 and 1, got {correlation}")
    variance = s1**2 + s2**2 - 2 * correlation * s1 * s2
    return Converted(math.sqrt(max(0.0, variance)), f"SD of change from both SDs and r = {correlation:g}")


def mean_sd_from_median_iqr(median: float, q1: float, q3: float, n: int) -> ConvertedMean:
    """Mean and standard deviation from median and quartiles, for a distribution near normal.

    Mean: Luo's optimal weights, (0.7 + 0.39/n) (q1 + q3)/2 + (0.3 - 0.39/n) median. SD: Wan's
    (q3 - q1) / (2 z), z the normal quantile at (0.75 n - 0.125) / (n + 0.25).

    References
    ----------
    Luo D et al. Stat Methods Med Res 2018;27:1785, equation 15. Wan X et al. BMC Med Res Methodol 2014;14:135,
    equation 16.

    Examples
    --------
    >>> found = mean_sd_from_median_iqr(10.0, 6.0, 14.0, 100)
    >>> round(found.mean, 1), round(found.sd, 2), found.skew
    (10.0, 6.02, 0.0)
    """
    _check_n(n)
    if not q1 <= median <= q3:
        raise InputError(f"the median {median} must lie between the quartiles {q1} and {q3}")
    width = _positive("q3 - q1", q3 - q1)
    weight = 0.7 + 0.39 / n
    z = float(stats.norm.ppf((0.75 * n - 0.125) / (n + 0.25)))
    return ConvertedMean(
        weight * (q1 + q3) / 2 + (1 - weight) * median,
        width / (2 * z),
        "mean (Luo 2018) and SD (Wan 2014) from median and quartiles",
        (q1 + q3 - 2 * median) / width,
    )


def sd_from_iqr_width(iqr: float, n: int) -> Converted:
    """Compute the standard deviation from the width of the interquartile range alone (Wan 2014, equation 16).

    Examples
    --------
    >>> round(sd_from_iqr_width(16.88, 10).value, 1)
    14.4
    """
    _check_n(n)
    z = float(stats.norm.ppf((0.75 * n - 0.125) / (n + 0.25)))
    return Converted(_positive("iqr", iqr) / (2 * z), "SD from the width of the interquartile range (Wan 2014)")


def combine_groups(n1: int, mean1: float, sd1: float, n2: int, mean2: float, sd2: float) -> ConvertedMean:
    """Mean and standard deviation of two groups taken as one (Cochrane Handbook table 6.5.a).

    Examples
    --------
    >>> combine_groups(2, 0.0, 0.0, 2, 2.0, 0.0).mean
    1.0
    """
    n = n1 + n2
    _check_n(n)
    mean = (n1 * mean1 + n2 * mean2) / n
    squares = (n1 - 1) * sd1**2 + (n2 - 1) * sd2**2 + n1 * n2 / n * (mean1 - mean2) ** 2
    return ConvertedMean(mean, math.sqrt(squares / (n - 1)), "two groups taken as one", 0.0)


def _check_n(n: int) -> None:
    if n < 2:
        raise InputError(f"n must be at least 2 for a standard deviation, got {n}")


def _positive(name: str, value: float) -> float:
    if not (value > 0 and math.isfinite(value)):
        raise InputError(f"{name} must be above 0, got {value}")
    return value
