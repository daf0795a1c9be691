"""How well do repeated measurements of the same thing agree: between counters, between devices, between days."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats

from anagen.errors import InputError, NotEnoughDataError
from anagen.records import Estimate, Flag
from anagen.stats.noncentral_t import noncentral_t_cdf

IccForm = Literal["1,1", "2,1", "3,1", "1,k", "2,k", "3,k"]
ICC_FORMS: Final[tuple[IccForm, ...]] = ("1,1", "2,1", "3,1", "1,k", "2,k", "3,k")
ICC_MEANING: Final = {
    "1": "one-way random",
    "2": "two-way, absolute agreement",
    "3": "two-way, consistency",
}


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Differences between two methods.

    Parameters
    ----------
    n, n_missing : int
        Pairs used, and left out because one of the two is missing.
    bias : Estimate
        Mean difference (second minus first), t interval, p-value of no bias.
    sd_difference : float
        Standard deviation of the differences.
    lower_limit, upper_limit : Estimate
        Limits of agreement, bias -+ z sd, each with its interval.
    slope : Estimate
        Of the difference on the mean of both: not 0 when the methods part with the size.
    flags : tuple of Flag
        ``proportional-bias`` where that slope is clear: the limits then hold for no size in particular.
    """

    n: int
    n_missing: int
    bias: Estimate
    sd_difference: float
    lower_limit: Estimate
    upper_limit: Estimate
    slope: Estimate
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True)
class RetestReliability:
    """Two measurements of the same people between which nothing happened.

    Parameters
    ----------
    icc_agreement, icc_consistency : Estimate
        ICC(2,1) and ICC(3,1).
    standard_error_of_measurement : Estimate
        Standard deviation of one measurement about the person's own level, systematic shift left out.
    minimal_detectable_change : Estimate
        Smallest change of one person that exceeds measurement error: z sqrt(2) SEM.
    shift : Estimate
        Mean of second minus first: learning, drift.
    """

    icc_agreement: Estimate
    icc_consistency: Estimate
    standard_error_of_measurement: Estimate
    minimal_detectable_change: Estimate
    shift: Estimate


def estimate_icc(ratings: ArrayLike, form: IccForm = "2,1", *, level: float = 0.95) -> Estimate:
    """Estimate an intraclass correlation: the share of the variance that lies between the things measured.

    Parameters
    ----------
    ratings : array_like, shape (n_subjects, n_raters)
        Row: person, field or lot; column: counter, device or occasion. Rows with a missing value (NaN) are left out.
    form : {"1,1", "2,1", "3,1", "1,k", "2,k", "3,k"}
        Shrout and Fleiss's: 1 raters differ from row to row; 2 absolute agreement; 3 consistency (a constant
        difference between raters is forgiven). ``k``: reliability of the mean of all raters instead of one.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        With F-based interval and the p-value of ICC = 0. It may be negative.

    Raises
    ------
    InputError
        When the form is unknown or the shape wrong.
    NotEnoughDataError
        With fewer than 2 raters or 3 complete rows, or no variation at all.

    References
    ----------
    Shrout, Fleiss (1979), Psychol Bull 86:420; McGraw, Wong (1996), Psychol Methods 1:30, tables 4 and 7, with the
    correction of 1:390.

    Examples
    --------
    >>> judges = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> [round(estimate_icc(judges, form).value, 2) for form in ("1,1", "2,1", "3,1")]
    [0.17, 0.29, 0.71]
    """
    if form not in ICC_FORMS:
        raise InputError(f"form must be one of {'; '.join(ICC_FORMS)}, got {form!r}")
    x = _check_ratings(ratings, level)
    n, k = x.shape
    model, of_mean = form[0], form.endswith("k")
    ms = _mean_squares(x)
    if model == "1":
        value, low, high = _icc_from_f(ms.rows, ms.within, n - 1, n * (k - 1), k, level)
        p_value = float(stats.f.sf(_ratio(ms.rows, ms.within), n - 1, n * (k - 1)))
    else:
        value, low, high = _icc_from_f(ms.rows, ms.error, n - 1, (n - 1) * (k - 1), k, level)
        p_value = float(stats.f.sf(_ratio(ms.rows, ms.error), n - 1, (n - 1) * (k - 1)))
        if model == "2":
            value, low, high = _icc_agreement(ms, n, k, level)
    if of_mean:
        value, low, high = (k * icc / (1 + (k - 1) * icc) for icc in (value, low, high))
    method = f"ICC({form}), {ICC_MEANING[model]}{f', mean of {k}' if of_mean else ''}; F interval"
    return Estimate(value, "1", low, high, n, method, level, p_value)


