"""A photograph with its counted hairs, small enough for a page: thick lines, no numbers."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from anagen.hair import HairMeasurement
from anagen.report.overlay import COLOURS, class_of

SHIFT: Final = 4
"""OpenCV draws at sixteenths of a pixel."""
BLACK: Final = (0, 0, 0)


def draw_thumbnail(pixels: np.ndarray, measurement: HairMeasurement, *, width_px: int = 720) -> np.ndarray:
    """Draw the hairs of a measurement on its photograph at page size; what was not counted is dimmed.

    Parameters
    ----------
    pixels : ndarray, uint8, shape (H, W, 3)
        The photograph, RGB.
    measurement : HairMeasurement
        Of that photograph.
    width_px : int
        Width of the picture given back.

    Returns
    -------
    ndarray, uint8, shape (h, width_px, 3)
    """
    scale = width_px / pixels.shape[1]
    size = (width_px, max(1, round(pixels.shape[0] * scale)))
    canvas = np.ascontiguousarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    if measurement.region is not None:
        inside = measurement.region.to_mask(measurement.image_shape).astype(np.uint8)
        outside = cv2.resize(inside, size, interpolation=cv2.INTER_NEAREST) == 0
        canvas[outside] = (canvas[outside] * 0.45 + 60).astype(np.uint8)
    for hair in measurement.hairs:
        points = _to_canvas(hair.path_px, scale)
        for colour, thickness in ((BLACK, 4), (COLOURS[class_of(hair)], 2)):
            cv2.polylines(
                canvas, [points], isClosed=False, color=colour, thickness=thickness, lineType=cv2.LINE_AA, shift=SHIFT
            )
    for hair in measurement.hairs:
        root = tuple(int(v) for v in _to_canvas(hair.root_px[None], scale)[0])
        for colour, radius in ((BLACK, 5), (COLOURS[class_of(hair)], 4)):
            cv2.circle(canvas, root, radius << SHIFT, colour, -1, cv2.LINE_AA, SHIFT)
    return canvas


def _to_canvas(path_px: np.ndarray, scale: float) -> np.ndarray:
    """(row, col) pixel centres to OpenCV's fixed-point (x, y)."""
    xy = (np.asarray(path_px)[:, ::-1] + 0.5) * scale - 0.5
    return np.asarray(np.rint(xy * (1 << SHIFT)), dtype=np.int32)
