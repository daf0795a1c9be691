"""Say whether a field can be counted at all, and what about it a reader must know, each with its number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from scipy.spatial import cKDTree

from anagen.hair.contrast import skin_brightness
from anagen.hair.settle import cover_bars
from anagen.hair.shafts import Shaft, agree_with_neighbours, level_along
from anagen.records import Flag

SHARP_LIMIT_UM: Final = 45.0
"""Edge blur (standard deviation) above which a terminal hair of 80 um melts into its neighbour."""
SOFT_LIMIT_UM: Final = 22.0
"""Edge blur above which hairs under 40 um are lost."""
SHARP_EDGES_UM: Final = 15.0
SHARP_HAIRS: Final = 5
"""Edge blur, on at least so many hairs, that is in focus whatever the skin's detail: 5 to 12 in photographs in focus,
most often over 21 where a blur of 30 um was added to them. Smooth skin with few hairs has little fine detail."""
DETAIL_REFUSED: Final = 0.18
DETAIL_SOFT: Final = 0.30
"""Fine over coarse detail (`FieldStatistics.detail`). Photographs in focus have 0.50 to 0.87 (40 tiles of real
phototrichograms, 88 synthetic photographs); blurring four of them by a further 30 um gave 0.25 to 0.30, by 40 um 0.19
to 0.22, by 50 um 0.15 to 0.18."""
LEAST_RELIEF: Final = 0.05
"""Coarse detail over brightness below which there is nothing in focus or out of it: bare skin."""
SATURATED_LIMIT: Final = 0.35
"""Share of pixels at the sensor's end above which hair beneath cannot be seen."""
GLARE_LIMIT: Final = 0.06
"""Share of specular pixels worth a warning."""
UNEVEN_LIMIT: Final = 0.55
"""Relative fall of the skin's brightness from its 95th to its 5th percentile over the field."""
SCALE_UM_PER_PX: Final = (0.8, 16.0)
"""Finer than 0.8 no scalp camera is; coarser than 16 a terminal hair of 80 um is 5 pixels wide."""
LEAST_AREA_CM2: Final = 0.01
"""Smallest region in which a density means anything: one hair more changes it by 100 per cm2."""
CLARITY_LIMIT: Final = 5.5
"""`Contrast.clarity` below which hair may be lost: bare skin has 3 to 5, real dark hair 9 to 24."""
OVERLAY_LIMIT: Final = 0.002
"""Share of pixels of pure display colours."""

PLAIN_LIMIT: Final = 0.5
"""Share of pixels of one brightness: a camera's noise alone spreads skin over several levels."""
SKIN_LIMIT: Final = 0.5
"""Least share of patches whose colour skin or hair can have."""
BLUE_CAST: Final = 2.4
"""Blue over red that a lamp and a wrong white balance still explain: 1.7 in the middle, 2.1 at most places of one real
field of 120, which was countable."""
TEXTURE_LIMIT: Final = 0.12
"""Fine detail everywhere, relative to brightness: five times that of wet skin, and as much as dense long hair has."""
LINED_LIMIT: Final = 0.45
"""`FieldStatistics.lined` from which such detail is hair: 0.54 to 0.89 in long hair, 0.09 to 0.35 in noise."""
AGREEMENT_LIMIT: Final = 0.3
"""Least correlation of red and blue at 20 um: light and shade on skin and hair change all colours together."""
MARKED_TINT: Final = 0.35
MARKED_SHARE: Final = 0.25
"""Red over blue so far from the commonest (natural logarithm) is ink: not asked whether it agrees where it is less than
this share of the field."""
GROUND_LIMIT: Final = 0.26
"""How far the ground between hairs may be from one evenly lit skin (`FieldStatistics.ground`): 0.19 at most in 120 real
fields and in synthetic ones full of glare, 0.30 to 0.58 on a photograph of a face and parts of it."""
GROUND_SHARES: Final = ((0.4, 0.8), (0.75, 0.97))
"""Quantiles of a patch's brightness between which its ground is taken: without glare, and between dense hair."""
TINT_LIMIT: Final = 0.16
"""The same of its red over green: 0.07 at most in fields; 0.11 to 0.38 on parts of that face."""
PATCHES: Final = 12
LEAST_PATCH: Final = 16
BLACK_LEVEL: Final = 20.0
"""Patches a side, fewest pixels of one, and grey level up to which one is the dark around a round picture."""

