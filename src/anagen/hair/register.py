"""Bring two photographs of one piece of skin onto each other by the constellation of their hair roots."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import binom

from anagen.units import UM_PER_MM

MAX_ROTATION_DEG = 20.0
MAX_SCALE_CHANGE = 0.05
ROTATION_SLACK_DEG, STRETCH_SLACK = 4.0, 0.06
"""A stretched skin turns and lengthens a short pair of roots beyond what the whole image is turned and scaled."""

PAIR_MIN_UM, PAIR_MAX_UM = 400.0, 1600.0
"""Length of the pairs of roots that propose an alignment: long against the root's error, short against the stretch."""

NEIGHBOURS = 8
MAX_PAIRS = 1600

COARSE_UM = 150.0
TOLERANCES_UM = (150.0, 110.0, 80.0, 60.0)
"""From the misfit of a similarity under 5 % stretch at 2.5 mm from its centre down to the inlier radius."""

INLIER_UM = 60.0
N_REFINED = 24
AFFINE_POINTS, WARP_POINTS = 3, 6
"""Matches that an affine map, or the smooth warp, could fit by itself: they are no evidence."""

SMOOTHNESS = (1e4, 1e3, 1e2, 30.0, 10.0)
"""Candidate weights of the bending energy, coordinates in mm; chosen by leave-one-out error."""


INVERSE_STEPS = 2
"""The bending moves a point by a few tens of um over mm: two steps leave less than a um."""


@dataclass(frozen=True, slots=True, eq=False)
class Warp:
    """A thin-plate spline that maps points of the later visit onto the earlier one, both in um.

    Parameters
    ----------
    centres_um : ndarray, shape (n, 2)
        Control points in the later visit.
    weights : ndarray, shape (n, 2)
        Of the bending part; zeros leave an affine map.
    affine : ndarray, shape (3, 2)
        Rows: constant, by row, by column; coordinates in mm.
    """

    centres_um: np.ndarray
    weights: np.ndarray
    affine: np.ndarray

    def apply(self, points_um: np.ndarray) -> np.ndarray:
        """Map points of shape (..., 2)."""
        points = np.asarray(points_um, dtype=float)
        x = points.reshape(-1, 2) / UM_PER_MM
        kernel = _thin_plate(x, self.centres_um / UM_PER_MM)
        mapped = kernel @ self.weights + np.concatenate([np.ones((len(x), 1)), x], axis=1) @ self.affine
        return np.asarray((mapped * UM_PER_MM).reshape(points.shape))

    def invert(self, points_um: np.ndarray) -> np.ndarray:
        """Map points of the earlier visit onto the later one: the affine part exactly, the bending by iteration."""
        linear = np.linalg.inv(self.affine[1:])
        points = np.asarray(points_um, dtype=float)
        flat = points.reshape(-1, 2)
        guess = (flat - self.affine[0] * UM_PER_MM) @ linear
        for _ in range(INVERSE_STEPS):
            guess = guess + (flat - self.apply(guess)) @ linear
        return np.asarray(guess.reshape(points.shape))

    def rotation_deg(self) -> float:
        """Turn of its affine part."""
        linear = self.affine[1:].T
        return math.degrees(math.atan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1]))

    def scale(self) -> float:
        """Square root of the affine part's change of area."""
        return math.sqrt(abs(float(np.linalg.det(self.affine[1:]))))


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """Best alignment found, and how far chance explains it.

    Parameters
    ----------
    warp : Warp
        Later visit onto earlier.
    before, after : ndarray of int, shape (m,)
        Indices of roots that lie within `INLIER_UM` of each other.
    residual_um : float
        Median distance of those pairs, left out one at a time.
    log10_chance : float
        Log10 of the bound on the chance that so many roots of two different sites coincide, over all alignments tried.
    inlier_share : float
        Inliers over the roots in the shared area of the image that has fewer of them.
    """

    warp: Warp
    before: np.ndarray
    after: np.ndarray
    residual_um: float
    log10_chance: float
    inlier_share: float


