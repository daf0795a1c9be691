"""How far particles move in a frame, seen without linking: all pairs of spots less what chance gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from anagen.vesicles.link import Spots

N_RINGS = 120
N_VARIANCES = 48
EM_ROUNDS = 400


@dataclass(frozen=True, eq=False)
class EnsembleSteps:
    """The displacements of the crowd.

    Parameters
    ----------
    drift_px : ndarray, shape (2,)
        Mean motion a frame, (row, col).
    variance_px2, share : ndarray
        Step variances along an axis and the share of spots that move so.
    linkable : float
        Share of spots that are seen again in the next frame.
    """

    drift_px: np.ndarray
    variance_px2: np.ndarray
    share: np.ndarray
    linkable: float

    @property
    def typical_variance_px2(self) -> float:
        """Median step variance, weighted by share."""
        return float(np.interp(0.5, np.cumsum(self.share), self.variance_px2))


def ensemble_steps(spots: Spots, *, max_reach_px: float, lag: int = 1) -> EnsembleSteps:
    """Distribution of step variances from all pairs of spots in frames `lag` apart.

    Pairs of different particles are spread evenly in the plane; what stands above that level is the particles' own
    motion, so neither the density nor a search radius biases it. The excess is split into Gaussians of many variances
    by expectation maximisation, with the even background as one more component.

    Parameters
    ----------
    spots : Spots
        Of the whole movie.
    max_reach_px : float
        Longest displacement looked at.
    lag : int
        Frames between the two spots.

    Returns
    -------
    EnsembleSteps
        Drift, step variances and their shares.

    References
    ----------
    Semrau S, Schmidt T, Biophys J 2007;92:613 (particle image correlation spectroscopy).
    """
    row, col = spots.row_px.astype(float), spots.col_px.astype(float)
    n_cells = 2 * int(np.ceil(max_reach_px)) + 1
    plane, _ = _pair_plane(spots.start, row, col, max_reach_px, n_cells, lag)
    drift = _peak_of(plane, max_reach_px)
    reach = max_reach_px - float(np.hypot(*drift))
    rings = np.linspace(0.0, 1.0, N_RINGS + 1) ** 1.6 * reach**2
    counts, n_from = _pair_rings(spots.start, row, col, drift, rings, lag)
    variance = np.geomspace(0.02, reach**2 / 6.0, N_VARIANCES)
    tails = np.exp(-rings[:, None] / (2.0 * variance))
    model = np.column_stack([tails[:-1] - tails[1:], np.diff(rings) / reach**2])
    share = np.full(N_VARIANCES + 1, 1.0 / (N_VARIANCES + 1))
    for _ in range(EM_ROUNDS):
        share *= model.T @ (counts / np.maximum(model @ share, 1e-300)) / max(counts.sum(), 1.0)
    own = share[:-1] / max(model[:, :-1].sum(axis=0).min(), 0.5)
    linkable = float(own.sum() * counts.sum() / max(n_from, 1.0))
    return EnsembleSteps(drift, variance, own / max(own.sum(), 1e-12), linkable)


def _peak_of(plane: np.ndarray, reach: float) -> np.ndarray:
    """Centre of the excess: the mean displacement above the level of chance, found coarsely and then sharpened."""
    n = len(plane)
    places = np.arange(n) - (n - 1) / 2.0
    y, x = np.meshgrid(places, places, indexing="ij")
    inside = np.hypot(y, x) < reach
    level = np.median(plane[inside])
    excess = np.where(inside, plane - level, 0.0)
    width = max(2, n // 12)
    kernel = np.ones(2 * width + 1) / (2 * width + 1)
    smooth = np.apply_along_axis(np.convolve, 0, excess, kernel, "same")
    smooth = np.apply_along_axis(np.convolve, 1, smooth, kernel, "same")
    at = np.array(np.unravel_index(np.argmax(smooth), smooth.shape)) - (n - 1) / 2.0
    for _ in range(10):
        near = (np.hypot(y - at[0], x - at[1]) < 2.0 * width) & inside
        weight = np.maximum(excess * near, 0.0)
        if weight.sum() <= 0.0:
            break
        at = np.array([np.sum(weight * y), np.sum(weight * x)]) / weight.sum()
    return np.asarray(at * (np.hypot(*at) < reach / 2.0))


@njit(cache=True, error_model="numpy")
def _pair_plane(start, row, col, reach, n_cells, lag):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    plane = np.zeros((n_cells, n_cells))
    half = n_cells // 2
    n_from = 0
    for t in range(start.size - 1 - lag):
        low = start[t + lag]
        for i in range(start[t], start[t + 1]):
            n_from += 1
            while low < start[t + lag + 1] and row[low] < row[i] - reach:
                low += 1
            for j in range(low, start[t + lag + 1]):
                dy = row[j] - row[i]
                if dy > reach:
                    break
                dx = col[j] - col[i]
                if abs(dx) <= reach:
                    plane[half + int(np.round(dy)), half + int(np.round(dx))] += 1.0
    return plane, n_from


@njit(cache=True, error_model="numpy")
def _pair_rings(start, row, col, drift, rings, lag):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    counts = np.zeros(rings.size - 1)
    reach2 = rings[-1]
    reach = np.sqrt(reach2)
    n_from = 0.0
    for t in range(start.size - 1 - lag):
        low = start[t + lag]
        for i in range(start[t], start[t + 1]):
            r, c = row[i] + lag * drift[0], col[i] + lag * drift[1]
            n_from += 1.0
            while low < start[t + lag + 1] and row[low] < r - reach:
                low += 1
            for j in range(low, start[t + lag + 1]):
                dy = row[j] - r
                if dy > reach:
                    break
                r2 = dy * dy + (col[j] - c) ** 2
                if r2 < reach2:
                    counts[np.searchsorted(rings, r2, "right") - 1] += 1.0
    return counts, n_from
