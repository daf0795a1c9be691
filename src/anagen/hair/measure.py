"""Count and measure every hair in one image of the scalp: the public `measure_hairs`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from anagen.errors import InputError
from anagen.hair.measurement import Hair, HairMeasurement
from anagen.hair.region import Region
from anagen.hair.ridges import ridge_seeds, ridge_stack
from anagen.hair.roots import end_features, fan_evidence, orient_paths
from anagen.hair.shafts import Shaft, keep_unexplained, measure_shafts
from anagen.hair.trace import trace_lines
from anagen.units import UM2_PER_CM2

ALGORITHM: Final = "hair-trace"
VERSION: Final = "1"
"""Changes whenever the same image may give another number."""

FINE_UM: Final = 5.0
"""Pitch at which edges are measured; finer images are averaged down to it, coarser ones stay."""
COARSE_SIGMA_UM: Final = 28.0
"""Scale for terminal hair: bars up to 97 um give one ridge, touching pairs of 49 um and more two."""
FINE_SIGMA_UM: Final = 10.0
"""Scale for thin hair, 10 to 35 um."""
SKIN_UM: Final = 1000.0
"""Extent over which the skin's brightness is taken as even."""

END_WEIGHTS: Final = np.array([3.0, 1.0, 1.5])
"""Log odds a unit of `end_features`."""


@dataclass(frozen=True, eq=False)
class _Contrast:
    """Working image: contrast of hair over skin at a pitch, and how to get back to the caller's pixels."""

    value: np.ndarray
    deep: np.ndarray
    pitch_um: float
    px_per_px: float

    def to_image(self, path: np.ndarray) -> np.ndarray:
        return np.asarray((path + 0.5) * self.px_per_px - 0.5)


def measure_hairs(
    image: np.ndarray, *, um_per_px: float, region: Region | None = None, scale_source: str = "given"
) -> HairMeasurement:
    """Find, trace and measure the hairs whose root lies in a region.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        RGB.
    um_per_px : float
        Scale, 0.5 to 20 micrometres per pixel.
    region : Region or None
        Where hairs are counted; None for the whole image.
    scale_source : str
        ``given``, ``ruler`` or ``metadata``: kept in the record.

    Returns
    -------
    HairMeasurement

    Raises
    ------
    InputError
        When the image is not RGB of 8 bits, or the scale is not a positive number.
    """
    _check(image, um_per_px)
    fine = _contrast(image, um_per_px)
    shafts = find_shafts(fine)
    paths = [shaft.path for shaft in shafts]
    features = end_features(fine.value, fine.deep, paths, fine.pitch_um)
    evidence = np.clip(features @ END_WEIGHTS, -4, 4) + fan_evidence(paths, near_px=200.0 / fine.pitch_um)
    flip = orient_paths(paths, evidence, near_px=800.0 / fine.pitch_um)
    inside = region.to_mask(image.shape[:2]) if region is not None else None
    hairs: list[Hair] = []
    for shaft, reverse in zip(shafts, flip, strict=True):
        path = fine.to_image(shaft.path[::-1] if reverse else shaft.path)
        if region is not None and not region.contains(path[0]):
            continue
        length = float(np.sum(np.hypot(*np.diff(path, axis=0).T))) * um_per_px
        hairs.append(Hair(len(hairs) + 1, path, length, 2 * shaft.half_width * fine.pitch_um, math.nan, shaft.contrast))
    n_px = int(np.count_nonzero(inside)) if inside is not None else image.shape[0] * image.shape[1]
    area = n_px * um_per_px**2 / UM2_PER_CM2
    return HairMeasurement(
        hairs=tuple(hairs),
        area_cm2=area,
        um_per_px=um_per_px,
        image_shape=(image.shape[0], image.shape[1]),
        region=region,
        scale_source=scale_source,
    )


def find_shafts(fine: _Contrast) -> list[Shaft]:
    """Every bar of hair, thick ones first, thin ones where nothing thick lies."""
    value = fine.value
    pitch = fine.pitch_um
    half = cv2.resize(value, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    ratio = value.shape[0] / half.shape[0]
    stack = ridge_stack(half, COARSE_SIGMA_UM / pitch / ratio)
    points, starts = trace_lines(stack, ridge_seeds(stack, 0.10), 0.45, 3.0, 6, 0.02)
    del stack
    shafts = measure_shafts(
        value,
        (points + 0.5) * ratio - 0.5,
        starts,
        core_px=2,
        reach_px=80 / pitch,
        bridge_px=round(25 / pitch),
        end_share=0.6,
    )
    shafts = [s for s in shafts if s.contrast > 0.2 and len(s.path) > 100 / pitch]
    return keep_unexplained(shafts, value.shape, least=0.4, least_px=80 / pitch, widest_px=60 / pitch)


def _check(image: np.ndarray, um_per_px: float) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InputError(f"image must be uint8 of shape (H, W, 3), got {image.dtype} {image.shape}: convert it to RGB")
    if not (math.isfinite(um_per_px) and um_per_px > 0):
        raise InputError(f"um_per_px must be above 0, got {um_per_px}: micrometres per pixel")


def _contrast(image: np.ndarray, um_per_px: float) -> _Contrast:
    pitch = max(um_per_px, FINE_UM)
    factor = um_per_px / pitch
    light, deep = image.max(axis=2), image[:, :, 0]
    if factor < 1:
        light = cv2.resize(light, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        deep = cv2.resize(deep, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    ratio = image.shape[0] / light.shape[0]
    pitch = um_per_px * ratio
    return _Contrast(_over_skin(light, pitch), _over_skin(deep, pitch), pitch, ratio)


def _over_skin(light: np.ndarray, pitch_um: float) -> np.ndarray:
    """1 - light / skin, where the skin's brightness is a wide median, smoothed."""
    step = max(1, round(40.0 / pitch_um))
    small = cv2.resize(light, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
    size = 2 * (round(SKIN_UM / pitch_um / step) // 2) + 1
    smooth = cv2.GaussianBlur(cv2.medianBlur(small, size).astype(np.float32), (0, 0), 3)
    skin = np.maximum(cv2.resize(smooth, (light.shape[1], light.shape[0]), interpolation=cv2.INTER_LINEAR), 8.0)
    return np.asarray(np.clip(1 - light / skin, -0.3, 1), dtype=np.float32)
