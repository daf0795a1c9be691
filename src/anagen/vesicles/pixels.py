"""Finds pixels of the camera that are always too bright or too dark, and mends them before spots are sought."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

CERTAIN = 8.0
"""Standard errors by which a pixel's mean must differ from those around it."""
ALONE = 0.7
"""Part of that difference by which it must differ from its four neighbours: the image of a point of 0.9 px has 0.46."""


def find_bad_pixels(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Pixels whose mean over some frames stands out alone.

    The lens cannot draw anything as sharp as one pixel, and a particle moves on: what stands out from the median of
    5 x 5 pixels and from its own neighbours all the time is the camera's. Without this, each such pixel is a
    particle that does not move, or many short ones where it is near the threshold.

    Parameters
    ----------
    frames : sequence of ndarray, shape (H, W)
        Some tens of frames.

    Returns
    -------
    ndarray of int, shape (n, 2)
        (row, col); none in the outermost rows and columns.
    """
    stack = np.stack(frames).astype(np.float32)
    mean = stack.mean(axis=0)
    out = mean - cv2.medianBlur(mean, 5)
    error = np.hypot(stack.std(axis=0) / np.sqrt(len(stack)), 1.4826 * np.median(np.abs(out)))
    around = cv2.filter2D(mean, -1, np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4.0)
    bad = (np.abs(out) > CERTAIN * error) & (np.abs(mean - around) > ALONE * np.abs(out))
    bad[[0, -1]] = False
    bad[:, [0, -1]] = False
    return np.argwhere(bad)


def mend_pixels(frame: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Copy a frame and set its bad pixels to the mean of their four neighbours; without any, give the frame itself."""
    if not len(bad):
        return frame
    row, col = bad.T
    mended = frame.copy()
    total = frame[row - 1, col].astype(np.int64) + frame[row + 1, col] + frame[row, col - 1] + frame[row, col + 1]
    mended[row, col] = (total + 2) // 4
    return mended
