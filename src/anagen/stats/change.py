"""How much people changed from one visit to another, with what that change can and cannot show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from anagen.errors import InputError, NotEnoughDataError
from anagen.records import Estimate, Flag
from anagen.stats.effect_size import StandardisedChange, standardise_by_baseline_sd, standardise_by_change_sd

NO_CONTROL: Final = Flag(
    code="no-control",
    severity="warning",
    message="The change within one group joins the treatment's effect with regression to the mean, season, "
    "the injection itself and measurement drift.",
    advice="Compare with a concurrent control before calling it an effect.",
)


@dataclass(frozen=True, slots=True)
class WithinPatientChange:
    """Change of one group between two visits.

    Parameters
    ----------
    n, n_missing : int
        People with both visits; people with only one (left out: complete cases).
    mean_before, mean_after : Estimate
        Of the people with both visits, with t intervals.
    mean_change : Estimate
        After minus before, with the paired t interval and its p-value.
    percent_change : Estimate
        100 (mean after / mean before - 1), with Fieller's interval; its p-value is that of `mean_change`.
    sd_change : float
        Standard deviation of the changes.
    correlation : float
        Pearson's r of the two visits; NaN when one does not vary.
    std_error, df, t : float
        Of `mean_change`.
    smcc, smcr : StandardisedChange or None
        Change in standard deviations of the change and of the baseline; None when that standard deviation is 0.
    flags : tuple of Flag
        Always ``no-control``; others where the data ask for them.
    """

    n: int
    n_missing: int
    mean_before: Estimate
    mean_after: Estimate
    mean_change: Estimate
    percent_change: Estimate
    sd_change: float
    correlation: float
    std_error: float
    df: float
    t: float
    smcc: StandardisedChange | None
    smcr: StandardisedChange | None
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True)
class SplitScalpDifference:
    """Treated against control side of the same heads.

    Parameters
    ----------
    difference : Estimate
        Mean over people of (change of the treated side) - (change of the control side), paired t.
    treated, control : WithinPatientChange
        Each side by itself.
    correlation_sides : float
        Pearson's r between the two sides' changes: what the planning of the next trial needs.
    std_error, df, t : float
        Of `difference`.
    flags : tuple of Flag
        ``spill-over`` always: what spreads from side to side hides an effect.
    """

    difference: Estimate
    treated: WithinPatientChange
    control: WithinPatientChange
    correlation_sides: float
    std_error: float
    df: float
    t: float
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True)
class AncovaDifference:
    """Treated against control group, adjusted for the baseline.

    Parameters
    ----------
    difference : Estimate
        Adjusted mean difference, treated minus control, with t interval and p-value.
    mean_treated, mean_control : Estimate
        Means of the outcome at the overall mean of the covariates.
    slope : Estimate
        Of the outcome on the baseline.
    std_error, df, t : float
        Of `difference`.
    residual_sd : float
        Standard deviation about the model.
    n_treated, n_control, n_missing : int
        People used, and people left out because a value is missing.
    """

    difference: Estimate
    mean_treated: Estimate
    mean_control: Estimate
    slope: Estimate
    std_error: float
    df: float
    t: float
    residual_sd: float
    n_treated: int
    n_control: int
    n_missing: int


def estimate_change(
    before: ArrayLike, after: ArrayLike, *, unit: str = "1", level: float = 0.95
) -> WithinPatientChange:
    """Estimate the change within people: mean, percent and standardised, each with its interval.

    The mean change and its p-value equal the paired t-test's. It takes the changes as independent between people and
    near enough to normal for their mean; `signed_rank_test` does without the second.

    Parameters
    ----------
    before, after : array_like, shape (n,)
        One value a person in the same order; NaN where not measured.
    unit : str
        Unit of the values as printed.
    level : float
        Confidence level of all intervals.

    Returns
    -------
    WithinPatientChange

    Raises
    ------
    InputError
        When the lengths differ or a value is infinite.
    NotEnoughDataError
        When fewer than 3 people have both visits.

    Examples
    --------
    >>> change = estimate_change([100, 90, 120, 110], [112, 95, 126, 125], unit="hairs/cm2")
    >>> change.mean_change.value, round(change.mean_change.p_value, 4)
    (9.5, 0.0287)
    """
    pairs, n_missing = _check_paired({"before": before, "after": after}, level)
    pre, post = pairs
    changes, n = post - pre, len(pre)
    mean, error = float(changes.mean()), _standard_error(changes)
    flags = [NO_CONTROL]
    if n_missing:
        message = f"{n_missing} of {n + n_missing} people lack one of the two visits and are left out"
        flags.append(Flag("incomplete-pairs", "warning", message, "Fit an MMRM over all visits", float(n_missing)))
    if error == 0:
        flags.append(Flag("no-spread", "warning", "Every person changed alike", "Look for copied values"))
    percent, percent_flag = _percent_change(pre, post, level)
    sd_before, sd_change = float(pre.std(ddof=1)), float(changes.std(ddof=1))
    r = _correlation(pre, post)
    return WithinPatientChange(
        n=n,
        n_missing=n_missing,
        mean_before=estimate_mean(pre, unit=unit, level=level),
        mean_after=estimate_mean(post, unit=unit, level=level),
        mean_change=estimate_mean(changes, unit=unit, level=level, method="paired t"),
        percent_change=percent,
        sd_change=sd_change,
        correlation=r,
        std_error=error,
        df=float(n - 1),
        t=_ratio(mean, error),
        smcc=standardise_by_change_sd(mean, sd_change, n, level=level) if sd_change > 0 else None,
        smcr=standardise_by_baseline_sd(mean, sd_before, r, n, level=level) if math.isfinite(r) else None,
        flags=(*flags, *percent_flag),
    )


def estimate_split_scalp(
    treated_before: ArrayLike,
    treated_after: ArrayLike,
    control_before: ArrayLike,
    control_after: ArrayLike,
    *,
    unit: str = "1",
    level: float = 0.95,
) -> SplitScalpDifference:
    """Compare the treated with the control side of the same heads, person by person.

    Parameters
    ----------
    treated_before, treated_after, control_before, control_after : array_like, shape (n,)
        One value a person in the same order; NaN where not measured.
    unit : str
        Unit of the values as printed.
    level : float
        Confidence level.

    Returns
    -------
    SplitScalpDifference

    Raises
    ------
    InputError, NotEnoughDataError
        As `estimate_change`.
    """
    sides, _ = _check_paired(
        {
            "treated_before": treated_before,
            "treated_after": treated_after,
            "control_before": control_before,
            "control_after": control_after,
        },
        level,
    )
    treated_change, control_change = sides[1] - sides[0], sides[3] - sides[2]
    difference = treated_change - control_change
    error = _standard_error(difference)
    spill_over = Flag(
        "spill-over",
        "note",
        "What diffuses or acts through the blood reaches both sides and draws the difference towards 0",
        "Keep a buffer between the sides and add people who get only the control",
    )
    return SplitScalpDifference(
        difference=estimate_mean(difference, unit=unit, level=level, method="paired t of side differences"),
        treated=estimate_change(treated_before, treated_after, unit=unit, level=level),
        control=estimate_change(control_before, control_after, unit=unit, level=level),
        correlation_sides=_correlation(treated_change, control_change),
        std_error=error,
        df=float(len(difference) - 1),
        t=_ratio(float(difference.mean()), error),
        flags=(spill_over,),
    )


def estimate_ancova(
    before: ArrayLike,
    after: ArrayLike,
    treated: ArrayLike,
    *,
    covariates: ArrayLike | None = None,
    unit: str = "1",
    level: float = 0.95,
) -> AncovaDifference:
    """Compare treated with control people after adjustment for the baseline (analysis of covariance).

    Least squares of after ~ treated + before (+ covariates). Under randomisation the difference is unbiased even when
    the line does not hold, and never less precise, in large samples, than that of change scores.

    Parameters
    ----------
    before, after : array_like, shape (n,)
        One value a person; NaN where not measured.
    treated : array_like of bool, shape (n,)
        True for the treated group.
    covariates : array_like, shape (n, k), or None
        More columns to adjust for, as numbers.
    unit : str
        Unit of the values as printed.
    level : float
        Confidence level.

    Returns
    -------
    AncovaDifference

    Raises
    ------
    InputError
        When lengths differ, a value is infinite, or a covariate is a combination of others.
    NotEnoughDataError
        When a group has fewer than 2 people or no degree of freedom is left.

    References
    ----------
    Yang, Tsiatis (2001), Am Stat 55:314.

    Examples
    --------
    >>> fit = estimate_ancova([1, 2, 3, 4, 5, 6], [2, 3, 4, 6, 7, 8], [0, 0, 0, 1, 1, 1])
    >>> round(fit.difference.value, 9), fit.df
    (1.0, 3.0)
    """
    group = np.asarray(treated)
    if group.ndim != 1 or not np.isin(group, (0, 1)).all():
        raise InputError("treated must be a list of True and False, one a person: code the groups so")
    extra = np.empty((len(group), 0)) if covariates is None else np.atleast_2d(np.asarray(covariates, float).T).T
    columns = {"before": before, "after": after, "treated": group.astype(float)}
    columns |= {f"covariates[:, {k}]": extra[:, k] for k in range(extra.shape[1])}
    (pre, post, arm, *others), n_missing = _check_paired(columns, level)
    n, n_treated = len(pre), int(arm.sum())
    adjust = np.column_stack([pre, *others])
    design = np.column_stack([np.ones(n), arm, adjust - adjust.mean(axis=0)])
    df = n - design.shape[1]
    if min(n_treated, n - n_treated) < 2 or df < 1:
        raise NotEnoughDataError(
            f"ANCOVA with {design.shape[1]} terms needs more people and 2 in each group; "
            f"got {n_treated} treated and {n - n_treated} control"
        )
    beta, covariance, sd = _least_squares(design, post)
    contrasts = np.zeros((4, design.shape[1]))
    contrasts[0, 1] = contrasts[1, 0] = contrasts[1, 1] = contrasts[2, 0] = contrasts[3, 2] = 1
    values = contrasts @ beta
    errors = np.sqrt(np.einsum("ij,jk,ik->i", contrasts, covariance, contrasts))
    units = (unit, unit, unit, "1")
    difference, mean_treated, mean_control, slope = (
        _t_estimate(float(value), float(error), df, n, units[k], level, "ANCOVA (least squares, t)", test=k in (0, 3))
        for k, (value, error) in enumerate(zip(values, errors, strict=True))
    )
    return AncovaDifference(
        difference=difference,
        mean_treated=mean_treated,
        mean_control=mean_control,
        slope=slope,
        std_error=float(errors[0]),
        df=float(df),
        t=_ratio(float(values[0]), float(errors[0])),
        residual_sd=sd,
        n_treated=n_treated,
        n_control=n - n_treated,
        n_missing=n_missing,
    )


def estimate_mean(values: ArrayLike, *, unit: str = "1", level: float = 0.95, method: str = "one-sample t") -> Estimate:
    """Estimate a mean with its t interval and the p-value of the mean being 0.

    Parameters
    ----------
    values : array_like, shape (n,)
        Finite numbers, at least 2.
    unit : str
        Unit of the values as printed.
    level : float
        Confidence level.
    method : str
        As printed.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> round(estimate_mean([1, 2, 3]).p_value, 4)
    0.0742
    """
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise InputError(f"values must be a list of finite numbers, got shape {x.shape}")
    if len(x) < 2:
        raise NotEnoughDataError(f"a mean with an interval needs 2 values, got {len(x)}")
    return _t_estimate(float(x.mean()), _standard_error(x), len(x) - 1, len(x), unit, level, method, test=True)


def _check_paired(columns: dict[str, ArrayLike], level: float) -> tuple[list[np.ndarray], int]:
    """Return the columns without the people who lack a value in any, and how many those were."""
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, got {level}: give a proportion, not a percentage")
    arrays = {name: np.asarray(column, dtype=float) for name, column in columns.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if any(array.ndim != 1 for array in arrays.values()) or len(set(shapes.values())) > 1:
        raise InputError(f"each of {', '.join(arrays)} needs one value a person in the same order, got {shapes}")
    table = np.vstack(list(arrays.values()))
    if np.isinf(table).any():
        name = next(name for name, array in arrays.items() if np.isinf(array).any())
        raise InputError(f"{name} has an infinite value: leave what was not measured as NaN")
    complete = ~np.isnan(table).any(axis=0)
    if complete.sum() < 3:
        raise NotEnoughDataError(f"at least 3 people need {' and '.join(arrays)}, got {int(complete.sum())}")
    return list(table[:, complete]), int((~complete).sum())


def _t_estimate(
    value: float, error: float, df: float, n: int, unit: str, level: float, method: str, *, test: bool
) -> Estimate:
    reach = -float(special.stdtrit(df, (1 - level) / 2)) * error
    p_value = float(2 * special.stdtr(df, -abs(_ratio(value, error)))) if test else None
    return Estimate(value, unit, value - reach, value + reach, n, method, level, p_value)


def _percent_change(pre: np.ndarray, post: np.ndarray, level: float) -> tuple[Estimate, tuple[Flag, ...]]:
    """Ratio of means by Fieller (1954), J R Stat Soc B 16:175: the ratios rho with |mean(post - rho pre)| < t se."""
    n = len(pre)
    t = -float(special.stdtrit(n - 1, (1 - level) / 2))
    mean_pre, mean_post = float(pre.mean()), float(post.mean())
    (v_pre, cov), (_, v_post) = np.cov(pre, post) / n
    a, b, c = mean_pre**2 - t**2 * v_pre, mean_pre * mean_post - t**2 * cov, mean_post**2 - t**2 * v_post
    method = "ratio of means, Fieller"
    p_value = estimate_mean(post - pre, level=level).p_value
    if a <= 0 or mean_pre <= 0:
        flag = Flag(
            "percent-change-undefined",
            "refused" if mean_pre <= 0 else "warning",
            f"The baseline mean {mean_pre:g} does not differ from 0 clearly enough for a percentage",
            "Report the change in its unit",
        )
        value = math.nan if mean_pre <= 0 else 100 * (mean_post / mean_pre - 1)
        return Estimate(value, "%", math.nan, math.nan, n, method, level, p_value), (flag,)
    root = math.sqrt(max(0.0, b**2 - a * c))
    low, high = (100 * ((b + sign * root) / a - 1) for sign in (-1, 1))
    return Estimate(100 * (mean_post / mean_pre - 1), "%", low, high, n, method, level, p_value), ()


def _standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    return float(np.clip(np.corrcoef(x, y)[0, 1], -1.0, 1.0))


def _ratio(value: float, error: float) -> float:
    """Test statistic; no spread makes it infinite, no change and no spread NaN."""
    if error > 0:
        return value / error
    return math.copysign(math.inf, value) if value else math.nan


def _least_squares(design: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    n, p = design.shape
    scale = np.sqrt((design**2).sum(axis=0))
    if (scale == 0).any() or np.linalg.matrix_rank(design / np.where(scale == 0, 1, scale)) < p:
        raise InputError("the groups, the baseline and the covariates determine one another: drop a covariate")
    q, r = np.linalg.qr(design)
    beta = np.linalg.solve(r, q.T @ y)
    variance = float(np.sum((y - design @ beta) ** 2)) / (n - p)
    inverse = np.linalg.inv(r)
    return beta, variance * inverse @ inverse.T, math.sqrt(variance)
