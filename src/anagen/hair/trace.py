"""Follow each line from its strongest point to both ends, in the orientation score, straight through crossings."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True)  # pragma: no cover - compiled
def trace_lines(
    stack: np.ndarray, seeds: np.ndarray, low: float, apart_px: float, min_px: float, max_turn: float
) -> tuple[np.ndarray, np.ndarray]:
    """Grow one path from each seed that no earlier path has taken.

    Parameters
    ----------
    stack : ndarray, shape (K, H, W), float32
        Orientation score.
    seeds : ndarray, shape (n, 4)
        (response, layer, row, col), the strongest first.
    low : float
        Share of a path's own median response under which it ends.
    apart_px : float
        Half-width of the corridor that a path takes for its own direction.
    min_px : float
        Shorter paths are dropped.
    max_turn : float
        Radians a pixel.

    Returns
    -------
    points : ndarray, shape (m, 2)
        All paths one after another, (row, col).
    starts : ndarray, shape (n_paths + 1,)
        Where each path begins.
    """
    n_angles, height, width = stack.shape
    taken = np.zeros((n_angles, height, width), dtype=np.uint8)
    points = np.empty((1024, 2))
    starts = [0]
    n = 0
    spread = 3
    for i in range(len(seeds)):
        k, row, col = int(seeds[i, 1]), int(seeds[i, 2]), int(seeds[i, 3])
        if taken[k, row, col]:
            continue
        around = (stack[(k - 1) % n_angles, row, col], stack[k, row, col], stack[(k + 1) % n_angles, row, col])
        angle = (k + _peak(around[0], around[1], around[2])) * math.pi / n_angles
        stop = low * seeds[i, 0]
        ahead = _walk(stack, row, col, angle, stop, max_turn)
        back = _walk(stack, row, col, angle + math.pi, stop, max_turn)
        path = np.concatenate((back[::-1], np.array([[float(row), float(col)]]), ahead))
        take_corridor(taken, path, apart_px, spread)
        if len(path) < min_px:
            continue
        while n + len(path) > len(points):
            points = np.concatenate((points, np.empty_like(points)))
        points[n : n + len(path)] = path
        n += len(path)
        starts.append(n)
    return points[:n].copy(), np.array(starts)


@njit(cache=True)  # pragma: no cover - compiled
def _walk(stack: np.ndarray, row: float, col: float, angle: float, stop: float, max_turn: float) -> np.ndarray:
    n_angles, height, width = stack.shape
    path = []
    bin_rad = math.pi / n_angles
    here_r, here_c = float(row), float(col)
    for _ in range(height + width):
        here_r += math.cos(angle)
        here_c += math.sin(angle)
        if not (1 <= here_r < height - 2 and 1 <= here_c < width - 2):
            break
        k = int(math.floor(angle / bin_rad + 0.5))  # noqa: RUF046  numba: floor gives a float
        best, best_step = -1.0, 0
        for step in range(-1, 2):
            value = _sample(stack[(k + step) % n_angles], here_r, here_c)
            if value > best:
                best, best_step = value, step
        if best < stop:
            break
        before = _sample(stack[(k + best_step - 1) % n_angles], here_r, here_c)
        after = _sample(stack[(k + best_step + 1) % n_angles], here_r, here_c)
        fine = _peak(before, best, after)
        target = (k + best_step + fine) * bin_rad
        angle += max(-max_turn, min(max_turn, 0.3 * (target - angle)))
        layer = stack[(k + best_step) % n_angles]
        n_r, n_c = -math.sin(angle), math.cos(angle)
        shift = _peak(_sample(layer, here_r - n_r, here_c - n_c), best, _sample(layer, here_r + n_r, here_c + n_c))
        shift = max(-25 * max_turn, min(25 * max_turn, shift))
        here_r += 0.5 * shift * n_r
        here_c += 0.5 * shift * n_c
        path.append((here_r, here_c))
    points = np.empty((len(path), 2))
    for i in range(len(path)):
        points[i, 0], points[i, 1] = path[i]
    return points


@njit(cache=True)  # pragma: no cover - compiled
def take_corridor(taken: np.ndarray, path: np.ndarray, apart_px: float, spread: int) -> None:
    """Mark what lies within `apart_px` of a path and within `spread` layers of its direction.

    Parameters
    ----------
    taken : ndarray, shape (K, H, W), uint8
        Set to 1 in place; layer k is for the angle k pi / K.
    path : ndarray, shape (n, 2)
    apart_px : float
    spread : int
    """
    n_angles, height, width = taken.shape
    reach = int(math.ceil(apart_px))  # noqa: RUF046  numba: ceil gives a float
    n = len(path)
    for i in range(n):
        a, b = max(0, i - 2), min(n - 1, i + 2)
        angle = math.atan2(path[b, 1] - path[a, 1], path[b, 0] - path[a, 0]) if b > a else 0.0
        k = int(math.floor(angle / math.pi * n_angles + 0.5))  # noqa: RUF046
        for row in range(int(path[i, 0]) - reach, int(path[i, 0]) + reach + 1):
            for col in range(int(path[i, 1]) - reach, int(path[i, 1]) + reach + 1):
                if not (0 <= row < height and 0 <= col < width):
                    continue
                if (row - path[i, 0]) ** 2 + (col - path[i, 1]) ** 2 > apart_px**2:
                    continue
                for step in range(-spread, spread + 1):
                    taken[(k + step) % n_angles, row, col] = 1


@njit(cache=True)  # pragma: no cover - compiled
def _sample(image: np.ndarray, row: float, col: float) -> float:
    """Bilinear value; the caller keeps (row, col) inside."""
    r, c = int(row), int(col)
    height, width = image.shape
    if r < 0 or c < 0 or r >= height - 1 or c >= width - 1:
        return 0.0
    f_r, f_c = row - r, col - c
    top = image[r, c] * (1 - f_c) + image[r, c + 1] * f_c
    bottom = image[r + 1, c] * (1 - f_c) + image[r + 1, c + 1] * f_c
    return float(top * (1 - f_r) + bottom * f_r)


@njit(cache=True)  # pragma: no cover - compiled
def _peak(before: float, here: float, after: float) -> float:
    """Offset of a parabola's top, clipped to half a step."""
    bend = before - 2 * here + after
    if bend >= -1e-9:
        return 0.5 if after > before else -0.5
    return max(-0.5, min(0.5, 0.5 * (before - after) / bend))
