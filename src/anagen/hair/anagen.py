"""Which hairs are growing: two photographs of one clipped site, two or three days apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr, stdtrit

from anagen.errors import InputError
from anagen.hair.match import VisitMatch, match_visits
from anagen.hair.measurement import HairMeasurement
from anagen.records import Estimate, Flag

MIN_DAYS, MAX_DAYS = 1.0, 4.0
"""Sooner, growth (about 0.3 mm a day) is lost in the error of the length; later, hairs cross and leave the field."""

GROWING_UM_PER_DAY = 120.0
"""A hair that lengthened faster grows; scalp hair in anagen grows 0.2 to 0.5 mm a day, so this lies well below the
slowest and above any resting hair's error."""

LENGTH_SD_UM = 30.0
"""Standard uncertainty of one length, where the caller has no better: root and tip are each found to about 20 um."""

LENGTH_RELATIVE_SD = 0.04
"""Foreshortening: a stub leans a few degrees differently in the second image."""

CERTAIN = 0.95
Z = 1.959963984540054

Phase = Literal["anagen", "telogen", "indeterminate"]


@dataclass(frozen=True, slots=True)
class HairGrowth:
    """One hair seen in both photographs.

    Parameters
    ----------
    before, after : int
        Its numbers in the two measurements.
    growth_um : float
        Later length minus earlier one, corrected for the stretch between the images.
    growth_sd_um : float
        Its standard uncertainty.
    phase : {"anagen", "telogen", "indeterminate"}
        Indeterminate where the length's error leaves more than 5 % chance of the other phase.
    """

    before: int
    after: int
    growth_um: float
    growth_sd_um: float
    phase: Phase


@dataclass(frozen=True, eq=False)
class AnagenMeasurement:
    """Growth of the hairs of one site.

    Parameters
    ----------
    hairs : tuple of HairGrowth
        Every hair seen twice.
    n_anagen, n_telogen, n_indeterminate : int
        Their phases.
    anagen_fraction : Estimate
        Share of hairs that grow; the interval is Wilson's, widened by all indeterminate hairs being one or the other.
    growth_rate_mm_per_day : Estimate
        Mean over the anagen hairs.
    days : float
        Between the photographs.
    match : VisitMatch
        How they were brought together.
    flags : tuple of Flag
        Of the match; and what a reader must know of the growth.
    """

    hairs: tuple[HairGrowth, ...]
    n_anagen: int
    n_telogen: int
    n_indeterminate: int
    anagen_fraction: Estimate
    growth_rate_mm_per_day: Estimate
    days: float
    match: VisitMatch
    flags: tuple[Flag, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the two photographs are not shown to be the same site."""
        return any(flag.severity == "refused" for flag in self.flags)


def measure_anagen(
    before: HairMeasurement, after: HairMeasurement, *, days: float,
    growing_um_per_day: float = GROWING_UM_PER_DAY, length_sd_um: float = LENGTH_SD_UM,
) -> AnagenMeasurement:  # fmt: skip
    """Measure the growth of every hair and the share that grows.

    Parameters
    ----------
    before, after : HairMeasurement
        The site just clipped, and the same site `days` later, not clipped again.
    days : float
        1 to 4; 2 or 3 are usual.
    growing_um_per_day : float
        Threshold between anagen and telogen, above 0.
    length_sd_um : float
        Standard uncertainty of one length, above 0.

    Returns
    -------
    AnagenMeasurement
        Refused, with the flag of the match, when it is not the same site.

    Raises
    ------
    InputError
        For days outside 1 to 4, or a threshold or uncertainty that is not above 0.
    """
    if not MIN_DAYS <= days <= MAX_DAYS:
        raise InputError(
            f"days must lie in {MIN_DAYS:g} to {MAX_DAYS:g}, got {days}: photograph 2 or 3 days after clipping"
        )
    if not (growing_um_per_day > 0 and length_sd_um > 0):
        raise InputError(
            f"growing_um_per_day and length_sd_um must be above 0, got {growing_um_per_day} and {length_sd_um}"
        )
    match = match_visits(before, after)
    if match.refused:
        nothing = Estimate(math.nan, "1", math.nan, math.nan, 0, "refused")
        return AnagenMeasurement((), 0, 0, 0, nothing, nothing, days, match, match.flags)
    hairs = _grow(before, after, match, days, growing_um_per_day, length_sd_um)
    return _summarise(hairs, days, match)


def _grow(
    before: HairMeasurement, after: HairMeasurement, match: VisitMatch, days: float, growing: float, length_sd: float
) -> tuple[HairGrowth, ...]:
    first = {hair.number: hair for hair in before.hairs}
    second = {hair.number: hair for hair in after.hairs}
    found = []
    for pair in match.pairs:
        short, long = first[pair.before].length_um, second[pair.after].length_um / match.scale
        growth = long - short
        sd = math.hypot(math.sqrt(2) * length_sd, LENGTH_RELATIVE_SD * min(short, long))
        chance = float(ndtr((growth - growing * days) / sd))
        phase: Phase = "anagen" if chance > CERTAIN else "telogen" if chance < 1 - CERTAIN else "indeterminate"
        found.append(HairGrowth(pair.before, pair.after, growth, sd, phase))
    return tuple(found)


def _summarise(hairs: tuple[HairGrowth, ...], days: float, match: VisitMatch) -> AnagenMeasurement:
    n_anagen, n_telogen, n_unsure = (sum(h.phase == p for h in hairs) for p in ("anagen", "telogen", "indeterminate"))
    n = len(hairs)
    known = n_anagen + n_telogen
    share = n_anagen / known if known else math.nan
    low, _ = wilson_interval(n_anagen, n)
    _, high = wilson_interval(n_anagen + n_unsure, n)
    fraction = Estimate(
        share, "1", low, high, n, "anagen over anagen and telogen; Wilson, indeterminate hairs both ways"
    )
    flags = list(match.flags)
    if n and n_unsure > 0.15 * n:
        flags.append(
            Flag(
                "anagen-indeterminate", "warning", f"{n_unsure} of {n} hairs may be growing or resting",
                "photograph a day later or in better focus", value=n_unsure / n, limit=0.15,
            )
        )  # fmt: skip
    return AnagenMeasurement(
        hairs, n_anagen, n_telogen, n_unsure, fraction, _rate(hairs, days), days, match, tuple(flags)
    )


def _rate(hairs: tuple[HairGrowth, ...], days: float) -> Estimate:
    rate = np.array([hair.growth_um for hair in hairs if hair.phase == "anagen"]) / 1000 / days
    n, method = len(rate), "mean over anagen hairs, t interval"
    if n < 2:
        return Estimate(float(rate[0]) if n else math.nan, "mm/day", math.nan, math.nan, n, method)
    half = float(stdtrit(n - 1, 0.975)) * float(rate.std(ddof=1)) / math.sqrt(n)
    mean = float(rate.mean())
    return Estimate(mean, "mm/day", mean - half, mean + half, n, method)


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """Two-sided 95 % interval of a share (Wilson 1927, JASA 22:209).

    Examples
    --------
    >>> low, high = wilson_interval(8, 10)
    >>> print(f"{low:.3f} {high:.3f}")
    0.490 0.943
    """
    if n == 0:
        return math.nan, math.nan
    share, z2 = successes / n, Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return max(middle - half, 0.0), min(middle + half, 1.0)
