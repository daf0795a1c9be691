"""From particles in view to particles per ml: the depth in which a size is seen, and how many were independent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import erf
from scipy.stats import gamma, theilslopes

from anagen.errors import InputError
from anagen.units import UM3_PER_ML


@dataclass(frozen=True)
class DetectionVolume:
    """The volume in which the instrument sees particles, as calibrated or given by its maker.

    Bright (large) particles are seen deeper than dim ones. With `brightness_over_threshold` the volume holds for
    particles of that brightness and is scaled for others by the depths that the movie itself shows; without it, one
    volume holds for every size.

    Parameters
    ----------
    volume_um3 : float
        Field of view times depth.
    brightness_over_threshold : float or None
        Of the particles it was calibrated with, over the weakest found.
    relative_uncertainty : float
        Standard uncertainty of the volume over the volume.
    """

    volume_um3: float
    brightness_over_threshold: float | None = None
    relative_uncertainty: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.volume_um3) and self.volume_um3 > 0.0):
            raise InputError(f"volume_um3 must be positive, got {self.volume_um3}: give field of view times depth")
        if self.brightness_over_threshold is not None and not self.brightness_over_threshold > 1.0:
            raise InputError(f"brightness_over_threshold must exceed 1, got {self.brightness_over_threshold}")
        if not 0.0 <= self.relative_uncertainty < 1.0:
            raise InputError(f"relative_uncertainty must lie in 0 to 1, got {self.relative_uncertainty}")


TOP = 0.9
"""The quantile of the signal-to-noise ratio that stands for the brightness of a class of particles."""
N_CLASSES = 12


@dataclass(frozen=True, eq=False)
class DepthProfile:
    """How much deeper brighter particles are seen, as this movie shows it.

    A particle anywhere in the depth is equally likely, so the share of the frames of the brightest particles in which
    they would still be found, were they dimmer by a factor, is the depth in which particles dimmer by that factor are
    seen, relative to theirs. No law of the light or the lens is assumed.

    Parameters
    ----------
    bright_snr : ndarray, sorted
        Signal-to-noise ratios of the brightest class over the threshold, in equal shares of its frames.
    power : float
        Brightness grows as diameter to this power, from the classes of size.
    bright_nm : float
        Size whose brightness is that of the brightest class.
    """

    bright_snr: np.ndarray
    power: float
    bright_nm: float

    def depth(self, dimming: np.ndarray | float) -> np.ndarray:
        """Depth of particles dimmer by a factor (1 for the brightest class), over that of the brightest class.

        Above 1 it grows as sqrt(ln A), the law of a Gaussian light sheet.
        """
        factor = np.atleast_1d(np.asarray(dimming, float))
        n = len(self.bright_snr)
        seen = 1.0 - np.searchsorted(self.bright_snr, 1.0 / np.minimum(factor, 1.0)) / n
        top = max(float(np.quantile(self.bright_snr, TOP)), 1.5)
        beyond = np.sqrt(np.log(top * np.maximum(factor, 1.0)) / math.log(top))
        return np.asarray(np.maximum(seen, 1.0 / n) * beyond)

    def depth_of_size(self, diameter_nm: np.ndarray) -> np.ndarray:
        """Depth of particles of a size, over that of the brightest class."""
        return self.depth((np.asarray(diameter_nm) / self.bright_nm) ** self.power)

    def dimming_to(self, top_over_threshold: float) -> float:
        """Factor that dims the brightest class until the frames still found have this brightness at their top."""
        factors = np.geomspace(0.02, 20.0, 400)
        tops = np.array([_top_when_dimmed(self.bright_snr, factor) for factor in factors])
        return float(np.interp(math.log(top_over_threshold), np.log(tops), factors))


def _top_when_dimmed(snr: np.ndarray, factor: float) -> float:
    left = snr[np.searchsorted(snr, 1.0 / factor) :] * factor
    return float(np.quantile(left, TOP)) if len(left) else 1.0


def learn_depths(
    snr_over_threshold: np.ndarray, n_frames: np.ndarray, membership: np.ndarray, class_nm: np.ndarray
) -> DepthProfile:
    """Find how brightness and depth grow with size.

    No track is put into one class by its own size: the tracks in the midst of the depth are longer and their sizes
    more certain, so those that look largest would be seen deeper than all the others of their kind. Each counts in
    every class by the chance that it belongs there.

    Parameters
    ----------
    snr_over_threshold : ndarray, shape (n_spots,)
        Of every spot in a track, track after track.
    n_frames : ndarray of int, shape (n_tracks,)
        Spots of each track.
    membership : ndarray, shape (n_tracks, n_classes)
        Chance that the particle of a track is of each class of size.
    class_nm : ndarray, shape (n_classes,)
        Mean size of the particles that count in each class, rising; less far apart than the classes themselves.

    Returns
    -------
    DepthProfile
        Relative depths.
    """
    order = np.argsort(snr_over_threshold)
    snr = snr_over_threshold[order]
    levels = [_quantiles(snr, np.repeat(chance, n_frames)[order]) for chance in membership.T]
    profile = DepthProfile(levels[-1], 0.0, float(class_nm[-1]))
    if math.log(class_nm[-1] / class_nm[0]) < ONE_SIZE:  # nothing to learn, and nothing to correct
        return profile
    factor = np.array([profile.dimming_to(float(np.quantile(level, TOP))) for level in levels])
    power = float(np.clip(theilslopes(np.log(factor), np.log(class_nm))[0], LEAST_POWER, 6.0))
    middle = float(np.median(np.log(factor) - power * np.log(class_nm)))
    return DepthProfile(levels[-1], power, math.exp(-middle / power))


ONE_SIZE = 0.15
"""Log ratio of the largest to the smallest class of one size standard."""
LEAST_POWER = 0.1
N_LEVELS = 4000
"""Quantiles that stand for a weighted distribution of signal-to-noise ratios."""


def _quantiles(ordered: np.ndarray, weight: np.ndarray) -> np.ndarray:
    cumulative = np.cumsum(weight) - 0.5 * weight
    return np.asarray(np.interp((np.arange(N_LEVELS) + 0.5) / N_LEVELS * weight.sum(), cumulative, ordered))


def size_classes(share: np.ndarray) -> np.ndarray:
    """Cut a distribution into `N_CLASSES` of equal share: the part of each size in each, shape (n, n_classes)."""
    after = np.cumsum(share) / share.sum()
    before = after - share / share.sum()
    edges = np.linspace(0.0, 1.0, N_CLASSES + 1)
    inside = np.maximum(np.minimum(after[:, None], edges[1:]) - np.maximum(before[:, None], edges[:-1]), 0.0)
    return np.asarray(inside / np.maximum(inside.sum(axis=1, keepdims=True), 1e-300))


def independent_particles(
    mean_in_view: float, *, view_um: tuple[float, float, float], diffusion_um2_per_s: float, movie_s: float
) -> float:
    """How many independent particles a movie shows.

    The number in view of free particles is Poisson at each moment, but the same particles stay and come back: the mean
    over a time T has the variance mean * (2 / T^2) integral_0^T (T - t) f(t) dt, with f(t) the chance that a particle
    in the volume at one time is there a time t later, a product of erf(b) - (1 - exp(-b^2)) / (b sqrt(pi)),
    b = L / sqrt(4 D t), over the three sides.

    Parameters
    ----------
    mean_in_view : float
        Mean number of particles in view.
    view_um : (float, float, float)
        Height, width and depth of the view.
    diffusion_um2_per_s : float
        Typical diffusion coefficient.
    movie_s : float
        Length of the movie.

    Returns
    -------
    float
        Number whose Poisson scatter equals that of the mean.

    References
    ----------
    von Smoluchowski M, Ann Phys 1916;353:1103 (probability after-effect).

    Examples
    --------
    >>> round(independent_particles(50.0, view_um=(80.0, 100.0, 8.0), diffusion_um2_per_s=1e-9, movie_s=50.0))
    50
    """
    time = (np.arange(400) + 0.5) / 400 * movie_s
    stay = np.ones_like(time)
    for side in view_um:
        b = side / np.sqrt(4.0 * diffusion_um2_per_s * time)
        stay = stay * (erf(b) - (1.0 - np.exp(-(b**2))) / (b * math.sqrt(math.pi)))
    kept = float(np.mean((1.0 - time / movie_s) * stay) * 2.0)
    return mean_in_view / max(kept, 1e-9)


def concentration_interval(
    concentration: float, *, n_independent: float, relative_uncertainty: float, level: float = 0.95
) -> tuple[float, float]:
    """Two-sided interval: Poisson scatter of the independent particles and the doubt about the volume together.

    The exact gamma interval of a Poisson mean holds for `n_independent`; the relative uncertainty of the volume widens
    it as fewer independent particles would.

    Examples
    --------
    >>> low, high = concentration_interval(1e8, n_independent=100.0, relative_uncertainty=0.0)
    >>> round(low / 1e8, 3), round(high / 1e8, 3)
    (0.814, 1.216)
    """
    effective = 1.0 / (1.0 / max(n_independent, 1e-9) + relative_uncertainty**2)
    tail = 0.5 * (1.0 - level)
    low = float(gamma.ppf(tail, effective)) / effective
    high = float(gamma.ppf(1.0 - tail, effective + 1.0)) / effective
    return concentration * low, concentration * high


def calibrate_volume(
    mean_in_view: float,
    *,
    known_concentration_per_ml: float,
    relative_uncertainty: float = 0.0,
    n_independent: float = math.inf,
    brightness_over_threshold: float | None = None,
) -> DetectionVolume:
    """Find the detection volume from beads of known concentration: number in view over concentration.

    Parameters
    ----------
    mean_in_view : float
        Mean number of beads in view (`VesicleMeasurement.particles_in_view`).
    known_concentration_per_ml : float
        Of the beads in the cell, after dilution.
    relative_uncertainty : float
        Standard uncertainty of that concentration, relative.
    n_independent : float
        Independent beads seen; its Poisson scatter is added.
    brightness_over_threshold : float, optional
        Of the beads (`VesicleMeasurement.brightness_over_threshold`), to scale the depth with brightness.

    Returns
    -------
    DetectionVolume
        For `measure_movie`.

    Examples
    --------
    >>> calibrate_volume(50.0, known_concentration_per_ml=5e8).volume_um3
    100000.0
    """
    if not known_concentration_per_ml > 0.0 or not mean_in_view > 0.0:
        raise InputError(
            f"known_concentration_per_ml and mean_in_view must be positive, got {known_concentration_per_ml} and "
            f"{mean_in_view}"
        )
    return DetectionVolume(
        mean_in_view / known_concentration_per_ml * UM3_PER_ML,
        brightness_over_threshold,
        math.sqrt(relative_uncertainty**2 + 1.0 / n_independent),
    )
