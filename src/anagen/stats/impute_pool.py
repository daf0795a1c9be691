"""From several completed data sets, or several leave-one-out fits, to one estimate with an honest interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from anagen.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pooled:
    """Estimates and what their intervals rest on, one element a quantity.

    Parameters
    ----------
    estimate, std_error, df : ndarray, shape (k,)
        Degrees of freedom are infinite where the normal distribution is used.
    """

    estimate: Floats
    std_error: Floats
    df: Floats

    def p_value(self) -> Floats:
        """Two-sided p-value of zero."""
        t = np.abs(self.estimate / self.std_error)
        p: Floats = 2.0 * np.where(np.isinf(self.df), special.ndtr(-t), special.stdtr(self.df, -t))
        return p

    def margin(self, level: float) -> Floats:
        """Half the width of the interval."""
        half = 0.5 + level / 2
        q: Floats = np.where(np.isinf(self.df), special.ndtri(half), special.stdtrit(self.df, half))
        return q * self.std_error


def pool_rubin(estimates: ArrayLike, variances: ArrayLike, *, df_complete: ArrayLike = np.inf) -> Pooled:
    """Pool the analyses of M completed data sets by Rubin's rules.

    Q = mean estimate, U = mean variance, B = variance of the estimates, T = U + (1 + 1/M) B. The degrees of freedom are
    Barnard and Rubin's, which never exceed those of the complete data.

    Parameters
    ----------
    estimates, variances : array-like, shape (M,) or (M, k)
        Of each completed data set.
    df_complete : array-like, shape (k,)
        Degrees of freedom if nothing had been missing.

    Returns
    -------
    Pooled

    Raises
    ------
    InputError
        For fewer than two imputations.

    References
    ----------
    Barnard J, Rubin DB. Small-sample degrees of freedom with multiple imputation. Biometrika 1999;86:948.

    Examples
    --------
    >>> p = pool_rubin([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], df_complete=50)
    >>> round(p.std_error.item(), 4), round(p.df.item(), 3)
    (1.5275, 4.722)
    """
    q = np.asarray(estimates, dtype=float)
    u = np.asarray(variances, dtype=float)
    q, u = q.reshape(len(q), -1), u.reshape(len(u), -1)
    M = len(q)
    if M < 2:
        raise InputError(f"Rubin's rules need at least two imputations; got {M}")
    U, B = u.mean(axis=0), q.var(axis=0, ddof=1)
    T = U + (1.0 + 1.0 / M) * B
    share = (1.0 + 1.0 / M) * B / T
    complete = np.broadcast_to(np.asarray(df_complete, dtype=float), share.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        old = (M - 1) / share**2
        seen = np.where(np.isinf(complete), np.inf, (complete + 1.0) / (complete + 3.0) * complete * (1.0 - share))
        df = 1.0 / (1.0 / old + 1.0 / seen)
    return Pooled(q.mean(axis=0), np.sqrt(T), df)


def pool_jackknife(estimate: ArrayLike, left_out: ArrayLike) -> Pooled:
    """Give the jackknife standard error of an estimate from the estimates without each person.

    var = (n - 1) / n sum (q_(i) - mean q_(.))^2; the interval is normal.

    Parameters
    ----------
    estimate : array-like, shape (k,)
        From everyone.
    left_out : array-like, shape (n, k)
        Without each person.

    Returns
    -------
    Pooled

    References
    ----------
    Efron B, Tibshirani RJ. An introduction to the bootstrap. 1993, equation 11.5.
    """
    q = np.atleast_1d(np.asarray(estimate, dtype=float))
    left = np.asarray(left_out, dtype=float).reshape(-1, len(q))
    n = len(left)
    variance = (n - 1) / n * np.sum((left - left.mean(axis=0)) ** 2, axis=0)
    return Pooled(q, np.sqrt(variance), np.full(len(q), np.inf))
