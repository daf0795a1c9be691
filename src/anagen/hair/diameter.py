"""How thick each hair is, with an uncertainty, from its blurred image."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anagen.errors import InputError
from anagen.hair.bar_profile import MAX_ITERATIONS, N_SHAPE, BarState, ProfileFit, Shadow, fit_bar, profile_table
from anagen.hair.first_width import choose_channel, look_first
from anagen.hair.strip import (
    BIN_PX,
    BIN_UM,
    HairPixels,
    KnownHairs,
    Strip,
    bin_pixels,
    gather_pixels,
    measure_gaps,
    resample_path,
)

DIAMETER_UNRESOLVED = "diameter-unresolved"
DIAMETER_TOUCHING = "diameter-touching"
DIAMETER_GLARE = "diameter-glare"

ROOT_FRACTION, TIP_FRACTION = 0.2, 0.1
"""Ends left out: the root end sinks into the skin and is defocused, the cut tip is rounded by the blur."""

REACH_UM = 110.0
"""How far from its line a hair is looked at: half of the thickest scalp hair (about 120 um) and skin beside it."""

OVERHANG_UM = 25.0
"""How much longer than its path a hair may be; its neighbours' pixels there are not trusted."""

START_BLUR_UM = 8.0
"""Where the blur of the first fit starts."""

SEGMENT_PX, SEGMENT_UM = (12.0, 24.0), 60.0
"""Length of a segment, and the least and most pixels it may span. Longer than the 8 px blocks of JPEG and than any
demosaicking or resampling kernel, so that segments are nearly independent; short enough that a bend inside is small."""

MAX_RELATIVE_SD = 0.30
"""A hair whose width is known to no better than this is unresolved."""

NARROWEST_IN_SIGMA = 1.0
"""Below this width in units of the blur, a bar's image differs from a line's by less than (1/12)/2 = 4 % of
its second moment: no image says the width then, whatever its noise."""

WIDE_IN_SIGMA = 3.5
"""Hairs wider than this show their blur and their width apart; the image's blur is learnt from them."""

GLARE_IN_SIGMA = 3.0
"""A glare line is looked for in hairs wider than this."""

GAP_IN_SIGMA = 0.4
"""Narrowest gap between two hairs in units of the blur: it leaves a dip of 0.4 / sqrt(2 pi) = 16 % of the contrast.
Without one, nothing says where one hair ends and the other begins."""

WIDEST_UM = 150.0
"""No scalp hair is wider (the thickest are about 120 um)."""

GAMMAS = (1.0, 2.2)
"""Candidates for an image's transfer curve: linear, or like sRGB."""

LEAST_GAMMA, MOST_GAMMA = 1.0, 3.0
"""What may be given."""

LOST = 50.0
"""A hair whose likelihood falls by more (twice its logarithm) where the absorption is held has lost its way."""

ONE_VOTE = 15.0
"""The most, in twice the log-likelihood, that one hair may say for a transfer curve: it may lie beside a shadow."""

LINEAR_ODDS = 60.0
"""Twice the log odds for the first curve: it is left only where hairs say so together and loudly. High, since what the
model leaves out is common to all hairs; sharp linear-light images exceed it three times."""

CERTAIN = 160.0
"""Twice the log odds from which a curve is certain at once: eleven of twelve hairs say all they may."""

COLOUR_CHANCE = 0.15
"""Least chance of the other curve where a single colour shows the hairs best: JPEG and the camera's mosaic blur colour
after the curve, which hides it."""

HALOS = (-0.5, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.35, 0.5)
"""Candidates for the share of the wider Gaussian in the blur: negative where a camera sharpens, positive for a lens's
halo. It leaves 0 only where the clear hairs say so as loudly as for a transfer curve (`LINEAR_ODDS`)."""

DISCS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Candidates for the share of an even disc in the blur, as out of focus; no halo then, and as loudly."""

HALO_STEP = 0.04
"""How near to the best candidate the share is looked for at last."""

HALO_HAIRS = 6
"""So many of the clearest hairs tell it, those that stand alone first."""

MAX_CLEAR_HAIRS = 12
"""So many tell what all hairs have in common."""

ABSORPTION_PER_UM, ABSORPTION_SPREAD = 0.2, 1.0
"""What is taken of the absorption of hair before the image is seen, as mean and standard deviation of its logarithm: so
opaque that, where the image does not show the rim, a hair is nearly a flat bar. Own choice."""

ABSORPTIONS_PER_UM = np.geomspace(0.0075, 0.48, 13)
"""Candidates: the likelihoods of the best and its neighbours are joined by a parabola."""

HAIR_TO_HAIR = 0.15
"""Spread of log absorption between the hairs of one head: own choice."""

SHADOW_STEP, WIDEST_SHADOW = (0.1, 1.2), 2.0
"""A shadow's place is found to a step, its width to a factor; neither is more than so many widths of the hair."""

SHADOW_HAIRS, LEAST_SHADOW, SHADOW_Z = 6, 0.005, 4.0
"""Hairs throw a shadow where so many are clear, half of them take at least this much light, and the median (its
standard error 1.25 of a mean's) is this far from 0."""

SHADOW_SPREAD = 0.3
"""Spread of a shadow's depth along and between hairs, beyond that of the clear ones: own choice."""

_IS_ABSORPTION = np.arange(N_SHAPE) == 2

SHADE, SHADE_SPREAD = 0.15, 0.12
"""What is known of the shade before the image is seen: light from all sides leaves none, light along the view 1."""

LEAST_GLARE, MOST_GLARE_DARK, MOST_GLARE_BRIGHT = 0.05, 2.5, 1.0
"""Height of a glare line over the hair's depth. A line brighter than that on a bright hair is the hair itself, on a
wide faint one that is not there; lines seen are 0.05 to 0.5."""

