"""Count and measure every hair in one image of the scalp: the public `measure_hairs`."""

from __future__ import annotations

import dataclasses
import math
from typing import Final, Literal

import cv2
import numpy as np

from anagen.errors import InputError
from anagen.hair.contrast import Contrast, hair_contrast
from anagen.hair.detect_network import detect_with_network
from anagen.hair.detect_ridges import detect_with_ridges
from anagen.hair.diameter import DiameterFit, check_gamma, fit_diameters
from anagen.hair.marks import find_marks, paint_over_marks
from anagen.hair.measurement import Hair, HairMeasurement
from anagen.hair.quality import (
    describe_field,
    edge_blur_um,
    flag_blur,
    flag_clarity,
    flag_crowd,
    flag_field,
    flag_long,
    flag_scatter,
    flag_structure,
    has_sharp_edges,
)
from anagen.hair.region import Region
from anagen.hair.shafts import Detection
from anagen.hair.units import form_units
from anagen.records import Flag
from anagen.units import UM2_PER_CM2

ALGORITHM: Final = "hair-trace"
VERSION: Final = "14"
"""Changes whenever the same image may give another number."""

BAR_EDGE_UM: Final = 40.0
"""Hairs that run along a blank bar, closer than this, are its edge."""

Detector = Literal["network", "ridges"]
"""Who finds the hairs: the learned stage, or the one of filters and bars alone."""


def measure_hairs(
    image: np.ndarray,
    *,
    um_per_px: float,
    region: Region | None = None,
    scale_source: str = "given",
    gamma: float | None = None,
    detector: Detector = "network",
) -> HairMeasurement:
    """Find, trace and measure the hairs whose root lies in a region.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        RGB.
    um_per_px : float
        Scale, 0.5 to 20 micrometres per pixel.
    region : Region or None
        Where hairs are counted; None for the whole image. Blank bars along its border and a viewer's plates of letters
        are part of neither.
    scale_source : str
        ``given``, ``ruler`` or ``metadata``: kept in the record.
    gamma : float or None
        The camera's transfer curve: light is the grey value to this power, 1 to 3 (2.2 for sRGB). None where nobody
        knows: it is then told by the image's wide hairs, and its doubt is part of every diameter's.
    detector : {"network", "ridges"}
        ``network`` follows the middles of hairs in the picture that this package's small learned network makes of
        the image, in which touching hairs are apart; ``ridges`` follows the contrast itself, without anything learned.
        Hair longer than about 1.2 mm is followed from the roots that are seen, in either picture.

    Returns
    -------
    HairMeasurement

    Raises
    ------
    InputError
        When the image is not RGB of 8 bits, the scale is not a positive number, or the gamma not within 1 to 3.
    """
    _check(image, um_per_px)
    check_gamma(gamma)
    marks = find_marks(image)
    bars = marks.covered
    inside = region.to_mask(image.shape[:2]) if region is not None else None
    if bars is not None:
        inside = ~bars if inside is None else inside & ~bars
    n_px = int(np.count_nonzero(inside)) if inside is not None else image.shape[0] * image.shape[1]
    area_cm2 = n_px * um_per_px**2 / UM2_PER_CM2
    blank = HairMeasurement(
        hairs=(),
        area_cm2=area_cm2,
        um_per_px=um_per_px,
        image_shape=(image.shape[0], image.shape[1]),
        region=region,
        scale_source=scale_source,
        gamma_source="estimated" if gamma is None else "given",
    )
    flags = flag_field(describe_field(image, um_per_px), um_per_px, area_cm2)
    # whether the field is in focus the hairs tell better, once they are found
    if any(flag.severity == "refused" and flag.code != "out-of-focus" for flag in flags):
        return dataclasses.replace(blank, flags=tuple(flags))
    image = paint_over_marks(image, marks)
    fine = hair_contrast(image, um_per_px)
    found = detect_with_network(image, um_per_px, fine) if detector == "network" else detect_with_ridges(fine)
    blur_um = edge_blur_um(fine.value, found.shafts, fine.pitch_um)
    if has_sharp_edges(blur_um, len(found.paths)):
        flags = [flag for flag in flags if flag.code != "out-of-focus"]
    elif not any(flag.code == "out-of-focus" for flag in flags):
        flags += flag_blur(blur_um)
    flags += flag_structure(fine.value, found.shafts, fine.pitch_um)
    flags += flag_scatter(found.paths, found.confidence, fine.pitch_um)
    flags += flag_crowd(len(found.paths), image.shape[0] * image.shape[1] * um_per_px**2 / UM2_PER_CM2)
    if found.rootless is not None:
        flags.append(flag_long(fine.value, len(found.paths), len(found.rootless)))
    if any(flag.severity == "refused" for flag in flags):
        return dataclasses.replace(blank, flags=tuple(flags))
    hairs, fit = _to_hairs(image, found, fine, region, bars, gamma)
    if hairs:
        flags += flag_clarity(max(fine.clarity, found.clarity))
    else:
        found_none = "no hair was found in the region, and none of the skin's own colour would be"
        flags.append(Flag("no-hair", "warning", found_none, "check the scale and the focus"))
    measured = dataclasses.replace(
        blank,
        hairs=hairs,
        blur_sigma_px=fit.blur_sigma_px if math.isfinite(fit.blur_sigma_px) else blur_um / um_per_px,
        gamma=fit.gamma if hairs else math.nan,
        diameter_common_sd=fit.common_sd,
        flags=tuple(flags),
    )
    return form_units(measured)


