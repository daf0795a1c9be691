"""Tell the root of each hair from its tip: hairs of one unit part from their roots, and neighbours lean one way."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from scipy.spatial import cKDTree

from anagen.hair.contrast import Contrast

END_WEIGHTS: Final = np.array([3.0, 1.0, 1.5])
"""Log odds a unit of `end_features`."""

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
    features = end_features(fine.value, fine.deep, paths, fine.pitch_um)
    evidence = np.clip(features @ END_WEIGHTS, -4, 4) + fan_evidence(paths, near_px=200.0 / fine.pitch_um)
    flip = orient_paths(paths, evidence, near_px=800.0 / fine.pitch_um)
    return [path[::-1] if turn else path for path, turn in zip(paths, flip, strict=True)]


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
    ndarray, shape (n_paths, 3)
        First end less last end, over the plateau: darkness just beyond the end in `deep`, the same in `fresh`, and
        steepness of the fall in `fresh` with its sign turned; all positive where the first point is the root.
    """
    ends = np.zeros((len(paths), 2, 3))
    for i, path in enumerate(paths):
        ends[i] = look_at_ends(fresh, deep, path, pitch_um)
    # nothing is seen beyond an end that the frame cuts: it counts as halfway between this image's roots and tips
    outer = np.array([[path[0], path[-1]] for path in paths]).reshape(-1, 2, 2)
    edge = CUT_UM / pitch_um
    cut = np.any((outer < edge) | (outer > np.array(fresh.shape) - 1 - edge), axis=2)
    if np.any(~cut):
        ends[cut] = ends[~cut].mean(axis=0)
    else:
        ends[cut] = 0.0
    return np.asarray(ends[:, 0] - ends[:, 1])


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
def look_at_ends(fresh: np.ndarray, deep: np.ndarray, path: np.ndarray, pitch_um: float) -> np.ndarray:
    """Give for the first and the last end, shape (2, 3), what `end_features` compares."""
    n = len(path)
    lag = min(n - 1, int(80.0 / pitch_um) + 1)
    result = np.zeros((2, 3))
    middle = 0.0
    for i in range(n // 4, max(3 * n // 4, n // 4 + 1)):
        middle += _near(fresh, path[i, 0], path[i, 1])
    middle = max(middle / max(3 * n // 4 - n // 4, 1), 0.02)
    for end in range(2):
        tip = path[0] if end == 0 else path[n - 1]
        inner = path[lag] if end == 0 else path[n - 1 - lag]
        d_r, d_c = tip[0] - inner[0], tip[1] - inner[1]
        size = max(math.sqrt(d_r * d_r + d_c * d_c), 1e-9)
        d_r, d_c = d_r / size, d_c / size
        count, dark, plain = 0, 0.0, 0.0
        steepest = 0.0
        for k in range(int(30 / pitch_um), int(150 / pitch_um) + 1):
            for off in range(-3, 4):
                row, col = tip[0] + k * d_r - off * d_c * 10 / pitch_um, tip[1] + k * d_c + off * d_r * 10 / pitch_um
                dark += _near(deep, row, col)
                plain += _near(fresh, row, col)
                count += 1
        step = 20.0 / pitch_um
        for k in range(-8, 9):
            at = k * 5.0 / pitch_um
            fall = _near(fresh, tip[0] + (at - step) * d_r, tip[1] + (at - step) * d_c) - _near(
                fresh, tip[0] + (at + step) * d_r, tip[1] + (at + step) * d_c
            )
            steepest = max(steepest, fall)
        result[end, 0] = dark / max(count, 1) / middle
        result[end, 1] = plain / max(count, 1) / middle
        result[end, 2] = -steepest / middle
    return result


@njit(cache=True)  # pragma: no cover - compiled
def _near(image: np.ndarray, row: float, col: float) -> float:
    height, width = image.shape
    r = min(max(int(row + 0.5), 0), height - 1)
    c = min(max(int(col + 0.5), 0), width - 1)
    return float(image[r, c])
