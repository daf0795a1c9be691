"""Movies of Brownian particles whose sizes, places and number are known, to see whether a measurement finds them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numba import njit
from scipy.special import j0, ndtri

from anagen.errors import InputError
from anagen.units import BOLTZMANN_J_PER_K, KELVIN_AT_0_C, UM3_PER_ML

Sizes: TypeAlias = Callable[[np.random.Generator, int], np.ndarray]
"""Draws n diameters in nm."""


@dataclass(frozen=True)
class Optics:
    """What turns particles into grey values.

    Parameters
    ----------
    psf : {"gaussian", "airy"}
        Shape of the image of a point; ``airy`` is the scalar diffraction pattern, with its rings, in and out of focus.
    psf_sigma_px : float
        Standard deviation of the in-focus spot; for ``airy`` that of the Gaussian with the same core.
    rayleigh_um : float
        Defocus that widens a Gaussian spot by sqrt(2).
    sheet_waist_um : float
        The light falls as exp(-2 z^2 / waist^2); infinite for even light.
    brightness : float
        Peak grey value over the background of a still, in-focus particle of 100 nm.
    brightness_power : float
        Brightness grows as diameter to this power: 6 for Rayleigh scattering, 2 to 4 for larger or labelled particles.
    brightness_cv : float
        Scatter of brightness between particles of one size (log-normal).
    background, gain, read_noise : float
        Mean grey level; grey levels per photo-electron; Gaussian noise in grey levels.
    uneven : float
        Relative amplitude of a slow wave in the background.
    dark_on_bright : bool
        Particles take light away instead of giving it.
    """

    psf: Literal["gaussian", "airy"] = "gaussian"
    psf_sigma_px: float = 1.5
    rayleigh_um: float = 2.0
    sheet_waist_um: float = 4.0
    brightness: float = 50.0
    brightness_power: float = 2.0
    brightness_cv: float = 0.1
    background: float = 12.0
    gain: float = 1.0
    read_noise: float = 0.0
    uneven: float = 0.0
    dark_on_bright: bool = False


@dataclass(frozen=True, eq=False)
class MovieTruth:
    """What was planted.

    Parameters
    ----------
    diameter_nm, diffusion_um2_per_s : ndarray, shape (n,)
        One entry a particle of the box.
    position_px : ndarray, shape (T, n, 2)
        (row, col), mean over the exposure.
    depth_um : ndarray, shape (T, n)
        Distance from the focal plane, mean over the exposure.
    spot_snr : ndarray, shape (T, n)
        Expected signal-to-noise ratio of the spot under a matched filter; 0 outside the view.
    concentration_per_ml : float
        Particles per volume of the box.
    """

    diameter_nm: np.ndarray
    diffusion_um2_per_s: np.ndarray
    position_px: np.ndarray
    depth_um: np.ndarray
    spot_snr: np.ndarray
    concentration_per_ml: float

    def visible(self, snr: float = 6.0) -> np.ndarray:
        """Which particles show a spot of at least this signal-to-noise ratio, shape (T, n)."""
        return np.asarray(self.spot_snr >= snr)

    def in_view_percentiles_nm(self, percentiles: tuple[float, ...] = (10, 50, 90), snr: float = 6.0) -> np.ndarray:
        """Percentiles of the diameters in view, each particle weighted by the frames that show it."""
        order = np.argsort(self.diameter_nm)
        weight = self.visible(snr).sum(axis=0)[order].astype(float)
        middle = (np.cumsum(weight) - 0.5 * weight) / weight.sum()
        return np.asarray(np.interp(np.asarray(percentiles) / 100.0, middle, self.diameter_nm[order]))


@dataclass(frozen=True, eq=False)
class SimulatedMovie:
    """A movie, shape (T, H, W), uint8 or uint16, and its truth."""

    movie: np.ndarray
    truth: MovieTruth


def simulate_movie(
    rng: np.random.Generator,
    *,
    sizes_nm: Sizes | np.ndarray,
    n_frames: int = 1498,
    shape: tuple[int, int] = (480, 640),
    n_particles: int | None = None,
    concentration_per_ml: float | None = None,
    um_per_px: float = 0.166,
    frames_per_s: float = 30.0,
    exposure_s: float = 0.015,
    temperature_c: float = 25.0,
    viscosity_mpa_s: float = 0.89,
    optics: Optics | None = None,
    drift_px_per_frame: tuple[float, float] = (0.0, 0.0),
    vibration_px: float = 0.0,
    half_depth_um: float = 10.0,
    margin_px: int = 40,
    n_substeps: int = 6,
    max_value: int = 255,
) -> SimulatedMovie:
    """Render freely diffusing spheres in a box that is wider and deeper than the view.

    Particles move by Gaussian steps of variance 2 D t with D = kB T / (3 pi eta d) (Einstein 1905), leave the view
    and the focus and come back; the box is periodic, its edges out of sight. Light is collected at `n_substeps`
    moments of the exposure, so fast particles blur.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness.
    sizes_nm : callable or ndarray
        Diameters, or how to draw them: `lognormal_sizes`, `bead_sizes`, `mixed_sizes`.
    n_frames, shape : int, (int, int)
        Length and (H, W) of the movie.
    n_particles : int, optional
        Number in the box; or give `concentration_per_ml`; with an array of sizes neither is needed.
    concentration_per_ml : float, optional
        Number per ml.
    um_per_px, frames_per_s, exposure_s : float
        Scale, frame rate, open time of the shutter (at most one frame).
    temperature_c, viscosity_mpa_s : float
        Of the liquid; 0.89 mPa s is water at 25 C.
    optics : Optics, optional
        Light, lens and camera.
    drift_px_per_frame : (float, float)
        Flow, (row, col).
    vibration_px : float
        Standard deviation of a common shake, new in each frame.
    half_depth_um : float
        The box reaches this far on both sides of the focus.
    margin_px : int
        The box reaches this far beyond each side of the view.
    n_substeps : int
        Moments of an exposure; the discrete blur is (1 - 1/n^2) of a continuous one.
    max_value : int
        White: 255 gives uint8, more gives uint16.

    Returns
    -------
    SimulatedMovie
        The movie and what was planted.

    Raises
    ------
    InputError
        When no number of particles follows from the arguments, or the exposure is longer than a frame.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> m = simulate_movie(rng, sizes_nm=np.full(5, 100.0), n_frames=3, shape=(64, 64))
    >>> m.movie.shape, m.movie.dtype.name, round(float(m.truth.diffusion_um2_per_s[0]), 2)
    ((3, 64, 64), 'uint8', 4.91)
    """
    optics = optics or Optics()
    if not 0.0 < exposure_s <= 1.0 / frames_per_s:
        raise InputError(f"exposure_s must lie in (0, 1/frames_per_s], got {exposure_s} at {frames_per_s} frames/s")
    box_um = np.array(
        [(shape[0] + 2 * margin_px) * um_per_px, (shape[1] + 2 * margin_px) * um_per_px, 2.0 * half_depth_um]
    )
    diameter_nm = _draw_sizes(rng, sizes_nm, n_particles, concentration_per_ml, float(np.prod(box_um)))
    diffusion = stokes_einstein_um2_per_s(diameter_nm, temperature_c, viscosity_mpa_s)
    energy = _spot_energy(rng, diameter_nm, optics)
    start = rng.random((diameter_nm.size, 3)) * box_um - np.array([margin_px * um_per_px] * 2 + [half_depth_um])
    shake = vibration_px * rng.standard_normal((n_frames, 2))
    table, radius_px = _airy_table(optics) if optics.psf == "airy" else (np.zeros((1, 1), np.float32), 0.0)
    movie = np.empty((n_frames, *shape), np.uint8 if max_value <= 255 else np.uint16)
    place = np.empty((n_frames, diameter_nm.size, 3), np.float32)
    _render(
        rng,
        movie,
        place,
        start,
        diffusion,
        energy,
        shake,
        _background(shape, optics),
        table,
        ndtri((np.arange(65536) + 0.5) / 65536).astype(np.float32),
        np.array(
            [
                um_per_px,
                1.0 / frames_per_s,
                exposure_s,
                drift_px_per_frame[0],
                drift_px_per_frame[1],
                half_depth_um,
                margin_px,
                optics.psf_sigma_px,
                optics.rayleigh_um,
                optics.sheet_waist_um,
                optics.gain,
                optics.read_noise,
                -1.0 if optics.dark_on_bright else 1.0,
                radius_px,
                max_value,
            ]
        ),
        n_substeps,
        np.uint64(rng.integers(1, 2**63)),
    )
    position_px, depth_um = np.ascontiguousarray(place[..., :2]), np.ascontiguousarray(place[..., 2])
    snr = _spot_snr(position_px, depth_um, shape, energy, diffusion * exposure_s / um_per_px**2, optics)
    concentration = diameter_nm.size / float(np.prod(box_um)) * UM3_PER_ML
    return SimulatedMovie(movie, MovieTruth(diameter_nm, diffusion, position_px, depth_um, snr, concentration))


def stokes_einstein_um2_per_s(diameter_nm: np.ndarray, temperature_c: float, viscosity_mpa_s: float) -> np.ndarray:
    """Diffusion coefficient of spheres, kB T / (3 pi eta d) (Einstein 1905)."""
    kelvin = temperature_c + KELVIN_AT_0_C
    diffusion_m2_per_s = BOLTZMANN_J_PER_K * kelvin / (3.0 * math.pi * viscosity_mpa_s * 1e-3 * diameter_nm * 1e-9)
    return np.asarray(diffusion_m2_per_s * 1e12)


def lognormal_sizes(median_nm: float, geometric_sd: float) -> Sizes:
    """Diameters whose logarithm is normal."""
    return lambda rng, n: np.asarray(median_nm * np.exp(math.log(geometric_sd) * rng.standard_normal(n)))


def bead_sizes(mean_nm: float, cv: float = 0.03) -> Sizes:
    """Diameters of a size standard: normal with a small coefficient of variation."""
    return lambda rng, n: np.asarray(mean_nm * (1.0 + cv * rng.standard_normal(n)))


def mixed_sizes(*kinds: Sizes, shares: tuple[float, ...]) -> Sizes:
    """Several kinds in one sample, by share of number (exact up to rounding)."""

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        ends = np.round(np.cumsum(shares) / np.sum(shares) * n).astype(int)
        counts = np.diff(np.concatenate([[0], ends]))
        return np.concatenate([kind(rng, int(count)) for kind, count in zip(kinds, counts, strict=True)])

    return draw


def _draw_sizes(
    rng: np.random.Generator,
    sizes_nm: Sizes | np.ndarray,
    n_particles: int | None,
    concentration_per_ml: float | None,
    box_um3: float,
) -> np.ndarray:
    if not callable(sizes_nm):
        return np.asarray(sizes_nm, float)
    if n_particles is None and concentration_per_ml is None:
        raise InputError("give n_particles or concentration_per_ml, or sizes_nm as an array")
    if n_particles is None:
        n_particles = int(rng.poisson(float(concentration_per_ml or 0.0) * box_um3 / UM3_PER_ML))
    return np.asarray(sizes_nm(rng, n_particles), float)


def _spot_energy(rng: np.random.Generator, diameter_nm: np.ndarray, optics: Optics) -> np.ndarray:
    """Sum of the grey values of an in-focus spot."""
    spread = math.sqrt(math.log1p(optics.brightness_cv**2))
    scatter = np.exp(spread * rng.standard_normal(diameter_nm.size) - 0.5 * spread**2)
    peak = optics.brightness * (diameter_nm / 100.0) ** optics.brightness_power * scatter
    return np.asarray(2.0 * math.pi * optics.psf_sigma_px**2 * peak)


def _background(shape: tuple[int, int], optics: Optics) -> np.ndarray:
    row, col = np.mgrid[: shape[0], : shape[1]]
    wave = np.sin(2.0 * math.pi * row / shape[0]) * np.cos(2.0 * math.pi * col / shape[1])
    return np.asarray(optics.background * (1.0 + optics.uneven * wave), np.float32)


def _spot_snr(
    position_px: np.ndarray,
    depth_um: np.ndarray,
    shape: tuple[int, int],
    energy: np.ndarray,
    spread_px2: np.ndarray,
    optics: Optics,
) -> np.ndarray:
    """Energy / (2 sqrt(pi) s noise): matched filter, s^2 widened by defocus and by motion (D te / 3)."""
    inside = np.all((position_px >= -0.5) & (position_px <= np.array(shape) - 0.5), axis=2)
    width_px = np.sqrt(optics.psf_sigma_px**2 * (1.0 + (depth_um / optics.rayleigh_um) ** 2) + spread_px2 / 3.0)
    noise = math.sqrt(optics.background * optics.gain + optics.read_noise**2)
    light = energy * np.exp(-2.0 * (depth_um / optics.sheet_waist_um) ** 2)
    return np.asarray(np.where(inside, light / (2.0 * math.sqrt(math.pi) * width_px * noise), 0.0), np.float32)


AIRY_RADII_PER_PX = 4
AIRY_DEPTHS = 64
AIRY_DEPTH_STEP_UM = 0.16


def _airy_table(optics: Optics) -> tuple[np.ndarray, float]:
    """Intensity against radius and defocus, |integral_0^1 J0(v rho) exp(i u rho^2 / 2) rho d rho|^2 (Born & Wolf 8.8).

    The core of an Airy disc is a Gaussian of sigma 1.32 in v; the unit of u follows from the defocus at which
    a Gaussian beam of that waist widens by sqrt(2).
    """
    sigma_in_v = 1.32
    v_per_px = sigma_in_v / optics.psf_sigma_px
    radius_px = 8.0 * optics.psf_sigma_px
    radius = np.arange(int(radius_px * AIRY_RADII_PER_PX * 1.5) + 2) / AIRY_RADII_PER_PX
    depth_um = np.arange(AIRY_DEPTHS) * AIRY_DEPTH_STEP_UM
    rho = (np.arange(200) + 0.5) / 200
    pupil = rho * np.exp(0.5j * (4.0 * depth_um / optics.rayleigh_um)[:, None] * rho**2)
    field: Any = j0(v_per_px * radius[:, None] * rho) @ pupil.T / 200
    intensity = np.abs(field.T) ** 2
    energy = np.sum(intensity * 2.0 * math.pi * radius, axis=1, keepdims=True) / AIRY_RADII_PER_PX
    return np.ascontiguousarray(intensity / energy, np.float32), radius_px


@njit(cache=True, fastmath=True, error_model="numpy")
def _render(rng, movie, place, position, diffusion, energy, shake, background, table, quantile, p, n_sub, seed):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    scale, dt, exposure, drift_row, drift_col, half, margin = p[0], p[1], p[2], p[3], p[4], p[5], p[6]
    sigma, zr, waist, gain, read, sign, airy_radius, white = p[7], p[8], p[9], p[10], p[11], p[12], p[13], p[14]
    n_frames, n_rows, n_cols = movie.shape
    low_row, low_col = -margin * scale, -margin * scale
    box_row, box_col, box_depth = (n_rows + 2 * margin) * scale, (n_cols + 2 * margin) * scale, 2.0 * half
    frame = np.empty((n_rows, n_cols), np.float32)
    between = exposure / n_sub
    state = seed
    for t in range(n_frames):
        frame[:] = background
        for i in range(diffusion.size):
            mean_row = mean_col = mean_depth = 0.0
            ref_row = ref_col = ref_depth = 0.0
            for k in range(n_sub):
                wait = between
                if k == 0:
                    wait = dt - (n_sub - 1) * between if t > 0 else 0.0
                step = np.sqrt(2.0 * diffusion[i] * wait)
                r = position[i, 0] + step * rng.standard_normal() + drift_row * scale * wait / dt
                c = position[i, 1] + step * rng.standard_normal() + drift_col * scale * wait / dt
                z = position[i, 2] + step * rng.standard_normal()
                if k == 0:  # wrap between exposures only: a particle must not jump within one
                    r = low_row + (r - low_row) % box_row
                    c = low_col + (c - low_col) % box_col
                    z = -half + (z + half) % box_depth
                    ref_row, ref_col, ref_depth = r, c, z
                position[i, 0], position[i, 1], position[i, 2] = r, c, z
                mean_row += (r - ref_row) / n_sub
                mean_col += (c - ref_col) / n_sub
                mean_depth += (z - ref_depth) / n_sub
                light = energy[i] * np.exp(-2.0 * (z / waist) ** 2) / n_sub * sign
                row, col = r / scale + shake[t, 0], c / scale + shake[t, 1]
                if abs(light) * n_sub < 1e-3 * sigma * sigma:
                    continue
                if airy_radius > 0.0:
                    _add_airy(frame, row, col, abs(z), light, table, airy_radius)
                else:
                    _add_gaussian(frame, row, col, sigma * np.sqrt(1.0 + (z / zr) ** 2), light)
            place[t, i, 0] = (ref_row + mean_row) / scale + shake[t, 0]
            place[t, i, 1] = (ref_col + mean_col) / scale + shake[t, 1]
            place[t, i, 2] = ref_depth + mean_depth
        state = _add_noise(movie, t, frame, quantile, gain, read, white, state)


@njit(cache=True, fastmath=True, error_model="numpy")
def _add_gaussian(frame, row, col, s, light):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    reach = int(np.ceil(4.0 * s))
    r0, c0 = int(np.round(row)), int(np.round(col))
    top, bottom = max(r0 - reach, 0), min(r0 + reach, frame.shape[0] - 1)
    left, right = max(c0 - reach, 0), min(c0 + reach, frame.shape[1] - 1)
    if top > bottom or left > right:
        return
    across = np.empty(right - left + 1, np.float32)
    for c in range(left, right + 1):
        across[c - left] = np.exp(-0.5 * ((c - col) / s) ** 2)
    peak = light / (2.0 * np.pi * s * s)
    for r in range(top, bottom + 1):
        down = np.float32(peak * np.exp(-0.5 * ((r - row) / s) ** 2))
        for c in range(left, right + 1):
            frame[r, c] += down * across[c - left]


@njit(cache=True, fastmath=True, error_model="numpy")
def _add_airy(frame, row, col, depth, light, table, radius):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    level = min(depth / AIRY_DEPTH_STEP_UM, AIRY_DEPTHS - 1.001)
    lower = int(level)
    part = level - lower
    reach = int(np.ceil(radius))
    r0, c0 = int(np.round(row)), int(np.round(col))
    for r in range(max(r0 - reach, 0), min(r0 + reach, frame.shape[0] - 1) + 1):
        for c in range(max(c0 - reach, 0), min(c0 + reach, frame.shape[1] - 1) + 1):
            at = AIRY_RADII_PER_PX * np.sqrt((r - row) ** 2 + (c - col) ** 2)
            if at > AIRY_RADII_PER_PX * radius:
                continue
            k = int(at)
            f = at - k
            near = (1.0 - f) * table[lower, k] + f * table[lower, k + 1]
            far = (1.0 - f) * table[lower + 1, k] + f * table[lower + 1, k + 1]
            frame[r, c] += light * ((1.0 - part) * near + part * far)


@njit(cache=True, fastmath=True, error_model="numpy")
def _add_noise(movie, t, frame, quantile, gain, read, white, state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    """Photon noise by the Cornish-Fisher expansion n + sqrt(n) z + (z^2 - 1) / 6, which keeps Poisson's skewness."""
    for r in range(frame.shape[0]):
        for c in range(frame.shape[1]):
            state ^= (state << np.uint64(13)) & np.uint64(0xFFFFFFFFFFFFFFFF)
            state ^= state >> np.uint64(7)
            state ^= (state << np.uint64(17)) & np.uint64(0xFFFFFFFFFFFFFFFF)
            z = quantile[(state >> np.uint64(20)) & np.uint64(0xFFFF)]
            photons = max(frame[r, c] / gain, np.float32(0.0))
            value = gain * (photons + np.sqrt(photons) * z + (z * z - 1.0) / 6.0)
            if read > 0.0:
                value += read * quantile[(state >> np.uint64(40)) & np.uint64(0xFFFF)]
            movie[t, r, c] = int(min(max(value + 0.5, 0.0), white))
    return state
