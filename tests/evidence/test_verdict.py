"""The verdict's laws for any input, and its words for the source study."""

from __future__ import annotations

import math
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tests.evidence.readability import flesch_kincaid_grade, reading_age

from anagen.errors import InputError
from anagen.evidence.no_effect import PUBLISHED_NATURAL_CHANGES, NaturalChange, probability_of_significance
from anagen.evidence.verdict import (
    ArmFacts,
    HarmFacts,
    OutcomeFacts,
    SatisfactionFacts,
    TrialFacts,
    give_verdict,
)
from anagen.evidence.verdict_rules import CLAIM_WORDS, LAST_PATIENT_SENTENCE, RULES, RULES_VERSION
from anagen.records import Estimate, from_json, to_json


def exact_proportion(people: int, n: int) -> Estimate:
    low = 0.0 if people == 0 else float(stats.beta.ppf(0.025, people, n - people + 1))
    high = 1.0 if people == n else float(stats.beta.ppf(0.975, people + 1, n - people))
    return Estimate(people / n, "1", low, high, n, "Clopper-Pearson")


numbers = st.floats(allow_nan=True, allow_infinity=True, width=64)
positive = st.floats(min_value=1e-6, max_value=1e6)
p_values = st.none() | st.floats(min_value=0, max_value=1)
units = st.sampled_from(["hairs/cm2", "um", "%", "points", "1"])


@st.composite
def changes(draw: st.DrawFn) -> Estimate:
    value = draw(numbers)
    if draw(st.booleans()):
        low, high = value - draw(positive), value + draw(positive)
    else:
        low = high = math.nan
    return Estimate(value, draw(units), low, high, draw(st.integers(0, 10_000)), "any method", p_value=draw(p_values))


names = st.text(string.ascii_lowercase + " ", min_size=1, max_size=20).filter(
    lambda name: name.strip() and not CLAIM_WORDS.search(name)
)


@st.composite
def outcomes(draw: st.DrawFn) -> OutcomeFacts:
    return OutcomeFacts(
        draw(names),
        draw(changes()),
        p_adjusted=draw(p_values),
        n_tests=draw(st.integers(1, 40)),
        smallest_important=draw(st.none() | positive),
        smallest_detectable=draw(st.none() | positive),
        higher_is_better=draw(st.booleans()),
    )


@st.composite
def harm_reports(draw: st.DrawFn) -> HarmFacts:
    n = draw(st.integers(1, 5000))
    people = draw(st.integers(0, n))
    return HarmFacts(people, n, exact_proportion(people, n), draw(st.integers(0, people)))


@st.composite
def arms(draw: st.DrawFn) -> ArmFacts:
    enrolled = draw(st.integers(0, 5000))
    return ArmFacts(draw(st.sampled_from(["exosome", "vehicle"])), enrolled, draw(st.integers(0, enrolled)))


@st.composite
def trials(draw: st.DrawFn, *, single_arm: bool | None = None) -> TrialFacts:
    single = draw(st.booleans()) if single_arm is None else single_arm
    design = "single-arm" if single else draw(st.sampled_from(["parallel", "split-scalp"]))
    return TrialFacts(
        design=design,
        comparator="none" if single else draw(st.sampled_from(["sham", "placebo", "no-treatment", "active"])),
        arms=tuple(draw(st.lists(arms(), min_size=1, max_size=3 if design == "parallel" else 1))),
        outcomes=tuple(draw(st.lists(outcomes(), min_size=1, max_size=2))),
        randomised=draw(st.booleans()),
        blinding=draw(
            st.sampled_from(["none", "patients only", "assessors only", "patients and assessors", "unknown"])
        ),
        harms=draw(st.none() | harm_reports()),
        follow_up_weeks=draw(st.none() | st.floats(0, 500)),
        satisfaction=draw(st.none() | st.builds(SatisfactionFacts, st.booleans(), st.booleans())),
        bias=draw(st.none() | st.sampled_from(["low", "some concerns", "high", "serious", "critical"])),
        certainty=draw(st.none() | st.sampled_from(["very low", "low", "moderate", "high"])),
    )


def texts(trial: TrialFacts) -> str:
    verdict = give_verdict(trial)
    return " ".join([*(s.text for s in verdict.statements), *verdict.can_show, *verdict.cannot_show])


def rules_of(trial: TrialFacts) -> set[str]:
    return {statement.rule for statement in give_verdict(trial).statements}


@settings(deadline=None, max_examples=60)
@given(trials(single_arm=True))
def test_a_single_arm_is_never_called_a_success(trial):
    verdict = give_verdict(trial)
    assert verdict.answer == "cause-unknown"
    assert not CLAIM_WORDS.search(texts(trial))
    assert "cannot tell" in verdict.text("patient")
    assert "comparison group" in verdict.text("professional")
    assert "what would have happened without the treatment" in verdict.cannot_show


