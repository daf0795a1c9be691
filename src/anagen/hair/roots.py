"""Tell the root of each hair from its tip: hairs of one unit part from their roots, and neighbours lean one way."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numba import njit
from scipy.spatial import cKDTree

from anagen.hair.contrast import Contrast
from anagen.hair.shafts import level_along

END_WEIGHTS: Final = np.array([2.5, 2.0, 1.5, 1.0])
"""Log odds a unit of `end_features`."""
MOST_APART: Final = 0.5
"""Two ends are never said to differ by more than this share of the plateau: faint hair divides by little."""
TAPER_WEIGHT: Final = 5.0
TAPERED: Final = (0.2, 0.4)
"""Log odds a unit of `taper`, and its usual size from which hair counts as tapering, in part and wholly: 0 to 0.14
where hair is clipped, 0.12 to 0.28 in real fields (hairs merge at their roots), 0.35 to 0.5 where it ends in points."""
RING_UM: Final = (8.0, 30.0)
"""From how far to how far off a hair's edge the skin around its end is looked at: an opening is 50 to 100 um wide."""

AGREE: Final = (1.0, 3.0)
"""How far the mean of what the ends show must lie above 0, in standard errors, to be chance, and to be taken as it is:
6 to 16 in real fields, 1.4 to 10 in synthetic ones, -1 to 2.3 where nothing but the V of a unit tells the root."""

LEAST_TOLD: Final = 0.1
FEWEST: Final = 10
"""What the ends then count for at least, as a lone hair has no fan; fewer hairs do not tell whether ends agree."""

BEYOND_UM: Final = 200.0
BEYOND_SHARE: Final = 0.6
NO_REACH_UM: Final = 20.0
"""How far beyond a root is looked, the share of the hair's contrast at which it ends there, and what of the way to that
place does not count: the network's middles end as much before a hair does."""
CUT_UM: Final = 30.0
"""Nearer to the frame than this an end is taken for cut off by it."""


def root_first(fine: Contrast, paths: list[np.ndarray]) -> list[np.ndarray]:
    """Turn each path so that it starts at the root, by what both ends show and how the neighbours lean.

    Parameters
    ----------
    fine : Contrast
    paths : list of ndarray, shape (n_i, 2)
        In pixels of `fine`.

    Returns
    -------
    list of ndarray
        In the same order.
    """
    if not paths:
        return []
    # beside fair hair a dark opening is no less hair than skin is
    fresh = np.maximum(fine.value, np.float32(0))
    apart = np.clip(end_features(fresh, fine.deep, paths, fine.pitch_um), -MOST_APART, MOST_APART)
    narrowing = np.clip(taper(fresh, paths), -1, 1)
    low, high = TAPERED
    # clipped hair is as wide at its tip; where most of an image's hairs taper they do so to the tip, which falls gently
    tapers = float(np.clip((np.median(np.abs(narrowing)) - low) / (high - low), 0, 1))
    apart[:, 1] *= 1 - tapers
    evidence = np.clip(apart @ END_WEIGHTS + tapers * TAPER_WEIGHT * narrowing, -4, 4)
    fan = fan_evidence(paths, near_px=200.0 / fine.pitch_um)
    near_px = 800.0 / fine.pitch_um
    flip = orient_paths(paths, evidence + fan, near_px=near_px)
    # where the ends of a whole image hardly agree, what they show is chance: then the fans decide
    told = np.where(flip, -evidence, evidence)
    agree = float(told.mean()) * math.sqrt(len(told)) / max(float(told.std()), 1e-9)
    low, high = AGREE
    if len(told) >= FEWEST and agree < high:
        evidence *= max((agree - low) / (high - low), LEAST_TOLD)
        flip = orient_paths(paths, evidence + fan, near_px=near_px)
    return [path[::-1] if turn else path for path, turn in zip(paths, flip, strict=True)]


