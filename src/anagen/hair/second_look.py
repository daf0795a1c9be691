"""Look again, in the other photograph, for a hair that was traced at one visit only: is it overlooked or gone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numba
import numpy as np
from scipy.ndimage import maximum_filter

from anagen.hair.contrast import over_skin
from anagen.hair.measurement import Hair, HairMeasurement
from anagen.hair.strip import paint_owners, resample_path

PITCH_UM = 5.0
"""Pitch of the contrast images; finer photographs are averaged down to it."""

SHIFTS_UM = np.arange(-24.0, 25.0, 6.0)
TURNS_RAD = np.radians(np.arange(-12.0, 13.0, 4.0))
"""Where the hair may lie beside its predicted place: the map's residual, and hair combed another way."""

FIRST_SHARE, LAST_SHARE = 0.05, 0.85
"""Part of the path that is looked at: the root is found to about 20 um, and the hair was clipped anew."""

ALONG = 0.4
"""Quantile of the contrast along the path: glare may brighten, and other hairs may cross, up to two fifths of it."""

MIN_FREE_UM = 60.0
MIN_FREE_SHARE = 0.2
"""Least length, and share of the path, that no other hair covers; less says nothing."""

TUBE_MARGIN_UM = 8.0
"""Added to half a diameter: what the blur of a hair darkens beside it."""

N_EMPTY = 60
"""Places of bare skin at which each hair's shape is tried, for what its score is where there is no hair."""

SCATTER = 0.25
"""Relative scatter of a hair's contrast between two photographs, where fewer than ten pairs tell."""

LEAST_SPREAD, LEAST_SCATTER = 0.03, 0.12
"""Least spread of bare skin, in contrast, and least relative scatter of hair: a contrast halfway decides nothing."""

ODD_SHARE, ODD_EMPTY_SHARE = 0.05, 0.10
"""Share of hairs and of empty places that are unlike the rest (glare, ink, a fold, the shadow of neighbours): their
score may be anything. It keeps a single look from being proof, and bounds the odds at about 20 on the far side. Of 470
hairs removed from 54 rendered pairs 27 left a place of 0.3 to 0.75 of a hair's contrast, beside others of their unit;
of 87 that stayed, in view but traced once, 3 had less than 0.8."""
ODD_SCATTER, ODD_SPREAD = 3.0, 4.0
"""How much broader their scores scatter than those of the rest: hairs, and empty places."""

HIDDEN_SHARE = 0.3
"""Share of overlooked hairs that lie under others: lying there is why they were overlooked. Hairs that fell out lay
there as often as the paired ones."""

OWN_Z = 4.0
"""How far a hair must stand out where it was traced, in spreads of its path on empty skin, to count as a change."""

BESIDE_UM = np.arange(-90.0, 91.0, 6.0)
TURNS_BESIDE_RAD = np.radians(np.arange(-8.0, 9.0, 4.0))
BESIDE_MOVE = 3
"""How far beside a trace a touching hair is looked for, and how many of these steps (18 um) it may have moved."""

TOUCHING_DARK = 0.8
"""Contrast, over the usual one, of three quarters of the length: only hair is as dark as that."""

TOUCHING_MIDDLE, TOUCHING_SCALE, TOUCHING_UNSURE = 0.6, 0.05, 0.7
"""Contrast in the other photograph at which a touching hair is as likely there as not, and how fast that turns. Of 3768
unchanged hairs in 32 rendered pairs the barest place of one lay below 0.5, of one in a hundred below 0.83."""

TOUCHING_APART_UM = 40.0
"""Two finds nearer than this are one hair seen from two neighbours."""

CERTAIN = 0.9