@settings(deadline=None, max_examples=60)
@given(trials())
def test_no_verdict_prints_a_word_of_praise(trial):
    assert not CLAIM_WORDS.search(texts(trial))


@given(st.integers(1, 100_000), trials())
@settings(deadline=None, max_examples=40)
def test_zero_events_print_their_upper_bound_and_never_harmlessness(n, trial):
    bound = exact_proportion(0, n)
    zero = HarmFacts(0, n, bound)
    trial = TrialFacts(**{f: getattr(trial, f) for f in trial.__slots__} | {"harms": zero})
    verdict = give_verdict(trial)
    said = {s.audience: s.text for s in verdict.statements if s.rule == "harms-zero"}
    assert f"{100 * bound.ci_high:.3g} %" in said["professional"]
    assert f"{math.ceil(100 * bound.ci_high)} in 100" in said["patient"]
    assert "safe" not in texts(trial).lower()


@given(trials(), st.floats(-1e6, 1e6), positive, positive, st.floats(1e-9, 1e6), st.floats(0, 0.049))
@settings(deadline=None, max_examples=60)
def test_significant_below_the_smallest_important_difference_says_so(trial, value, below, above, margin, p):
    change = Estimate(value, "hairs/cm2", value - below, value + above, 30, "t", p_value=p)
    sid = max(change.ci_high, 0.0) + margin
    if not sid > change.ci_high:
        return
    outcome = OutcomeFacts("hair density", change, smallest_important=sid)
    trial = TrialFacts(**{f: getattr(trial, f) for f in trial.__slots__} | {"outcomes": (outcome,)})
    said = [s.text for s in give_verdict(trial).statements if s.rule == "importance-below-significant"]
    assert any("significant" in text and "too small to matter" in text for text in said)
    assert give_verdict(trial).answer in {"cause-unknown", "difference-too-small", "worse"}


@given(trials(), st.floats(-1e6, 1e6), st.floats(0, 1e6))
@settings(deadline=None, max_examples=60)
def test_a_change_within_measurement_error_says_so(trial, value, excess):
    mdc = abs(value) + excess
    if mdc == 0:
        return
    change = Estimate(value, "hairs/cm2", value - 1, value + 1, 30, "t")
    outcome = OutcomeFacts("hair density", change, smallest_detectable=mdc)
    trial = TrialFacts(**{f: getattr(trial, f) for f in trial.__slots__} | {"outcomes": (outcome,)})
    assert "error-within" in rules_of(trial)
    assert "within measurement error" in give_verdict(trial).text("professional")


@given(trials())
@settings(deadline=None, max_examples=60)
def test_the_patient_page_is_readable_and_sends_to_a_specialist(trial):
    plain = OutcomeFacts("hair count", trial.outcomes[0].change, smallest_important=10.0)
    trial = TrialFacts(**{f: getattr(trial, f) for f in trial.__slots__} | {"outcomes": (plain,)})
    text = give_verdict(trial).text("patient")
    assert text.endswith(LAST_PATIENT_SENTENCE)
    assert "talk to a specialist about your own case" in text
    assert reading_age(text) <= 12


@given(trials())
@settings(deadline=None, max_examples=50)
def test_a_verdict_survives_json_and_rests_on_known_rules(trial):
    verdict = give_verdict(trial)
    assert from_json(type(verdict), to_json(verdict)) == verdict
    assert {s.rule for s in verdict.statements} <= set(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)
def test_every_sentence_for_patients_is_short_and_plain(rule):
    for sentence in rule.patient.split(". "):
        assert len(sentence.split()) <= 18, sentence
    assert not CLAIM_WORDS.search(rule.patient + rule.professional)
    if rule.patient:
        assert flesch_kincaid_grade(rule.patient) <= 8


def source_study(**changed) -> TrialFacts:
    """What the abstract of doi 10.1007/s00266-024-04332-3 states: p < 0.05, no numbers."""
    unknown = Estimate(math.nan, "hairs/cm2", math.nan, math.nan, 30, "not stated", p_value=0.049)
    facts = {
        "design": "single-arm",
        "comparator": "none",
        "arms": (ArmFacts("exosome", 30, 30),),
        "outcomes": (OutcomeFacts("hair density", unknown, n_tests=2),),
        "harms": HarmFacts(0, 30, exact_proportion(0, 30)),
        "follow_up_weeks": 12.0,
        "satisfaction": SatisfactionFacts(has_baseline=False),
        "bias": "critical",
        "bias_tool": "ROBINS-I",
    }
    return TrialFacts(**(facts | changed))


