"""Standard errors that hold even when the covariance structure is wrong, from each person's residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anagen.stats.likelihood import Evaluation

Floats = NDArray[np.float64]
Sandwich = Literal["sandwich", "sandwich-bias-reduced", "sandwich-jackknife"]


@dataclass(frozen=True, slots=True)
class RobustCovariance:
    """The sandwich covariance of the coefficients and what its degrees of freedom need.

    Parameters
    ----------
    covariance : ndarray, shape (p, p)
        Phi (sum X_i' L_i A_i e_i e_i' A_i L_i' X_i) Phi.
    phi : ndarray, shape (p, p)
        Model covariance of the coefficients.
    squares : ndarray, shape (n, p, p)
        X_i' L_i A_i A_i L_i' X_i of each person.
    links : ndarray, shape (n, p, p)
        X_i' L_i A_i L_i' X_i of each person.
    """

    covariance: Floats
    phi: Floats
    squares: Floats
    links: Floats

    def df(self, C: Floats) -> Floats:
        """Degrees of freedom of each contrast: twice the squared mean of its variance over the variance of that.

        With residuals as in the model, the estimated variance is a quadratic form in normal variables; nu = tr(G)^2 /
        tr(G G) for its matrix G.

        Parameters
        ----------
        C : ndarray, shape (n_contrasts, p)
            Contrasts.

        Returns
        -------
        ndarray, shape (n_contrasts,)

        References
        ----------
        Bell RM, McCaffrey DF. Bias reduction in standard errors for linear regression with multi-stage samples. Surv
        Methodol 2002;28:169.
        """
        turned = C @ self.phi
        s = np.einsum("ka,nab,kb->kn", turned, self.squares, turned, optimize=True)
        b = np.einsum("nab,kb->kna", self.links, turned, optimize=True)
        own = np.einsum("kna,ab,knb->kn", b, self.phi, b, optimize=True)
        spread = self.phi @ np.einsum("kna,knb->kab", b, b, optimize=True)
        trace = np.sum(s - own, axis=1)
        squared = np.sum(s**2 - 2.0 * s * own, axis=1) + np.einsum("kab,kba->k", spread, spread)
        with np.errstate(divide="ignore", invalid="ignore"):
            df: Floats = trace**2 / squared
        return df


def sandwich_covariance(
    rows: Floats, pattern: NDArray[np.intp], seen: NDArray[np.bool_], at: Evaluation, *, kind: Sandwich
) -> RobustCovariance:
    """Estimate the covariance of the coefficients from the residuals of each person.

    With whitened rows (L_i L_i' = S_i^-1) and H_ii = L_i' X_i Phi X_i' L_i, the residuals are multiplied by A_i: the
    identity (``sandwich``, biased downwards in small trials), (I - H_ii)^-1/2 (``sandwich-bias-reduced``) or
    (I - H_ii)^-1 (``sandwich-jackknife``, nearly leave-one-out).

    Parameters
    ----------
    rows : ndarray, shape (n, m, p + 1)
        People: design columns and response by visit, zero where not seen, times the root of the weights.
    pattern : ndarray, shape (n,)
        Pattern of each person.
    seen : ndarray of bool, shape (n_patterns, m)
        Visits of each pattern.
    at : Evaluation
        The likelihood at the optimum.
    kind : {"sandwich", "sandwich-bias-reduced", "sandwich-jackknife"}
        Which correction.

    Returns
    -------
    RobustCovariance

    References
    ----------
    Liang KY, Zeger SL. Biometrika 1986;73:13. Mancl LA, DeRouen TA. Biometrics 2001;57:126. Bell and McCaffrey 2002.
    """
    p = rows.shape[2] - 1
    roots = np.stack([_root_of(inverse, visits) for inverse, visits in zip(at.inverse, seen, strict=True)])[pattern]
    white = roots.transpose(0, 2, 1) @ rows
    X = white[:, :, :p]
    left = white[:, :, p] - X @ at.beta
    hat = X @ at.phi @ X.transpose(0, 2, 1)
    correct = _corrections(hat, kind)
    corrected = correct @ X
    scores = np.einsum("nma,nm->na", corrected, left)
    links = X.transpose(0, 2, 1) @ corrected
    squares = corrected.transpose(0, 2, 1) @ corrected
    covariance = at.phi @ (scores.T @ scores) @ at.phi
    return RobustCovariance(0.5 * (covariance + covariance.T), at.phi, squares, links)


def _root_of(inverse: Floats, visits: NDArray[np.bool_]) -> Floats:
    root = np.zeros_like(inverse)
    place = np.flatnonzero(visits)
    root[np.ix_(place, place)] = np.linalg.cholesky(inverse[np.ix_(place, place)])
    return root


def _corrections(hat: Floats, kind: Sandwich) -> Floats:
    identity = np.broadcast_to(np.eye(hat.shape[1]), hat.shape)
    if kind == "sandwich":
        return identity
    size, turn = np.linalg.eigh(identity - hat)
    # a person who alone determines a coefficient has no residual there: the direction is left as it is
    power = -0.5 if kind == "sandwich-bias-reduced" else -1.0
    scale = np.where(size > 1e-8, np.maximum(size, 1e-8) ** power, 1.0)
    corrected: Floats = (turn * scale[:, None, :]) @ turn.transpose(0, 2, 1)
    return corrected
