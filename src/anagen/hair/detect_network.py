"""Find hairs in the network's picture of their middles, where touching hairs are apart: ridges, traces, bars."""

from __future__ import annotations

import dataclasses
from typing import Final

import cv2
import numpy as np

from anagen.hair.contrast import SURE_CENTRE, Contrast, teach_contrast
from anagen.hair.detect_long import LONG_UM, detect_long_hair, usual_length
from anagen.hair.detect_ridges import THINNEST_UM, find_thin, is_glint, shaft_confidences
from anagen.hair.net import see_centres
from anagen.hair.ridges import ridge_seeds, ridge_stack
from anagen.hair.roots import reach_roots, root_first
from anagen.hair.settle import cover_bars, drop_crosswise, settle_bars, split_chains
from anagen.hair.shafts import Detection, Shaft, level_along, measure_shafts
from anagen.hair.trace import trace_lines

LINE_SIGMA_UM: Final = 22.0
"""Scale of the ridges: the middles of hairs are about half as wide as the hairs."""
WIDEST_UM: Final = 24.0
"""Largest half-width of a hair's middle."""
LEAST_CENTRE: Final = 0.25
"""Bars less central than this are no candidates."""
LEAST_CONTRAST: Final = 0.6
"""Share of the contrast of the image's surest middles below which a pixel counts for less: what the network takes for
the middle of a hair must also differ from skin nearly as much as this image's hairs do."""
SHORTEST_UM: Final = 60.0
BRIDGE_UM: Final = 40.0
"""Longest gap of glare inside one hair."""
STIFF_UM: Final = 1000.0
"""Shorter hairs bend one way only."""
END_SHARE: Final = 0.6
"""Share of its plateau at which a bar ends."""
OWN_SHARE: Final = 0.18
"""Least share of its area that a bar must explain alone."""
OWN_UM: Final = 100.0
"""Or so much length: the two hairs of a narrow V part late."""
MIDDLE_SHARE: Final = 0.53
"""Half-width of the middle, at half its height, over that of the hair: sqrt(2 log 2) x 0.45."""

ACROSS_DEG: Final = 36.0
ACROSS_UM: Final = 500.0
ACROSS_CENTRE: Final = 0.7
"""Bars turned farther than this from their neighbours' direction, shorter and less central than this, are no hairs but
the roots of a unit, tied together by their shadow."""
FAINT_SIGMA_UM: Final = 18.0
FAINT_CONTRAST: Final = 0.4
FAINT_CENTRE: Final = 0.5
FAINT_UM: Final = 120.0
"""Scale of the ridges, least share of contrast, least centre and least length of hairs that are weaker than the rest:
thin, pale, or half hidden beside a strong one."""
LEAST_THIN: Final = 0.5
THIN_CENTRE: Final = 0.2
"""Thin lines of the contrast itself, less sure or less central, are not counted: real skin is full of faint lines. They
are 16 to 30 um in half-width; those of at most `THINNEST_UM` the network is too coarse to see, and need not be central.
"""
NEAR_UM: Final = 800.0
"""Distance over which neighbours lean one way."""


def detect_with_network(image: np.ndarray, um_per_px: float, fine: Contrast) -> Detection:
    """Hairs as the network sees them, root first.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
    um_per_px : float
    fine : Contrast

    Returns
    -------
    Detection
    """
    centre, centre_um = see_centres(image, um_per_px)
    told = teach_contrast(fine, centre)
    weighed = weigh_by_contrast(centre, told.value, LEAST_CONTRAST)
    middles, pitch_um = trace_middles(weighed, centre_um, LINE_SIGMA_UM)
    if usual_length([len(middle.path) for middle in middles]) * pitch_um > LONG_UM:
        return detect_long_hair(weighed, centre_um, fine)
    middles = drop_crosswise(
        middles,
        near_px=NEAR_UM / pitch_um,
        short_px=ACROSS_UM / pitch_um,
        least_turn_deg=ACROSS_DEG,
        sure=ACROSS_CENTRE,
    )
    middles += _trace_faint(centre, told.value, centre_um, middles)
    thick = [_to_shaft(told, middle, pitch_um / fine.pitch_um) for middle in middles]
    # a ranking, no probability: the network's word along the plateau
    confidence = np.clip([middle.contrast for middle in middles], 0.0, 1.0)
    # the network is unsure of hairs as thin as its pixels: the contrast itself is looked at for those
    thin = find_thin(told, thick)
    sure = shaft_confidences(thick + thin, NEAR_UM / fine.pitch_um)[len(thick) :]
    seen = [level_along(centre, (shaft.path + 0.5) * (fine.pitch_um / centre_um) - 0.5) for shaft in thin]
    # where the network is sure of no hair, glints are as narrow
    narrow = [told is not fine and shaft.half_width * fine.pitch_um <= THINNEST_UM for shaft in thin]
    kept = [i for i in range(len(thin)) if sure[i] >= LEAST_THIN and (narrow[i] or seen[i] >= THIN_CENTRE)]
    glints = [i for i, is_one in zip(kept, is_glint(told, [thin[i] for i in kept], thick), strict=True) if is_one]
    kept = [i for i in kept if i not in glints]
    shafts = thick + [thin[i] for i in kept]
    # as first found: the mix that shows shafts best may turn whole fields about, root for tip
    paths = root_first(fine, [shaft.path for shaft in shafts])
    paths = reach_roots(told.value, paths, [shaft.half_width for shaft in shafts], fine.pitch_um)
    clarity = 0.0 if told is fine else told.clarity
    explained = shafts + [thin[i] for i in glints]
    return Detection(explained, paths, np.concatenate([confidence, sure[kept]]), clarity=clarity)


