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
from anagen.hair.second_look import SecondLook, Sight, Visit, look_again
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
CURVES_DIFFER = "transfer-curves-differ"

ERROR_RATE = 0.04
"""Share of hairs that one image misses, and again the share that it invents, where nothing better is known: two human
annotations of one field agree at F1 0.95, 5 % of hairs in one and not in the other."""

MISSED_CHANGES = 0.08
"""Least share of changed hairs that neither trace nor look shows, most of them touching another over their whole length
or rooted at the edge of the shared area. Chosen so that 108 rendered pairs' errors scatter as their intervals say."""

SAME_SHAFT_UM = 30.0
"""Two hairs, each traced at one visit only and each seen again at the other, are one when their middles lie this near:
their roots were found at different ends, or one was cut short by glare."""

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
        Numbers of hairs seen only before, only after. With the images: of those whose place in the other image is bare.
    shared_area_cm2 : float
        Area seen at both visits less its margin, measured in the earlier image; NaN when refused.
    change : Estimate
        New minus lost, in hairs. With the images every hair that was traced at one visit only counts with the
        probability that it is not in the other image.
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
    looks : tuple of SecondLook
        What the other image shows at the place of each hair that was traced at one visit only; empty without images.
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
    looks: tuple[SecondLook, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the two images are not shown to be the same site."""
        return any(flag.severity == "refused" for flag in self.flags)

    @property
    def n_before(self) -> int:
        """Hairs of the shared area at the earlier visit, also those that were traced at the later one only."""
        return len(self.pairs) + len(self.lost) + len(self.overlooked) + self._n_more("before")

    @property
    def n_after(self) -> int:
        """Hairs of the shared area at the later visit, also those that were traced at the earlier one only."""
        return len(self.pairs) + len(self.new) + len(self.overlooked) + self._n_more("after")

    def _n_more(self, visit: Visit) -> int:
        """Hairs of one visit that are neither paired nor in `lost`, `new` or `overlooked`."""
        return sum(
            look.visit == visit and (look.verdict == "indeterminate" or (look.touching and look.verdict == "absent"))
            for look in self.looks
        )

    @property
    def overlooked(self) -> tuple[SecondLook, ...]:
        """Hairs that were traced at one visit only and are seen in the other image too."""
        return tuple(look for look in self.looks if look.verdict == "present")

    @property
    def indeterminate(self) -> tuple[SecondLook, ...]:
        """Hairs that were traced at one visit only, of which the other image does not say whether they are there."""
        return tuple(look for look in self.looks if look.verdict == "indeterminate")


def match_visits(
    before: HairMeasurement,
    after: HairMeasurement,
    *,
    images: tuple[np.ndarray, np.ndarray] | None = None,
    margin_um: float = MARGIN_UM,
    error_rate: float = ERROR_RATE,
) -> VisitMatch:
    """Follow every hair from one visit to the next.

    Parameters
    ----------
    before, after : HairMeasurement
        Two visits of one site: turned by up to 20 degrees, scaled by up to 5 %, the skin stretched, the hair clipped
        to any length, the fields overlapping in part.
    images : tuple of ndarray, optional
        The two photographs, uint8, each of its measurement's shape (H, W, 3). With them each hair that was traced at
        one visit only is looked for in the other image (docs/methods/hair-match.md); without, it counts as a change.
    margin_um : float
        How far inside the shared area a hair must stand to be compared, at least 0.
    error_rate : float
        Share of hairs that one image misses, and again invents; for the error of the change where there are no images.

    Returns
    -------
    VisitMatch
        Refused, with the reason as a flag, when the roots do not show that it is the same site.

    Raises
    ------
    InputError
        For a margin below 0, a rate outside 0 to 1, or images of another shape than the measurements'.
    """
    if not margin_um >= 0:
        raise InputError(f"margin_um must be at least 0, got {margin_um}: give micrometres")
    if not 0 <= error_rate < 1:
        raise InputError(f"error_rate must lie in 0 <= rate < 1, got {error_rate}: give the share of hairs missed")
    for image, measurement in zip(images or (), (before, after), strict=False):
        if image.shape != (*measurement.image_shape, 3) or image.dtype != np.uint8:
            raise InputError(
                f"images must be uint8 of the shape that was measured, {(*measurement.image_shape, 3)}, got "
                f"{image.dtype} {image.shape}: give the photographs in the order of the measurements"
            )
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
    return _report(before, after, roots_1, moved, i, j, found, margin_um, error_rate, images)


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
    i: np.ndarray, j: np.ndarray, found: Registration, margin_um: float, error_rate: float,
    images: tuple[np.ndarray, np.ndarray] | None,
) -> VisitMatch:  # fmt: skip
    shared = _SharedArea(before, after, found.warp)
    only_1, only_2 = np.setdiff1d(np.arange(len(roots_1)), i), np.setdiff1d(np.arange(len(moved)), j)
    only_1 = only_1[shared.contains(roots_1[only_1], margin_um)]
    only_2 = only_2[shared.contains(moved[only_2], margin_um)]
    looks: tuple[SecondLook, ...] = ()
    if images is not None:
        inside = shared.contains(0.5 * (roots_1[i] + moved[j]), margin_um)
        looks = look_again(
            Sight(before, images[0], i, only_1, i[inside], found.warp.invert),
            Sight(after, images[1], j, only_2, j[inside], found.warp.apply),
        )
        again_1, again_2, looks = _rejoin(before, after, found.warp, looks)
        i, j = np.concatenate([i, again_1]), np.concatenate([j, again_2])
        only_1, only_2 = np.setdiff1d(only_1, again_1), np.setdiff1d(only_2, again_2)
    inside = shared.contains(0.5 * (roots_1[i] + moved[j]), margin_um)
    pairs = [_compare(before.hairs[a], after.hairs[b], float(np.hypot(*(roots_1[a] - moved[b]))))
             for a, b in zip(i[inside], j[inside], strict=True)]  # fmt: skip
    lost, new = _unpaired(before, only_1, "before", looks), _unpaired(after, only_2, "after", looks)
    area = shared.area_cm2(margin_um)
    if images is None:
        change = _estimate_change(len(pairs), len(lost), len(new), error_rate)
    else:
        change = _estimate_seen_change(len(pairs), looks)
    return VisitMatch(
        pairs=tuple(sorted(pairs, key=lambda pair: pair.before)),
        lost=lost,
        new=new,
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
        flags=_note_small_overlap(area, before) + _note_curves(before, after),
        looks=looks,
    )


def _unpaired(
    measurement: HairMeasurement, only: np.ndarray, visit: Visit, looks: tuple[SecondLook, ...]
) -> tuple[int, ...]:
    """Numbers of the hairs seen at one visit only; where they were looked for, of those whose place is bare."""
    numbers = {measurement.hairs[k].number for k in only}
    kept = {look.number for look in looks if look.visit == visit and look.verdict != "absent" and not look.touching}
    return tuple(sorted(numbers - kept))


def _rejoin(
    before: HairMeasurement, after: HairMeasurement, warp: Warp, looks: tuple[SecondLook, ...]
) -> tuple[np.ndarray, np.ndarray, tuple[SecondLook, ...]]:
    """Pair overlooked hairs of the two visits that are one shaft, its root found at different places."""
    index_1 = {hair.number: k for k, hair in enumerate(before.hairs)}
    index_2 = {hair.number: k for k, hair in enumerate(after.hairs)}
    seen = [look for look in looks if look.verdict == "present" and not look.touching]
    here, there = ([look for look in seen if look.visit == visit] for visit in ("before", "after"))
    if not here or not there:
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int), looks
    paths_1 = [before.hairs[index_1[look.number]].path_px * before.um_per_px for look in here]
    paths_2 = [warp.apply(after.hairs[index_2[look.number]].path_px * after.um_per_px) for look in there]
    apart = np.array([[_apart(p, q) for q in paths_2] for p in paths_1])
    a, b = linear_sum_assignment(np.minimum(apart, 1e3))
    near = apart[a, b] < SAME_SHAFT_UM
    a, b = a[near], b[near]
    joined = {("before", here[k].number) for k in a} | {("after", there[k].number) for k in b}
    return (
        np.array([index_1[here[k].number] for k in a], dtype=int),
        np.array([index_2[there[k].number] for k in b], dtype=int),
        tuple(look for look in looks if look.touching or (look.visit, look.number) not in joined),
    )


def _apart(first: np.ndarray, second: np.ndarray) -> float:
    """How far the middle half of the shorter path lies from the other."""
    short, long = sorted((first, second), key=lambda path: float(np.hypot(*(path[-1] - path[0]))))
    middle = short[len(short) // 4 : max(3 * len(short) // 4, len(short) // 4 + 1)]
    along = np.linspace(0, len(long) - 1, 4 * len(long))
    dense = np.stack([np.interp(along, np.arange(len(long)), long[:, axis]) for axis in (0, 1)], axis=1)
    return float(np.median(np.hypot(*(middle[:, None] - dense[None]).transpose(2, 0, 1)).min(axis=1)))


def _note_curves(before: HairMeasurement, after: HairMeasurement) -> tuple[Flag, ...]:
    """Under another transfer curve every hair of an image is measured thicker, or thinner."""
    if not abs(before.gamma - after.gamma) > 1e-6:
        return ()
    return (
        Flag(
            CURVES_DIFFER,
            "warning",
            f"diameters were measured under gamma {before.gamma:g} before and {after.gamma:g} after: hairs may seem to "
            "have thickened or thinned together",
            "give the camera's gamma (column gamma of images.csv, or --gamma), and photograph with one camera",
        ),
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


def _estimate_change(n_pairs: int, n_lost: int, n_new: int, error_rate: float) -> Estimate:
    """Subtract lost from new; the error is that of the unpaired hairs only, for a pair cancels.

    Each image misses and invents hairs independently: a variance of 4 n rate (1 - rate). It cannot exceed that of all
    unpaired hairs being such errors (McNemar 1947, Psychometrika 12:153), one more added so that none is not proof.
    """
    n_unpaired = n_lost + n_new
    n = n_pairs + 0.5 * n_unpaired
    half = 1.96 * math.sqrt(min(4 * n * error_rate * (1 - error_rate), n_unpaired + 1.0))
    value = float(n_new - n_lost)
    return Estimate(value, "hairs", value - half, value + half, n_pairs + n_unpaired, "hairs paired one to one")


def _estimate_seen_change(n_pairs: int, looks: tuple[SecondLook, ...]) -> Estimate:
    """Weigh each hair that one visit lacks by the probability that it is not there.

    Variance: that of the verdicts, p (1 - p) each; and that of the changed hairs which neither look can show, because
    their own visit's trace missed them. Unchanged hairs tell how often a visit misses one: u were seen at both visits
    but traced at one, so a hair is missed with chance q = (u + 1) / (2 n + u + 2), at least `MISSED_CHANGES`, and m
    changes seen stand for m q / (1 - q) more.
    """
    gone = np.array([1 - look.presence for look in looks])
    sign = np.array([1.0 if look.visit == "after" else -1.0 for look in looks])
    value = float(sign @ gone)
    n_overlooked = float(len(looks) - gone.sum())
    missed = max((n_overlooked + 1) / (2 * n_pairs + n_overlooked + 2), MISSED_CHANGES)
    variance = float(gone @ (1 - gone)) + (float(gone.sum()) + 1) * missed / (1 - missed)
    half = 1.96 * math.sqrt(variance)
    return Estimate(
        value,
        "hairs",
        value - half,
        value + half,
        n_pairs + len(looks),
        "hairs paired one to one, the rest looked for again",
    )


class _SharedArea:
    """Points of the earlier image's plane that both regions hold."""

    def __init__(self, before: HairMeasurement, after: HairMeasurement, warp: Warp) -> None:
        self._before, self._after, self._warp = before, after, warp

    def contains(self, points_um: np.ndarray, margin_um: float) -> np.ndarray:
        """Whether each point and a ring of `margin_um` around it lie in both regions."""
        points = np.asarray(points_um, dtype=float).reshape(-1, 2)
        angle = np.arange(12) * math.tau / 12
        ring = np.concatenate([[[0.0, 0.0]], margin_um * np.stack([np.cos(angle), np.sin(angle)], axis=1)])
        around = points[:, None, :] + ring
        inside = _holds(self._before, around) & _holds(self._after, self._warp.invert(around))
        return np.asarray(inside.all(axis=1))

    def area_cm2(self, margin_um: float, step_um: float = 40.0) -> float:
        """Area by counting the points of a grid."""
        height, width = (extent * self._before.um_per_px for extent in self._before.image_shape)
        rows, cols = np.meshgrid(
            np.arange(step_um / 2, height, step_um), np.arange(step_um / 2, width, step_um), indexing="ij"
        )
        grid = np.stack([rows, cols], axis=-1)
        inside = _holds(self._before, grid) & _holds(self._after, self._warp.invert(grid))
        clear = distance_transform_edt(np.pad(inside, 1)) * step_um - step_um / 2
        return float((clear > margin_um).sum()) * step_um**2 / UM2_PER_CM2


def _holds(measurement: HairMeasurement, points_um: np.ndarray) -> np.ndarray:
    at = points_um / measurement.um_per_px
    height, width = measurement.image_shape
    inside = (at[..., 0] >= -0.5) & (at[..., 0] < height - 0.5) & (at[..., 1] >= -0.5) & (at[..., 1] < width - 0.5)
    region: Region | None = measurement.region
    return np.asarray(inside if region is None else inside & region.contains(at))
