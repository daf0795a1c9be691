"""Pool how many people had an event, studies with none included."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from anagen.errors import InputError, NotEnoughDataError
from anagen.evidence.heterogeneity import Array
from anagen.records import Flag
from anagen.safety.proportion import clopper_pearson

N_NODES = 21


@dataclass(frozen=True, slots=True)
class PooledProportion:
    """A pooled proportion of people with an event.

    Parameters
    ----------
    estimate, ci_low, ci_high : float
        Between 0 and 1; the estimate is the proportion in the median study.
    log_odds, std_error : float
        On the logit scale; NaN where no model could be fitted.
    tau2 : float
        Between-study variance on the logit scale.
    n_events, n_people, n_studies : int
        Totals.
    method : str
        How it was got.
    flags : tuple of Flag
        What a reader must know.
    """

    estimate: float
    ci_low: float
    ci_high: float
    log_odds: float
    std_error: float
    tau2: float
    n_events: int
    n_people: int
    n_studies: int
    method: str
    flags: tuple[Flag, ...] = ()


def pool_events(events: ArrayLike, n_people: ArrayLike, *, level: float = 0.95) -> PooledProportion:
    """Pool proportions by logistic regression with a normal random intercept for studies.

    The counts are binomial as they are, so nothing is added to zero cells. The likelihood is integrated by adaptive
    Gauss-Hermite quadrature. When no study, or every person, has an event, the model has no maximum: then the exact
    (Clopper-Pearson) interval of the sum is given, which takes all studies to share one rate, with a flag.

    Parameters
    ----------
    events, n_people : array_like of int, shape (k,)
        People with at least one event, and people at risk.
    level : float
        Of the interval.

    Returns
    -------
    PooledProportion

    References
    ----------
    Stijnen T, Hamza TH, Ozdemir P. Stat Med 2010;29:3046.

    Examples
    --------
    >>> none = pool_events([0, 0], [30, 20])
    >>> none.estimate, round(none.ci_high, 3), none.flags[0].code
    (0.0, 0.071, 'no-events')
    """
    x, n = _check_counts(events, n_people)
    total, people = int(np.sum(x)), int(np.sum(n))
    if total in {0, people}:
        return _pool_exactly(total, people, len(x), level)
    log_odds, std_error, tau2 = _fit(x, n)
    half = float(stats.norm.isf((1 - level) / 2)) * std_error
    low, middle, high = (float(special.expit(log_odds + shift)) for shift in (-half, 0.0, half))
    flags: tuple[Flag, ...] = ()
    if len(x) == 1:
        flags = (Flag("one-study", "warning", "one study: nothing can be said about how studies differ"),)
    method = f"random-intercept logistic regression, {N_NODES}-point quadrature"
    return PooledProportion(middle, low, high, log_odds, std_error, tau2, total, people, len(x), method, flags)


def _check_counts(events: ArrayLike, n_people: ArrayLike) -> tuple[Array, Array]:
    x, n = np.asarray(events, dtype=float), np.asarray(n_people, dtype=float)
    if x.ndim != 1 or x.shape != n.shape:
        raise InputError(f"events and n_people must be two lists of one length, got shapes {x.shape} and {n.shape}")
    if len(x) == 0:
        raise NotEnoughDataError("events is empty: there is nothing to pool")
    bad = np.flatnonzero(~((x >= 0) & (x <= n) & (n >= 1) & (x == np.round(x)) & (n == np.round(n))))
    if len(bad):
        raise InputError(f"study {bad[0] + 1} has {x[bad[0]]:g} events in {n[bad[0]]:g} people: counts, 0 to n")
    return x, n


def _pool_exactly(total: int, people: int, k: int, level: float) -> PooledProportion:
    low, high = clopper_pearson(total, people, level=level)
    flag = Flag(
        "no-events" if total == 0 else "only-events",
        "warning",
        f"{total} of {people} people in {k} studies had an event: no model of differences between studies can be"
        " fitted; the interval is exact for one rate shared by all",
        "read its upper end, not the zero" if total == 0 else "read its lower end",
    )
    return PooledProportion(
        total / people, low, high, math.nan, math.nan, math.nan, total, people, k, "Clopper-Pearson of the sum", (flag,)
    )


def _fit(x: Array, n: Array) -> tuple[float, float, float]:
    """Maximum likelihood of (log odds, tau); standard error from the observed information."""
    start = float(special.logit(np.sum(x) / np.sum(n)))
    if len(x) == 1:
        return start, math.sqrt(float(1 / x[0] + 1 / (n[0] - x[0]))), math.nan

    def badness(theta: NDArray[np.float64]) -> float:
        return -_log_likelihood(x, n, float(theta[0]), float(theta[1]))

    found = min(
        (
            optimize.minimize(
                badness,
                np.array([start, tau]),
                method="Nelder-Mead",
                bounds=[(-30, 30), (0, 20)],
                options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 4000},
            )
            for tau in (0.05, 0.5, 1.5)
        ),
        key=lambda result: float(result.fun),
    )
    b, tau = float(found.x[0]), float(found.x[1])
    return b, _std_error(badness, b, tau), tau**2


def _std_error(badness: Callable[[Array], float], b: float, tau: float) -> float:
    """From the inverse observed information; tau at its bound of 0 is held fixed."""
    h = 1e-3

    def at(db: float, dt: float) -> float:
        return float(badness(np.array([b + db, abs(tau + dt)])))

    bb = (at(h, 0) - 2 * at(0, 0) + at(-h, 0)) / h**2
    if tau < 2 * h:
        return 1 / math.sqrt(bb)
    tt = (at(0, h) - 2 * at(0, 0) + at(0, -h)) / h**2
    bt = (at(h, h) - at(h, -h) - at(-h, h) + at(-h, -h)) / (4 * h**2)
    return math.sqrt(tt / (bb * tt - bt**2))


def _log_likelihood(x: Array, n: Array, b: float, tau: float) -> float:
    constant = special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1)
    if tau == 0:
        return float(np.sum(constant + x * b - n * np.logaddexp(0, b)))
    u = np.zeros_like(x)
    for _ in range(50):  # the mode of each study's integrand, in units of tau
        p = special.expit(b + tau * u)
        step = (tau * (x - n * p) - u) / (tau**2 * n * p * (1 - p) + 1)
        u = u + np.clip(step, -2, 2)
        if np.max(np.abs(step)) < 1e-12:
            break
    p = special.expit(b + tau * u)
    spread = 1 / np.sqrt(tau**2 * n * p * (1 - p) + 1)
    node, weight = np.polynomial.hermite_e.hermegauss(N_NODES)
    at = u[:, None] + spread[:, None] * node
    eta = b + tau * at
    inside = x[:, None] * eta - n[:, None] * np.logaddexp(0, eta) - at**2 / 2 + node**2 / 2
    integral = special.logsumexp(inside, axis=1, b=weight) + np.log(spread) - 0.5 * math.log(2 * math.pi)
    return float(np.sum(constant + integral))