def _to_hairs(
    image: np.ndarray, found: Detection, fine: Contrast, region: Region | None, bars: np.ndarray | None,
    gamma: float | None,
) -> tuple[tuple[Hair, ...], DiameterFit]:  # fmt: skip
    """Hairs root first, in the caller's pixels, whose root lies in the region, from top to bottom; and their fit."""
    paths = [fine.to_image(path) for path in found.paths]
    um_per_px = fine.pitch_um / fine.px_per_px
    # every hair of the image goes in, so that the flanks a neighbour hides are left out
    others = [fine.to_image(path) for path in found.rootless or ()]
    fit = fit_diameters(image, paths + others, um_per_px=um_per_px, gamma=gamma)
    # a hair that the frame cuts may be traced to a root beyond it: that root lies in no region of this image
    frame = Region.rectangle(-0.5, -0.5, image.shape[0] - 0.5, image.shape[1] - 0.5)
    where = [frame] if region is None else [frame, region]
    order = [i for i, path in enumerate(paths) if all(bool(one.contains(path[0])) for one in where)]
    if bars is not None:
        order = [i for i in order if not bars[tuple(np.rint(paths[i][0]).astype(int))]]
        # the bar's own edge is a line too
        reach = 2 * round(BAR_EDGE_UM / um_per_px) + 1
        edge = cv2.dilate(bars.astype(np.uint8), np.ones((reach, reach), dtype=np.uint8))
        order = [i for i in order if _mean_along(edge, paths[i]) < 0.5]
    order.sort(key=lambda i: (float(paths[i][0][0]), float(paths[i][0][1])))
    hairs = tuple(
        Hair(
            number=number,
            path_px=paths[i],
            length_um=float(np.sum(np.hypot(*np.diff(paths[i], axis=0).T))) * um_per_px,
            diameter_um=float(fit.diameter_um[i]),
            diameter_sd_um=float(fit.diameter_sd_um[i]),
            confidence=float(found.confidence[i]),
            flags=fit.flags[i],
        )
        for number, i in enumerate(order, start=1)
    )
    return hairs, fit


def _mean_along(mask: np.ndarray, path: np.ndarray) -> float:
    rows, cols = (np.clip(np.rint(path[:, k]).astype(int), 0, mask.shape[k] - 1) for k in (0, 1))
    return float(mask[rows, cols].mean())


def _check(image: np.ndarray, um_per_px: float) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InputError(f"image must be uint8 of shape (H, W, 3), got {image.dtype} {image.shape}: convert it to RGB")
    if not (math.isfinite(um_per_px) and um_per_px > 0):
        raise InputError(f"um_per_px must be above 0, got {um_per_px}: micrometres per pixel")
