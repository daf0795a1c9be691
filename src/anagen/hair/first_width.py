"""A first width for every hair, chosen among many: a hair must not be taken for the bright line that runs along it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np

from anagen.hair.strip import HairPixels

WIDTHS_UM = np.geomspace(10.0, 130.0, 14)
"""Candidates, a step of 22 %: the fit that follows finds its way from any of two neighbours."""

SHIFTS_UM = np.arange(-16.0, 16.1, 4.0)
"""Candidates of the shift from the given line: paths are good to 2 px, and a pixel is seldom above 7 um."""

BIN_UM = 2.5

BLUR_UM = 9.0
"""Of the mean profile: optics, and what the line wanders from the hair along it."""

GLARE_WIDTH = 0.28
"""Of the trial glare line over the hair's width."""

LUMA = np.array([0.299, 0.587, 0.114])
"""ITU-R BT.601: the channel that JPEG keeps at full resolution."""

OWN_SHADE = 0.15
"""How uneven a hair's own light is across it, as a part of that light."""

CHANNEL_GAIN = 1.3
"""How much better than luma one colour channel must show the hairs to be preferred: it is blurred by chroma subsampling
and demosaicking."""

CLEAR_IN_LUMA = 2.5
"""Hair's contrast over what varies beside and in it from which luma is good enough, however much better a colour is."""

SPREAD = 0.5
"""Standard deviation of log width between the hairs of one scalp, as a weak prior: 78 um and 24 um lie 2.4 apart."""


OTHER_SIGN = 12.0
"""Twice the log odds against a hair darker than the skin among hairs brighter than it, or the other way round."""


@dataclass(frozen=True, slots=True, eq=False)
class FirstLook:
    """Where the fit of each hair starts.

    Parameters
    ----------
    width_um, shift_um : ndarray, shape (n,)
        Width, and shift of the hair from its line.
    glare : ndarray of bool, shape (n,)
        Whether a bright line runs along it.
    """

    width_um: np.ndarray
    shift_um: np.ndarray
    glare: np.ndarray


def choose_channel(
    image: np.ndarray, points: np.ndarray, first_step: np.ndarray, steps: np.ndarray, um_per_px: float
) -> np.ndarray:
    """Weights of the channels that show the image's hairs best against what varies in the skin beside them.

    Parameters
    ----------
    image : ndarray, shape (H, W, C)
        Pixels.
    points, first_step : ndarray
        As in `gather_pixels`.
    steps : ndarray, shape (n_hairs, 2)
        First and last step of the part to measure.
    um_per_px : float
        Scale.

    Returns
    -------
    ndarray, shape (C,)
        Such that white is 1.
    """
    white = 255.0 if image.dtype == np.uint8 else 1.0
    if image.shape[2] == 1:
        return np.array([1 / white])
    contrast, own, scatter = _sample(image, points, first_step, steps, um_per_px)
    known = np.isfinite(contrast).all(axis=1)
    if known.sum() < 3:
        return LUMA / white
    candidates = np.vstack([LUMA, np.eye(3)])
    noise = np.sqrt(np.einsum("ij,jk,ik->i", candidates, scatter, candidates)) + 0.5
    # what a hair sends back is uneven across it: a channel in which it is bright itself shows less of its outline
    uneven = OWN_SHADE * np.median(own[known] @ candidates.T, axis=0)
    signal = np.median(np.abs(contrast[known] @ candidates.T), axis=0) / np.hypot(noise, uneven)
    best = int(np.argmax(signal))
    in_luma = signal[0] >= CLEAR_IN_LUMA or signal[best] <= CHANNEL_GAIN * signal[0]
    return np.asarray(candidates[0 if in_luma else best] / white)


