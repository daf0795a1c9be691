"""Ask the network how much each pixel looks like the middle of a hair: touching and crossing hairs come apart there."""

from __future__ import annotations

import math
from functools import cache
from importlib import resources
from typing import Final

import cv2
import numpy as np

from anagen.hair.contrast import skin_ratio

PITCH_UM: Final = 6.0
"""Micrometres per pixel of the network's input; its answer is twice as coarse. `training/hair_net.py` teaches it so."""
BAND: Final = 240
OVERLAP: Final = 48
"""Most rows looked at at once, and how many of them at either side are another band's to answer: what lies farther off
changes the answer by 0.015 at most in a synthetic field, by 0.08 at single pixels of three real ones. Both are
multiples of `GRAIN` / 2."""
GRAIN: Final = 32
"""The sides of the input are multiples of this."""


def see_centres(image: np.ndarray, um_per_px: float) -> tuple[np.ndarray, float]:
    """Find how central each pixel is in the hair that lies on top there.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        RGB.
    um_per_px : float
        Of the image; it is resampled to `PITCH_UM`.

    Returns
    -------
    centre : ndarray, shape (H', W'), float32
        1 on the centre line of a hair, 0.61 at 0.45 of its half-width, 0 on skin.
    pitch_um : float
        Micrometres per pixel of it, about 2 `PITCH_UM`.
    """
    factor = um_per_px / PITCH_UM
    work = image
    if abs(factor - 1) > 1e-3:
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        work = cv2.resize(image, None, fx=factor, fy=factor, interpolation=how)
    ratio = skin_ratio(work, PITCH_UM)
    height, width = ratio.shape[:2]
    ratio = cv2.copyMakeBorder(ratio, 0, -height % GRAIN, 0, -width % GRAIN, cv2.BORDER_REFLECT_101)
    squares = _lay_squares(ratio)
    del work, ratio  # the network's own memory is the most of a measurement
    answer = _answer_in_bands(squares)[: (height + 1) // 2, : (width + 1) // 2]
    return 1 / (1 + np.exp(-answer)), 2 * um_per_px * image.shape[0] / height


def _answer_in_bands(squares: np.ndarray) -> np.ndarray:
    """Ask for a band of rows at a time, which takes a part of the memory; (12, H, W) to (H, W)."""
    net = cv2.dnn.readNetFromONNX(np.frombuffer(_weights(), dtype=np.uint8))
    height = squares.shape[1]
    answer = np.empty(squares.shape[1:], dtype=np.float32)
    n_bands = max(1, math.ceil((height - 2 * OVERLAP) / (BAND - 2 * OVERLAP)))
    # of one height, so that the network's memory is laid out once
    rows = math.ceil((height + 2 * OVERLAP * (n_bands - 1)) / n_bands / (GRAIN // 2)) * (GRAIN // 2)
    for k in range(n_bands):
        low = min(k * (rows - 2 * OVERLAP), height - rows)
        net.setInput(np.ascontiguousarray(squares[None, :, low : low + rows]))
        band = np.asarray(net.forward())[0, 0]
        first, last = (0 if k == 0 else OVERLAP), (rows if k == n_bands - 1 else rows - OVERLAP)
        answer[low + first : low + last] = band[first:last]
    return answer


def _lay_squares(ratio: np.ndarray) -> np.ndarray:
    """Squares of 2 x 2 pixels as channels: (H, W, 3) to (12, H / 2, W / 2), colour first, then row, then column."""
    height, width = ratio.shape[:2]
    squares = ratio.reshape(height // 2, 2, width // 2, 2, 3).transpose(4, 1, 3, 0, 2)
    return np.ascontiguousarray(squares).reshape(12, height // 2, width // 2)


@cache
def _weights() -> bytes:
    return resources.files("anagen.hair").joinpath("hair_net.onnx").read_bytes()
