"""What a viewer has drawn on a photograph: lines and letters are painted over, bars and plates of letters left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

LEAST_VIVID: Final = (150, 105)
"""Brightest channel, and its distance from the darkest, from which a colour is a display's and no skin's."""
PURE: Final = 0.28
"""Largest distance of the two lower channels over that of the highest from the lowest."""
LINE_SHARE: Final = 2e-4
"""Share of the image below which vivid pixels are left alone: single ones are noise."""
EVEN: Final = 3
"""Grey levels within which neighbouring pixels lie in a blank bar; a camera's noise alone spreads skin wider."""
BAR_STEP: Final = 4
TILE_PX: Final = 128
LEAST_BAR: Final = 0.003
MOST_BAR: Final = 0.3
"""Smallest and largest share of the image that is a bar: where more is blank the whole image is none of a scalp."""

EDGE_STEP: Final = 4
EDGE_RISE: Final = 15
EDGE_PX: Final = 112
"""Grey levels by which rows (or columns) two apart must differ, at every fourth pixel of a stretch so long, where an
edge was drawn: real photographs without a viewer's marks have next to none."""
EDGE_GAP_PX: Final = 256
"""Letters interrupt the edge of a plate for as long as this."""
PLATE_PX: Final = (12, 120)
LINE_PX: Final = (4, 200)
"""Height of a plate from edge to edge; the largest thickness and the least length of a line."""
SAME_SHARE: Final = 0.5
LETTER_LIGHT: Final = 1.5
LETTER_SHARE: Final = 0.2
LETTER_ROWS: Final = 0.7
SIGNS_PER_PX: Final = 0.015
"""Letters are so much brighter than the plate, on so much of it and on so many of its rows, and so many along it: 0.28
of real plates, and 0.028 to 0.048 signs a pixel. Glints lie on 0.01 to 0.16 of a hair that runs along the rows."""
PLATE_MARGIN_PX: Final = 128
"""A plate goes on as far as this beyond its undisturbed edges, to its end or the image's; a line, where it shows."""


@dataclass(frozen=True, eq=False)
class Marks:
    """What covers the photograph.

    Parameters
    ----------
    covered : ndarray of bool, shape (H, W), or None
        Bars and plates: what lies there is not seen.
    drawn : ndarray of bool, shape (H, W), or None
        Thin lines and letters, which hide little.
    """

    covered: np.ndarray | None
    drawn: np.ndarray | None


def find_marks(image: np.ndarray) -> Marks:
    """Find what a viewer has drawn on a photograph.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        RGB.

    Returns
    -------
    Marks
        Blank bars along the border; half-transparent plates with lines of letters; thin straight lines along rows or
        columns; lines and letters in a display's pure colours.
    """
    plates, lines = _find_straight(image)
    return Marks(_either(_find_bars(image), plates), _either(_find_vivid(image), lines))


