"""The criteria of the example: male, 22 to 65 years, Norwood-Hamilton III to VI."""

from __future__ import annotations

import datetime as dt

import pytest

from anagen.study.eligibility import criteria_failed
from anagen.study.norwood_hamilton import NORWOOD_HAMILTON, parse_stage
from anagen.study.protocol import Eligibility
from anagen.study.records import Participant

CRITERIA = Eligibility(sex=("male",), age_years=(22, 65), norwood_hamilton=("III", "VI"))


def person(**changed) -> Participant:
    values = {"sex": "male", "age_years": 40.0, "norwood_hamilton": "IV", "enrolled_on": dt.date(2026, 1, 5)} | changed
    return Participant("P01", 2, **values)


@pytest.mark.parametrize("age", [22.0, 40.0, 65.0, 65.9])
def test_ages_from_the_first_day_of_the_lowest_to_the_last_of_the_highest_are_eligible(age: float):
    assert criteria_failed(person(age_years=age), CRITERIA) == ()


@pytest.mark.parametrize("age", [21.9, 66.0, None])
def test_other_ages_are_not(age: float | None):
    (reason,) = criteria_failed(person(age_years=age), CRITERIA)
    assert reason.startswith("age must be 22 to 65 years, is")


def test_stages_within_the_range_include_their_variants():
    eligible = {stage for stage in NORWOOD_HAMILTON if not criteria_failed(person(norwood_hamilton=stage), CRITERIA)}
    assert eligible == {"III", "IIIa", "IIIv", "IV", "IVa", "V", "Va", "VI"}


def test_a_range_that_ends_at_a_stage_includes_its_variants():
    criteria = Eligibility(norwood_hamilton=("I", "III"))
    assert criteria_failed(person(norwood_hamilton="IIIv"), criteria) == ()
    assert criteria_failed(person(norwood_hamilton="IV"), criteria)


def test_every_criterion_that_fails_is_named():
    failed = criteria_failed(person(sex="female", age_years=70.0, norwood_hamilton="II"), CRITERIA)
    assert failed == (
        "sex must be male, is female",
        "age must be 22 to 65 years, is 70",
        "Norwood-Hamilton must be III to VI, is II",
    )


def test_without_criteria_everyone_is_eligible():
    assert criteria_failed(person(sex=None, age_years=None, norwood_hamilton=None), Eligibility()) == ()


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("III", "III"), ("3", "III"), ("iii", "III"), ("III vertex", "IIIv"), ("IIIv", "IIIv"), ("3v", "IIIv"),
        ("Norwood-Hamilton IV", "IV"), ("type Va", "Va"), ("IV", "IV"), ("iv", "IV"), ("V", "V"), ("VII", "VII"),
        ("VIII", None), ("IVv", None), ("0", None), ("8", None), ("", None), ("Ludwig II", None),
    ],
)  # fmt: skip
def test_stages_are_read_as_people_write_them(text: str, stage: str | None):
    assert parse_stage(text) == stage
