"""Measures one movie: from frames to sizes and number, with what a reader must know about them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from anagen.errors import InputError, NotEnoughDataError
from anagen.records import Flag
from anagen.units import NM_PER_UM, UM3_PER_ML
from anagen.vesicles.concentration import (
    TOP,
    DetectionVolume,
    concentration_interval,
    independent_particles,
    learn_depths,
    size_classes,
)
from anagen.vesicles.diffusion import blur_coefficient, relative_likelihood, smear_factor, step_spectra, sum_over_sizes
from anagen.vesicles.drift import vibration_px
from anagen.vesicles.link import Spots
from anagen.vesicles.locate import DEFAULT_THRESHOLD, SpotModel, learn_spots, locate_spots
from anagen.vesicles.measurement import Jumps, Tracks, VesicleMeasurement
from anagen.vesicles.noise import pooled_noise
from anagen.vesicles.pairs import EnsembleSteps, ensemble_steps
from anagen.vesicles.pixels import find_bad_pixels, mend_pixels
from anagen.vesicles.quality import (
    FrameWatch,
    check_movement,
    cut_flags,
    density_flag,
    exposure_flag,
    focus_flag,
    frame_flags,
    motion_flags,
    saturation_flags,
    size_flags,
    smear_flag,
    stuck_flag,
    track_flags,
)
from anagen.vesicles.sizes import GRID_NM, SizeDistribution, deconvolve_sizes
from anagen.vesicles.steps import TrackedSteps, find_stuck, search_radius_px, track_spots
from anagen.vesicles.water import size_times_diffusion, water_viscosity_mpa_s

FRAMES_TO_LEARN = 30
MIN_FRAMES = 10
SMALLEST_REACH = 2.5
"""The search radius must keep 92 % of the steps (1 - exp(-2.5)) of the smallest size that is reported unflagged."""
RELATIVE_SYSTEMATIC = 0.012
"""Standard uncertainty of every size from selection, linking and noise; see docs/methods/vesicles-sizes.md."""
MIN_TRACKS = 10
FEWEST_SPOTS = 0.8
REACH = 6.0
"""The search radius loses exp(-6) = 0.25 % of the steps of fast particles where density allows."""
MAX_RIVALS = 0.3
"""Mean number of other particles within the search radius that linking may meet."""
SHALLOWEST = 0.1
"""Sizes seen in less than this part of the largest ones' depth are counted as seen in it: what the tail of a fitted
distribution says of them is no count."""
WHITE = 0.03
"""A spot whose fitted peak comes this near to the end of the grey scale, as a part of it, is white in the middle."""
SEED = 20121


def measure_movie(
    movie: np.ndarray | Iterable[np.ndarray],
    *,
    um_per_px: float,
    frames_per_s: float,
    temperature_c: float,
    exposure_s: float | None = None,
    viscosity_mpa_s: float | None = None,
    detection_volume: DetectionVolume | float | None = None,
    dilution: float = 1.0,
    min_track_frames: int = 3,
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
    detection_volume : DetectionVolume or float, optional
        Volume that the instrument sees, from `calibrate_volume` or in um3; without it there is no concentration.
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
    if isinstance(detection_volume, int | float):
        detection_volume = DetectionVolume(float(detection_volume))
    exposure_given = exposure_s is not None
    exposure_s = 1.0 / frames_per_s if exposure_s is None else exposure_s
    seen = find_spots(movie, spot_sigma_px=spot_sigma_px, dark_on_bright=dark_on_bright, threshold=threshold)
    product = size_times_diffusion(temperature_c, viscosity_mpa_s)
    slowest_px2 = product / GRID_NM[-1] / (um_per_px**2 * frames_per_s)
    seen, crowd, reach_px, tracked = _track_free(seen, max_step_px, min_track_frames, slowest_px2)
    blur = blur_coefficient(exposure_s, 1.0 / frames_per_s)
    spectra = step_spectra(tracked.step_px, tracked.start, tracked.room_px(seen.spots))
    noise = pooled_noise(
        spectra, tracked.error_px2, blur=blur, max_step_px=reach_px, typical_px2=crowd.typical_variance_px2
    )
    noise_px2 = noise.variance_px2(tracked.error_px2)
    blur = noise.blur
    smear = smear_factor(tracked.step_px, tracked.start)
    product /= smear
    diffusion_px2 = product / GRID_NM / (um_per_px**2 * frames_per_s)
    likelihood = relative_likelihood(spectra, diffusion_px2, noise_px2, blur=blur, max_step_px=reach_px)
    del spectra  # a long movie's steps are not held twice
    view = _View.of(seen, crowd, um_per_px, frames_per_s, detection_volume)
    typical_noise_px2 = float(np.average(noise_px2, weights=tracked.n_frames))
    step_variance_px2 = 2.0 * diffusion_px2 * (1.0 - 2.0 * blur) + 2.0 * typical_noise_px2
    followed = np.searchsorted(-step_variance_px2, -(reach_px**2) / (2.0 * SMALLEST_REACH))
    smallest_nm = float(GRID_NM[min(int(followed), len(GRID_NM) - 1)])
    sizes = deconvolve_sizes(
        likelihood,
        tracked.n_frames,
        rng=np.random.default_rng(SEED),
        n_independent=view.n_independent,
        relative_systematic=RELATIVE_SYSTEMATIC,
        smallest_nm=smallest_nm,
    )
    count = _count(seen, tracked, sizes, likelihood, detection_volume, view.n_independent)
    drift = tracked.drift_px.mean(axis=0) * um_per_px * frames_per_s
    median_px2 = product / sizes.d50_nm / (um_per_px**2 * frames_per_s)
    return VesicleMeasurement(
        sizes=sizes,
        concentration_per_ml=count.per_ml * dilution,
        concentration_interval_per_ml=(count.interval_per_ml[0] * dilution, count.interval_per_ml[1] * dilution),
        detection_volume_um3=count.volume_um3,
        depth_ratio=count.depth_ratio,
        particles_in_view=count.in_view,
        n_independent=view.n_independent,
        brightness_over_threshold=count.brightness_over_threshold,
        dilution=dilution,
        tracks=_summarize_tracks(seen.spots, tracked, likelihood, product * smear),
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
            "noise_floor_px2": noise.floor_px2,
            "noise_slope": noise.slope,
            "blur_coefficient": noise.blur,
            "smear_factor": smear,
        },
        flags=_flags(
            seen,
            tracked,
            sizes,
            likelihood,
            step_variance_px2,
            smallest_nm,
            count,
            view,
            smear,
            math.sqrt(median_px2 * exposure_s * frames_per_s / 3.0) if exposure_given else 0.0,
            exposure_given=exposure_given,
        ),
    )


def _track_free(
    seen: SpotMovie, max_step_px: float | None, min_track_frames: int, slowest_px2: float
) -> tuple[SpotMovie, EnsembleSteps, float, TrackedSteps]:
    """Tracks of what moves; `seen` comes back without what is stuck."""
    while True:
        per_frame = len(seen.spots.row_px) / seen.spots.n_frames
        if per_frame < FEWEST_SPOTS:
            stuck = f"{100 * seen.stuck:.0f} % of the spots do not move and " if seen.stuck > 0.0 else ""
            raise NotEnoughDataError(
                f"no particles: {stuck}{per_frame:.2g} spots a frame is what noise gives; check focus, light and "
                "dilution"
            )
        crowd, reach_px = plan_linking(seen, max_step_px)
        tracked = track_spots(seen.spots, crowd, max_step_px=reach_px, min_frames=min_track_frames)
        if tracked.n_tracks < MIN_TRACKS:
            raise NotEnoughDataError(
                f"only {tracked.n_tracks} tracks of {min_track_frames} or more frames; {MIN_TRACKS} are needed for any "
                "size: record longer, or a more concentrated sample"
            )
        stuck_spots = find_stuck(seen.spots, tracked, slowest_px2=slowest_px2)
        if not stuck_spots.any():
            return seen, crowd, reach_px, tracked
        del tracked  # a long movie's tracks are not held twice
        left = 1.0 - (1.0 - seen.stuck) * (1.0 - float(stuck_spots.mean()))
        seen = replace(seen, spots=seen.spots.only(~stuck_spots), stuck=left)


@dataclass(frozen=True, eq=False)
class SpotMovie:
    """Spots of all frames and what the reading showed; `stuck` is the share of spots left out as they do not move."""

    spots: Spots
    model: SpotModel
    shape: tuple[int, int]
    watch: FrameWatch
    white: float
    snr_needed: float
    stuck: float = 0.0


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
    watch = FrameWatch()
    frames = _frames(movie, watch)
    first = list(itertools.islice(frames, FRAMES_TO_LEARN))
    if len(first) < MIN_FRAMES:
        raise NotEnoughDataError(f"movie has {len(first)} frames; Brownian motion needs at least {MIN_FRAMES}")
    bad = find_bad_pixels(first)
    first = [mend_pixels(frame, bad) for frame in first]
    model = learn_spots(first, sigma_px=spot_sigma_px, dark_on_bright=dark_on_bright, threshold=threshold)
    rest = (mend_pixels(frame, bad) for frame in frames)
    found = [locate_spots(frame, model) for frame in itertools.chain(first, rest)]
    start = np.concatenate([[0], np.cumsum([len(one) for one in found])]).astype(np.int64)
    table = np.concatenate(found)
    spots = Spots(start, *(np.ascontiguousarray(table[:, k]) for k in range(6)))
    check_movement(watch)
    return SpotMovie(spots, model, (first[0].shape[0], first[0].shape[1]), watch, watch.white, threshold)


def _frames(movie: np.ndarray | Iterable[np.ndarray], watch: FrameWatch) -> Iterator[np.ndarray]:
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
        watch.see(frame)
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


def plan_linking(seen: SpotMovie, max_step_px: float | None) -> tuple[EnsembleSteps, float]:
    """Look at the crowd's motion, then choose how far to search.

    Parameters
    ----------
    seen : SpotMovie
        From `find_spots`.
    max_step_px : float or None
        Search radius, where the user gave one.

    Returns
    -------
    crowd : EnsembleSteps
        Motion seen without linking.
    reach_px : float
        Search radius.
    """
    longest = min(60.0, 0.4 * min(seen.shape))
    crowd = ensemble_steps(seen.spots, max_reach_px=longest)
    if max_step_px is not None:
        return crowd, max_step_px
    density = len(seen.spots.row_px) / seen.spots.n_frames / (seen.shape[0] * seen.shape[1])
    return crowd, search_radius_px(crowd, density_per_px2=density, reach=REACH, rivals=MAX_RIVALS, longest_px=longest)


@dataclass(frozen=True)
class _View:
    """What can be seen at once, and how often it is renewed."""

    depth_um: float
    n_independent: float
    step_px: float

    @classmethod
    def of(
        cls,
        seen: SpotMovie,
        crowd: EnsembleSteps,
        um_per_px: float,
        frames_per_s: float,
        volume: DetectionVolume | None,
    ) -> _View:
        """Depth from the volume, or from how fast particles are lost: sqrt(4 D t / pi) / depth a frame."""
        height, width = seen.shape[0] * um_per_px, seen.shape[1] * um_per_px
        diffusion = 0.5 * crowd.typical_variance_px2 * um_per_px**2 * frames_per_s
        leaving = math.sqrt(4.0 * diffusion / (math.pi * frames_per_s))
        if volume is not None:
            depth = volume.volume_um3 / (height * width)
        else:
            lost = 1.0 - crowd.linkable - leaving / height - leaving / width
            depth = leaving / float(np.clip(lost, 0.01, 0.5))
        mean = len(seen.spots.row_px) / seen.spots.n_frames
        n = independent_particles(
            mean,
            view_um=(height, width, depth),
            diffusion_um2_per_s=diffusion,
            movie_s=seen.spots.n_frames / frames_per_s,
        )
        return cls(depth, n, math.sqrt(crowd.typical_variance_px2))


@dataclass(frozen=True, eq=False)
class _Count:
    """How many particles, and in what volume."""

    per_ml: float
    interval_per_ml: tuple[float, float]
    volume_um3: float
    in_view: float
    depth_ratio: np.ndarray
    brightness_over_threshold: float


def _count(
    seen: SpotMovie,
    tracked: TrackedSteps,
    sizes: SizeDistribution,
    likelihood: np.ndarray,
    volume: DetectionVolume | None,
    n_independent: float,
) -> _Count:
    """Particles per ml in the cell: each track's time in view over the volume in which its size is seen."""
    prior = sizes.density * np.gradient(sizes.diameter_nm) + 1e-12
    total = sum_over_sizes(likelihood, prior)
    membership = sum_over_sizes(likelihood, prior[:, None] * size_classes(prior)) / total[:, None]
    in_class = membership * tracked.n_frames[:, None]
    log_nm = sum_over_sizes(likelihood, prior * np.log(GRID_NM)) / total
    class_nm = np.exp(log_nm @ in_class / in_class.sum(axis=0))
    snr = seen.spots.snr[tracked.spot] / seen.snr_needed
    profile = learn_depths(snr, tracked.n_frames, membership, class_nm)
    top = float(np.quantile(snr, TOP))
    whole = np.maximum(profile.depth_of_size(GRID_NM), SHALLOWEST)
    if volume is None or volume.brightness_over_threshold is None:
        ratio = np.ones_like(whole)
    else:
        ratio = whole / profile.depth(profile.dimming_to(volume.brightness_over_threshold))
    in_view = float(tracked.n_linked.sum() + tracked.n_begun) / seen.spots.n_frames
    if volume is None:
        return _Count(math.nan, (math.nan, math.nan), math.nan, in_view, ratio, top)
    thinning = float(np.average(sum_over_sizes(likelihood, prior / ratio) / total, weights=tracked.n_frames))
    per_ml = in_view * thinning / volume.volume_um3 * UM3_PER_ML
    interval = concentration_interval(
        per_ml, n_independent=n_independent, relative_uncertainty=volume.relative_uncertainty
    )
    return _Count(per_ml, interval, volume.volume_um3 / thinning, in_view, ratio, top)


