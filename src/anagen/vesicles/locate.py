"""Finds the spots of one frame, and what a spot of this movie looks like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numba import njit

from anagen.errors import InputError, NotEnoughDataError

DEFAULT_THRESHOLD = 4.5
"""Smallest signal-to-noise ratio of a spot: about one spot in 150 is false on a frame of 640 x 480 with 60."""
TRIAL_SIGMAS_PX = (0.9, 1.3, 1.8, 2.5, 3.5, 5.0, 7.0)
TILE_PX = 64
GAUSSIAN_PER_MAD = 1.4826
"""Standard deviation over median absolute deviation of a normal variable."""


@dataclass(frozen=True, eq=False)
class SpotModel:
    """What a spot of this movie looks like and how strong it must be.

    Parameters
    ----------
    sigma_px : float
        Standard deviation of a typical spot.
    dark_on_bright : bool
        Spots are darker than the background.
    threshold : ndarray, shape (H // shrink, W // shrink), float32
        Smallest response that counts, from the local noise.
    noise : ndarray, float32
        Standard deviation of the response without spots; same shape.
    shrink : int
        1, or 2 where spots are wide enough to be found on a frame of half the size.
    background : float
        Median grey level.
    """

    sigma_px: float
    dark_on_bright: bool
    threshold: np.ndarray
    noise: np.ndarray
    shrink: int
    background: float


def learn_spots(
    frames: Sequence[np.ndarray],
    *,
    sigma_px: float | None = None,
    dark_on_bright: bool | None = None,
    threshold: float = DEFAULT_THRESHOLD,
) -> SpotModel:
    """Find the width, polarity and noise of the spots from a few frames.

    A Gaussian filter answers with the best signal-to-noise ratio when it is as wide as the spot, so the width and
    polarity whose strongest maxima stand highest over the noise are tried first and then refined by fitting.

    Parameters
    ----------
    frames : sequence of ndarray, shape (H, W)
        A few frames of the start of the movie.
    sigma_px : float, optional
        Width of a spot; found when not given.
    dark_on_bright : bool, optional
        Polarity; found when not given.
    threshold : float
        Signal-to-noise ratio that a spot needs.

    Returns
    -------
    SpotModel
        To be given to `locate_spots`.

    Raises
    ------
    NotEnoughDataError
        When no frame shows a spot.
    """
    few = list(frames[:: max(1, len(frames) // 6)])[:6]
    if dark_on_bright is None or sigma_px is None:
        dark_on_bright, sigma_px = _try_widths(few, sigma_px, dark_on_bright=dark_on_bright, threshold=threshold)
    return _model(few, sigma_px, dark_on_bright=dark_on_bright, threshold=threshold)


def locate_spots(frame: np.ndarray, model: SpotModel) -> np.ndarray:
    """Find spots and fit a round Gaussian on a level background to each by least squares.

    Parameters
    ----------
    frame : ndarray, shape (H, W), uint8 or uint16
        One frame.
    model : SpotModel
        From `learn_spots`.

    Returns
    -------
    ndarray, shape (n, 6), float32
        Row, column, peak over the background, standard deviation in px, signal-to-noise ratio of the response, and
        the variance of the place along an axis in px2 by the fit; sorted by row.

    References
    ----------
    Anthony SM, Granick S, Langmuir 2009;25:8152 (Gaussian fits of spots in a window).
    """
    response = _respond(frame, model.sigma_px, model.shrink, dark_on_bright=model.dark_on_bright)
    return _fit_response(frame, response, model)


def _fit_response(frame: np.ndarray, response: np.ndarray, model: SpotModel) -> np.ndarray:
    """Spots of a frame; the response is left without them."""
    width, half = _filter_size(model.sigma_px, model.shrink)
    return np.asarray(
        _fit_all(
            np.ascontiguousarray(frame),
            response,
            model.threshold,
            model.noise,
            model.shrink,
            model.sigma_px,
            width,
            half,
            -1.0 if model.dark_on_bright else 1.0,
        )
    )


def _try_widths(
    frames: list[np.ndarray], sigma_px: float | None, *, dark_on_bright: bool | None, threshold: float
) -> tuple[bool, float]:
    best, best_dark, best_sigma = 0.0, False, 0.0
    fewer = frames[::3]
    for dark in (False, True) if dark_on_bright is None else (dark_on_bright,):
        for sigma in TRIAL_SIGMAS_PX if sigma_px is None else (sigma_px,):
            if sigma > min(frames[0].shape) / 12:
                continue
            model, responses = _first_model(fewer, sigma, dark_on_bright=dark, threshold=threshold)
            snr = np.concatenate([_find_maxima(one, model.threshold, model.noise)[:, 2] for one in responses])
            snr = np.sort(snr)[::-1][: 10 * len(fewer)]
            clear = np.clip(snr - threshold - 1.0, 0.0, 500.0)
            score = float(np.sum(np.sqrt(clear)))  # many clear spots before one dazzling one
            if score > best:
                best, best_dark, best_sigma = score, dark, sigma
    if best == 0.0:
        raise NotEnoughDataError(
            f"no spot stands {threshold:g} times above the noise in the first frames: check focus, light and "
            "dilution, or lower the threshold"
        )
    if sigma_px is None:
        best_sigma = _refine_width(frames, best_sigma, dark=best_dark, threshold=threshold)
    return best_dark, float(best_sigma)


def _refine_width(frames: list[np.ndarray], sigma_px: float, *, dark: bool, threshold: float) -> float:
    for _ in range(2):
        model = _model(frames, sigma_px, dark_on_bright=dark, threshold=threshold)
        spots = np.concatenate([locate_spots(frame, model) for frame in frames])
        if not len(spots):
            break
        strong = spots[spots[:, 4] >= np.median(spots[:, 4])]
        sigma_px = float(np.clip(np.median(strong[:, 3]), 0.75 * sigma_px, 1.33 * sigma_px))
    return sigma_px


def _model(frames: list[np.ndarray], sigma_px: float, *, dark_on_bright: bool, threshold: float) -> SpotModel:
    """Model whose noise is that of the frames without their spots."""
    model, responses = _first_model(frames, sigma_px, dark_on_bright=dark_on_bright, threshold=threshold)
    for frame, response in zip(frames, responses, strict=True):
        _fit_response(frame, response, model)
    noise = _noise_map(responses, TILE_PX // model.shrink)
    return replace(model, threshold=threshold * noise, noise=noise)


def _first_model(
    frames: list[np.ndarray], sigma_px: float, *, dark_on_bright: bool, threshold: float
) -> tuple[SpotModel, np.ndarray]:
    """Model whose noise still holds some of the spots' own light, and the responses."""
    if not 0.5 <= sigma_px <= 20.0:
        raise InputError(f"sigma_px must lie in 0.5 to 20, got {sigma_px}: give the spot's standard deviation in px")
    shrink = 2 if sigma_px >= 1.25 else 1
    responses = np.stack([_respond(frame, sigma_px, shrink, dark_on_bright=dark_on_bright) for frame in frames])
    background = float(np.median([np.median(frame[::4, ::4]) for frame in frames]))
    noise = _noise_map(responses, TILE_PX // shrink)
    return SpotModel(sigma_px, dark_on_bright, threshold * noise, noise, shrink, background), responses


def _respond(frame: np.ndarray, sigma_px: float, shrink: int, *, dark_on_bright: bool) -> np.ndarray:
    """Difference of a Gaussian as wide as the spot and the mean of its surroundings, positive at spots."""
    if shrink > 1:
        size = (frame.shape[1] // shrink, frame.shape[0] // shrink)
        frame = cv2.resize(frame[: size[1] * shrink, : size[0] * shrink], size, interpolation=cv2.INTER_AREA)
    sigma, half = _filter_size(sigma_px, shrink)
    reach = max(2, math.ceil(3.0 * sigma))
    kernel = cv2.getGaussianKernel(2 * reach + 1, sigma).astype(np.float32)
    around = 2 * half + 1
    near = cv2.sepFilter2D(frame, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REFLECT_101)
    far = cv2.boxFilter(frame, cv2.CV_32F, (around, around), borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(cv2.subtract(far, near) if dark_on_bright else cv2.subtract(near, far))


BOX = 5.0
"""Half the box whose mean is the background, in widths of a spot: a smaller one takes light from spots out of focus."""


def _filter_size(sigma_px: float, shrink: int) -> tuple[float, int]:
    """Width of the Gaussian and half the box of the filter, in pixels of the frame that it runs on."""
    sigma = sigma_px / shrink
    if shrink > 1:
        sigma = math.sqrt(max(sigma**2 - 1.0 / 12.0, 0.16))
    return sigma, math.ceil(BOX * sigma)


def _noise_map(stack: np.ndarray, tile: int) -> np.ndarray:
    """Robust standard deviation of the response in tiles, smoothly joined."""
    n_rows, n_cols = max(1, stack.shape[1] // tile), max(1, stack.shape[2] // tile)
    rows = np.linspace(0, stack.shape[1], n_rows + 1).astype(int)
    cols = np.linspace(0, stack.shape[2], n_cols + 1).astype(int)
    coarse = GAUSSIAN_PER_MAD * _tile_spread(stack, rows, cols)
    # A tile full of spots has too large a MAD and an empty dark one nothing: stay near the whole frame's noise.
    typical = float(np.median(coarse))
    floor = max(typical, 0.05)
    coarse = np.clip(coarse, 0.5 * floor, 2.0 * floor).astype(np.float32)
    size = (stack.shape[2], stack.shape[1])
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR), np.float32)


@njit(cache=True, error_model="numpy")
def _tile_spread(stack, rows, cols):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    """Median absolute deviation of every second pixel of every second row of each tile."""
    spread = np.empty((rows.size - 1, cols.size - 1), np.float32)
    for i in range(rows.size - 1):
        for j in range(cols.size - 1):
            values = stack[:, rows[i] : rows[i + 1] : 2, cols[j] : cols[j + 1] : 2].copy().ravel()
            spread[i, j] = np.median(np.abs(values - np.median(values)))
    return spread


@njit(cache=True, error_model="numpy")
def _find_maxima(response, threshold, noise):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    n_rows, n_cols = response.shape
    found = np.empty((n_rows * n_cols // 4 + 1, 3), np.float32)
    n = 0
    for r in range(1, n_rows - 1):
        for c in range(1, n_cols - 1):
            v = response[r, c]
            if v <= threshold[r, c]:
                continue
            if (
                v >= response[r - 1, c - 1]
                and v >= response[r - 1, c]
                and v >= response[r - 1, c + 1]
                and v >= response[r, c - 1]
                and v > response[r, c + 1]
                and v > response[r + 1, c - 1]
                and v > response[r + 1, c]
                and v > response[r + 1, c + 1]
            ):
                found[n, 0], found[n, 1], found[n, 2] = r, c, v / noise[r, c]
                n += 1
    return found[:n].copy()


MISFIT = 0.15
"""Part of a fitted spot that may be left because it is no Gaussian: no other spot is sought in it."""
LOBE_APART, LOBE_PEAK = 2.6, 0.3
"""Nearer than this to a spot, in widths, and weaker than this part of it: a lobe of its smear along its path."""
RINGS = 1.5
"""Rings of a spot reach this far, in half sides of the box around it."""
STANDS_OUT = 6.0
"""A maximum near a spot must be this many times the median of what is left around that spot; noise alone has 0.67."""
NARROWEST = 0.6
"""A speck beside a brighter spot and narrower than this part of a spot is noise on its flank."""
WEAKEST = 0.6
"""Part of the threshold that a spot must reach by itself, without the light of its neighbours."""


@njit(cache=True, error_model="numpy")
def _fit_all(frame, response, threshold, noise, shrink, sigma, width, half, sign):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fit every maximum, then those left when the fitted spots are taken away, then close spots without each other."""
    found = _find_maxima(response, threshold, noise)
    spots = _fit_maxima(frame, found, np.empty((0, 8)), shrink, sigma, sign)
    _take_away(response, spots, shrink, width, half)
    left = _stand_out(response, _find_maxima(response, threshold, noise), spots, shrink, int(np.ceil(5.0 * width)))
    if left.shape[0] > 0:
        spots = _fit_maxima(frame, left, spots, shrink, sigma, sign)
    return _fit_again(frame, spots[np.argsort(spots[:, 0])], threshold, noise, shrink, sigma, sign)


@njit(cache=True, error_model="numpy")
def _fit_maxima(frame, found, known, shrink, sigma, sign):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    """Fit each maximum and add it to the spots known: row, column, peak, width, level, SNR, whether it held, error."""
    n, n_known = found.shape[0], known.shape[0]
    spots = np.empty((n_known + n, 8))
    spots[:n_known] = known
    spots[n_known:, 3] = 0.0  # width unknown
    keep = np.ones(n_known + n, np.bool_)
    side = 2 * _half_window(WIDEST * sigma, sigma) + 1
    window = np.empty((side, side))
    near = np.empty((16, 8))
    for i in range(n_known, n_known + n):
        row = found[i - n_known, 0] * shrink + 0.5 * (shrink - 1)
        col = found[i - n_known, 1] * shrink + 0.5 * (shrink - 1)
        m = _neighbours(known, row, col, -1, _half_window(sigma, sigma), near)
        held = _fit_one(frame, row, col, sigma, sigma, sign, window, near[:m], spots[i])
        spots[i, 5], spots[i, 6] = found[i - n_known, 2], held
        if n_known > 0 and (held == 0.0 or spots[i, 3] < NARROWEST * sigma):
            keep[i] = False
        for j in range(i):
            if keep[i] and keep[j]:
                apart = (spots[i, 0] - spots[j, 0]) ** 2 + (spots[i, 1] - spots[j, 1]) ** 2
                lobe = j < n_known and spots[i, 5] < LOBE_PEAK * spots[j, 5]
                limit = (LOBE_APART if lobe else 1.2) * sigma
                wide_j = spots[j, 3] >= spots[i, 3]
                wide, sharp = (j, i) if wide_j else (i, j)
                if spots[wide, 3] > WIDE * sigma and spots[sharp, 5] < 2.0 * spots[wide, 5]:  # a speck of it
                    if apart < max(limit, 1.2 * spots[wide, 3]) ** 2:
                        if wide_j or j < n_known:
                            keep[i] = False
                        else:
                            keep[j] = False
                elif apart < limit**2:
                    if j < n_known or spots[j, 5] >= spots[i, 5]:
                        keep[i] = False
                    else:
                        keep[j] = False
    return spots[np.nonzero(keep)[0]]


@njit(cache=True, error_model="numpy")
def _stand_out(response, found, spots, shrink, half):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    """Maxima that are more than what is left all around a spot that is no Gaussian, such as its rings."""
    keep = np.ones(found.shape[0], np.bool_)
    around = np.empty((2 * half + 1) ** 2)
    for i in range(found.shape[0]):
        r, c = int(found[i, 0]), int(found[i, 1])
        for k in range(spots.shape[0]):
            row, col = (spots[k, 0] - 0.5 * (shrink - 1)) / shrink, (spots[k, 1] - 0.5 * (shrink - 1)) / shrink
            if (row - r) ** 2 + (col - c) ** 2 > (RINGS * half) ** 2:
                continue
            n = 0
            for y in range(max(int(row) - half, 0), min(int(row) + half, response.shape[0] - 1) + 1):
                for x in range(max(int(col) - half, 0), min(int(col) + half, response.shape[1] - 1) + 1):
                    around[n] = abs(response[y, x])
                    n += 1
            if response[r, c] < STANDS_OUT * np.median(around[:n]):
                keep[i] = False
                break
    return found[np.nonzero(keep)[0]]


@njit(cache=True, error_model="numpy")
def _neighbours(spots, row, col, own, reach, near):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    """Copy the spots, but its own, whose light falls into the window; give their number."""
    m = 0
    for b in range(spots.shape[0]):
        if b != own and m < near.shape[0]:
            limit = reach + 3.0 * spots[b, 3]
            if abs(spots[b, 0] - row) < limit and abs(spots[b, 1] - col) < limit:
                near[m] = spots[b]
                m += 1
    return m


@njit(cache=True, error_model="numpy")
def _fit_again(frame, spots, threshold, noise, shrink, sigma, sign):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fit spots that have neighbours without these; drop what is only the flank of a brighter one."""
    near = np.empty((16, 8))
    side = 2 * _half_window(WIDEST * sigma, sigma) + 1
    window = np.empty((side, side))
    out = np.empty((spots.shape[0], 6), np.float32)
    fit = np.empty(8)
    n = 0
    for a in range(spots.shape[0]):
        fit[:] = spots[a]
        m = _neighbours(spots, fit[0], fit[1], a, _half_window(fit[3], sigma), near)
        if m > 0:
            brighter = near[:m, 5].max() > fit[5]
            held = _fit_one(frame, fit[0], fit[1], _start_width(fit[3], sigma), sigma, sign, window, near[:m], fit)
            if held == 0.0 or (fit[0] - spots[a, 0]) ** 2 + (fit[1] - spots[a, 1]) ** 2 > sigma * sigma:
                held = 0.0
                fit[:] = spots[a]
            r = min(max(int(fit[0] / shrink), 0), noise.shape[0] - 1)
            c = min(max(int(fit[1] / shrink), 0), noise.shape[1] - 1)
            alone = fit[2] * fit[3] ** 2 / (fit[3] ** 2 + sigma**2)
            if brighter and (held == 0.0 or fit[3] < NARROWEST * sigma or alone < WEAKEST * threshold[r, c]):
                continue
        for k in range(4):
            out[n, k] = fit[k]
        out[n, 4], out[n, 5] = fit[5], fit[7]
        n += 1
    return out[:n][np.argsort(out[:n, 0])]


@njit(cache=True, error_model="numpy")
def _take_away(response, spots, shrink, width, half):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    """Subtract from the response, in place, that of each fitted spot, and somewhat more where a spot is no Gaussian."""
    n_rows, n_cols = response.shape
    root = math.sqrt(2.0)
    for i in range(spots.shape[0]):
        row, col = (spots[i, 0] - 0.5 * (shrink - 1)) / shrink, (spots[i, 1] - 0.5 * (shrink - 1)) / shrink
        s2 = (spots[i, 3] / shrink) ** 2 + (shrink * shrink - 1.0) / (12.0 * shrink * shrink)
        energy = spots[i, 2] * 2.0 * math.pi * (spots[i, 3] / shrink) ** 2
        spread = s2 + width * width
        reach = half + int(np.ceil(3.0 * math.sqrt(s2)))
        top, bottom = max(int(row) - reach, 0), min(int(row) + reach, n_rows - 1)
        left, right = max(int(col) - reach, 0), min(int(col) + reach, n_cols - 1)
        if top > bottom or left > right:
            continue
        side = half + 0.5
        near = np.empty(right - left + 1)
        far = np.empty(right - left + 1)
        scale = root * math.sqrt(s2)
        for c in range(left, right + 1):
            d = c - col
            near[c - left] = np.exp(-0.5 * d * d / spread)
            far[c - left] = 0.5 * (math.erf((d + side) / scale) - math.erf((d - side) / scale))
        for r in range(top, bottom + 1):
            d = r - row
            in_near = (1.0 + MISFIT) * energy / (2.0 * math.pi * spread) * np.exp(-0.5 * d * d / spread)
            in_far = energy / (4.0 * side * side) * 0.5 * (math.erf((d + side) / scale) - math.erf((d - side) / scale))
            for c in range(left, right + 1):
                response[r, c] -= in_near * near[c - left] - in_far * far[c - left]


WIDE = 1.5
"""A spot wider than this many typical widths is out of focus: it is fitted again in a window that holds all of it."""
SPECK = 0.8
"""A spot narrower than this many typical widths, or one that cannot be fitted, may be a speck of one out of focus."""
WIDEST_FIT = 5.0
"""Largest width that a fit may give, in typical widths."""
WIDEST = 3.0
"""Widths of a typical spot beyond which the window grows no more."""
WINDOW = 2.4
"""Half the side of a fit's window, in widths of the spot."""


@njit(cache=True, error_model="numpy")
def _half_window(s, sigma):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    """Half the side of the window for a spot of width s where a typical one has sigma."""
    return max(3, int(np.ceil(WINDOW * _start_width(s, sigma))))


@njit(cache=True, error_model="numpy")
def _start_width(s, sigma):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    """Width that a fit starts from and its window is made for: that of a typical spot unless it is out of focus."""
    return min(s, WIDEST * sigma) if s > WIDE * sigma else sigma


@njit(cache=True, error_model="numpy")
def _fit_one(frame, row, col, s, sigma, sign, window, others, fit):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    """Fit a spot in a window for one of width s, and in a larger one when it is, or is a speck of, one out of focus."""
    held = _fit_window(frame, row, col, s, sigma, sign, window, others, fit)
    if s > WIDE * sigma:
        return held
    wider = fit.copy()
    if held == 0.0 or fit[3] < SPECK * sigma:
        s, wider[3] = WIDEST * sigma, 0.0
        if _fit_window(frame, fit[0], fit[1], s, sigma, sign, window, others, wider) == 1.0 and wider[3] > WIDE * sigma:
            top, bottom, left, right = _window_at(frame.shape, fit[0], fit[1], s, sigma)
            inside = window[: bottom - top, : right - left]
            if _left_over(inside, wider, top, left) < _left_over(inside, fit, top, left):
                fit[:], held = wider, 1.0
    for _ in range(2):
        if fit[3] < WIDE * sigma:
            break
        s = _start_width(fit[3], sigma)
        wider[:] = fit
        if _fit_window(frame, fit[0], fit[1], s, sigma, sign, window, others, wider) == 0.0:
            break
        grown = wider[3] > 1.2 * fit[3]
        fit[:] = wider
        if not grown:
            break
    return held


@njit(cache=True, error_model="numpy")
def _window_at(shape, row, col, s, sigma):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    """First and last row and column, the last excluded, of the window around a spot of width s."""
    reach = _half_window(s, sigma)
    r, c = int(np.round(row)), int(np.round(col))
    return max(r - reach, 0), min(r + reach + 1, shape[0]), max(c - reach, 0), min(c + reach + 1, shape[1])


@njit(cache=True, error_model="numpy")
def _left_over(window, fit, top, left):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    """Sum of squares that a spot leaves in a window, on the best level."""
    total = square = 0.0
    for i in range(window.shape[0]):
        for j in range(window.shape[1]):
            r2 = (top + i - fit[0]) ** 2 + (left + j - fit[1]) ** 2
            v = window[i, j] - fit[2] * np.exp(-0.5 * r2 / fit[3] ** 2)
            total += v
            square += v * v
    return square - total * total / window.size


@njit(cache=True, error_model="numpy")
def _fit_window(frame, row, col, s, sigma, sign, window, others, fit):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, C901, PLR0912, PLR0915 - one numba loop
    """Levenberg-Marquardt for A exp(-((y-r)^2 + (x-c)^2) / 2 s^2) + b on a square window; 1 where it held, else 0.

    The model is a product of a function of the row and one of the column, so every sum over the window of the normal
    equations is a product of two sums along its sides; only the sums with the image itself run over all pixels.
    """
    top, bottom, left, right = _window_at(frame.shape, row, col, s, sigma)
    h, w = bottom - top, right - left
    if h < 3 or w < 3:
        return 0.0
    total = 0.0
    for i in range(h):
        for j in range(w):
            v = sign * frame[top + i, left + j]
            for k in range(others.shape[0]):
                d2 = (top + i - others[k, 0]) ** 2 + (left + j - others[k, 1]) ** 2
                if d2 < 16.0 * others[k, 3] ** 2:
                    v -= others[k, 2] * np.exp(-0.5 * d2 / others[k, 3] ** 2)
            window[i, j] = v
            total += v
    base = 0.0  # the mean of the rim is a first guess of the background
    for i in range(h):
        base += window[i, 0] + window[i, w - 1]
    for j in range(w):
        base += window[0, j] + window[h - 1, j]
    base /= 2.0 * (h + w)
    high = window[min(max(int(np.round(row)) - top, 0), h - 1), min(max(int(np.round(col)) - left, 0), w - 1)]
    y, x = row - top, col - left
    a, b = max(high - base, 1.0), base
    y_start, x_start, s_start = y, x, s
    if fit[3] > 0.0:
        a, s, b = fit[2], fit[3], fit[4]
    ey, ex = np.empty(h), np.empty(w)
    damp, farthest = 1e-3, max(1.0, 0.3 * s)
    m = np.zeros((5, 5))
    g = np.zeros(5)
    for _ in range(12):
        q = np.zeros(5)
        e = np.zeros(3)
        for i in range(h):
            d = i - y
            v = np.exp(-0.5 * d * d / (s * s))
            ey[i] = v
            e[0] += v
            e[1] += v * d
            e[2] += v * d * d
            vv = v * v
            q[0] += vv
            q[1] += vv * d
            q[2] += vv * d * d
            q[3] += vv * d * d * d
            q[4] += vv * d * d * d * d
        p = np.zeros(5)
        f = np.zeros(3)
        for j in range(w):
            d = j - x
            v = np.exp(-0.5 * d * d / (s * s))
            ex[j] = v
            f[0] += v
            f[1] += v * d
            f[2] += v * d * d
            vv = v * v
            p[0] += vv
            p[1] += vv * d
            p[2] += vv * d * d
            p[3] += vv * d * d * d
            p[4] += vv * d * d * d * d
        t0 = t1 = t2 = t3 = 0.0
        for i in range(h):
            s0 = s1 = s2 = 0.0
            for j in range(w):
                d = j - x
                v = ex[j] * window[i, j]
                s0 += v
                s1 += v * d
                s2 += v * d * d
            d = i - y
            t0 += ey[i] * s0
            t1 += ey[i] * d * s0
            t2 += ey[i] * s1
            t3 += ey[i] * (d * d * s0 + s2)
        k2, k3 = a / (s * s), a / (s * s * s)
        m[0, 0] = q[0] * p[0]
        m[0, 1] = k2 * q[1] * p[0]
        m[0, 2] = k2 * q[0] * p[1]
        m[0, 3] = k3 * (q[2] * p[0] + q[0] * p[2])
        m[0, 4] = e[0] * f[0]
        m[1, 1] = k2 * k2 * q[2] * p[0]
        m[1, 2] = k2 * k2 * q[1] * p[1]
        m[1, 3] = k2 * k3 * (q[3] * p[0] + q[1] * p[2])
        m[1, 4] = k2 * e[1] * f[0]
        m[2, 2] = k2 * k2 * q[0] * p[2]
        m[2, 3] = k2 * k3 * (q[2] * p[1] + q[0] * p[3])
        m[2, 4] = k2 * e[0] * f[1]
        m[3, 3] = k3 * k3 * (q[4] * p[0] + 2.0 * q[2] * p[2] + q[0] * p[4])
        m[3, 4] = k3 * (e[2] * f[0] + e[0] * f[2])
        m[4, 4] = h * w
        g[0] = t0 - a * m[0, 0] - b * m[0, 4]
        g[1] = k2 * t1 - a * m[0, 1] - b * m[1, 4]
        g[2] = k2 * t2 - a * m[0, 2] - b * m[2, 4]
        g[3] = k3 * t3 - a * m[0, 3] - b * m[3, 4]
        g[4] = total - a * m[0, 4] - b * m[4, 4]
        if not _solve(m, g, damp):
            break
        a = max(a + g[0], 0.1)
        y += min(max(g[1], -farthest), farthest)
        x += min(max(g[2], -farthest), farthest)
        s = min(max(s + min(max(g[3], -0.3 * s), 0.3 * s), 0.5 * sigma), WIDEST_FIT * sigma)
        b += g[4]
        if g[1] * g[1] + g[2] * g[2] < 1e-5 and abs(g[3]) < 0.01 * s:
            break
    error = _error_px2(window[:h, :w], y, x, a, s, b)
    far = (y - y_start) ** 2 + (x - x_start) ** 2 > (1.5 * s_start + 1.0) ** 2
    held = 1.0
    if far or not np.isfinite(a + y + x):
        y, x, s, a, held = y_start, x_start, s_start, max(high - base, 1.0), 0.0
    fit[0], fit[1], fit[2], fit[3], fit[4], fit[7] = y + top, x + left, a, s, b, error
    return held


@njit(cache=True, error_model="numpy")
def _error_px2(window, y, x, a, s, b):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    """Variance of the place along an axis from what is left, r, where the slope J counts: sum (J r)^2 / (sum J^2)^2.

    No law of the noise is assumed, so photons, the camera, rings and saturation all count as they are (White H,
    Econometrica 1980;48:817, the estimator that allows for unequal variances).
    """
    h, w = window.shape
    across = np.empty(w)
    for j in range(w):
        across[j] = np.exp(-0.5 * ((j - x) / s) ** 2)
    top = bottom = 0.0
    for i in range(h):
        down = a * np.exp(-0.5 * ((i - y) / s) ** 2)
        for j in range(w):
            model = down * across[j]
            left = window[i, j] - model - b
            slope2 = (model * model) * ((i - y) ** 2 + (j - x) ** 2)
            top += slope2 * left * left
            bottom += slope2
    n = h * w
    return 2.0 * s**4 * top / max(bottom, 1e-30) ** 2 * n / max(n - 5.0, 1.0)


@njit(cache=True, error_model="numpy")
def _solve(m, g, damp):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    """Solve the damped symmetric system in place by Cholesky; False when it is singular."""
    c = np.zeros((5, 5))
    for i in range(5):
        for j in range(i + 1):
            v = m[j, i]
            if i == j:
                v *= 1.0 + damp
            for k in range(j):
                v -= c[i, k] * c[j, k]
            if i == j:
                if v <= 1e-12 * m[i, i]:
                    return False
                c[i, i] = np.sqrt(v)
            else:
                c[i, j] = v / c[j, j]
    for i in range(5):
        for k in range(i):
            g[i] -= c[i, k] * g[k]
        g[i] /= c[i, i]
    for i in range(4, -1, -1):
        for k in range(i + 1, 5):
            g[i] -= c[k, i] * g[k]
        g[i] /= c[i, i]
    return True
