"""The curvature of the covariance in the parameters that R's mmrm uses, to reproduce its default Kenward-Roger.

Kenward and Roger's adjustment contains second derivatives of Sigma, so it changes with the parameters. This package
uses the natural ones, as SAS does. R's mmrm uses logarithms of standard deviations, mapped correlations, and a Cholesky
factor for `us`; whoever must match its vcov="Kenward-Roger" finds it here. It is for comparison, not for analysis.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from anagen.stats.covariance import Derivatives, covariance_structure

Floats = NDArray[np.float64]


def weighted_curvature(name: str, sigma: Derivatives, W: Floats) -> Floats:
    """Give sum_ab W_ab d2 Sigma / da db over the parameters of R's mmrm.

    Parameters
    ----------
    name : str
        Structure, as in `anagen.stats.covariance.STRUCTURES`.
    sigma : Derivatives
        Covariance and its derivatives in the natural parameters.
    W : ndarray, shape (k, k)
        Covariance of the natural parameters.

    Returns
    -------
    ndarray, shape (m, m)

    References
    ----------
    Vignette "Covariance structures" of the R package mmrm, version 0.3.
    """
    m = len(sigma.sigma)
    build, here = _parameters_of(name, sigma.sigma)
    first = np.array([_slope(build, here, e) for e in np.eye(len(here))])
    flat = first.reshape(len(here), m * m)
    natural = sigma.first.reshape(len(sigma.first), m * m)
    turn = np.linalg.lstsq(flat.T, natural.T, rcond=None)[0]
    size, directions = np.linalg.eigh(turn @ W @ turn.T)
    total = np.zeros((m, m))
    for scale, direction in zip(size, directions.T, strict=True):
        total += scale * _bend(build, here, direction)
    return total


def _parameters_of(name: str, sigma: Floats) -> tuple[Callable[[Floats], Floats], Floats]:
    """Sigma as a function of mmrm's parameters, and their values at `sigma`."""
    m = len(sigma)
    deviations = np.sqrt(np.diag(sigma))
    correlation = sigma / np.outer(deviations, deviations)
    if name == "us":
        lower = np.linalg.cholesky(sigma)
        own = np.diag(lower)
        below = np.tril_indices(m, -1)
        here = np.concatenate([np.log(own), (lower / own[:, None])[below]])

        def build_us(phi: Floats) -> Floats:
            factor = np.eye(m)
            factor[below] = phi[m:]
            factor = np.exp(phi[:m])[:, None] * factor
            product: Floats = factor @ factor.T
            return product

        return build_us, here
    each = name.endswith("h")
    family = name.removesuffix("h")
    rho = {
        "cs": correlation[0, 1:2],
        "ar1": correlation[0, 1:2],
        "toep": correlation[0, 1:],
        "ad": np.diag(correlation, 1),
    }[family]
    scaled = covariance_structure({"cs": "csh", "toep": "toeph", "ar1": "ar1h", "ad": "adh"}[family], ["v"] * m)
    n = m if each else 1
    # compound symmetry: r in (-1 / (m - 1), 1) by the logistic function; else r in (-1, 1) as t / sqrt(1 + t^2)
    low = -1.0 / (m - 1)
    share = (rho - low) / (1.0 - low)
    mapped_rho = np.log(share / (1.0 - share)) if family == "cs" else rho / np.sqrt(1.0 - rho**2)
    here = np.concatenate([np.log(deviations[:n]), mapped_rho])

    def build(phi: Floats) -> Floats:
        variances = np.exp(2.0 * np.broadcast_to(phi[:n], m) if n == 1 else 2.0 * phi[:n])
        t = phi[n:]
        mapped = low + (1.0 - low) / (1.0 + np.exp(-t)) if family == "cs" else t / np.sqrt(1.0 + t**2)
        return scaled.derivatives(np.concatenate([variances, mapped])).sigma

    return build, here


def _slope(build: Callable[[Floats], Floats], here: Floats, direction: Floats, h: float = 1e-3) -> Floats:
    """First directional derivative, by central differences of order 4."""
    near = build(here + h * direction) - build(here - h * direction)
    far = build(here + 2 * h * direction) - build(here - 2 * h * direction)
    slope: Floats = (8.0 * near - far) / (12.0 * h)
    return slope


def _bend(build: Callable[[Floats], Floats], here: Floats, direction: Floats, h: float = 3e-3) -> Floats:
    """Second directional derivative, by central differences of order 4."""
    near = build(here + h * direction) + build(here - h * direction)
    far = build(here + 2 * h * direction) + build(here - 2 * h * direction)
    bend: Floats = (16.0 * near - far - 30.0 * build(here)) / (12.0 * h**2)
    return bend
