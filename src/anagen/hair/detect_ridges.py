"""Find hairs with filters and bars alone: ridges of contrast, traced, settled into bars, oriented by what they show."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from anagen.hair.contrast import Contrast
from anagen.hair.detect_long import LONG_UM, contrast_as_middles, detect_long_hair, usual_length
from anagen.hair.ridges import ridge_seeds, ridge_stack
from anagen.hair.roots import root_first
from anagen.hair.settle import cover_bars, drop_crosswise, settle_bars, split_chains
from anagen.hair.shafts import Detection, Shaft, agree_with_neighbours, measure_shafts
from anagen.hair.trace import trace_lines

MIDDLES_UM: Final = 12.0
"""Pitch of the picture in which long hair is followed."""
COARSE_SIGMA_UM: Final = 27.0
"""Scale for terminal hair: bars up to 94 um give one ridge, touching pairs of 47 um and more two."""
FINE_SIGMA_UM: Final = 10.0
"""Scale for thin hair, 10 to 35 um."""
THIN_SCALE: Final = 0.5
"""Pixels for one of the contrast in which thin hair is looked for: half the time, and as many found."""
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
THIN_OWN_SHARE: Final = 0.3
BESIDE_UM: Final = 4.0
"""Least share of its area that a thin hair must explain alone, and how near it may lie to what a thick one covers."""
THINNEST_UM: Final = 12.0
THIN_RIM: Final = 0.4
THINNEST_RIM: Final = 0.75
"""How dark a thin hair's surroundings may be over itself, and those of one of at most `THINNEST_UM` half-width: the
shadow of a thick hair makes wider lines."""
SKIN_LINES: Final = 3.5
NOISE_FOLD: Final = 2.0
"""How far a thin hair's contrast must stand above the faint lines of the skin itself, and above the noise of a pixel,
which is averaged over some hundred of them along the hair."""

FEWEST_TO_COMPARE: Final = 2
NEARLY_WHITE: Final = 0.97
WHITE: Final = 0.998
LEAST_GLINT: Final = 0.25
BESIDE_SKIN_UM: Final = 20.0
"""So many hairs tell their colour. Where that is nearly white light's (cosine), a glint passes for a thin hair: a line
that is whiter than they and at least so strong over them. Skin is looked at so far beside it, beyond twice its
half-width."""

CONFIDENCE_WEIGHTS: Final = np.array([4.0, 2.0, 2.0, -2.5, 1.0])
"""Log odds a unit of own area, relative contrast, relative length, dark rim and agreement with the neighbours' lean."""
LEAST_CONFIDENCE: Final = 0.45
"""Less sure shafts are not counted; chosen on the tuning dates of the real fields, reported on the others."""


def detect_with_ridges(fine: Contrast) -> Detection:
    """Hairs as bars along ridges of contrast, root first; those too unsure to count left out.

    Parameters
    ----------
    fine : Contrast

    Returns
    -------
    Detection
    """
    shafts = find_shafts(fine)
    if usual_length([len(shaft.path) for shaft in shafts]) * fine.pitch_um > LONG_UM:
        return detect_long_hair(*contrast_as_middles(fine, MIDDLES_UM), fine)
    sure = shaft_confidences(shafts, 800.0 / fine.pitch_um)
    kept = np.flatnonzero(sure >= LEAST_CONFIDENCE)
    paths = root_first(fine, [shafts[i].path for i in kept])
    return Detection(shafts, paths, sure[kept])


