"""Do study features explain why effects differ: weighted regression of effects on moderators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from anagen.errors import InputError, NotEnoughDataError
from anagen.evidence.heterogeneity import (
    Array,
    Tau2Method,
    WeightedFit,
    estimate_tau2,
    fit_weighted,
    profile_q_interval,
    resolve_method,
)


@dataclass(frozen=True, slots=True)
class MetaRegression:
    """A mixed-effects model of published effects.

    Parameters
    ----------
    coefficients : polars.DataFrame
        term, estimate, std_error, df, statistic, p_value, ci_low, ci_high; df is infinite without Knapp-Hartung.
    covariance : ndarray, shape (p, p)
        Of the coefficients.
    tau2, tau2_std_error, tau2_ci_low, tau2_ci_high : float
        Residual between-study variance, squared units of the effects.
    i2, h2 : float
        Share (in percent) and ratio of residual variation beyond sampling error.
    r2 : float
        Percent of the between-study variance that the moderators explain; NaN when there was none.
    q, q_df, q_p_value : float
        Test of residual heterogeneity.
    moderator_statistic, moderator_df, moderator_p_value : float
        Test of all moderators together: F with Knapp-Hartung, chi-square otherwise.
    """

    coefficients: pl.DataFrame
    covariance: NDArray[np.float64]
    tau2: float
    tau2_std_error: float
    tau2_ci_low: float
    tau2_ci_high: float
    i2: float
    h2: float
    r2: float
    q: float
    q_df: int
    q_p_value: float
    moderator_statistic: float
    moderator_df: int
    moderator_p_value: float


@dataclass(frozen=True, slots=True)
class FittedEffects:
    """What pooling and regression share: one fit at the estimated tau2, scaled as asked."""

    fit: WeightedFit
    fixed: WeightedFit
    covariance: Array
    tau2: float
    tau2_std_error: float
    scale: float
    df: float
    critical: float


def fit_meta_regression(
    effects: ArrayLike,
    variances: ArrayLike,
    moderators: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    method: str = "reml",
    knapp_hartung: bool | Literal["adhoc"] = True,
    level: float = 0.95,
) -> MetaRegression:
    """Regress effects on features of their studies.

    y_i = b0 + b1 x_i1 + ... + u_i + e_i, u_i ~ N(0, tau2), e_i ~ N(0, v_i).

    Parameters
    ----------
    effects, variances : array_like, shape (k,)
        Effects and their sampling variances.
    moderators : array_like, shape (k,) or (k, q)
        Numbers; code groups as 0 and 1. An intercept is added.
    names : sequence of str, optional
        Names of the moderators.
    method : str
        Estimator of tau2, see `estimate_tau2`.
    knapp_hartung : bool or "adhoc"
        Scale the covariance by the residuals and use t; ``adhoc`` never scales below 1.
    level : float
        Confidence level.

    Returns
    -------
    MetaRegression

    Raises
    ------
    NotEnoughDataError
        When there are not more studies than coefficients.

    References
    ----------
    Knapp G, Hartung J. Stat Med 2003;22:2693. Raudenbush SW in Cooper et al., Handbook of Research Synthesis, 2009.

    Examples
    --------
    >>> result = fit_meta_regression([1.0, 2.1, 2.9, 4.2], [0.1] * 4, [0, 1, 2, 3], knapp_hartung=False)
    >>> round(result.coefficients["estimate"][1], 2)
    1.04
    """
    y, v = check_effects(effects, variances)
    x = np.asarray(moderators, dtype=float)
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or len(x) != len(y) or not np.all(np.isfinite(x)):
        raise InputError(f"moderators must be finite with one row a study ({len(y)}), got shape {x.shape}")
    X = np.column_stack([np.ones(len(y)), x])
    names = list(names) if names is not None else [f"moderator_{i + 1}" for i in range(x.shape[1])]
    if len(names) != x.shape[1]:
        raise InputError(f"names must name each of the {x.shape[1]} moderators, got {names}")
    if np.linalg.matrix_rank(X) < X.shape[1]:
        raise InputError("moderators are constant or repeat each other: drop one")
    if len(y) <= X.shape[1]:
        raise NotEnoughDataError(f"{len(y)} studies cannot give {X.shape[1]} coefficients: use fewer moderators")
    how = resolve_method(method)
    fitted = fit_effects(y, v, X, how, knapp_hartung=knapp_hartung, level=level)
    return _summarise(y, v, X, ["intercept", *names], fitted, how, knapp_hartung=knapp_hartung, level=level)


def check_effects(effects: ArrayLike, variances: ArrayLike) -> tuple[Array, Array]:
    """Return both as finite float arrays of one shape (k,), or raise InputError naming the study."""
    y, v = np.asarray(effects, dtype=float), np.asarray(variances, dtype=float)
    if y.ndim != 1 or y.shape != v.shape:
        raise InputError(f"effects and variances must be two lists of one length, got shapes {y.shape} and {v.shape}")
    if len(y) == 0:
        raise NotEnoughDataError("effects is empty: there is nothing to pool")
    bad = np.flatnonzero(~np.isfinite(y))
    if len(bad):
        raise InputError(f"effects must be finite: study {bad[0] + 1} has {y[bad[0]]}; leave it out or compute it")
    bad = np.flatnonzero(~(np.isfinite(v) & (v > 0)))
    if len(bad):
        raise InputError(
            f"variances must be above 0: study {bad[0] + 1} has {v[bad[0]]}; a study without error does not exist"
        )
    return y, v


def fit_effects(
    y: Array, v: Array, X: Array, method: Tau2Method, *, knapp_hartung: bool | Literal["adhoc"], level: float
) -> FittedEffects:
    """Estimate tau2, fit at it, and scale the covariance by Knapp and Hartung's factor where asked."""
    if not 0 < level < 1:
        raise InputError(f"level must be between 0 and 1, got {level}")
    if knapp_hartung not in {True, False, "adhoc"}:
        raise InputError(f"knapp_hartung must be True, False or 'adhoc', got {knapp_hartung!r}")
    k, p = X.shape
    tau2, tau2_std_error = estimate_tau2(y, v, X, method)
    fit = fit_weighted(y, v, X, tau2)
    scale, df = 1.0, math.inf
    if knapp_hartung:
        scale, df = fit.q / (k - p), float(k - p)
        scale = max(1.0, scale) if knapp_hartung == "adhoc" else scale
    tail = (1 - level) / 2
    critical = -float(special.stdtrit(df, tail)) if math.isfinite(df) else -float(special.ndtri(tail))
    return FittedEffects(
        fit, fit_weighted(y, v, X, 0.0), scale * fit.covariance, tau2, tau2_std_error, scale, df, critical
    )