DARK_LIMIT: Final = 0.02
EXPLAINED_LIMIT: Final = 0.35
"""Where more than `DARK_LIMIT` of the field is as dark as hair, the share of it that bars must explain."""

COVER_CONTRAST: Final = 0.3
COVER_LIMIT: Final = 0.35
"""Contrast at which long hair covers the skin, and the share of the field it may cover: of synthetic fields 43 to 85 %
of the roots were found below 30 %, 27 to 60 % from 40 %."""

LEAN_LIMIT: Final = 0.2
"""Least mean of `agree_with_neighbours`: 0.38 to 0.86 in 22 real fields, -0.04 to 0.03 where glints on bare skin had
been traced, to 0.15 on printed text."""
LEAN_HAIRS: Final = 20
LEAN_NEAR_UM: Final = 800.0
LEAN_UM: Final = 300.0
LEAN_SURE: Final = 0.6
TOUCH_UM: Final = 60.0
TOUCH_LIMIT: Final = 0.45
"""Curly hair may run all ways: only so many lines are judged that are shorter than this, or less surely hair (mean
confidences: 0.46 to 0.56 on gravel, grass and printed text, 0.58 to 0.74 in real fields), or so many of which end
beside another line: 0.57 to 0.71 of strokes of letters, at most 0.37 of tips of hairs."""

MOST_PER_CM2: Final = 500.0
"""More hairs than any adult scalp has: 400 is much, and 300 is usual for the densest."""


@dataclass(frozen=True, slots=True)
class FieldStatistics:
    """What the quality of a field is judged by.

    Parameters
    ----------
    saturated, black : float
        Share of pixels at either end of the sensor's range.
    glare : float
        Share of small specks far brighter than the skin around.
    unevenness : float
        Relative fall of the skin's brightness over the field.
    overlay : float
        Share of pixels of pure display colours: burnt-in circles, rulers, text.
    skin_share : float
        Share of coarse patches whose colour skin or hair can have.
    texture : float
        Median over coarse patches of the standard deviation of fine detail, over the mean.
    lined : float
        Median over coarse patches of how far the fine detail runs one way: 0 all ways, 1 parallel lines.
    plain : float
        Share of pixels of exactly the commonest brightness: drawn pages have one, cameras do not.
    paper : float
        Share of pixels brighter and less coloured than skin.
    agreement : float
        Correlation of red and blue over the field; 1 where nothing varies.
    ground, tint : float
        How far the lighter part of patches is from the evenly lit skin that fits best, exceeded by a tenth of them:
        natural logarithms of brightness (the less of two lighter parts), and of red over green.
    detail : float
        95th percentile of detail between 12 and 24 um over that between 48 and 96 um; NaN where nothing stands out.
    """

    saturated: float
    black: float
    glare: float
    unevenness: float
    overlay: float
    skin_share: float
    texture: float
    lined: float
    plain: float
    paper: float
    agreement: float
    ground: float
    tint: float
    detail: float