def _either(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    if one is None or other is None:
        return one if other is None else other
    return np.asarray(one | other)


def paint_over_marks(image: np.ndarray, marks: Marks) -> np.ndarray:
    """Replace what was drawn on the photograph by what lies beside it.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        RGB.
    marks : Marks

    Returns
    -------
    ndarray, shape (H, W, 3), uint8
        The same object where nothing was drawn.
    """
    if marks.covered is None and marks.drawn is None:
        return image
    image = image.copy()
    if marks.drawn is not None:
        _paint_by_median(image, marks.drawn)
    if marks.covered is not None:
        _paint_by_skin(image, marks.covered)
    return image


def _paint_by_median(image: np.ndarray, mask: np.ndarray) -> None:
    """Take the median of 13 x 13 pixels, tile by tile where there are any: lines are thin, so it is what they cross."""
    for top in range(0, image.shape[0], TILE_PX):
        for left in range(0, image.shape[1], TILE_PX):
            part = mask[top : top + TILE_PX, left : left + TILE_PX]
            if part.any():
                first, begin = max(top - 6, 0), max(left - 6, 0)
                around = cv2.medianBlur(image[first : top + TILE_PX + 6, begin : left + TILE_PX + 6], 13)
                inner = around[top - first :, left - begin :][: part.shape[0], : part.shape[1]]
                cv2.copyTo(inner, part.astype(np.uint8), image[top : top + TILE_PX, left : left + TILE_PX])


def _paint_by_skin(image: np.ndarray, mask: np.ndarray) -> None:
    """Give it the skin's colour nearby, far smoothed."""
    size = (max(1, image.shape[1] // 16), max(1, image.shape[0] // 16))
    skin = cv2.resize(np.float32(~mask), size, interpolation=cv2.INTER_NEAREST)
    light = cv2.resize(image, size, interpolation=cv2.INTER_NEAREST) * skin[:, :, None]
    light = cv2.blur(light, (9, 9)) / (cv2.blur(skin, (9, 9)) + 1e-3)[:, :, None]
    wide = cv2.resize(np.rint(light).astype(np.uint8), (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    cv2.copyTo(wide, mask.astype(np.uint8), image)


def _find_bars(image: np.ndarray) -> np.ndarray | None:
    """Find blank bars of one colour along the border of the image."""
    # looked for along the border first: photographs have none
    rim = np.concatenate([image[3], image[-4], image[:, 3], image[:, -4]]).astype(np.int16)
    still = np.abs(np.diff(rim, axis=0)).max(axis=1) <= EVEN
    if float(still.mean()) < 0.1:
        return None
    small = np.ascontiguousarray(image[::BAR_STEP, ::BAR_STEP])
    even = np.ones(small.shape[:2], dtype=bool)
    kernel = np.ones((5, 5), dtype=np.uint8)
    for channel in cv2.split(small):
        even &= cv2.subtract(cv2.dilate(channel, kernel), cv2.erode(channel, kernel)) <= EVEN
    n, label, stats, _ = cv2.connectedComponentsWithStats(even.astype(np.uint8))
    height, width = small.shape[:2]
    mask = np.zeros(even.shape, dtype=np.uint8)
    for k in range(1, n):
        left, top, wide, high, area = stats[k]
        at_border = left == 0 or top == 0 or left + wide == width or top + high == height
        # hair out of focus may be evenly black, but does not run along nearly a whole side
        is_bar = LEAST_BAR < area / even.size < MOST_BAR and max(wide / width, high / height) > 0.9
        if is_bar and at_border:
            mask |= (label == k).astype(np.uint8)
    if not mask.any():
        return None
    mask = cv2.dilate(mask, np.ones((7, 7), dtype=np.uint8))
    return np.asarray(cv2.resize(mask, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_NEAREST) > 0)


def _find_vivid(image: np.ndarray) -> np.ndarray | None:
    red, green, blue = cv2.split(image)
    top, low = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    vivid = (top > LEAST_VIVID[0]) & (cv2.subtract(top, low) > LEAST_VIVID[1])
    if float(np.mean(vivid)) < LINE_SHARE:
        return None
    # a display's red, green or blue; red hair and skin are orange, with the middle channel well above the lowest
    middle = red.astype(np.int16) + green + blue - top - low
    vivid &= middle - low < PURE * (top.astype(np.float32) - low)
    if float(np.mean(vivid)) < LINE_SHARE:
        return None
    return np.asarray(cv2.dilate(vivid.astype(np.uint8), np.ones((7, 7), dtype=np.uint8)) > 0)


def _find_straight(image: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Plates along rows, thin lines along rows or columns: no optics gives an edge that stays so long in one row."""
    red, green, blue = cv2.split(image)
    top = cv2.max(cv2.max(red, green), blue)
    plates, lines = np.zeros(top.shape, dtype=bool), np.zeros(top.shape, dtype=bool)
    for grey, line in ((top, lines), (top.T, lines.T)):
        falls, rises = _straight_edges(grey)
        for one in (*falls, *rises):
            for other in rises if one in falls else falls:
                first, last = min(one[1], other[1]), max(one[2], other[2])
                shared = min(one[2], other[2]) - max(one[1], other[1])
                apart = other[0] - one[0]
                if shared < SAME_SHARE * (last - first):
                    continue
                if 0 < apart <= LINE_PX[0] and last - first >= LINE_PX[1]:
                    rows = slice(max(one[0] - 2, 0), other[0] + 3)
                    line[rows, max(first - 4, 0) : last + 4] = True
                    line[rows] |= _goes_on(grey[rows], max(first - PLATE_MARGIN_PX, 0), last + PLATE_MARGIN_PX)
                elif grey is top and one in falls and PLATE_PX[0] <= apart <= PLATE_PX[1]:
                    rows = slice(max(one[0] - 3, 0), other[0] + 4)
                    if _has_letters(grey[rows, max(one[1], other[1]) : min(one[2], other[2])]):
                        plates[rows, max(first - PLATE_MARGIN_PX, 0) : last + PLATE_MARGIN_PX] = True
    return plates if plates.any() else None, lines if lines.any() else None


def _straight_edges(grey: np.ndarray) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """Row, first and last column of edges to darker and to lighter rows."""
    sampled = np.ascontiguousarray(grey[:, ::EDGE_STEP])
    kernel = np.ones((1, EDGE_PX // EDGE_STEP), dtype=np.uint8)
    found = []
    for before, after in ((sampled[:-2], sampled[2:]), (sampled[2:], sampled[:-2])):
        steep = (cv2.subtract(before, after) > EDGE_RISE).astype(np.uint8)
        steep = cv2.morphologyEx(steep, cv2.MORPH_OPEN, kernel)
        _, _, boxes, _ = cv2.connectedComponentsWithStats(steep, connectivity=8)
        edges = sorted(
            (int(row + 1 + (high - 1) // 2), int(left) * EDGE_STEP, int(left + wide) * EDGE_STEP)
            for left, row, wide, high, _ in boxes[1:]
        )
        found.append(_merge(edges))
    return found[0], found[1]


def _merge(edges: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Join stretches of one edge."""
    merged: list[tuple[int, int, int]] = []
    for row, first, last in edges:
        if merged and row - merged[-1][0] <= 1 and first - merged[-1][2] <= EDGE_GAP_PX:
            merged[-1] = (merged[-1][0], min(merged[-1][1], first), max(merged[-1][2], last))
        else:
            merged.append((row, first, last))
    return merged


def _goes_on(rows: np.ndarray, left: int, right: int) -> np.ndarray:
    """Columns in which the middle of some rows differs from both sides alike, shape (W,): the rest of a line."""
    middle, above, below = (row.astype(np.int16) for row in (rows[len(rows) // 2], rows[0], rows[-1]))
    differs = (np.minimum(above, below) - middle > EDGE_RISE) | (middle - np.maximum(above, below) > EDGE_RISE)
    differs[:left] = differs[right:] = False
    return np.asarray(differs)


def _has_letters(plate: np.ndarray) -> bool:
    """Whether the middle of what looks like a plate holds many brighter signs as high as itself; a hair has glints."""
    margin = max(1, plate.shape[0] // 5)
    middle = plate[margin:-margin]
    bright = middle > LETTER_LIGHT * np.median(middle)
    signs = np.count_nonzero(np.diff(bright.any(axis=0).astype(np.int8)) == 1)
    in_rows = float(np.mean(bright.mean(axis=1) > LETTER_SHARE / 4))
    return bool(signs > SIGNS_PER_PX * plate.shape[1] and in_rows > LETTER_ROWS and bright.mean() > LETTER_SHARE)
