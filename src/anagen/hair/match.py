"""Which hairs of one visit are still there at the next: persisted, lost, new, thickened, thinned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.optimize import linear_sum_assignment

from anagen.errors import InputError
from anagen.hair.measurement import Hair, HairMeasurement
from anagen.hair.region import Region
from anagen.hair.register import Registration, Warp, register_roots
from anagen.records import Estimate, Flag
from anagen.units import UM2_PER_CM2

MAX_LOG10_CHANCE = -4.0
MIN_INLIER_SHARE = 0.5
MIN_INLIERS = 7
"""What it takes to be the same site; the rate of false acceptance is measured in benchmarks/hair_match.py."""

MAX_RESIDUAL_UM = 45.0

MARGIN_UM = 120.0
"""Hairs nearer than this to the edge of the shared area are not compared: an error of a root there would turn a hair
that left the area into one that was lost. It is twice the radius within which roots are paired."""

MIN_GATE_UM, MAX_GATE_UM = 50.0, 90.0
"""How far a root may lie from its partner: four times the residual, within these bounds. Roots of one follicular unit
stand about 70 um apart."""

DIRECTION_SD_RAD = math.radians(25.0)
"""A clipped hair is combed another way at each visit; its direction weighs little against its root."""

LOG_DIAMETER_SD = 0.25

Z_CHANGED = 2.576
MIN_CHANGE = 0.10
"""A hair has thickened or thinned when the change is beyond chance at 1 % and at least 10 % of its diameter."""

MISS_RATE = 0.02
"""Share of hairs that an image misses, where nothing better is known: the benchmark's figure for counting."""

State = Literal["persisted", "thickened", "thinned"]


@dataclass(frozen=True, slots=True)
class HairPair:
    """One hair seen at both visits.

    Parameters
    ----------
    before, after : int
        Its numbers in the two measurements.
    distance_um : float
        Between the two roots after registration.
    diameter_change_um, diameter_change_sd_um : float
        After minus before, and its standard uncertainty; NaN where either diameter is unresolved.
    state : {"persisted", "thickened", "thinned"}
        ``persisted`` where no change of diameter is shown.
    """

    before: int
    after: int
    distance_um: float
    diameter_change_um: float
    diameter_change_sd_um: float
    state: State