def describe_field(image: np.ndarray, um_per_px: float) -> FieldStatistics:
    """Numbers about an RGB uint8 image of shape (H, W, 3), seen at about 20 um a pixel."""
    red, green, blue = cv2.split(image)
    top = cv2.max(cv2.max(red, green), blue)
    low = cv2.min(cv2.min(red, green), blue)
    n = top.size
    histogram = cv2.calcHist([green], [0], None, [256], [0, 256]).ravel()
    factor = min(1.0, um_per_px / 20.0)
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    grey = small.max(axis=2)
    skin = skin_brightness(grey, um_per_px / factor)
    bright = small.min(axis=2).astype(np.float32)
    glare = np.mean(bright > np.minimum(1.35 * skin, 250.0))
    patches = cv2.resize(small, (16, 16), interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = cv2.absdiff(grey, cv2.GaussianBlur(grey, (0, 0), 1.5)).astype(np.float32)
    fine = cv2.resize(detail, (16, 16), interpolation=cv2.INTER_AREA)
    grain = cv2.absdiff(green[::2], cv2.GaussianBlur(green, (0, 0), 1.5)[::2])
    grain = cv2.resize(grain.astype(np.float32), (16, 16), interpolation=cv2.INTER_AREA)
    fine = np.maximum(fine, grain)
    fall = np.percentile(skin, [5, 95])
    spread = cv2.subtract(top, low)
    # a burnt-in line is of one pure colour: one channel full, the other two nearly empty
    pure = np.count_nonzero((top > 225) & (spread > 190))
    ground, tint = _ground(small)
    return FieldStatistics(
        saturated=float(np.count_nonzero(low >= 250) / n),
        black=float(np.count_nonzero(top <= 5) / n),
        glare=float(glare),
        unevenness=float(1 - fall[0] / max(fall[1], 1.0)),
        overlay=float(pure / n),
        skin_share=float(np.mean(_could_be_scalp(patches))),
        texture=float(np.median(fine / np.maximum(patches.max(axis=2), 8.0))),
        lined=_lined(grey),
        plain=float(histogram.max() / n),
        agreement=_agreement(small),
        ground=ground,
        tint=tint,
        detail=_detail(top, um_per_px),
        paper=float(np.count_nonzero((low > 215) & (spread < 12)) / n),
    )


def _detail(brightness: np.ndarray, um_per_px: float) -> float:
    factor = min(1.0, um_per_px / 5.0)
    grey = cv2.resize(brightness, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(np.float32)
    pitch_um = um_per_px / factor
    third = cv2.resize(grey, None, fx=1 / 3, fy=1 / 3, interpolation=cv2.INTER_AREA)
    bands = (_band(grey, 12.0 / pitch_um)[::2, ::2], _band(third, 48.0 / pitch_um / 3))
    fine, coarse = (float(np.percentile(np.abs(band), 95)) for band in bands)
    return fine / coarse if coarse > LEAST_RELIEF * max(float(np.median(grey)), 8.0) else float("nan")


def _band(grey: np.ndarray, sigma_px: float) -> np.ndarray:
    """Keep what lies between a Gaussian and one twice as wide."""
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma_px) - cv2.GaussianBlur(grey, (0, 0), 2 * sigma_px))


def flag_field(statistics: FieldStatistics, um_per_px: float, area_cm2: float) -> list[Flag]:
    """Judge a field before any hair is looked for."""
    s = statistics
    flags = []
    low, high = SCALE_UM_PER_PX
    if not low <= um_per_px <= high:
        limit = low if um_per_px < low else high
        flags.append(
            Flag(
                "implausible-scale",
                "refused",
                f"{um_per_px:g} um per pixel is outside {low:g} to {high:g}",
                "give the scale of this image in micrometres per pixel, or photograph a ruler",
                um_per_px,
                limit,
            )
        )
    if area_cm2 < LEAST_AREA_CM2:
        flags.append(
            Flag(
                "region-too-small",
                "refused",
                f"the region measures {area_cm2:.4f} cm2",
                "count over a larger region",
                area_cm2,
                LEAST_AREA_CM2,
            )
        )
    if s.detail < DETAIL_SOFT:
        refused = s.detail < DETAIL_REFUSED
        flags.append(
            Flag(
                "out-of-focus",
                "refused" if refused else "warning",
                f"fine detail is {s.detail:.2f} of coarse detail",
                "focus and take the photograph again",
                s.detail,
                DETAIL_REFUSED if refused else DETAIL_SOFT,
            )
        )
    lost = max(s.saturated, s.black)
    if lost > SATURATED_LIMIT:
        flags.append(
            Flag(
                "saturated",
                "refused",
                f"{100 * lost:.0f} % of the pixels are at the end of the sensor's range",
                "take the photograph again with another exposure",
                lost,
                SATURATED_LIMIT,
            )
        )
    flags.extend(_flag_subject(s))
    if s.glare > GLARE_LIMIT:
        flags.append(
            Flag(
                "glare",
                "warning",
                f"{100 * s.glare:.1f} % of the field is specular glare",
                "dry the skin or use polarised light",
                s.glare,
                GLARE_LIMIT,
            )
        )
    if s.unevenness > UNEVEN_LIMIT:
        flags.append(
            Flag(
                "uneven-light",
                "warning",
                f"the skin's brightness falls by {100 * s.unevenness:.0f} % over the field",
                "light the field evenly",
                s.unevenness,
                UNEVEN_LIMIT,
            )
        )
    if s.overlay > OVERLAY_LIMIT:
        flags.append(
            Flag(
                "overlay",
                "warning",
                f"{100 * s.overlay:.2f} % of the pixels are burnt-in marks or ink",
                "count in a region without them",
                s.overlay,
                OVERLAY_LIMIT,
            )
        )
    return flags


