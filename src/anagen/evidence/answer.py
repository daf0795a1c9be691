"""The living answer: everything the library says to one question, pooled where it can be, and what that is worth."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from anagen.evidence.bias import BiasJudgement
from anagen.evidence.certainty import GradedCertainty, grade_certainty
from anagen.evidence.conversions import sd_from_iqr_width
from anagen.evidence.effect_sizes import Effect, mean_difference, standardised_mean_difference
from anagen.evidence.library import (
    LIBRARY_VERSION,
    QuestionJudgement,
    find_question,
    load_bias_judgements,
    load_library,
    select_studies,
)
from anagen.evidence.pool import PooledEffect, pool_effects
from anagen.evidence.settling_trial import SettlingTrial, size_settling_trial
from anagen.evidence.verdict import (
    DEFAULT_CHANGE_SD,
    DEFAULT_DIFFERENCE,
    ArmFacts,
    HarmFacts,
    OutcomeFacts,
    SatisfactionFacts,
    TrialFacts,
    Verdict,
    give_verdict,
)
from anagen.evidence.verdict_rules import LAST_PATIENT_SENTENCE
from anagen.records import Estimate
from anagen.safety.proportion import estimate_event_proportion

YARDSTICK: Final = "minoxidil"
"""The comparison that a reader knows: drawn beside any other intervention, never pooled with it."""
BODY_WORDS: Final = {
    "very low": (
        "The evidence does not tell whether {intervention} treatment changes {outcome}.",
        "We do not know yet if {intervention} treatment helps.",
    ),
    "low": (
        "{Intervention} treatment may {verb} {outcome}; the true effect may be quite different.",
        "{Intervention} treatment may help. We are not very sure.",
    ),
    "moderate": (
        "{Intervention} treatment probably {verb}s {outcome}.",
        "It is likely that {intervention} treatment helps. We are fairly sure.",
    ),
    "high": ("{Intervention} treatment {verb}s {outcome}.", "{Intervention} treatment helps. We are quite sure."),
    "": (
        "The certainty of the evidence on {intervention} treatment and {outcome} has not been judged.",
        "No one has yet judged how sure we can be.",
    ),
}
NO_GAIN: Final = "The studies did not find that {intervention} treatment helps."


@dataclass(frozen=True, slots=True)
class ComparedArms:
    """One active arm against its control.

    Parameters
    ----------
    study, citation, label, control : str
        Which study and arms.
    group : str
        What may be pooled with it: one product, one dose.
    n_active, n_control : int
        People.
    difference : Effect or None
        In `unit`; None when a standard deviation was not read.
    standardised : Effect or None
        Hedges' g.
    unit : str
        Of the difference.
    conversion : str
        How numbers that are not printed were got; empty when all were read.
    """

    study: str
    citation: str
    label: str
    control: str
    group: str
    n_active: int
    n_control: int
    difference: Effect | None
    standardised: Effect | None
    unit: str
    conversion: str


@dataclass(frozen=True, slots=True)
class EvidenceAnswer:
    """What the library says to one question.

    Parameters
    ----------
    intervention, outcome, library_version : str
        The question, and of what.
    studies : polars.DataFrame
        Rows of the library with results.
    compared : tuple of ComparedArms
        Randomised comparisons of this intervention, then of the yardstick.
    pooled : dict of str to PooledEffect
        Standardised effects pooled by group.
    pooled_difference : dict of str to PooledEffect
        Differences in hairs/cm2 pooled by group.
    biases : tuple of BiasJudgement
        Of the studies judged.
    graded : GradedCertainty or None
        None when nobody judged the question.
    question : QuestionJudgement or None
        What people judged.
    verdicts : dict of str to Verdict
        Of each study of this intervention that has arms.
    trial : SettlingTrial
        What would answer the question.
    registrations, reviews, notices : polars.DataFrame
        Rows without results of their own.
    professional, patient : str
        The answer in a sentence or two.
    """

    intervention: str
    outcome: str
    library_version: str
    studies: pl.DataFrame
    compared: tuple[ComparedArms, ...]
    pooled: dict[str, PooledEffect]
    pooled_difference: dict[str, PooledEffect]
    biases: tuple[BiasJudgement, ...]
    graded: GradedCertainty | None
    question: QuestionJudgement | None
    verdicts: dict[str, Verdict]
    trial: SettlingTrial
    registrations: pl.DataFrame
    reviews: pl.DataFrame
    notices: pl.DataFrame
    professional: str
    patient: str


def answer_question(intervention: str, outcome: str, *, library: pl.DataFrame | None = None) -> EvidenceAnswer:
    """Gather, compare, pool and judge what the library holds.

    Parameters
    ----------
    intervention : str
        For example ``exosome``.
    outcome : str
        For example ``hair density``.
    library : polars.DataFrame, optional
        Rows in the form of `load_library`; the package's own without it.

    Returns
    -------
    EvidenceAnswer

    Raises
    ------
    InputError
        When the library holds nothing on it, with what it holds.

    Examples
    --------
    >>> answer_question("exosome", "hair density").professional[:76]
    'The evidence does not tell whether exosome treatment changes hair density. 1'
    """
    library = load_library() if library is None else library
    rows = select_studies(library, intervention, outcome)
    compared = compare_arms(rows)
    if intervention.casefold() != YARDSTICK:
        compared += compare_arms(select_studies(library, YARDSTICK, "hair density"))
    judgements, question = load_bias_judgements(), find_question(intervention, outcome)
    studies = rows.filter(pl.col("kind").is_in(["arm", "comparison"]))
    names = list(dict.fromkeys(studies["study"]))
    biases = tuple(judgements[name] for name in names if name in judgements)
    randomised = any("randomised" in design for design in studies["design"])
    graded = grade_certainty(question.domains, randomised=randomised) if question else None
    difference = question.smallest_important if question else DEFAULT_DIFFERENCE["hairs/cm2"]
    of_intervention = library.filter(pl.col("intervention").str.to_lowercase() == intervention.casefold())
    own = [c.group for c in compared if c.study in names]
    pooled = _pool_groups([(c.group, c.standardised) for c in compared])
    gains = any(group in pooled for group in own) and all(pooled[g].ci_low > 0 for g in own if g in pooled)
    professional, patient = _say(intervention, outcome, studies, graded, gains=gains)
    return EvidenceAnswer(
        intervention=intervention,
        outcome=outcome,
        library_version=LIBRARY_VERSION,
        studies=studies,
        compared=compared,
        pooled=pooled,
        pooled_difference=_pool_groups([(c.group, c.difference) for c in compared if c.unit == "hairs/cm2"]),
        biases=biases,
        graded=graded,
        question=question,
        verdicts={name: give_verdict(_facts(studies.filter(study=name), outcome, judgements)) for name in names},
        trial=size_settling_trial(difference, DEFAULT_CHANGE_SD["hairs/cm2"]),
        registrations=of_intervention.filter(kind="registration"),
        reviews=of_intervention.filter(kind="review"),
        notices=of_intervention.filter(kind="notice"),
        professional=professional,
        patient=patient,
    )


def compare_arms(rows: pl.DataFrame) -> tuple[ComparedArms, ...]:
    """Set each active arm of a randomised study against the control arm of the same visit."""
    arms = rows.filter((pl.col("kind") == "arm") & pl.col("design").str.contains("randomised"))
    found = []
    for active in arms.filter(role="active").iter_rows(named=True):
        controls = arms.filter(
            (pl.col("role") == "control")
            & (pl.col("study") == active["study"])
            & (pl.col("timepoint") == active["timepoint"])
        )
        found += [_compare(active, control) for control in controls.iter_rows(named=True)]
    return tuple(found)


def _compare(active: dict[str, Any], control: dict[str, Any]) -> ComparedArms:
    first, second = _mean_sd(active), _mean_sd(control)
    difference = standardised = None
    split = "split" in active["design"]  # one head carries both: the correlation of sides is not known
    if first and second and not split:
        values = (first[0], first[1], int(active["n"]), second[0], second[1], int(control["n"]))
        difference, standardised = mean_difference(*values), standardised_mean_difference(*values)
    return ComparedArms(
        study=active["study"],
        citation=active["citation"],
        label=active["arm"],
        control=control["arm"],
        group=_group(active),
        n_active=int(active["n"] or 0),
        n_control=int(control["n"] or 0),
        difference=difference,
        standardised=standardised,
        unit=active["unit"],
        conversion=first[2] if first else "not pooled: no standard deviation of change was read",
    )


def _mean_sd(row: dict[str, Any]) -> tuple[float, float, str] | None:
    if row["change_mean"] is not None and row["change_sd"] is not None:
        return row["change_mean"], row["change_sd"], ""
    if row["change_median"] is not None and row["change_iqr"] is not None:
        sd = sd_from_iqr_width(row["change_iqr"], int(row["n"]))
        return row["change_median"], sd.value, f"median taken as mean (quartiles not printed); {sd.conversion}"
    return None


def _group(row: dict[str, Any]) -> str:
    dose = re.match(r"[\w-]+ \d+ %", row["product"])
    return dose.group() if dose else row["product"] or row["intervention"]


def _pool_groups(effects: list[tuple[str, Effect | None]]) -> dict[str, PooledEffect]:
    groups: dict[str, list[Effect]] = {}
    for group, effect in effects:
        if effect is not None:
            groups.setdefault(group, []).append(effect)
    return {
        group: pool_effects([e.effect for e in members], [e.variance for e in members], knapp_hartung=False)
        for group, members in groups.items()
    }


def _facts(rows: pl.DataFrame, outcome: str, judgements: dict[str, BiasJudgement]) -> TrialFacts:
    """Build the plain facts of one study of the library; what was not read stays unknown."""
    active = rows.filter(role="active") if "active" in set(rows["role"]) else rows
    row = active.row(active.height - 1, named=True)
    single = row["comparator"] in {"none", ""}
    n = int(row["n"] or 0)
    unit = row["unit"] or "hairs/cm2"
    between = rows.filter((pl.col("kind") == "comparison") & pl.col("p_value").is_not_null())
    p_value = None if single or between.is_empty() else float(between["p_value"][0])
    unknown = Estimate(math.nan, unit, math.nan, math.nan, n, "not printed in what was read", p_value=p_value)
    judged = judgements.get(row["study"])
    harms = re.match(r"(\d+)/(\d+)", row["adverse_events"])
    return TrialFacts(
        design="single-arm" if single else "split-scalp" if "split" in row["design"] else "parallel",
        comparator="none" if single else row["comparator"],
        arms=(ArmFacts(row["arm"], n, n),),
        outcomes=(OutcomeFacts(outcome, unknown, n_tests=max(1, active.height)),),
        randomised="randomised" in row["design"],
        blinding="unknown",
        harms=_harms(harms) if harms else None,
        follow_up_weeks=row["weeks"],
        satisfaction=SatisfactionFacts(has_baseline=False) if row["study"] == "Ersan 2024" else None,
        bias=judged.overall if judged else None,  # type: ignore[arg-type]
        bias_tool=f"{judged.instrument}, {judged.version}" if judged else "",
    )


def _harms(found: re.Match[str]) -> HarmFacts:
    people, n = int(found.group(1)), int(found.group(2))
    return HarmFacts(people, n, estimate_event_proportion(people, n).rate)


def _say(
    intervention: str, outcome: str, studies: pl.DataFrame, graded: GradedCertainty | None, *, gains: bool
) -> tuple[str, str]:
    per_study = studies.unique("study", keep="first", maintain_order=True)
    n_randomised = per_study.filter(pl.col("design").str.contains("randomised")).height
    alone = per_study.filter(comparator="none")
    words = {
        "intervention": intervention,
        "outcome": outcome,
        "Intervention": intervention[0].upper() + intervention[1:],
        "verb": "raise" if gains else "change",
    }
    certainty = graded.certainty if graded else ""
    professional, patient = (text.format_map(words) for text in BODY_WORDS[certainty])
    if certainty in {"low", "moderate", "high"} and not gains:
        patient = NO_GAIN.format_map(words)
    studies_found = "study was" if n_randomised == 1 else "studies were"
    professional += f" {n_randomised} randomised {studies_found} found"
    if alone.height:
        professional += f", and {alone.height} without a comparison group ({alone['n'].sum():g} people)"
    professional += f". Certainty (GRADE): {certainty}." if graded else "."
    return professional, f"{patient} {LAST_PATIENT_SENTENCE}"
