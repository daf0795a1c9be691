"""Let touching hairs settle: each is one stiff bar, moved until all bars together explain what is dark, none twice."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
from numba import njit

from anagen.hair.shafts import Shaft, level_along

SHARED_WORTH = 0.12
"""What a pixel counts that another bar already explains: enough that a hair reaches its root under its neighbour."""
DEEPEST_GAP = -0.6
"""What a pixel as bright as skin costs: less than a dark one gains, so that a bar reaches across a speck of glare."""
FREE_BEND = 0.04
"""Sagitta over length that costs nothing."""

EVEN_LENGTHS = 1.3
"""Upper over lower quartile of the lengths up to which a field counts as clipped to one length: 1.03 to 1.25 in
synthetic fields, 1.3 to 3.1 in real ones of the tuning dates (1.43 and more in 19 of 20)."""
CHAIN_LENGTH = 1.4
"""Length over the median from where a bar in such a field must be two hairs, tip to root."""
PLATEAU = 0.7
"""Quantile of the contrast along a bar that its plateau is."""
MIN_LENGTHS = 12
"""Fewer bars do not tell the usual length."""
LINK_AT = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
"""Where along it the one may end and the other begin."""


def settle_bars(
    contrast: np.ndarray,
    shafts: list[Shaft],
    *,
    stiff_px: float,
    widest_px: float,
    end_share: float,
    least: float,
    least_px: float,
    long_px: float = math.inf,
    n_rounds: int = 3,
) -> list[Shaft]:
    """Choose and move the bars that together explain the dark pixels best.

    A bar (root, tip, sagitta, half-width) gains the sum over its pixels of (c / p - e) / (1 - e), clipped to
    [`DEEPEST_GAP`, 1], for contrast c, its own plateau p and the share e at which a hair ends; pixels of
    another bar count `SHARED_WORTH` as much. Bars are added from the strongest down, moved one parameter at a time, and
    dropped when what they alone explain is too little: the greedy birth, move and death of a marked point process.

    Parameters
    ----------
    contrast : ndarray, shape (H, W), float32
    shafts : list of Shaft
        Candidates; those longer than `stiff_px` keep their path.
    stiff_px, widest_px : float
        Longest chord that is moved as a bar; largest half-width.
    end_share : float
        e above.
    least, least_px : float
        Smallest share of its area, and smallest length, that a bar must explain alone.
    long_px : float
        A bar of which this much length is dark and no other bar's is a hair, whatever share it explains: the fork of a
        narrow V is weaker than what its two hairs share.
    n_rounds : int
        Births, moves and deaths are repeated this often.

    Returns
    -------
    list of Shaft
    """
    order = sorted(range(len(shafts)), key=lambda i: -shafts[i].support)
    bars = np.array([_to_bar(shafts[i], widest_px) for i in order]).reshape(-1, 7)
    rigid = np.array([_chord(shafts[i]) < stiff_px for i in order], dtype=bool)
    count = np.zeros(contrast.shape, dtype=np.uint8)
    alive = np.zeros(len(order), dtype=bool)
    for i, at in enumerate(order):
        if not rigid[i]:
            alive[i] = _claim_path(count, shafts[at].path, min(shafts[at].half_width, widest_px), least)
    own = np.ones(len(order))
    for _ in range(n_rounds):
        _one_round(contrast, count, bars, rigid, alive, own, end_share, least, least_px, widest_px, long_px)
    settled = []
    for i, at in enumerate(order):
        if not alive[i]:
            continue
        if rigid[i]:
            settled.append(
                dataclasses.replace(shafts[at], path=_to_path(bars[i]), half_width=bars[i, 5], unexplained=own[i])
            )
        else:
            settled.append(shafts[at])
    return settled


def split_chains(
    contrast: np.ndarray, shafts: list[Shaft], *, widest_px: float, end_share: float, least: float
) -> list[Shaft]:
    """Part bars that are two hairs one behind the other, in a field whose hair is clipped to one length.

    Nothing is seen where the tip of one hair covers the root of the next in line; but no hair is longer than the
    clipper left it. Each of the two reaches from the free end as far as hair does in this field, under or over the
    other; of all such pairs it is the one that gains most (as in `settle_bars`).

    Parameters
    ----------
    contrast : ndarray, shape (H, W), float32
    shafts : list of Shaft
        Settled.
    widest_px, end_share, least : float
        As in `settle_bars`.

    Returns
    -------
    list of Shaft
        The same where lengths differ.
    """
    # what the frame cuts is shorter than the clipper left it
    lengths = [len(s.path) for s in shafts if bool(_is_inside(s.path, contrast.shape).all())]
    if len(lengths) < MIN_LENGTHS:
        return shafts
    low, usual, high = np.quantile(lengths, [0.25, 0.5, 0.75])
    if high > EVEN_LENGTHS * low:
        return shafts
    count = np.zeros(contrast.shape, dtype=np.uint8)
    bars = [_to_bar(s, widest_px) for s in shafts]
    for bar in bars:
        _mark(count, bar, 1)
    parted: list[Shaft] = []
    for shaft, bar in zip(shafts, bars, strict=True):
        links = None
        inside = _is_inside(shaft.path, contrast.shape)
        if inside.sum() > CHAIN_LENGTH * usual and (inside[0] or inside[-1]):
            _mark(count, bar, -1)
            free = (bool(inside[0]), bool(inside[-1]))
            links = _part(contrast, count, shaft, float(usual), free, widest_px, end_share, least)
            for one in [bar] if links is None else links:
                _mark(count, one, 1)
        if links is None:
            parted.append(shaft)
        else:
            parted += [dataclasses.replace(shaft, path=_to_path(one), half_width=float(one[5])) for one in links]
    return parted


def _is_inside(path: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Which points of it the image holds: a bar that the frame cuts may be drawn on beyond it."""
    return np.asarray(((path >= 0) & (path <= np.array(shape) - 1)).all(axis=1))