@numba.njit(cache=True)
def _sample(image, points, first_step, steps, um_per_px):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Colour of each hair's middle less the skin's, its own colour, and covariance of the skin between two places."""
    height, width = image.shape[0], image.shape[1]
    n_hairs = len(first_step) - 1
    places = np.array([-10.0, 0.0, 10.0, -90.0, -75.0, 75.0, 90.0]) / um_per_px
    contrast, own = np.full((n_hairs, 3), np.nan), np.full((n_hairs, 3), np.nan)
    scatter = np.zeros((3, 3))
    seen = np.zeros((7, 3))
    n_all = 0
    for hair in range(n_hairs):
        total, light, n = np.zeros(3), np.zeros(3), 0
        for k in range(steps[hair, 0], steps[hair, 1], 4):
            row, col = points[k + hair, 0], points[k + hair, 1]
            d_row, d_col = points[k + hair + 1, 0] - row, points[k + hair + 1, 1] - col
            length = max(np.sqrt(d_row * d_row + d_col * d_col), 1e-9)
            inside = True
            for i in range(7):
                r = int(np.rint(row - places[i] * d_col / length))
                c = int(np.rint(col + places[i] * d_row / length))
                if r < 0 or c < 0 or r >= height or c >= width:
                    inside = False
                    break
                for channel in range(3):
                    seen[i, channel] = image[r, c, channel]
            if not inside:
                continue
            n += 1
            for p in range(3):
                hair_side = (seen[0, p] + seen[1, p] + seen[2, p]) / 3.0
                light[p] += hair_side
                total[p] += hair_side - (seen[3, p] + seen[4, p] + seen[5, p] + seen[6, p]) / 4.0
            # a neighbour beside the hair is not skin: large steps are left out
            if abs(seen[3, 1] - seen[4, 1]) < 30.0 and abs(seen[5, 1] - seen[6, 1]) < 30.0:
                n_all += 2
                for p in range(3):
                    for q in range(3):
                        scatter[p, q] += 0.5 * (seen[3, p] - seen[4, p]) * (seen[3, q] - seen[4, q])
                        scatter[p, q] += 0.5 * (seen[5, p] - seen[6, p]) * (seen[5, q] - seen[6, q])
        if n >= 3:
            contrast[hair], own[hair] = total / n, light / n
    return contrast, own, scatter / max(n_all, 1)


def look_first(pixels: HairPixels, steps: np.ndarray, um_per_px: float, reach_px: float) -> FirstLook:
    """Take a first width of every hair from its mean profile.

    Every candidate width is tried at every candidate shift, with and without a glare line, against the same wide
    window, so that a line inside a hair leaves the hair's own flanks unexplained and loses. The image's own typical
    width and the commoner sign of contrast are weak priors.

    Parameters
    ----------
    pixels : HairPixels
        Of the image.
    steps : ndarray, shape (n_hairs, 2)
        First and last step of the part to measure.
    um_per_px, reach_px : float
        Scale, and half the window.

    Returns
    -------
    FirstLook
    """
    n = len(steps)
    n_bins = math.ceil(2 * reach_px * um_per_px / BIN_UM)
    score, shift = np.zeros((n, len(WIDTHS_UM), 2)), np.zeros((n, len(WIDTHS_UM), 2))
    glare = np.zeros((n, len(WIDTHS_UM), 2), dtype=np.bool_)
    for k in range(n):
        profile = np.zeros((3, n_bins))
        _mean_profile(
            profile, pixels.start[k], pixels.start[k + 1], pixels.step, pixels.across_px, pixels.value, pixels.other,
            steps[k, 0], steps[k, 1], um_per_px, BIN_UM,
        )  # fmt: skip
        _try_all(profile, WIDTHS_UM, SHIFTS_UM, BLUR_UM, GLARE_WIDTH, score[k], shift[k], glare[k])
    width = WIDTHS_UM[np.argmin(score.min(axis=2), axis=1)]
    margin = np.clip(score[:, :, 0].min(axis=1) - score[:, :, 1].min(axis=1), -30.0, 30.0)
    usual_sign = int(margin.sum() > 0)
    usual_width = float(np.median(width))
    score += (np.log(WIDTHS_UM / usual_width) ** 2 / SPREAD**2)[None, :, None]
    score[:, :, 1 - usual_sign] += OTHER_SIGN
    flat = np.argmin(score.reshape(n, -1), axis=1)
    pick = (np.arange(n), flat // 2, flat % 2)
    return FirstLook(WIDTHS_UM[flat // 2], shift[pick], glare[pick])


@numba.njit(cache=True)
def _mean_profile(profile, first, last, step, across, value, other, step_0, step_1, um_per_px, bin_um):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Weight, mean distance and mean value in each bin, of the pixels that lie nearer to this hair than to another."""
    n_bins = profile.shape[1]
    middle = 0.5 * n_bins * bin_um
    for e in range(first, last):
        if step[e] < step_0 or step[e] >= step_1 or np.isnan(value[e]):
            continue
        o = other[e]
        if o >= 0 and abs(across[o]) < abs(across[e]):
            continue
        t = across[e] * um_per_px
        at = int((t + middle) / bin_um)
        if 0 <= at < n_bins:
            profile[0, at] += 1.0
            profile[1, at] += t
            profile[2, at] += value[e]
    for at in range(n_bins):
        if profile[0, at] > 0.0:
            profile[1, at] /= profile[0, at]
            profile[2, at] /= profile[0, at]


