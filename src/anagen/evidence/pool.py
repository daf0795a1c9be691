"""One number from many studies: the pooled effect, how sure it is, and where the next study would fall."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from anagen.errors import InputError
from anagen.evidence.heterogeneity import Array, profile_q_interval, resolve_method
from anagen.evidence.meta_regression import (
    FittedEffects,
    check_effects,
    compare_with_zero,
    fit_effects,
    heterogeneity_share,
)
from anagen.records import Flag

Prediction = Literal["metafor", "riley"]


@dataclass(frozen=True, slots=True)
class PooledEffect:
    """A pooled effect with everything that qualifies it.

    Parameters
    ----------
    estimate, std_error, ci_low, ci_high : float
        Pooled effect, in the unit of the effects.
    statistic, df, p_value : float
        Test of no effect; df is infinite for a normal test.
    tau2, tau2_std_error, tau2_ci_low, tau2_ci_high : float
        Between-study variance, with its Q-profile interval.
    i2 : float
        Percent of the variation between estimates that is not sampling error.
    h2 : float
        Total over sampling variance.
    q, q_df, q_p_value : float
        Cochran's test of heterogeneity.
    prediction_low, prediction_high : float
        Where the true effect of a comparable new study is expected; NaN for a fixed effect or one study.
    weights : ndarray, shape (k,)
        Percent each study contributes.
    n_studies : int
        Number of studies.
    method : str
        Estimator of tau2.
    knapp_hartung : bool
        Whether the interval is Knapp and Hartung's.
    level : float
        Level of every interval.
    flags : tuple of Flag
        What a reader must know: one or two studies, agreement closer than chance, large heterogeneity.
    """

    estimate: float
    std_error: float
    ci_low: float
    ci_high: float
    statistic: float
    df: float
    p_value: float
    tau2: float
    tau2_std_error: float
    tau2_ci_low: float
    tau2_ci_high: float
    i2: float
    h2: float
    q: float
    q_df: int
    q_p_value: float
    prediction_low: float
    prediction_high: float
    weights: NDArray[np.float64]
    n_studies: int
    method: str
    knapp_hartung: bool
    level: float
    flags: tuple[Flag, ...]


def pool_effects(
    effects: ArrayLike,
    variances: ArrayLike,
    *,
    method: str = "reml",
    knapp_hartung: bool | Literal["adhoc"] = True,
    prediction: Prediction = "metafor",
    level: float = 0.95,
) -> PooledEffect:
    """Pool the effects of independent studies.

    y_i = mu + u_i + e_i, u_i ~ N(0, tau2), e_i ~ N(0, v_i). With Knapp and Hartung's method the variance of the pooled
    effect is sum w (y - mu)^2 / ((k - 1) sum w) and its test a t with k - 1 degrees of freedom: the interval is honest
    about having few studies. It is narrower than the ordinary one when studies agree by luck; ``adhoc`` forbids that.

    Parameters
    ----------
    effects : array_like, shape (k,)
        Effects on a scale where averaging makes sense (log for ratios).
    variances : array_like, shape (k,)
        Their sampling variances, above 0.
    method : str
        Estimator of tau2: reml, dl, ml, pm, he (= ho), sj, eb, hs; or ``fixed``.
    knapp_hartung : bool or "adhoc"
        False gives the normal interval.
    prediction : {"metafor", "riley"}
        mu -+ c sqrt(tau2 + se^2) with c from the distribution of the interval (metafor 5.1), or from t with k - 2
        degrees of freedom (Riley 2011).
    level : float
        Level of all intervals.

    Returns
    -------
    PooledEffect

    Raises
    ------
    InputError
        When an effect is not finite or a variance is not above 0.
    NotEnoughDataError
        Without any study.

    References
    ----------
    DerSimonian R, Laird N. Control Clin Trials 1986;7:177. Knapp G, Hartung J. Stat Med 2003;22:2693.
    Riley RD, Higgins JPT, Deeks JJ. BMJ 2011;342:d549.

    Examples
    --------
    Two trials of minoxidil 5 % against vehicle (Olsen 2002, 2007), hairs/cm2:

    >>> p = pool_effects([14.7, 16.2], [3.29**2, 2.26**2], knapp_hartung=False)
    >>> print(f"{p.estimate:.1f} ({p.ci_low:.1f} to {p.ci_high:.1f})")
    15.7 (12.1 to 19.4)
    >>> p.flags[0].code
    'two-studies'
    """
    y, v = check_effects(effects, variances)
    if prediction not in {"metafor", "riley"}:
        raise InputError(f"prediction must be 'metafor' or 'riley', got {prediction!r}")
    how = resolve_method(method) if len(y) > 1 else "fixed"
    resolve_method(method)
    scaled = knapp_hartung if len(y) > 1 else False
    X = np.ones((len(y), 1))
    fitted = fit_effects(y, v, X, how, knapp_hartung=scaled, level=level)
    estimate, std_error = float(fitted.fit.coefficients[0]), math.sqrt(fitted.covariance[0, 0])
    statistic, p_value = compare_with_zero(estimate, std_error, fitted.df)
    i2, h2 = heterogeneity_share(fitted.fixed, fitted.tau2, len(y) - 1, how)
    tau2_low, tau2_high = profile_q_interval(y, v, X, level=level)
    half = _prediction_half_width(fitted, std_error, len(y), how, prediction, level)
    q = fitted.fixed.q if len(y) > 1 else 0.0
    return PooledEffect(
        estimate=estimate,
        std_error=std_error,
        ci_low=estimate - fitted.critical * std_error,
        ci_high=estimate + fitted.critical * std_error,
        statistic=statistic,
        df=fitted.df,
        p_value=p_value,
        tau2=fitted.tau2,
        tau2_std_error=fitted.tau2_std_error,
        tau2_ci_low=tau2_low,
        tau2_ci_high=tau2_high,
        i2=i2,
        h2=h2,
        q=q,
        q_df=len(y) - 1,
        q_p_value=float(special.chdtrc(len(y) - 1, q)) if len(y) > 1 else math.nan,
        prediction_low=estimate - half,
        prediction_high=estimate + half,
        weights=100 * fitted.fit.weights / float(np.sum(fitted.fit.weights)),
        n_studies=len(y),
        method=how,
        knapp_hartung=bool(scaled),
        level=level,
        flags=tuple(_flags(y, fitted, i2, level, scaled=bool(scaled))),
    )


def _prediction_half_width(
    fitted: FittedEffects, std_error: float, k: int, method: str, prediction: Prediction, level: float
) -> float:
    if method == "fixed" or (prediction == "riley" and k < 3):
        return math.nan
    critical = -float(special.stdtrit(k - 2, (1 - level) / 2)) if prediction == "riley" else fitted.critical
    return critical * math.sqrt(fitted.tau2 + std_error**2)


def _flags(y: Array, fitted: FittedEffects, i2: float, level: float, *, scaled: bool) -> Iterator[Flag]:
    k = len(y)
    if k == 1:
        yield Flag(
            "one-study",
            "warning",
            "there is one study: its own estimate is shown, and nothing can be said about how studies differ",
            "read it as one study",
        )
        return
    if k == 2:
        yield Flag(
            "two-studies",
            "warning",
            "two studies say almost nothing about how studies differ; the Knapp-Hartung interval rests on one degree of"
            " freedom and the ordinary one takes the spread for known",
            "show both studies beside the pooled number",
            value=2.0,
        )
    normal = -float(special.ndtri((1 - level) / 2))
    if scaled and fitted.critical * math.sqrt(fitted.scale) < normal:
        yield Flag(
            "narrow-interval",
            "note",
            f"the Knapp-Hartung interval is narrower than the ordinary one: the studies lie closer together than their"
            f" errors and tau2 predict (factor {fitted.scale:.2g})",
            "compare with knapp_hartung='adhoc'",
            value=fitted.scale,
            limit=1.0,
        )
    if i2 > 75:
        yield Flag(
            "large-heterogeneity",
            "warning",
            f"I2 is {i2:.0f} %: the studies do not estimate one effect",
            "read the prediction interval and the subgroups, not the pooled number alone",
            value=i2,
            limit=75.0,
        )
