"""Find where the image holds lines, at every direction apart: crossing hairs live at different angles.

The response is the second derivative of a Gaussian across the line, smoothed along it (an orientation score: one layer
an angle). A bar of half-width a gives one ridge while a < sqrt(3) sigma and two beyond, so a pair of touching hairs of
half-width 0.58 to 1 times sqrt(3) sigma each gives two ridges and a single one of them gives one.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numba import njit

N_ANGLES = 24
"""Layers over 180 degrees: 7.5 degrees apart, half the angular width of a filter three times longer than wide."""
ELONGATION = 2.6
"""Length of the filter over its width; longer resolves narrower Vs and loses short stubs."""


def ridge_stack(
    contrast: np.ndarray, sigma_px: float, n_angles: int = N_ANGLES, elongation: float = ELONGATION
) -> np.ndarray:
    """Response to a line at each of several directions.

    Parameters
    ----------
    contrast : ndarray, shape (H, W), float32
        Positive on hair, about 0 on skin.
    sigma_px : float
        Scale across the line, at least 0.7.
    n_angles : int
        Number of directions.
    elongation : float
        Length of the filter over its width.

    Returns
    -------
    ndarray, shape (n_angles, H, W), float32
        Layer k is for a line along the angle k pi / n_angles, from the row axis towards the column axis; a bar of
        contrast 1 and half-width sigma gives 1.
    """
    stack = np.empty((n_angles, *contrast.shape), dtype=np.float32)
    for k in range(n_angles):
        kernel = ridge_kernel(sigma_px, k * math.pi / n_angles, elongation)
        cv2.filter2D(contrast, cv2.CV_32F, kernel, dst=stack[k], borderType=cv2.BORDER_REPLICATE)
    return stack


def ridge_kernel(sigma_px: float, angle_rad: float, elongation: float = ELONGATION) -> np.ndarray:
    """Zero-mean kernel, shape (2 r + 1, 2 r + 1), scaled to give 1 on a bar of half-width `sigma_px`."""
    radius = math.ceil(2.6 * elongation * sigma_px)
    rows, cols = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(float)
    along = rows * math.cos(angle_rad) + cols * math.sin(angle_rad)
    across = -rows * math.sin(angle_rad) + cols * math.cos(angle_rad)
    u2 = (across / sigma_px) ** 2
    window = np.exp(-0.5 * (along / (elongation * sigma_px)) ** 2)
    kernel = (1 - u2) * np.exp(-0.5 * u2) * window
    # zero mean: what remains of the sampled sum goes out through the same window
    even = np.exp(-0.5 * u2 / 4) * window
    kernel -= even * kernel.sum() / even.sum()
    return np.asarray(kernel / kernel[np.abs(across) <= sigma_px].sum(), dtype=np.float32)


@njit(cache=True)  # pragma: no cover - compiled
def ridge_seeds(stack: np.ndarray, floor: float) -> np.ndarray:
    """Points that top their neighbours across the line and in angle.

    Parameters
    ----------
    stack : ndarray, shape (K, H, W), float32
    floor : float
        Smallest response.

    Returns
    -------
    ndarray, shape (n, 4)
        (response, layer, row, col), the strongest first.
    """
    n_angles, height, width = stack.shape
    found = []
    for k in range(n_angles):
        angle = k * math.pi / n_angles
        d_r, d_c = -math.sin(angle), math.cos(angle)
        s_r, s_c = int(round(d_r)), int(round(d_c))  # noqa: RUF046  numba: round gives a float
        before, after = stack[(k - 1) % n_angles], stack[(k + 1) % n_angles]
        here = stack[k]
        for row in range(2, height - 2):
            for col in range(2, width - 2):
                value = here[row, col]
                if (
                    value > floor
                    and value >= before[row, col]
                    and value > after[row, col]
                    and value >= here[row + s_r, col + s_c]
                    and value > here[row - s_r, col - s_c]
                ):
                    found.append((value, k, row, col))
    seeds = np.empty((len(found), 4))
    for i in range(len(found)):
        value, k, row, col = found[i]
        seeds[i, 0], seeds[i, 1], seeds[i, 2], seeds[i, 3] = value, k, row, col
    return seeds[np.argsort(-seeds[:, 0])]
