"""The restricted likelihood of the MMRM and its exact derivatives, at a cost that does not grow with people.

Model: Y_i ~ N(X_i b, S_i), where S_i are the rows and columns of Sigma(theta) for the visits seen in person i, divided
by the roots of their weights. People who were seen at the same visits share S_i; their data enter only through the
cross products sum z_i z_i' with z = (x, y), so each such group is replaced by a few rows with the same cross products.

References
----------
Lindstrom MJ, Bates DM. Newton-Raphson and EM algorithms for linear mixed-effects models for repeated-measures data.
J Am Stat Assoc 1988;83:1014. Wolfinger R, Tobias R, Sall J. Computing Gaussian likelihoods and their derivatives for
general linear mixed models. SIAM J Sci Comput 1994;15:1294.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anagen.stats.covariance import Derivatives

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class SufficientData:
    """Everything of the data that the likelihood needs.

    Parameters
    ----------
    rows : ndarray, shape (n_rows, m, p + 1)
        People, or the fewer rows with the same cross products: the p columns of the design and the response at each
        visit; zero at visits not seen.
    pattern : ndarray, shape (n_rows,)
        Which pattern of visits a row belongs to, ascending.
    seen : ndarray of bool, shape (n_patterns, m)
        The visits of each pattern.
    n_subjects : ndarray, shape (n_patterns,)
        People in each pattern.
    log_weights : float
        Sum of the logarithms of the weights.
    log_det_gram : float
        log det X'X of the design's own columns, when `rows` holds other coordinates of them; else 0.
    """

    rows: Floats
    pattern: Integers
    seen: NDArray[np.bool_]
    n_subjects: Integers
    log_weights: float
    log_det_gram: float

    @property
    def n_observations(self) -> int:
        """How many responses there are."""
        return int(np.dot(self.seen.sum(axis=1), self.n_subjects))

    @property
    def n_columns(self) -> int:
        """How many columns the design has."""
        return int(self.rows.shape[2]) - 1


def gather_patterns(
    X: Floats,
    y: Floats,
    subject: Integers,
    visit: Integers,
    n_visits: int,
    weights: Floats,
    basis: Floats,
    *,
    compress: bool = True,
) -> SufficientData:
    """Group people by the visits they were seen at and keep their cross products.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Design matrix of full column rank.
    y : ndarray, shape (n,)
        Response.
    subject, visit : ndarray of int, shape (n,)
        Codes from 0; a pair occurs once.
    n_visits : int
        m.
    weights : ndarray, shape (n,)
        Positive; one where none were given.
    basis : ndarray, shape (p, p)
        Upper triangular T such that X T has orthonormal columns: the coordinates of `rows`.
    compress : bool
        Replace people by fewer rows with the same cross products; if not, rows are people.

    Returns
    -------
    SufficientData
    """
    n_people = int(subject.max()) + 1
    root = np.sqrt(weights)
    people = np.zeros((n_people, n_visits, X.shape[1] + 1))
    people[subject, visit, :-1] = X * root[:, None]
    people[subject, visit, -1] = y * root
    seen_by = np.zeros((n_people, n_visits), dtype=bool)
    seen_by[subject, visit] = True
    seen, member, counts = _unique_patterns(seen_by)
    order = np.argsort(member, kind="stable")
    blocks = np.split(people[order], np.cumsum(counts)[:-1])
    if compress:
        blocks = [_compress(block) for block in blocks]
    rows = np.concatenate(blocks)
    rows[:, :, :-1] = rows[:, :, :-1] @ basis
    pattern = np.repeat(np.arange(len(blocks)), [len(block) for block in blocks])
    log_det_gram = -2.0 * float(np.log(np.abs(np.diag(basis))).sum())
    return SufficientData(rows, pattern, seen, counts, float(np.log(weights).sum()), log_det_gram)


def _unique_patterns(seen_by: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Integers, Integers]:
    """Patterns that occur, the pattern of each person, and how many people have it; by numbers, which sort faster."""
    n_visits = seen_by.shape[1]
    if n_visits > 62:
        seen, member, counts = np.unique(seen_by, axis=0, return_inverse=True, return_counts=True)
        return seen, member.ravel(), counts
    key = seen_by @ (np.int64(1) << np.arange(n_visits, dtype=np.int64))
    _, first, member, counts = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    return seen_by[first], member, counts


def _compress(block: Floats) -> Floats:
    """Fewer rows with the same cross products: the triangular factor of the columns that differ."""
    n, m, q = block.shape
    if n <= m * 3:
        return block
    columns = block.reshape(n, m * q).T
    places: dict[bytes, int] = {}
    where = np.array([places.setdefault(column.tobytes(), len(places)) for column in columns])
    if n <= len(places):
        return block
    first = np.array([np.argmax(where == k) for k in range(len(places))])
    factor = np.asarray(np.linalg.qr(columns[first].T, mode="r"))
    return np.ascontiguousarray(factor[:, where]).reshape(len(factor), m, q)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The likelihood at one Sigma, with what its derivatives reuse.

    Parameters
    ----------
    deviance : float
        -2 (restricted) log-likelihood, with (n - p) log 2 pi (n under ML) and without log det X'X, as SAS counts it.
    beta : ndarray, shape (p,)
        Generalised least squares estimate.
    phi : ndarray, shape (p, p)
        (X' O^-1 X)^-1.
    inverse : ndarray, shape (n_patterns, m, m)
        Inverse covariance of each pattern, zero at visits not seen.
    solved : ndarray, shape (n_rows, m, p)
        O^-1 X, row by row.
    residual : ndarray, shape (n_rows, m)
        O^-1 (y - X b), row by row.
    """

    deviance: float
    beta: Floats
    phi: Floats
    inverse: Floats
    solved: Floats
    residual: Floats