def _trace_faint(centre: np.ndarray, contrast: np.ndarray, pitch_um: float, strong: list[Shaft]) -> list[Shaft]:
    """Bars where none of `strong` lies, that are central though their contrast is weak."""
    whole = [dataclasses.replace(s, half_width=s.half_width / MIDDLE_SHARE) for s in strong]
    taken = cover_bars(whole, (2 * centre.shape[0], 2 * centre.shape[1]), margin_px=12.0 / pitch_um)[::2, ::2]
    rest = np.where(taken, np.float32(0), weigh_by_contrast(centre, contrast, FAINT_CONTRAST))
    faint, pitch_um = trace_middles(rest, pitch_um, FAINT_SIGMA_UM)
    return [s for s in faint if s.contrast >= FAINT_CENTRE and len(s.path) * pitch_um >= FAINT_UM]


def weigh_by_contrast(centre: np.ndarray, contrast: np.ndarray, least: float) -> np.ndarray:
    """Lower the network's word where the image hardly differs from skin: shadows, folds, marks.

    Parameters
    ----------
    centre : ndarray, shape (H, W), float32
    contrast : ndarray, float32
        Of the same field, at any pitch.
    least : float
        Share of the contrast of this image's surest middles below which a pixel counts for less.

    Returns
    -------
    ndarray, shape (H, W), float32
    """
    level = cv2.resize(contrast, (centre.shape[1], centre.shape[0]), interpolation=cv2.INTER_AREA)
    level = cv2.GaussianBlur(level, (0, 0), 0.7)
    sure = level[centre > SURE_CENTRE]
    usual = float(np.median(sure)) if len(sure) >= 200 else 0.4
    return np.asarray(centre * np.clip(level / (least * max(usual, 0.05)), 0, 1), dtype=np.float32)


def trace_middles(centre: np.ndarray, pitch_um: float, sigma_um: float) -> tuple[list[Shaft], float]:
    """Bars along the ridges of the network's picture, in pixels half as wide as its own, and how wide those are.

    Parameters
    ----------
    centre : ndarray, shape (H, W), float32
        As `see_centres` gives it.
    pitch_um : float
    sigma_um : float
        Scale of the ridges.

    Returns
    -------
    shafts : list of Shaft
    pitch_um : float
        Micrometres per pixel of their paths.
    """
    stack = ridge_stack(centre, sigma_um / pitch_um)
    points, starts = trace_lines(stack, ridge_seeds(stack, 0.1), 0.45, sigma_um / pitch_um, 6, 0.02)
    del stack
    value = cv2.resize(centre, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    pitch_um = pitch_um / 2
    shafts = measure_shafts(
        value,
        (points + 0.5) * 2 - 0.5,
        starts,
        core_px=0,
        reach_px=60 / pitch_um,
        bridge_px=round(BRIDGE_UM / pitch_um),
        end_share=END_SHARE,
        stiff_px=STIFF_UM / pitch_um,
    )
    settled = settle_bars(
        value,
        [s for s in shafts if s.contrast > LEAST_CENTRE and len(s.path) > SHORTEST_UM / pitch_um],
        stiff_px=STIFF_UM / pitch_um,
        widest_px=WIDEST_UM / pitch_um,
        end_share=END_SHARE,
        least=OWN_SHARE,
        least_px=SHORTEST_UM / pitch_um,
        long_px=OWN_UM / pitch_um,
    )
    return split_chains(value, settled, widest_px=WIDEST_UM / pitch_um, end_share=END_SHARE, least=OWN_SHARE), pitch_um


def _to_shaft(fine: Contrast, middle: Shaft, scale: float) -> Shaft:
    """Carry a bar over to the pixels of the contrast image, with the hair's width and contrast there."""
    path = (middle.path + 0.5) * scale - 0.5
    level = max(level_along(fine.value, path), 0.02)
    half = middle.half_width * scale / MIDDLE_SHARE
    return dataclasses.replace(middle, path=path, half_width=half, contrast=level, span=2 * half)