def has_sharp_edges(blur_um: float, n_hairs: int) -> bool:
    """Whether hairs show that the field is in focus, though the skin may have hardly any fine detail."""
    return n_hairs >= SHARP_HAIRS and blur_um <= SHARP_EDGES_UM


def flag_blur(blur_um: float) -> list[Flag]:
    """Judge the focus by the blur of the hairs' own edges."""
    if not blur_um > SOFT_LIMIT_UM:
        return []
    refused = blur_um > SHARP_LIMIT_UM
    return [
        Flag(
            "out-of-focus",
            "refused" if refused else "warning",
            f"edges are blurred by {blur_um:.0f} um",
            "focus and take the photograph again",
            blur_um,
            SHARP_LIMIT_UM if refused else SOFT_LIMIT_UM,
        )
    ]


def flag_clarity(clarity: float) -> list[Flag]:
    """Judge whether hair differs from skin enough to be found at all."""
    if clarity >= CLARITY_LIMIT:
        return []
    return [
        Flag(
            "low-contrast",
            "warning",
            f"nothing stands out more than {clarity:.1f} times from the skin: hair of the skin's colour is missed",
            "dye the hair, or light the field so that hair and skin differ",
            clarity,
            CLARITY_LIMIT,
        )
    ]


def flag_structure(contrast: np.ndarray, shafts: list[Shaft], pitch_um: float) -> list[Flag]:
    """Judge whether what is dark are hairs: on a scalp bars explain most of it, on a face or in noise little."""
    plateau = float(np.median([_level(contrast, shaft) for shaft in shafts])) if shafts else 0.4
    dark = cv2.GaussianBlur(contrast, (0, 0), max(0.5, 8.0 / pitch_um)) > max(0.6 * plateau, 0.12)
    share = float(np.mean(dark))
    covered = cover_bars(shafts, (contrast.shape[0], contrast.shape[1]), margin_px=15.0 / pitch_um)
    explained = float(np.sum(dark & covered) / max(float(np.sum(dark)), 1.0))
    if share <= DARK_LIMIT or explained >= EXPLAINED_LIMIT:
        return []
    return [
        _no_scalp(
            f"{100 * share:.0f} % of the field is as dark as hair and hairs explain only {100 * explained:.0f} % of it",
            explained,
            EXPLAINED_LIMIT,
        )
    ]


def flag_scatter(paths: list[np.ndarray], confidence: np.ndarray, pitch_um: float) -> list[Flag]:
    """Judge whether the lines found lean like their neighbours, as hair does; glints and letters run all ways."""
    length = [float(np.hypot(*(path[-1] - path[0]))) for path in paths]
    if len(paths) < LEAN_HAIRS:
        return []
    is_short = float(np.median(length)) * pitch_um < LEAN_UM
    if not is_short and np.mean(confidence) > LEAN_SURE and _touching(paths, TOUCH_UM / pitch_um) < TOUCH_LIMIT:
        return []
    agreement = float(np.mean(agree_with_neighbours(paths, LEAN_NEAR_UM / pitch_um)))
    if agreement >= LEAN_LIMIT:
        return []
    found = f"{len(paths)} lines were found that run all ways ({agreement:.2f}): glints, scratches or letters, not hair"
    advice = "photograph the scalp with less glare, without bubbles under the lens"
    return [Flag("scattered-lines", "refused", found, advice, agreement, LEAN_LIMIT)]


def _touching(paths: list[np.ndarray], near_px: float) -> float:
    """Share of lines whose tip lies beside another line."""
    tree = cKDTree(np.concatenate(paths))
    owner = np.repeat(np.arange(len(paths)), [len(path) for path in paths])
    near = tree.query_ball_point(np.array([path[-1] for path in paths]), near_px)
    return float(np.mean([np.any(owner[points] != i) for i, points in enumerate(near)]))