def evaluate(data: SufficientData, sigma: Floats, *, restricted: bool) -> Evaluation | None:
    """Evaluate the likelihood at `sigma`.

    Parameters
    ----------
    data : SufficientData
        The data.
    sigma : ndarray, shape (m, m)
        Covariance of all visits.
    restricted : bool
        REML if true, ML if not.

    Returns
    -------
    Evaluation or None
        None where sigma, or the information on the coefficients, is not positive definite.
    """
    inverted = _invert_patterns(sigma, data.seen)
    if inverted is None:
        return None
    inverse, log_dets = inverted
    rows = data.rows
    p = data.n_columns
    solved = inverse[data.pattern] @ rows
    gram = rows.reshape(-1, p + 1).T @ solved.reshape(-1, p + 1)
    try:
        lower = np.linalg.cholesky(gram[:p, :p])
    except np.linalg.LinAlgError:
        return None
    half = np.linalg.inv(lower)
    phi = half.T @ half
    beta = phi @ gram[:p, p]
    residual = solved[:, :, p] - solved[:, :, :p] @ beta
    # y'Py as a sum of products of residuals: the difference of two large numbers would lose digits.
    left = rows[:, :, p] - rows[:, :, :p] @ beta
    fit = float(np.vdot(left, residual))
    deviance = float(log_dets @ data.n_subjects) - data.log_weights + fit
    n = data.n_observations
    if restricted:
        deviance += 2.0 * float(np.log(np.diag(lower)).sum()) + data.log_det_gram
    deviance += (n - p if restricted else n) * np.log(2.0 * np.pi)
    if not np.isfinite(deviance):
        return None
    return Evaluation(deviance, beta, phi, inverse, solved[:, :, :p], residual)


def _invert_patterns(sigma: Floats, seen: NDArray[np.bool_]) -> tuple[Floats, Floats] | None:
    both = seen[:, :, None] & seen[:, None, :]
    filled = np.where(both, sigma, np.eye(len(sigma)))
    try:
        np.linalg.cholesky(sigma)
        lower = np.linalg.cholesky(filled)
    except np.linalg.LinAlgError:
        return None
    half = np.linalg.inv(lower)
    inverse = np.where(both, half.transpose(0, 2, 1) @ half, 0.0)
    log_dets = 2.0 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
    return inverse, log_dets


