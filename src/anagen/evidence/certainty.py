"""How certain a body of evidence is: GRADE's domains, each with its reason, and a summary-of-findings table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from anagen.errors import InputError
from anagen.evidence.pool import PooledEffect

Certainty = Literal["very low", "low", "moderate", "high"]
DomainName = Literal[
    "risk of bias",
    "inconsistency",
    "indirectness",
    "imprecision",
    "publication bias",
    "large effect",
    "dose response",
    "opposing confounding",
]
LEVELS: Final[tuple[Certainty, ...]] = ("very low", "low", "moderate", "high")
LOWERING: Final = ("risk of bias", "inconsistency", "indirectness", "imprecision", "publication bias")
RAISING: Final = ("large effect", "dose response", "opposing confounding")
GRADE_SOURCE: Final = "GRADE guidelines 1 to 9, J Clin Epidemiol 2011"


@dataclass(frozen=True, slots=True)
class GradeDomain:
    """One step of the judgement.

    Parameters
    ----------
    domain : str
        One of GRADE's eight.
    levels : int
        -3 to 0 for the five that lower, 0 to 2 for the three that raise.
    reason : str
        Why; never empty.
    """

    domain: DomainName
    levels: int
    reason: str


@dataclass(frozen=True, slots=True)
class GradedCertainty:
    """A certainty and how it was reached.

    Parameters
    ----------
    certainty : str
        very low, low, moderate or high.
    start : str
        Where the design begins.
    domains : tuple of GradeDomain
        Every step with its reason.
    """

    certainty: Certainty
    start: Certainty
    domains: tuple[GradeDomain, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of a summary of findings.

    Parameters
    ----------
    comparison, outcome : str
        What was compared, and what was measured.
    n_studies, n_people : int
        How much it rests on.
    effect : str
        The pooled effect as printed, or why there is none.
    graded : GradedCertainty
        How certain it is.
    """

    comparison: str
    outcome: str
    n_studies: int
    n_people: int
    effect: str
    graded: GradedCertainty


def grade_certainty(domains: Sequence[GradeDomain], *, randomised: bool) -> GradedCertainty:
    """Add up the steps of a GRADE judgement.

    Randomised trials begin at high, all else at low. Raising applies only to evidence that no domain lowers, as GRADE
    asks.

    Parameters
    ----------
    domains : sequence of GradeDomain
        Each domain at most once; the five that can lower certainty must all be judged.
    randomised : bool
        Whether the evidence is of randomised comparisons.

    Returns
    -------
    GradedCertainty

    References
    ----------
    Balshem H et al. J Clin Epidemiol 2011;64:401. Guyatt GH et al. J Clin Epidemiol 2011;64:1311.

    Examples
    --------
    >>> steps = [GradeDomain(name, -1, "for the example") for name in LOWERING]
    >>> grade_certainty(steps, randomised=True).certainty
    'very low'
    """
    names = [domain.domain for domain in domains]
    missing = [name for name in LOWERING if name not in names]
    if missing or len(set(names)) < len(names):
        raise InputError(f"judge each lowering domain once: missing {missing}, got {names}")
    for domain in domains:
        low, high = (-3, 0) if domain.domain in LOWERING else (0, 2)
        if not low <= domain.levels <= high:
            raise InputError(f"{domain.domain}: levels must be {low} to {high}, got {domain.levels}")
        if not domain.reason.strip():
            raise InputError(f"{domain.domain}: a judgement needs its reason")
    start: Certainty = "high" if randomised else "low"
    down = sum(domain.levels for domain in domains if domain.domain in LOWERING)
    up = sum(domain.levels for domain in domains if domain.domain in RAISING) if down == 0 else 0
    place = min(3, max(0, LEVELS.index(start) + down + up))
    return GradedCertainty(LEVELS[place], start, tuple(domains))


def judge_inconsistency(pooled: PooledEffect) -> GradeDomain:
    """Judge how far studies disagree: from the number of studies and the prediction interval against the interval.

    One level down when the prediction interval reaches no effect and the confidence interval does not, or I2 is above
    50 %; two when I2 is above 90 %. One study shows no disagreement and no agreement: no step, and the reason says so.
    """
    if pooled.n_studies == 1:
        return GradeDomain("inconsistency", 0, "one study: agreement cannot be judged")
    spread = f"I2 {pooled.i2:.0f} %, tau {pooled.tau2**0.5:.3g}, {pooled.n_studies} studies"
    if pooled.i2 > 90:
        return GradeDomain("inconsistency", -2, f"{spread}: the studies do not estimate one effect")
    excludes = pooled.ci_low > 0 or pooled.ci_high < 0
    predicts = pooled.prediction_low > 0 or pooled.prediction_high < 0
    if pooled.i2 > 50 or (excludes and not predicts):
        return GradeDomain("inconsistency", -1, f"{spread}: a new study may find no effect")
    return GradeDomain("inconsistency", 0, spread)


def judge_imprecision(pooled: PooledEffect, *, smallest_important: float, n_people: int, n_needed: int) -> GradeDomain:
    """Judge precision by the interval and by the number of people.

    One level down when the interval includes the smallest important difference or 0; one more with fewer people than
    one adequate trial needs.
    """
    if smallest_important <= 0:
        raise InputError(f"smallest_important must be above 0, got {smallest_important}")
    steps, reasons = 0, [f"interval {pooled.ci_low:.3g} to {pooled.ci_high:.3g}"]
    edges = [edge for edge in (0.0, smallest_important) if pooled.ci_low < edge < pooled.ci_high]
    if edges:
        steps -= 1
        reasons.append("it includes " + " and ".join(f"{edge:g}" for edge in edges))
    if n_people < n_needed:
        steps -= 1
        reasons.append(f"{n_people} people, where one adequate trial needs {n_needed}")
    return GradeDomain("imprecision", steps, "; ".join(reasons))


def summarise_findings(findings: Sequence[Finding]) -> pl.DataFrame:
    """One row a finding: comparison, outcome, studies, people, effect, certainty, why."""
    rows = [
        {
            "comparison": f.comparison,
            "outcome": f.outcome,
            "studies": f.n_studies,
            "people": f.n_people,
            "effect": f.effect,
            "certainty": f.graded.certainty,
            "why": "; ".join(f"{d.domain} {d.levels:+d}: {d.reason}" for d in f.graded.domains if d.levels)
            or "no domain lowers it",
        }
        for f in findings
    ]
    return pl.DataFrame(rows)