def compare_methods(first: ArrayLike, second: ArrayLike, *, unit: str = "1", level: float = 0.95) -> BlandAltman:
    """Compare two methods by Bland and Altman's limits of agreement, with exact intervals.

    The limits bias -+ 1.96 sd are where 95 % of differences lie; as quantiles of a normal distribution, each has an
    exact interval by the noncentral t. `level` serves both: coverage of the limits and confidence of the intervals.

    Parameters
    ----------
    first, second : array_like, shape (n,)
        The same things by both methods, in the same order; NaN where not measured.
    unit : str
        Unit of the values as printed.
    level : float
        Level of the limits and of all intervals.

    Returns
    -------
    BlandAltman

    Raises
    ------
    InputError
        When the lengths differ or a value is infinite.
    NotEnoughDataError
        With fewer than 3 pairs.

    References
    ----------
    Bland, Altman (1999), Stat Methods Med Res 8:135; Carkeet (2015), Optom Vis Sci 92:e71 (exact intervals).
    """
    pairs, n_missing = _check_pairs(first, second, level)
    difference, middle = pairs[:, 1] - pairs[:, 0], pairs.mean(axis=1)
    n, sd = len(difference), float(difference.std(ddof=1))
    bias = _t_mean(difference, unit, level, "mean difference, t")
    z = float(stats.norm.isf((1 - level) / 2))
    outer, inner = _limit_interval(n, z, level)
    low, high = bias.value - z * sd, bias.value + z * sd
    method = "limit of agreement; exact interval (noncentral t)"
    lower = Estimate(low, unit, bias.value - outer * sd, bias.value - inner * sd, n, method, level)
    upper = Estimate(high, unit, bias.value + inner * sd, bias.value + outer * sd, n, method, level)
    slope = _slope(middle, difference, level)
    flags = []
    if slope.p_value is not None and slope.p_value < 0.05:
        message = f"the difference changes with the size (slope {slope.value:.3g}, p = {slope.p_value:.2g})"
        flags.append(
            Flag("proportional-bias", "warning", message, "Compare logarithms, or limits by size", slope.p_value, 0.05)
        )
    return BlandAltman(n, n_missing, bias, sd, lower, upper, slope, tuple(flags))


def estimate_within_sd(replicates: ArrayLike, *, unit: str = "1", level: float = 0.95) -> Estimate:
    """Estimate the standard deviation of replicate measurements of the same thing, pooled over things.

    Parameters
    ----------
    replicates : array_like, shape (n_subjects, n_replicates)
        NaN where a replicate is missing; rows with fewer than 2 do not count.
    unit : str
        Unit of the values as printed.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        With the exact chi-square interval; `n` counts the things measured.

    Raises
    ------
    NotEnoughDataError
        When no thing was measured twice.
    """
    variance, df, n = _pooled_variance(_check_replicates(replicates, level))
    low, high = _variance_interval(variance, df, level)
    method = f"within-subject SD, {df} df; chi-square interval"
    return Estimate(math.sqrt(variance), unit, math.sqrt(low), math.sqrt(high), n, method, level)