def flag_crowd(n_hairs: int, area_cm2: float) -> list[Flag]:
    """Judge whether a scalp can have as many hairs as were found in the whole image."""
    density = n_hairs / area_cm2
    if n_hairs < LEAN_HAIRS or density <= MOST_PER_CM2:
        return []
    found = f"{n_hairs} lines on {area_cm2:.3g} cm2 would be {density:.0f} hairs per cm2: no adult scalp has as many"
    advice = "check the scale in micrometres per pixel, and that the photograph is of a scalp"
    return [Flag("implausible-density", "refused", found, advice, density, MOST_PER_CM2)]


def flag_long(contrast: np.ndarray, n_counted: int, n_rootless: int) -> Flag:
    """Say how much of the skin, and of the roots in it, long hair hides."""
    covered = float(np.mean(contrast > COVER_CONTRAST))
    refused = covered > COVER_LIMIT or n_counted == 0
    return Flag(
        "long-hair",
        "refused" if refused else "warning",
        f"long hair covers {100 * covered:.0f} % of the field: {n_counted} roots are seen, {n_rootless} more hairs or "
        "pieces show none, " + ("too many are hidden" if refused else "so the count is a lower bound"),
        "clip the hair to less than 1 mm, or part it, and take the photograph again",
        covered,
        COVER_LIMIT,
    )


def edge_blur_um(contrast: np.ndarray, shafts: list[Shaft], pitch_um: float) -> float:
    """Estimate the blur from the hairs' sides: for an edge blurred by sigma the steepest slope is 1/(sigma sqrt 2 pi).

    Parameters
    ----------
    contrast : ndarray, shape (H, W), float32
    shafts : list of Shaft
    pitch_um : float

    Returns
    -------
    float
        Standard deviation in micrometres, the lower quartile over hairs of at least 40 um; NaN without any.
    """
    wide = [shaft for shaft in shafts if 2 * shaft.half_width * pitch_um >= 40.0]
    if not wide:
        return float("nan")
    gradient = np.hypot(
        cv2.Scharr(contrast, cv2.CV_32F, 1, 0, scale=1 / 32), cv2.Scharr(contrast, cv2.CV_32F, 0, 1, scale=1 / 32)
    )
    sigmas = []
    for shaft in wide:
        low = np.maximum(np.floor(shaft.path.min(axis=0) - shaft.half_width), 0).astype(int)
        high = np.ceil(shaft.path.max(axis=0) + shaft.half_width).astype(int) + 1
        steepest = float(np.quantile(gradient[low[0] : high[0], low[1] : high[1]], 0.95))
        sigmas.append(_level(contrast, shaft) / max(steepest, 1e-6) / np.sqrt(2 * np.pi) * pitch_um)
    return float(np.quantile(sigmas, 0.25))


def _level(contrast: np.ndarray, shaft: Shaft) -> float:
    """Contrast of a hair in this picture: the one it was found in may have been another."""
    return max(level_along(contrast, shaft.path), 0.02)


def _flag_subject(s: FieldStatistics) -> list[Flag]:
    if max(s.saturated, s.black) <= SATURATED_LIMIT and max(s.plain, s.paper) > PLAIN_LIMIT:
        what = max(s.plain, s.paper)
        return [_no_scalp(f"{100 * what:.0f} % of the pixels are of one shade or paper white", what, PLAIN_LIMIT)]
    if s.skin_share < SKIN_LIMIT:
        found = f"only {100 * s.skin_share:.0f} % of the field has a colour of skin or hair"
        return [_no_scalp(found, s.skin_share, SKIN_LIMIT)]
    if s.agreement < AGREEMENT_LIMIT:
        found = f"red and blue agree with a correlation of {s.agreement:.2f} only: noise or artificial colour"
        return [_no_scalp(found, s.agreement, AGREEMENT_LIMIT)]
    if s.ground > GROUND_LIMIT:
        found = f"the ground between hairs differs by {100 * math.expm1(s.ground):.0f} % from one evenly lit skin"
        return [_no_scalp(found, s.ground, GROUND_LIMIT)]
    if s.tint > TINT_LIMIT:
        found = f"the red of the ground between hairs differs by {100 * math.expm1(s.tint):.0f} % from one skin's"
        return [_no_scalp(found, s.tint, TINT_LIMIT)]
    if s.texture > TEXTURE_LIMIT and s.lined < LINED_LIMIT:
        found = f"fine detail varies by {100 * s.texture:.0f} % everywhere: noise, not skin"
        return [_no_scalp(found, s.texture, TEXTURE_LIMIT)]
    return []


