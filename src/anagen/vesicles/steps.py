"""From linked spots to tracks of steps with the drift taken out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from anagen.vesicles.drift import smooth_drift
from anagen.vesicles.link import Spots, link_spots
from anagen.vesicles.pairs import EnsembleSteps

OUTERMOST = 0.001
"""Share of the spots, spread evenly, that tells where the frame ends for them."""


@dataclass(frozen=True, eq=False)
class TrackedSteps:
    """Tracks of at least a given length.

    Parameters
    ----------
    step_px : ndarray, shape (n_steps, 2)
        Steps without drift, track after track.
    step_frame : ndarray of int, shape (n_steps,)
        Frame in which each step ends.
    start : ndarray of int, shape (n_tracks + 1,)
        Where each track begins in `step_px`.
    spot : ndarray of int, shape (n_steps + n_tracks,)
        Number of each spot, track after track.
    error_px2 : ndarray, shape (n_tracks,)
        Mean of the variance of the place along an axis by the fits themselves, levelling off for dim spots.
    drift_px : ndarray, shape (T, 2)
        Smooth common motion from frame t - 1 to t.
    from_px : ndarray, shape (n_steps, 2)
        Where each step would end without motion of its own: its beginning, moved by the drift.
    n_linked : ndarray of int, shape (T,)
        Spots of frame t that continue a track, of whatever length.
    n_begun : int
        Tracks of two or more frames, of whatever length.
    """

    step_px: np.ndarray
    step_frame: np.ndarray
    start: np.ndarray
    spot: np.ndarray
    error_px2: np.ndarray
    drift_px: np.ndarray
    from_px: np.ndarray
    n_linked: np.ndarray
    n_begun: int

    @property
    def n_tracks(self) -> int:
        """Number of tracks."""
        return len(self.start) - 1

    @property
    def n_frames(self) -> np.ndarray:
        """Frames of each track."""
        return np.asarray(np.diff(self.start) + 1)

    @property
    def first_spot(self) -> np.ndarray:
        """Where each track begins in `spot`."""
        return np.asarray(self.start[:-1] + np.arange(self.n_tracks))

    def room_px(self, spots: Spots) -> np.ndarray:
        """How far each step could go before it left the part of the frame that shows spots, shape (n_steps, 2, 2).

        A rim of some pixels shows none, as a maximum needs neighbours; it is read from the outermost spots.
        """
        place = np.stack([spots.row_px, spots.col_px], axis=1)
        low, high = np.quantile(place, [OUTERMOST, 1.0 - OUTERMOST], axis=0)
        beyond = OUTERMOST * (high - low)
        return np.asarray(np.stack([self.from_px - low + beyond, high + beyond - self.from_px], axis=2))

    def mean_of(self, values: np.ndarray) -> np.ndarray:
        """Mean along each track of a value that every spot of the movie has."""
        return np.asarray(np.add.reduceat(values[self.spot].astype(float), self.first_spot) / self.n_frames)


def track_spots(spots: Spots, crowd: EnsembleSteps, *, max_step_px: float, min_frames: int) -> TrackedSteps:
    """Link, find the smooth drift, link again with it.

    Parameters
    ----------
    spots : Spots
        Of the whole movie.
    crowd : EnsembleSteps
        First guess of drift and of the typical step.
    max_step_px : float
        Search radius.
    min_frames : int
        Shortest track kept.

    Returns
    -------
    TrackedSteps
        In order of length; possibly without any track.
    """
    typical = crowd.typical_variance_px2
    drift = np.tile(crowd.drift_px, (spots.n_frames, 1))
    for _ in range(2):
        track = link_spots(spots, max_step_px=max_step_px, step_variance_px2=typical, drift_px=drift)
        order = np.argsort(track, kind="stable")
        steps = _Steps(spots, order, track[order])
        own = np.bincount(steps.track, np.mean((steps.step_px - drift[steps.frame]) ** 2, axis=1), track.max() + 1)
        n_steps = np.bincount(steps.track, minlength=track.max() + 1)
        variance = (own + 4.0 * typical) / (n_steps + 4.0)
        drift = smooth_drift(steps.frame, steps.step_px, variance[steps.track], spots.n_frames)
    # in order of length: the sizes are found from classes of it, without a copy of all likelihoods
    track = np.argsort(np.argsort(n_steps, kind="stable"), kind="stable")[track]
    n_steps = np.sort(n_steps, kind="stable")
    order = np.argsort(track, kind="stable")
    steps = _Steps(spots, order, track[order])
    keep = n_steps + 1 >= min_frames
    use = keep[steps.track]
    tracks = TrackedSteps(
        step_px=steps.step_px[use] - drift[steps.frame[use]],
        step_frame=steps.frame[use],
        start=np.concatenate([[0], np.cumsum(n_steps[keep])]),
        spot=order[keep[track[order]]],
        error_px2=np.empty(0),
        drift_px=drift,
        from_px=steps.from_px[use] + drift[steps.frame[use]],
        n_linked=np.bincount(steps.frame, minlength=spots.n_frames),
        n_begun=int(np.count_nonzero(n_steps)),
    )
    error = tracks.mean_of(_error_px2(spots)) if tracks.n_tracks else np.empty(0)
    return TrackedSteps(**{**vars(tracks), "error_px2": error})


STUCK_FRAMES = 10
STUCK_SHARE = 0.25
"""A track that wanders less than this part of what the slowest particle would is stuck; one in thousands is not."""
STUCK_RADIUS_PX = 2.0


def find_stuck(spots: Spots, tracked: TrackedSteps, *, slowest_px2: float) -> np.ndarray:
    """Spots of what does not move: particles on the glass, bright pixels, dirt.

    The places of a free particle in N frames scatter about their mean by D N / 3 along an axis. A track that scatters
    far less than that of the largest size that can be reported is stuck, and every spot that is ever seen in its place
    with it; a free particle that passes there loses some frames, whatever its size.

    Parameters
    ----------
    spots : Spots
        Of the whole movie.
    tracked : TrackedSteps
        Their tracks.
    slowest_px2 : float
        Diffusion coefficient of the largest size, px2 per frame.

    Returns
    -------
    ndarray of bool, shape (n_spots,)
        Which spots are stuck.
    """
    place = np.stack([spots.row_px, spots.col_px], axis=1).astype(float)
    middle = np.stack([tracked.mean_of(axis) for axis in place.T], axis=1)
    apart = np.mean((place[tracked.spot] - np.repeat(middle, tracked.n_frames, axis=0)) ** 2, axis=1)
    scatter = np.add.reduceat(apart, tracked.first_spot) / tracked.n_frames
    still = (tracked.n_frames >= STUCK_FRAMES) & (scatter < STUCK_SHARE * slowest_px2 * tracked.n_frames / 3.0)
    if not still.any():
        return np.zeros(len(place), bool)
    return np.asarray(cKDTree(middle[still]).query(place, distance_upper_bound=STUCK_RADIUS_PX)[0] < STUCK_RADIUS_PX)


LARGEST_ERROR = 0.2
"""The error of a dim spot levels off near this share of the spot's variance: the window and the maximum hold it."""


