"""Find hair that is not clipped: long hairs that cross and hide each other are followed from the roots that are seen.

Of dense long hair most roots lie under other hairs, and no picture shows them. Lines are traced, what two traces share
is given to one of them, pieces that go on in one another across a crossing are joined, and a hair is counted where an
end of such a chain is seen to end on bare skin and looks like a root. So the count is a lower bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from scipy.spatial import cKDTree

from anagen.hair.contrast import OVERALL, Contrast
from anagen.hair.ridges import ridge_seeds, ridge_stack
from anagen.hair.roots import CUT_UM, fan_evidence, look_beyond_ends, orient_paths
from anagen.hair.shafts import Detection, Shaft, measure_shafts
from anagen.hair.trace import take_corridor, trace_lines

LONG_UM: Final = 1200.0
"""Where half of all length lies in hairs longer than this they are long: clipped ones have 0.2 to 0.95 mm, mostly."""

LINE_SIGMA_UM: Final = 20.0
N_ANGLES: Final = 36
ELONGATION: Final = 5.0
"""Long hair bends little over the length of a long filter, which goes straight through crossings."""
LOW: Final = 0.35
TURN_PER_MM: Final = 2.0
"""Where a trace ends, as a share of its strength, and the sharpest bend (radians a millimetre) it follows."""
LEAST_CENTRE: Final = 0.3
BRIDGE_UM: Final = 150.0
END_SHARE: Final = 0.6
PIECE_UM: Final = 100.0
SHORTEST_UM: Final = 300.0
SHORTEST_CUT_UM: Final = 200.0
"""Shortest hair; shortest piece of one that the frame cuts."""

N_DIRECTIONS: Final = 30
CORRIDOR_UM: Final = 26.0
CORRIDOR_STEPS: Final = 2
"""Two traces follow one hair where they lie nearer than this and within so many steps of 6 degrees."""
SHARED_UM: Final = 800.0
"""Hairs of one opening may touch as far as this from their roots."""
OWN_UM: Final = 200.0
OWN_SHARE: Final = 0.3
"""Least length, and share of it, that a hair must have for itself."""

GAP_UM: Final = 500.0
OPEN_GAP_UM: Final = 60.0
DARK_GAP: Final = 0.85
"""Longest gap between two pieces of a hair under other hairs, where so much of it must be hair, and on bare skin."""
OVERLAP_UM: Final = 60.0
TURN_DEG: Final = 9.0
ASIDE_UM: Final = 15.0
ASIDE_SHARE: Final = 0.08
"""Standard deviation of the turn from one piece to the next, and of the step aside: a part of the gap is added."""
WORST_JOIN: Final = 4.0
"""Largest sum of the two squared deviations."""

SKIN_UM: Final = (18.0, 90.0)
SKIN_SHARE: Final = 0.4
"""An end is seen where contrast falls below this share of the hair's own so far beyond it."""
BODY_UM: Final = 150.0
UNDER_UM: Final = 28.0
"""An end nearer than this to another hair, its own last `BODY_UM` apart, lies under it."""
LEAST_FALL: Final = 0.5
MOST_BEYOND: Final = 0.3
"""Steepness at an end, and darkness beyond it, over the hair's contrast, with which it is an end at all."""
ROOT_BEYOND: Final = 0.04
ROOT_FALL: Final = 0.8
BEYOND_WEIGHT: Final = 10.0
FALL_WEIGHT: Final = 8.0
"""Between roots and tips lie this darkness beyond the end (the buried shaft) and this steepness (a cut is sharper than
the slope into the skin); log odds a unit."""
LEAST_ROOT: Final = -1.0
"""Log odds of an end by itself below which its neighbours' lean makes no root of it."""
NEAR_UM: Final = 800.0
UNIT_UM: Final = 160.0
UNIT_DEG: Final = 35.0
"""A hair whose root end is hidden counts where a counted root lies so near and its hair leaves within this angle: the
other hairs of the opening hide it."""


@dataclass(frozen=True, eq=False)
class _Ends:
    """First and last end of each path, shape (n, 2): seen on bare skin, cut by the frame, log odds of a root."""

    seen: np.ndarray
    cut: np.ndarray
    rooted: np.ndarray


