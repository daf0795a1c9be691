"""What is known about the particles of one movie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from anagen.records import Flag
from anagen.vesicles.sizes import SizeDistribution

ALGORITHM = "vesicle-track"
VERSION = "6"


@dataclass(frozen=True, eq=False)
class Tracks:
    """One row a track, in order of appearance.

    Parameters
    ----------
    first_frame, n_frames : ndarray of int, shape (n,)
        When it was seen; without gaps.
    row_px, col_px : ndarray, shape (n,)
        Mean place.
    diffusion_um2_per_s : ndarray, shape (n,)
        Most likely value of the track alone.
    diameter_nm : ndarray, shape (n,)
        Stokes-Einstein diameter of it.
    relative_sd : ndarray, shape (n,)
        Standard uncertainty of both, from the curvature of the likelihood.
    brightness : ndarray, shape (n,)
        Sum of the grey values of a spot over the background, mean of the brightest quarter of its frames.
    snr : ndarray, shape (n,)
        Mean signal-to-noise ratio.
    """

    first_frame: np.ndarray
    n_frames: np.ndarray
    row_px: np.ndarray
    col_px: np.ndarray
    diffusion_um2_per_s: np.ndarray
    diameter_nm: np.ndarray
    relative_sd: np.ndarray
    brightness: np.ndarray
    snr: np.ndarray

    def __len__(self) -> int:
        return len(self.n_frames)


@dataclass(frozen=True, eq=False)
class Jumps:
    """Histogram of single-frame steps, and what the measured sizes predict.

    Parameters
    ----------
    edges_um : ndarray, shape (n + 1,)
        Of the length of a step.
    counts, expected : ndarray, shape (n,)
        Steps seen, and those that the distribution of sizes predicts.
    """

    edges_um: np.ndarray
    counts: np.ndarray
    expected: np.ndarray


@dataclass(frozen=True, eq=False)
class VesicleMeasurement:
    """Sizes and number of the particles of one movie.

    Parameters
    ----------
    sizes : SizeDistribution
        In view, by number.
    concentration_per_ml : float
        In the undiluted sample; NaN without a detection volume.
    concentration_interval_per_ml : (float, float)
        Two-sided 95 %.
    detection_volume_um3 : float
        Mean volume in which the particles counted are seen; NaN when not given.
    depth_ratio : ndarray, shape (n,)
        Depth in which particles of each size of `sizes.diameter_nm` are seen, over that of the calibration.
    particles_in_view : float
        Mean number of particles seen at once.
    n_independent : float
        Independent particles behind the numbers: those in view are renewed only slowly.
    brightness_over_threshold : float
        Top of the spots' signal-to-noise ratio over that needed; for a calibration with beads.
    dilution : float
        Factor by which the sample was diluted.
    tracks : Tracks
        Summaries of the tracks that were used.
    jumps : Jumps
        For the figure that compares the steps with theory.
    paths_px : tuple of ndarray, shape (n, 2)
        Up to 60 tracks that cross the middle of the movie, (row, col), for a figure.
    n_spots, n_frames : int
        Spots found, frames read.
    spots_per_frame : float
        Mean number of spots.
    drift_um_per_s : (float, float)
        Mean flow, (row, col).
    localisation_nm : float
        Typical localisation noise along an axis.
    search_radius_um : float
        Longest step that could be linked.
    settings : mapping
        What was given and what was found: scale, rates, temperature, viscosity, spot width, polarity, threshold.
    flags : tuple of Flag
        What a reader must know; one of severity ``refused`` means that the sizes are not to be used.
    """

    sizes: SizeDistribution
    concentration_per_ml: float
    concentration_interval_per_ml: tuple[float, float]
    detection_volume_um3: float
    depth_ratio: np.ndarray
    particles_in_view: float
    n_independent: float
    brightness_over_threshold: float
    dilution: float
    tracks: Tracks
    jumps: Jumps
    paths_px: tuple[np.ndarray, ...]
    n_spots: int
    n_frames: int
    spots_per_frame: float
    drift_um_per_s: tuple[float, float]
    localisation_nm: float
    search_radius_um: float
    settings: Mapping[str, Any]
    flags: tuple[Flag, ...] = field(default_factory=tuple)

    @property
    def n_tracks(self) -> int:
        """Number of tracks that were used."""
        return len(self.tracks)

    @property
    def refused(self) -> bool:
        """Whether the movie allows no honest size."""
        return any(flag.severity == "refused" for flag in self.flags)
