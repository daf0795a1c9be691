"""Degrees of freedom that match the variance of an estimated variance: Satterthwaite's method."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ROUNDING = 1.5e-8
"""A variance below this share of the largest is rounding: the root of the machine's precision, as in R's mmrm."""


def satterthwaite_df(c: Floats, phi: Floats, P: Floats, W: Floats) -> float:
    """Give nu = 2 v^2 / (g' W g) for the variance v = c' phi c of one contrast, with gradient g_h = c' phi P_h phi c.

    Parameters
    ----------
    c : ndarray, shape (p,)
        The contrast.
    phi : ndarray, shape (p, p)
        Covariance of the coefficients.
    P : ndarray, shape (k, p, p)
        X' O^-1 D_h O^-1 X.
    W : ndarray, shape (k, k)
        Covariance of the covariance parameters.

    Returns
    -------
    float
        At least 0.

    References
    ----------
    Giesbrecht FG, Burns JC. Two-stage analysis based on a mixed model. Biometrics 1985;41:477. Fai AHT, Cornelius PL.
    Approximate F-tests of multiple degree of freedom hypotheses. J Stat Comput Simul 1996;54:363.
    """
    b = phi @ c
    g = b @ P @ b
    return float(2.0 * (c @ b) ** 2 / (g @ W @ g))


def satterthwaite_denominator(C: Floats, covariance: Floats, single_df: Callable[[Floats], Floats]) -> float:
    """Denominator degrees of freedom of the F test of several contrasts, from those of independent ones.

    C phi C' is turned to independent contrasts with nu_m each; E = sum nu_m / (nu_m - 2) is the mean of the sum of
    squared t, and nu = 2 E / (E - c) gives F that mean. The independent contrasts are the eigenvectors of C phi C', so
    the answer depends a little on how the rows of C are written, in SAS and R too.

    Parameters
    ----------
    C : ndarray, shape (c, p)
        Contrasts; directions without variance (rows that follow from others) do not count.
    covariance : ndarray, shape (p, p)
        Covariance of the coefficients.
    single_df : callable
        Contrasts of shape (n, p) to the degrees of freedom of each.

    Returns
    -------
    float

    Examples
    --------
    Two contrasts on 10 degrees of freedom each:

    >>> satterthwaite_denominator(np.eye(2), np.eye(2), lambda C: np.full(len(C), 10.0))
    10.0
    """
    size, turn = np.linalg.eigh(C @ covariance @ C.T)
    each = single_df(turn.T[size > ROUNDING * size[-1]] @ C)
    if np.ptp(each) < 1e-8 * each.mean():
        return float(each.mean())
    if np.any(each <= 2.0):
        return 2.0
    mean = float(np.sum(each / (each - 2.0)))
    return 2.0 * mean / (mean - len(each))
