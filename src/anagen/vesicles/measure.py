"""Measures one movie: from frames to sizes and number, with what a reader must know about them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from anagen.errors import InputError, NotEnoughDataError
from anagen.units import NM_PER_UM
from anagen.vesicles.diffusion import blur_coefficient, log_likelihood, step_spectra
from anagen.vesicles.link import Spots
from anagen.vesicles.locate import DEFAULT_THRESHOLD, SpotModel, learn_spots, locate_spots
from anagen.vesicles.measurement import Jumps, Tracks, VesicleMeasurement
from anagen.vesicles.noise import pooled_noise
from anagen.vesicles.pairs import EnsembleSteps, ensemble_steps
from anagen.vesicles.sizes import GRID_NM, SizeDistribution, deconvolve_sizes
from anagen.vesicles.steps import TrackedSteps, search_radius_px, track_spots
from anagen.vesicles.water import size_times_diffusion, water_viscosity_mpa_s

FRAMES_TO_LEARN = 30
MIN_FRAMES = 10
MIN_TRACKS = 10
LOST_STEPS = 0.002
"""Share of true steps that the search radius may cut off when density allows."""
MAX_RIVALS = 0.5
"""Mean number of other particles within the search radius that linking may meet."""
SEED = 20121


def measure_movie(
    movie: np.ndarray | Iterable[np.ndarray],
    *,
    um_per_px: float,
    frames_per_s: float,
    temperature_c: float,
    exposure_s: float | None = None,
    viscosity_mpa_s: float | None = None,
    dilution: float = 1.0,
    min_track_frames: int = 5,
    spot_sigma_px: float | None = None,
    dark_on_bright: bool | None = None,
    threshold: float = DEFAULT_THRESHOLD,
    max_step_px: float | None = None,
) -> VesicleMeasurement:
    """Sizes and concentration of diffusing particles by tracking them.

    Parameters
    ----------
    movie : ndarray, shape (T, H, W), or iterable of ndarray, shape (H, W)
        uint8 or uint16; frames are read once and not kept.
    um_per_px : float
        Scale in the sample plane.
    frames_per_s : float
        Frame rate.
    temperature_c : float
        Of the sample; 1 K is worth 2.7 % of size.
    exposure_s : float, optional
        Open time of the shutter; a whole frame when not given. The noise that all tracks share takes up most of an
        error here.
    viscosity_mpa_s : float, optional
        Of the liquid; that of water at `temperature_c` when not given.
    dilution : float
        Factor by which the sample was diluted before measurement, at least 1.
    min_track_frames : int
        Shortest track used, at least 2.
    spot_sigma_px, dark_on_bright : float, bool, optional
        Width and polarity of the spots; learned from the first frames when not given.
    threshold : float
        Signal-to-noise ratio that a spot needs.
    max_step_px : float, optional
        Search radius; from the motion and density seen when not given.

    Returns
    -------
    VesicleMeasurement
        With flags.

    Raises
    ------
    InputError
        When an argument or a frame is not what it should be.
    NotEnoughDataError
        When there is nothing to measure: no spots, too few frames or tracks.
    """
    viscosity_mpa_s = _check(
        um_per_px, frames_per_s, temperature_c, exposure_s, viscosity_mpa_s, dilution, min_track_frames
    )
    exposure_s = 1.0 / frames_per_s if exposure_s is None else exposure_s
    seen = find_spots(movie, spot_sigma_px=spot_sigma_px, dark_on_bright=dark_on_bright, threshold=threshold)
    crowd, reach_px = _plan_linking(seen, max_step_px)
    tracked = track_spots(seen.spots, crowd, max_step_px=reach_px, min_frames=min_track_frames)
    if tracked.n_tracks < MIN_TRACKS:
        raise NotEnoughDataError(
            f"only {tracked.n_tracks} tracks of {min_track_frames} or more frames; {MIN_TRACKS} are needed for any "
            "size: record longer, or a more concentrated sample"
        )
    blur = blur_coefficient(exposure_s, 1.0 / frames_per_s)
    spectra = step_spectra(tracked.step_px, tracked.start)
    a, b = pooled_noise(
        spectra, tracked.sharpness_px2, blur=blur, max_step_px=reach_px, typical_px2=crowd.typical_variance_px2
    )
    noise_px2 = a + b * tracked.sharpness_px2
    product = size_times_diffusion(temperature_c, viscosity_mpa_s)
    diffusion_px2 = product / GRID_NM / (um_per_px**2 * frames_per_s)
    likelihood = log_likelihood(spectra, diffusion_px2, noise_px2, blur=blur, max_step_px=reach_px)
    sizes = deconvolve_sizes(likelihood, tracked.n_frames.astype(float), rng=np.random.default_rng(SEED))
    typical_noise_px2 = float(np.average(noise_px2, weights=tracked.n_frames))
    step_variance_px2 = 2.0 * diffusion_px2 * (1.0 - 2.0 * blur) + 2.0 * typical_noise_px2
    drift = tracked.drift_px.mean(axis=0) * um_per_px * frames_per_s
    return VesicleMeasurement(
        sizes=sizes,
        concentration_per_ml=math.nan,
        concentration_interval_per_ml=(math.nan, math.nan),
        detection_volume_um3=math.nan,
        dilution=dilution,
        tracks=_summarize_tracks(seen.spots, tracked, likelihood, product),
        jumps=_jumps(tracked, sizes, step_variance_px2, reach_px, um_per_px),
        paths_px=_paths(seen.spots, tracked),
        n_spots=len(seen.spots.row_px),
        n_frames=seen.spots.n_frames,
        spots_per_frame=len(seen.spots.row_px) / seen.spots.n_frames,
        drift_um_per_s=(float(drift[0]), float(drift[1])),
        localisation_nm=math.sqrt(typical_noise_px2) * um_per_px * NM_PER_UM,
        search_radius_um=reach_px * um_per_px,
        settings={
            "um_per_px": um_per_px,
            "frames_per_s": frames_per_s,
            "exposure_s": exposure_s,
            "temperature_c": temperature_c,
            "viscosity_mpa_s": viscosity_mpa_s,
            "min_track_frames": min_track_frames,
            "spot_sigma_px": seen.model.sigma_px,
            "dark_on_bright": seen.model.dark_on_bright,
            "threshold": threshold,
            "noise_floor_px2": a,
            "noise_slope": b,
        },
        flags=(),
    )


@dataclass(frozen=True, eq=False)
class SpotMovie:
    """Spots of all frames and what the reading showed."""

    spots: Spots
    model: SpotModel
    shape: tuple[int, int]


def find_spots(
    movie: np.ndarray | Iterable[np.ndarray],
    *,
    spot_sigma_px: float | None = None,
    dark_on_bright: bool | None = None,
    threshold: float = DEFAULT_THRESHOLD,
) -> SpotMovie:
    """Read the frames once, in order, and keep only their spots.

    Parameters
    ----------
    movie : ndarray, shape (T, H, W), or iterable of ndarray, shape (H, W)
        uint8 or uint16.
    spot_sigma_px, dark_on_bright, threshold
        As in `measure_movie`.

    Returns
    -------
    SpotMovie
        Spots, what a spot looks like, and the frame's shape.
    """
    frames = _frames(movie)
    first = list(itertools.islice(frames, FRAMES_TO_LEARN))
    if len(first) < MIN_FRAMES:
        raise NotEnoughDataError(f"movie has {len(first)} frames; Brownian motion needs at least {MIN_FRAMES}")
    model = learn_spots(first, sigma_px=spot_sigma_px, dark_on_bright=dark_on_bright, threshold=threshold)
    found = [locate_spots(frame, model) for frame in itertools.chain(first, frames)]
    start = np.concatenate([[0], np.cumsum([len(one) for one in found])]).astype(np.int64)
    table = np.concatenate(found)
    spots = Spots(start, *(np.ascontiguousarray(table[:, k]) for k in range(5)))
    return SpotMovie(spots, model, first[0].shape)


def _frames(movie: np.ndarray | Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    shape: tuple[int, ...] = ()
    if isinstance(movie, np.ndarray) and movie.ndim != 3:
        raise InputError(
            f"movie must have the shape (T, H, W), got {movie.shape}: give grey frames, one after the other"
        )
    for number, frame in enumerate(movie):
        if frame.dtype not in (np.uint8, np.uint16) or frame.ndim != 2:
            raise InputError(
                f"movie frame {number} must be uint8 or uint16 of shape (H, W), got {frame.dtype} {frame.shape}"
            )
        shape = shape or frame.shape
        if frame.shape != shape:
            raise InputError(f"movie frame {number} has the shape {frame.shape}, the first {shape}: give one movie")
        yield frame


def _check(
    um_per_px: float,
    frames_per_s: float,
    temperature_c: float,
    exposure_s: float | None,
    viscosity_mpa_s: float | None,
    dilution: float,
    min_track_frames: int,
) -> float:
    for name, value in (("um_per_px", um_per_px), ("frames_per_s", frames_per_s)):
        if not (math.isfinite(value) and value > 0.0):
            raise InputError(f"{name} must be positive, got {value}")
    if exposure_s is not None and not 0.0 <= exposure_s <= 1.001 / frames_per_s:
        raise InputError(
            f"exposure_s must lie in 0 to 1/frames_per_s = {1.0 / frames_per_s:.4g} s, got {exposure_s}: give seconds"
        )
    if not (math.isfinite(dilution) and dilution >= 1.0):
        raise InputError(f"dilution must be at least 1 (500 for 1 in 500), got {dilution}")
    if min_track_frames < 2:
        raise InputError(f"min_track_frames must be at least 2, got {min_track_frames}")
    if viscosity_mpa_s is None:
        return water_viscosity_mpa_s(temperature_c)
    if not viscosity_mpa_s > 0.0:
        raise InputError(f"viscosity_mpa_s must be positive, got {viscosity_mpa_s}")
    return viscosity_mpa_s


def _plan_linking(seen: SpotMovie, max_step_px: float | None) -> tuple[EnsembleSteps, float]:
    """Look at the crowd's motion, then choose how far to search."""
    longest = min(60.0, 0.4 * min(seen.shape))
    crowd = ensemble_steps(seen.spots, max_reach_px=longest)
    if max_step_px is not None:
        return crowd, max_step_px
    density = len(seen.spots.row_px) / seen.spots.n_frames / (seen.shape[0] * seen.shape[1])
    return crowd, search_radius_px(
        crowd, density_per_px2=density, lost=LOST_STEPS, rivals=MAX_RIVALS, longest_px=longest
    )


