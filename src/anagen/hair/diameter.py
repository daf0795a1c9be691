"""How thick each hair is, with an uncertainty, from its blurred image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from anagen.errors import InputError
from anagen.hair.bar_profile import MAX_ITERATIONS, ProfileFit, ProfileShape, fit_bar
from anagen.hair.strip import Strip, collect_strip, paint_owners, resample_path

DIAMETER_UNRESOLVED = "diameter-unresolved"
DIAMETER_TOUCHING = "diameter-touching"
DIAMETER_GLARE = "diameter-glare"

ROOT_FRACTION, TIP_FRACTION = 0.2, 0.1
"""Ends left out: the root end sinks into the skin and is defocused, the cut tip is rounded by the blur."""

WIDEST_UM = 160.0
"""Beyond the thickest scalp hairs (about 120 um); sets how far from the line the profiles reach."""

SEGMENT_PX = 12.0
"""Longer than the 8 px blocks of JPEG and than any demosaicking or resampling kernel, so that segments are nearly
independent; short enough that a hair's bend inside one is small."""

MAX_RELATIVE_SD = 0.30
"""A hair whose width is known to no better than this is unresolved."""

NARROWEST_IN_SIGMA = 1.0
"""Below this width in units of the blur, a bar's image differs from a line's by less than (1/12)/2 = 4 % of
its second moment: no image says the width then, whatever its noise."""

WIDE_IN_SIGMA = 3.5
"""Hairs wider than this show their blur and their width apart; the image's blur is learnt from them."""

SHAPES = tuple(
    ProfileShape(gamma, absorbance) for gamma in (1.0, 2.2) for absorbance in (math.inf, 12.0, 6.0, 3.5, 2.2, 1.5, 1.0)
)
"""The candidates for an image: transfer linear or sRGB-like; hair opaque to translucent."""

GLARE_WIDTHS = (0.15, 0.25, 0.4)
"""Candidate widths of the glare line over the hair's."""

MAX_SHAPE_HAIRS = 16

UNKNOWN_BLUR = (math.log(2.0), 1.5)
"""Log blur of an image without wide hairs: 0.4 to 9 px within a standard deviation. Thin hairs do not resolve then."""

MODEL_FLOOR = 0.018
"""Relative error left by the model itself (Gaussian blur, one shape for all hairs), from two renderers that do not
follow it (docs/methods/hair-diameter.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class DiameterFit:
    """Diameters of the hairs of one image.

    Parameters
    ----------
    diameter_um : ndarray, shape (n,)
        Projected diameter, the mean over the measured part; NaN where the optics cannot say.
    diameter_sd_um : ndarray, shape (n,)
        Its standard uncertainty; NaN with it.
    flags : tuple of tuple of str
        For each hair: ``diameter-unresolved`` (thinner than the blur lets one see, or too noisy),
        ``diameter-touching`` (a neighbour hides its flanks), ``diameter-glare`` (a bright line along the middle was
        modelled).
    blur_sigma_px : float
        Standard deviation of the image's blur (optics, focus and pixel), typical of its hairs; NaN if unknown.
    blur_spread : float
        Standard deviation of log blur between hairs (focus varies over a field).
    hair_blur_px : ndarray, shape (n,)
        Blur at each hair; NaN where not fitted.
    contrast : ndarray, shape (n,)
        Depth of each hair in linear light, 0 to 1; negative for one darker than the skin, NaN where not fitted.
    gamma, absorbance : float
        The profile shape that the image's wide hairs chose (see `ProfileShape`).
    """

    diameter_um: np.ndarray
    diameter_sd_um: np.ndarray
    flags: tuple[tuple[str, ...], ...]
    blur_sigma_px: float
    blur_spread: float
    hair_blur_px: np.ndarray
    contrast: np.ndarray
    gamma: float = 1.0
    absorbance: float = math.inf


@dataclass(frozen=True, slots=True, eq=False)
class _Trace:
    """One hair on its way through the passes."""

    line: np.ndarray
    offset: np.ndarray
    width_px: float
    sigma_px: float
    glare_width: float = 0.0
    fit: ProfileFit | None = None


@dataclass(frozen=True, slots=True)
class _ShapeChoice:
    """The image's profile shape, and how far the plausible others would move a width."""

    shape: ProfileShape
    doubt_px: float