GLARE_PLACE, GLARE_LOG_WIDTH, GLARE_SOFTNESS = (0.0, 0.12), (math.log(0.28), 0.2), (0.3, 0.2)
"""Mean and spread of the glare line's place over the hair's width, of the log of its width over it, of its softness."""

SLOPE_PER_UM = 0.0005
"""Standard deviation of the background's slope, in light per um: 5 % over 100 um."""

UNKNOWN_BLUR = (math.log(2.0), 1.5)
"""Log blur of an image without wide hairs: 0.4 to 9 px within a standard deviation. Thin hairs do not resolve then."""

MODEL_FLOOR = 0.012
"""Relative error left by the model itself (Gaussian blur, round hairs): set so that the intervals cover on the two
renderers of `benchmarks/hair_diameter.py`; not yet confirmed on another."""

ROUNDING = 12**-0.5 / 255
"""Standard deviation of grey values rounded to 8 bits: less noise than that makes no hair unusual."""

TABLE_SIZE = 128


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
    gamma : float
        Light is the grey value to this power: 1 for a linear camera, about 2.2 for sRGB; chosen by the wide hairs.
    absorption_per_um : float
        Of the image's hairs: a chord of x um lets exp(-absorption x) of the light through. NaN if unknown.
    halo : float
        Share of the blur's second, wider Gaussian: positive for a lens's halo, negative where the camera sharpened, 0
        where hairs ask for neither. `blur_sigma_px` is the first one's.
    disc : float
        Share of the blur that is an even disc, as out of focus; 0 where there is a halo.
    shadow : bool
        Whether the hairs throw a soft shadow on the skin, which was modelled.
    common_sd : float
        The part of the uncertainty that all hairs share, over their diameter: from the transfer curve and the model.
    """

    diameter_um: np.ndarray
    diameter_sd_um: np.ndarray
    flags: tuple[tuple[str, ...], ...]
    blur_sigma_px: float
    blur_spread: float
    hair_blur_px: np.ndarray
    contrast: np.ndarray
    gamma: float = 1.0
    absorption_per_um: float = math.nan
    halo: float = 0.0
    disc: float = 0.0
    shadow: bool = False
    common_sd: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """All centre lines one after another, somewhat longer than the paths, and which part of each is measured."""

    points: np.ndarray
    first_step: np.ndarray
    steps: np.ndarray
    hair_of_step: np.ndarray
    n_segments: np.ndarray


@dataclass(slots=True, eq=False)
class _Trace:
    """One hair on its way through the passes."""

    shape: np.ndarray
    glare: bool
    side: float = 0.0
    fit: ProfileFit | None = None

    @property
    def width_px(self) -> float:
        return math.exp(self.shape[0])

    @property
    def sigma_px(self) -> float:
        return math.exp(self.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class _Prior:
    """What the image as a whole says of a hair's shape."""

    mean: np.ndarray
    sd: np.ndarray
    gamma: float
    slope_sd: float
    um_per_px: float
    noise: float = 0.01
    inflation: float = 1.0
    doubt: float = 0.0
    halo: float = 0.0
    disc: float = 0.0
    shadow: Shadow | None = None


def fit_diameters(
    image: np.ndarray,
    paths_px: Sequence[np.ndarray],
    *,
    um_per_px: float,
    blur_sigma_px: float | None = None,
    gamma: float | None = None,
    root_fraction: float = ROOT_FRACTION,
    tip_fraction: float = TIP_FRACTION,
) -> DiameterFit:
    """Fit the diameter of every hair from its cross profiles.

    Each hair is an absorbing cylinder convolved with a Gaussian, or two, on a sloping background, fitted to the raw
    pixels of its middle part. What touching neighbours add is taken off, and pixels where hairs overlap are left out.
    Blur, halo and absorption are learnt from the hairs that are wide enough to show them, and then bind the others as a
    prior (mean and spread between hairs), so that their uncertainty is part of each diameter's. The transfer curve
    is chosen once an image, by the likelihood of its wide hairs.

    Parameters
    ----------
    image : ndarray, uint8, shape (H, W, 3) or (H, W)
        RGB or grey; floating point grey from 0 to 1 is taken as well.
    paths_px : sequence of ndarray, each of shape (n >= 2, 2)
        Centre lines (row, col), root first, good to about 2 px. Give all hairs of the image, so that neighbours can
        be told apart.
    um_per_px : float
        Scale, above 0.
    blur_sigma_px : float, optional
        The image's blur including the pixel, when known from a phantom; estimated if left out.
    gamma : float, optional
        The camera's transfer curve, when known: light is the grey value to this power, 1 to 3. Chosen among `GAMMAS`
        if left out.
    root_fraction, tip_fraction : float
        Parts of the length that are left out.

    Returns
    -------
    DiameterFit

    Raises
    ------
    InputError
        For an image of another shape, a scale not above 0, a gamma outside 1 to 3, fractions that leave nothing.

    References
    ----------
    docs/methods/hair-diameter.md has the equations, the assumptions and the validation.
    """
    pixels = _to_channels(image)
    _check(um_per_px, root_fraction, tip_fraction)
    check_gamma(gamma)
    prior = _before_seeing(um_per_px, GAMMAS[0] if gamma is None else gamma)
    if len(paths_px) == 0:
        return _collect([], replace(prior, mean=np.full(N_SHAPE, np.nan), sd=np.full(N_SHAPE, np.nan)), um_per_px)
    lines = _lay_lines(paths_px, um_per_px, root_fraction, tip_fraction)
    reach = REACH_UM / um_per_px
    weights = choose_channel(pixels, lines.points, lines.first_step, lines.steps, um_per_px)
    strips = _Strips(gather_pixels(pixels, weights, lines.points, lines.first_step, reach), lines, reach, um_per_px)
    look = look_first(strips.pixels, lines.steps, um_per_px, reach)
    strips.shift(look.shift_um / um_per_px)
    traces = [
        _begin(width, prior, um_per_px, glare=bool(glare))
        for width, glare in zip(look.width_um, look.glare, strict=True)
    ]
    prior = _align(strips, traces, prior)
    one_colour = pixels.shape[2] == 3 and int(np.count_nonzero(weights)) == 1
    curves = GAMMAS if gamma is None else (gamma,)
    prior = _learn(strips, traces, prior, blur_sigma_px, curves, COLOUR_CHANCE if one_colour else 0.0)
    _settle(strips, traces, prior)
    return _collect(traces, prior, um_per_px)