def detect_long_hair(picture: np.ndarray, picture_um: float, fine: Contrast) -> Detection:
    """Follow long hairs, root first; hairs whose root is not seen are given apart.

    Parameters
    ----------
    picture : ndarray, shape (H', W'), float32
        Bright along the middles of hairs, 0 to 1: the network's, or the contrast (`contrast_as_middles`).
    picture_um : float
        Micrometres per pixel of it.
    fine : Contrast

    Returns
    -------
    Detection
    """
    pitch = fine.pitch_um
    full = cv2.resize(picture, fine.value.shape[::-1], interpolation=cv2.INTER_CUBIC)
    pieces = _part(_trace(picture, picture_um, full, pitch), fine.value.shape, pitch)
    paths = [path for path in _join(pieces, full, pitch) if _long_enough(path, fine.value.shape, pitch)]
    paths = _drop_shared(paths, fine.value.shape, pitch)
    if not paths:
        return Detection([], [], np.zeros(0), ())
    ends = _look(paths, fine)
    evidence = np.where(ends.seen, ends.rooted, 0.0)
    evidence = np.clip(evidence[:, 0] - evidence[:, 1], -4, 4)
    if fine.tone != "dark":
        # the roots of fair hair show little: that the hairs of an opening part from it must tell them
        evidence = evidence + fan_evidence(paths, near_px=200.0 / pitch)
    flip = orient_paths(paths, evidence, near_px=NEAR_UM / pitch)
    paths = [path[::-1] if turn else path for path, turn in zip(paths, flip, strict=True)]
    first = np.arange(len(paths)), flip.astype(int)
    counted = ends.seen[first] & (ends.rooted[first] >= LEAST_ROOT)
    counted |= _beside_counted(paths, counted, ends.cut[first], pitch)
    shafts = [_to_shaft(fine, path) for path in paths]
    sure = 1 / (1 + np.exp(LEAST_ROOT - ends.rooted[first]))
    return Detection(
        shafts,
        [path for path, one in zip(paths, counted, strict=True) if one],
        np.where(ends.seen[first], sure, 0.5)[counted],
        tuple(path for path, one in zip(paths, counted, strict=True) if not one),
    )


def usual_length(lengths: list[int]) -> float:
    """Half of the total lies in hairs at least so long; 0 without hairs."""
    ordered = np.sort(np.array(lengths, dtype=float))
    return float(ordered[np.searchsorted(np.cumsum(ordered), ordered.sum() / 2)]) if len(ordered) else 0.0


