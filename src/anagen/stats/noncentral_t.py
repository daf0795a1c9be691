"""Distribution of a t statistic when the effect is not zero: exact power, exact intervals of standardised effects."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import optimize, special

from anagen.errors import ConvergenceError, InputError

TAIL: Final = 1e-18
"""Probability of the chi distribution left out at each end: below the rounding of the result."""
NODES: Final = np.polynomial.legendre.leggauss(64)
"""Gauss-Legendre nodes of each panel; 64 leave an error near rounding (tests)."""


def noncentral_t_cdf(t: float, df: float, noncentrality: float) -> float:
    """Probability that a noncentral t variable is at most `t`.

    The definition itself is integrated: with S = chi_df / sqrt(df), P(T <= t) = E[Phi(t S - noncentrality)]. It holds
    its absolute accuracy in both tails, where series lose theirs (``scipy.stats.nct.cdf(-1.96, 1998, 11.18)`` is NaN in
    scipy 1.17).

    Parameters
    ----------
    t : float
        Any finite value.
    df : float
        Degrees of freedom, above 0.
    noncentrality : float
        Any finite value: effect / its standard error.

    Returns
    -------
    float
        Probability, with an absolute error below 1e-12.

    Raises
    ------
    InputError
        When `df` is not above 0 or an argument is not finite.

    Examples
    --------
    >>> noncentral_t_cdf(-1.96, 1998, 11.18) < 1e-12
    True
    >>> round(1 - noncentral_t_cdf(2.0, 20, 3.0), 6)
    0.835899
    """
    if not (df > 0 and math.isfinite(df) and math.isfinite(t) and math.isfinite(noncentrality)):
        raise InputError(f"t, df > 0 and noncentrality must be finite, got {t}, {df}, {noncentrality}")
    s, weight = _scale_quadrature(t, df, noncentrality)
    return float(np.clip(np.sum(weight * special.ndtr(t * s - noncentrality)), 0.0, 1.0))


def _scale_quadrature(t: float, df: float, noncentrality: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the mean over S = chi_df / sqrt(df); panels end where the integrand turns."""
    low = math.sqrt(2 * float(special.gammaincinv(df / 2, TAIL)) / df)
    high = math.sqrt(2 * float(special.gammainccinv(df / 2, TAIL)) / df)
    # Phi(t S - noncentrality) goes from 0 to 1 within a few 1/|t| of this S.
    turn, width = (noncentrality / t, 8 / abs(t)) if abs(t) > 1e-9 else (high, 0.0)
    around = turn + width * np.array([-1, -0.25, 0, 0.25, 1])
    # s^(df - 1) is no polynomial near 0 for a small, broken df: panels there grow in proportion.
    even = np.linspace(low, high, 9) if df > 20 else np.geomspace(max(low, high * 1e-18), high, 40)
    cuts = np.unique(np.clip(np.concatenate([around, even]), low, high))
    half, middle = np.diff(cuts)[:, None] / 2, (cuts[1:] + cuts[:-1])[:, None] / 2
    s = middle + half * NODES[0]
    # Density relative to its value at 1, which keeps its digits for a large df; normalised below.
    log_density = (df - 1) * np.log(s) - df / 2 * (s - 1) * (s + 1)
    weight = half * NODES[1] * np.exp(log_density - log_density.max())
    return s, weight / weight.sum()


def noncentrality_interval(t: float, df: float, *, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of the noncentrality that a t statistic estimates, by inverting its two tails.

    Parameters
    ----------
    t : float
        Observed statistic, finite.
    df : float
        Its degrees of freedom, above 0.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    tuple of float
        (low, high).

    References
    ----------
    Steiger, Fouladi (1997), in Harlow et al., What if there were no significance tests?, ch. 9.
    """
    tail = (1 - level) / 2
    return _solve(t, df, 1 - tail), _solve(t, df, tail)


def _solve(t: float, df: float, probability: float) -> float:
    """Noncentrality at which P(T <= t) is `probability`; the cdf falls with the noncentrality."""

    def excess(noncentrality: float) -> float:
        return noncentral_t_cdf(t, df, noncentrality) - probability

    reach = 2.0 + abs(t) / math.sqrt(df)
    low, high = t - reach, t + reach
    for _ in range(60):
        if excess(low) > 0 > excess(high):
            return float(optimize.brentq(excess, low, high, xtol=1e-12, rtol=1e-13))
        low, high = low - reach, high + reach
        reach *= 2
    raise ConvergenceError(f"no noncentrality gives P(T <= {t}) = {probability} with df = {df}")