def _error_px2(spots: Spots) -> np.ndarray:
    free = spots.error_px2.astype(float)
    limit = LARGEST_ERROR * float(np.median(spots.sigma_px)) ** 2
    return np.asarray(limit * free / (free + limit))


class _Steps:
    """All steps of all tracks, track after track."""

    def __init__(self, spots: Spots, order: np.ndarray, track: np.ndarray) -> None:
        place = np.stack([spots.row_px, spots.col_px], axis=1).astype(float)[order]
        same = track[1:] == track[:-1]
        self.step_px = np.diff(place, axis=0)[same]
        self.from_px = place[:-1][same]
        self.frame = spots.frame[order][1:][same]
        self.track = track[1:][same]


def search_radius_px(
    crowd: EnsembleSteps, *, density_per_px2: float, reach: float, rivals: float, longest_px: float
) -> float:
    """How far to search for a particle in the next frame.

    Far enough to lose only exp(-reach) of the steps of the fast particles (the 95th percentile of the step variances),
    but not so far that more than `rivals` other particles lie within; the likelihood accounts for the steps cut off.

    Parameters
    ----------
    crowd : EnsembleSteps
        Motion seen without linking.
    density_per_px2 : float
        Spots per pixel area.
    reach, rivals : float
        As above.
    longest_px : float
        No radius is larger.

    Returns
    -------
    float
        In px, at least 2.
    """
    fast = float(np.interp(0.95, np.cumsum(crowd.share), crowd.variance_px2))
    crowded = math.sqrt(rivals / (math.pi * max(density_per_px2, 1e-12)))
    return max(2.0, min(math.sqrt(2.0 * reach * fast), longest_px, crowded))