def register_roots(before_um: np.ndarray, after_um: np.ndarray) -> Registration | None:
    """Find the map that carries the roots of the later visit onto those of the earlier one.

    Every pair of neighbouring roots in one image proposes a similarity with every pair of like length and direction
    in the other; the proposals with the most coinciding roots are refined to an affine map and then to a thin-plate
    spline. The result never depends on chance: all proposals are tried.

    Parameters
    ----------
    before_um, after_um : ndarray, shape (n, 2) and (m, 2)
        Roots in um.

    Returns
    -------
    Registration or None
        None where there are too few roots to propose anything.

    References
    ----------
    Alignment by pairs: Olson 1997, IJCV 23:131. Thin-plate splines: Wahba 1990, Spline Models, eq. 2.4.9.
    """
    before, after = np.asarray(before_um, dtype=float), np.asarray(after_um, dtype=float)
    if min(len(before), len(after)) < 4:
        return None
    tree = cKDTree(before)
    proposals = _propose(before, after)
    if len(proposals) == 0:
        return None
    score = _score(proposals, before, after, COARSE_UM)
    order = np.argsort(-score, kind="stable")
    found = [_refine(proposals[k], tree, before, after) for k in _distinct(order, proposals)]
    sound = [(len(i), -r, k) for k, (_, i, _, r) in enumerate(found) if len(i) >= 4]
    if not sound:
        return None
    affine, i, j, _ = found[max(sound)[2]]
    warp, i, j, residual = _bend(affine, tree, before, after, i, j)
    share, log10_chance = _judge(warp, before, after, len(i), len(proposals))
    return Registration(warp, i, j, residual, log10_chance, share)


def _pairs(points: np.ndarray, low: float, high: float, most: int | None) -> np.ndarray:
    """Ordered pairs (i, j) whose distance lies between `low` and `high`; the `most` nearest of each i."""
    offset = points[None, :, :] - points[:, None, :]
    distance = np.hypot(offset[..., 0], offset[..., 1])
    distance[(distance < low) | (distance > high)] = np.inf
    if most is not None and distance.shape[1] > most:
        limit = np.partition(distance, most - 1, axis=1)[:, most - 1]
        distance[distance > limit[:, None]] = np.inf
    return np.argwhere(np.isfinite(distance))