def fit_diameters(
    image: np.ndarray,
    paths_px: Sequence[np.ndarray],
    *,
    um_per_px: float,
    blur_sigma_px: float | None = None,
    root_fraction: float = ROOT_FRACTION,
    tip_fraction: float = TIP_FRACTION,
) -> DiameterFit:
    """Fit the diameter of every hair from its cross profiles.

    Each hair is a bar convolved with a Gaussian on a sloping background, fitted to the raw pixels of its middle part;
    pixels that another hair's tube covers are left out. The blur is learnt from the hairs that are wide enough to
    show it, and then binds the thin ones as a prior (mean and spread between hairs); so the uncertainty of the blur
    is part of each diameter's. The transfer curve and the roundness of the profile are chosen once an image, by
    the likelihood of its wide hairs.

    Parameters
    ----------
    image : ndarray, uint8, shape (H, W, 3) or (H, W)
        RGB or grey; floating point grey from 0 to 1 is taken as well.
    paths_px : sequence of ndarray, each of shape (n >= 2, 2)
        Centre lines (row, col), root first, good to about 2 px. Give all hairs of the image, so that neighbours can
        be left out.
    um_per_px : float
        Scale, above 0.
    blur_sigma_px : float, optional
        The image's blur including the pixel, when known from a phantom; estimated if left out.
    root_fraction, tip_fraction : float
        Parts of the length that are left out.

    Returns
    -------
    DiameterFit

    Raises
    ------
    InputError
        For an image of another shape, a scale that is not above 0, fractions that leave nothing.

    References
    ----------
    docs/methods/hair-diameter.md has the equations, the assumptions and the validation.
    """
    grey = _to_grey(image)
    _check(um_per_px, root_fraction, tip_fraction)
    if len(paths_px) == 0:
        return _collect([], um_per_px, (math.nan, math.nan), _ShapeChoice(ProfileShape(), 0.0))
    full = [resample_path(path) for path in paths_px]
    middle = [_middle(line, root_fraction, tip_fraction) for line in full]
    widest = WIDEST_UM / um_per_px
    traces = [_start(grey, line, widest) for line in middle]
    owner = _paint(grey, full, traces)
    traces = _align(grey, owner, traces)
    owner = _paint(grey, full, traces)
    strips = [_strip(grey, owner, trace, k) for k, trace in enumerate(traces)]
    traces = [_try_glare(strip, _fit(strip, trace)) for strip, trace in zip(strips, traces, strict=True)]
    choice = _choose_shape(strips, traces)
    free = [_fit(strip, trace, choice.shape) for strip, trace in zip(strips, traces, strict=True) if _is_wide(trace)]
    blur = _learn_blur(free) if blur_sigma_px is None else (math.log(blur_sigma_px), 0.02)
    prior = blur if math.isfinite(blur[0]) else UNKNOWN_BLUR
    traces = [_fit(strip, trace, choice.shape, prior) for strip, trace in zip(strips, traces, strict=True)]
    return _collect(traces, um_per_px, blur, choice)


def _check(um_per_px: float, root_fraction: float, tip_fraction: float) -> None:
    if not (um_per_px > 0 and math.isfinite(um_per_px)):
        raise InputError(f"um_per_px must be above 0, got {um_per_px}: give the micrometres that one pixel spans")
    if not (root_fraction >= 0 and tip_fraction >= 0 and root_fraction + tip_fraction < 0.9):
        raise InputError(
            f"root_fraction and tip_fraction must be at least 0 and add to less than 0.9, got {root_fraction} and "
            f"{tip_fraction}: leave more of the hair to measure"
        )