def _summarize_tracks(spots: Spots, tracked: TrackedSteps, likelihood: np.ndarray, product: float) -> Tracks:
    """Single-track answers: the most likely size and the width of its likelihood."""
    like = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
    like /= like.sum(axis=1, keepdims=True)
    log_d = np.log(GRID_NM)
    mean = like @ log_d
    spread = np.sqrt(np.maximum(like @ log_d**2 - mean**2, 0.0))
    diameter = GRID_NM[np.argmax(likelihood, axis=1)]
    first = tracked.spot[tracked.first_spot]
    return Tracks(
        first_frame=spots.frame[first],
        n_frames=tracked.n_frames,
        row_px=tracked.mean_of(spots.row_px),
        col_px=tracked.mean_of(spots.col_px),
        diffusion_um2_per_s=product / diameter,
        diameter_nm=diameter,
        relative_sd=spread,
        brightness=tracked.mean_of(2.0 * math.pi * spots.sigma_px**2 * spots.peak),
        snr=tracked.mean_of(spots.snr),
    )


def _jumps(
    tracked: TrackedSteps,
    sizes: SizeDistribution,
    variance_px2: np.ndarray,
    reach_px: float,
    um_per_px: float,
) -> Jumps:
    """Step lengths seen against the Rayleigh distributions of the measured sizes, cut at the search radius."""
    edges = np.linspace(0.0, reach_px, 41)
    counts, _ = np.histogram(np.hypot(*tracked.step_px.T), edges)
    share = sizes.density * np.gradient(sizes.diameter_nm)
    tails = np.exp(-(edges[:, None] ** 2) / (2.0 * variance_px2))
    inside = (tails[:-1] - tails[1:]) / (1.0 - tails[-1])
    return Jumps(edges * um_per_px, counts, inside @ (share / share.sum()) * counts.sum())


def _paths(spots: Spots, tracked: TrackedSteps) -> tuple[np.ndarray, ...]:
    """Up to 60 tracks that cross the middle of the movie."""
    middle = spots.n_frames // 2
    first = spots.frame[tracked.spot[tracked.first_spot]]
    crossing = np.nonzero((first <= middle) & (first + tracked.n_frames > middle))[0][:60]
    paths = []
    for track in crossing:
        begin = tracked.first_spot[track]
        which = tracked.spot[begin : begin + tracked.n_frames[track]]
        paths.append(np.round(np.stack([spots.row_px[which], spots.col_px[which]], axis=1).astype(float), 1))
    return tuple(paths)