def _propose(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Similarities after -> before as (cos, sin, shift row, shift column), scale included; shape (n, 4)."""
    pairs_1 = _pairs(before, PAIR_MIN_UM, PAIR_MAX_UM, NEIGHBOURS)
    pairs_1 = pairs_1[:: max(1, math.ceil(len(pairs_1) / MAX_PAIRS))]
    slack = 1 + MAX_SCALE_CHANGE + STRETCH_SLACK
    pairs_2 = _pairs(after, PAIR_MIN_UM / slack, PAIR_MAX_UM * slack, None)
    if len(pairs_1) == 0 or len(pairs_2) == 0:
        return np.zeros((0, 4))
    z_1, z_2 = _complex(before), _complex(after)
    step_1, step_2 = z_1[pairs_1[:, 1]] - z_1[pairs_1[:, 0]], z_2[pairs_2[:, 1]] - z_2[pairs_2[:, 0]]
    order = np.argsort(np.abs(step_2), kind="stable")
    length_2 = np.abs(step_2)[order]
    most_turn = math.radians(MAX_ROTATION_DEG + ROTATION_SLACK_DEG)
    found = []
    for k, step in enumerate(step_1):
        length = abs(step)
        low = np.searchsorted(length_2, length / slack - 20)
        high = np.searchsorted(length_2, length * slack + 20)
        other = order[low:high]
        ratio = step / step_2[other]
        keep = np.abs(np.angle(ratio)) < most_turn
        # The scale of so short a pair is poor: it is drawn halfway to 1.
        turn = ratio[keep] / np.sqrt(np.abs(ratio[keep]))
        middle_1 = 0.5 * (z_1[pairs_1[k, 0]] + z_1[pairs_1[k, 1]])
        middle_2 = 0.5 * (z_2[pairs_2[other[keep], 0]] + z_2[pairs_2[other[keep], 1]])
        shift = middle_1 - turn * middle_2
        found.append(np.stack([turn.real, turn.imag, shift.real, shift.imag], axis=1))
    return np.concatenate(found)


def _complex(points: np.ndarray) -> np.ndarray:
    return np.asarray(points[:, 0] + 1j * points[:, 1])


def _score(proposals: np.ndarray, before: np.ndarray, after: np.ndarray, radius: float) -> np.ndarray:
    low = before.min(axis=0) - radius
    cells = np.floor((before - low) / radius).astype(np.int64)
    shape = cells.max(axis=0) + 2
    key = cells[:, 0] * shape[1] + cells[:, 1]
    order = np.argsort(key, kind="stable")
    starts = np.searchsorted(key[order], np.arange(shape[0] * shape[1] + 1))
    return np.asarray(_score_grid(proposals, before[order], starts, shape, low, after, radius))


@numba.njit(cache=True)
def _score_grid(proposals, before, starts, shape, low, after, radius):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Sum over the moved roots of 1 - (distance / radius)^2 to the nearest root."""
    out = np.zeros(len(proposals))
    r2 = radius * radius
    for h in range(len(proposals)):
        c, s, d_row, d_col = proposals[h]
        total = 0.0
        for k in range(len(after)):
            row = c * after[k, 0] - s * after[k, 1] + d_row
            col = s * after[k, 0] + c * after[k, 1] + d_col
            i, j = int(np.floor((row - low[0]) / radius)), int(np.floor((col - low[1]) / radius))
            nearest = r2
            for a in range(max(i - 1, 0), min(i + 2, shape[0])):
                for b in range(max(j - 1, 0), min(j + 2, shape[1])):
                    cell = a * shape[1] + b
                    for n in range(starts[cell], starts[cell + 1]):
                        d2 = (before[n, 0] - row) ** 2 + (before[n, 1] - col) ** 2
                        nearest = min(nearest, d2)
            total += 1.0 - nearest / r2
        out[h] = total
    return out


def _distinct(order: np.ndarray, proposals: np.ndarray) -> list[int]:
    """Best proposals first, those that nearly repeat one left out."""
    kept: list[int] = []
    for k in order[: 40 * N_REFINED]:
        gap = np.abs(proposals[kept] - proposals[k]) if kept else np.full((1, 4), np.inf)
        if not np.any((gap[:, :2].max(axis=1) < 0.01) & (gap[:, 2:].max(axis=1) < 40.0)):
            kept.append(int(k))
        if len(kept) == N_REFINED:
            break
    return kept


def _mutual(tree: cKDTree, moved: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs that are each other's nearest within `radius`: indices of before, of after."""
    distance, nearest = (np.asarray(found) for found in tree.query(moved, distance_upper_bound=radius))
    back = np.asarray(cKDTree(moved).query(np.asarray(tree.data), distance_upper_bound=radius)[1])
    j = np.flatnonzero(np.isfinite(distance))
    j = j[back[nearest[j]] == j]
    return nearest[j], j


def _refine(
    proposal: np.ndarray, tree: cKDTree, before: np.ndarray, after: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Grow a similarity to an affine map over shrinking tolerances; rows of the map: constant, row, column."""
    c, s, d_row, d_col = proposal
    affine = np.array([[d_row, d_col], [c, s], [-s, c]])
    i = j = np.zeros(0, dtype=int)
    for radius in TOLERANCES_UM:
        for _ in range(2):
            moved = affine[0] + after @ affine[1:]
            i, j = _mutual(tree, moved, radius)
            if len(i) < 4:
                return affine, i[:0], j[:0], math.inf
            affine = _fit_affine(after[j], before[i], affine)
    linear = np.linalg.svd(affine[1:], compute_uv=False)
    limit = 1 + MAX_SCALE_CHANGE + 2 * STRETCH_SLACK
    if linear[0] > limit or linear[1] < 1 / limit:
        return affine, i[:0], j[:0], math.inf
    i, j = _mutual(tree, affine[0] + after @ affine[1:], INLIER_UM)
    gap = np.hypot(*(before[i] - affine[0] - after[j] @ affine[1:]).T)
    return affine, i, j, float(np.median(gap)) if len(gap) else math.inf


def _fit_affine(source: np.ndarray, target: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Least squares, held weakly to the map it starts from so that a few matches cannot shear it."""
    centre = source.mean(axis=0)
    x = np.concatenate([np.ones((len(source), 1)), (source - centre) / UM_PER_MM], axis=1)
    start = np.stack([prior[0] + centre @ prior[1:], *(prior[1:] * UM_PER_MM)])
    ridge = np.diag([0.0, 1.0, 1.0])
    beta = np.linalg.solve(x.T @ x + ridge, x.T @ target + ridge @ start)
    linear = beta[1:] / UM_PER_MM
    return np.stack([beta[0] - centre @ linear, *linear])


def _thin_plate(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    r2 = ((x[:, None, :] - centres[None, :, :]) ** 2).sum(axis=-1)
    return np.asarray(0.5 * r2 * np.log(np.maximum(r2, 1e-12)))


def _bend(
    affine: np.ndarray, tree: cKDTree, before: np.ndarray, after: np.ndarray, i: np.ndarray, j: np.ndarray
) -> tuple[Warp, np.ndarray, np.ndarray, float]:
    """Replace the affine map by the thin-plate spline of the smoothness that predicts left-out roots best."""
    in_mm = np.stack([affine[0] / UM_PER_MM, *affine[1:]])
    warp, residual = Warp(after[j], np.zeros((len(j), 2)), in_mm), math.inf
    for _ in range(3):
        if len(i) < 2 * WARP_POINTS:
            break
        warp, residual = _fit_warp(after[j], before[i])
        i, j = _mutual(tree, warp.apply(after), INLIER_UM)
    if not math.isfinite(residual) and len(i):
        residual = float(np.median(np.hypot(*(warp.apply(after[j]) - before[i]).T)))
    return warp, i, j, residual


def _fit_warp(source_um: np.ndarray, target_um: np.ndarray) -> tuple[Warp, float]:
    x, y = source_um / UM_PER_MM, target_um / UM_PER_MM
    n = len(x)
    kernel, trend = _thin_plate(x, x), np.concatenate([np.ones((n, 1)), x], axis=1)
    best = (math.inf, np.zeros((n + 3, 2)), math.inf)
    for smoothness in SMOOTHNESS:
        system = np.zeros((n + 3, n + 3))
        system[:n, :n] = kernel + smoothness * np.eye(n)
        system[:n, n:], system[n:, :n] = trend, trend.T
        inverse = np.linalg.inv(system)[:, :n]
        solution = inverse @ y
        # Leave-one-out residual of a linear smoother: smoothness * w_i is the residual, smoothness * inverse_ii 1 - h.
        left_out = np.hypot(*(solution[:n] / np.diag(inverse)[:, None]).T) * UM_PER_MM
        error = float(np.mean(np.minimum(left_out, 2 * INLIER_UM) ** 2))
        if error < 0.97 * best[0]:
            best = (error, solution, float(np.median(left_out)))
    _, solution, residual = best
    return Warp(source_um, solution[:n], solution[n:]), residual


def _judge(warp: Warp, before: np.ndarray, after: np.ndarray, n_inliers: int, n_tried: int) -> tuple[float, float]:
    """Share of inliers in the common area, and the bound on chance: binomial tail times all proposals tried."""
    moved = warp.apply(after)
    inside_1 = _inside_hull_box(before, moved)
    inside_2 = _inside_hull_box(moved, before)
    n_1, n_2 = int(inside_1.sum()), int(inside_2.sum())
    fewer, more = min(n_1, n_2), max(n_1, n_2)
    if fewer == 0:
        return 0.0, 0.0
    low, high = np.maximum(before.min(axis=0), moved.min(axis=0)), np.minimum(before.max(axis=0), moved.max(axis=0))
    area = max(float(np.prod(high - low)), math.pi * INLIER_UM**2)
    chance = 1 - math.exp(-more / area * math.pi * INLIER_UM**2)
    fitted = WARP_POINTS if n_inliers >= 2 * WARP_POINTS else AFFINE_POINTS
    tail = binom.logsf(n_inliers - fitted - 1, max(fewer - fitted, 1), chance) if n_inliers > fitted else 0.0
    return min(n_inliers / fewer, 1.0), min((float(tail) + math.log(n_tried)) / math.log(10), 0.0)


def _inside_hull_box(points: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(
        ((points >= other.min(axis=0) - INLIER_UM) & (points <= other.max(axis=0) + INLIER_UM)).all(axis=1)
    )
