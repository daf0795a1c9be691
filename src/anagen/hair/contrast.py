"""How bright each pixel is beside the skin around it: what is left of an image when skin and light are divided out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

FINE_UM: Final = 5.0
"""Pitch at which edges are measured; finer images are averaged down to it, coarser ones stay."""

SKIN_UM: Final = 1000.0
"""Extent over which the skin's brightness is taken as even."""


def skin_brightness(light: np.ndarray, pitch_um: float) -> np.ndarray:
    """Brightness of the skin under and around each pixel: a wide median, smoothed.

    Parameters
    ----------
    light : ndarray, shape (H, W), uint8
        One channel.
    pitch_um : float
        Micrometres per pixel.

    Returns
    -------
    ndarray, shape (H, W), float32
        At least 8 grey levels.
    """
    step = max(1, round(40.0 / pitch_um))
    small = cv2.resize(light, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
    size = 2 * (round(SKIN_UM / pitch_um / step) // 2) + 1
    smooth = cv2.GaussianBlur(cv2.medianBlur(small, size).astype(np.float32), (0, 0), 3)
    full = cv2.resize(smooth, (light.shape[1], light.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.maximum(full, np.float32(8.0)))


def skin_ratio(image: np.ndarray, pitch_um: float) -> np.ndarray:
    """Each channel over the skin's brightness there, less 1: 0 on skin, -1 on black, clipped at 1.5.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
    pitch_um : float

    Returns
    -------
    ndarray, shape (H, W, 3), float32
    """
    channels = [c / skin_brightness(c, pitch_um) - 1 for c in cv2.split(image)]
    return np.asarray(np.clip(np.stack(channels, axis=2), -1.0, 1.5), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Contrast:
    """Working image: contrast of hair over skin at a pitch, and how to get back to the caller's pixels.

    Parameters
    ----------
    value : ndarray, shape (H, W), float32
        0 on skin, towards 1 on hair that differs wholly from it.
    deep : ndarray, shape (H, W), float32
        The same in the channel in which a shaft under the skin shines through.
    pitch_um : float
        Micrometres per pixel of these.
    px_per_px : float
        Pixels of the caller's image for one of these.
    tone : str
        ``dark``, ``fair`` or ``tinted``.
    """

    value: np.ndarray
    deep: np.ndarray
    pitch_um: float
    px_per_px: float
    tone: str

    def to_image(self, path: np.ndarray) -> np.ndarray:
        """Pixels of the caller's image."""
        return np.asarray((path + 0.5) * self.px_per_px - 0.5)


def hair_contrast(image: np.ndarray, um_per_px: float) -> Contrast:
    """Contrast of hair over skin, in the tone in which lines stand out most.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
    um_per_px : float

    Returns
    -------
    Contrast
    """
    pitch = max(um_per_px, FINE_UM)
    factor = um_per_px / pitch
    work = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else image
    ratio = image.shape[0] / work.shape[0]
    pitch = um_per_px * ratio
    red, green, blue = cv2.split(work)
    dark = over_skin(cv2.max(cv2.max(red, green), blue), pitch)
    fair = -over_skin(cv2.min(cv2.min(red, green), blue), pitch)
    tinted = over_skin(blue, pitch)
    # dark in every channel is the rule; pigment that absorbs blue only, and hair lighter than skin, must show better
    strength = np.array([1.5, 1.0, 1.0]) * [_line_strength(c, pitch) for c in (dark, fair, tinted)]
    chosen = int(np.argmax(strength))
    value = np.clip((dark, fair, tinted)[chosen], -0.3, 1)
    return Contrast(value, value if chosen else over_skin(red, pitch), pitch, ratio, ("dark", "fair", "tinted")[chosen])


def _line_strength(contrast: np.ndarray, pitch_um: float) -> float:
    """How far the strongest percent of hair-wide contrast stands above the commonest."""
    small = cv2.resize(contrast, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), max(0.7, 8.0 / pitch_um))[::2, ::2]
    return float(np.quantile(smooth, 0.985) / max(float(np.median(np.abs(smooth))), 1e-4))


def over_skin(light: np.ndarray, pitch_um: float) -> np.ndarray:
    """Give how much darker each pixel of one channel is than the skin there: 1 - light / skin.

    Parameters
    ----------
    light : ndarray, shape (H, W), uint8
    pitch_um : float

    Returns
    -------
    ndarray, shape (H, W), float32
    """
    return np.asarray(1 - light / skin_brightness(light, pitch_um), dtype=np.float32)
