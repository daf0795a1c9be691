"""From the plain facts of a trial to what may honestly be said, for the professional and for the patient.

The sentences stand in `verdict_rules`; here is only which of them apply. Two laws hold for any input: without a
comparison group no sentence says that the treatment had an effect, and no number of people without harm makes a
treatment free of harm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from anagen.errors import InputError
from anagen.evidence.no_effect import PUBLISHED_NATURAL_CHANGES, NaturalChange, probability_of_significance
from anagen.evidence.settling_trial import LARGEST_RATIO, SettlingTrial, size_settling_trial
from anagen.evidence.verdict_rules import (
    CAN_SHOW,
    CANNOT_SHOW,
    CERTAINTY_WORDS,
    CLAIM_WORDS,
    COMPARATOR_WORDS,
    RULES,
    RULES_VERSION,
    Audience,
    Topic,
)
from anagen.records import Estimate

Design = Literal["single-arm", "parallel", "split-scalp"]
Comparator = Literal["none", "sham", "placebo", "no-treatment", "active"]
Blinding = Literal["none", "patients only", "assessors only", "patients and assessors", "unknown"]
Bias = Literal["low", "some concerns", "high", "moderate", "serious", "critical", "no information"]
Certainty = Literal["very low", "low", "moderate", "high"]
Answer = Literal[
    "no-estimate",
    "cause-unknown",
    "maybe-bias",
    "difference-matters",
    "difference-unsure-size",
    "difference-too-small",
    "not-shown",
    "worse",
]

UNSOURCED: Final = "source not given"
SIGNIFICANCE_LEVEL: Final = 0.05
SHORT_FOLLOW_UP_WEEKS: Final = 24.0
"""A resting phase of about 100 days must end and the next hair grow before a change can be called lasting."""
YEAR_WEEKS: Final = 52.0
DEFAULT_CHANGE_SD: Final = {"hairs/cm2": 22.0}
"""Middle of the standard deviations of change in Olsen 2002 and 2007 (19.7 to 25.4 hairs/cm2)."""
DEFAULT_DIFFERENCE: Final = {"hairs/cm2": 10.0}
"""Two thirds of what minoxidil 5 % adds to vehicle (14.7 and 16.2 hairs/cm2, Olsen 2002 and 2007)."""


@dataclass(frozen=True, slots=True)
class ArmFacts:
    """How many people one group had.

    Parameters
    ----------
    name : str
        As in the protocol.
    n_enrolled, n_analysed : int
        People enrolled in it and people in the primary analysis.
    """

    name: str
    n_enrolled: int
    n_analysed: int


@dataclass(frozen=True, slots=True)
class OutcomeFacts:
    """One outcome and what it showed.

    Parameters
    ----------
    name : str
        What was measured, in lower case, for example ``hair density``; no judgement in it.
    change : Estimate
        Change from baseline in a single arm, treated minus comparison group otherwise. Without a comparison group
        `p_value` is of no change; with one, of no difference.
    p_adjusted : float or None
        p-value after adjustment for all tests of the trial.
    n_tests : int
        Tests in that family, at least 1.
    smallest_important : float or None
        Smallest important difference, above 0, in the unit of `change`.
    smallest_important_source : str
        Where it comes from.
    smallest_detectable : float or None
        Smallest change detectable in one person (1.96 sqrt(2) standard errors of measurement), in the same unit.
    smallest_detectable_source : str
        Where it comes from.
    higher_is_better : bool
        False for an outcome such as shed hairs.
    """

    name: str
    change: Estimate
    p_adjusted: float | None = None
    n_tests: int = 1
    smallest_important: float | None = None
    smallest_important_source: str = ""
    smallest_detectable: float | None = None
    smallest_detectable_source: str = ""
    higher_is_better: bool = True


@dataclass(frozen=True, slots=True)
class HarmFacts:
    """Adverse events by person.

    Parameters
    ----------
    n_people_with_event, n_people : int
        People with at least one event, and people at risk.
    proportion : Estimate
        Their ratio with its exact (Clopper-Pearson) interval.
    n_people_with_serious : int
        People with at least one serious event.
    """

    n_people_with_event: int
    n_people: int
    proportion: Estimate
    n_people_with_serious: int = 0


@dataclass(frozen=True, slots=True)
class SatisfactionFacts:
    """What is known of a satisfaction survey.

    Parameters
    ----------
    has_baseline : bool
        Whether it was also asked before treatment.
    validated : bool
        Whether this form of the questionnaire has known validity and reliability.
    change : Estimate or None
        Change between the two times that the trial compared.
    """

    has_baseline: bool
    validated: bool = False
    change: Estimate | None = None


@dataclass(frozen=True, slots=True)
class TrialFacts:
    """Everything that the verdict may rest on.

    Parameters
    ----------
    design : {"single-arm", "parallel", "split-scalp"}
        How people, or the halves of their scalp, were compared.
    comparator : {"none", "sham", "placebo", "no-treatment", "active"}
        ``none`` exactly when the design is ``single-arm``.
    arms : tuple of ArmFacts
        One for each group; for a split scalp one entry, the people.
    outcomes : tuple of OutcomeFacts
        In the order of the protocol: the first is the primary outcome and gives the headline.
    randomised : bool
        Whether the groups, or the sides, were allotted at random.
    blinding : str
        Who did not know the allotment.
    harms : HarmFacts or None
        None when harms were not reported.
    follow_up_weeks : float or None
        From first treatment to the last measurement of the primary outcome.
    natural_changes : tuple of NaturalChange
        Changes of published control groups; those in the unit of the primary outcome are used.
    satisfaction : SatisfactionFacts or None
        None when it was not asked.
    bias, bias_tool : str or None, str
        Overall judgement and the instrument that gave it.
    certainty : str or None
        GRADE certainty, where judged.
    planning_difference, planning_sd : float or None
        For the size of the settling trial. Unless given: the smallest important difference or 10 hairs/cm2, and a
        standard deviation of change of 22 hairs/cm2.
    planning_dropout : float
        Fraction of people expected to be lost.
    """

    design: Design
    comparator: Comparator
    arms: tuple[ArmFacts, ...]
    outcomes: tuple[OutcomeFacts, ...]
    randomised: bool = False
    blinding: Blinding = "unknown"
    harms: HarmFacts | None = None
    follow_up_weeks: float | None = None
    natural_changes: tuple[NaturalChange, ...] = PUBLISHED_NATURAL_CHANGES
    satisfaction: SatisfactionFacts | None = None
    bias: Bias | None = None
    bias_tool: str = ""
    certainty: Certainty | None = None
    planning_difference: float | None = None
    planning_sd: float | None = None
    planning_dropout: float = 0.15


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of the verdict.

    Parameters
    ----------
    rule : str
        Code of the rule in `RULES`.
    topic : str
        Heading under which it is printed.
    audience : {"professional", "patient"}
        For whom it is written.
    text : str
        The words.
    facts : tuple of str
        The facts it rests on, ``name: value``.
    """

    rule: str
    topic: Topic
    audience: Audience
    text: str
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be said of a trial.

    Parameters
    ----------
    rules_version : str
        Version of the rules that chose the words.
    answer : str
        The headline as a code, for programs.
    statements : tuple of Statement
        Headline first; the last one for the patient sends them to a specialist.
    can_show, cannot_show : tuple of str
        What this design can and cannot show.
    settling_trial : SettlingTrial or None
        The trial that would answer the question; None when no size can be computed.
    """

    rules_version: str
    answer: Answer
    statements: tuple[Statement, ...]
    can_show: tuple[str, ...]
    cannot_show: tuple[str, ...]
    settling_trial: SettlingTrial | None

    def for_audience(self, audience: Audience) -> tuple[Statement, ...]:
        """Statements written for one kind of reader, in print order."""
        return tuple(statement for statement in self.statements if statement.audience == audience)

    def text(self, audience: Audience) -> str:
        """All sentences for one kind of reader, joined."""
        return " ".join(statement.text for statement in self.for_audience(audience))


def give_verdict(facts: TrialFacts) -> Verdict:
    """Say what the facts of a trial allow to be said.

    Parameters
    ----------
    facts : TrialFacts
        What was done and found.

    Returns
    -------
    Verdict

    Raises
    ------
    InputError
        When the facts contradict each other: an arm with more people analysed than enrolled, a comparator in a
        single arm, a smallest important difference that is not above 0, an outcome named by a judgement.

    Examples
    --------
    >>> rise = Estimate(12.0, "hairs/cm2", 6.0, 18.0, 30, "paired t", p_value=0.0004)
    >>> verdict = give_verdict(
    ...     TrialFacts("single-arm", "none", (ArmFacts("exosome", 30, 30),), (OutcomeFacts("hair density", rise),))
    ... )
    >>> verdict.answer
    'cause-unknown'
    >>> verdict.for_audience("patient")[0].text
    'This study cannot tell us if the treatment helps.'
    """
    check_trial_facts(facts)
    answer = _find_answer(facts)
    trial = _size_settling_trial(facts)
    chosen = list(_choose(facts, answer, trial))
    seen: set[tuple[str, str]] = set()
    statements = []
    for statement in chosen:
        key = (statement.audience, statement.text)
        if key not in seen:
            seen.add(key)
            statements.append(statement)
    return Verdict(
        rules_version=RULES_VERSION,
        answer=answer,
        statements=tuple(statements),
        can_show=CAN_SHOW[facts.design],
        cannot_show=CANNOT_SHOW[facts.design],
        settling_trial=trial,
    )


def check_trial_facts(facts: TrialFacts) -> None:
    """Raise InputError, naming every contradiction, when facts cannot all be true."""
    faults = [*_design_faults(facts), *_harm_faults(facts)]
    for outcome in facts.outcomes:
        faults += _outcome_faults(outcome)
    if faults:
        raise InputError("facts that cannot be: " + "; ".join(faults))


def _design_faults(facts: TrialFacts) -> Iterator[str]:
    if not facts.outcomes:
        yield "outcomes is empty: give at least the primary outcome"
    if not facts.arms:
        yield "arms is empty: give at least one group"
    if (facts.design == "single-arm") != (facts.comparator == "none"):
        yield f"design {facts.design!r} with comparator {facts.comparator!r}: only a single arm has none, and always"
    if facts.design != "parallel" and len(facts.arms) > 1:
        yield f"design {facts.design!r} has one group of people, got {len(facts.arms)} arms"
    for arm in facts.arms:
        if not 0 <= arm.n_analysed <= arm.n_enrolled:
            yield f"arm {arm.name!r}: {arm.n_analysed} analysed of {arm.n_enrolled} enrolled"
    if facts.follow_up_weeks is not None and not (facts.follow_up_weeks >= 0 and math.isfinite(facts.follow_up_weeks)):
        yield f"follow_up_weeks must be at least 0, got {facts.follow_up_weeks}"
    for name, value in (("planning_difference", facts.planning_difference), ("planning_sd", facts.planning_sd)):
        if value is not None and not (value > 0 and math.isfinite(value)):
            yield f"{name} must be above 0, got {value}"


def _outcome_faults(outcome: OutcomeFacts) -> Iterator[str]:
    change = outcome.change
    for text in (outcome.name, change.unit):
        if CLAIM_WORDS.search(text) or not text.strip():
            yield f"{text!r} must name what was measured, not judge it"
    if _has_interval(change) and not change.ci_low <= change.value <= change.ci_high:
        yield f"{outcome.name}: the interval {change.ci_low} to {change.ci_high} excludes its estimate {change.value}"
    for name, value in (
        ("smallest_important", outcome.smallest_important),
        ("smallest_detectable", outcome.smallest_detectable),
    ):
        if value is not None and not (value > 0 and math.isfinite(value)):
            yield f"{outcome.name}: {name} must be above 0, got {value}"
    for name, value in (("p_value", change.p_value), ("p_adjusted", outcome.p_adjusted)):
        if value is not None and not 0 <= value <= 1:
            yield f"{outcome.name}: {name} must be between 0 and 1, got {value}"
    if outcome.n_tests < 1:
        yield f"{outcome.name}: n_tests must be at least 1, got {outcome.n_tests}"


def _harm_faults(facts: TrialFacts) -> Iterator[str]:
    harms = facts.harms
    if harms is None:
        return
    if not 0 <= harms.n_people_with_serious <= harms.n_people_with_event <= harms.n_people or harms.n_people < 1:
        yield (
            f"harms: {harms.n_people_with_serious} people with serious events, {harms.n_people_with_event} with any,"
            f" of {harms.n_people}"
        )
    bounds = harms.proportion
    if not 0 <= bounds.ci_low <= bounds.ci_high <= 1:
        yield f"harms: the interval of a proportion must lie in 0 to 1, got {bounds.ci_low} to {bounds.ci_high}"


def _find_answer(facts: TrialFacts) -> Answer:
    outcome = facts.outcomes[0]
    if facts.comparator == "none":
        return "cause-unknown"
    if not _has_interval(outcome.change):
        return "no-estimate"
    low, high = _benefit_interval(outcome)
    if high < 0:
        return "worse"
    sid = outcome.smallest_important
    if sid is not None and high < sid:
        return "difference-too-small"
    if low <= 0 or _lost_after_adjustment(outcome):
        return "not-shown"
    if not facts.randomised or facts.bias in {"high", "serious", "critical"}:
        return "maybe-bias"
    return "difference-matters" if sid is not None and low >= sid else "difference-unsure-size"


def _choose(facts: TrialFacts, answer: Answer, trial: SettlingTrial | None) -> Iterator[Statement]:
    """Yield every statement that applies, in print order."""
    comparator, comparator_words = COMPARATOR_WORDS.get(facts.comparator, ("", ""))
    words = {"comparator": comparator, "comparator_words": comparator_words}
    yield from _say(f"answer-{answer}", (_name_design(facts),), **words)
    for outcome in facts.outcomes:
        yield from _say_effect(facts, outcome, words)
        yield from _say_importance(outcome)
        yield from _say_measurement(outcome)
    yield from _say_without_drug(facts)
    yield from _say_design(facts)
    yield from _say_harms(facts.harms)
    yield from _say_satisfaction(facts)
    yield from _say_certainty(facts)
    yield from _say_next(facts, answer, trial)
    yield from _say("next-specialist", ())


def _say(code: str, rests_on: tuple[str, ...], **words: Any) -> Iterator[Statement]:
    rule = RULES[code]
    for audience, template in (("professional", rule.professional), ("patient", rule.patient)):
        if template:
            text = template.format_map(words)
            yield Statement(code, rule.topic, audience, text[0].upper() + text[1:], rests_on)  # type: ignore[arg-type]


def _say_effect(facts: TrialFacts, outcome: OutcomeFacts, words: dict[str, str]) -> Iterator[Statement]:
    change = outcome.change
    rests_on = (_name_change(outcome), _name_design(facts))
    named = {
        **words,
        "outcome": outcome.name,
        "Outcome": outcome.name[0].upper() + outcome.name[1:],
        "change": _print_change(change),
        "p": _print_p(change.p_value),
        "went": "went up" if change.value >= 0 else "went down",
        "value_words": f"{_round_for_patients(abs(change.value))} {_unit_words(change.unit)}",
    }
    if not math.isfinite(change.value):
        yield from _say("effect-none" if change.p_value is None else "effect-p-only", rests_on, **named)
        return
    if not _has_interval(change):
        yield from _say("effect-no-interval", rests_on, **named)
        return
    low, high = _benefit_interval(outcome)
    direction = "rise" if low > 0 else "fall" if high < 0 else "unclear"
    kind = "uncontrolled" if facts.comparator == "none" else "controlled"
    yield from _say(f"effect-{kind}-{direction}", rests_on, **named)


def _say_importance(outcome: OutcomeFacts) -> Iterator[Statement]:
    change, sid = outcome.change, outcome.smallest_important
    rests_on: tuple[str, ...] = (
        _name_change(outcome),
        f"p_adjusted: {outcome.p_adjusted}",
        f"n_tests: {outcome.n_tests}",
    )
    if _lost_after_adjustment(outcome):
        yield from _say("tests-lost", rests_on, p_adjusted=_print_p(outcome.p_adjusted))
    if outcome.n_tests > 1 and outcome.p_adjusted is None:
        error = math.ceil(100 * (1 - (1 - SIGNIFICANCE_LEVEL) ** outcome.n_tests))
        yield from _say("tests-unadjusted", rests_on, n_tests=outcome.n_tests, family_error=error)
    if not _has_interval(change):
        return
    if _p_contradicts_interval(change):
        yield from _say("p-contradicts", rests_on, p=_print_p(change.p_value))
    if sid is None:
        yield from _say("importance-unknown", (_name_change(outcome),))
        return
    low, high = _benefit_interval(outcome)
    rests_on = (
        _name_change(outcome),
        f"smallest important difference: {sid} {change.unit} ({outcome.smallest_important_source or UNSOURCED})",
    )
    significant = _is_significant(change.p_value)
    place = "below" if high < sid else "above" if low >= sid else "spans"
    if place == "below" and significant:
        place = "below-significant"
    yield from _say(f"importance-{place}", rests_on, sid=f"{sid:.3g} {change.unit}", p=_print_p(change.p_value))


def _say_measurement(outcome: OutcomeFacts) -> Iterator[Statement]:
    if not math.isfinite(outcome.change.value):
        return
    mdc = outcome.smallest_detectable
    if mdc is None:
        yield from _say("error-unknown", ("smallest detectable change: not known",))
        return
    source = outcome.smallest_detectable_source or UNSOURCED
    rests_on = (_name_change(outcome), f"smallest detectable change: {mdc} {outcome.change.unit} ({source})")
    code = "error-within" if abs(outcome.change.value) <= mdc else "error-beyond"
    yield from _say(code, rests_on, mdc=f"{mdc:.3g} {outcome.change.unit}")


def _say_without_drug(facts: TrialFacts) -> Iterator[Statement]:
    n = facts.arms[0].n_analysed
    usable = [change for change in facts.natural_changes if change.unit == facts.outcomes[0].change.unit]
    if facts.comparator != "none" or not usable or n < 2:
        return
    found = [probability_of_significance(n, change.mean_change, change.change_sd) for change in usable]
    low, high = min(found), max(found)
    rests_on = tuple(
        f"{change.study}, {change.treatment}: {change.mean_change:+.3g} (SD {change.change_sd:.3g}"
        f"{', assumed' if change.sd_assumed else ''}) {change.unit}, {change.source}: {probability:.0%}"
        for change, probability in zip(usable, found, strict=True)
    )
    yield from _say(
        "no-drug-probability",
        rests_on,
        n=n,
        low=f"{low:.2f}",
        high=f"{high:.2f}",
        low_100=math.floor(100 * low + 0.5),
        high_100=math.floor(100 * high + 0.5),
    )


def _say_design(facts: TrialFacts) -> Iterator[Statement]:
    rests_on = (_name_design(facts),)
    controlled = facts.comparator != "none"
    if not controlled and not _has_interval(facts.outcomes[0].change):
        yield from _say("design-single-arm", rests_on)
    if controlled and not facts.randomised:
        yield from _say("design-not-randomised", rests_on)
    if facts.comparator == "no-treatment":
        yield from _say("design-no-sham", rests_on)
    if facts.comparator == "active":
        yield from _say("design-active", rests_on)
    if controlled and facts.blinding != "patients and assessors":
        yield from _say("design-unblinded", rests_on, blinding=f"blinded: {facts.blinding}")
    if facts.design == "split-scalp":
        yield from _say("design-split-scalp", rests_on)
    enrolled, analysed = (sum(getattr(arm, name) for arm in facts.arms) for name in ("n_enrolled", "n_analysed"))
    if analysed < enrolled:
        lost = enrolled - analysed
        percent = f"{100 * lost / enrolled:.2g}" if lost < enrolled else "100"
        counts = tuple(f"{arm.name}: {arm.n_analysed} of {arm.n_enrolled} analysed" for arm in facts.arms)
        yield from _say("design-lost-people", counts, n_lost=lost, n_enrolled=enrolled, lost_percent=percent)
    weeks = facts.follow_up_weeks
    if weeks is not None and weeks < SHORT_FOLLOW_UP_WEEKS:
        yield from _say("design-short", (f"follow_up_weeks: {weeks}",), weeks=f"{weeks:.3g}")
    if weeks is not None and weeks < YEAR_WEEKS and not controlled:
        yield from _say("design-season", (f"follow_up_weeks: {weeks}",), weeks=f"{weeks:.3g}")


def _say_harms(harms: HarmFacts | None) -> Iterator[Statement]:
    if harms is None:
        yield from _say("harms-unknown", ("harms: not reported",))
        return
    bounds = harms.proportion
    rests_on = (f"people with an adverse event: {harms.n_people_with_event} of {harms.n_people}", bounds.method)
    words = {
        "n": harms.n_people,
        "people": harms.n_people_with_event,
        "serious": harms.n_people_with_serious,
        "level": f"{100 * bounds.level:.3g}",
        "percent": f"{100 * harms.n_people_with_event / harms.n_people:.3g}",
        "lower_percent": f"{100 * bounds.ci_low:.3g}",
        "upper_percent": f"{100 * bounds.ci_high:.3g}",
        "upper_100": math.ceil(100 * bounds.ci_high),
    }
    yield from _say("harms-zero" if harms.n_people_with_event == 0 else "harms-some", rests_on, **words)
    if harms.n_people_with_serious > 0:
        yield from _say("harms-serious", rests_on, **words)


def _say_satisfaction(facts: TrialFacts) -> Iterator[Statement]:
    satisfaction = facts.satisfaction
    if satisfaction is None:
        return
    rests_on = (f"has_baseline: {satisfaction.has_baseline}", f"validated: {satisfaction.validated}")
    if not satisfaction.has_baseline:
        yield from _say("satisfaction-no-baseline", rests_on)
    elif facts.comparator == "none":
        yield from _say("satisfaction-uncontrolled", rests_on)
    if not satisfaction.validated:
        yield from _say("satisfaction-not-validated", rests_on)


def _say_certainty(facts: TrialFacts) -> Iterator[Statement]:
    rests_on = (f"bias: {facts.bias} ({facts.bias_tool or 'instrument not named'})",)
    if facts.bias in {"high", "serious", "critical"}:
        yield from _say("bias-high", rests_on, bias=facts.bias)
    elif facts.bias in {"some concerns", "moderate"}:
        yield from _say("bias-some", rests_on, bias=facts.bias)
    elif facts.bias is None or facts.bias == "no information":
        yield from _say("bias-unknown", rests_on)
    if facts.certainty is not None:
        words = CERTAINTY_WORDS[facts.certainty]
        yield from _say(
            "certainty-grade", (f"certainty: {facts.certainty}",), certainty=facts.certainty, certainty_words=words
        )


def _say_next(facts: TrialFacts, answer: Answer, trial: SettlingTrial | None) -> Iterator[Statement]:
    blinded_against_sham = facts.comparator in {"sham", "placebo"} and facts.blinding == "patients and assessors"
    if answer == "difference-matters" and blinded_against_sham:
        yield from _say("next-repeat", (_name_design(facts),))
        return
    if trial is None:
        yield from _say("next-sham-trial-unsized", ())
        return
    yield from _say(
        "next-sham-trial",
        (f"difference: {trial.difference} {trial.unit}", f"change_sd: {trial.change_sd} {trial.unit}"),
        difference=f"{trial.difference:.3g} {trial.unit}",
        sd=f"{trial.change_sd:.3g}",
        n_80=trial.n_per_group_80,
        n_90=trial.n_per_group_90,
        dropout_percent=f"{100 * trial.dropout:.3g}",
        n_90_dropout=trial.n_per_group_90_dropout,
    )


def _size_settling_trial(facts: TrialFacts) -> SettlingTrial | None:
    outcome = facts.outcomes[0]
    unit = outcome.change.unit
    difference = facts.planning_difference or outcome.smallest_important or DEFAULT_DIFFERENCE.get(unit)
    change_sd = facts.planning_sd or DEFAULT_CHANGE_SD.get(unit)
    if difference is None or change_sd is None or change_sd / difference > LARGEST_RATIO:
        return None
    return size_settling_trial(difference, change_sd, unit=unit, dropout=facts.planning_dropout)


def _benefit_interval(outcome: OutcomeFacts) -> tuple[float, float]:
    """Return the interval turned so that more is better."""
    change = outcome.change
    return (change.ci_low, change.ci_high) if outcome.higher_is_better else (-change.ci_high, -change.ci_low)


def _has_interval(change: Estimate) -> bool:
    return all(math.isfinite(value) for value in (change.value, change.ci_low, change.ci_high))


def _is_significant(p_value: float | None) -> bool:
    return p_value is not None and p_value < SIGNIFICANCE_LEVEL


def _lost_after_adjustment(outcome: OutcomeFacts) -> bool:
    adjusted = outcome.p_adjusted
    return _is_significant(outcome.change.p_value) and adjusted is not None and not _is_significant(adjusted)


def _p_contradicts_interval(change: Estimate) -> bool:
    if change.p_value is None or change.level != 1 - SIGNIFICANCE_LEVEL:
        return False
    excludes_zero = change.ci_low > 0 or change.ci_high < 0
    return _is_significant(change.p_value) != excludes_zero


def _name_design(facts: TrialFacts) -> str:
    kind = "randomised" if facts.randomised else "not randomised"
    return f"design: {facts.design}, comparator: {facts.comparator}, {kind}, blinded: {facts.blinding}"


def _name_change(outcome: OutcomeFacts) -> str:
    change = outcome.change
    return f"{outcome.name}: {_print_change(change)}, n = {change.n}, {change.method}"


def _print_change(change: Estimate) -> str:
    text = f"{change.value:+.3g} {change.unit}"
    if _has_interval(change):
        text += f" ({100 * change.level:.3g} % interval {change.ci_low:.3g} to {change.ci_high:.3g}"
        text += f"; {_print_p(change.p_value)})" if change.p_value is not None else ")"
    return text


def _print_p(p_value: float | None) -> str:
    if p_value is None:
        return "p not given"
    if p_value < 0.001:
        return "p < 0.001"
    return f"p = {p_value:.2g}" if p_value < 0.1 else f"p = {p_value:.2f}"


def _round_for_patients(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}" if value < 1e6 else f"{value:.2g}"


def _unit_words(unit: str) -> str:
    words = {
        "hairs/cm2": "hairs in each square cm",
        "%": "percent",
        "um": "thousandths of a mm",
        "1": "",
        "points": "points",
    }
    return words.get(unit, unit)