def _to_grey(image: np.ndarray) -> np.ndarray:
    """Luma (ITU-R BT.601, the channel that JPEG keeps at full resolution), 0 to 1; clipped pixels become 1."""
    pixels = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8:
        grey = pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32) / np.float32(255)
        grey[(pixels >= 254).all(axis=2)] = 1.0
        return np.ascontiguousarray(grey, dtype=np.float32)
    if pixels.ndim == 2 and pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels / np.float32(255), dtype=np.float32)
    if pixels.ndim == 2 and np.issubdtype(pixels.dtype, np.floating):
        return np.ascontiguousarray(pixels, dtype=np.float32)
    raise InputError(
        f"image must be uint8 of shape (H, W, 3) or (H, W), or floating grey of shape (H, W), got {pixels.dtype} "
        f"{pixels.shape}"
    )


def _middle(line: np.ndarray, root_fraction: float, tip_fraction: float) -> np.ndarray:
    n_steps = len(line) - 1
    first, last = math.floor(n_steps * root_fraction), math.ceil(n_steps * (1 - tip_fraction))
    return np.asarray(line[first : max(last, first + 1) + 1])


def _start(grey: np.ndarray, line: np.ndarray, widest_px: float) -> _Trace:
    """Take the first width from the mean profile."""
    no_owner = np.full(grey.shape, -1, dtype=np.int32)
    strip = collect_strip(grey, no_owner, line, 0, half_width_px=widest_px, segment_px=len(line))
    width = _first_width(strip.distance_px, strip.value)
    return _Trace(line, np.zeros(len(line) - 1), max(0.8 * width, 1.0), max(0.15 * width, 0.8))


def _first_width(distance: np.ndarray, value: np.ndarray) -> float:
    """Full width, at a third of the depth, of what lies under the line: a third spans a faint glare line."""
    order = np.argsort(distance)
    d, depth = distance[order], value[order] - float(np.median(value))
    near = np.flatnonzero(np.abs(d) < max(0.2 * np.abs(d).max(initial=0.0), 2.0))
    if len(d) < 8 or len(near) == 0:
        return 4.0
    top = int(near[int(np.argmax(np.abs(depth[near])))])
    outside = depth / depth[top] < 1 / 3 if depth[top] != 0 else np.ones(len(d), dtype=bool)
    left, right = d[:top][outside[:top]], d[top:][outside[top:]]
    return float(right[0] - left[-1]) if len(left) and len(right) else float(np.ptp(d) / 4)


def _paint(grey: np.ndarray, full: list[np.ndarray], traces: list[_Trace]) -> np.ndarray:
    """Mark each hair's tube: half its width and two blurs."""
    width = np.array([trace.width_px for trace in traces])
    sigma = np.array([trace.sigma_px for trace in traces])
    # Where a pair touches, the first width is that of both: no tube is wider than the image's wide hairs.
    radius = 0.5 * np.minimum(width, 1.3 * np.median(width)) + 2.0 * np.minimum(sigma, 1.5 * np.median(sigma))
    return paint_owners((grey.shape[0], grey.shape[1]), full, radius)


def _strip(grey: np.ndarray, owner: np.ndarray, trace: _Trace, index: int) -> Strip:
    reach = 0.75 * trace.width_px + 4.0 * trace.sigma_px + 3.0
    return collect_strip(
        grey, owner, trace.line, index, half_width_px=reach, segment_px=SEGMENT_PX, offset_px=trace.offset,
        saturated_above=254 / 255,
    )  # fmt: skip


def _fit(
    strip: Strip,
    trace: _Trace,
    shape: ProfileShape = SHAPES[0],
    prior: tuple[float, float] = (0.0, math.inf),
    max_iterations: int = MAX_ITERATIONS,
) -> _Trace:
    fit = fit_bar(
        strip, width_px=trace.width_px, sigma_px=trace.sigma_px, shape=shape, log_sigma_prior=prior,
        glare_width=trace.glare_width, max_iterations=max_iterations,
    )  # fmt: skip
    if fit.n_segments_used == 0:
        return replace(trace, fit=fit)
    width = min(max(math.exp(fit.log_width), 0.5), 4 * trace.width_px)
    sigma = min(max(math.exp(fit.log_sigma), 0.4), 4 * trace.sigma_px)
    return replace(trace, fit=fit, width_px=width, sigma_px=sigma)


