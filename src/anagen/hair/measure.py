"""Count and measure every hair in one image of the scalp: the public `measure_hairs`."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from anagen.errors import InputError
from anagen.hair.diameter import fit_diameters
from anagen.hair.measurement import Hair, HairMeasurement
from anagen.hair.quality import describe_field, edge_blur_um, flag_blur, flag_field, flag_structure
from anagen.hair.region import Region
from anagen.hair.ridges import ridge_seeds, ridge_stack
from anagen.hair.roots import end_features, fan_evidence, orient_paths
from anagen.hair.settle import cover_bars, drop_crosswise, settle_bars
from anagen.hair.shafts import Shaft, measure_shafts
from anagen.hair.trace import trace_lines
from anagen.hair.units import form_units
from anagen.records import Flag
from anagen.units import UM2_PER_CM2

ALGORITHM: Final = "hair-trace"
VERSION: Final = "4"
"""Changes whenever the same image may give another number."""

FINE_UM: Final = 5.0
"""Pitch at which edges are measured; finer images are averaged down to it, coarser ones stay."""
COARSE_SIGMA_UM: Final = 27.0
"""Scale for terminal hair: bars up to 94 um give one ridge, touching pairs of 47 um and more two."""
FINE_SIGMA_UM: Final = 10.0
"""Scale for thin hair, 10 to 35 um."""
END_SHARE: Final = 0.7
"""Share of its plateau at which a trace ends; where a settled bar ends on average it is `BAR_SHARE`."""
BAR_SHARE: Final = 0.6
BRIDGE_UM: Final = 40.0
"""Longest gap of glare inside one hair."""
WIDEST: Final = 1.05
"""Largest half-width of a bar over the image's typical one: a wider one would hide a touching neighbour."""
OWN_SHARE: Final = 0.22
OWN_UM: Final = 80.0
"""Least share of its area, and least length, that a bar must explain alone to be a hair of its own."""
SKIN_LINES: Final = 3.5
"""How far a thin hair's contrast must stand above the faint lines of the skin itself."""
SKIN_UM: Final = 1000.0
"""Extent over which the skin's brightness is taken as even."""

END_WEIGHTS: Final = np.array([3.0, 1.0, 1.5])
"""Log odds a unit of `end_features`."""
CONFIDENCE_WEIGHTS: Final = np.array([4.0, 2.0, 2.0, -2.5, 1.0])
"""Log odds a unit of own area, relative contrast, relative length, dark rim and agreement with the neighbours' lean."""
LEAST_CONFIDENCE: Final = 0.45
"""Less sure shafts are not counted; chosen on the tuning dates of the real fields, reported on the others."""


@dataclass(frozen=True, eq=False)
class _Contrast:
    """Working image: contrast of hair over skin at a pitch, and how to get back to the caller's pixels."""

    value: np.ndarray
    deep: np.ndarray
    pitch_um: float
    px_per_px: float
    tone: str

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
    inside = region.to_mask(image.shape[:2]) if region is not None else None
    n_px = int(np.count_nonzero(inside)) if inside is not None else image.shape[0] * image.shape[1]
    area_cm2 = n_px * um_per_px**2 / UM2_PER_CM2
    blank = HairMeasurement(
        hairs=(),
        area_cm2=area_cm2,
        um_per_px=um_per_px,
        image_shape=(image.shape[0], image.shape[1]),
        region=region,
        scale_source=scale_source,
    )
    flags = flag_field(describe_field(image, um_per_px), um_per_px, area_cm2)
    if any(flag.severity == "refused" for flag in flags):
        return dataclasses.replace(blank, flags=tuple(flags))
    fine = _contrast(image, um_per_px)
    shafts = find_shafts(fine)
    blur_um = edge_blur_um(fine.value, shafts, fine.pitch_um)
    if not any(flag.code == "out-of-focus" for flag in flags):
        flags += flag_blur(blur_um)
    flags += flag_structure(fine.value, shafts, fine.pitch_um)
    if any(flag.severity == "refused" for flag in flags):
        return dataclasses.replace(blank, flags=tuple(flags))
    hairs, fitted_blur_px = _to_hairs(image, shafts, fine, region)
    if not hairs:
        flags.append(Flag("no-hair", "warning", "no hair was found in the region", "check the scale and the focus"))
    blur_px = fitted_blur_px if math.isfinite(fitted_blur_px) else blur_um / um_per_px
    return form_units(dataclasses.replace(blank, hairs=hairs, blur_sigma_px=blur_px, flags=tuple(flags)))


