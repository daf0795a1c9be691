"""How bright each pixel is beside the skin around it: what is left of an image when skin and light are divided out."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

FINE_UM: Final = 5.0
"""Pitch at which edges are measured; finer images are averaged down to it, coarser ones stay."""

SKIN_UM: Final = 1000.0
"""Extent over which the skin's brightness is taken as even."""

COVERED: Final = 0.3
SKIN_SHARE: Final = 0.7
"""Share of the darker pixels (below `SKIN_SHARE` of the brightest twentieth) from which hair is taken to cover skin:
0.05 to 0.23 on clipped fields, 0.24 to 0.67 on unclipped ones of 60 to 160 hairs per cm2."""
MOST_COVERED: Final = 0.75
"""Such a share from which the darker pixels are skin, and fair hair lies over it."""

MOST: Final = 0.99
"""Quantile of contrast that stands for hair: hair covers one percent of the sparsest field."""
CLEAR: Final = 10.0
"""Clarity (`_clarity`) at which dark hair needs no other colour."""
LEAST_CLEAR: Final = 6.0
"""Clarity below which another mix of the channels is no better than chance: skin alone has 3 to 5."""
DARK_FIRST: Final = 2.5
"""How much clearer another mix must be than darkness."""
SATURATED: Final = 250
"""Grey level from which a channel says too little."""
OVERALL: Final = 0.6
"""Contrast to which a mix is brought, as dark hair has it."""
FINE_NOISE: Final = 0.2
"""Share of the noise of single pixels that counts against a mix: most is averaged out over a hair."""
SURE_CENTRE: Final = 0.6
NO_CENTRE: Final = 0.1
"""What the network says of pixels that are hair, and at most of those that are skin."""
LEAST_SURE: Final = 50
"""Fewer such pixels (of about 10 um) do not say what hair looks like."""
BEGINNINGS: Final = np.array([[1, 1, 1], [0, 0, 1], [1, 0, -1], [1, -1, 0], [0, 1, -1]], dtype=float)
"""Mixes of red, green and blue that are tried first, and their opposites."""

LEAST_LINES: Final = 4.0
"""How far lines must stand above the commonest contrast (`_find_lines`) in `TILES_WITH_LINES` of 4 x 4 tiles to be
taken for hair that is not darker than its skin: 2.5 to 3.3 on bare skin with glints or a bubble, 4 to 25 on hair."""
TILES_WITH_LINES: Final = 6
MOST_LINES: Final = 0.997
"""Quantile of lines that stands for hair of full contrast."""
LINE_UM: Final = 130.0
"""Glints are shorter than this, hairs longer."""
BROAD_UM: Final = 150.0
"""What is broader than this is no hair."""


