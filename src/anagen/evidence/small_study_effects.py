"""Are small studies with weak results missing: Egger, Begg, trim-and-fill and a selection model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from anagen.errors import ConvergenceError, InputError, NotEnoughDataError
from anagen.evidence.heterogeneity import Array
from anagen.evidence.meta_regression import check_effects, fit_meta_regression
from anagen.evidence.pool import PooledEffect, pool_effects

FEW_STUDIES = 10
"""Below this many studies tests of asymmetry say next to nothing (Cochrane Handbook 13.3.5.4)."""


@dataclass(frozen=True, slots=True)
class AsymmetryTest:
    """A test of funnel-plot asymmetry.

    Parameters
    ----------
    statistic, df, p_value : float
        z (df infinite) or t of the slope on the standard error; Kendall's tau for Begg's test.
    limit_estimate, limit_low, limit_high : float
        Effect of an imagined study without error, with its interval; NaN for Begg's test.
    few_studies : bool
        Fewer than ten: a large p-value is no evidence of symmetry.
    """

    statistic: float
    df: float
    p_value: float
    limit_estimate: float
    limit_low: float
    limit_high: float
    few_studies: bool


@dataclass(frozen=True, slots=True)
class TrimAndFill:
    """Studies imputed to make the funnel symmetric, and the pooled effect with them.

    Parameters
    ----------
    n_filled : int
        Studies imputed.
    side : {"left", "right"}
        Side on which they are missing.
    filled_effects, filled_variances : ndarray
        The imputed studies.
    pooled : PooledEffect
        With them.
    """

    n_filled: int
    side: Literal["left", "right"]
    filled_effects: NDArray[np.float64]
    filled_variances: NDArray[np.float64]
    pooled: PooledEffect


@dataclass(frozen=True, slots=True)
class SelectionModel:
    """A step-function selection model.

    Parameters
    ----------
    estimate, std_error, ci_low, ci_high : float
        Effect adjusted for selection; normal interval.
    tau2 : float
        Between-study variance, maximum likelihood.
    steps : tuple of float
        Upper ends of the classes of one-sided p-values; the last is 1.
    relative_probability : tuple of float
        Probability of publication in each class relative to the first.
    lr_statistic, lr_df, lr_p_value : float, int, float
        Likelihood-ratio test against no selection.
    """

    estimate: float
    std_error: float
    ci_low: float
    ci_high: float
    tau2: float
    steps: tuple[float, ...]
    relative_probability: tuple[float, ...]
    lr_statistic: float
    lr_df: int
    lr_p_value: float


def egger_test(
    effects: ArrayLike,
    variances: ArrayLike,
    *,
    model: Literal["mixed", "linear"] = "mixed",
    method: str = "reml",
    level: float = 0.95,
) -> AsymmetryTest:
    """Test whether effects grow with their standard error.

    ``mixed`` regresses on the standard error in a random-effects model with a normal test (metafor's default);
    ``linear`` is Egger's weighted regression with multiplicative dispersion and a t test with k - 2 degrees of freedom.

    Parameters
    ----------
    effects, variances : array_like, shape (k,)
        At least three studies.
    model : {"mixed", "linear"}
        Which form.
    method : str
        Estimator of tau2 of the mixed form.
    level : float
        Of the limit estimate's interval.

    Returns
    -------
    AsymmetryTest

    References
    ----------
    Egger M et al. BMJ 1997;315:629. Sterne JAC, Egger M in Rothstein et al. 2005, chapter 6.

    Examples
    --------
    >>> egger_test([0.9, 0.7, 0.5, 0.42], [0.25, 0.16, 0.04, 0.01]).p_value > 0.05
    True
    """
    y, v = check_effects(effects, variances)
    if len(y) < 3:
        raise NotEnoughDataError(f"a test of asymmetry needs at least 3 studies, got {len(y)}")
    se = np.sqrt(v)
    if np.ptp(se) <= 1e-12 * np.max(se):
        raise NotEnoughDataError("all studies have one standard error: asymmetry cannot be seen")
    if model == "mixed":
        fitted = fit_meta_regression(y, v, se, method=method, knapp_hartung=False, level=level)
    elif model == "linear":
        fitted = fit_meta_regression(y, v, se, method="fixed", knapp_hartung=True, level=level)
    else:
        raise InputError(f"model must be 'mixed' or 'linear', got {model!r}")
    limit, slope = fitted.coefficients.row(0, named=True), fitted.coefficients.row(1, named=True)
    return AsymmetryTest(
        slope["statistic"],
        slope["df"],
        slope["p_value"],
        limit["estimate"],
        limit["ci_low"],
        limit["ci_high"],
        len(y) < FEW_STUDIES,
    )


def begg_test(effects: ArrayLike, variances: ArrayLike) -> AsymmetryTest:
    """Rank correlation of standardised effects and their variances (Begg and Mazumdar, Biometrics 1994;50:1088).

    Examples
    --------
    >>> round(begg_test([0.9, 0.7, 0.5, 0.42], [0.25, 0.16, 0.04, 0.01]).statistic, 2)
    1.0
    """
    y, v = check_effects(effects, variances)
    if len(y) < 3:
        raise NotEnoughDataError(f"a test of asymmetry needs at least 3 studies, got {len(y)}")
    w = 1 / v
    standardised = (y - (w @ y) / np.sum(w)) / np.sqrt(v - 1 / np.sum(w))
    tau, p_value = stats.kendalltau(standardised, v)
    return AsymmetryTest(float(tau), math.nan, float(p_value), math.nan, math.nan, math.nan, len(y) < FEW_STUDIES)


def trim_and_fill(
    effects: ArrayLike,
    variances: ArrayLike,
    *,
    estimator: Literal["L0", "R0", "Q0"] = "L0",
    side: Literal["left", "right"] | None = None,
    method: str = "reml",
    knapp_hartung: bool | Literal["adhoc"] = False,
) -> TrimAndFill:
    """Estimate how many studies a symmetric funnel lacks, impute them as mirror images, and pool again.

    Parameters
    ----------
    effects, variances : array_like, shape (k,)
        At least three studies.
    estimator : {"L0", "R0", "Q0"}
        Of the number missing.
    side : {"left", "right"}, optional
        Where they are missing; the side that Egger's slope points away from unless given.
    method : str
        Estimator of tau2 for trimming and for the final pool.
    knapp_hartung : bool or "adhoc"
        For the final pool.

    Returns
    -------
    TrimAndFill

    References
    ----------
    Duval S, Tweedie R. Biometrics 2000;56:455.

    Examples
    --------
    >>> trim_and_fill([0.1, 0.0, -0.1, 0.05, -0.05], [0.1] * 5, side="left").n_filled
    0
    """
    y, v = check_effects(effects, variances)
    k = len(y)
    if k < 3:
        raise NotEnoughDataError(f"trim-and-fill needs at least 3 studies, got {k}")
    if estimator not in {"L0", "R0", "Q0"}:
        raise InputError(f"estimator must be L0, R0 or Q0, got {estimator!r}")
    where = side or _missing_side(y, v, method)
    sign = -1.0 if where == "right" else 1.0
    order = np.argsort(sign * y, kind="stable")
    z, w = sign * y[order], v[order]
    n_filled, centre = _count_missing(z, w, estimator, method)
    extreme = slice(k - n_filled, k)
    filled, filled_v = sign * (2 * centre - z[extreme]), w[extreme]
    pooled = pool_effects(
        np.concatenate([y, filled]), np.concatenate([v, filled_v]), method=method, knapp_hartung=knapp_hartung
    )
    return TrimAndFill(n_filled, where, filled, filled_v, pooled)


def _missing_side(y: Array, v: Array, method: str) -> Literal["left", "right"]:
    se = np.sqrt(v)
    if np.ptp(se) <= 1e-12 * np.max(se):
        return "left"
    slope = fit_meta_regression(y, v, se, method=method, knapp_hartung=False).coefficients["estimate"][1]
    return "right" if slope < 0 else "left"


def _count_missing(z: Array, v: Array, estimator: str, method: str) -> tuple[int, float]:
    """Iterate: pool without the k0 most extreme on the right, rank distances from that centre, estimate k0."""
    k = len(z)
    k0, seen = 0, set[int]()
    while True:
        centre = pool_effects(z[: k - k0], v[: k - k0], method=method, knapp_hartung=False).estimate
        if k0 in seen:
            return k0, centre
        seen.add(k0)
        distance = z - centre
        rank = np.empty(k)
        rank[np.argsort(np.abs(distance), kind="stable")] = np.arange(1, k + 1)
        signed = np.sign(distance) * rank
        total = float(np.sum(signed[signed > 0]))
        if estimator == "L0":
            found = (4 * total - k * (k + 1)) / (2 * k - 1)
        elif estimator == "R0":
            found = k - float(np.max(-signed[signed < 0], initial=0.0)) - 1
        else:
            found = k - 0.5 - math.sqrt(max(0.0, 2 * k**2 - 4 * total + 0.25))
        k0 = min(max(0, round(found)), k - 2)


def fit_selection_model(
    effects: ArrayLike,
    variances: ArrayLike,
    *,
    steps: tuple[float, ...] = (0.025,),
    alternative: Literal["greater", "less"] = "greater",
    level: float = 0.95,
) -> SelectionModel:
    """Fit a random-effects model in which publication depends on the one-sided p-value.

    The density of a published effect is that of N(mu, tau2 + v) times the relative probability of its class of
    p-values, over the mean of that probability. Maximum likelihood.

    Parameters
    ----------
    effects, variances : array_like, shape (k,)
        More studies than parameters.
    steps : tuple of float
        Increasing one-sided p-values between 0 and 1 at which that probability may step; every class must hold a study.
    alternative : {"greater", "less"}
        Direction of the results that are published more easily.
    level : float
        Of the interval.

    Returns
    -------
    SelectionModel

    References
    ----------
    Vevea JL, Hedges LV. Psychometrika 1995;60:419.

    Examples
    --------
    >>> y, v = [0.9, 0.8, 0.75, 0.1, 0.5, 0.45, 0.2], [0.3, 0.25, 0.2, 0.1, 0.06, 0.04, 0.02]
    >>> len(fit_selection_model(y, v).relative_probability)
    2
    """
    y, v = check_effects(effects, variances)
    ends = np.array([*steps, 1.0])
    if np.any(np.diff(np.concatenate([[0.0], ends])) <= 0):
        raise InputError(f"steps must increase between 0 and 1, got {steps}")
    sign = 1.0 if alternative == "greater" else -1.0
    place = np.searchsorted(ends, stats.norm.sf(sign * y / np.sqrt(v)))
    missing = set(range(len(ends))) - set(place.tolist())
    if missing or len(y) < len(ends) + 2:
        raise NotEnoughDataError(
            f"a selection model with steps at {steps} needs a study in each of its {len(ends)} classes and more than"
            f" {len(ends) + 1} studies: choose other steps"
        )
    cuts = np.sqrt(v)[:, None] * stats.norm.isf(ends[:-1])[None, :]

    def badness(theta: Array) -> float:
        return -_selection_log_likelihood(sign * y, v, place, cuts, theta)

    start = pool_effects(sign * y, v, method="ml", knapp_hartung=False)
    first = np.concatenate([[start.estimate, math.sqrt(start.tau2) + 1e-3], np.zeros(len(steps))])
    without = -_selection_log_likelihood(
        sign * y, v, place, cuts, np.concatenate([[start.estimate, math.sqrt(start.tau2)], np.zeros(len(steps))])
    )
    theta, value = _minimise(badness, first)
    covariance = np.linalg.pinv(_second_derivatives(badness, theta))
    std_error = math.sqrt(max(0.0, float(covariance[0, 0])))
    half = float(stats.norm.isf((1 - level) / 2)) * std_error
    statistic = max(0.0, 2 * (without - value))
    estimate = sign * float(theta[0])
    return SelectionModel(
        estimate,
        std_error,
        estimate - half,
        estimate + half,
        float(theta[1] ** 2),
        tuple(float(end) for end in ends),
        (1.0, *(float(x) for x in np.exp(theta[2:]))),
        statistic,
        len(steps),
        float(stats.chi2.sf(statistic, len(steps))),
    )


def _selection_log_likelihood(y: Array, v: Array, place: NDArray[np.int64], cuts: Array, theta: Array) -> float:
    mu, tau2 = theta[0], theta[1] ** 2
    log_probability = np.concatenate([[0.0], theta[2:]])
    spread = np.sqrt(v + tau2)
    above = stats.norm.sf((cuts - mu) / spread[:, None])
    edges = np.column_stack([np.zeros(len(y)), above, np.ones(len(y))])
    mean_probability = np.diff(edges, axis=1) @ np.exp(log_probability)
    density = stats.norm.logpdf(y, mu, spread)
    return float(np.sum(density + log_probability[place] - np.log(mean_probability)))


def _minimise(badness: Callable[[Array], float], first: Array) -> tuple[Array, float]:
    bounds = [(None, None), (0.0, None), *[(-12.0, 12.0)] * (len(first) - 2)]
    best: tuple[Array, float] | None = None
    for shift in (0.0, -1.0, 1.0):
        start = first.copy()
        start[2:] += shift
        rough = optimize.minimize(badness, start, method="Nelder-Mead", bounds=bounds, options={"maxiter": 4000})
        found = optimize.minimize(
            badness,
            rough.x,
            method="Nelder-Mead",
            bounds=bounds,
            options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 8000},
        )
        if best is None or found.fun < best[1]:
            best = (np.asarray(found.x, dtype=float), float(found.fun))
    if best is None or not math.isfinite(best[1]):
        raise ConvergenceError("the selection model did not settle: use fewer steps")
    return best


def _second_derivatives(badness: Callable[[Array], float], theta: Array) -> Array:
    """Hessian by central differences; a variance at its bound of 0 is held fixed."""
    free = [i for i in range(len(theta)) if not (i == 1 and theta[1] < 1e-4)]
    step = 1e-4 * np.maximum(1.0, np.abs(theta))
    H = np.zeros((len(theta), len(theta)))
    for i in free:
        for j in free:
            total = 0.0
            for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                moved = theta.copy()
                moved[i] += a * step[i]
                moved[j] += b * step[j]
                total += a * b * badness(moved)
            H[i, j] = total / (4 * step[i] * step[j])
    return H