def _flags(
    seen: SpotMovie,
    tracked: TrackedSteps,
    sizes: SizeDistribution,
    likelihood: np.ndarray,
    step_variance_px2: np.ndarray,
    smallest_nm: float,
    count: _Count,
    view: _View,
    smear: float,
    smear_px: float,
    *,
    exposure_given: bool,
) -> tuple[Flag, ...]:
    spots = seen.spots
    n_spots = np.diff(spots.start)
    per_track = np.add.reduceat(np.mean(tracked.step_px**2, axis=1), tracked.start[:-1])
    own = (per_track + 4.0 * view.step_px**2) / (tracked.n_frames + 3.0)
    shake = vibration_px(tracked.step_frame, tracked.step_px, np.repeat(own, tracked.n_frames - 1))
    room = seen.model.background if seen.model.dark_on_bright else seen.white - seen.model.background
    white = spots.peak[tracked.spot] > room - WHITE * seen.white
    prior = sizes.density * np.gradient(sizes.diameter_nm) + 1e-12
    are_large = sizes.diameter_nm >= sizes.d90_nm
    large = sum_over_sizes(likelihood, prior * are_large) / sum_over_sizes(likelihood, prior)
    flags = frame_flags(seen.watch)
    flags += saturation_flags(white, np.repeat(large, tracked.n_frames))
    flags += cut_flags(tracked.n_linked, n_spots, np.array(seen.watch.mean))
    # the step of the median particle as tracked: what was seen before linking counts faint false spots' leaps as steps
    step_px = math.sqrt(float(np.interp(sizes.d50_nm, GRID_NM, step_variance_px2)))
    flags += exposure_flag(smear_px, seen.model.sigma_px)
    flags += stuck_flag(seen.stuck)
    flags += density_flag(float(np.mean(n_spots)), seen.shape, step_px)
    flags += motion_flags(tracked.drift_px, shake, view.step_px)
    flags += track_flags(tracked.n_tracks, view.n_independent)
    flags += size_flags(sizes, smallest_nm)
    flags += smear_flag(smear)
    flags += focus_flag(spots.sigma_px / seen.model.sigma_px)
    if math.isnan(count.volume_um3):
        flags.append(
            Flag(
                "no-detection-volume",
                "note",
                f"no concentration: {count.in_view:.1f} particles in view, but in an unknown volume",
                "give detection_volume, or calibrate it with beads of known concentration",
                count.in_view,
            )
        )
    if not exposure_given:
        flags.append(Flag("exposure-assumed", "note", "exposure taken as a whole frame", "give exposure_s"))
    return tuple(flags)


def _summarize_tracks(spots: Spots, tracked: TrackedSteps, likelihood: np.ndarray, product: float) -> Tracks:
    """Single-track answers: the most likely size and the width of its likelihood."""
    log_d = np.log(GRID_NM)
    total, first, second = sum_over_sizes(likelihood, np.stack([np.ones_like(log_d), log_d, log_d**2], axis=1)).T
    mean = first / total
    spread = np.sqrt(np.maximum(second / total - mean**2, 0.0))
    diameter = GRID_NM[np.argmax(likelihood, axis=1)]
    begin = tracked.spot[tracked.first_spot]
    return Tracks(
        first_frame=spots.frame[begin],
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
    crossing = np.nonzero((first <= middle) & (first + tracked.n_frames > middle))[0]
    crossing = crossing[np.argsort(first[crossing], kind="stable")][:60]
    paths = []
    for track in crossing:
        begin = tracked.first_spot[track]
        which = tracked.spot[begin : begin + tracked.n_frames[track]]
        paths.append(np.round(np.stack([spots.row_px[which], spots.col_px[which]], axis=1).astype(float), 1))
    return tuple(paths)