def compare_with_zero(estimate: float, std_error: float, df: float) -> tuple[float, float]:
    """Return statistic and two-sided p; infinite and 0 for an estimate without error, NaN for 0 / 0."""
    if std_error == 0:
        return (math.nan, math.nan) if estimate == 0 else (math.copysign(math.inf, estimate), 0.0)
    statistic = estimate / std_error
    tail = special.stdtr(df, -abs(statistic)) if math.isfinite(df) else special.ndtr(-abs(statistic))
    return statistic, float(2 * tail)


def heterogeneity_share(fixed: WeightedFit, tau2: float, df: int, method: Tau2Method) -> tuple[float, float]:
    """I2 in percent and H2, from tau2 and the typical sampling variance (k - p) / tr P.

    References
    ----------
    Higgins JPT, Thompson SG. Stat Med 2002;21:1539, equations 9 and 10.
    """
    if df < 1:
        return math.nan, math.nan
    if method == "fixed":
        return (max(0.0, 100 * (fixed.q - df) / fixed.q) if fixed.q > 0 else 0.0), fixed.q / df
    typical = df / fixed.trace_p
    return 100 * tau2 / (tau2 + typical), tau2 / typical + 1


def _summarise(
    y: Array,
    v: Array,
    X: Array,
    terms: list[str],
    fitted: FittedEffects,
    method: Tau2Method,
    *,
    knapp_hartung: bool | Literal["adhoc"],
    level: float,
) -> MetaRegression:
    k, p = X.shape
    b, V = fitted.fit.coefficients, fitted.covariance
    std_errors = np.sqrt(np.diag(V))
    tests = [compare_with_zero(float(e), float(s), fitted.df) for e, s in zip(b, std_errors, strict=True)]
    table = pl.DataFrame(
        {
            "term": terms,
            "estimate": b,
            "std_error": std_errors,
            "df": [fitted.df] * p,
            "statistic": [statistic for statistic, _ in tests],
            "p_value": [p_value for _, p_value in tests],
            "ci_low": b - fitted.critical * std_errors,
            "ci_high": b + fitted.critical * std_errors,
        }
    )
    chi2 = float(b[1:] @ np.linalg.solve(V[1:, 1:], b[1:]))
    moderator_p = (
        float(stats.f.sf(chi2 / (p - 1), p - 1, k - p)) if knapp_hartung else float(stats.chi2.sf(chi2, p - 1))
    )
    i2, h2 = heterogeneity_share(fitted.fixed, fitted.tau2, k - p, method)
    total, _ = estimate_tau2(y, v, np.ones((k, 1)), method)
    low, high = profile_q_interval(y, v, X, level=level)
    return MetaRegression(
        coefficients=table,
        covariance=V,
        tau2=fitted.tau2,
        tau2_std_error=fitted.tau2_std_error,
        tau2_ci_low=low,
        tau2_ci_high=high,
        i2=i2,
        h2=h2,
        r2=max(0.0, 100 * (total - fitted.tau2) / total) if total > 0 else math.nan,
        q=fitted.fixed.q,
        q_df=k - p,
        q_p_value=float(stats.chi2.sf(fitted.fixed.q, k - p)),
        moderator_statistic=chi2 / (p - 1) if knapp_hartung else chi2,
        moderator_df=p - 1,
        moderator_p_value=moderator_p,
    )