def _check(um_per_px: float, root_fraction: float, tip_fraction: float) -> None:
    if not (um_per_px > 0 and math.isfinite(um_per_px)):
        raise InputError(f"um_per_px must be above 0, got {um_per_px}: give the micrometres that one pixel spans")
    if not (root_fraction >= 0 and tip_fraction >= 0 and root_fraction + tip_fraction < 0.9):
        raise InputError(
            f"root_fraction and tip_fraction must be at least 0 and add to less than 0.9, got {root_fraction} and "
            f"{tip_fraction}: leave more of the hair to measure"
        )


def check_gamma(gamma: float | None) -> None:
    """Raise unless it is None or an exponent that cameras have."""
    if gamma is not None and not LEAST_GAMMA <= gamma <= MOST_GAMMA:
        raise InputError(
            f"gamma must be {LEAST_GAMMA:g} to {MOST_GAMMA:g}, got {gamma}: 1 for a camera whose grey values are "
            "proportional to light, 2.2 for sRGB as most cameras write it; leave it out where nobody knows"
        )


def _to_channels(image: np.ndarray) -> np.ndarray:
    pixels = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    if pixels.ndim == 2 and pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels[:, :, None])
    if pixels.ndim == 2 and np.issubdtype(pixels.dtype, np.floating):
        return np.ascontiguousarray(pixels[:, :, None], dtype=np.float32)
    raise InputError(
        f"image must be uint8 of shape (H, W, 3) or (H, W), or floating grey of shape (H, W), got {pixels.dtype} "
        f"{pixels.shape}"
    )


def _lay_lines(paths_px: Sequence[np.ndarray], um_per_px: float, root_fraction: float, tip_fraction: float) -> _Lines:
    over = max(round(OVERHANG_UM / um_per_px), 1)
    segment = min(max(SEGMENT_PX[0], SEGMENT_UM / um_per_px), SEGMENT_PX[1])
    points, first_step, steps, n_segments = [], [0], [], []
    for path in paths_px:
        line = resample_path(path)
        beyond = np.arange(1, over + 1)[:, None]
        before = line[0] - beyond[::-1] * (line[1] - line[0])
        after = line[-1] + beyond * (line[-1] - line[-2])
        points += [before, line, after]
        n_steps = len(line) - 1
        low, high = math.floor(n_steps * root_fraction), math.ceil(n_steps * (1 - tip_fraction))
        high = min(max(high, low + 1), n_steps)
        low = min(low, high - 1)
        steps.append((first_step[-1] + over + low, first_step[-1] + over + high))
        first_step.append(first_step[-1] + n_steps + 2 * over)
        n_segments.append(max(round((high - low) / segment), 1))
    first = np.array(first_step, dtype=np.int64)
    hair_of_step = np.repeat(np.arange(len(first) - 1, dtype=np.int32), np.diff(first))
    return _Lines(np.concatenate(points), first, np.array(steps), hair_of_step, np.array(n_segments))


class _Strips:
    """The pixels of all hairs, and what the last pass knew of each hair: bins them for the next one."""

    def __init__(self, pixels: HairPixels, lines: _Lines, reach_px: float, um_per_px: float) -> None:
        self.pixels, self.lines, self.reach_px = pixels, lines, reach_px
        self.bin_px = max(BIN_PX, BIN_UM / um_per_px)
        self.apart_px, self.whose = measure_gaps(pixels, lines.hair_of_step, lines.steps, lines.n_segments)
        n_hairs, n_steps = len(lines.steps), len(lines.hair_of_step)
        self.known = KnownHairs(
            offset_px=np.zeros(n_steps, dtype=np.float32),
            depth=np.full(n_steps, np.nan, dtype=np.float32),
            width_px=np.ones(n_hairs),
            sigma_px=np.ones(n_hairs),
            table=np.zeros((n_hairs, TABLE_SIZE)),
            reach_px=reach_px,
            hair_of_step=lines.hair_of_step,
            gamma=1.0,
            noise=0.01,
        )

    def shift(self, by_px: np.ndarray) -> None:
        """Move whole lines along their normals."""
        self.known.offset_px[:] += by_px[self.lines.hair_of_step].astype(np.float32)

    def learn(self, traces: list[_Trace], prior: _Prior) -> None:
        """Keep what neighbours must know; no tube is wider than the image's wide hairs."""
        width = np.array([trace.width_px for trace in traces])
        sigma = np.array([trace.sigma_px for trace in traces])
        self.known.width_px[:] = np.minimum(width, 1.3 * np.median(width))
        self.known.sigma_px[:] = np.minimum(sigma, 1.5 * np.median(sigma))
        self.known = replace(self.known, gamma=prior.gamma, noise=prior.noise)
        seen = [t.fit.contrast for t in traces if t.fit is not None and t.fit.n_segments_used]
        guess = float(np.median(seen)) if seen else math.nan
        for k, trace in enumerate(traces):
            self.known.table[k] = profile_table(trace.shape, prior.halo, prior.disc, self.reach_px, TABLE_SIZE)
            first, last = self.lines.first_step[k], self.lines.first_step[k + 1]
            if trace.fit is not None and trace.fit.n_segments_used:
                self.known.depth[first:last] = self._along(k, trace.fit.depth)
            else:
                self.known.depth[first:last] = guess

    def separate(self, k: int, trace: _Trace) -> np.ndarray:
        """Which segments of a hair do not overlap the nearest other one."""
        n = int(self.lines.n_segments[k])
        half = np.where(self.whose[k, :n] >= 0, 0.5 * self.known.width_px[self.whose[k, :n]], 0.0)
        return np.asarray(self.apart_px[k, :n] > half + 0.5 * trace.width_px + GAP_IN_SIGMA * trace.sigma_px)

    def has_neighbour(self, k: int) -> bool:
        """Whether another line runs so near that its blur reaches this hair."""
        return bool((self.whose[k] >= 0).any())

    def align(self, k: int, trace: _Trace) -> None:
        """Shift a line onto the middle of the fitted bars."""
        if trace.fit is None or not trace.fit.n_segments_used:
            return
        centre = np.where(np.abs(trace.fit.centre_px) < 2.0 + 0.5 * trace.width_px, trace.fit.centre_px, np.nan)
        if np.isfinite(centre).any():
            first, last = self.lines.first_step[k], self.lines.first_step[k + 1]
            self.known.offset_px[first:last] += self._along(k, centre)

    def _along(self, k: int, value: np.ndarray) -> np.ndarray:
        """Segments' values at each step of the line: piecewise linear."""
        known = np.isfinite(value)
        low, high = self.lines.steps[k]
        at = low + (np.arange(len(value)) + 0.5) * (high - low) / len(value)
        steps = np.arange(self.lines.first_step[k], self.lines.first_step[k + 1]) + 0.5
        return np.asarray(np.interp(steps, at[known], value[known]), dtype=np.float32)

    def bin(self, k: int, trace: _Trace, *, hide: bool) -> Strip:
        low, high = self.lines.steps[k]
        return bin_pixels(
            self.pixels, self.known, k,
            steps=(int(low), int(high)),
            n_segments=int(self.lines.n_segments[k]),
            half_width_px=min(0.75 * trace.width_px + 4.0 * trace.sigma_px + 3.0, self.reach_px),
            bin_px=self.bin_px,
            hide_px=2.0 * trace.sigma_px if hide else None,
        )  # fmt: skip