def find_shafts(fine: Contrast) -> list[Shaft]:
    """Every bar of hair, thick ones first, thin ones where nothing thick lies."""
    value, pitch = fine.value, fine.pitch_um
    half = cv2.resize(value, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    ratio = value.shape[0] / half.shape[0]
    noise = _noise(half)
    lines = _lines(half, COARSE_SIGMA_UM / pitch / ratio, floor=max(0.08, 4 * noise), n_angles=24)
    thick = _bars(value, value, lines, ratio, pitch, core_um=10.0, least_contrast=max(0.15, 6 * noise), widest_um=None)
    thick = drop_crosswise(thick, near_px=800 / pitch, short_px=300 / pitch)
    return thick + find_thin(fine, thick)


def find_thin(fine: Contrast, thick: list[Shaft]) -> list[Shaft]:
    """Thin hairs where no thick one lies.

    Parameters
    ----------
    fine : Contrast
    thick : list of Shaft
        In pixels of `fine`.

    Returns
    -------
    list of Shaft
    """
    value, pitch = fine.value, fine.pitch_um
    taken = cover_bars(thick, (value.shape[0], value.shape[1]), margin_px=BESIDE_UM / pitch)
    rest = np.where(taken, np.float32(0), value)
    # wet or wrinkled skin is full of faint lines: a thin hair must stand above the strongest fiftieth of them
    small = cv2.resize(value, None, fx=THIN_SCALE, fy=THIN_SCALE, interpolation=cv2.INTER_AREA)
    ratio = value.shape[0] / small.shape[0]
    coarse = pitch * ratio
    stack = ridge_stack(small, max(0.9, FINE_SIGMA_UM / coarse), 16)
    stack[:, cv2.resize(taken.astype(np.uint8), small.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0] = 0
    skin_lines = float(np.quantile(stack[::4, ::2, ::2], 0.98))
    lines = trace_lines(
        stack, ridge_seeds(stack, max(0.06, 1.2 * skin_lines)), 0.5, max(1.5, 10 / coarse), 60 / coarse, 0.02
    )
    del stack
    least = max(0.10, NOISE_FOLD * _noise(rest), SKIN_LINES * skin_lines)
    thin = _bars(rest, value, lines, ratio, pitch, core_um=0.0, least_contrast=least, widest_um=30.0)
    return [s for s in thin if len(s.path) > 150 / pitch and s.unexplained > THIN_OWN_SHARE and _is_line(s, pitch)]


def is_glint(fine: Contrast, thin: list[Shaft], thick: list[Shaft]) -> list[bool]:
    """Say which thin lines have the colour of light that wet skin mirrors rather than that of the image's hair.

    Light that is mirrored is white and adds to the skin's: over the skin it goes as 1 / skin from channel to channel.

    Parameters
    ----------
    fine : Contrast
    thin, thick : list of Shaft
        In pixels of `fine`; the clearer half of `thick` says what colour hair has.

    Returns
    -------
    list of bool, of each of `thin`
    """
    if not thin or len(thick) < FEWEST_TO_COMPARE:
        return [False] * len(thin)
    clear = sorted(thick, key=lambda shaft: -shaft.contrast)[: max(len(thick) // 2, FEWEST_TO_COMPARE)]
    hair = np.median([_colour(fine, shaft)[0] for shaft in clear], axis=0)
    said = []
    for shaft in thin:
        colour, skin = _colour(fine, shaft)
        white = -1 / np.maximum(skin, 1.0)
        strong = np.linalg.norm(colour) > LEAST_GLINT * np.linalg.norm(hair)
        told_apart = NEARLY_WHITE < _alike(hair, white) < WHITE
        said.append(bool(told_apart and strong and _alike(colour, white) > WHITE))
    return said


def _alike(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other) / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-9)


def _colour(fine: Contrast, shaft: Shaft) -> tuple[np.ndarray, np.ndarray]:
    """How much darker than the skin on both sides the middle is in each channel, as a share; and that skin."""
    ahead = shaft.path[-1] - shaft.path[0]
    aside = np.array([-ahead[1], ahead[0]]) / max(float(np.hypot(*ahead)), 1e-9)
    off = 2 * shaft.half_width + BESIDE_SKIN_UM / fine.pitch_um
    last = np.array(fine.work.shape[:2]) - 1
    middle, *sides = (
        np.median(fine.work[tuple(np.clip(np.rint(shaft.path + k * off * aside).astype(int), 0, last).T)], axis=0)
        for k in (0, -1, 1)
    )
    skin = np.mean(sides, axis=0)
    return 1 - middle / np.maximum(skin, 1.0), skin


def _is_line(shaft: Shaft, pitch_um: float) -> bool:
    """Whether a thin shaft is a line of its own, not the edge of something broad."""
    return shaft.rim < (THINNEST_RIM if shaft.half_width * pitch_um <= THINNEST_UM else THIN_RIM)


def shaft_confidences(shafts: list[Shaft], near_px: float) -> np.ndarray:
    """How sure it is that each shaft is one hair: from its own area, contrast, length, surroundings, lean.

    Parameters
    ----------
    shafts : list of Shaft
    near_px : float
        Distance over which neighbours share a direction.

    Returns
    -------
    ndarray, shape (n,)
        0 to 1.
    """
    if not shafts:
        return np.zeros(0)
    contrast = np.array([s.contrast for s in shafts])
    length = np.array([len(s.path) for s in shafts], dtype=float)
    features = np.stack(
        [
            np.array([s.unexplained for s in shafts]) - 0.4,
            contrast / np.quantile(contrast, 0.9) - 0.7,
            np.minimum(length / np.median(length), 1.2) - 0.7,
            np.clip([s.rim for s in shafts], 0, 0.8) - 0.35,
            agree_with_neighbours([s.path for s in shafts], near_px) - 0.3,
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
        shafts = [s for s in shafts if _is_line(s, pitch_um) and s.span < 2.2 * widest_um / pitch_um]
    widest = WIDEST * _typical_half_width(shafts) if widest_um is None else widest_um / pitch_um
    settled = settle_bars(
        contrast,
        shafts,
        stiff_px=1000 / pitch_um,
        widest_px=widest,
        end_share=BAR_SHARE,
        least=OWN_SHARE if widest_um is None else 0.35,
        least_px=OWN_UM / pitch_um,
    )
    if widest_um is not None:
        return settled
    return split_chains(contrast, settled, widest_px=widest, end_share=BAR_SHARE, least=OWN_SHARE)


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