def estimate_within_cv(replicates: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Estimate the coefficient of variation of replicate measurements whose error grows with the size.

    On logarithms the error is alike for all sizes: with s the pooled within-subject SD of ln x, the coefficient of
    variation of a log-normal error is sqrt(exp(s^2) - 1), and the exact interval of s carries over.

    Parameters
    ----------
    replicates : array_like, shape (n_subjects, n_replicates)
        Above 0; NaN where a replicate is missing; rows with fewer than 2 do not count.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        A proportion (0.05 is 5 %); `n` counts the things measured.

    Raises
    ------
    InputError
        When a value is not above 0.
    NotEnoughDataError
        When no thing was measured twice.

    References
    ----------
    Bland, Altman (1996), BMJ 313:106 (measurement error proportional to the mean).

    Examples
    --------
    >>> round(estimate_within_cv([[100, 110], [205, 200], [52, 50]]).value, 4)
    0.0433
    """
    x = _check_replicates(replicates, level)
    if not (x[~np.isnan(x)] > 0).all():
        raise InputError(f"a coefficient of variation needs values above 0, got {np.nanmin(x)}: use estimate_within_sd")
    variance, df, n = _pooled_variance(np.log(x))
    value, low, high = (math.sqrt(math.expm1(v)) for v in (variance, *_variance_interval(variance, df, level)))
    return Estimate(value, "1", low, high, n, f"within-subject CV on logarithms, {df} df; chi-square interval", level)


def estimate_retest(first: ArrayLike, second: ArrayLike, *, unit: str = "1", level: float = 0.95) -> RetestReliability:
    """Estimate test-retest reliability and the smallest change of one person that is more than measurement error.

    Parameters
    ----------
    first, second : array_like, shape (n,)
        The same people on both occasions, in the same order; NaN where not measured.
    unit : str
        Unit of the values as printed.
    level : float
        Confidence level, also that of the minimal detectable change.

    Returns
    -------
    RetestReliability

    Raises
    ------
    InputError, NotEnoughDataError
        As `compare_methods`.

    References
    ----------
    de Vet, Terwee, Knol, Bouter (2006), J Clin Epidemiol 59:1033.
    """
    pairs, _ = _check_pairs(first, second, level)
    difference = pairs[:, 1] - pairs[:, 0]
    n = len(difference)
    variance = float(difference.var(ddof=1)) / 2
    bounds = [math.sqrt(v) for v in (variance, *_variance_interval(variance, n - 1, level))]
    factor = float(stats.norm.isf((1 - level) / 2)) * math.sqrt(2)
    method = "sd of differences / sqrt 2; chi-square interval"
    return RetestReliability(
        icc_agreement=estimate_icc(pairs, "2,1", level=level),
        icc_consistency=estimate_icc(pairs, "3,1", level=level),
        standard_error_of_measurement=Estimate(bounds[0], unit, bounds[1], bounds[2], n, method, level),
        minimal_detectable_change=Estimate(
            factor * bounds[0], unit, factor * bounds[1], factor * bounds[2], n, "z sqrt 2 SEM", level
        ),
        shift=_t_mean(difference, unit, level, "mean difference, t"),
    )


@dataclass(frozen=True, slots=True)
class _MeanSquares:
    rows: float
    columns: float
    error: float
    within: float


def _mean_squares(x: np.ndarray) -> _MeanSquares:
    n, k = x.shape
    rows, columns, grand = x.mean(axis=1), x.mean(axis=0), x.mean()
    residual = x - rows[:, None] - columns[None, :] + grand
    return _MeanSquares(
        rows=k * float(np.sum((rows - grand) ** 2)) / (n - 1),
        columns=n * float(np.sum((columns - grand) ** 2)) / (k - 1),
        error=float(np.sum(residual**2)) / ((n - 1) * (k - 1)),
        within=float(np.sum((x - rows[:, None]) ** 2)) / (n * (k - 1)),
    )


def _icc_from_f(
    rows: float, error: float, df_rows: int, df_error: int, k: int, level: float
) -> tuple[float, float, float]:
    """ICC and its interval from the F ratio of rows to error: (F - 1) / (F + k - 1)."""
    tail, f = (1 - level) / 2, _ratio(rows, error)
    f_low = f / float(stats.f.isf(tail, df_rows, df_error))
    f_high = f * float(stats.f.isf(tail, df_error, df_rows))
    value, low, high = (1.0 if math.isinf(one) else (one - 1) / (one + k - 1) for one in (f, f_low, f_high))
    return value, low, high


def _icc_agreement(ms: _MeanSquares, n: int, k: int, level: float) -> tuple[float, float, float]:
    """ICC(2,1) with Satterthwaite's df for its interval: McGraw and Wong (1996), table 7, ICC(A,1)."""
    value = (ms.rows - ms.error) / (ms.rows + (k - 1) * ms.error + k * (ms.columns - ms.error) / n)
    if value == 1:
        return 1.0, 1.0, 1.0
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    df = (a * ms.columns + b * ms.error) ** 2 / (
        (a * ms.columns) ** 2 / (k - 1) + (b * ms.error) ** 2 / ((n - 1) * (k - 1))
    )
    tail = (1 - level) / 2
    spread = k * ms.columns + (k * n - k - n) * ms.error
    f_low, f_high = float(stats.f.isf(tail, n - 1, df)), float(stats.f.isf(tail, df, n - 1))
    low = n * (ms.rows - f_low * ms.error) / (f_low * spread + n * ms.rows)
    high = n * (f_high * ms.rows - ms.error) / (spread + n * f_high * ms.rows)
    return value, low, high


def _limit_interval(n: int, z: float, level: float) -> tuple[float, float]:
    """Outer and inner end, in sd from the bias, of the exact interval of mean + z sd of a normal distribution."""
    tail, root_n = (1 - level) / 2, math.sqrt(n)

    def quantile(probability: float) -> float:
        def excess(t: float) -> float:
            return noncentral_t_cdf(t, n - 1, z * root_n) - probability

        low, high = -5.0, 2 * z * root_n + 5
        while excess(high) < 0:
            high *= 2
        while excess(low) > 0:
            low *= 2
        return float(optimize.brentq(excess, low, high, xtol=1e-11, rtol=1e-13)) / root_n

    return quantile(1 - tail), quantile(tail)


def _slope(x: np.ndarray, y: np.ndarray, level: float) -> Estimate:
    n = len(x)
    spread = float(np.sum((x - x.mean()) ** 2))
    method = "slope of difference on mean, least squares"
    if spread == 0:
        return Estimate(math.nan, "1", math.nan, math.nan, n, method, level)
    slope = float(np.sum((x - x.mean()) * y)) / spread
    residual = y - y.mean() - slope * (x - x.mean())
    error = math.sqrt(float(np.sum(residual**2)) / (n - 2) / spread)
    reach = float(stats.t.isf((1 - level) / 2, n - 2)) * error
    p_value = float(2 * stats.t.sf(abs(slope) / error, n - 2)) if error > 0 else None
    return Estimate(slope, "1", slope - reach, slope + reach, n, method, level, p_value)


def _t_mean(values: np.ndarray, unit: str, level: float, method: str) -> Estimate:
    n, mean = len(values), float(values.mean())
    error = float(values.std(ddof=1)) / math.sqrt(n)
    reach = float(stats.t.isf((1 - level) / 2, n - 1)) * error
    p_value = float(2 * stats.t.sf(_ratio(abs(mean), error), n - 1))
    return Estimate(mean, unit, mean - reach, mean + reach, n, method, level, p_value)


def _pooled_variance(x: np.ndarray) -> tuple[float, int, int]:
    """Pooled within-row variance, its degrees of freedom, and the rows with 2 or more values."""
    usable = x[(~np.isnan(x)).sum(axis=1) >= 2]
    if not len(usable):
        raise NotEnoughDataError("nothing was measured twice: measure at least one thing again")
    df = int(np.sum(~np.isnan(usable)) - len(usable))
    deviations = usable - np.nanmean(usable, axis=1, keepdims=True)
    return float(np.nansum(deviations**2)) / df, df, len(usable)


def _variance_interval(variance: float, df: int, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    return variance * df / float(stats.chi2.isf(tail, df)), variance * df / float(stats.chi2.ppf(tail, df))


def _ratio(value: float, error: float) -> float:
    if error > 0:
        return value / error
    return math.inf if value > 0 else math.nan


def _check_replicates(replicates: ArrayLike, level: float) -> np.ndarray:
    _check_level(level)
    x: np.ndarray = np.asarray(replicates, dtype=float)
    if x.ndim != 2 or np.isinf(x).any():
        raise InputError(f"replicates must have shape (n_subjects, n_replicates) and be finite, got shape {x.shape}")
    return x


def _check_ratings(ratings: ArrayLike, level: float) -> np.ndarray:
    x: np.ndarray = _check_replicates(ratings, level)
    x = x[~np.isnan(x).any(axis=1)]
    if x.shape[1] < 2 or len(x) < 3:
        raise NotEnoughDataError(f"an ICC needs at least 2 raters and 3 complete rows, got {x.shape[1]} and {len(x)}")
    if np.ptp(x) == 0:
        raise NotEnoughDataError("all ratings are equal: a correlation needs things that differ")
    return x


def _check_pairs(first: ArrayLike, second: ArrayLike, level: float) -> tuple[np.ndarray, int]:
    _check_level(level)
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.ndim != 1 or a.shape != b.shape or np.isinf(a).any() or np.isinf(b).any():
        raise InputError(
            f"first and second need one finite value each for the same things, got shapes {a.shape} and {b.shape}"
        )
    pairs = np.column_stack([a, b])
    complete: np.ndarray = pairs[~np.isnan(pairs).any(axis=1)]
    if len(complete) < 3:
        raise NotEnoughDataError(f"agreement needs at least 3 complete pairs, got {len(complete)}")
    return complete, len(pairs) - len(complete)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, got {level}: give a proportion, not a percentage")
