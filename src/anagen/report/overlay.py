"""Draw every counted hair on its photograph, legible on a screen and in print."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from anagen.hair.measurement import Hair, HairMeasurement

TERMINAL_UM: Final = 40.0
"""Above: terminal, drawn orange; at or below: vellus, blue (TrichoScan's cut-off, Hoffmann 2001)."""
ORANGE, BLUE, WHITE, BLACK, GREEN = (255, 140, 0), (60, 170, 255), (255, 255, 255), (0, 0, 0), (40, 220, 90)
SHIFT: Final = 4
"""OpenCV draws at sixteenths of a pixel."""


def draw_hairs(
    pixels: np.ndarray, measurement: HairMeasurement, *, width_px: int = 1200, line_px: int = 1, numbers: bool = True
) -> np.ndarray:
    """Draw the hairs of a measurement: terminal orange, vellus blue, diameter unresolved white; roots as dots.

    Parameters
    ----------
    pixels : ndarray, uint8, shape (H, W, 3)
        The photograph, RGB.
    measurement : HairMeasurement
        Of that photograph.
    width_px : int
        Width of the picture given back.
    line_px : int
        Thickness of the lines in that picture.
    numbers : bool
        Whether to write each hair's number beside its root.

    Returns
    -------
    ndarray, uint8, shape (h, width_px, 3)
    """
    scale = width_px / pixels.shape[1]
    size = (width_px, max(1, round(pixels.shape[0] * scale)))
    canvas = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    canvas = np.ascontiguousarray(canvas)
    if measurement.region is not None:
        _dim_outside(canvas, measurement, size)
    for hair in measurement.hairs:
        points = _to_canvas(hair.path_px, scale)
        cv2.polylines(
            canvas, [points], isClosed=False, color=BLACK, thickness=line_px + 2, lineType=cv2.LINE_AA, shift=SHIFT
        )
        cv2.polylines(
            canvas, [points], isClosed=False, color=_colour(hair), thickness=line_px, lineType=cv2.LINE_AA, shift=SHIFT
        )
    for hair in measurement.hairs:
        _mark_root(canvas, hair, scale, numbers=numbers)
    return np.asarray(canvas)


def _colour(hair: Hair) -> tuple[int, int, int]:
    if not math.isfinite(hair.diameter_um):
        return WHITE
    return ORANGE if hair.diameter_um > TERMINAL_UM else BLUE


def _mark_root(canvas: np.ndarray, hair: Hair, scale: float, *, numbers: bool) -> None:
    root = tuple(int(v) for v in _to_canvas(hair.root_px[None], scale)[0])
    cv2.circle(canvas, root, 4 << SHIFT, BLACK, -1, cv2.LINE_AA, SHIFT)
    cv2.circle(canvas, root, 3 << SHIFT, GREEN, -1, cv2.LINE_AA, SHIFT)
    if numbers:
        place = ((root[0] >> SHIFT) + 6, (root[1] >> SHIFT) - 4)
        for colour, thickness in ((BLACK, 3), (WHITE, 1)):
            cv2.putText(canvas, str(hair.number), place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, thickness, cv2.LINE_AA)


def _to_canvas(path_px: np.ndarray, scale: float) -> np.ndarray:
    """(row, col) pixel centres to OpenCV's fixed-point (x, y)."""
    xy = (np.asarray(path_px)[:, ::-1] + 0.5) * scale - 0.5
    return np.asarray(np.rint(xy * (1 << SHIFT)), dtype=np.int32)


def _dim_outside(canvas: np.ndarray, measurement: HairMeasurement, size: tuple[int, int]) -> None:
    assert measurement.region is not None
    inside = measurement.region.to_mask(measurement.image_shape).astype(np.uint8)
    outside = cv2.resize(inside, size, interpolation=cv2.INTER_NEAREST) == 0
    canvas[outside] = (canvas[outside] * 0.45 + 60).astype(np.uint8)