def _align(grey: np.ndarray, owner: np.ndarray, traces: list[_Trace]) -> list[_Trace]:
    """Shift each centre line onto the middle of the fitted bars, twice."""
    weak = (0.5, 0.8)
    for _ in range(2):
        aligned = []
        for index, trace in enumerate(traces):
            strip = _strip(grey, owner, trace, index)
            moved = _fit(strip, trace, prior=weak, max_iterations=8)
            aligned.append(replace(moved, offset=trace.offset + _spread_centres(moved, len(trace.offset))))
        traces = aligned
    return traces


def _spread_centres(trace: _Trace, n_steps: int) -> np.ndarray:
    """Centre shift at each step of the line: piecewise linear through the segments' centres."""
    if trace.fit is None:
        return np.zeros(n_steps)
    centre = trace.fit.centre_px
    known = np.isfinite(centre) & (np.abs(centre) < 1.0 + trace.width_px)
    if not known.any():
        return np.zeros(n_steps)
    at = (np.arange(len(centre)) + 0.5) * n_steps / len(centre)
    return np.asarray(np.interp(np.arange(n_steps) + 0.5, at[known], centre[known]))


def _try_glare(strip: Strip, trace: _Trace) -> _Trace:
    """Keep the glare line where it is worth its parameters (BIC) and has the sign opposite to the hair's contrast."""
    fit = trace.fit
    if fit is None or not fit.n_segments_used or trace.width_px < 3.0 * trace.sigma_px:
        return trace
    trials = [_fit(strip, replace(trace, glare_width=width), max_iterations=12) for width in GLARE_WIDTHS]
    best = min(trials, key=lambda trial: math.inf if trial.fit is None else trial.fit.cost)
    shiny = best.fit
    if shiny is None or not shiny.n_segments_used:
        return trace
    penalty = (shiny.n_segments_used + 1) * math.log(shiny.n_bins)
    opposite = shiny.glare * shiny.contrast < 0 and abs(shiny.glare) > 0.1 * abs(shiny.contrast)
    return best if opposite and shiny.cost + penalty + 10 < fit.cost else trace


def _choose_shape(strips: list[Strip], traces: list[_Trace]) -> _ShapeChoice:
    """Take the candidate of the highest total likelihood over the image's clearest wide hairs.

    The doubt weighs each other candidate's shift of the mean width by the chance that it is no worse, from the
    scatter between hairs of the difference in likelihood (Vuong 1989, Econometrica 57:307, eq. 5.1).
    """
    wide = [k for k, trace in enumerate(traces) if _is_wide(trace)]
    dull = [k for k in wide if not traces[k].glare_width]
    # A glare line and a rounded profile look alike: where most hairs shine they are taken as opaque.
    shiny = len(dull) < 0.7 * len(wide)
    wide = sorted(wide if shiny else dull, key=lambda k: _log_width_variance(traces[k]))[:MAX_SHAPE_HAIRS]
    if not wide:
        return _ShapeChoice(ProfileShape(), 0.0)
    shapes = tuple(shape for shape in SHAPES if math.isinf(shape.absorbance)) if shiny else SHAPES
    fits = [[_fit(strips[k], traces[k], shape, max_iterations=12) for k in wide] for shape in shapes]
    cost = np.array([[math.nan if trace.fit is None else trace.fit.cost for trace in row] for row in fits])
    sound = np.isfinite(cost).all(axis=0)
    if not sound.any():
        return _ShapeChoice(ProfileShape(), 0.0)
    cost = cost[:, sound]
    width = np.array([[trace.width_px for trace in row] for row in fits])[:, sound]
    best = int(np.argmin(cost.sum(axis=1)))
    doubt2 = 0.0
    for other in range(len(shapes)):
        excess = cost[other] - cost[best]
        z = excess.sum() / max(math.sqrt(len(excess)) * float(np.std(excess)), 1e-9)
        doubt2 += (
            float(np.median(width[other] - width[best])) ** 2 * 0.5 * math.erfc(z / math.sqrt(2)) * (other != best)
        )
    return _ShapeChoice(shapes[best], math.sqrt(doubt2))


