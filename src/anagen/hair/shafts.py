"""Turn traced lines into shafts: where each begins and ends, how wide it is, and which lines only repeat another."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numba import njit


@dataclass(frozen=True, eq=False)
class Shaft:
    """One bar of hair before it is known which end is the root.

    Parameters
    ----------
    path : ndarray, shape (n, 2)
        Centre line, one point a working pixel.
    half_width : float
        Working pixels, from the side that no neighbour touches.
    contrast : float
        Of its plateau.
    evenness : float
        1 for the same contrast all along, 0 for none.
    support : float
        Sum of the ridge evidence along it.
    unexplained : float
        Share of its area that no stronger shaft covers.
    rim : float
        Contrast just outside its two edges over that of its plateau: 0 for a hair alone on skin.
    span : float
        Distance of its two edges, working pixels; of both hairs where two touch.
    """

    path: np.ndarray
    half_width: float
    contrast: float
    evenness: float
    support: float
    unexplained: float
    rim: float
    span: float


@dataclass(frozen=True, eq=False)
class Detection:
    """What a detector found in one image; working pixels.

    Parameters
    ----------
    shafts : list of Shaft
        Every bar that explains what differs from skin, counted or not: by them the field is judged.
    paths : list of ndarray, each of shape (n >= 2, 2)
        Centre lines of the hairs to count, root first.
    confidence : ndarray, shape (n_paths,)
        How sure each is one hair, 0 to 1.
    rootless : tuple of ndarray or None
        Centre lines of long hairs of which no root is seen: not counted, but they lie over others. None for short hair.
    clarity : float
        `Contrast.clarity` of the mix of channels that the hairs themselves taught; 0 where none did.
    """

    shafts: list[Shaft]
    paths: list[np.ndarray]
    confidence: np.ndarray
    rootless: tuple[np.ndarray, ...] | None = None
    clarity: float = 0.0


def measure_shafts(
    contrast: np.ndarray,
    points: np.ndarray,
    starts: np.ndarray,
    *,
    core_px: float,
    reach_px: float,
    bridge_px: int,
    end_share: float,
    stiff_px: float,
) -> list[Shaft]:
    """Find the ends, width and plateau of every traced line.

    Parameters
    ----------
    contrast : ndarray, shape (H, W), float32
    points, starts : ndarray
        As `trace_lines` gives them, in pixels of `contrast`.
    core_px : float
        Half-width of the core over which the contrast along the line is averaged.
    reach_px : float
        Widest half-width looked for; also how far beyond a line's end its true end may lie.
    bridge_px : int
        Longest gap (glare, a crossing line) that does not end a hair.
    end_share : float
        Share of the plateau's contrast at which a hair ends.
    stiff_px : float
        Paths shorter than this bend one way only.

    Returns
    -------
    list of Shaft
        In the order of the lines; lines without a plateau are left out.
    """
    shafts = []
    for first, last in itertools.pairwise(starts):
        path = _resample(_stiffen(points[first:last], stiff_px), round(reach_px))
        plateau, begin, end, left, right, evenness, rim, support = _measure(
            contrast, path, core_px, reach_px, bridge_px, end_share
        )
        if end - begin < 3 or plateau <= 0:
            continue
        half = min(left, right)
        shift = 0.0 if max(left, right) > 1.5 * half else (right - left) / 2
        kept = path[begin:end] + shift * _normals(path[begin:end])
        shafts.append(Shaft(kept, half + abs(shift), plateau, evenness, support, 1.0, rim, left + right))
    return shafts


def level_along(picture: np.ndarray, path: np.ndarray, share: float = 0.5) -> float:
    """Quantile (the median) of the pixels under a path, (row, col); beyond the picture those of its border."""
    rows, cols = (np.clip(np.rint(path[:, k]).astype(int), 0, picture.shape[k] - 1) for k in (0, 1))
    return float(np.quantile(picture[rows, cols], share))


def agree_with_neighbours(paths: list[np.ndarray], near_px: float) -> np.ndarray:
    """Say how much each line lies like those around it, whichever end is the root.

    Parameters
    ----------
    paths : list of ndarray, shape (n_i, 2)
    near_px : float
        Distance over which neighbours share a direction.

    Returns
    -------
    ndarray, shape (n_paths,)
        Mean of cos 2 (own angle - other's) over the others, weighted by their length and nearness: 1 where all are
        parallel, 0 by chance, -1 across.
    """
    chord = np.array([path[-1] - path[0] for path in paths]).reshape(-1, 2)
    middle = np.array([path[len(path) // 2] for path in paths]).reshape(-1, 2)
    double = np.exp(2j * np.arctan2(chord[:, 1], chord[:, 0]))
    apart = np.hypot(*(middle[:, None] - middle[None]).transpose(2, 0, 1))
    share = np.array([len(path) for path in paths], dtype=float) * np.exp(-0.5 * (apart / near_px) ** 2)
    np.fill_diagonal(share, 0.0)
    return np.asarray(np.real(double * np.conj(share @ double)) / np.maximum(share.sum(axis=1), 1e-9))


def _resample(path: np.ndarray, extend: int) -> np.ndarray:
    """One point a pixel, smoothed, with straight pieces of `extend` pixels at both ends."""
    smooth = _smooth(path, 5)
    tail = min(len(smooth) - 1, 12)
    head_step = smooth[0] - smooth[tail]
    tail_step = smooth[-1] - smooth[-1 - tail]
    head_step /= max(np.hypot(*head_step), 1e-9)
    tail_step /= max(np.hypot(*tail_step), 1e-9)
    long = np.concatenate([smooth[:1] + extend * head_step, smooth, smooth[-1:] + extend * tail_step])
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(long, axis=0).T))])
    at = np.arange(0.0, arc[-1], 1.0)
    return np.stack([np.interp(at, arc, long[:, 0]), np.interp(at, arc, long[:, 1])], axis=1)


@njit(cache=True)  # pragma: no cover - compiled
def _stiffen(path: np.ndarray, stiff_px: float) -> np.ndarray:
    """Replace a short path by one gentle arc: at its ends a trace is drawn to whatever the hair touches."""
    n = len(path)
    chord_r, chord_c = path[n - 1, 0] - path[0, 0], path[n - 1, 1] - path[0, 1]
    length = math.sqrt(chord_r * chord_r + chord_c * chord_c)
    if not 4 < length < stiff_px or n < 5:
        return path
    first, last = n // 4, n - (n + 3) // 4
    r0, c0 = 0.0, 0.0
    for i in range(first, last):
        r0 += path[i, 0]
        c0 += path[i, 1]
    r0 /= last - first
    c0 /= last - first
    rr, rc, cc = 0.0, 0.0, 0.0
    for i in range(first, last):
        dr, dc = path[i, 0] - r0, path[i, 1] - c0
        rr += dr * dr
        rc += dr * dc
        cc += dc * dc
    angle = 0.5 * math.atan2(2 * rc, rr - cc)  # the longer axis of the middle half
    axis_r, axis_c = math.cos(angle), math.sin(angle)
    if axis_r * chord_r + axis_c * chord_c <= 0:
        axis_r, axis_c = -axis_r, -axis_c
    t, u = np.empty(n), np.empty(n)
    for i in range(n):
        dr, dc = path[i, 0] - r0, path[i, 1] - c0
        t[i] = dr * axis_r + dc * axis_c
        u[i] = -dr * axis_c + dc * axis_r
    scale = length / 2
    # a sagitta of a tenth of the half-length is a prior spread of one: hair bends little over a clipped length
    prior = 0.25 * n / (0.1 * scale) ** 2
    fit = np.zeros(3)
    for turn in range(4):
        A, b = np.zeros((3, 3)), np.zeros(3)
        A[2, 2] = prior
        for i in range(n):
            x = t[i] / scale
            weight = math.exp(-0.5 * (t[i] / (0.6 * scale)) ** 2)
            if turn:
                weight /= max(1.0, abs(u[i] - fit[0] - fit[1] * x - fit[2] * x * x))
            row = (1.0, x, x * x)
            for j in range(3):
                b[j] += weight * row[j] * u[i]
                for k in range(3):
                    A[j, k] += weight * row[j] * row[k]
        fit[:] = np.linalg.solve(A, b)
    low, high = t.min(), t.max()
    arc = np.empty((n, 2))
    for i in range(n):
        along = low + (high - low) * i / (n - 1)
        x = along / scale
        off = fit[0] + fit[1] * x + fit[2] * x * x
        arc[i, 0] = r0 + along * axis_r - off * axis_c
        arc[i, 1] = c0 + along * axis_c + off * axis_r
    return arc


def _smooth(path: np.ndarray, reach: int) -> np.ndarray:
    n = len(path)
    reach = min(reach, (n - 1) // 2)
    if reach < 1:
        return path
    padded = np.concatenate([2 * path[0] - path[reach:0:-1], path, 2 * path[-1] - path[-2 : -reach - 2 : -1]])
    total = np.cumsum(np.concatenate([np.zeros((1, 2)), padded]), axis=0)
    width = 2 * reach + 1
    return np.asarray((total[width:] - total[:-width]) / width)


def _normals(path: np.ndarray) -> np.ndarray:
    step = np.gradient(path, axis=0)
    step /= np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-9)[:, None]
    return np.stack([-step[:, 1], step[:, 0]], axis=1)


@njit(cache=True)  # pragma: no cover - compiled
def _measure(  # noqa: C901, PLR0912, PLR0915  one compiled pass over a path
    contrast: np.ndarray, path: np.ndarray, core_px: float, reach_px: float, bridge_px: int, end_share: float
) -> tuple[float, int, int, float, float, float, float, float]:
    n = len(path)
    along = np.empty(n)
    normal = np.empty((n, 2))
    core = int(core_px)
    for i in range(n):
        a, b = max(0, i - 4), min(n - 1, i + 4)
        d_r, d_c = path[b, 0] - path[a, 0], path[b, 1] - path[a, 1]
        size = max(math.sqrt(d_r * d_r + d_c * d_c), 1e-9)
        normal[i, 0], normal[i, 1] = -d_c / size, d_r / size
        total = 0.0
        for off in range(-core, core + 1):
            total += _at(contrast, path[i, 0] + off * normal[i, 0], path[i, 1] + off * normal[i, 1])
        along[i] = total / (2 * core + 1)
    extend = int(reach_px + 0.5)
    inner = np.sort(along[extend : max(n - extend, extend + 1)])
    plateau = inner[int(0.7 * (len(inner) - 1))]
    if plateau <= 0.02:
        return 0.0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0
    half = 0.5 * plateau
    # the longest stretch above half, gaps up to bridge_px forgiven
    begin, end, run_begin, last = 0, 0, -1, -10000
    for i in range(n):
        if along[i] > end_share * plateau:
            if i - last > bridge_px or run_begin < 0:
                run_begin = i
            last = i
            if i + 1 - run_begin > end - begin:
                begin, end = run_begin, i + 1
    if end - begin < 3:
        return 0.0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0
    length = end - begin
    sides = np.empty((2, length))
    rims = np.empty((2, length))
    for j in range(length):
        i = begin + j
        for side in range(2):
            sign = 1.0 if side == 1 else -1.0
            lowest, at_lowest = along[i], 0.0
            found = reach_px
            before = along[i]
            out = 0.0
            while out < reach_px:
                out += 0.5
                value = _at(contrast, path[i, 0] + sign * out * normal[i, 0], path[i, 1] + sign * out * normal[i, 1])
                if value < half:
                    found = out - 0.5 * (half - value) / max(before - value, 1e-6)
                    break
                if value < lowest:
                    lowest, at_lowest = value, out
                elif value > lowest + 0.12 * plateau and lowest < 0.85 * plateau and at_lowest > core_px:
                    found = at_lowest
                    break
                before = value
            sides[side, j] = found
            rims[side, j] = _at(
                contrast,
                path[i, 0] + sign * (found + 0.35 * reach_px) * normal[i, 0],
                path[i, 1] + sign * (found + 0.35 * reach_px) * normal[i, 1],
            )
    trim0, trim1 = int(0.15 * length), max(int(0.85 * length), int(0.15 * length) + 1)
    left = np.median(sides[0, trim0:trim1])
    right = np.median(sides[1, trim0:trim1])
    mean, spread = 0.0, 0.0
    for i in range(begin, end):
        mean += along[i]
    mean /= length
    for i in range(begin, end):
        spread += abs(along[i] - mean)
    evenness = max(0.0, 1.0 - spread / length / max(mean, 1e-6))
    support = 0.0
    for j in range(length):
        support += max(0.0, along[begin + j] - 0.5 * (max(rims[0, j], 0.0) + max(rims[1, j], 0.0)))
    rim = 0.5 * (np.median(rims[0]) + np.median(rims[1])) / plateau
    return plateau, begin, end, left, right, evenness, rim, support


@njit(cache=True)  # pragma: no cover - compiled
def _at(image: np.ndarray, row: float, col: float) -> float:
    height, width = image.shape
    row = min(max(row, 0.0), height - 1.001)
    col = min(max(col, 0.0), width - 1.001)
    r, c = int(row), int(col)
    f_r, f_c = row - r, col - c
    top = image[r, c] * (1 - f_c) + image[r, c + 1] * f_c
    bottom = image[r + 1, c] * (1 - f_c) + image[r + 1, c + 1] * f_c
    return float(top * (1 - f_r) + bottom * f_r)
