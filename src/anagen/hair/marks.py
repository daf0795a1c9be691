"""What a viewer has drawn on a photograph: lines and letters are painted over, blank bars at its border left out."""

from __future__ import annotations

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


def paint_over_marks(image: np.ndarray, bar: np.ndarray | None) -> np.ndarray:
    """Replace what was drawn on the photograph by what lies beside it.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        RGB.
    bar : ndarray of bool, shape (H, W), or None
        As `find_bars` gives it.

    Returns
    -------
    ndarray, shape (H, W, 3), uint8
        The same object where nothing was drawn.
    """
    vivid = _find_vivid(image)
    if bar is None and vivid is None:
        return image
    image = image.copy()
    if vivid is not None:
        _paint_by_median(image, vivid)
    if bar is not None:
        _paint_by_skin(image, bar)
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


def find_bars(image: np.ndarray) -> np.ndarray | None:
    """Blank bars of one colour along the border of the image.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8

    Returns
    -------
    ndarray of bool, shape (H, W), or None
        None where there is none.
    """
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