def _part(
    contrast: np.ndarray, count: np.ndarray, shaft: Shaft, usual_px: float, free: tuple[bool, bool], widest_px: float,
    end_share: float, least: float,
) -> tuple[np.ndarray, ...] | None:  # fmt: skip
    """Two bars in place of one, of the most gain; None where neither explains enough alone.

    Each has the usual length from its `free` end; one that the frame cuts begins where the other ends. Where only one
    explains enough it stands alone: the rest of the trace ran along a hair that has its own bar.
    """
    best, links = 0.0, None
    best_one, one = 0.0, None
    last = len(shaft.path) - 1
    links_at = [round(share * (last + 1)) for share in LINK_AT]
    if not all(free):
        links_at = [round(usual_px) if free[0] else last - round(usual_px)]
    for at in links_at:
        drawn = (at, last - at)
        for lead in (0, 1):
            # the two differ in contrast: of each its own plateau
            pair = [
                _to_bar(
                    dataclasses.replace(shaft, path=path, contrast=max(level_along(contrast, path, PLATEAU), 0.02)),
                    widest_px,
                )
                for path in (shaft.path[: at + 1], shaft.path[at:])
            ]
            for k in (lead, 1 - lead):
                _move(contrast, count, pair[k], _worth(contrast, count, pair[k], end_share)[0], end_share, widest_px)
                _reach(pair[k], usual_px if free[k] else drawn[k], from_first=k == 0)
                _mark(count, pair[k], 1)
            gain, enough = 0.0, [True, True]
            for k in (1 - lead, lead):
                _mark(count, pair[k], -1)
                more, alone, area = _worth(contrast, count, pair[k], end_share)
                gain += more
                enough[k] = alone >= least * max(area, 1.0)
            if all(enough):
                if gain > best:
                    best, links = gain, (pair[0], pair[1])
            elif any(enough):
                kept = pair[enough.index(True)]
                gain = _worth(contrast, count, kept, end_share)[0]
                if gain > best_one:
                    best_one, one = gain, (kept,)
    return one if links is None else links


def _reach(bar: np.ndarray, length_px: float, *, from_first: bool) -> None:
    """Give a bar its length from one end, in place."""
    chord = (bar[2:4] - bar[:2]) * length_px / float(np.hypot(*(bar[2:4] - bar[:2])))
    if from_first:
        bar[2:4] = bar[:2] + chord
    else:
        bar[:2] = bar[2:4] - chord