def skin_brightness(light: np.ndarray, pitch_um: float) -> np.ndarray:
    """Brightness of the skin under and around each pixel: a wide median, smoothed.

    Parameters
    ----------
    light : ndarray, shape (H, W), uint8
        One channel.
    pitch_um : float
        Micrometres per pixel.

    Returns
    -------
    ndarray, shape (H, W), float32
        At least 8 grey levels.
    """
    step = max(1, round(40.0 / pitch_um))
    small = cv2.resize(light, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
    size = 2 * (round(SKIN_UM / pitch_um / step) // 2) + 1
    between = _skin_between_hairs(small, pitch_um * step)
    smooth = cv2.GaussianBlur(cv2.medianBlur(small, size).astype(np.float32) if between is None else between, (0, 0), 3)
    full = cv2.resize(smooth, (light.shape[1], light.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.maximum(full, np.float32(8.0)))


def _skin_between_hairs(small: np.ndarray, pitch_um: float) -> np.ndarray | None:
    """Median of what is no hair in windows of `SKIN_UM`; None where hair does not cover much of most of them.

    Where it does the plain median is hair.
    """
    window = max(3, round(SKIN_UM / pitch_um))
    padded = np.pad(small, window // 2, mode="reflect")
    hop = max(1, window // 2)
    seen = np.lib.stride_tricks.sliding_window_view(padded, (window, window))[::hop, ::hop]
    shape = seen.shape[:2]
    windows = seen.reshape(-1, window * window)
    skin = windows >= SKIN_SHARE * np.quantile(windows, 0.95, axis=1, keepdims=True)
    if not 1 - MOST_COVERED < np.median(skin.mean(axis=1)) <= 1 - COVERED:
        return None
    level = np.nanmedian(np.where(skin, windows, np.nan), axis=1).reshape(shape).astype(np.float32)
    return np.asarray(cv2.resize(level, small.shape[::-1], interpolation=cv2.INTER_LINEAR))


def skin_ratio(image: np.ndarray, pitch_um: float) -> np.ndarray:
    """Each channel over the skin's brightness there, less 1: 0 on skin, -1 on black, clipped at 1.5.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
    pitch_um : float

    Returns
    -------
    ndarray, shape (H, W, 3), float32
    """
    channels = [c / skin_brightness(c, pitch_um) - 1 for c in cv2.split(image)]
    return np.asarray(np.clip(np.stack(channels, axis=2), -1.0, 1.5), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Contrast:
    """Working image: contrast of hair over skin at a pitch, and how to get back to the caller's pixels.

    Parameters
    ----------
    value : ndarray, shape (H, W), float32
        0 on skin, towards 1 on hair that differs wholly from it.
    deep : ndarray, shape (H, W), float32
        The same in the channel in which a shaft under the skin shines through.
    work : ndarray, shape (H, W, 3), uint8
        The image at this pitch.
    pitch_um : float
        Micrometres per pixel of these.
    px_per_px : float
        Pixels of the caller's image for one of these.
    tone : str
        ``dark`` where hair is darker than skin, ``other`` where it is told by another mix of the channels.
    clarity : float
        Contrast of what stands out most over the commonest: 3 to 5 on bare skin, 9 to 24 on real dark hair. For tone
        ``other`` that of lines in six of sixteen tiles, where it is less.
    """

    value: np.ndarray
    deep: np.ndarray
    work: np.ndarray
    pitch_um: float
    px_per_px: float
    tone: str
    clarity: float

    def to_image(self, path: np.ndarray) -> np.ndarray:
        """Pixels of the caller's image."""
        return np.asarray((path + 0.5) * self.px_per_px - 0.5)


def hair_contrast(image: np.ndarray, um_per_px: float) -> Contrast:
    """Contrast of hair over skin, in the mix of channels in which lines stand out most.

    Dark in every channel is the rule. Fair, red and grey hair on skin as bright as itself is told by its colour: the
    mix is then Fisher's discriminant of the most conspicuous pixels against the rest of this image.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
    um_per_px : float

    Returns
    -------
    Contrast
    """
    factor = um_per_px / FINE_UM
    work = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else image
    ratio = image.shape[0] / work.shape[0]
    pitch = um_per_px * ratio
    red, green, blue = cv2.split(work)
    dark = over_skin(cv2.max(cv2.max(red, green), blue), pitch)
    soft = _soften(dark, pitch)
    covered = bool(np.mean(soft > np.quantile(soft, MOST) / 2) > COVERED)
    clarity = _clarity(soft, FINE_NOISE * _noise_covariance(dark[:, :, None])[0, 0], covered=covered)
    if clarity < CLEAR:
        apart = [over_skin(channel, pitch) for channel in (red, green, blue)]
        weights, clearest = _clearest_mix(np.stack(apart, axis=2), pitch, max(LEAST_CLEAR, DARK_FIRST * clarity))
        if weights is not None:
            mixed = sum(np.float32(w) * one for w, one in zip(weights, apart, strict=True))
            # where a channel is saturated its mix with the others means nothing
            value = np.where(cv2.max(cv2.max(red, green), blue) >= SATURATED, 0, np.clip(mixed, -OVERALL, 1))
            standing = _find_lines(value, pitch)[0]
            if standing >= LEAST_LINES:
                return Contrast(value, apart[0], work, pitch, ratio, "other", min(clearest, standing))
        elif clarity < LEAST_CLEAR:
            bright, standing = _bright_lines(apart, pitch)
            if standing >= LEAST_LINES:
                return Contrast(bright, apart[0], work, pitch, ratio, "other", min(clarity, standing))
    return Contrast(np.clip(dark, -0.3, 1), over_skin(red, pitch), work, pitch, ratio, "dark", clarity)


def teach_contrast(fine: Contrast, centre: np.ndarray) -> Contrast:
    """Contrast in the mix of channels that tells this image's surest hairs best from its skin.

    Fisher's discriminant (1936), as in `hair_contrast`, but between pixels that are known: what the network is sure of,
    and what is far from anything it takes for hair.

    Parameters
    ----------
    fine : Contrast
        Given back where too little is sure.
    centre : ndarray, float32
        As `see_centres` gives it, of the same field.

    Returns
    -------
    Contrast
        `value` is `OVERALL` on the middle of a usual hair, `clarity` is this mix's; the rest is as in `fine`.
    """
    channels = cv2.split(fine.work)
    apart = cv2.merge([over_skin(channel, fine.pitch_um) for channel in channels])
    soft = _soften(apart, fine.pitch_um)
    seen = cv2.resize(centre, (soft.shape[1], soft.shape[0]), interpolation=cv2.INTER_AREA)
    hair = soft[seen > SURE_CENTRE]
    skin = soft[cv2.dilate(seen, np.ones((5, 5), dtype=np.uint8)) <= NO_CENTRE]
    if len(hair) < LEAST_SURE or len(skin) < LEAST_SURE:
        return fine
    noise = FINE_NOISE * _noise_covariance(apart)
    spread = np.cov(skin.T) + noise + 1e-6 * np.eye(3)
    weights = np.linalg.solve(spread, hair.mean(axis=0) - skin.mean(axis=0))
    usual = float(np.median(hair @ weights))
    if usual <= 0:
        return fine
    mixed = np.clip(cv2.transform(apart, weights[None] * (OVERALL / usual)), -OVERALL, 1)
    # where a channel is saturated its mix with the others means nothing
    saturated = cv2.max(cv2.max(*channels[:2]), channels[2]) >= SATURATED
    value = np.where(saturated, np.float32(0), mixed)
    return dataclasses.replace(fine, value=value, clarity=_clarity(soft @ weights, float(weights @ noise @ weights)))


def _clearest_mix(apart: np.ndarray, pitch_um: float, least: float) -> tuple[np.ndarray | None, float]:
    """Weights of the three channels in which hair is clearest, and how clear it is; None if less than `least`.

    Fisher (1936): weights = S^-1 d, with d the mean of the pixels that stand out and S the covariance of the rest.
    Which stand out depends on the weights, so both are found in turn, from several beginnings. They are brought to the
    contrast that dark hair has.
    """
    soft = np.stack([_soften(apart[:, :, k], pitch_um) for k in range(3)], axis=2).reshape(-1, 3)
    noise = FINE_NOISE * _noise_covariance(apart)
    best, clearest = None, least
    for beginning in np.concatenate([BEGINNINGS, -BEGINNINGS]):
        weights = beginning / np.linalg.norm(beginning)
        clarity = _clarity(soft @ weights, float(weights @ noise @ weights))
        for _ in range(6):
            value = soft @ weights
            stands_out = value > 0.75 * np.quantile(value, MOST)
            rest = np.abs(value) < 3 * np.median(np.abs(value))
            turned = np.linalg.solve(np.cov(soft[rest].T) + noise + 1e-6 * np.eye(3), soft[stands_out].mean(axis=0))
            turned = turned / np.linalg.norm(turned)
            better = _clarity(soft @ turned, float(turned @ noise @ turned))
            if better <= 1.005 * clarity:
                break
            weights, clarity = turned, better
        value = soft @ weights
        if clarity > clearest and not _is_blood(soft[value > 0.75 * np.quantile(value, MOST)].mean(axis=0)):
            best, clearest = weights, clarity
    if best is None:
        return None, least
    return best * OVERALL / max(float(np.quantile(soft @ best, MOST)), 0.03), clearest


def _bright_lines(apart: list[np.ndarray], pitch_um: float) -> tuple[np.ndarray, float]:
    """Contrast of hair a little brighter than skin that is as mottled and full of glints, and how far it stands out.

    Such is brown hair on the darkest skin: what is broad (mottle) and what is short (glints) is left out.
    """
    bright = np.asarray(-sum(apart) / np.float32(3))
    bright = bright - cv2.GaussianBlur(bright, (0, 0), BROAD_UM / pitch_um)
    standing, lines = _find_lines(bright, pitch_um)
    near = cv2.resize(cv2.dilate(lines, np.ones((7, 7), dtype=np.uint8)), bright.shape[::-1])
    # a hair's middle is a little brighter than the line that goes all through it; a glint is far brighter
    value = np.minimum(bright, np.float32(1.3) * np.maximum(near, 0) + np.float32(0.02))
    scale = OVERALL / max(float(np.quantile(lines, MOST_LINES)), 0.03)
    return np.clip(value * scale, -OVERALL, 1), standing


def _find_lines(value: np.ndarray, pitch_um: float) -> tuple[float, np.ndarray]:
    """Say how far straight lines stand out all over the field, and the lines, in pixels twice as wide.

    Glints are short, a bubble's rim or a scratch lies in a few of 4 x 4 tiles: hair is long, narrow and everywhere.
    """
    half = cv2.resize(value, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    narrow = cv2.GaussianBlur(half, (0, 0), 1) - cv2.GaussianBlur(half, (0, 0), 40.0 / pitch_um)
    lines = _open_lines(narrow, LINE_UM / pitch_um / 2)
    tiles = [np.quantile(t, MOST) for rows in np.array_split(lines, 4) for t in np.array_split(rows, 4, axis=1)]
    common = max(float(np.median(np.abs(narrow))), 1e-4)
    return float(np.sort(tiles)[-TILES_WITH_LINES]) / common, lines


def _open_lines(value: np.ndarray, length_px: float) -> np.ndarray:
    """Keep the brightest straight line of a length, in any of eight directions, through every pixel."""
    half = max(1, round(length_px / 2 - 0.5))
    best = np.full(value.shape, -np.inf, dtype=np.float32)
    for angle in np.arange(8) * np.pi / 8:
        line = np.zeros((2 * half + 1, 2 * half + 1), dtype=np.uint8)
        across, along = round(half * np.sin(angle)), round(half * np.cos(angle))
        cv2.line(line, (half - along, half - across), (half + along, half + across), 1)
        best = np.maximum(best, cv2.morphologyEx(value, cv2.MORPH_OPEN, line))
    return best


def _clarity(value: np.ndarray, noise_variance: float, *, covered: bool = False) -> float:
    """How far the strongest percent of hair-wide contrast stands above the commonest and the noise.

    Where hair covers much of the skin (`covered`) the commonest contrast is hair's: the weaker half is taken.
    """
    most = float(np.quantile(value, MOST))
    common = float(np.median(np.abs(value[value < most / 2] if covered else value)))
    return most / math.sqrt(common**2 + noise_variance + 1e-6)


def _is_blood(apart: np.ndarray) -> bool:
    """Whether what stands out absorbs green and blue alike and hardly any red: vessels, not hair."""
    red, green, blue = apart
    return bool(green > 0 and abs(red) < 0.25 * green and blue < 1.15 * green)


def _soften(contrast: np.ndarray, pitch_um: float) -> np.ndarray:
    """Every fourth pixel, smoothed over 8 um: enough to see hair, quick to count."""
    small = cv2.resize(contrast, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), max(0.7, 8.0 / pitch_um))[::2, ::2])


def _noise_covariance(apart: np.ndarray) -> np.ndarray:
    """Covariance (n, n) of what smoothing over 1.5 pixels takes away from (H, W, n), edges left out."""
    rough = apart - cv2.GaussianBlur(apart, (0, 0), 1.5).reshape(apart.shape)
    rough = np.ascontiguousarray(rough[::3, ::3].reshape(-1, apart.shape[2]).T)
    size = np.abs(rough).max(axis=0)
    return np.asarray(1.6 * np.atleast_2d(np.cov(rough[:, size < np.quantile(size, 0.8)])))


def over_skin(light: np.ndarray, pitch_um: float) -> np.ndarray:
    """Give how much darker each pixel of one channel is than the skin there: 1 - light / skin.

    Parameters
    ----------
    light : ndarray, shape (H, W), uint8
    pitch_um : float

    Returns
    -------
    ndarray, shape (H, W), float32
    """
    return np.asarray(1 - light / skin_brightness(light, pitch_um), dtype=np.float32)