def reach_roots(
    contrast: np.ndarray, paths: list[np.ndarray], half_px: list[float], pitch_um: float
) -> list[np.ndarray]:
    """Carry each path on beyond its root, half as far as the hair goes on being dark there.

    The network's picture grows faint where a hair enters the skin under scales or at a slant; people set the root
    where the contrast does.

    Parameters
    ----------
    contrast : ndarray, shape (H, W), float32
    paths : list of ndarray, shape (n_i, 2)
        Root first.
    half_px : list of float
        Half-widths.
    pitch_um : float

    Returns
    -------
    list of ndarray
        Longer by at most half of `BEYOND_UM`.
    """
    steps = np.arange(0.0, BEYOND_UM + 1, 20.0) / pitch_um
    owner = np.full(contrast.shape, -1, dtype=np.int32)
    for i, (path, half) in enumerate(zip(paths, half_px, strict=True)):
        points = np.rint(path[:, ::-1]).astype(np.int32)[:, None]
        cv2.polylines(owner, [points], isClosed=False, color=i, thickness=max(1, round(2 * half)))
    reached = []
    for i, path in enumerate(paths):
        inner = path[min(len(path) - 1, round(100.0 / pitch_um))]
        out = (path[0] - inner) / max(float(np.hypot(*(path[0] - inner))), 1e-9)
        across = np.array([-out[1], out[0]]) * (5.0 / pitch_um)
        plateau = max(level_along(contrast, path[len(path) // 4 : max(3 * len(path) // 4, len(path) // 4 + 1)]), 0.02)
        at = path[0] + steps[:, None, None] * out + np.arange(-2, 3)[:, None] * across
        inside = np.all((at >= 0) & (at <= np.array(contrast.shape) - 1), axis=2)
        rows, cols = (np.clip(np.rint(at[:, :, k]).astype(int), 0, contrast.shape[k] - 1) for k in (0, 1))
        share = np.median(np.where(inside, contrast[rows, cols], 0), axis=1) / plateau
        fell = np.flatnonzero(share < BEYOND_SHARE)
        k = int(fell[0]) if len(fell) else len(steps)
        # what another hair darkens is no shaft of this one
        others = np.median(np.where((owner[rows, cols] >= 0) & (owner[rows, cols] != i), 1, 0), axis=1)
        if np.any(others[1 : k + 1]):
            k = 0
        far = 0.0
        if k == len(steps):
            far = steps[-1]
        elif k > 0:
            far = steps[k - 1] + (steps[k] - steps[k - 1]) * (share[k - 1] - BEYOND_SHARE) / (share[k - 1] - share[k])
        n = round(0.5 * max(far - NO_REACH_UM / pitch_um, 0.0))
        reached.append(np.concatenate([path[0] + np.arange(n, 0, -1)[:, None] * out, path]))
    return reached


def orient_paths(paths: list[np.ndarray], evidence: np.ndarray, *, near_px: float) -> np.ndarray:
    """Which paths must be reversed so that they start at the root.

    Parameters
    ----------
    paths : list of ndarray, shape (n_i, 2)
    evidence : ndarray, shape (n_paths,)
        Log odds, from the image at both ends, that the first point is the root.
    near_px : float
        Distance over which neighbouring hairs share a direction.

    Returns
    -------
    ndarray of bool, shape (n_paths,)
    """
    if not paths:
        return np.zeros(0, dtype=bool)
    chord = np.array([path[-1] - path[0] for path in paths])
    chord /= np.maximum(np.hypot(chord[:, 0], chord[:, 1]), 1e-9)[:, None]
    middle = np.array([path[len(path) // 2] for path in paths])
    tree = cKDTree(middle)
    pairs = tree.query_pairs(2.5 * near_px, output_type="ndarray")
    state = np.tanh(evidence / 2)
    if len(pairs):
        i, j = pairs.T
        distance = np.hypot(*(middle[i] - middle[j]).T)
        pull = 0.8 * np.exp(-0.5 * (distance / near_px) ** 2) * np.sum(chord[i] * chord[j], axis=1)
        for _ in range(30):
            field = evidence.copy()
            np.add.at(field, i, pull * state[j])
            np.add.at(field, j, pull * state[i])
            state = 0.5 * state + 0.5 * np.tanh(field / 2)
    return np.asarray(state < 0)


def end_features(fresh: np.ndarray, deep: np.ndarray, paths: list[np.ndarray], pitch_um: float) -> np.ndarray:
    """Measure what the image shows at both ends of each path.

    Parameters
    ----------
    fresh, deep : ndarray, shape (H, W), float32
        Contrast where only what lies above the skin is dark, and where the buried hair shines through too.
    paths : list of ndarray
    pitch_um : float

    Returns
    -------
    ndarray, shape (n_paths, 4)
        First end less last end, over the plateau: darkness just beyond the end in `deep`; steepness of the fall in
        `fresh` with its sign turned; darkness around the end in `deep` and in `fresh`. All are positive where the first
        point is the root.
    """
    ends = np.zeros((len(paths), 2, 4))
    for i, path in enumerate(paths):
        ends[i, :, :2] = look_beyond_ends(fresh, deep, path, pitch_um)
        ends[i, :, 2:] = look_around_ends(fresh, deep, path, pitch_um)
    # nothing is seen beyond an end that the frame cuts: it counts as halfway between this image's roots and tips
    outer = np.array([[path[0], path[-1]] for path in paths]).reshape(-1, 2, 2)
    edge = CUT_UM / pitch_um
    cut = np.any((outer < edge) | (outer > np.array(fresh.shape) - 1 - edge), axis=2)
    if np.any(~cut):
        ends[cut] = ends[~cut].mean(axis=0)
    else:
        ends[cut] = 0.0
    return np.asarray(ends[:, 0] - ends[:, 1])


def taper(fresh: np.ndarray, paths: list[np.ndarray]) -> np.ndarray:
    """Say how much narrower each hair gets along its path.

    Parameters
    ----------
    fresh : ndarray, shape (H, W), float32
        Contrast of hair.
    paths : list of ndarray

    Returns
    -------
    ndarray, shape (n_paths,)
        Log of the width near the first end (an eighth to three tenths of the length off it) over that near the last.
    """
    found = np.zeros(len(paths))
    for i, path in enumerate(paths):
        half = half_widths(fresh, path)
        first, last = int(0.12 * len(half)), int(0.3 * len(half)) + 1
        found[i] = np.log(np.median(half[first:last]) / np.median(half[::-1][first:last]))
    return found


def fan_evidence(paths: list[np.ndarray], *, near_px: float) -> np.ndarray:
    """Log odds from neighbours of one unit: they part from their roots."""
    evidence = np.zeros(len(paths))
    if len(paths) < 2:
        return evidence
    first = np.array([path[0] for path in paths])
    last = np.array([path[-1] for path in paths])
    tree = cKDTree((first + last) / 2)
    for i, j in tree.query_pairs(2 * near_px):
        a, b = (first[j], last[j])
        sign = 1.0
        if np.dot(last[i] - first[i], b - a) < 0:
            a, b, sign = b, a, -1.0
        at_first, at_last = np.hypot(*(first[i] - a)), np.hypot(*(last[i] - b))
        if min(at_first, at_last) > near_px:
            continue
        lean = np.clip(1.5 * (at_last - at_first) / near_px, -1.0, 1.0)
        evidence[i] += lean
        evidence[j] += sign * lean
    return np.asarray(np.clip(evidence, -1.5, 1.5))


@njit(cache=True)  # pragma: no cover - compiled
def half_widths(fresh: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Give at each point, in pixels, how far the nearer side is at which the contrast falls to half; at most 14."""
    n = len(path)
    widths = np.empty(n)
    for i in range(n):
        a, b = max(0, i - 1), min(n - 1, i + 1)
        d_r, d_c = path[b, 0] - path[a, 0], path[b, 1] - path[a, 1]
        size = max(math.sqrt(d_r * d_r + d_c * d_c), 1e-9)
        level = 0.5 * max(_near(fresh, path[i, 0], path[i, 1]), 0.02)
        widths[i] = 14.0
        for side in (-1.0, 1.0):
            off = 0.5
            while off < widths[i]:
                step = side * off / size
                if _near(fresh, path[i, 0] - step * d_c, path[i, 1] + step * d_r) < level:
                    widths[i] = off
                    break
                off += 0.5
    return np.maximum(widths - 0.25, 0.25)


@njit(cache=True)  # pragma: no cover - compiled
def look_beyond_ends(fresh: np.ndarray, deep: np.ndarray, path: np.ndarray, pitch_um: float) -> np.ndarray:
    """Give for the first and the last end, shape (2, 2), darkness beyond it in `deep` and the turned steepness."""
    result = np.zeros((2, 2))
    middle = _middle(fresh, path)
    for end in range(2):
        tip_r, tip_c, d_r, d_c = _outward(path, end, pitch_um)
        count, dark = 0, 0.0
        steepest = 0.0
        for k in range(int(30 / pitch_um), int(150 / pitch_um) + 1):
            for off in range(-3, 4):
                row, col = tip_r + k * d_r - off * d_c * 10 / pitch_um, tip_c + k * d_c + off * d_r * 10 / pitch_um
                dark += _near(deep, row, col)
                count += 1
        step = 20.0 / pitch_um
        for k in range(-8, 9):
            at = k * 5.0 / pitch_um
            fall = _near(fresh, tip_r + (at - step) * d_r, tip_c + (at - step) * d_c) - _near(
                fresh, tip_r + (at + step) * d_r, tip_c + (at + step) * d_c
            )
            steepest = max(steepest, fall)
        result[end, 0] = dark / max(count, 1) / middle
        result[end, 1] = -steepest / middle
    return result


@njit(cache=True)  # pragma: no cover - compiled
def look_around_ends(fresh: np.ndarray, deep: np.ndarray, path: np.ndarray, pitch_um: float) -> np.ndarray:
    """Give for the first and the last end, shape (2, 2), darkness around it in `deep` and in `fresh`."""
    n = len(path)
    result = np.zeros((2, 2))
    middle = _middle(fresh, path)
    half_um = np.median(half_widths(fresh, path[n // 4 : max(3 * n // 4, n // 4 + 1)])) * pitch_um
    around = np.empty((2, 24 * 5))
    for end in range(2):
        tip_r, tip_c, d_r, d_c = _outward(path, end, pitch_um)
        seen = 0
        for ring in range(5):
            radius = half_um + RING_UM[0] + (RING_UM[1] - RING_UM[0]) * ring / 4
            for turn in range(24):
                angle = turn * math.pi / 12
                along, aside = radius * math.cos(angle), radius * math.sin(angle)
                if along < 0 and abs(aside) < half_um + RING_UM[0]:
                    continue  # on the hair itself
                row = tip_r + (along * d_r - aside * d_c) / pitch_um
                col = tip_c + (along * d_c + aside * d_r) / pitch_um
                around[0, seen], around[1, seen] = _near(deep, row, col), _near(fresh, row, col)
                seen += 1
        # the median: a neighbour's shaft is a small part of the ring, an opening or a shadow most of it
        result[end, 0] = np.median(around[0, :seen]) / middle
        result[end, 1] = np.median(around[1, :seen]) / middle
    return result


@njit(cache=True)  # pragma: no cover - compiled
def _middle(fresh: np.ndarray, path: np.ndarray) -> float:
    """Mean contrast along the middle half of a path."""
    n = len(path)
    first, last = n // 4, max(3 * n // 4, n // 4 + 1)
    total = 0.0
    for i in range(first, last):
        total += _near(fresh, path[i, 0], path[i, 1])
    return float(max(total / (last - first), 0.02))


@njit(cache=True)  # pragma: no cover - compiled
def _outward(path: np.ndarray, end: int, pitch_um: float) -> tuple[float, float, float, float]:
    """Row and column of an end, and the direction in which the path leaves there."""
    n = len(path)
    lag = min(n - 1, int(80.0 / pitch_um) + 1)
    tip = path[0] if end == 0 else path[n - 1]
    inner = path[lag] if end == 0 else path[n - 1 - lag]
    d_r, d_c = tip[0] - inner[0], tip[1] - inner[1]
    size = max(math.sqrt(d_r * d_r + d_c * d_c), 1e-9)
    return tip[0], tip[1], d_r / size, d_c / size


@njit(cache=True)  # pragma: no cover - compiled
def _near(image: np.ndarray, row: float, col: float) -> float:
    height, width = image.shape
    r = min(max(int(row + 0.5), 0), height - 1)
    c = min(max(int(col + 0.5), 0), width - 1)
    return float(image[r, c])
