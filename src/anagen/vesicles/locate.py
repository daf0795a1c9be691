"""Finds the spots of one frame, and what a spot of this movie looks like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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
    ndarray, shape (n, 5), float32
        Row, column, peak over the background, standard deviation in px, signal-to-noise ratio of the response;
        sorted by row.

    References
    ----------
    Anthony SM, Granick S, Langmuir 2009;25:8152 (Gaussian fits of spots in a window).
    """
    response = _respond(frame, model.sigma_px, model.shrink, dark_on_bright=model.dark_on_bright)
    found = _find_maxima(response, model.threshold, model.noise)
    sign = -1.0 if model.dark_on_bright else 1.0
    return np.asarray(_fit_all(np.ascontiguousarray(frame), found, model.shrink, model.sigma_px, sign))


def _try_widths(
    frames: list[np.ndarray], sigma_px: float | None, *, dark_on_bright: bool | None, threshold: float
) -> tuple[bool, float]:
    best, best_dark, best_sigma = 0.0, False, 0.0
    fewer = frames[::3]
    for dark in (False, True) if dark_on_bright is None else (dark_on_bright,):
        for sigma in TRIAL_SIGMAS_PX if sigma_px is None else (sigma_px,):
            if sigma > min(frames[0].shape) / 12:
                continue
            model = _model(fewer, sigma, dark_on_bright=dark, threshold=threshold)
            snr = np.concatenate([locate_spots(frame, model)[:, 4] for frame in fewer])
            snr = np.sort(snr)[::-1][: 10 * len(fewer)]
            score = float(np.sqrt(np.mean(np.minimum(snr, 500.0)))) if snr.size else 0.0
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
        strong = spots[spots[:, 4] >= np.median(spots[:, 4])]
        sigma_px = float(np.clip(np.median(strong[:, 3]), 0.75 * sigma_px, 1.33 * sigma_px))
    return sigma_px


