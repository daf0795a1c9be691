"""From particles in view to particles per ml: the depth in which a size is seen, and how many were independent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import erf
from scipy.stats import gamma

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
N_CLASSES = 6


@dataclass(frozen=True, eq=False)
class DepthProfile:
    """How much deeper brighter particles are seen, as this movie shows it.

    A particle anywhere in the depth is equally likely, so the share of the frames of the brightest particles in which
    they would still be found, were they dimmer by a factor, is the depth in which particles dimmer by that factor are
    seen, relative to theirs. No law of the light or the lens is assumed.

    Parameters
    ----------
    bright_snr : ndarray, sorted
        Signal-to-noise ratios of the brightest class over the threshold, every frame.
    power : float
        Brightness grows as diameter to this power, from the classes of size.
    bright_nm : float
        Median size of the brightest class.
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


def learn_depths(snr_over_threshold: np.ndarray, diameter_nm: np.ndarray) -> DepthProfile:
    """Find how brightness and depth grow with size.

    Parameters
    ----------
    snr_over_threshold : ndarray, shape (n_spots,)
        Of every spot in a track.
    diameter_nm : ndarray, shape (n_spots,)
        Size of the particle whose track it is in.

    Returns
    -------
    DepthProfile
        Relative depths.
    """
    edges = np.quantile(diameter_nm, np.linspace(0.0, 1.0, N_CLASSES + 1))
    which = np.clip(np.searchsorted(edges, diameter_nm, "right") - 1, 0, N_CLASSES - 1)
    median = np.array([np.median(diameter_nm[which == k]) if np.any(which == k) else np.nan for k in range(N_CLASSES)])
    bright = np.sort(snr_over_threshold[which == N_CLASSES - 1])
    profile = DepthProfile(bright, 0.0, float(median[-1]))
    tops = [
        np.quantile(snr_over_threshold[which == k], TOP) if np.any(which == k) else np.nan for k in range(N_CLASSES)
    ]
    factor = np.array([profile.dimming_to(float(top)) for top in tops])
    log_d = np.log(median / median[-1])
    usable = np.isfinite(log_d) & np.isfinite(factor)
    spread = float(np.sum(log_d[usable] ** 2))
    if spread < N_CLASSES * 0.05**2:  # one size: nothing to learn, and nothing to correct
        return profile
    power = float(np.sum(log_d[usable] * np.log(factor[usable])) / spread)
    return DepthProfile(bright, float(np.clip(power, 0.0, 6.0)), float(median[-1]))


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
