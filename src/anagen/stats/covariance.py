"""How the repeated measurements of one person vary together: the covariance structures of the MMRM.

Every structure is written in its natural parameters (variances, covariances, correlations), because the
Kenward-Roger correction depends on the parameters chosen: with these, `us`, `cs` and `toep` are linear, their second
derivatives vanish, and two complete visits give the paired t-test exactly.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from anagen.errors import InputError

Floats = NDArray[np.float64]
StructureName = Literal["us", "toep", "toeph", "ar1", "ar1h", "cs", "csh", "ad", "adh"]
STRUCTURES: tuple[str, ...] = get_args(StructureName)

FALLBACK_ORDER: tuple[str, ...] = ("toeph", "ar1h", "csh", "toep", "ar1", "cs")
"""What is tried, in this order, when `us` cannot be estimated: fixed before any data are seen, as a plan must be."""


@dataclass(frozen=True, slots=True)
class Derivatives:
    """A covariance matrix and how it moves with its parameters.

    Parameters
    ----------
    sigma : ndarray, shape (m, m)
        The covariance matrix, in squared units of the response.
    first : ndarray, shape (k, m, m)
        Derivative in each parameter.
    second : ndarray, shape (k, k, m, m), or None
        Second derivatives; None where all are zero.
    """

    sigma: Floats
    first: Floats
    second: Floats | None


@dataclass(frozen=True, slots=True)
class Structure:
    """One covariance structure over `n_visits` visits.

    Parameters
    ----------
    name : str
        Its name, as in `STRUCTURES`.
    labels : tuple of str
        Name of each parameter.
    start : callable
        Positive definite matrix of shape (m, m) to the parameters near it.
    derivatives : callable
        Parameters to `Derivatives`.
    """

    name: str
    labels: tuple[str, ...]
    start: Callable[[Floats], Floats]
    derivatives: Callable[[Floats], Derivatives]


def covariance_structure(name: str, visits: Sequence[str]) -> Structure:
    """Give the structure called `name` over the given visits.

    With standard deviation s_i, correlation r and lag d = abs(i - j):

    ==========  =========================  ======================================
    name        element (i, j)             parameters, for m visits
    ==========  =========================  ======================================
    us          any                        m (m + 1) / 2 variances and covariances
    toep        c_d                        m: variance, covariance at each lag
    toeph       s_i s_j r_d                2 m - 1: variances, correlation at each lag
    ar1, ar1h   s_i s_j r^d                2, m + 1: variance(s), correlation
    cs          v if i = j else c          2: variance, covariance
    csh         s_i s_j r                  m + 1: variances, correlation
    ad, adh     s_i s_j r_i ... r_(j-1)    m, 2 m - 1: variance(s), m - 1 neighbour correlations
    ==========  =========================  ======================================

    A final h means that each visit has its own variance.

    Parameters
    ----------
    name : str
        One of `STRUCTURES`.
    visits : sequence of str
        Names of the visits, in the order of time.

    Returns
    -------
    Structure

    Raises
    ------
    InputError
        For an unknown name.

    Examples
    --------
    >>> covariance_structure("ar1", ["week 0", "week 12"]).derivatives(np.array([4.0, 0.5])).sigma.tolist()
    [[4.0, 2.0], [2.0, 4.0]]
    """
    if name not in STRUCTURES:
        raise InputError(f"covariance must be one of {', '.join(STRUCTURES)}; got {name!r}")
    names = [str(visit) for visit in visits]
    if name in _BASES:
        return _linear_structure(name, names)
    return _scaled_structure(name, names)


# Linear in the parameters: us, toep, cs.


def _linear_structure(name: str, visits: list[str]) -> Structure:
    labels, basis = _BASES[name](visits)
    n_elements = basis.sum(axis=(1, 2))

    def start(near: Floats) -> Floats:
        theta: Floats = np.einsum("kab,ab->k", basis, near) / n_elements
        return _shrink_until_positive(theta, basis)

    def derivatives(theta: Floats) -> Derivatives:
        return Derivatives(np.tensordot(theta, basis, 1), basis, None)

    return Structure(name, tuple(labels), start, derivatives)


def _shrink_until_positive(theta: Floats, basis: Floats) -> Floats:
    on_diagonal = np.trace(basis, axis1=1, axis2=2) > 0
    for _ in range(60):
        if is_positive_definite(np.tensordot(theta, basis, 1)):
            break
        theta = np.where(on_diagonal, theta, 0.8 * theta)
    return theta


def _unstructured_basis(visits: list[str]) -> tuple[list[str], Floats]:
    pairs = [(i, j) for i in range(len(visits)) for j in range(i + 1)]
    basis = np.zeros((len(pairs), len(visits), len(visits)))
    for k, (i, j) in enumerate(pairs):
        basis[k, i, j] = basis[k, j, i] = 1.0
    return [f"variance {visits[i]}" if i == j else f"covariance {visits[j]}, {visits[i]}" for i, j in pairs], basis


def _toeplitz_basis(visits: list[str]) -> tuple[list[str], Floats]:
    lag = _lags(len(visits))
    basis = np.stack([(lag == d).astype(float) for d in range(len(visits))])
    return ["variance", *(f"covariance lag {d}" for d in range(1, len(visits)))], basis


def _exchangeable_basis(visits: list[str]) -> tuple[list[str], Floats]:
    same = np.eye(len(visits))
    if len(visits) == 1:
        return ["variance"], same[None]
    return ["variance", "covariance"], np.stack([same, 1.0 - same])


_BASES: dict[str, Callable[[list[str]], tuple[list[str], Floats]]] = {
    "us": _unstructured_basis,
    "toep": _toeplitz_basis,
    "cs": _exchangeable_basis,
}


# Variances times a correlation: toeph, ar1, ar1h, csh, ad, adh.


class _Correlation(NamedTuple):
    matrix: Floats  # (m, m)
    first: Floats  # (k, m, m)
    second: Floats | None  # (k, k, m, m)


def _scaled_structure(name: str, visits: list[str]) -> Structure:
    m = len(visits)
    own_variances = name.endswith("h")
    n_variances = m if own_variances else 1
    family = name.removesuffix("h")
    n_correlations = min(m - 1, {"toep": m - 1, "ad": m - 1}.get(family, 1))
    correlate = _CORRELATIONS[family]

    def start(near: Floats) -> Floats:
        variances = np.diag(near) if own_variances else np.array([np.diag(near).mean()])
        deviations = np.sqrt(np.diag(near))
        rho = _near_correlations(family, near / np.outer(deviations, deviations))[:n_correlations]
        for _ in range(60):
            if is_positive_definite(correlate(rho, m).matrix):
                break
            rho = 0.8 * rho
        return np.concatenate([variances, rho])

    def derivatives(theta: Floats) -> Derivatives:
        return _scale_correlation(theta[:n_variances], correlate(theta[n_variances:], m))

    labels = [f"variance {visit}" for visit in visits] if own_variances else ["variance"]
    labels += _correlation_labels(family, visits)[:n_correlations]
    return Structure(name, tuple(labels), start, derivatives)


def _scale_correlation(variances: Floats, correlation: _Correlation) -> Derivatives:
    """Sigma = s s' * R with s the root of the variances, and its derivatives by the product rule."""
    m = len(correlation.matrix)
    n_v, n_r = len(variances), len(correlation.first)
    with np.errstate(invalid="ignore"):
        deviations = np.sqrt(np.broadcast_to(variances, m))
    scale = np.outer(deviations, deviations)
    sigma = scale * correlation.matrix
    if n_v == 1:
        growth = np.full((1, m, m), 1.0 / variances[0])
        bend = np.zeros((1, 1, m, m))
    else:
        touches = np.eye(m)[:, :, None] + np.eye(m)[:, None, :]
        growth = touches / (2.0 * variances[:, None, None])
        bend = growth[:, None] * growth[None, :]
        bend[np.arange(m), np.arange(m)] -= touches / (2.0 * variances[:, None, None] ** 2)
    first = np.concatenate([growth * sigma, scale * correlation.first])
    second = np.zeros((n_v + n_r, n_v + n_r, m, m))
    second[:n_v, :n_v] = bend * sigma
    cross = growth[:, None] * (scale * correlation.first)[None, :]
    second[:n_v, n_v:] = cross
    second[n_v:, :n_v] = cross.transpose(1, 0, 2, 3)
    if correlation.second is not None:
        second[n_v:, n_v:] = scale * correlation.second
    return Derivatives(sigma, first, second)


