"""Follicular units: which hairs leave the skin together."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from anagen.errors import InputError
from anagen.hair.measurement import HairMeasurement

UNIT_DISTANCE_UM = 250.0
"""Greatest distance between two roots of one unit: the threshold that best parts lone hairs from grouped ones on
annotated phototrichograms, balanced accuracy 0.90 (0.88 at 200 um, 0.89 at 300 um)."""

SENSITIVITY_UM = (200.0, 250.0, 300.0)

MAX_HAIRS = 5
"""Natural units hold 1 to 4 hairs, seldom 5 (Headington 1984, Arch Dermatol 120:449)."""

MAX_ANGLE_DEG = 60.0
"""Hairs of one unit leave in a narrow fan; the bound is loose because clipped stubs lean with the comb."""


@dataclass(frozen=True, slots=True)
class UnitSummary:
    """Follicular units of one field.

    Parameters
    ----------
    n_units : int
        How many.
    units_per_cm2, hairs_per_unit : float
        NaN for a refused field and where there is no unit.
    share_1, share_2, share_3, share_4_or_more : float
        Share of units with that many hairs; NaN without units.
    distance_um : float
        The distance they were formed with; it moves every figure, so a protocol fixes it.
    """

    n_units: int
    units_per_cm2: float
    hairs_per_unit: float
    share_1: float
    share_2: float
    share_3: float
    share_4_or_more: float
    distance_um: float


def form_units(
    measurement: HairMeasurement,
    *,
    distance_um: float = UNIT_DISTANCE_UM,
    max_hairs: int = MAX_HAIRS,
    max_angle_deg: float = MAX_ANGLE_DEG,
) -> HairMeasurement:
    """Give each hair the number of its follicular unit.

    Complete linkage of the roots: every two roots of a unit lie within `distance_um` and every two hairs leave within
    `max_angle_deg`, so no chain grows through a dense field. A cluster of more than `max_hairs` is cut at a smaller
    distance.

    Parameters
    ----------
    measurement : HairMeasurement
        Hairs with or without units.
    distance_um : float
        Above 0.
    max_hairs : int
        At least 1.
    max_angle_deg : float
        Above 0; 180 switches the condition off.

    Returns
    -------
    HairMeasurement
        The same with `unit` set, numbered from 1 in the order of their first hair.
    """
    if not (distance_um > 0 and max_hairs >= 1 and max_angle_deg > 0):
        raise InputError(
            f"distance_um and max_angle_deg must be above 0 and max_hairs at least 1, got {distance_um}, "
            f"{max_angle_deg}, {max_hairs}"
        )
    labels = _cluster(measurement, distance_um, max_hairs, math.radians(max_angle_deg))
    first_seen = {label: k for k, label in enumerate(dict.fromkeys(labels), start=1)}
    hairs = (replace(hair, unit=first_seen[label]) for hair, label in zip(measurement.hairs, labels, strict=True))
    return replace(measurement, hairs=tuple(hairs))


def summarise_units(measurement: HairMeasurement, *, distance_um: float = UNIT_DISTANCE_UM) -> UnitSummary:
    """Form units at `distance_um` and count them."""
    formed = form_units(measurement, distance_um=distance_um)
    sizes = list(Counter(hair.unit for hair in formed.hairs).values())
    n = len(sizes)
    if n == 0 or formed.refused:
        density = math.nan if formed.refused else 0.0
        return UnitSummary(0, density, math.nan, math.nan, math.nan, math.nan, math.nan, distance_um)
    one, two, three = (sum(size == k for size in sizes) / n for k in (1, 2, 3))
    more = sum(size >= 4 for size in sizes) / n
    return UnitSummary(n, n / formed.area_cm2, sum(sizes) / n, one, two, three, more, distance_um)


def unit_sensitivity(measurement: HairMeasurement) -> tuple[UnitSummary, ...]:
    """Summaries at 200, 250 and 300 um: how far the threshold moves the figures."""
    return tuple(summarise_units(measurement, distance_um=distance) for distance in SENSITIVITY_UM)


def _cluster(measurement: HairMeasurement, distance_um: float, max_hairs: int, max_angle: float) -> list[int]:
    n = len(measurement.hairs)
    if n < 2:
        return [1] * n
    roots = np.array([hair.root_px for hair in measurement.hairs]) * measurement.um_per_px
    apart = np.hypot(*(roots[:, None] - roots[None]).transpose(2, 0, 1))
    angle = np.array([_direction(hair.path_px) for hair in measurement.hairs])
    turn = np.abs(np.angle(np.exp(1j * (angle[:, None] - angle[None]))))
    apart[(turn > max_angle) & ~np.eye(n, dtype=bool)] = 1e9
    tree = linkage(squareform(apart, checks=False), method="complete")
    labels = fcluster(tree, distance_um, criterion="distance")
    while too_big := [label for label, size in Counter(labels.tolist()).items() if size > max_hairs]:
        for label in too_big:
            members = np.flatnonzero(labels == label)
            inner = linkage(squareform(apart[np.ix_(members, members)], checks=False), method="complete")
            labels[members] = labels.max() + fcluster(inner, 2, criterion="maxclust")
    return [int(label) for label in labels]


def _direction(path_px: np.ndarray) -> float:
    ahead = path_px[max(1, len(path_px) // 3)] - path_px[0]
    return math.atan2(ahead[1], ahead[0])
