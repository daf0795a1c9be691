"""Draw every hair on its image, with its number and class, so that a printed page can be checked by eye."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from anagen.hair import Hair, HairMeasurement
from anagen.units import UM_PER_MM

TERMINAL_UM: Final = 40.0
"""Hairs wider than this are drawn as terminal, others as vellus."""
COLOURS: Final = {"terminal": (0, 158, 115), "vellus": (230, 159, 0), "unresolved": (0, 114, 178)}
"""Okabe and Ito's palette: told apart by colour-blind readers."""
PRINT_WIDTH_PX: Final = 1600
"""Narrower images are enlarged so that numbers stay legible on an A4 page."""


def draw_hairs(image: np.ndarray, measurement: HairMeasurement, *, terminal_um: float = TERMINAL_UM) -> np.ndarray:
    """Draw paths, roots and numbers on a copy of the image.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        RGB, the one that was measured.
    measurement : HairMeasurement
    terminal_um : float
        Cut-off between the two classes.

    Returns
    -------
    ndarray, shape (h, w, 3), uint8
        Enlarged to at least `PRINT_WIDTH_PX` columns; a scale bar of 1 mm and a legend stand below.
    """
    zoom = max(1, math.ceil(PRINT_WIDTH_PX / image.shape[1]))
    canvas = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)
    line = max(1, round(canvas.shape[1] / 900))
    size = canvas.shape[1] / 2600
    for hair in measurement.hairs:
        colour = COLOURS[class_of(hair, terminal_um)]
        points = np.rint(((hair.path_px + 0.5) * zoom - 0.5)[:, ::-1]).astype(np.int32)
        cv2.polylines(canvas, [points[:, None]], isClosed=False, color=colour, thickness=line, lineType=cv2.LINE_AA)
        cv2.circle(canvas, _point(points[0]), 3 * line, colour, -1, cv2.LINE_AA)
    written: list[tuple[int, int, int, int]] = []
    for hair in measurement.hairs:
        at = _free_place(str(hair.number), (hair.root_px + 0.5) * zoom, size, canvas.shape, line, written)
        _write(canvas, str(hair.number), at, size, (0, 0, 0))
    return np.concatenate([canvas, _legend(canvas.shape[1], size, line, measurement, zoom, terminal_um)], axis=0)


def class_of(hair: Hair, terminal_um: float = TERMINAL_UM) -> str:
    """Name the class by which a hair is drawn."""
    if not math.isfinite(hair.diameter_um):
        return "unresolved"
    return "terminal" if hair.diameter_um > terminal_um else "vellus"


def _legend(
    width: int, size: float, line: int, measurement: HairMeasurement, zoom: int, terminal_um: float
) -> np.ndarray:
    strip = np.full((round(70 * size) + 20, width, 3), 255, dtype=np.uint8)
    base = strip.shape[0] - 14
    bar = round(UM_PER_MM / measurement.um_per_px * zoom)
    cv2.line(strip, (14, base), (14 + bar, base), (0, 0, 0), 2 * line)
    _write(strip, "1 mm", (20 + bar, base), size, (0, 0, 0))
    at = 20 + bar + round(140 * size)
    if measurement.refused:
        words: Sequence[tuple[str, tuple[int, int, int]]] = [("refused: not counted", (180, 0, 0))]
    else:
        density = f"{measurement.n_hairs} hairs, {measurement.density_per_cm2:.0f} per cm2"
        words = [
            (density, (0, 0, 0)),
            (f"terminal > {terminal_um:g} um", COLOURS["terminal"]),
            ("vellus", COLOURS["vellus"]),
            ("width unresolved", COLOURS["unresolved"]),
        ]
    for word, colour in words:
        _write(strip, word, (at, base), size, colour)
        at += cv2.getTextSize(word, cv2.FONT_HERSHEY_SIMPLEX, size, line)[0][0] + round(50 * size)
    return strip


def _free_place(
    text: str,
    root: np.ndarray,
    size: float,
    shape: tuple[int, ...],
    line: int,
    written: list[tuple[int, int, int, int]],
) -> tuple[int, int]:
    """Lower left corner of a number near its root, inside the canvas, over no other number where there is room.

    The rectangle it takes (left, top, right, bottom) is added to `written`.
    """
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, max(1, round(2.2 * size)))
    row, col = int(root[0]), int(root[1])
    step, rise = height + 2 * line, 3 * line
    right, left = col + 4 * line, col - 4 * line - width
    tries = [(x, row - rise + k * step) for k in (0, 1, -1, 2, -2, 3, -3) for x in (right, left)]
    boxes = []
    for x, y in tries:
        start = min(max(x, line), shape[1] - width - line)
        base = min(max(y, height + line), shape[0] - line)
        boxes.append((start, base - height, start + width, base))
    free = [box for box in boxes if not any(_overlap(box, other) for other in written)]
    box = (free or boxes)[0]
    written.append(box)
    return box[0], box[3]


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _write(canvas: np.ndarray, text: str, at: tuple[int, int], size: float, colour: tuple[int, int, int]) -> None:
    """Dark letters with a white rim: legible on skin and on hair, in colour and in grey."""
    thick = max(1, round(2.2 * size))
    rim = max(1, round(2 * size))
    places = [(at[0] + rim * x, at[1] + rim * y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]
    for place in places:
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), thick, cv2.LINE_AA)
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick, cv2.LINE_AA)


def _point(xy: np.ndarray) -> tuple[int, int]:
    return int(xy[0]), int(xy[1])