def _is_wide(trace: _Trace) -> bool:
    fit = trace.fit
    return (
        fit is not None
        and fit.n_segments_used >= 2
        and fit.log_width - fit.log_sigma > math.log(WIDE_IN_SIGMA)
        and fit.covariance[1, 1] < 0.2**2
    )


def _log_width_variance(trace: _Trace) -> float:
    return math.inf if trace.fit is None else float(trace.fit.covariance[0, 0])


def _learn_blur(traces: list[_Trace]) -> tuple[float, float]:
    """Mean and spread of log blur over the wide hairs, their own errors taken off (DerSimonian-Laird moments)."""
    wide = [trace.fit for trace in traces if _is_wide(trace) and trace.fit is not None]
    if not wide:
        return math.nan, math.nan
    log_sigma = np.array([fit.log_sigma for fit in wide])
    variance = np.array([max(fit.covariance[1, 1], fit.robust_covariance[1, 1]) for fit in wide]) + 1e-6
    middle = float(np.median(log_sigma))
    keep = np.abs(log_sigma - middle) < 0.7
    log_sigma, variance = log_sigma[keep], variance[keep]
    weight = 1 / variance
    mean = float(weight @ log_sigma / weight.sum())
    excess = float(weight @ (log_sigma - mean) ** 2) - (len(weight) - 1)
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    spread2 = max(excess / scale, 0.0) if scale > 0 else 0.2**2
    weight = 1 / (variance + spread2)
    mean = float(weight @ log_sigma / weight.sum())
    return mean, math.sqrt(spread2 + 1 / weight.sum() + 0.01**2)


def _inflation(traces: list[_Trace]) -> float:
    """How much larger the scatter between segments is than the residual noise says, pooled over the image."""
    ratio = [
        fit.robust_covariance[0, 0] / fit.covariance[0, 0] * fit.n_segments_used / (fit.n_segments_used - 1.5)
        for fit in (trace.fit for trace in traces)
        if fit is not None and fit.n_segments_used >= 3 and fit.covariance[0, 0] > 0
    ]
    return max(float(np.mean(np.minimum(ratio, 20.0))), 1.0) if len(ratio) >= 5 else 1.5


def _collect(traces: list[_Trace], um_per_px: float, blur: tuple[float, float], choice: _ShapeChoice) -> DiameterFit:
    n, inflation, doubt_px = len(traces), _inflation(traces), choice.doubt_px
    diameter, sd, sigma, contrast = (np.full(n, np.nan) for _ in range(4))
    flags: list[tuple[str, ...]] = []
    for k, trace in enumerate(traces):
        fit = trace.fit
        if fit is None or fit.n_segments_used == 0:
            flags.append((DIAMETER_UNRESOLVED, DIAMETER_TOUCHING))
            continue
        sigma[k], contrast[k] = math.exp(fit.log_sigma), fit.contrast
        width = math.exp(fit.log_width)
        relative = math.hypot(math.sqrt(inflation * fit.covariance[0, 0]), doubt_px / width, MODEL_FLOOR)
        found = (DIAMETER_GLARE,) if trace.glare_width else ()
        narrowest = NARROWEST_IN_SIGMA if math.isfinite(blur[0]) else WIDE_IN_SIGMA
        if not relative < MAX_RELATIVE_SD or fit.log_width - fit.log_sigma < math.log(narrowest):
            flags.append((DIAMETER_UNRESOLVED, *found))
            continue
        diameter[k] = width * um_per_px
        sd[k] = relative * diameter[k]
        flags.append(found)
    return DiameterFit(
        diameter_um=diameter,
        diameter_sd_um=sd,
        flags=tuple(flags),
        blur_sigma_px=math.exp(blur[0]),
        blur_spread=blur[1],
        hair_blur_px=sigma,
        contrast=contrast,
        gamma=choice.shape.gamma,
        absorbance=choice.shape.absorbance,
    )