def _exchangeable(rho: Floats, m: int) -> _Correlation:
    if m == 1:
        return _no_correlation()
    apart = 1.0 - np.eye(m)
    return _Correlation(np.eye(m) + rho[0] * apart, apart[None], None)


def _autoregressive(rho: Floats, m: int) -> _Correlation:
    if m == 1:
        return _no_correlation()
    lag = _lags(m).astype(float)
    r = rho[0]
    first = np.where(lag >= 1, lag * r ** np.maximum(lag - 1, 0), 0.0)
    second = np.where(lag >= 2, lag * (lag - 1) * r ** np.maximum(lag - 2, 0), 0.0)
    return _Correlation(r**lag, first[None], second[None, None])


def _toeplitz(rho: Floats, m: int) -> _Correlation:
    lag = _lags(m)
    bands = np.stack([(lag == d).astype(float) for d in range(1, m)]) if m > 1 else np.zeros((0, m, m))
    return _Correlation(np.eye(m) + np.tensordot(rho, bands, 1), bands, None)


def _ante_dependent(rho: Floats, m: int) -> _Correlation:
    """R_ij = r_i r_(i+1) ... r_(j-1); leaving factors out by multiplying the others keeps zeros exact."""
    k = m - 1
    matrix = np.eye(m)
    first = np.zeros((k, m, m))
    second = np.zeros((k, k, m, m))
    for i in range(m):
        for j in range(i + 1, m):
            span = np.arange(i, j)
            matrix[i, j] = matrix[j, i] = np.prod(rho[span])
            for a in span:
                first[a, i, j] = first[a, j, i] = np.prod(rho[span[span != a]])
                for b in span[span != a]:
                    second[a, b, i, j] = second[a, b, j, i] = np.prod(rho[span[(span != a) & (span != b)]])
    return _Correlation(matrix, first, second)