def _to_hairs(
    image: np.ndarray, shafts: list[Shaft], fine: _Contrast, region: Region | None
) -> tuple[tuple[Hair, ...], float]:
    """Hairs root first, in the caller's pixels, whose root lies in the region, from top to bottom; and their blur."""
    sure = _confidences(shafts, 800.0 / fine.pitch_um)
    kept = np.flatnonzero(sure >= LEAST_CONFIDENCE)
    if len(kept) == 0:
        return (), math.nan
    paths = [shafts[i].path for i in kept]
    features = end_features(fine.value, fine.deep, paths, fine.pitch_um)
    evidence = np.clip(features @ END_WEIGHTS, -4, 4) + fan_evidence(paths, near_px=200.0 / fine.pitch_um)
    flip = orient_paths(paths, evidence, near_px=800.0 / fine.pitch_um)
    paths = [fine.to_image(path[::-1] if turn else path) for path, turn in zip(paths, flip, strict=True)]
    um_per_px = fine.pitch_um / fine.px_per_px
    # every hair of the image goes in, so that the flanks a neighbour hides are left out
    fit = fit_diameters(image, paths, um_per_px=um_per_px)
    order = [i for i in range(len(paths)) if region is None or bool(region.contains(paths[i][0]))]
    order.sort(key=lambda i: (float(paths[i][0][0]), float(paths[i][0][1])))
    hairs = tuple(
        Hair(
            number=number,
            path_px=paths[i],
            length_um=float(np.sum(np.hypot(*np.diff(paths[i], axis=0).T))) * um_per_px,
            diameter_um=float(fit.diameter_um[i]),
            diameter_sd_um=float(fit.diameter_sd_um[i]),
            confidence=float(sure[kept[i]]),
            flags=fit.flags[i],
        )
        for number, i in enumerate(order, start=1)
    )
    return hairs, fit.blur_sigma_px