def contrast_as_middles(fine: Contrast, pitch_um: float) -> tuple[np.ndarray, float]:
    """Contrast at about another pitch, 0 to 1, for hair that the network was not taught; and the pitch."""
    scale = min(1.0, fine.pitch_um / pitch_um)
    small = cv2.resize(fine.value, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.clip(small, 0, 1) / np.float32(OVERALL), fine.pitch_um * fine.value.shape[0] / small.shape[0]


def _trace(picture: np.ndarray, picture_um: float, full: np.ndarray, pitch_um: float) -> list[Shaft]:
    stack = ridge_stack(picture, LINE_SIGMA_UM / picture_um, N_ANGLES, ELONGATION)
    turn = TURN_PER_MM * picture_um / 1000
    points, starts = trace_lines(stack, ridge_seeds(stack, 0.1), LOW, LINE_SIGMA_UM / picture_um, 6, turn)
    shafts = measure_shafts(
        full,
        (points + 0.5) * picture_um / pitch_um - 0.5,
        starts,
        core_px=0,
        reach_px=60 / pitch_um,
        bridge_px=round(BRIDGE_UM / pitch_um),
        end_share=END_SHARE,
        stiff_px=0,
    )
    return [shaft for shaft in shafts if shaft.contrast > LEAST_CENTRE and len(shaft.path) * pitch_um > PIECE_UM]


def _part(shafts: list[Shaft], shape: tuple[int, ...], pitch_um: float) -> list[np.ndarray]:
    """Give every stretch of hair to the strongest of the traces that follow it."""
    taken = np.zeros((N_DIRECTIONS, *shape), dtype=np.uint8)
    pieces = []
    for shaft in sorted(shafts, key=lambda shaft: -shaft.contrast * len(shaft.path)):
        path = _resample(shaft.path)
        free = _is_free(taken, path)
        stretches = [(a, b) for a, b in _runs(free) if (b - a) * pitch_um >= PIECE_UM]
        if not stretches:
            continue
        first, last = stretches[0][0], stretches[-1][1]
        first = 0 if first * pitch_um <= SHARED_UM else first
        last = len(path) if (len(path) - last) * pitch_um <= SHARED_UM else last
        for a, b in [(first, last)] if free[first:last].mean() > 0.5 else stretches:
            pieces.append(path[a:b])
            take_corridor(taken, path[a:b], CORRIDOR_UM / pitch_um, CORRIDOR_STEPS)
    return pieces


def _join(pieces: list[np.ndarray], full: np.ndarray, pitch_um: float) -> list[np.ndarray]:
    """Chain pieces of which one goes on in the other, the best pairs of ends first."""
    if not pieces:
        return []
    ends = np.array([piece[e] for piece in pieces for e in (0, -1)])
    outward = np.array([_outward(piece, e, BODY_UM / pitch_um) for piece in pieces for e in (0, 1)])
    linked: dict[int, int] = {}
    costs = []
    for i, j in sorted(cKDTree(ends).query_pairs(GAP_UM / pitch_um)):
        if i // 2 != j // 2:
            cost = _join_cost(ends[[i, j]], outward[[i, j]], full, pitch_um)
            if cost < WORST_JOIN:
                costs.append((cost, i, j))
    for _, i, j in sorted(costs):
        if i not in linked and j not in linked:
            linked[i], linked[j] = j, i
    chains = []
    seen: set[int] = set()
    # open chains from one of their ends, then rings from anywhere
    for start in [e for e in range(len(ends)) if e not in linked] + list(range(0, len(ends), 2)):
        if start // 2 in seen:
            continue
        chain, at = [], start
        while at // 2 not in seen:
            seen.add(at // 2)
            chain.append(pieces[at // 2] if at % 2 == 0 else pieces[at // 2][::-1])
            if at ^ 1 not in linked:
                break
            at = linked[at ^ 1]
        chains.append(_resample(np.concatenate(chain)))
    return chains


def _join_cost(ends: np.ndarray, outward: np.ndarray, full: np.ndarray, pitch_um: float) -> float:
    step = ends[1] - ends[0]
    gap = float(np.hypot(*step)) * pitch_um
    along = outward[0] - outward[1]
    along = along / max(float(np.hypot(*along)), 1e-9)
    ahead = float(step @ along) * pitch_um
    aside = abs(float(step[0] * along[1] - step[1] * along[0])) * pitch_um
    turn = math.degrees(math.acos(float(np.clip(-outward[0] @ outward[1], -1, 1))))
    cost = (turn / TURN_DEG) ** 2 + (aside / (ASIDE_UM + ASIDE_SHARE * gap)) ** 2
    if ahead < -OVERLAP_UM or cost >= WORST_JOIN:
        return math.inf
    if ahead > OPEN_GAP_UM:
        between = ends[0] + np.linspace(0, 1, max(2, int(gap / pitch_um)))[:, None] * step
        if np.mean(_at(full, between) > LEAST_CENTRE) < DARK_GAP:
            return math.inf
    return cost


def _long_enough(path: np.ndarray, shape: tuple[int, ...], pitch_um: float) -> bool:
    cut = np.any(_is_cut(path[[0, -1]], shape, pitch_um))
    return len(path) * pitch_um >= (SHORTEST_CUT_UM if cut else SHORTEST_UM)


def _drop_shared(paths: list[np.ndarray], shape: tuple[int, ...], pitch_um: float) -> list[np.ndarray]:
    """Keep what has a stretch of its own, the longest first."""
    taken = np.zeros((N_DIRECTIONS, *shape), dtype=np.uint8)
    kept = []
    for path in sorted(paths, key=lambda path: -len(path)):
        free = _is_free(taken, path)
        longest = max((b - a for a, b in _runs(free)), default=0) * pitch_um
        if longest >= min(OWN_UM, 0.8 * len(path) * pitch_um) and free.mean() >= OWN_SHARE:
            kept.append(path)
            take_corridor(taken, path, CORRIDOR_UM / pitch_um, CORRIDOR_STEPS)
    return kept


def _look(paths: list[np.ndarray], fine: Contrast) -> _Ends:
    pitch, shape = fine.pitch_um, fine.value.shape
    owner = np.repeat(np.arange(len(paths)), [len(path) for path in paths])
    inner = np.concatenate([np.minimum(np.arange(len(p)), np.arange(len(p))[::-1]) for p in paths]) * pitch > BODY_UM
    bodies, owner = np.concatenate(paths)[inner], owner[inner]
    tree = cKDTree(bodies) if len(bodies) else None
    shape_of = (len(paths), 2)
    seen, cut, rooted = np.zeros(shape_of, dtype=bool), np.zeros(shape_of, dtype=bool), np.zeros(shape_of)
    beyond_px = np.arange(*SKIN_UM, pitch)[:, None] / pitch
    for i, path in enumerate(paths):
        plateau = float(np.quantile(_at(fine.value, path), 0.6))
        shows = look_beyond_ends(fine.value, fine.deep, path, pitch)
        cut[i] = _is_cut(path[[0, -1]], shape, pitch)
        for e in (0, 1):
            end = path[-e]
            beyond = end + beyond_px * _outward(path, e, 100.0 / pitch)
            under = tree is not None and any(owner[k] != i for k in tree.query_ball_point(end, UNDER_UM / pitch))
            darkness, steepness = shows[e, 0], -shows[e, 1]
            ends_here = darkness < MOST_BEYOND and steepness > LEAST_FALL
            fell = bool(np.any(_at(fine.value, beyond) < SKIN_SHARE * plateau))
            seen[i, e] = fell and ends_here and not under and not cut[i, e]
            odds = BEYOND_WEIGHT * (darkness - ROOT_BEYOND)
            if fine.tone == "dark":
                odds += FALL_WEIGHT * (ROOT_FALL - steepness)
            rooted[i, e] = np.clip(odds, -2.5, 2.5)
    return _Ends(seen, cut, rooted)


def _beside_counted(paths: list[np.ndarray], counted: np.ndarray, cut: np.ndarray, pitch_um: float) -> np.ndarray:
    """Whether a counted hair leaves from the same opening."""
    root = np.array([path[0] for path in paths])
    leaves = np.array([-_outward(path, 0, BODY_UM / pitch_um) for path in paths])
    apart = np.hypot(*(root[:, None] - root[None]).transpose(2, 0, 1)) * pitch_um
    near = (apart < UNIT_UM) & (leaves @ leaves.T > math.cos(math.radians(UNIT_DEG)))
    return np.asarray(~counted & ~cut & np.any(near & counted[None], axis=1))


def _to_shaft(fine: Contrast, path: np.ndarray) -> Shaft:
    found = measure_shafts(
        fine.value,
        path,
        np.array([0, len(path)]),
        core_px=10.0 / fine.pitch_um,
        reach_px=80.0 / fine.pitch_um,
        bridge_px=len(path),
        end_share=SKIN_SHARE,
        stiff_px=0,
    )
    if found:
        return found[0]
    half = LINE_SIGMA_UM / fine.pitch_um
    return Shaft(path, half, float(np.median(_at(fine.value, path))), 1.0, 0.0, 1.0, 0.0, 2 * half)


def _resample(path: np.ndarray) -> np.ndarray:
    """One point a pixel."""
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    at = np.arange(0.0, arc[-1], 1.0)
    return np.stack([np.interp(at, arc, path[:, k]) for k in (0, 1)], axis=1)


def _outward(path: np.ndarray, end: int, lag_px: float) -> np.ndarray:
    """Direction, of length 1, in which a path leaves through its first (0) or last (1) end."""
    lag = min(len(path) - 1, max(3, int(lag_px)))
    step = path[0] - path[lag] if end == 0 else path[-1] - path[-1 - lag]
    return np.asarray(step / max(float(np.hypot(*step)), 1e-9))


def _is_cut(ends: np.ndarray, shape: tuple[int, ...], pitch_um: float) -> np.ndarray:
    edge = CUT_UM / pitch_um
    return np.asarray(np.any((ends < edge) | (ends > np.array(shape) - 1 - edge), axis=1))


def _is_free(taken: np.ndarray, path: np.ndarray) -> np.ndarray:
    step = cv2.blur(np.gradient(path, axis=0), (1, 9), borderType=cv2.BORDER_REPLICATE)
    layer = np.floor(np.arctan2(step[:, 1], step[:, 0]) / math.pi * N_DIRECTIONS + 0.5).astype(int) % N_DIRECTIONS
    rows, cols = (np.clip(np.rint(path[:, k]).astype(int), 0, taken.shape[k + 1] - 1) for k in (0, 1))
    return np.asarray(taken[layer, rows, cols] == 0)


def _runs(free: np.ndarray) -> list[tuple[int, int]]:
    """Stretches [first, last) of True."""
    turns = np.flatnonzero(np.diff(np.concatenate([[0], free.astype(int), [0]])))
    return list(zip(turns[::2].tolist(), turns[1::2].tolist(), strict=True))


def _at(image: np.ndarray, path: np.ndarray) -> np.ndarray:
    rows, cols = (np.clip(np.rint(path[:, k]).astype(int), 0, image.shape[k] - 1) for k in (0, 1))
    return np.asarray(image[rows, cols])
