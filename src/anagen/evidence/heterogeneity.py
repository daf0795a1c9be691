"""How much the true effects of studies differ: nine estimators of the between-study variance, and its interval.

Throughout: y effects (k), v their variances (k), X design (k, p), w = 1 / (v + tau2), W = diag(w) and
P = W - W X (X'WX)^-1 X'W. P is never formed: only p by p matrices are, so the cost grows as k.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from anagen.errors import ConvergenceError, InputError

Array = NDArray[np.float64]
Tau2Method = Literal["fixed", "dl", "reml", "ml", "pm", "he", "sj", "eb", "hs"]

METHOD_NAMES: Final[dict[str, Tau2Method]] = {
    "fixed": "fixed",
    "common": "fixed",
    "ee": "fixed",
    "fe": "fixed",
    "dl": "dl",
    "reml": "reml",
    "ml": "ml",
    "pm": "pm",
    "he": "he",
    "ho": "he",
    "sj": "sj",
    "eb": "eb",
    "hs": "hs",
}
"""Accepted names. HO (Hedges-Olkin) and HE (Hedges) are two names of one estimator, the variance component one."""

MAX_ITERATIONS: Final = 500


@dataclass(frozen=True, slots=True)
class WeightedFit:
    """Weighted least squares at one between-study variance, with the traces that the estimators need.

    Parameters
    ----------
    coefficients : ndarray, shape (p,)
    covariance : ndarray, shape (p, p)
        (X'WX)^-1.
    residuals : ndarray, shape (k,)
        y - X b.
    weights : ndarray, shape (k,)
        1 / (v + tau2).
    trace_p, trace_pp : float
        Traces of P and PP.
    """

    coefficients: Array
    covariance: Array
    residuals: Array
    weights: Array
    trace_p: float
    trace_pp: float

    @property
    def q(self) -> float:
        """Weighted sum of squared residuals, y'Py."""
        return float(self.weights @ self.residuals**2)


def fit_weighted(y: Array, v: Array, X: Array, tau2: float) -> WeightedFit:
    """Fit by least squares with weights 1 / (v + tau2).

    Parameters
    ----------
    y, v : ndarray, shape (k,)
        Effects and variances.
    X : ndarray, shape (k, p)
        Design, of full column rank.
    tau2 : float
        Between-study variance, at least 0.

    Returns
    -------
    WeightedFit
    """
    w = 1 / (v + tau2)
    if X.shape[1] == 1:
        return _fit_one_column(y, w, X[:, 0])
    root_w = np.sqrt(w)
    Q, R = np.linalg.qr(root_w[:, None] * X)
    R_inverse = np.linalg.inv(R)
    b = R_inverse @ (Q.T @ (root_w * y))
    leverage = np.sum(Q**2, axis=1)
    trace_p = float(np.sum(w * (1 - leverage)))
    trace_pp = float(np.sum(w**2 * (1 - 2 * leverage)) + np.sum(((Q.T * w) @ Q) ** 2))
    return WeightedFit(_as_floats(b), _as_floats(R_inverse @ R_inverse.T), y - X @ b, w, trace_p, trace_pp)


def _fit_one_column(y: Array, w: Array, x: Array) -> WeightedFit:
    """Do the same for one column, by sums: pooling calls it dozens of times."""
    wx = w * x
    total = wx @ x
    b = (wx @ y) / total
    leverage = wx * x / total
    trace_p = float(np.sum(w) - w @ leverage)
    trace_pp = float(w @ w - 2 * (w * w) @ leverage + (w @ leverage) ** 2)
    return WeightedFit(np.array([b]), np.array([[1 / total]]), y - b * x, w, trace_p, trace_pp)


def estimate_tau2(y: Array, v: Array, X: Array, method: Tau2Method) -> tuple[float, float]:
    """Estimate the between-study variance.

    Parameters
    ----------
    y, v : ndarray, shape (k,)
        Effects and variances.
    X : ndarray, shape (k, p)
        Design, p below k.
    method : str
        ``dl`` DerSimonian-Laird, ``reml``, ``ml``, ``pm`` Paule-Mandel, ``he`` Hedges, ``sj`` Sidik-Jonkman,
        ``eb`` empirical Bayes (solves the same equation as ``pm``), ``hs`` Hunter-Schmidt, ``fixed`` for 0.

    Returns
    -------
    tau2, std_error : float
        At least 0; the standard error is NaN for ``fixed``.

    References
    ----------
    Viechtbauer W. J Educ Behav Stat 2005;30:261, equations 10 to 22. Sidik K, Jonkman JN. JRSS C 2005;54:367.
    Paule RC, Mandel J. J Res NBS 1982;87:377.
    """
    if method == "fixed":
        return 0.0, math.nan
    if method in {"dl", "hs"}:
        return _from_weighted_moments(y, v, X, method)
    if method == "he":
        return _from_plain_moments(y, v, X)
    if method == "sj":
        return _from_crude_start(y, v, X)
    if method in {"pm", "eb"}:
        return _from_generalised_q(y, v, X)
    return _from_likelihood(y, v, X, method)


def profile_q_interval(y: Array, v: Array, X: Array, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of tau2 by inverting the generalised Q statistic.

    The ends solve Q(tau2) = upper and lower chi-square quantile with k - p degrees of freedom.

    Parameters
    ----------
    y, v : ndarray, shape (k,)
        Effects and variances.
    X : ndarray, shape (k, p)
        Design.
    level : float
        Confidence level.

    Returns
    -------
    low, high : float
        Both 0 when even tau2 = 0 gives too small a Q (the studies agree more than chance allows); NaN without
        degrees of freedom.

    References
    ----------
    Viechtbauer W. Stat Med 2007;26:37, section 3.
    """
    df = len(y) - X.shape[1]
    if df < 1:
        return math.nan, math.nan
    upper, lower = (float(special.chdtri(df, tail)) for tail in ((1 - level) / 2, (1 + level) / 2))
    return _solve_q(y, v, X, upper), _solve_q(y, v, X, lower)


def resolve_method(method: str) -> Tau2Method:
    """Return the estimator that a name stands for, or raise InputError with the list."""
    try:
        return METHOD_NAMES[method.lower()]
    except (KeyError, AttributeError):
        raise InputError(f"method must be one of {', '.join(METHOD_NAMES)}; got {method!r}") from None


def _as_floats(values: object) -> Array:
    return np.asarray(values, dtype=np.float64)


def _solve_q(y: Array, v: Array, X: Array, target: float) -> float:
    """Find tau2 with Q(tau2) = target by Newton's method; 0 when Q(0) is below it.

    Q falls and is convex in tau2 (its derivatives are -y'PPy and 2 y'PPPy), so the steps from 0 rise to the root and
    never pass it.
    """
    tau2, tolerance = 0.0, 1e-15 * float(np.mean(v) + np.var(y))
    for _ in range(MAX_ITERATIONS):
        fit = fit_weighted(y, v, X, tau2)
        excess = fit.q - target
        step = excess / float(np.sum((fit.weights * fit.residuals) ** 2)) if excess > 0 else 0.0
        tau2 += step
        if step <= tolerance:
            return tau2
    raise ConvergenceError(f"tau2 with Q = {target:g} was not found in {MAX_ITERATIONS} steps")


def _from_weighted_moments(y: Array, v: Array, X: Array, method: str) -> tuple[float, float]:
    k, p = X.shape
    fit = fit_weighted(y, v, X, 0.0)
    denominator = fit.trace_p if method == "dl" else float(np.sum(fit.weights))
    tau2 = max(0.0, (fit.q - (k - p if method == "dl" else k)) / denominator)
    variance = 2 * (k - p) + 4 * tau2 * fit.trace_p + 2 * tau2**2 * fit.trace_pp
    return tau2, math.sqrt(variance) / denominator


def _from_plain_moments(y: Array, v: Array, X: Array) -> tuple[float, float]:
    k, p = X.shape
    Q, _ = np.linalg.qr(X)
    residuals = y - Q @ (Q.T @ y)
    leverage = np.sum(Q**2, axis=1)
    trace_pv = float(np.sum(v * (1 - leverage)))
    trace_pvpv = float(np.sum(v**2 * (1 - 2 * leverage)) + np.sum(((Q.T * v) @ Q) ** 2))
    tau2 = max(0.0, (float(residuals @ residuals) - trace_pv) / (k - p))
    return tau2, math.sqrt(2 * trace_pvpv + 4 * tau2 * trace_pv + 2 * tau2**2 * (k - p)) / (k - p)


def _from_crude_start(y: Array, v: Array, X: Array) -> tuple[float, float]:
    k, p = X.shape
    start = float(np.var(y))
    if start == 0:
        return 0.0, 0.0
    fit = fit_weighted(y, v, X, start)
    tau2 = start * fit.q / (k - p)
    w, A = fit.weights, fit.covariance
    B, C = (X.T * (w**2 * v)) @ X, (X.T * (w**3 * v**2)) @ X
    D = (X.T * (w**3 * v)) @ X
    E = (X.T * w**2) @ X
    trace_pvpv = float(np.sum((w * v) ** 2) - 2 * np.trace(A @ C) + np.trace(A @ B @ A @ B))
    trace_pvp = float(np.sum(w**2 * v) - 2 * np.trace(A @ D) + np.trace(A @ B @ A @ E))
    variance = 2 * trace_pvpv + 4 * tau2 * trace_pvp + 2 * tau2**2 * fit.trace_pp
    return tau2, start / (k - p) * math.sqrt(variance)


def _from_generalised_q(y: Array, v: Array, X: Array) -> tuple[float, float]:
    k, p = X.shape
    tau2 = _solve_q(y, v, X, float(k - p))
    w = 1 / (v + tau2)
    return tau2, math.sqrt(2 * k**2 / (k - p)) / float(np.sum(w))


def _from_likelihood(y: Array, v: Array, X: Array, method: str) -> tuple[float, float]:
    """Fisher scoring from the Hedges estimate, held at or above 0; a bounded search where it cycles."""
    tau2, _ = _from_plain_moments(y, v, X)
    tolerance = 1e-13 * float(np.mean(v) + np.var(y))
    for _ in range(MAX_ITERATIONS):
        score, information = _score(y, v, X, tau2, method)
        step = score / information
        updated = max(0.0, tau2 + step)
        if abs(updated - tau2) <= tolerance:
            return updated, 1 / math.sqrt(information / 2) if information > 0 else math.nan
        tau2 = updated
    tau2 = _search_likelihood(y, v, X, method)
    return tau2, 1 / math.sqrt(_score(y, v, X, tau2, method)[1] / 2)


def _score(y: Array, v: Array, X: Array, tau2: float, method: str) -> tuple[float, float]:
    """Twice the derivative of the log-likelihood, and the matching information."""
    fit = fit_weighted(y, v, X, tau2)
    w = fit.weights
    y_pp_y = float(np.sum((w * fit.residuals) ** 2))
    if method == "ml":
        return y_pp_y - float(np.sum(w)), float(np.sum(w**2))
    return y_pp_y - fit.trace_p, fit.trace_pp


def _search_likelihood(y: Array, v: Array, X: Array, method: str) -> float:
    scale = float(np.mean(v) + np.var(y))

    def badness(tau2: float) -> float:
        fit = fit_weighted(y, v, X, tau2)
        value = fit.q - float(np.sum(np.log(fit.weights)))
        return value - float(np.linalg.slogdet(fit.covariance)[1]) if method == "reml" else value

    grid = scale * np.concatenate([[0.0], np.geomspace(1e-6, 1e3, 60)])
    best = int(np.argmin([badness(tau2) for tau2 in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(badness, bounds=(low, high), method="bounded", options={"xatol": 1e-12 * scale})
    return float(found.x) if badness(float(found.x)) < badness(0.0) else 0.0
