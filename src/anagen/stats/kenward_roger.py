"""Standard errors and degrees of freedom that stay honest in small trials: the Kenward-Roger method."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anagen.stats.covariance import Derivatives
from anagen.stats.likelihood import Evaluation, SufficientData

Floats = NDArray[np.float64]


def kenward_roger_covariance(
    data: SufficientData, at: Evaluation, sigma: Derivatives, P: Floats, W: Floats, curvature: Floats | None
) -> Floats:
    """Adjust the covariance of the coefficients for the covariance parameters having been estimated.

    Phi_A = Phi + 2 Phi {sum_hj W_hj (Q_hj - P_h Phi P_j - R_hj / 4)} Phi, with Q_hj = X' O^-1 D_h O^-1 D_j O^-1 X and
    R_hj = X' O^-1 (d2 Sigma / dh dj) O^-1 X. The sums over h and j are taken in the space of visits first, so the cost
    does not grow with the square of the number of parameters.

    Parameters
    ----------
    data : SufficientData
        The data.
    at : Evaluation
        The likelihood at the optimum.
    sigma : Derivatives
        Covariance and its derivatives at the optimum, k parameters.
    P : ndarray, shape (k, p, p)
        X' O^-1 D_h O^-1 X.
    W : ndarray, shape (k, k)
        Covariance of the covariance parameters.
    curvature : ndarray, shape (m, m), or None
        sum_hj W_hj d2 Sigma / dh dj, the R of the formula before it is wrapped in the design; None leaves it out, as
        SAS does under ddfm=kr(linear).

    Returns
    -------
    ndarray, shape (p, p)
        Phi_A.

    References
    ----------
    Kenward MG, Roger JH. Small sample inference for fixed effects from restricted maximum likelihood. Biometrics
    1997;53:983, equation 5.
    """
    D, phi = sigma.first, at.phi
    k, m = D.shape[:2]
    p = data.n_columns
    flat = D.reshape(k, m * m)
    # middle_s = sum_hj W_hj D_h O_s^-1 D_j
    weighted = (flat.T @ W @ flat).reshape(m, m, m, m)
    kernel = weighted.transpose(0, 3, 1, 2).reshape(m * m, m * m)
    middle = (at.inverse.reshape(-1, m * m) @ kernel.T).reshape(-1, m, m)
    if curvature is not None:
        middle = middle - 0.25 * curvature
    solved = at.solved.reshape(-1, p)
    spread = solved.T @ (middle[data.pattern] @ at.solved).reshape(-1, p)
    weighted_P = np.tensordot(W, P, axes=1)
    inner = spread - ((P @ phi).transpose(1, 0, 2).reshape(p, -1) @ weighted_P.reshape(-1, p))
    adjusted = phi + 2.0 * phi @ inner @ phi
    return 0.5 * (adjusted + adjusted.T)


def kenward_roger_scale(C: Floats, phi: Floats, P: Floats, W: Floats) -> tuple[float, float]:
    """Give the denominator degrees of freedom m and scale lambda with lambda F ~ F(c, m).

    Parameters
    ----------
    C : ndarray, shape (c, p)
        Contrasts, of full row rank.
    phi : ndarray, shape (p, p)
        Unadjusted covariance of the coefficients.
    P : ndarray, shape (k, p, p)
        X' O^-1 D_h O^-1 X.
    W : ndarray, shape (k, k)
        Covariance of the covariance parameters.

    Returns
    -------
    m, scale : float

    References
    ----------
    Kenward and Roger 1997, section 3 and the appendix's correction that makes it exact for Hotelling's T2 and anova F.
    """
    c = len(C)
    seen = C @ phi @ P @ phi @ C.T
    T = np.linalg.solve(C @ phi @ C.T, seen)
    traces = np.trace(T, axis1=1, axis2=2)
    A1 = float(traces @ W @ traces)
    A2 = float(np.sum(W * np.einsum("hab,jba->hj", T, T)))
    if c == 1:
        return 2.0 / A2, 1.0
    B = (A1 + 6.0 * A2) / (2.0 * c)
    g = ((c + 1) * A1 - (c + 4) * A2) / ((c + 2) * A2)
    bottom = 3.0 * c + 2.0 * (1.0 - g)
    c1, c2, c3 = g / bottom, (c - g) / bottom, (c + 2 - g) / bottom
    mean = 1.0 / (1.0 - A2 / c)
    variance = (2.0 / c) * (1.0 + c1 * B) / ((1.0 - c2 * B) ** 2 * (1.0 - c3 * B))
    rho = variance / (2.0 * mean**2)
    m = 4.0 + (c + 2) / (c * rho - 1.0)
    return m, m / (mean * (m - 2.0))