@numba.njit(cache=True, error_model="numpy")
def _try_all(profile, widths, shifts, blur, glare_width, score, shift, glare):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, C901, PLR0912 - compiled
    """Least misfit of each width and sign of contrast; how it was reached."""
    n_bins = profile.shape[1]
    score[:, :] = 1e6
    top = 0.0
    n_seen = 0
    for i in range(n_bins):
        top = max(top, profile[0, i])
    for i in range(n_bins):
        if profile[0, i] > 0.2 * top:
            n_seen += 1
    if n_seen < 8:
        score[:, :] = 0.0
        return
    base = np.zeros((4, 4))
    rhs, x, row = np.zeros(4), np.zeros(4), np.zeros(4)
    root2 = 1.4142135623730951
    for w in range(len(widths)):
        half = 0.5 * widths[w]
        line_sigma = math.sqrt(blur * blur + (glare_width * widths[w]) ** 2 / 12.0)
        for c in range(len(shifts)):
            base[:, :] = 0.0
            rhs[:] = 0.0
            total = 0.0
            for i in range(n_bins):
                weight = min(profile[0, i] / top, 1.0)
                if weight <= 0.0:
                    continue
                t = profile[1, i] - shifts[c]
                row[0], row[1] = 1.0, t / 100.0
                row[2] = 0.5 * (math.erf((t + half) / blur / root2) - math.erf((t - half) / blur / root2))
                row[3] = math.exp(-0.5 * (t / line_sigma) ** 2)
                v = profile[2, i]
                total += weight * v * v
                for p in range(4):
                    rhs[p] += weight * row[p] * v
                    for q in range(p, 4):
                        base[p, q] += weight * row[p] * row[q]
            for size in range(3, 5):
                misfit = total
                if not _solve(base, rhs, size, x):
                    continue
                for p in range(size):
                    misfit -= x[p] * rhs[p]
                shiny = size == 4
                if shiny and (x[3] <= 0.0 or x[3] > 2.0 * abs(x[2])):
                    continue
                s = 0.5 * n_seen * math.log(max(misfit / n_seen, 1e-6)) + (4.0 if shiny else 0.0)
                sign = 1 if x[2] > 0.0 else 0
                if s < score[w, sign]:
                    score[w, sign], shift[w, sign], glare[w, sign] = s, shifts[c], shiny


@numba.njit(cache=True, error_model="numpy")
def _solve(upper, rhs, n, x):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Solve a small symmetric system given by its upper triangle (Cholesky); says whether it could."""
    low = np.zeros((4, 4))
    for p in range(n):
        for q in range(p + 1):
            s = upper[q, p] + (1e-6 * upper[0, 0] if p == q else 0.0)
            for r in range(q):
                s -= low[p, r] * low[q, r]
            if p == q:
                if s <= 0.0:
                    return False
                low[p, p] = math.sqrt(s)
            else:
                low[p, q] = s / low[q, q]
    for p in range(n):
        s = rhs[p]
        for r in range(p):
            s -= low[p, r] * x[r]
        x[p] = s / low[p, p]
    for p in range(n - 1, -1, -1):
        s = x[p]
        for r in range(p + 1, n):
            s -= low[r, p] * x[r]
        x[p] = s / low[p, p]
    return True