def test_the_source_study_as_published():
    verdict = give_verdict(source_study())
    professional = verdict.text("professional")
    assert verdict.answer == "cause-unknown"
    assert "only p = 0.049 is given" in professional
    assert "up to 11.6 %" in professional
    assert "probability 0.16 to 0.96" in professional
    assert "103 for 90 %" in professional
    assert "77 people per group" in professional
    assert "Satisfaction was asked after treatment only" in professional
    assert "12 in 100" in verdict.text("patient")


def test_the_source_study_with_a_typed_in_rise_is_still_open():
    rise = Estimate(12.0, "hairs/cm2", 8.0, 16.0, 30, "paired t", p_value=1e-6)
    verdict = give_verdict(source_study(outcomes=(OutcomeFacts("hair density", rise, smallest_important=5.0),)))
    assert verdict.answer == "cause-unknown"
    assert "cannot be ascribed to the treatment" in verdict.text("professional")


def controlled(low: float, high: float, **changed) -> str:
    change = Estimate((low + high) / 2, "hairs/cm2", low, high, 200, "ANCOVA")
    outcome = OutcomeFacts("hair density", change, smallest_important=5.0)
    facts = {"randomised": True, "blinding": "patients and assessors", "bias": "low"} | changed
    arms = (ArmFacts("exosome", 100, 100), ArmFacts("sham", 100, 100))
    return give_verdict(TrialFacts("parallel", "sham", arms, (outcome,), **facts)).answer


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [
        (6.0, 12.0, "difference-matters"),
        (1.0, 12.0, "difference-unsure-size"),
        (1.0, 4.0, "difference-too-small"),
        (-2.0, 12.0, "not-shown"),
        (-2.0, 4.0, "difference-too-small"),
        (-9.0, -2.0, "worse"),
    ],
)
def test_a_sham_controlled_trial_is_read_by_its_interval(low, high, answer):
    assert controlled(low, high) == answer


def test_a_difference_without_randomisation_or_with_high_bias_may_be_bias():
    assert controlled(6.0, 12.0, randomised=False) == "maybe-bias"
    assert controlled(6.0, 12.0, bias="high") == "maybe-bias"


def test_p_lost_after_adjustment_is_said():
    change = Estimate(3.0, "hairs/cm2", 0.1, 5.9, 30, "t", p_value=0.04)
    trial = source_study(outcomes=(OutcomeFacts("hair density", change, p_adjusted=0.12, n_tests=3),))
    assert "tests-lost" in rules_of(trial)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"comparator": "sham"}, "only a single arm has none"),
        ({"arms": (ArmFacts("exosome", 30, 31),)}, "31 analysed of 30 enrolled"),
        ({"outcomes": ()}, "outcomes is empty"),
        ({"follow_up_weeks": -1.0}, "follow_up_weeks must be at least 0"),
        ({"harms": HarmFacts(3, 2, exact_proportion(0, 2))}, "3 with any, of 2"),
    ],
)
def test_facts_that_contradict_each_other_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        give_verdict(source_study(**changed))


def test_an_outcome_named_by_a_judgement_is_refused():
    change = Estimate(1.0, "hairs/cm2", 0.0, 2.0, 30, "t")
    with pytest.raises(InputError, match="must name what was measured"):
        give_verdict(source_study(outcomes=(OutcomeFacts("proven regrowth", change),)))
    with pytest.raises(InputError, match="excludes its estimate"):
        give_verdict(source_study(outcomes=(OutcomeFacts("density", Estimate(3.0, "um", 0.0, 2.0, 9, "t")),)))


def test_natural_changes_in_another_unit_are_not_used():
    other = (NaturalChange("A 2000", "vehicle", 1.0, 2.0, 12.0, 20, "doi", unit="um"),)
    assert "no-drug-probability" not in rules_of(source_study(natural_changes=other))


def test_the_page_prints_every_rule_in_its_words():
    page = (Path(__file__).resolve().parents[2] / "docs" / "methods" / "verdict.md").read_text(encoding="utf-8")
    assert f"(version {RULES_VERSION})" in page
    printed = [line for line in page.splitlines() if line.startswith(("| effect-", "| answer-"))]
    assert len(printed) == sum(code.startswith(("effect-", "answer-")) for code in RULES)
    for rule in RULES.values():
        assert f"| {rule.code} | {rule.when} | {rule.professional} | {rule.patient} |" in page
    for change in PUBLISHED_NATURAL_CHANGES:
        assert f"{probability_of_significance(30, change.mean_change, change.change_sd):.3f}" in page