def cover_bars(shafts: list[Shaft], shape: tuple[int, int], *, margin_px: float) -> np.ndarray:
    """Mask of `shape`, True within a half-width and `margin_px` of any shaft."""
    mask = np.zeros(shape, dtype=np.uint8)
    for shaft in shafts:
        points = np.rint(shaft.path[:, ::-1]).astype(np.int32)
        thickness = max(1, round(2 * (shaft.half_width + margin_px)))
        cv2.polylines(mask, [points[:, None]], isClosed=False, color=1, thickness=thickness)
    return np.asarray(mask > 0)


def drop_crosswise(
    shafts: list[Shaft], *, near_px: float, short_px: float, least_turn_deg: float = 45.0, sure: float = math.inf
) -> list[Shaft]:
    """Drop short bars that lie across the local direction of growth and touch a stronger one: ostia and shadows.

    Parameters
    ----------
    shafts : list of Shaft
    near_px : float
        Neighbourhood that shares a direction.
    short_px : float
        Longer ones are hairs that cross.
    least_turn_deg : float
        From what angle to the direction of growth a bar lies across it.
    sure : float
        Bars of at least this contrast are hairs whichever way they lie.

    Returns
    -------
    list of Shaft
    """
    if len(shafts) < 3:
        return shafts
    chord = np.array([s.path[-1] - s.path[0] for s in shafts])
    length = np.hypot(chord[:, 0], chord[:, 1])
    double = np.exp(2j * np.arctan2(chord[:, 1], chord[:, 0]))
    weight = length * np.array([s.contrast for s in shafts])
    middle = np.array([s.path[len(s.path) // 2] for s in shafts])
    turn = math.cos(2 * math.radians(least_turn_deg))
    kept = []
    for i, shaft in enumerate(shafts):
        off = np.hypot(*(middle - middle[i]).T)
        share = weight * np.exp(-0.5 * (off / near_px) ** 2)
        share[i] = 0
        lean = np.sum(share * double) / max(float(share.sum()), 1e-9)
        across = abs(lean) > 0.5 and np.real(double[i] * np.conj(lean)) / abs(lean) < turn
        if (
            across
            and length[i] < short_px
            and shaft.contrast < sure
            and _touches_stronger(i, shafts, weight, off, length)
        ):
            continue
        kept.append(shaft)
    return kept


def _touches_stronger(i: int, shafts: list[Shaft], weight: np.ndarray, off: np.ndarray, length: np.ndarray) -> bool:
    reach = 2.5 * shafts[i].half_width + 8
    for j in np.flatnonzero((weight > weight[i]) & (off < (length + length[i]) / 2 + 2 * reach)):
        gaps = np.hypot(*(shafts[i].path[:, None] - shafts[j].path[None, ::4]).transpose(2, 0, 1))
        if gaps.min() < reach:
            return True
    return False


def _chord(shaft: Shaft) -> float:
    return float(np.hypot(*(shaft.path[-1] - shaft.path[0])))


def _to_bar(shaft: Shaft, widest_px: float) -> np.ndarray:
    first, last, middle = shaft.path[0], shaft.path[-1], shaft.path[len(shaft.path) // 2]
    chord = last - first
    length = max(float(np.hypot(*chord)), 1e-6)
    side = np.array([-chord[1], chord[0]]) / length
    sagitta = float(np.clip((middle - (first + last) / 2) @ side, -0.1 * length, 0.1 * length))
    half = min(max(shaft.half_width, 0.8), widest_px)
    return np.array([*first, *last, sagitta, half, shaft.contrast])


def _to_path(bar: np.ndarray) -> np.ndarray:
    first, last = bar[:2], bar[2:4]
    chord = last - first
    length = float(np.hypot(*chord))
    t = np.linspace(0.0, 1.0, max(3, round(length) + 1))[:, None]
    side = np.array([-chord[1], chord[0]]) / max(length, 1e-9)
    return np.asarray(first + t * chord + 4 * bar[4] * t * (1 - t) * side)


@njit(cache=True)  # pragma: no cover - compiled
def _one_round(
    contrast: np.ndarray,
    count: np.ndarray,
    bars: np.ndarray,
    rigid: np.ndarray,
    alive: np.ndarray,
    own: np.ndarray,
    end_share: float,
    least: float,
    least_px: float,
    widest_px: float,
    long_px: float,
) -> None:
    for i in range(len(bars)):
        if not rigid[i]:
            continue
        if alive[i]:
            _mark(count, bars[i], -1)
        bar = bars[i].copy()
        gain, alone, area = _worth(contrast, count, bar, end_share)
        if (
            not alive[i]
            and (alone < 0.5 * least * area or alone < 0.5 * least_px * bar[5])
            and _own_run(contrast, count, bar, end_share) < 0.5 * long_px
        ):
            continue
        gain = _move(contrast, count, bar, gain, end_share, widest_px)
        gain, alone, area = _worth(contrast, count, bar, end_share)
        length = math.hypot(bar[2] - bar[0], bar[3] - bar[1])
        run = _own_run(contrast, count, bar, end_share)
        alive[i] = (alone >= least * area or run >= long_px) and run >= least_px and length > 2.2 * bar[5]
        if alive[i]:
            bars[i] = bar
            own[i] = alone / max(area, 1.0)
            _mark(count, bar, 1)


@njit(cache=True)  # pragma: no cover - compiled
def _move(  # noqa: C901, PLR0912  one compiled ascent over eight parameters
    contrast: np.ndarray, count: np.ndarray, bar: np.ndarray, gain: float, end_share: float, widest_px: float
) -> float:
    """Coordinate ascent along the bar's own axes: each end along and across, sagitta, half-width, all sideways."""
    half_0 = bar[5]
    for step in (12.0, 4.0, 1.5):
        for _ in range(3):
            improved = False
            for what in range(2 if step > 5 else 8):
                for sign in (-1.0, 1.0):
                    trial = bar.copy()
                    d_r, d_c = bar[2] - bar[0], bar[3] - bar[1]
                    length = max(math.hypot(d_r, d_c), 1e-6)
                    d_r, d_c = d_r / length * step * sign, d_c / length * step * sign
                    if what == 0:
                        trial[0] += d_r
                        trial[1] += d_c
                    elif what == 1:
                        trial[2] += d_r
                        trial[3] += d_c
                    elif what == 2:
                        trial[0] -= d_c
                        trial[1] += d_r
                    elif what == 3:
                        trial[2] -= d_c
                        trial[3] += d_r
                    elif what == 4:
                        trial[0] -= d_c
                        trial[1] += d_r
                        trial[2] -= d_c
                        trial[3] += d_r
                    elif what == 5:
                        trial[4] += 0.5 * step * sign
                    elif what == 6:
                        trial[5] += 0.25 * step * sign
                        if not (0.7 * half_0 <= trial[5] <= widest_px):
                            continue
                    else:
                        trial[0] += d_r
                        trial[1] += d_c
                        trial[2] += d_r
                        trial[3] += d_c
                    if abs(trial[4]) > 0.1 * length:
                        continue
                    value, _alone, _area = _worth(contrast, count, trial, end_share)
                    if value > gain + 1e-6:
                        gain = value
                        bar[:] = trial
                        improved = True
            if not improved:
                break
    return gain


@njit(cache=True)  # pragma: no cover - compiled
def _worth(contrast: np.ndarray, count: np.ndarray, bar: np.ndarray, end_share: float) -> tuple[float, float, float]:
    """Gain, what the bar explains alone, and its area."""
    height, width = contrast.shape
    r_0, c_0, r_1, c_1, sagitta, half, plateau = bar
    length = math.hypot(r_1 - r_0, c_1 - c_0)
    if length < 3:
        return -1e9, 0.0, 1.0
    a_r, a_c = (r_1 - r_0) / length, (c_1 - c_0) / length
    pad = half + abs(sagitta) + 1
    gain, alone, area = 0.0, 0.0, 0.0
    scale = 1.0 / (plateau * (1 - end_share))
    for row in range(max(int(min(r_0, r_1) - pad), 0), min(int(max(r_0, r_1) + pad) + 2, height)):
        for col in range(max(int(min(c_0, c_1) - pad), 0), min(int(max(c_0, c_1) + pad) + 2, width)):
            t = ((row - r_0) * a_r + (col - c_0) * a_c) / length
            if t < 0 or t > 1:
                continue
            u = -(row - r_0) * a_c + (col - c_0) * a_r - 4 * sagitta * t * (1 - t)
            if abs(u) > half:
                continue
            value = max(DEEPEST_GAP, min(1.0, (contrast[row, col] - end_share * plateau) * scale))
            area += 1.0
            if count[row, col]:
                gain += SHARED_WORTH * value
            else:
                gain += value
                alone += value
    bend = abs(sagitta) / length - FREE_BEND
    if bend > 0:
        gain -= 4.0 * bend * area
    return gain, alone, area


@njit(cache=True)  # pragma: no cover - compiled
def _own_run(contrast: np.ndarray, count: np.ndarray, bar: np.ndarray, end_share: float) -> float:
    """Length over which most of the bar's width is dark and no other bar's: a strip beside a hair is none."""
    height, width = contrast.shape
    r_0, c_0, r_1, c_1, sagitta, half, plateau = bar
    n = max(2, int(math.hypot(r_1 - r_0, c_1 - c_0)))
    reach = max(1, int(half + 0.5))
    d_r, d_c = (r_1 - r_0) / n, (c_1 - c_0) / n
    run = 0.0
    for i in range(n):
        t = i / n
        lift = 4 * sagitta * t * (1 - t)
        own = 0
        for off in range(-reach, reach + 1):
            row = int(r_0 + i * d_r - (lift + off * half / reach) * d_c + 0.5)
            col = int(c_0 + i * d_c + (lift + off * half / reach) * d_r + 0.5)
            if not (0 <= row < height and 0 <= col < width):
                continue
            if count[row, col] == 0 and contrast[row, col] > end_share * plateau:
                own += 1
        if own >= 0.6 * (2 * reach + 1):
            run += 1.0
    return run


@njit(cache=True)  # pragma: no cover - compiled
def _mark(count: np.ndarray, bar: np.ndarray, by: int) -> None:
    height, width = count.shape
    r_0, c_0, r_1, c_1, sagitta, half, _plateau = bar
    half = half + 0.7
    length = math.hypot(r_1 - r_0, c_1 - c_0)
    a_r, a_c = (r_1 - r_0) / length, (c_1 - c_0) / length
    pad = half + abs(sagitta) + 1
    for row in range(max(int(min(r_0, r_1) - pad), 0), min(int(max(r_0, r_1) + pad) + 2, height)):
        for col in range(max(int(min(c_0, c_1) - pad), 0), min(int(max(c_0, c_1) + pad) + 2, width)):
            along = (row - r_0) * a_r + (col - c_0) * a_c
            if along < -1.5 or along > length + 1.5:
                continue
            t = min(max(along / length, 0.0), 1.0)
            u = -(row - r_0) * a_c + (col - c_0) * a_r - 4 * sagitta * t * (1 - t)
            if abs(u) <= half:
                count[row, col] += by


@njit(cache=True)  # pragma: no cover - compiled
def _claim_path(count: np.ndarray, path: np.ndarray, half: float, least: float) -> bool:
    height, width = count.shape
    reach = int(half + 1)
    free = 0
    for i in range(len(path)):
        row, col = min(max(int(path[i, 0]), 0), height - 1), min(max(int(path[i, 1]), 0), width - 1)
        free += 1 if count[row, col] == 0 else 0
    if free < least * len(path):
        return False
    for i in range(len(path)):
        for row in range(max(int(path[i, 0]) - reach, 0), min(int(path[i, 0]) + reach + 2, height)):
            for col in range(max(int(path[i, 1]) - reach, 0), min(int(path[i, 1]) + reach + 2, width)):
                if (row - path[i, 0]) ** 2 + (col - path[i, 1]) ** 2 <= half * half:
                    count[row, col] = 1
    return True
