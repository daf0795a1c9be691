"""From a study's results to the plain facts that the verdict rests on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from anagen.errors import NotEnoughDataError
from anagen.evidence.verdict import ArmFacts, HarmFacts, OutcomeFacts, SatisfactionFacts, TrialFacts
from anagen.records import Estimate
from anagen.study.folder import Study
from anagen.workflows.analyse import MIN_PAIRS, OutcomeAnalysis
from anagen.workflows.follow import FollowedHairs
from anagen.workflows.results import StudyResults

Z95: Final = 1.959964
BLINDING = {
    "open": "none",
    "assessor": "assessors only",
    "single": "patients only",
    "double": "patients and assessors",
}


def gather_facts(results: StudyResults) -> TrialFacts:
    """Say what was done and found, without judging it.

    Parameters
    ----------
    results : StudyResults
        What the run found.

    Returns
    -------
    TrialFacts

    Raises
    ------
    NotEnoughDataError
        When the protocol has no outcome that is measured on people's hair.
    """
    study = results.study
    hair = [analysis for analysis in results.analyses if analysis.outcome.kind != "survey"]
    if not hair:
        raise NotEnoughDataError("the protocol has no hair outcome: add one of kind density, diameter or thickness")
    n_tests = sum(len(analysis.main_comparisons) for analysis in results.analyses)
    return TrialFacts(
        design=study.protocol.design.kind,
        comparator=_comparator(study),
        arms=_arms(study, hair[0]),
        outcomes=tuple(_outcome(analysis, max(n_tests, 1), results.followed) for analysis in hair),
        randomised=study.protocol.design.randomised,
        blinding=BLINDING[study.protocol.design.blinding],  # type: ignore[arg-type]
        harms=_harms(results),
        follow_up_weeks=max(visit.week for visit in study.protocol.visits),
        satisfaction=_satisfaction(results),
        bias=None if study.bias is None else study.bias.judgement.overall,  # type: ignore[arg-type]
        bias_tool="" if study.bias is None else study.bias.judgement.instrument,
        certainty=None if study.bias is None else study.bias.certainty,
    )


def _comparator(study: Study) -> Any:
    if study.protocol.design.kind == "single-arm":
        return "none"
    words = " ".join(f"{arm.name} {arm.description}" for arm in study.protocol.arms if arm.control).casefold()
    for comparator, marks in (
        ("sham", ("sham", "saline", "vehicle")),
        ("placebo", ("placebo",)),
        ("no-treatment", ("untreated", "no treatment", "observation")),
    ):
        if any(mark in words for mark in marks):
            return comparator
    return "active"


def _arms(study: Study, primary: OutcomeAnalysis) -> tuple[ArmFacts, ...]:
    analysed = primary.values.filter(primary.values["visit"].is_in(list(primary.outcome.visits)))
    if study.protocol.design.kind != "parallel":
        name = study.protocol.arms[0].name
        return (ArmFacts(name, len(study.enrolled), analysed["participant"].n_unique()),)
    return tuple(
        ArmFacts(
            arm.name,
            sum(person.arm == arm.name for person in study.enrolled),
            analysed.filter(analysed["arm"] == arm.name)["participant"].n_unique(),
        )
        for arm in study.protocol.arms
    )


def _outcome(analysis: OutcomeAnalysis, n_tests: int, followed: Sequence[FollowedHairs]) -> OutcomeFacts:
    outcome = analysis.outcome
    last = analysis.main_comparisons[-1] if analysis.main_comparisons else None
    detectable, n_sites = _smallest_detectable(analysis, followed)
    nothing = Estimate(float("nan"), outcome.unit, float("nan"), float("nan"), 0, "no comparison could be made")
    return OutcomeFacts(
        name=(outcome.label or outcome.name).casefold(),
        change=nothing if last is None else last.estimate,
        p_adjusted=None if last is None else last.p_adjusted,
        n_tests=n_tests,
        smallest_important=outcome.smallest_important_difference,
        smallest_important_source=outcome.smallest_important_difference_source,
        smallest_detectable=detectable,
        smallest_detectable_source=f"error of the change of followed hairs in {n_sites} pairs of photographs",
        higher_is_better=outcome.better == "higher",
    )


def _smallest_detectable(analysis: OutcomeAnalysis, followed: Sequence[FollowedHairs]) -> tuple[float | None, int]:
    """1.96 times the standard error of one person's change, where the same hairs were found again."""
    errors = [
        (m.change_per_cm2.ci_high - m.change_per_cm2.ci_low) / (2 * Z95)
        for f in followed
        if analysis.outcome.kind == "density" and (m := f.match) is not None and not m.refused
    ]
    known = [error for error in errors if math.isfinite(error) and error > 0]
    if len(known) < MIN_PAIRS:
        return None, len(known)
    return Z95 * math.sqrt(sum(error**2 for error in known) / len(known)), len(known)


def _harms(results: StudyResults) -> HarmFacts | None:
    if results.harms is None:
        return None
    treated = {person.participant for person in results.study.treated}
    serious = {e.participant for e in results.study.adverse_events if e.serious and e.participant in treated}
    return HarmFacts(results.harms.n_with_event, results.harms.n_treated, results.harms.rate, len(serious))


def _satisfaction(results: StudyResults) -> SatisfactionFacts | None:
    survey = next((analysis for analysis in results.analyses if analysis.outcome.kind == "survey"), None)
    if survey is None:
        return None
    week = {visit.name: visit.week for visit in results.study.protocol.visits}
    change = survey.main_comparisons[-1].estimate if survey.main_comparisons else None
    return SatisfactionFacts(has_baseline=week[survey.outcome.baseline] <= 0, change=change)
