"""The questionnaires: every possible set of answers is judged, by the published algorithm, with its reasons."""

from __future__ import annotations

import itertools

import pytest

from anagen.errors import InputError, InputFaults
from anagen.evidence.bias import INSTRUMENTS, BiasAnswer, judge_bias, judge_domain, load_instrument
from anagen.evidence.bias import _is_asked as is_asked


def given(text: str) -> dict[str, BiasAnswer]:
    """'1.1 Y 1.2 NI' as answers."""
    words = text.split()
    return {q: BiasAnswer(a, "read") for q, a in zip(words[::2], words[1::2], strict=True)}


def domain_of(name: str, text: str) -> str:
    instrument = load_instrument(name)
    answers = given(text)
    domain = next(d for d in instrument.domains if d.id == text.split(".", maxsplit=1)[0])
    return judge_domain(instrument, domain, answers)


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_every_possible_set_of_answers_is_judged(name):
    instrument = load_instrument(name)
    for domain in instrument.domains:
        for codes in itertools.product(["Y", "N", "NI"], repeat=len(domain.questions)):
            answers = {}
            for question, code in zip(domain.questions, codes, strict=True):
                if is_asked(question, answers):
                    answers[question.id] = BiasAnswer(code, "read")
            judged = judge_domain(instrument, domain, answers)
            assert judged in {*instrument.levels, instrument.no_information}


# The published RoB 2 algorithm (Higgins et al., full guidance, 22 August 2019, boxes and figures 4 to 10).
@pytest.mark.parametrize(
    ("answers", "judgement"),
    [
        ("1.1 Y 1.2 Y 1.3 N", "low"),
        ("1.1 NI 1.2 PY 1.3 NI", "low"),
        ("1.1 Y 1.2 Y 1.3 PY", "some concerns"),
        ("1.1 N 1.2 Y 1.3 N", "some concerns"),
        ("1.1 Y 1.2 NI 1.3 N", "some concerns"),
        ("1.1 Y 1.2 NI 1.3 Y", "high"),
        ("1.1 Y 1.2 PN 1.3 N", "high"),
        ("2.1 N 2.2 PN 2.6 Y", "low"),
        ("2.1 Y 2.2 N 2.3 N 2.6 Y", "low"),
        ("2.1 Y 2.2 Y 2.3 NI 2.6 Y", "some concerns"),
        ("2.1 Y 2.2 Y 2.3 Y 2.4 N 2.6 Y", "some concerns"),
        ("2.1 Y 2.2 Y 2.3 Y 2.4 NI 2.5 Y 2.6 Y", "some concerns"),
        ("2.1 Y 2.2 Y 2.3 Y 2.4 Y 2.5 N 2.6 Y", "high"),
        ("2.1 N 2.2 N 2.6 NI 2.7 N", "some concerns"),
        ("2.1 N 2.2 N 2.6 N 2.7 NI", "high"),
        ("3.1 Y", "low"),
        ("3.1 NI 3.2 Y", "low"),
        ("3.1 N 3.2 N 3.3 N", "low"),
        ("3.1 N 3.2 PN 3.3 Y 3.4 N", "some concerns"),
        ("3.1 N 3.2 N 3.3 NI 3.4 NI", "high"),
        ("4.1 Y 4.2 N 4.3 N", "high"),
        ("4.1 N 4.2 Y", "high"),
        ("4.1 N 4.2 N 4.3 N", "low"),
        ("4.1 NI 4.2 N 4.3 Y 4.4 N", "low"),
        ("4.1 N 4.2 N 4.3 NI 4.4 Y 4.5 N", "some concerns"),
        ("4.1 N 4.2 N 4.3 Y 4.4 NI 4.5 NI", "high"),
        ("4.1 N 4.2 NI 4.3 N", "some concerns"),
        ("4.1 N 4.2 NI 4.3 Y 4.4 N", "some concerns"),
        ("4.1 N 4.2 NI 4.3 Y 4.4 Y 4.5 Y", "high"),
        ("5.1 Y 5.2 N 5.3 PN", "low"),
        ("5.1 NI 5.2 N 5.3 N", "some concerns"),
        ("5.1 Y 5.2 NI 5.3 N", "some concerns"),
        ("5.1 Y 5.2 NI 5.3 Y", "high"),
    ],
)
def test_rob2_domains(answers, judgement):
    assert domain_of("rob2", answers) == judgement


@pytest.mark.parametrize(
    ("answers", "judgement"),
    [
        ("1.0 N", "critical"),
        ("1.0 Y 1.1 N", "low"),
        ("1.0 Y 1.1 Y 1.4 Y 1.5 Y 1.6 N", "moderate"),
        ("1.0 Y 1.1 Y 1.4 Y 1.5 Y 1.6 Y", "serious"),
        ("1.0 Y 1.1 Y 1.4 NI", "no information"),
        ("6.1 Y 6.2 Y 6.3 Y 6.4 N", "serious"),
        ("6.1 Y 6.2 N 6.3 Y 6.4 N", "low"),
        ("7.0 Y 7.1 N 7.2 N 7.3 N", "low"),
        ("7.0 N 7.1 N 7.2 N 7.3 N", "moderate"),
    ],
)
def test_robins_i_domains(answers, judgement):
    assert domain_of("robins_i_v1", answers) == judgement


LOW = "1.1 Y 1.2 Y 1.3 N 2.1 N 2.2 N 2.6 Y 3.1 Y 4.1 N 4.2 N 4.3 N 5.1 Y 5.2 N 5.3 N"


def test_overall_is_the_worst_domain():
    instrument = load_instrument("rob2")
    assert judge_bias("A", instrument, given(LOW)).overall == "low"
    assert judge_bias("A", instrument, given(LOW.replace("5.1 Y", "5.1 NI"))).overall == "some concerns"
    assert judge_bias("A", instrument, given(LOW.replace("1.2 Y", "1.2 N"))).overall == "high"


def test_no_information_stays_unless_something_worse_is_known():
    instrument = load_instrument("robins_i_v1")
    rest = "2.1 N 2.4 Y 3.1 Y 3.2 Y 3.3 N 4.1 NI 5.1 Y 6.1 N 6.2 N 6.3 Y 6.4 N 7.0 Y 7.1 N 7.2 N 7.3 N"
    assert judge_bias("A", instrument, given("1.0 Y 1.1 N " + rest)).overall == "no information"
    assert judge_bias("A", instrument, given("1.0 N " + rest)).overall == "critical"


def test_a_judgement_carries_every_answer_and_reason():
    judged = judge_bias("A 2020", load_instrument("rob2"), given(LOW))
    assert judged.domains[0].answers[0] == ("1.1", "Was the order of allotment random?", "Y", "read")
    assert judged.version.startswith("22 August 2019")


def test_faults_are_named_all_at_once():
    answers = given(LOW)
    del answers["1.1"]
    answers["9.9"] = BiasAnswer("Y", "x")
    answers["1.2"] = BiasAnswer("maybe", "x")
    answers["1.3"] = BiasAnswer("N", " ")
    with pytest.raises(InputFaults) as caught:
        judge_bias("A 2020", load_instrument("rob2"), answers)
    assert {fault.column for fault in caught.value.faults} == {"1.1", "9.9", "1.2", "1.3"}


def test_unknown_instrument():
    with pytest.raises(InputError, match="rob2, robins_i_v1"):
        load_instrument("robins_i_v2")
