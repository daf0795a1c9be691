"""Joins the spots of successive frames to tracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

BRIGHTNESS_SPREAD = 0.35
"""Standard deviation of the change of log brightness from frame to frame, generous: it decides only between rivals."""


@dataclass(frozen=True, eq=False)
class Spots:
    """All spots of a movie, in order of frame.

    Parameters
    ----------
    start : ndarray of int, shape (T + 1,)
        Spots of frame t are ``start[t]:start[t + 1]``.
    row_px, col_px, peak, sigma_px, snr, error_px2 : ndarray of float32, shape (n,)
        As `locate_spots` gives them.
    """

    start: np.ndarray
    row_px: np.ndarray
    col_px: np.ndarray
    peak: np.ndarray
    sigma_px: np.ndarray
    snr: np.ndarray
    error_px2: np.ndarray

    @property
    def n_frames(self) -> int:
        """Frames of the movie."""
        return len(self.start) - 1

    @property
    def frame(self) -> np.ndarray:
        """Frame of each spot."""
        return np.repeat(np.arange(self.n_frames), np.diff(self.start))

    def only(self, keep: np.ndarray) -> Spots:
        """Keep the spots where `keep`, shape (n,), is true."""
        start = np.concatenate([[0], np.cumsum(keep)])[self.start]
        fields = (self.row_px, self.col_px, self.peak, self.sigma_px, self.snr, self.error_px2)
        return Spots(start, *(field[keep] for field in fields))


def link_spots(
    spots: Spots, *, max_step_px: float, step_variance_px2: float, drift_px: np.ndarray | None = None
) -> np.ndarray:
    """Give each spot the number of its track, without gaps.

    In each pair of frames the links are chosen that together cost least: r^2 / (2 v) + log v with v the step variance
    per axis that the track has shown so far (drawn towards `step_variance_px2`), plus the change of brightness, and a
    fixed price for not linking within `max_step_px`. The choice starts greedily and is improved by exchanges until
    none helps.

    Parameters
    ----------
    spots : Spots
        From `locate_spots`, frame by frame.
    max_step_px : float
        No link is longer.
    step_variance_px2 : float
        Typical variance of a step along one axis.
    drift_px : ndarray, shape (T, 2), optional
        Common motion from frame t - 1 to t.

    Returns
    -------
    ndarray of int64, shape (n,)
        Track number of each spot, from 0, in order of first appearance; a spot alone is a track too.

    References
    ----------
    Crocker JC, Grier DG, J Colloid Interface Sci 1996;179:298 (least sum of squares); Jaqaman K et al., Nat Methods
    2008;5:695 (price of not linking).
    """
    if drift_px is None:
        drift_px = np.zeros((spots.n_frames, 2))
    return np.asarray(
        _link(
            spots.start,
            spots.row_px.astype(float),
            spots.col_px.astype(float),
            np.log(np.maximum(spots.peak, 1e-3)).astype(float),
            np.asarray(drift_px, float),
            float(max_step_px),
            float(step_variance_px2),
        )
    )


PRIOR_STEPS = 4.0
"""Steps that the typical variance counts for in the running variance of a track."""


@njit(cache=True, error_model="numpy")
def _link(start, row, col, log_peak, drift, reach, typical):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    n = row.size
    track = np.full(n, -1, np.int64)
    sum_r2 = np.zeros(n)
    n_steps = np.zeros(n)
    next_track = 0
    for t in range(start.size - 1):
        a0, a1 = (start[t - 1], start[t]) if t > 0 else (0, 0)
        b0, b1 = start[t], start[t + 1]
        # candidates: rows are sorted, so a sliding window finds those near
        n_candidates = 0
        of = np.empty(64 + 8 * (a1 - a0), np.int64)
        to = np.empty(of.size, np.int64)
        cost = np.empty(of.size)
        low = b0
        for i in range(a0, a1):
            r, c = row[i] + drift[t, 0], col[i] + drift[t, 1]
            while low < b1 and row[low] < r - reach - 1.0:
                low += 1
            v = (typical * PRIOR_STEPS + 0.5 * sum_r2[i]) / (PRIOR_STEPS + n_steps[i])
            v = max(v, 0.05 * typical)
            refuse = min(12.0, reach * reach / (2.0 * v))
            j = low
            while j < b1 and row[j] <= r + reach + 1.0:
                r2 = (row[j] - r) ** 2 + (col[j] - c) ** 2
                if r2 < reach * reach:
                    change = (log_peak[j] - log_peak[i]) / BRIGHTNESS_SPREAD
                    price = 0.5 * r2 / v + 0.5 * min(change * change, 8.0) - refuse - 4.0
                    if price < 0.0:
                        if n_candidates == of.size:
                            of = np.concatenate((of, np.empty(of.size, np.int64)))
                            to = np.concatenate((to, np.empty(to.size, np.int64)))
                            cost = np.concatenate((cost, np.empty(cost.size)))
                        of[n_candidates], to[n_candidates] = i - a0, j - b0
                        cost[n_candidates] = price
                        n_candidates += 1
                j += 1
        backward = _choose(of[:n_candidates], to[:n_candidates], cost[:n_candidates], a1 - a0, b1 - b0)
        for j in range(b0, b1):
            i = backward[j - b0]
            if i >= 0:
                i += a0
                track[j] = track[i]
                r2 = (row[j] - row[i] - drift[t, 0]) ** 2 + (col[j] - col[i] - drift[t, 1]) ** 2
                sum_r2[j] = 0.95 * sum_r2[i] + r2
                n_steps[j] = 0.95 * n_steps[i] + 1.0
            else:
                track[j] = next_track
                next_track += 1
    return track


@njit(cache=True, error_model="numpy")
def _choose(of, to, cost, n_from, n_to):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, C901, PLR0912 - one numba loop
    """Links with the least total (negative) cost: greedy, then exchanges of two links while they help."""
    forward = np.full(n_from, -1, np.int64)
    backward = np.full(n_to, -1, np.int64)
    link_f = np.full(n_from, -1, np.int64)  # index of the chosen candidate
    for k in np.argsort(cost):
        if forward[of[k]] < 0 and backward[to[k]] < 0:
            forward[of[k]], backward[to[k]], link_f[of[k]] = to[k], of[k], k
    first = np.zeros(n_from + 1, np.int64)
    for k in range(of.size):
        first[of[k] + 1] += 1
    for i in range(n_from):
        first[i + 1] += first[i]
    for _ in range(20):
        changed = False
        for k in range(of.size):
            i, j = of[k], to[k]
            if forward[i] == j:
                continue
            gain = -cost[k]
            j_old, i_old = forward[i], backward[j]
            if j_old >= 0:
                gain += cost[link_f[i]]
            if i_old >= 0:
                gain += cost[link_f[i_old]]
            other = -1
            if i_old >= 0:
                for q in range(first[i_old], first[i_old + 1]):
                    free = to[q] == j_old or (backward[to[q]] < 0)
                    if free and to[q] != j and (other < 0 or cost[q] < cost[other]):
                        other = q
                if other >= 0:
                    gain -= cost[other]
            if gain > 1e-9:
                if j_old >= 0:
                    backward[j_old] = -1
                if i_old >= 0:
                    forward[i_old], link_f[i_old] = -1, -1
                forward[i], backward[j], link_f[i] = j, i, k
                if other >= 0:
                    forward[i_old], backward[to[other]], link_f[i_old] = to[other], i_old, other
                changed = True
        if not changed:
            break
    return backward