def _before_seeing(um_per_px: float, gamma: float) -> _Prior:
    glare = (GLARE_PLACE, GLARE_LOG_WIDTH, GLARE_SOFTNESS)
    log_blur, log_absorption = math.log(START_BLUR_UM / um_per_px), math.log(ABSORPTION_PER_UM * um_per_px)
    mean = np.array([0.0, log_blur, log_absorption, SHADE, *(of[0] for of in glare)])
    sd = np.array([math.inf, 0.8, ABSORPTION_SPREAD, SHADE_SPREAD, *(of[1] for of in glare)])
    return _Prior(mean, sd, gamma, SLOPE_PER_UM * um_per_px, um_per_px)


def _begin(width_um: float, prior: _Prior, um_per_px: float, *, glare: bool) -> _Trace:
    shape = prior.mean.copy()
    shape[0] = math.log(width_um / um_per_px)
    shape[1] = max(min(shape[1], shape[0] - 1.0), math.log(0.7))
    return _Trace(shape, glare)


def _fit(
    strip: Strip,
    trace: _Trace,
    prior: _Prior,
    max_iterations: int = MAX_ITERATIONS,
    allowed: np.ndarray | None = None,
    exactly: np.ndarray | None = None,
) -> _Trace:
    sd = prior.sd / math.sqrt(prior.inflation)
    state = BarState(
        trace.shape, prior.mean, sd, trace.glare, prior.gamma, prior.slope_sd, trace.side, prior.shadow or Shadow(),
        prior.halo, prior.disc,
    )  # fmt: skip
    fit = fit_bar(strip, state, allowed=allowed, exactly=exactly, max_iterations=max_iterations)
    if fit.n_segments_used == 0:
        return replace(trace, fit=fit)
    shape = fit.shape.copy()
    shape[0] = np.clip(shape[0], math.log(0.5), trace.shape[0] + 1.4)
    shape[1] = np.clip(shape[1], math.log(0.4), trace.shape[1] + 1.4)
    return replace(trace, shape=shape, fit=fit)


def _align(strips: _Strips, traces: list[_Trace], prior: _Prior) -> _Prior:
    """Shift each centre line onto the middle of the fitted bars, twice; the blur's first guess becomes the image's."""
    for _ in range(2):
        strips.learn(traces, prior)
        for k, trace in enumerate(traces):
            traces[k] = _fit(strips.bin(k, trace, hide=True), trace, prior, max_iterations=8)
        for k, trace in enumerate(traces):
            strips.align(k, trace)
        known = [trace for trace in traces if trace.fit is not None and trace.fit.n_segments_used]
        if known:
            mean = prior.mean.copy()
            mean[1] = np.median([trace.shape[1] for trace in known])
            noise = float(np.median([trace.fit.noise for trace in known if trace.fit is not None]))
            prior = replace(prior, mean=mean, noise=max(noise, 1e-3))
    return prior