def _no_scalp(found: str, value: float, limit: float) -> Flag:
    return Flag(
        "not-a-scalp", "refused", found, "give a photograph of the scalp, its hair clipped or parted", value, limit
    )


def _agreement(image: np.ndarray) -> float:
    red, blue = (image[:, :, k].astype(np.float32).ravel() + 1 for k in (0, 2))
    tint = np.log(red / blue)
    marked = np.abs(tint - np.median(tint)) > MARKED_TINT
    if np.mean(marked) < MARKED_SHARE:
        red, blue = red[~marked], blue[~marked]
    red, blue = red - red.mean(), blue - blue.mean()
    size = float(np.sqrt(np.mean(red**2) * np.mean(blue**2)))
    return float(np.mean(red * blue)) / size if size > 4.0 else 1.0


def _ground(small: np.ndarray) -> tuple[float, float]:
    """Give `FieldStatistics.ground` and `tint`; black surroundings of a round picture are left out."""
    rows, cols = (np.linspace(0, length, PATCHES + 1).astype(int) for length in small.shape[:2])
    colours: list[list[np.ndarray]] = [[], []]
    places = []
    for i, k in np.ndindex(PATCHES, PATCHES):
        patch = small[rows[i] : rows[i + 1], cols[k] : cols[k + 1]].reshape(-1, 3)
        if len(patch) >= LEAST_PATCH:
            light = patch.max(axis=1)
            levels = np.quantile(light, GROUND_SHARES)
            levels_of = [np.median(patch[(light >= low) & (light <= high)], axis=0) for low, high in levels]
            if levels_of[0].max() > BLACK_LEVEL:
                places.append((2 * i / PATCHES - 1, 2 * k / PATCHES - 1))
                for colour, one in zip(colours, levels_of, strict=True):
                    colour.append(np.log(np.maximum(one, 4.0)))
    if len(places) < PATCHES:
        return 0.0, 0.0
    y, x = np.array(places).T
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    middle, lighter = (np.array(colour) for colour in colours)
    ground = min(_misfit(terms, log.max(axis=1)) for log in (middle, lighter))
    return ground, _misfit(terms, middle[:, 0] - middle[:, 1])


def _misfit(terms: np.ndarray, value: np.ndarray) -> float:
    """90 % quantile of what is left of a fit on which patches far from it weigh less."""
    weight = np.ones(len(value))
    for _ in range(8):
        fit = np.linalg.lstsq(terms * weight[:, None], value * weight, rcond=None)[0]
        left = np.abs(value - terms @ fit)
        weight = 1 / np.sqrt(np.maximum(1.0, left / (1.5 * np.median(left) + 1e-3)))
    return float(np.quantile(left, 0.9))


def _lined(grey: np.ndarray) -> float:
    """Coherence of the structure tensor in each of 16 x 16 patches."""
    down, right = (cv2.Sobel(grey, cv2.CV_32F, x, 1 - x) for x in (0, 1))
    products = (down * down, right * right, down * right)
    dd, rr, dr = (cv2.resize(product, (16, 16), interpolation=cv2.INTER_AREA) for product in products)
    return float(np.median(np.hypot(dd - rr, 2 * dr) / np.maximum(dd + rr, 1e-6)))


def _could_be_scalp(patches: np.ndarray) -> np.ndarray:
    """Neither strongly green nor strongly saturated in blue or magenta; dark hair, wet grey skin, cold lamps pass."""
    red, green, blue = patches[..., 0], patches[..., 1], patches[..., 2]
    green_cast = green > 1.12 * np.maximum(red, blue)
    blue_cast = blue > BLUE_CAST * np.maximum(red, 10.0)
    vivid_red = red > 3.5 * np.maximum(np.maximum(green, blue), 6.0)
    return np.asarray(~(green_cast | blue_cast | vivid_red))