@dataclass(frozen=True, eq=False)
class VisitMatch:
    """What became of the hairs of the area that both visits show.

    Parameters
    ----------
    pairs : tuple of HairPair
        Hairs seen at both visits, by number in the earlier one.
    lost, new : tuple of int
        Numbers of hairs seen only before, only after.
    shared_area_cm2 : float
        Area seen at both visits less its margin, measured in the earlier image; NaN when refused.
    change : Estimate
        New minus lost, in hairs.
    change_per_cm2 : Estimate
        The same over the shared area.
    warp : Warp or None
        Maps the later visit's um onto the earlier one's; None when refused.
    rotation_deg, scale : float
        Of the later image against the earlier one; NaN when refused.
    residual_um : float
        Median distance of a root from where the others predict it.
    log10_chance : float
        Bound on the chance that two different sites agree so well.
    flags : tuple of Flag
        ``not-the-same-site`` of severity ``refused`` where the images could not be brought together.
    """

    pairs: tuple[HairPair, ...]
    lost: tuple[int, ...]
    new: tuple[int, ...]
    shared_area_cm2: float
    change: Estimate
    change_per_cm2: Estimate
    warp: Warp | None
    rotation_deg: float
    scale: float
    residual_um: float
    log10_chance: float
    flags: tuple[Flag, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the two images are not shown to be the same site."""
        return any(flag.severity == "refused" for flag in self.flags)

    @property
    def n_before(self) -> int:
        """Hairs of the shared area at the earlier visit."""
        return len(self.pairs) + len(self.lost)

    @property
    def n_after(self) -> int:
        """Hairs of the shared area at the later visit."""
        return len(self.pairs) + len(self.new)


def match_visits(
    before: HairMeasurement, after: HairMeasurement, *, margin_um: float = MARGIN_UM, miss_rate: float = MISS_RATE
) -> VisitMatch:
    """Follow every hair from one visit to the next.

    Parameters
    ----------
    before, after : HairMeasurement
        Two visits of one site: turned by up to 20 degrees, scaled by up to 5 %, the skin stretched, the hair clipped
        to any length, the fields overlapping in part.
    margin_um : float
        How far inside the shared area a hair must stand to be compared, at least 0.
    miss_rate : float
        Share of hairs that one image misses, for the error of the change.

    Returns
    -------
    VisitMatch
        Refused, with the reason as a flag, when the roots do not show that it is the same site.

    Raises
    ------
    InputError
        For a margin below 0 or a rate outside 0 to 1.
    """
    if not margin_um >= 0:
        raise InputError(f"margin_um must be at least 0, got {margin_um}: give micrometres")
    if not 0 <= miss_rate < 1:
        raise InputError(f"miss_rate must lie in 0 <= rate < 1, got {miss_rate}: give the share of hairs missed")
    if before.refused or after.refused:
        return _refuse("field-refused", "a field that could not be counted cannot be followed", "photograph it again")
    roots_1, roots_2 = _roots_um(before), _roots_um(after)
    found = register_roots(roots_1, roots_2)
    if found is None:
        return _refuse("not-the-same-site", "too few roots in common to compare the two images", "check the pair")
    doubt = _doubt(found)
    if doubt is not None:
        return _refuse("not-the-same-site", *doubt, found=found)
    gate = float(np.clip(4 * found.residual_um, MIN_GATE_UM, MAX_GATE_UM))
    moved = found.warp.apply(roots_2)
    i, j = _pair(before, after, roots_1, moved, found.warp, gate)
    return _report(before, after, roots_1, moved, i, j, found, margin_um, miss_rate)


def _roots_um(measurement: HairMeasurement) -> np.ndarray:
    return np.array([hair.root_px for hair in measurement.hairs]).reshape(-1, 2) * measurement.um_per_px


def _doubt(found: Registration) -> tuple[str, str] | None:
    way_out = "check that both images show the same site; re-photograph at the tattoo or landmark"
    if len(found.before) < MIN_INLIERS or found.inlier_share < MIN_INLIER_SHARE:
        return (
            (
                f"only {len(found.before)} roots coincide, {found.inlier_share:.0%} of those in the common area "
                f"(needed: {MIN_INLIERS} and {MIN_INLIER_SHARE:.0%})"
            ),
            way_out,
        )
    if found.log10_chance > MAX_LOG10_CHANCE:
        return f"chance explains the agreement (probability bound 1e{found.log10_chance:.1f})", way_out
    if found.residual_um > MAX_RESIDUAL_UM:
        return f"roots miss each other by {found.residual_um:.0f} um (at most {MAX_RESIDUAL_UM:.0f})", way_out
    return None


def _refuse(code: str, message: str, advice: str, found: Registration | None = None) -> VisitMatch:
    nothing = Estimate(math.nan, "hairs", math.nan, math.nan, 0, "refused")
    return VisitMatch(
        (), (), (), math.nan, nothing, Estimate(math.nan, "hairs/cm2", math.nan, math.nan, 0, "refused"),
        None, math.nan, math.nan,
        math.nan if found is None else found.residual_um, 0.0 if found is None else found.log10_chance,
        (Flag(code, "refused", message, advice),),
    )  # fmt: skip


def _pair(
    before: HairMeasurement, after: HairMeasurement, roots_1: np.ndarray, moved: np.ndarray, warp: Warp, gate_um: float
) -> tuple[np.ndarray, np.ndarray]:
    """One-to-one pairs of least total cost: root distance, direction, diameter."""
    turn = math.radians(warp.rotation_deg())
    angle_1 = np.array([_direction(hair) for hair in before.hairs])
    angle_2 = np.array([_direction(hair) for hair in after.hairs]) + turn
    log_1, log_2 = (np.log([hair.diameter_um for hair in m.hairs]) for m in (before, after))
    distance = np.hypot(*(roots_1[:, None, :] - moved[None, :, :]).transpose(2, 0, 1))
    bend = np.angle(np.exp(1j * (angle_1[:, None] - angle_2[None, :])))
    thick = np.nan_to_num(log_1[:, None] - log_2[None, :], nan=0.0)
    worst = 9.0
    # The soft terms are bounded: a re-combed or thickened hair keeps its partner if the root is right.
    cost = 9.0 * (distance / gate_um) ** 2
    cost += np.minimum((bend / DIRECTION_SD_RAD) ** 2, 4.0) * 0.5
    cost += np.minimum((thick / LOG_DIAMETER_SD) ** 2, 4.0) * 0.5
    possible = distance < gate_um
    cost = np.where(possible, np.minimum(cost, worst + 4.0), 1e3)
    i, j = linear_sum_assignment(cost)
    keep = possible[i, j]
    return i[keep], j[keep]


def _direction(hair: Hair) -> float:
    """Angle of growth over the first 0.2 mm or so: the first third of the path."""
    path = hair.path_px
    ahead = path[max(1, len(path) // 3)] - path[0]
    return math.atan2(ahead[1], ahead[0])


def _report(
    before: HairMeasurement, after: HairMeasurement, roots_1: np.ndarray, moved: np.ndarray,
    i: np.ndarray, j: np.ndarray, found: Registration, margin_um: float, miss_rate: float,
) -> VisitMatch:  # fmt: skip
    shared = _SharedArea(before, after, found.warp)
    at_pair = 0.5 * (roots_1[i] + moved[j])
    inside = shared.contains(at_pair, margin_um)
    pairs = [_compare(before.hairs[a], after.hairs[b], float(np.hypot(*(roots_1[a] - moved[b]))))
             for a, b in zip(i[inside], j[inside], strict=True)]  # fmt: skip
    only_1 = np.setdiff1d(np.arange(len(roots_1)), i)
    only_2 = np.setdiff1d(np.arange(len(moved)), j)
    lost = [before.hairs[k] for k in only_1[shared.contains(roots_1[only_1], margin_um)]]
    new = [after.hairs[k] for k in only_2[shared.contains(moved[only_2], margin_um)]]
    area = shared.area_cm2(margin_um)
    change = _estimate_change(pairs, lost, new, miss_rate)
    return VisitMatch(
        pairs=tuple(sorted(pairs, key=lambda pair: pair.before)),
        lost=tuple(sorted(hair.number for hair in lost)),
        new=tuple(sorted(hair.number for hair in new)),
        shared_area_cm2=area,
        change=change,
        change_per_cm2=Estimate(
            change.value / area, "hairs/cm2", change.ci_low / area, change.ci_high / area, change.n, change.method
        ),
        warp=found.warp,
        rotation_deg=-found.warp.rotation_deg(),
        scale=1 / found.warp.scale(),
        residual_um=found.residual_um,
        log10_chance=found.log10_chance,
        flags=_note_small_overlap(area, before),
    )


def _note_small_overlap(area_cm2: float, before: HairMeasurement) -> tuple[Flag, ...]:
    share = area_cm2 / before.area_cm2
    if share >= 0.5:
        return ()
    return (
        Flag(
            "small-overlap", "warning", f"only {share:.0%} of the earlier field is compared",
            "frame both visits alike", value=share, limit=0.5,
        ),
    )  # fmt: skip


def _compare(first: Hair, second: Hair, distance_um: float) -> HairPair:
    change = second.diameter_um - first.diameter_um
    sd = math.hypot(first.diameter_sd_um, second.diameter_sd_um)
    state: State = "persisted"
    if (
        math.isfinite(change)
        and math.isfinite(sd)
        and abs(change) > max(Z_CHANGED * sd, MIN_CHANGE * first.diameter_um)
    ):
        state = "thickened" if change > 0 else "thinned"
    return HairPair(first.number, second.number, distance_um, change, sd, state)


def _estimate_change(pairs: list[HairPair], lost: list[Hair], new: list[Hair], miss_rate: float) -> Estimate:
    """Subtract lost from new; the error is that of the unpaired hairs only, for a pair cancels.

    Each unpaired hair is itself a false find with probability 1 - confidence; and each true hair may have been missed
    by the other image with `miss_rate`, which can concern no more hairs than are unpaired.
    """
    unpaired = [min(max(hair.confidence, 0.0), 1.0) for hair in (*lost, *new)]
    n_true = len(pairs) + 0.5 * len(unpaired)
    false_finds = sum(p * (1 - p) for p in unpaired)
    misses = min(2 * n_true * miss_rate * (1 - miss_rate), len(unpaired) + 1.0)
    half = 1.96 * math.sqrt(false_finds + misses)
    value = float(len(new) - len(lost))
    return Estimate(value, "hairs", value - half, value + half, len(pairs) + len(unpaired), "hairs paired one to one")


class _SharedArea:
    """Points of the earlier image's plane that both regions hold."""

    def __init__(self, before: HairMeasurement, after: HairMeasurement, warp: Warp) -> None:
        self._before, self._after, self._warp = before, after, warp
        self._back = _invert_affine(warp)

    def contains(self, points_um: np.ndarray, margin_um: float) -> np.ndarray:
        """Whether each point and a ring of `margin_um` around it lie in both regions."""
        points = np.asarray(points_um, dtype=float).reshape(-1, 2)
        angle = np.arange(12) * math.tau / 12
        ring = np.concatenate([[[0.0, 0.0]], margin_um * np.stack([np.cos(angle), np.sin(angle)], axis=1)])
        around = points[:, None, :] + ring
        inside = _holds(self._before, around) & _holds(self._after, self._to_after(around))
        return np.asarray(inside.all(axis=1))

    def area_cm2(self, margin_um: float, step_um: float = 40.0) -> float:
        """Area by counting the points of a grid."""
        height, width = (extent * self._before.um_per_px for extent in self._before.image_shape)
        rows, cols = np.meshgrid(
            np.arange(step_um / 2, height, step_um), np.arange(step_um / 2, width, step_um), indexing="ij"
        )
        grid = np.stack([rows, cols], axis=-1)
        inside = _holds(self._before, grid) & _holds(self._after, self._to_after(grid))
        clear = distance_transform_edt(np.pad(inside, 1)) * step_um - step_um / 2
        return float((clear > margin_um).sum()) * step_um**2 / UM2_PER_CM2

    def _to_after(self, points_um: np.ndarray) -> np.ndarray:
        """Invert the warp: the affine part exactly, the bending by two fixed-point steps."""
        flat = points_um.reshape(-1, 2)
        guess = flat @ self._back[1:] + self._back[0]
        for _ in range(2):
            guess = guess + (flat - self._warp.apply(guess)) @ self._back[1:]
        return np.asarray(guess.reshape(points_um.shape))


def _invert_affine(warp: Warp) -> np.ndarray:
    linear = np.linalg.inv(warp.affine[1:])
    return np.stack([-warp.affine[0] * 1e3 @ linear, *linear])


def _holds(measurement: HairMeasurement, points_um: np.ndarray) -> np.ndarray:
    at = points_um / measurement.um_per_px
    height, width = measurement.image_shape
    inside = (at[..., 0] >= -0.5) & (at[..., 0] < height - 0.5) & (at[..., 1] >= -0.5) & (at[..., 1] < width - 0.5)
    region: Region | None = measurement.region
    return np.asarray(inside if region is None else inside & region.contains(at))