def _learn(
    strips: _Strips, traces: list[_Trace], prior: _Prior, blur_sigma_px: float | None, curves: tuple[float, ...],
    least_chance: float,
) -> _Prior:  # fmt: skip
    """Fit every hair freely; learn what the clearest have in common, under either transfer curve or the one given.

    The curve of the higher total likelihood is kept. The chance of the other one comes from the scatter between hairs
    of the difference in likelihood (Vuong 1989, Econometrica 57:307, eq. 5.1).
    """
    strips.learn(traces, prior)
    binned = [strips.bin(k, trace, hide=True) for k, trace in enumerate(traces)]
    free = replace(prior, sd=np.where(np.arange(N_SHAPE) == 1, math.inf, prior.sd))
    _judge_glare(binned, traces, free)
    free = replace(free, inflation=1.0)
    inflation = _inflation(traces)
    wide = [k for k, trace in enumerate(traces) if _is_wide(trace)]
    clear = _clearest(traces, wide)
    # a neighbour's halo and shadow reach farther than what is left out around it
    alone = sorted(clear, key=strips.has_neighbour)[:MAX_CLEAR_HAIRS]
    free = replace(free, shadow=_look_for_shadows(binned, {k: traces[k] for k in alone}, free))
    clear = alone if free.shadow else clear[:MAX_CLEAR_HAIRS]
    known_blur = None if blur_sigma_px is None else (math.log(blur_sigma_px), 0.02)
    if not clear:
        return replace(_with(prior, 1, known_blur or UNKNOWN_BLUR), inflation=inflation)
    few = sorted(clear, key=strips.has_neighbour)[:HALO_HAIRS]
    begun = [_begin_under(gamma, binned, {k: traces[k] for k in clear}, few, free, inflation) for gamma in curves]
    view, doubt = _choose_curve(binned, begun, inflation, least_chance)
    if not np.isfinite(view.cost).any():
        return replace(_with(prior, 1, known_blur or UNKNOWN_BLUR), inflation=inflation)
    learnt = view.prior
    if learnt.shadow:
        for k, trace in enumerate(traces):
            traces[k] = _shadow(binned[k], trace, learnt)
    if learnt.shadow or learnt.halo or learnt.disc:
        # what one Gaussian or no shadow had left beside and inside the hairs was taken for glare
        _judge_glare(binned, traces, replace(learnt, inflation=inflation))
    if known_blur is not None:
        learnt = _with(learnt, 1, known_blur)
    return replace(learnt, inflation=inflation, doubt=doubt)


def _with(prior: _Prior, which: int, of: tuple[float, float]) -> _Prior:
    here = np.arange(N_SHAPE) == which
    return replace(prior, mean=np.where(here, of[0], prior.mean), sd=np.where(here, of[1], prior.sd))


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """What the clearest hairs say together under one transfer curve; segments, fit, cost and log width of each."""

    prior: _Prior
    segments: dict[int, np.ndarray]
    fits: dict[int, _Trace]
    cost: np.ndarray
    log_width: np.ndarray


def _begin_under(
    gamma: float, binned: list[Strip], clear: dict[int, _Trace], few: list[int], free: _Prior, inflation: float
) -> _View:
    """Fit each hair by itself; what they have in common is the shape of the blur only."""
    free = replace(free, gamma=gamma)
    segments = {k: np.isfinite(trace.fit.depth) for k, trace in clear.items() if trace.fit is not None}
    fits = {k: _fit(binned[k], clear[k], free, exactly=segments[k]) for k in segments}
    if free.shadow:
        free, fits = _find_shadow(binned, fits, free)
    free = _find_blur_shape(binned, {k: fits[k] for k in few if k in fits}, free, segments, inflation)
    if free.halo or free.disc:
        fits = {k: _fit(binned[k], fits[k], free, exactly=segments[k]) for k in segments}
    each = list(fits.values())
    return _View(free, segments, fits, _costs(each), np.array([trace.shape[0] for trace in each]))


def _choose_curve(
    binned: list[Strip], begun: list[_View], inflation: float, least_chance: float
) -> tuple[_View, float]:
    """Learn under the likelier transfer curve; and the relative standard uncertainty that the other one leaves."""
    if len(begun) == 1:
        return _learn_under(binned, begun[0], inflation), 0.0
    ahead = float(np.nansum(np.clip(begun[1].cost - begun[0].cost, -ONE_VOTE, ONE_VOTE)))
    # the absorption is the dearest part: under a curve that has lost already it need not be known
    lost = None if abs(ahead) < CERTAIN else int(ahead > 0)
    views = [view if i == lost else _learn_under(binned, view, inflation) for i, view in enumerate(begun)]
    excess = views[1].cost - views[0].cost
    sound = np.isfinite(excess)
    if not sound.any():
        return replace(views[0], cost=excess), 0.0
    clipped = np.clip(excess[sound], -ONE_VOTE, ONE_VOTE)
    support = float(clipped.sum())
    second = support + LINEAR_ODDS < 0
    # halved: what the model leaves out is common to all hairs
    z = 0.5 * support / max(math.sqrt(len(clipped)) * float(np.std(clipped)), 1e-9)
    chance = max(0.5 * math.erfc((-z if second else z) / math.sqrt(2)), least_chance)
    moved = float(np.median((views[1].log_width - views[0].log_width)[sound]))
    return views[int(second)], abs(moved) * math.sqrt(chance)


def _shadow(strip: Strip, trace: _Trace, prior: _Prior) -> _Trace:
    """Fit the hair with a soft shadow, on the side where that is likelier."""
    if trace.fit is None or not trace.fit.n_segments_used:
        return trace
    exactly = np.isfinite(trace.fit.depth)
    sides = [_fit(strip, replace(trace, side=side), prior, exactly=exactly) for side in (-1.0, 1.0)]
    return sides[int(np.argmin(np.nan_to_num(_costs(sides), nan=math.inf)))]