@dataclass(frozen=True, slots=True)
class Slopes:
    """First and second derivatives of the deviance, and the parts that the small-sample methods reuse.

    Parameters
    ----------
    gradient : ndarray, shape (k,)
        d deviance / d theta.
    observed, expected : ndarray, shape (k, k)
        Information on theta: half the second derivative of the deviance, and its expectation.
    P : ndarray, shape (k, p, p)
        X' O^-1 D_h O^-1 X for each parameter (Kenward and Roger's P_h with the opposite sign).
    """

    gradient: Floats
    observed: Floats
    expected: Floats
    P: Floats


def differentiate(data: SufficientData, at: Evaluation, sigma: Derivatives, *, restricted: bool) -> Slopes:
    """Differentiate the deviance twice, exactly.

    score_h = 1/2 [y'P D_h P y - tr(P D_h)], expected information 1/2 tr(P D_h P D_j), observed information
    -1/2 tr(P D_h P D_j) + y'P D_h P D_j P y plus half the gradient along the second derivatives of Sigma. Under ML, P
    in the traces is O^-1.

    Parameters
    ----------
    data : SufficientData
        The data.
    at : Evaluation
        The likelihood at `sigma.sigma`.
    sigma : Derivatives
        Sigma and its derivatives, k parameters.
    restricted : bool
        REML if true, ML if not.

    Returns
    -------
    Slopes
    """
    D = sigma.first
    k, m = D.shape[:2]
    p = data.n_columns
    starts = np.searchsorted(data.pattern, np.arange(len(data.seen)))
    spread = _sum_outer(at.solved, starts, at.phi) if restricted else np.zeros_like(at.inverse)
    errors = _sum_outer(at.residual[:, :, None], starts, None)
    shared = data.n_subjects[:, None, None] * at.inverse

    slope = (shared - spread - errors).sum(axis=0)
    flat = D.reshape(k, m * m)
    gradient = flat @ slope.ravel()

    wide = at.solved.reshape(len(at.solved), m * p)
    F = (wide.T @ wide).reshape(m, p, m, p)
    P = np.tensordot(D, F, axes=([1, 2], [0, 2]))
    with_error = (wide.T @ at.residual).reshape(m, p, m)
    v = np.tensordot(D, with_error, axes=([1, 2], [0, 2]))
    phi_P = at.phi @ P
    turned = phi_P.transpose(0, 2, 1).reshape(k, p * p)
    crossed = phi_P.reshape(k, p * p) @ turned.T if restricted else np.zeros((k, k))

    expected = _trace_pairs(D, at.inverse, shared - 2.0 * spread) + crossed
    pulled = _trace_pairs(D, at.inverse, errors) - v @ at.phi @ v.T
    hessian = 2.0 * pulled - expected
    if sigma.second is not None:
        hessian = hessian + np.tensordot(sigma.second, slope, axes=([2, 3], [0, 1]))
    return Slopes(gradient, 0.5 * hessian, 0.5 * expected, P)


def _sum_outer(rows: Floats, starts: Integers, middle: Floats | None) -> Floats:
    """Per pattern, the sum over rows of A middle A'."""
    left = rows if middle is None else rows @ middle
    outer = left @ rows.transpose(0, 2, 1)
    return np.add.reduceat(outer, starts, axis=0)


def _trace_pairs(D: Floats, inverse: Floats, other: Floats) -> Floats:
    """Sum over patterns of tr(O^-1 D_h C D_j), for symmetric C given per pattern as `other`."""
    k, m = D.shape[:2]
    s = len(inverse)
    # kernel[(a, b), (c, d)] = sum_s inverse[a, b] other[c, d]; the trace pairs D_h[b, c] with D_j[d, a].
    kernel = (inverse.reshape(s, m * m).T @ other.reshape(s, m * m)).reshape(m, m, m, m)
    paired = kernel.transpose(1, 2, 3, 0).reshape(m * m, m * m)
    flat = D.reshape(k, m * m)
    traces = flat @ paired @ flat.T
    return 0.5 * (traces + traces.T)