def _no_correlation() -> _Correlation:
    return _Correlation(np.eye(1), np.zeros((0, 1, 1)), None)


_CORRELATIONS: dict[str, Callable[[Floats, int], _Correlation]] = {
    "cs": _exchangeable,
    "ar1": _autoregressive,
    "toep": _toeplitz,
    "ad": _ante_dependent,
}


def _near_correlations(family: str, correlation: Floats) -> Floats:
    m = len(correlation)
    if m == 1:
        return np.zeros(0)
    if family == "cs":
        return np.array([(correlation.sum() - m) / (m * (m - 1))])
    if family == "ar1":
        return np.array([np.clip(np.diag(correlation, 1).mean(), -0.95, 0.95)])
    if family == "ad":
        return np.clip(np.diag(correlation, 1), -0.95, 0.95)
    return np.array([np.diag(correlation, d).mean() for d in range(1, m)])


def _correlation_labels(family: str, visits: list[str]) -> list[str]:
    if family == "toep":
        return [f"correlation lag {d}" for d in range(1, len(visits))]
    if family == "ad":
        return [f"correlation {a}, {b}" for a, b in itertools.pairwise(visits)]
    return ["correlation"]


def _lags(m: int) -> NDArray[np.intp]:
    place = np.arange(m)
    lags: NDArray[np.intp] = np.abs(place[:, None] - place[None, :])
    return lags


def is_positive_definite(matrix: Floats) -> bool:
    """Say whether a symmetric matrix has a Cholesky factor.

    Parameters
    ----------
    matrix : ndarray, shape (m, m)
        Symmetric.

    Returns
    -------
    bool
        False also where an element is not finite.
    """
    if not np.all(np.isfinite(matrix)):
        return False
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


def stack_groups(structure: Structure, groups: Sequence[str]) -> Structure:
    """Give each group its own copy of a structure, as the blocks of one larger matrix.

    Parameters
    ----------
    structure : Structure
        The structure within one group.
    groups : sequence of str
        Names of the groups; block g covers rows g m to (g + 1) m.

    Returns
    -------
    Structure
        Over len(groups) times m visits, with the parameters of the groups one after the other.
    """
    if len(groups) == 1:
        return structure
    k = len(structure.labels)
    n = len(groups)

    def start(near: Floats) -> Floats:
        m = len(near) // n
        return np.concatenate([structure.start(near[g * m : (g + 1) * m, g * m : (g + 1) * m]) for g in range(n)])

    def derivatives(theta: Floats) -> Derivatives:
        parts = [structure.derivatives(theta[g * k : (g + 1) * k]) for g in range(n)]
        m = len(parts[0].sigma)
        sigma, first = np.zeros((n * m, n * m)), np.zeros((n * k, n * m, n * m))
        second = None if parts[0].second is None else np.zeros((n * k, n * k, n * m, n * m))
        for g, part in enumerate(parts):
            rows, own = slice(g * m, (g + 1) * m), slice(g * k, (g + 1) * k)
            sigma[rows, rows] = part.sigma
            first[own, rows, rows] = part.first
            if second is not None:
                second[own, own, rows, rows] = part.second
        return Derivatives(sigma, first, second)

    labels = tuple(f"{group}: {label}" for group in groups for label in structure.labels)
    return Structure(structure.name, labels, start, derivatives)