def _learn_under(binned: list[Strip], view: _View, inflation: float) -> _View:
    """Learn what hairs have in common: blur, shade, glare line, and the absorption under which all are likeliest."""
    free, segments, fits, free_cost = view.prior, view.segments, view.fits, view.cost
    known = [trace for trace in fits.values() if trace.fit is not None and trace.fit.n_segments_used]
    prior = free
    lit = [trace for trace in known if trace.glare]
    for which in (4, 5, 6) if lit else ():
        prior = _with(prior, which, _pool(lit, which, inflation, (free.mean[which], free.sd[which])))
    grid = math.log(free.um_per_px) + np.log(ABSORPTIONS_PER_UM)
    told = ((grid - free.mean[2]) / free.sd[2]) ** 2
    tried: dict[int, list[_Trace]] = {}

    def evaluate(i: int) -> float:
        if i not in tried:
            fixed = _with(prior, 2, (float(grid[i]), 1e-3))
            starts = {
                k: replace(fits[k], shape=np.where(_IS_ABSORPTION, grid[i], fits[k].shape), fit=None) for k in fits
            }
            tried[i] = [_fit(binned[k], starts[k], fixed, 20, exactly=segments[k]) for k in fits]
        excess = _costs(tried[i]) - free_cost
        return float(told[i] + np.nansum(np.minimum(excess, LOST)) / inflation)

    at = int(np.argmin(np.abs(grid - np.median([trace.shape[2] for trace in fits.values()]))))
    step = 2
    while step:
        at = min(max(at, step), len(grid) - 1 - step)
        move = (int(np.argmin([evaluate(i) for i in (at - step, at, at + step)])) - 1) * step
        if move and step <= at + move <= len(grid) - 1 - step:
            at += move
        else:
            at, step = at + move, step // 2
    at = min(max(at, 1), len(grid) - 2)
    low, middle, high = (evaluate(i) for i in (at - 1, at, at + 1))
    gap, bend = grid[1] - grid[0], max(low - 2 * middle + high, 1e-3)
    lean = float(np.clip((low - high) / (2 * bend), -1.0, 1.0))
    spread = min(math.hypot(gap * math.sqrt(2 / bend), HAIR_TO_HAIR), float(free.sd[2]))
    prior = _with(prior, 2, (float(grid[at] + lean * gap), spread))
    best = [_fit(binned[k], one, prior, 20, exactly=segments[k]) for k, one in zip(fits, tried[at], strict=True)]
    # blur and shade of each hair lean on its absorption: they are pooled where it is the same for all
    prior = _with(prior, 1, _pool(best, 1, inflation, UNKNOWN_BLUR))
    prior = _with(prior, 3, _pool(best, 3, inflation, (free.mean[3], free.sd[3])))
    width = np.array([trace.shape[0] for trace in best])
    cost = free_cost + np.minimum(_costs(best) - free_cost, LOST)
    return _View(prior, segments, fits, cost, width)