def _model(frames: list[np.ndarray], sigma_px: float, *, dark_on_bright: bool, threshold: float) -> SpotModel:
    if not 0.5 <= sigma_px <= 20.0:
        raise InputError(f"sigma_px must lie in 0.5 to 20, got {sigma_px}: give the spot's standard deviation in px")
    shrink = 2 if sigma_px >= 1.25 else 1
    stack = np.stack([_respond(frame, sigma_px, shrink, dark_on_bright=dark_on_bright) for frame in frames])
    noise = _noise_map(stack, TILE_PX // shrink)
    background = float(np.median([np.median(frame) for frame in frames]))
    return SpotModel(sigma_px, dark_on_bright, threshold * noise, noise, shrink, background)


def _respond(frame: np.ndarray, sigma_px: float, shrink: int, *, dark_on_bright: bool) -> np.ndarray:
    """Difference of a Gaussian as wide as the spot and the mean of its surroundings, positive at spots."""
    if shrink > 1:
        size = (frame.shape[1] // shrink, frame.shape[0] // shrink)
        frame = cv2.resize(frame[: size[1] * shrink, : size[0] * shrink], size, interpolation=cv2.INTER_AREA)
    sigma = sigma_px / shrink
    if shrink > 1:
        sigma = math.sqrt(max(sigma**2 - 1.0 / 12.0, 0.16))
    reach = max(2, math.ceil(3.0 * sigma))
    kernel = cv2.getGaussianKernel(2 * reach + 1, sigma).astype(np.float32)
    around = 2 * math.ceil(5.0 * sigma) + 1
    near = cv2.sepFilter2D(frame, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REFLECT_101)
    far = cv2.boxFilter(frame, cv2.CV_32F, (around, around), borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(cv2.subtract(far, near) if dark_on_bright else cv2.subtract(near, far))


def _noise_map(stack: np.ndarray, tile: int) -> np.ndarray:
    """Robust standard deviation of the response in tiles, smoothly joined."""
    n_rows, n_cols = max(1, stack.shape[1] // tile), max(1, stack.shape[2] // tile)
    rows = np.linspace(0, stack.shape[1], n_rows + 1).astype(int)
    cols = np.linspace(0, stack.shape[2], n_cols + 1).astype(int)
    coarse = np.empty((n_rows, n_cols), np.float32)
    for i in range(n_rows):
        for j in range(n_cols):
            values = stack[:, rows[i] : rows[i + 1] : 2, cols[j] : cols[j + 1] : 2].ravel()
            coarse[i, j] = GAUSSIAN_PER_MAD * np.median(np.abs(values - np.median(values)))
    # A tile full of spots has too large a MAD and an empty dark one nothing: stay near the whole frame's noise.
    typical = float(np.median(coarse))
    floor = max(typical, 0.05)
    coarse = np.clip(coarse, 0.5 * floor, 2.0 * floor).astype(np.float32)
    size = (stack.shape[2], stack.shape[1])
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR), np.float32)


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


@njit(cache=True, error_model="numpy")
def _fit_all(frame, found, shrink, sigma, sign):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, C901, PLR0912 - one numba loop
    """Fit every maximum; fits that fall on one spot count once; close spots are fitted again without the others."""
    n = found.shape[0]
    fits = np.empty((n, 5), np.float64)
    reach = max(3, int(np.ceil(2.4 * sigma)))
    window = np.empty((2 * reach + 1, 2 * reach + 1), np.float64)
    nothing = np.empty((0, 5), np.float64)
    for i in range(n):
        row = found[i, 0] * shrink + 0.5 * (shrink - 1)
        col = found[i, 1] * shrink + 0.5 * (shrink - 1)
        _fit_one(frame, row, col, sigma, sign, reach, window, nothing, fits[i])
    keep = np.ones(n, np.bool_)
    for i in range(n):
        for j in range(i + 1, n):
            if fits[j, 0] - fits[i, 0] > 40.0 * sigma:
                break
            if keep[i] and keep[j]:
                apart = (fits[i, 0] - fits[j, 0]) ** 2 + (fits[i, 1] - fits[j, 1]) ** 2
                if apart < (1.2 * sigma) ** 2:
                    if found[i, 2] >= found[j, 2]:
                        keep[j] = False
                    else:
                        keep[i] = False
    kept = np.nonzero(keep)[0]
    first = fits[kept]
    near = np.empty((16, 5), np.float64)
    out = np.empty((kept.size, 5), np.float32)
    for a in range(kept.size):
        m = 0
        for b in range(kept.size):
            if b != a and m < 16:
                limit = reach + 3.0 * first[b, 3]
                if abs(first[b, 0] - first[a, 0]) < limit and abs(first[b, 1] - first[a, 1]) < limit:
                    near[m] = first[b]
                    m += 1
        fit = first[a].copy()
        if m > 0:
            _fit_one(frame, fit[0], fit[1], sigma, sign, reach, window, near[:m], fit)
            if (fit[0] - first[a, 0]) ** 2 + (fit[1] - first[a, 1]) ** 2 > sigma * sigma:
                fit[:] = first[a]
        for k in range(4):
            out[a, k] = fit[k]
        out[a, 4] = found[kept[a], 2]
    return out[np.argsort(out[:, 0])]


@njit(cache=True, error_model="numpy")
def _fit_one(frame, row, col, sigma, sign, reach, window, others, fit):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, C901, PLR0912, PLR0915 - one numba loop
    """Levenberg-Marquardt for A exp(-((y-r)^2 + (x-c)^2) / 2 s^2) + b on a square window.

    The model is a product of a function of the row and one of the column, so every sum over the window of the normal
    equations is a product of two sums along its sides; only the sums with the image itself run over all pixels.
    """
    n_rows, n_cols = frame.shape
    r0, c0 = int(np.round(row)), int(np.round(col))
    top, bottom = max(r0 - reach, 0), min(r0 + reach, n_rows - 1)
    left, right = max(c0 - reach, 0), min(c0 + reach, n_cols - 1)
    h, w = bottom - top + 1, right - left + 1
    low, high, total = 1e30, -1e30, 0.0
    for i in range(h):
        for j in range(w):
            v = sign * frame[top + i, left + j]
            for k in range(others.shape[0]):
                d2 = (top + i - others[k, 0]) ** 2 + (left + j - others[k, 1]) ** 2
                if d2 < 16.0 * others[k, 3] ** 2:
                    v -= others[k, 2] * np.exp(-0.5 * d2 / others[k, 3] ** 2)
            window[i, j] = v
            total += v
            low = min(low, v)
    base = 0.0  # the mean of the rim is a first guess of the background
    for i in range(h):
        base += window[i, 0] + window[i, w - 1]
    for j in range(w):
        base += window[0, j] + window[h - 1, j]
    base /= 2.0 * (h + w)
    high = window[min(max(r0 - top, 0), h - 1), min(max(c0 - left, 0), w - 1)]
    y, x, s = row - top, col - left, sigma
    a, b = max(high - base, 1.0), base
    y_start, x_start = y, x
    ey, ex = np.empty(h), np.empty(w)
    damp = 1e-3
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
        y += min(max(g[1], -1.0), 1.0)
        x += min(max(g[2], -1.0), 1.0)
        s = min(max(s + min(max(g[3], -0.3 * s), 0.3 * s), 0.5 * sigma), 3.0 * sigma)
        b += g[4]
        if g[1] * g[1] + g[2] * g[2] < 1e-5 and abs(g[3]) < 0.01 * s:
            break
    far = (y - y_start) ** 2 + (x - x_start) ** 2 > (1.5 * sigma + 1.0) ** 2
    if far or not np.isfinite(a + y + x):
        y, x, s, a = y_start, x_start, sigma, max(high - base, 1.0)
    fit[0], fit[1], fit[2], fit[3], fit[4] = y + top, x + left, a, s, b


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