def find_shafts(fine: _Contrast) -> list[Shaft]:
    """Every bar of hair, thick ones first, thin ones where nothing thick lies."""
    value, pitch = fine.value, fine.pitch_um
    half = cv2.resize(value, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    ratio = value.shape[0] / half.shape[0]
    noise = _noise(half)
    lines = _lines(half, COARSE_SIGMA_UM / pitch / ratio, floor=max(0.08, 4 * noise), n_angles=24)
    thick = _bars(value, value, lines, ratio, pitch, core_um=10.0, least_contrast=max(0.15, 6 * noise), widest_um=None)
    thick = drop_crosswise(thick, near_px=800 / pitch, short_px=300 / pitch)
    taken = cover_bars(thick, (value.shape[0], value.shape[1]), margin_px=12 / pitch)
    rest = np.where(taken, np.float32(0), value)
    # wet or wrinkled skin is full of faint lines: a thin hair must stand above the strongest fiftieth of them
    stack = ridge_stack(value, max(0.9, FINE_SIGMA_UM / pitch), 16)
    stack[:, taken] = 0
    skin_lines = float(np.quantile(stack[::4, ::3, ::3], 0.98))
    lines = trace_lines(
        stack, ridge_seeds(stack, max(0.06, 1.2 * skin_lines)), 0.5, max(1.5, 10 / pitch), 60 / pitch, 0.02
    )
    del stack
    least = max(0.10, 5 * _noise(rest), SKIN_LINES * skin_lines)
    thin = _bars(rest, value, lines, 1.0, pitch, core_um=0.0, least_contrast=least, widest_um=30.0)
    return thick + [s for s in thin if len(s.path) > 150 / pitch and s.unexplained > 0.5 and s.rim < 0.4]


def _confidences(shafts: list[Shaft], near_px: float) -> np.ndarray:
    """How sure it is that each shaft is one hair, 0 to 1: from its own area, contrast, length, surroundings, lean."""
    if not shafts:
        return np.zeros(0)
    contrast = np.array([s.contrast for s in shafts])
    length = np.array([len(s.path) for s in shafts], dtype=float)
    chord = np.array([s.path[-1] - s.path[0] for s in shafts])
    middle = np.array([s.path[len(s.path) // 2] for s in shafts])
    double = np.exp(2j * np.arctan2(chord[:, 1], chord[:, 0]))
    apart = np.hypot(*(middle[:, None] - middle[None]).transpose(2, 0, 1))
    share = length * np.exp(-0.5 * (apart / near_px) ** 2)
    np.fill_diagonal(share, 0.0)
    lean = np.real(double * np.conj(share @ double)) / np.maximum(share.sum(axis=1), 1e-9)
    features = np.stack(
        [
            np.array([s.unexplained for s in shafts]) - 0.4,
            contrast / np.quantile(contrast, 0.9) - 0.7,
            np.minimum(length / np.median(length), 1.2) - 0.7,
            np.clip([s.rim for s in shafts], 0, 0.8) - 0.35,
            lean - 0.3,
        ],
        axis=1,
    )
    return np.asarray(1 / (1 + np.exp(-(features @ CONFIDENCE_WEIGHTS + 0.7))))


def _lines(contrast: np.ndarray, sigma_px: float, *, floor: float, n_angles: int) -> tuple[np.ndarray, np.ndarray]:
    stack = ridge_stack(contrast, sigma_px, n_angles)
    points, starts = trace_lines(stack, ridge_seeds(stack, floor), 0.45, max(1.5, sigma_px), 6, 0.02)
    return points, starts


def _bars(
    contrast: np.ndarray,
    whole: np.ndarray,
    lines: tuple[np.ndarray, np.ndarray],
    ratio: float,
    pitch_um: float,
    *,
    core_um: float,
    least_contrast: float,
    widest_um: float | None,
) -> list[Shaft]:
    points, starts = lines
    shafts = measure_shafts(
        whole,
        (points + 0.5) * ratio - 0.5,
        starts,
        core_px=core_um / pitch_um,
        reach_px=(80 if widest_um is None else 1.5 * widest_um) / pitch_um,
        bridge_px=round(BRIDGE_UM / pitch_um),
        end_share=END_SHARE,
        stiff_px=1000 / pitch_um,
    )
    shafts = [s for s in shafts if s.contrast > least_contrast and len(s.path) > 100 / pitch_um]
    if widest_um is not None:
        shafts = [s for s in shafts if s.rim < 0.4 and s.span < 2.2 * widest_um / pitch_um]
    widest = WIDEST * _typical_half_width(shafts) if widest_um is None else widest_um / pitch_um
    return settle_bars(
        contrast,
        shafts,
        stiff_px=1000 / pitch_um,
        widest_px=widest,
        end_share=BAR_SHARE,
        least=OWN_SHARE if widest_um is None else 0.35,
        least_px=OWN_UM / pitch_um,
    )


def _noise(contrast: np.ndarray) -> float:
    """Robust standard deviation of what is left of skin after smoothing over 1.5 pixels."""
    rough = contrast[::2, ::2] - cv2.GaussianBlur(contrast, (0, 0), 1.5)[::2, ::2]
    return float(1.4826 * np.median(np.abs(rough)))


def _typical_half_width(shafts: list[Shaft]) -> float:
    """Find what one hair's half-width is in this image, from strong hairs with skin on both sides.

    Touching pairs span twice a hair or more, so the 40th percentile by length still is one hair's.
    """
    if not shafts:
        return 8.0
    strong = 0.6 * np.quantile([s.contrast for s in shafts], 0.9)
    chosen = sorted((s.span / 2, len(s.path)) for s in shafts if s.contrast >= strong and s.rim < 0.35)
    if len(chosen) < 5:
        chosen = sorted((s.half_width, len(s.path)) for s in shafts if s.contrast >= strong)
    total = np.cumsum([n for _, n in chosen])
    return float(chosen[int(np.searchsorted(total, 0.4 * total[-1]))][0])


def _check(image: np.ndarray, um_per_px: float) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InputError(f"image must be uint8 of shape (H, W, 3), got {image.dtype} {image.shape}: convert it to RGB")
    if not (math.isfinite(um_per_px) and um_per_px > 0):
        raise InputError(f"um_per_px must be above 0, got {um_per_px}: micrometres per pixel")


def _contrast(image: np.ndarray, um_per_px: float) -> _Contrast:
    pitch = max(um_per_px, FINE_UM)
    factor = um_per_px / pitch
    work = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else image
    ratio = image.shape[0] / work.shape[0]
    pitch = um_per_px * ratio
    red, green, blue = cv2.split(work)
    dark = _over_skin(cv2.max(cv2.max(red, green), blue), pitch)
    fair = -_over_skin(cv2.min(cv2.min(red, green), blue), pitch)
    tinted = _over_skin(blue, pitch)
    # dark in every channel is the rule; pigment that absorbs blue only, and hair lighter than skin, must show better
    strength = np.array([1.5, 1.0, 1.0]) * [_line_strength(c, pitch) for c in (dark, fair, tinted)]
    chosen = int(np.argmax(strength))
    value = np.clip((dark, fair, tinted)[chosen], -0.3, 1)
    return _Contrast(
        value, value if chosen else _over_skin(red, pitch), pitch, ratio, ("dark", "fair", "tinted")[chosen]
    )


def _line_strength(contrast: np.ndarray, pitch_um: float) -> float:
    """How far the strongest percent of hair-wide contrast stands above the commonest."""
    small = cv2.resize(contrast, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), max(0.7, 8.0 / pitch_um))[::2, ::2]
    return float(np.quantile(smooth, 0.985) / max(float(np.median(np.abs(smooth))), 1e-4))


def _over_skin(light: np.ndarray, pitch_um: float) -> np.ndarray:
    """1 - light / skin, where the skin's brightness is a wide median, smoothed."""
    step = max(1, round(40.0 / pitch_um))
    small = cv2.resize(light, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
    size = 2 * (round(SKIN_UM / pitch_um / step) // 2) + 1
    smooth = cv2.GaussianBlur(cv2.medianBlur(small, size).astype(np.float32), (0, 0), 3)
    skin = np.maximum(cv2.resize(smooth, (light.shape[1], light.shape[0]), interpolation=cv2.INTER_LINEAR), 8.0)
    return np.asarray(1 - light / skin, dtype=np.float32)