def _find_blur_shape(
    binned: list[Strip], fits: dict[int, _Trace], free: _Prior, segments: dict[int, np.ndarray], inflation: float
) -> _Prior:
    """Share of a wider Gaussian, or of a disc, under which hairs are likeliest; none unless they say so loudly."""
    plain = list(fits.values())
    # most images ask for neither, which half of the hairs tell
    few = dict(list(fits.items())[: HALO_HAIRS // 2])
    without = _costs(plain)[: len(few)]

    def look(one: _Prior) -> float:
        tried = [_fit(binned[k], start, one, 20, exactly=segments[k]) for k, start in few.items()]
        return float(np.nansum(_costs(tried) - without))

    def with_halo(share: float) -> _Prior:
        return replace(free, halo=share)

    def with_disc(share: float) -> _Prior:
        return replace(free, disc=share)

    at = HALOS.index(0.0)
    asked = [min(look(with_halo(HALOS[i])) for i in (at - 1, at + 1)), look(with_disc(DISCS[1]))]
    if min(asked) >= 0:
        return free
    best, gain = free, 0.0
    for candidates, hold, first in ((HALOS, with_halo, asked[0]), (DISCS, with_disc, asked[1])):
        if first < 0:
            share, more = _find_share(binned, fits, segments, inflation, candidates, hold)
            if more < gain:
                best, gain = hold(share), more
    return best


def _find_share(
    binned: list[Strip], fits: dict[int, _Trace], segments: dict[int, np.ndarray], inflation: float,
    candidates: tuple[float, ...], hold: Callable[[float], _Prior],
) -> tuple[float, float]:  # fmt: skip
    """Best of a share's candidates, refined, and what it gains (negative); 0 and 0 unless that is loud."""
    tried = {0.0: list(fits.values())}

    def evaluate(share: float, near: float) -> float:
        if share not in tried:
            starts = zip(fits, tried[near], strict=True)
            tried[share] = [_fit(binned[k], start, hold(share), 20, exactly=segments[k]) for k, start in starts]
        return float(np.nansum(_costs(tried[share]) - _costs(tried[0.0])))

    at, moved = candidates.index(0.0), True
    while moved:
        near = [i for i in (at - 1, at + 1) if 0 <= i < len(candidates)]
        best = min(near, key=lambda i: evaluate(candidates[i], candidates[at]))
        moved = evaluate(candidates[best], candidates[at]) < evaluate(candidates[at], candidates[at])
        at = best if moved else at
    share = candidates[at]
    gain = _costs(tried[share]) - _costs(tried[0.0])
    if float(np.nansum(np.clip(gain / inflation, -ONE_VOTE, ONE_VOTE))) + LINEAR_ODDS > 0:
        return 0.0, 0.0
    if at in (0, len(candidates) - 1):
        return share, evaluate(share, share)
    # a parabola through the candidate and its neighbours, then through nearer ones: the valley is no parabola
    for nearer in (False, True):
        low, high = (share - HALO_STEP, share + HALO_STEP) if nearer else (candidates[at - 1], candidates[at + 1])
        x = np.array([low, share, high])
        bend, lean, _ = np.polyfit(x - share, [evaluate(h, candidates[at]) for h in x], 2)
        if bend > 0:
            share += float(np.clip(-lean / (2 * bend), low - share, high - share))
            evaluate(share, candidates[at])
    return share, evaluate(share, candidates[at])


def _find_shadow(
    binned: list[Strip], fits: dict[int, _Trace], prior: _Prior
) -> tuple[_Prior, dict[int, _Trace]]:  # fmt: skip
    """Find the place and width of the shadow under which hairs are likeliest, from step to smaller step."""
    tried: dict[Shadow, tuple[float, dict[int, _Trace]]] = {}
    # on which side it lies a first shadow tells
    sided = {k: _shadow(binned[k], trace, replace(prior, shadow=Shadow())) for k, trace in fits.items()}
    used = {k: np.isfinite(trace.fit.depth) for k, trace in sided.items() if trace.fit is not None}

    def look(cast: Shadow) -> float:
        if cast not in tried:
            here = {k: _fit(binned[k], sided[k], replace(prior, shadow=cast), exactly=used[k]) for k in used}
            tried[cast] = float(np.nansum(_costs(list(here.values())))), here
        return tried[cast][0]

    best, step = Shadow(), 2
    while step:
        aside, wider = SHADOW_STEP[0] * step, SHADOW_STEP[1] ** step
        near = (
            *(replace(best, place=best.place + move) for move in (-aside, aside)),
            *(replace(best, width=best.width * factor) for factor in (1 / wider, wider)),
        )
        moved = min((best, *(one for one in near if max(one.place, one.width) <= WIDEST_SHADOW)), key=look)
        best, step = moved, step if moved != best else step // 2
    fits = tried[best][1]
    depth, scatter = _middle([fit.shadow for trace in fits.values() if (fit := trace.fit) is not None])
    best = replace(best, depth=depth, depth_sd=max(math.hypot(scatter, SHADOW_SPREAD * depth), LEAST_SHADOW))
    return replace(prior, shadow=best), fits


def _look_for_shadows(binned: list[Strip], hairs: dict[int, _Trace], prior: _Prior) -> Shadow | None:
    """Say whether most hairs have darker skin on one side, by about as much; its spots lie on either, or are bright.

    `hairs` are fitted under the first transfer curve, and so are their shadows; under the other it is the same.
    """
    plain = list(hairs.values())
    shaded = [_shadow(binned[k], trace, prior) for k, trace in hairs.items()]
    depth = [fit.shadow for trace in shaded if (fit := trace.fit) is not None and fit.n_segments_used]
    # a halo, dark on both sides, is not worth a vote
    if len(depth) < SHADOW_HAIRS or not float(np.nanmedian(_costs(plain) - _costs(shaded))) > ONE_VOTE:
        return None
    middle, scatter = _middle(depth)
    return Shadow() if middle > max(LEAST_SHADOW, SHADOW_Z * 1.25 * scatter / math.sqrt(len(depth))) else None


def _middle(value: list[float]) -> tuple[float, float]:
    """Median, and spread about it as a standard deviation."""
    middle = float(np.median(value))
    return middle, 1.4826 * float(np.median(np.abs(np.array(value) - middle)))


def _costs(traces: list[_Trace]) -> np.ndarray:
    """Of each fit; a shadow's depths are paid for (BIC)."""
    return np.array([
        math.nan if (fit := trace.fit) is None
        else fit.cost + (fit.n_segments_used * math.log(fit.n_bins) if trace.side and fit.n_bins else 0.0)
        for trace in traces
    ])  # fmt: skip


def _judge_glare(binned: list[Strip], traces: list[_Trace], prior: _Prior) -> None:
    """Fit every hair without and with a glare line; keep the lines where they are worth their parameters (BIC).

    Light falls on all hairs of an image alike: where the wide hairs together ask for lines, each bright one is kept.
    """
    widest = math.log(WIDEST_UM / prior.um_per_px)
    shiny: dict[int, _Trace] = {}
    gain: dict[int, float] = {}
    for k, trace in enumerate(traces):
        traces[k] = plain = _fit(binned[k], replace(trace, glare=False, fit=None), prior)
        if plain.fit is None or not plain.fit.n_segments_used:
            continue
        if max(trace.width_px, plain.width_px) < GLARE_IN_SIGMA * plain.sigma_px:
            continue
        shape = trace.shape.copy()
        shape[4:] = prior.mean[4:]
        lit = _fit(
            binned[k], replace(trace, shape=shape, glare=True, fit=None), prior, exactly=np.isfinite(plain.fit.depth)
        )
        if lit.fit is None or not lit.fit.n_segments_used or lit.shape[0] > widest:
            continue
        if lit.fit.glare > LEAST_GLARE * abs(lit.fit.contrast) and not _too_bright(lit.fit):
            shiny[k] = lit
            gain[k] = plain.fit.cost - lit.fit.cost - (lit.fit.n_segments_used + 2) * math.log(lit.fit.n_bins)
    everywhere = sum(min(max(one, -30.0), 30.0) for one in gain.values()) > 0
    for k, lit in shiny.items():
        if everywhere or gain[k] > 0:
            traces[k] = lit


def _too_bright(fit: ProfileFit) -> bool:
    """Whether what was fitted as a glare line is the hair itself."""
    return fit.glare >= abs(fit.contrast) * (MOST_GLARE_DARK if fit.contrast < 0 else MOST_GLARE_BRIGHT)


def _clearest(traces: list[_Trace], wide: list[int]) -> list[int]:
    """Wide hairs, best known width first, without those beside which something is left unexplained."""
    noise = {k: fit.noise for k in wide if (fit := traces[k].fit) is not None}
    quiet = [k for k in noise if noise[k] <= 1.3 * float(np.median(list(noise.values())))]
    return sorted(quiet, key=lambda k: _variance(traces[k], 0))


def _is_wide(trace: _Trace) -> bool:
    fit = trace.fit
    return (
        fit is not None
        and fit.n_segments_used >= 2
        and fit.shape[0] - fit.shape[1] > math.log(WIDE_IN_SIGMA)
        and fit.covariance[1, 1] < 0.3**2
    )


def _variance(trace: _Trace, which: int) -> float:
    return math.inf if trace.fit is None else float(trace.fit.covariance[which, which])


def _pool(traces: list[_Trace], which: int, inflation: float, before: tuple[float, float]) -> tuple[float, float]:
    """Mean and spread of one shape parameter over hairs, their own errors taken off (DerSimonian-Laird moments).

    What each hair's fit was told before (`before`, for the shade) is taken off first: information adds.
    """
    value = np.array([trace.shape[which] for trace in traces])
    variance = np.array([_variance(trace, which) for trace in traces])
    if which != 1:
        told = 1 / before[1] ** 2
        own = 1 / np.maximum(variance, 1e-9) - told
        said = own > 0.5 * told
        own = own[said]
        value = (value[said] / variance[said] - before[0] * told) / own
        variance = 1 / own
    if len(value) == 0:
        return before
    variance = inflation * variance + 1e-6
    middle = float(np.median(value))
    apart = np.abs(value - middle)
    usual = 0.7 if which == 1 else 3.0 * 1.4826 * float(np.median(apart))
    keep = apart <= np.maximum(usual, 3.0 * np.sqrt(variance))
    if not keep.any():  # a few hairs that contradict one another say nothing
        return before
    value, variance = value[keep], variance[keep]
    weight = 1 / variance
    mean = float(weight @ value / weight.sum())
    excess = float(weight @ (value - mean) ** 2) - (len(weight) - 1)
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    spread2 = max(excess / scale, 0.0) if scale > 0 else 0.2**2
    weight = 1 / (variance + spread2)
    mean, mean_variance = float(weight @ value / weight.sum()), 1 / float(weight.sum())
    if which != 1:
        # the mean itself is held by what was known before
        own_share = before[1] ** 2 / (before[1] ** 2 + mean_variance)
        mean, mean_variance = own_share * mean + (1 - own_share) * before[0], own_share * mean_variance
        spread2 = min(spread2, before[1] ** 2)
    return mean, math.sqrt(spread2 + mean_variance + 0.01**2)


def _inflation(traces: list[_Trace]) -> float:
    """How much larger the scatter between segments is than the residual noise says, pooled over the image."""
    ratio = [
        fit.robust_covariance[0, 0] / fit.covariance[0, 0] * fit.n_segments_used / (fit.n_segments_used - 1.5)
        for fit in (trace.fit for trace in traces)
        if fit is not None and fit.n_segments_used >= 3 and fit.covariance[0, 0] > 0
    ]
    return max(float(np.mean(np.minimum(ratio, 20.0))), 1.0) if len(ratio) >= 5 else 1.5


def _settle(strips: _Strips, traces: list[_Trace], prior: _Prior) -> None:
    """Fit all hairs under the image's prior, their neighbours taken off; again once the neighbours are known."""
    typical = float(np.median([trace.shape[0] for trace in traces]))
    for trace in traces:
        trace.shape[1:4] = prior.mean[1:4]
        if trace.fit is None or not trace.fit.n_segments_used:
            trace.shape[0] = min(trace.shape[0], typical + 0.3)
    again = list(range(len(traces)))
    for turn in range(3):
        strips.learn(traces, prior)
        was = {k: traces[k].shape[0] for k in again}
        for k in again:
            strip, allowed = strips.bin(k, traces[k], hide=False), strips.separate(k, traces[k])
            traces[k] = found = _fit(strip, traces[k], prior, allowed=allowed)
            if found.glare and found.fit is not None and _too_bright(found.fit):
                shape = np.where(np.arange(N_SHAPE) == 0, found.shape[0] + found.shape[5], found.shape)
                traces[k] = _fit(strip, replace(found, shape=shape, glare=False, fit=None), prior, allowed=allowed)
        for k in again if turn < 2 else []:
            strips.align(k, traces[k])
        again = [
            k for k in again if strips.has_neighbour(k) and (turn == 0 or abs(traces[k].shape[0] - was[k]) > 0.005)
        ]
    strips.learn(traces, prior)
    for k, trace in enumerate(traces):
        if trace.fit is not None and not (np.isfinite(trace.fit.depth) & strips.separate(k, trace)).any():
            trace.fit = None


def _collect(traces: list[_Trace], prior: _Prior, um_per_px: float) -> DiameterFit:
    n = len(traces)
    diameter, sd, sigma, contrast = (np.full(n, np.nan) for _ in range(4))
    flags: list[tuple[str, ...]] = []
    known_blur = prior.sd[1] < UNKNOWN_BLUR[1]
    common = math.hypot(prior.doubt, MODEL_FLOOR)
    # what a hair leaves unexplained beyond the others (specks, a neighbour's flank) runs along it and is no noise
    seen = [trace.fit.noise for trace in traces if trace.fit is not None and trace.fit.n_segments_used]
    typical = max(float(np.median(seen)), ROUNDING) if seen else math.nan
    for k, trace in enumerate(traces):
        fit = trace.fit
        if fit is None or fit.n_segments_used == 0:
            flags.append((DIAMETER_UNRESOLVED, DIAMETER_TOUCHING))
            continue
        sigma[k], contrast[k] = math.exp(fit.shape[1]), fit.contrast
        width = math.exp(fit.shape[0])
        unexplained = max(fit.noise / typical, 1.0)
        relative = math.sqrt(prior.inflation * unexplained**2 * fit.covariance[0, 0] + common**2)
        found = (DIAMETER_GLARE,) if trace.glare else ()
        narrowest = NARROWEST_IN_SIGMA if known_blur else WIDE_IN_SIGMA
        if (
            not relative < MAX_RELATIVE_SD
            or width * um_per_px > WIDEST_UM
            or fit.shape[0] - fit.shape[1] < math.log(narrowest)
        ):
            flags.append((DIAMETER_UNRESOLVED, *found))
            continue
        diameter[k] = width * um_per_px
        sd[k] = relative * diameter[k]
        flags.append(found)
    return DiameterFit(
        diameter_um=diameter,
        diameter_sd_um=sd,
        flags=tuple(flags),
        blur_sigma_px=math.exp(prior.mean[1]) if known_blur and n else math.nan,
        blur_spread=float(prior.sd[1]) if known_blur else math.nan,
        hair_blur_px=sigma,
        contrast=contrast,
        gamma=prior.gamma,
        absorption_per_um=math.exp(prior.mean[2]) / um_per_px,
        halo=prior.halo,
        disc=prior.disc,
        shadow=prior.shadow is not None,
        common_sd=common,
    )