Visit = Literal["before", "after"]
Verdict = Literal["present", "absent", "indeterminate"]


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What the other photograph shows at the place of a hair that was traced in one.

    Parameters
    ----------
    visit : {"before", "after"}
        Where it was traced.
    number : int
        Its number there.
    contrast : float
        At its place in the other photograph, over its own where it was traced: about 1 for a hair that is there, 0
        for bare skin; NaN where other hairs cover the place.
    own_contrast : float
        Where it was traced, over that of the paired hairs.
    presence : float
        Probability that it stands in the other photograph too, 0 to 1.
    verdict : {"present", "absent", "indeterminate"}
        ``present`` from 0.9, ``absent`` to 0.1.
    touching : bool
        Whether it is not the traced hair of this number itself, but one that touches it and has no trace of its own.
    """

    visit: Visit
    number: int
    contrast: float
    own_contrast: float
    presence: float
    verdict: Verdict
    touching: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """One visit as the second look needs it.

    Parameters
    ----------
    measurement : HairMeasurement
        Its hairs.
    image : ndarray, uint8, shape (H, W, 3)
        What was measured.
    paired, alone : ndarray of int
        Indices of hairs seen at both visits (in the same order for both), and at this one only.
    watched : ndarray of int
        Those of `paired` that are compared: a hair that touches one of them may be hidden in its trace.
    to_other : callable
        Maps um of this visit to um of the other.
    """

    measurement: HairMeasurement
    image: np.ndarray
    paired: np.ndarray
    alone: np.ndarray
    watched: np.ndarray
    to_other: Callable[[np.ndarray], np.ndarray]


def look_again(before: Sight, after: Sight) -> tuple[SecondLook, ...]:
    """Say of every hair that was traced at one visit only whether the other photograph shows it.

    Both photographs are turned into contrasts that are 1 on the paired hairs and 0 on skin. The hair's path is carried
    over by the map and moved a little to where it is darkest; its contrast there, on what no other hair covers, is
    compared with that of the paired hairs treated alike, and with the same path laid on empty skin. Beside the paired
    hairs, what is dark all along at one visit and bare at the other is a touching hair that has no trace of its own.

    Parameters
    ----------
    before, after : Sight

    Returns
    -------
    tuple of SecondLook
        First those of the earlier visit: in the order of `Sight.alone`, then the touching hairs that are missing.
    """
    if len(before.paired) == 0:
        return ()
    shown = _contrast(before), _contrast(after)
    return (*_look(before, after, *shown, "before"), *_look(after, before, *shown[::-1], "after"))


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """The hairs of one visit as they lie in the two contrast images, and which of them covers each pixel."""

    here: list[np.ndarray]
    there: list[np.ndarray]
    covered_here: np.ndarray
    covered_there: np.ndarray
    clip: float


def _look(own: Sight, other: Sight, own_contrast: np.ndarray, contrast: np.ndarray, visit: Visit) -> list[SecondLook]:
    """Judge the hairs that only `own` shows, by the contrast of `other`."""
    hairs, um_per_px = own.measurement.hairs, own.measurement.um_per_px
    here = [_grid(hair.path_px * um_per_px) for hair in hairs]
    there = [_grid(own.to_other(hair.path_px * um_per_px)) for hair in hairs]
    view = _View(
        here, there, _cover(here, own, own_contrast.shape), _cover(_lengthen(there, own, other), own, contrast.shape),
        _relative_length(own, other),
    )  # fmt: skip
    return [
        *_look_for_traced(own, other, own_contrast, contrast, view, visit),
        *_look_for_touching(own, own_contrast, contrast, view, visit),
    ]


def _look_for_traced(
    own: Sight, other: Sight, own_contrast: np.ndarray, contrast: np.ndarray, view: _View,
    visit: Visit,
) -> list[SecondLook]:  # fmt: skip
    """Judge the hairs that were traced in `own` and have no partner."""
    hairs = own.measurement.hairs
    beside = _cover([_grid(h.path_px * other.measurement.um_per_px) for h in other.measurement.hairs], other,
                    contrast.shape)  # fmt: skip
    empty = (view.covered_there == -1) & (beside == -1)
    empty_here = view.covered_here == -1
    short = {k: _cut(view.there[k], view.clip) for k in (*own.paired, *own.alone)}
    reach = {k: _reach(hairs[k], own.measurement) for k in short}
    seen = {k: _best(contrast, view.covered_there, short[k], k, reach[k]) for k in short}
    at_own = {k: _best(own_contrast, view.covered_here, _cut(view.here[k], view.clip), k, reach[k]) for k in short}
    for k in own.alone if view.clip < 1 else ():
        # its root may have been taken for its tip: then the other part of it is what the clipper left
        turned = _cut(view.there[k][::-1], view.clip)
        found = _best(contrast, view.covered_there, turned, k, reach[k])
        if _free(found) and found[0] > seen[k][0]:
            short[k], seen[k] = turned, found
            at_own[k] = _best(own_contrast, view.covered_here, _cut(view.here[k][::-1], view.clip), k, reach[k])
    gain, scatter = _calibrate([seen[k][0] / at_own[k][0] for k in own.paired if _free(seen[k]) and at_own[k][0] > 0.1])
    often = np.mean([not _free(seen[k]) for k in own.paired])
    hidden_odds = math.log(HIDDEN_SHARE / min(max(float(often), 0.02), HIDDEN_SHARE))
    ratio, odds, hidden, separate = [], [], [], []
    for k in own.alone:
        expected = gain * at_own[k][0]
        bare, spread = _try_empty(contrast, empty, short[k], reach[k])
        score = seen[k][0]
        ratio.append((score - bare) / max(expected - bare, 0.1))
        # its own place may lie under other traces: then nothing tells how dark it should be
        hidden.append(not (_free(seen[k]) and math.isfinite(score) and math.isfinite(expected)))
        odds.append(hidden_odds if hidden[-1] else _log_odds(score, expected, scatter, bare, spread))
        bare, spread = _try_empty(own_contrast, empty_here, _cut(view.here[k], view.clip), reach[k])
        separate.append(_free(at_own[k]) and at_own[k][0] > bare + OWN_Z * spread)
    # covered by other traces, or no more than the skin's own lines, where it was traced: nothing changes with it
    presence = np.where(separate, _posterior(np.array(odds), np.array(hidden, dtype=bool)), 1.0)
    usual = float(np.nanmedian([at_own[k][0] for k in own.paired]))
    return [
        _verdict(visit, hairs[k].number, math.nan if hidden[n] else ratio[n], at_own[k][0] / usual, float(presence[n]))
        for n, k in enumerate(own.alone)
    ]


def _look_for_touching(
    own: Sight, own_contrast: np.ndarray, contrast: np.ndarray, view: _View, visit: Visit
) -> list[SecondLook]:
    """Find hairs that touch a paired one so closely that one trace holds both, where the other photograph has but one.

    The pair's path is shifted and turned to every place beside it that is dark all along here and that no other trace
    covers; the one that is brightest there, whatever small move is made, is compared with the usual contrast.
    """
    hairs = own.measurement.hairs
    reach = 0.3 * float(np.median([_width_um(hair, own.measurement) for hair in hairs])) / PITCH_UM
    found: list[tuple[float, int, np.ndarray]] = []
    for k in own.watched:
        score, at = _barest(own_contrast, contrast, view, k, reach)
        if score < TOUCHING_UNSURE:
            found.append((score, k, at))
    looks: list[SecondLook] = []
    places: list[np.ndarray] = []
    for score, k, at in sorted(found, key=lambda item: (item[0], item[1])):
        if all(float(np.hypot(*(at - place))) > TOUCHING_APART_UM / PITCH_UM for place in places):
            places.append(at)
            presence = 1 / (1 + math.exp(-(score - TOUCHING_MIDDLE) / TOUCHING_SCALE))
            looks.append(_verdict(visit, hairs[k].number, score, 1.0, presence, touching=True))
    return looks


def _barest(
    own_contrast: np.ndarray, contrast: np.ndarray, view: _View, k: int, reach: float
) -> tuple[float, np.ndarray]:
    """Lowest score in the other photograph beside hair k where this one is dark, and where that is here."""
    path = _cut(view.here[k], view.clip)
    shifts = BESIDE_UM / PITCH_UM
    middle, least = len(path) // 2, math.ceil(len(path) / 2)
    dark = _score_moves(own_contrast, view.covered_here, path, k, reach, shifts, TURNS_BESIDE_RAD, middle, least, 0.25)
    mapped = _cut(view.there[k], view.clip)
    least = math.ceil(len(mapped) / 2)
    other = _score_moves(
        contrast, view.covered_there, mapped, k, reach, shifts, TURNS_BESIDE_RAD, len(mapped) // 2, least, 0.6
    )
    nearby = maximum_filter(np.nan_to_num(other, nan=-9.0), size=(3, 2 * BESIDE_MOVE + 1), mode="nearest")
    nearby[(nearby < -1) | ~(dark >= TOUCHING_DARK)] = np.inf
    turn, shift = np.unravel_index(int(np.argmin(nearby)), nearby.shape)
    ahead = path[-1] - path[0]
    side = np.array([-ahead[1], ahead[0]]) / max(float(np.hypot(*ahead)), 1e-9)
    return float(nearby[turn, shift]), path[middle] + shifts[shift] * side


def _verdict(
    visit: Visit, number: int, contrast: float, own_contrast: float, presence: float,
    *, touching: bool = False,
) -> SecondLook:  # fmt: skip
    verdict: Verdict = "present" if presence >= CERTAIN else "absent" if presence <= 1 - CERTAIN else "indeterminate"
    return SecondLook(visit, number, contrast, own_contrast, presence, verdict, touching)


def _grid(points_um: np.ndarray) -> np.ndarray:
    """From um of the photograph to (row, col) of its contrast image, in steps of one pixel."""
    return resample_path(points_um / PITCH_UM, smooth_px=0.0)


def _lengthen(there: list[np.ndarray], own: Sight, other: Sight) -> list[np.ndarray]:
    """Give the paired hairs, as they lie in the other photograph, the tip that they have there."""
    paths = list(there)
    for a, b in zip(own.paired, other.paired, strict=True):
        longer = _grid(other.measurement.hairs[b].path_px * other.measurement.um_per_px)
        if len(longer) > len(paths[a]):
            paths[a] = np.concatenate([paths[a], longer[len(paths[a]) :]])
    return paths


def _cut(path: np.ndarray, clip: float) -> np.ndarray:
    n = len(path)
    first = int(n * FIRST_SHARE)
    return path[first : max(int(n * LAST_SHARE * min(clip, 1.0)), first + 3)]


def _relative_length(own: Sight, other: Sight) -> float:
    """Length at the other visit over that at this one: a low quartile of the pairs, as hairs are clipped unevenly."""
    first, second = own.measurement.hairs, other.measurement.hairs
    ratio = [second[b].length_um / first[a].length_um for a, b in zip(own.paired, other.paired, strict=True)]
    return float(np.quantile(ratio, 0.25))


def _reach(hair: Hair, measurement: HairMeasurement) -> float:
    """Half-width of the core that is averaged, in pixels of the contrast image."""
    return max(0.3 * _width_um(hair, measurement) / PITCH_UM, 0.5)


def _width_um(hair: Hair, measurement: HairMeasurement) -> float:
    if math.isfinite(hair.diameter_um):
        return hair.diameter_um
    known = [h.diameter_um for h in measurement.hairs if math.isfinite(h.diameter_um)]
    return float(np.median(known)) if known else 60.0


def _cover(paths: list[np.ndarray], sight: Sight, shape: tuple[int, ...]) -> np.ndarray:
    """Which hair covers each pixel: its index, -1 for none, -2 for several."""
    width = np.array([_width_um(hair, sight.measurement) for hair in sight.measurement.hairs])
    radius = (0.5 * np.minimum(width, 1.3 * np.median(width)) + TUBE_MARGIN_UM) / PITCH_UM
    return paint_owners((shape[0], shape[1]), paths, radius)


def _contrast(sight: Sight) -> np.ndarray:
    """Weigh the colours so that the paired hairs are 1 on average, the skin beside them 0 (Fisher's discriminant)."""
    um_per_px = sight.measurement.um_per_px
    height, width = sight.image.shape[:2]
    size = (max(round(width * um_per_px / PITCH_UM), 8), max(round(height * um_per_px / PITCH_UM), 8))
    small = cv2.resize(sight.image, size, interpolation=cv2.INTER_AREA if um_per_px < PITCH_UM else cv2.INTER_LINEAR)
    colours = np.stack([over_skin(small[:, :, k], PITCH_UM) for k in range(3)], axis=-1)
    paths = [_grid(hair.path_px * um_per_px) for hair in sight.measurement.hairs]
    covered = _cover(paths, sight, colours.shape)
    core = np.concatenate([_cut(paths[k], 1.0) for k in sight.paired])
    rows, cols = (np.clip(np.rint(core[:, axis]).astype(int), 0, colours.shape[axis] - 1) for axis in (0, 1))
    hair = colours[rows, cols].mean(axis=0)
    skin = colours[covered == -1][::7]
    spread = np.cov(skin.T) + np.diag(np.full(3, 0.02**2))
    weight = np.linalg.solve(spread, hair - skin.mean(axis=0))
    weight /= weight @ (hair - np.median(skin, axis=0))
    return np.ascontiguousarray((colours - np.median(skin, axis=0)) @ weight.astype(np.float32), dtype=np.float32)


def _best(
    contrast: np.ndarray, covered: np.ndarray, path: np.ndarray, index: int, reach: float
) -> tuple[float, int, float]:
    """Highest score over the small moves; how many points of the path are free of other hairs, and their share."""
    rows, cols = (np.clip(np.rint(path[:, axis]).astype(int), 0, contrast.shape[axis] - 1) for axis in (0, 1))
    inside = ((path > -0.5) & (path < np.array(contrast.shape) - 0.5)).all(axis=1)
    n_free = int(np.count_nonzero(inside & np.isin(covered[rows, cols], (-1, index))))
    if n_free == 0:
        return math.nan, 0, 0.0
    # a move may not slide onto another hair: at most a third of its points may land on one
    least = math.ceil(2 * n_free / 3)
    scores = _score_moves(contrast, covered, path, index, reach, SHIFTS_UM / PITCH_UM, TURNS_RAD, 0, least, ALONG)
    score = float(np.nanmax(scores)) if np.isfinite(scores).any() else math.nan
    return score, n_free, n_free / len(path)


def _free(found: tuple[float, int, float]) -> bool:
    return found[1] * PITCH_UM >= MIN_FREE_UM and found[2] >= MIN_FREE_SHARE


@numba.njit(cache=True)
def _score_moves(contrast, covered, path, index, reach, shifts, turns, pivot, least, along):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - one compiled loop
    """Score of each turn (rows) and shift (columns): a quantile along the path of the contrast across its core.

    Points that land on another hair are left out; NaN where fewer than `least` are left.
    """
    height, width = contrast.shape
    n = len(path)
    axis_r, axis_c = path[n - 1, 0] - path[0, 0], path[n - 1, 1] - path[0, 1]
    size = max(math.sqrt(axis_r * axis_r + axis_c * axis_c), 1e-9)
    side_r, side_c = -axis_c / size, axis_r / size
    scores = np.full((len(turns), len(shifts)), np.nan)
    values = np.zeros(n)
    for a in range(len(turns)):
        cos, sin = math.cos(turns[a]), math.sin(turns[a])
        for s in range(len(shifts)):
            count = 0
            for i in range(n):
                d_r, d_c = path[i, 0] - path[pivot, 0], path[i, 1] - path[pivot, 1]
                row = path[pivot, 0] + cos * d_r - sin * d_c + shifts[s] * side_r
                col = path[pivot, 1] + sin * d_r + cos * d_c + shifts[s] * side_c
                r, c = round(row), round(col)
                if not (0 <= r < height and 0 <= c < width) or (covered[r, c] != -1 and covered[r, c] != index):
                    continue
                total, m = 0.0, 0
                for off in (-1.0, 0.0, 1.0):
                    r, c = round(row + off * reach * side_r), round(col + off * reach * side_c)
                    if 0 <= r < height and 0 <= c < width:
                        total += min(max(contrast[r, c], -0.5), 1.5)
                        m += 1
                if m > 0:
                    values[count] = total / m
                    count += 1
            if count >= least:
                scores[a, s] = np.sort(values[:count])[int(along * (count - 1))]
    return scores


def _try_empty(contrast: np.ndarray, empty: np.ndarray, path: np.ndarray, reach: float) -> tuple[float, float]:
    """Mean and spread of the score of this path on empty skin: the quietest fixed places of a low-discrepancy row."""
    height, width = contrast.shape
    covered = np.where(empty, -1, -2).astype(np.int32)
    scores = []
    for n in range(1, 20 * N_EMPTY):
        # the plastic-number sequence fills the image evenly without chance
        at = np.array([(n * 0.7548776662466927) % 1.0 * height, (n * 0.5698402909980532) % 1.0 * width])
        moved = path - path.mean(axis=0) + at
        score, _, share = _best(contrast, covered, moved, -1, reach)
        if share > 0.9:
            scores.append(score)
        if len(scores) == N_EMPTY:
            break
    if len(scores) < 8:
        return 0.1, 0.15
    return float(np.median(scores)), max(float(np.std(scores)), LEAST_SPREAD)


def _calibrate(ratios: list[float]) -> tuple[float, float]:
    """Contrast in the other photograph over that in its own: median and robust relative scatter of the paired hairs."""
    if len(ratios) < 10:
        return 1.0, SCATTER
    middle = float(np.median(ratios))
    return middle, max(1.4826 * float(np.median(np.abs(np.array(ratios) - middle))) / middle, LEAST_SCATTER)


def _log_odds(score: float, expected: float, scatter: float, bare: float, spread: float) -> float:
    """Log likelihood ratio of hair over bare skin; each a normal law with a broad one for what is unlike the rest."""
    if not math.isfinite(score):
        return 0.0
    score = min(score, expected)  # darker than expected is a hair as well
    wide = math.hypot(scatter * expected, spread)
    spread = max(spread, 0.1 * expected)
    there = _mix_normals(score, expected, wide, ODD_SCATTER * wide, ODD_SHARE)
    gone = _mix_normals(score, bare, spread, ODD_SPREAD * spread, ODD_EMPTY_SHARE)
    return math.log(max(there, 1e-12)) - math.log(max(gone, 1e-12))


def _mix_normals(x: float, mean: float, sd: float, odd_sd: float, odd_share: float) -> float:
    return (1 - odd_share) * _normal(x, mean, sd) + odd_share * _normal(x, mean, odd_sd)


def _normal(x: float, mean: float, sd: float) -> float:
    return math.exp(-0.5 * ((x - mean) / sd) ** 2) / sd


def _posterior(log_odds: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Probability of presence; the share that is present is learnt from the hairs at hand (EM, one added to each)."""
    share = 0.5
    presence = np.full(len(log_odds), share)
    for _ in range(50):
        presence = 1 / (1 + np.exp(-np.clip(log_odds + math.log(share / (1 - share)), -30, 30)))
        share = (1 + presence[~hidden].sum()) / (2 + np.count_nonzero(~hidden))
    return presence
