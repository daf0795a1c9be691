"""The plan: what is read, and that each fault names its line and the way out."""

from __future__ import annotations

import pytest
from tests.study.small_study import PROTOCOL

from anagen.errors import Fault, InputFaults
from anagen.study.protocol import Protocol


def faults_of(text: str) -> list[Fault]:
    with pytest.raises(InputFaults) as raised:
        Protocol.from_toml(text)
    return list(raised.value.faults)


def line_of(text: str, wanted: str, nth: int = 1) -> int:
    return [number for number, line in enumerate(text.splitlines(), 1) if line.startswith(wanted)][nth - 1]


def test_a_sound_plan_is_read():
    plan = Protocol.from_toml(PROTOCOL)
    assert plan.visit("week 4").days_after == 7
    assert [outcome.name for outcome in plan.primary_outcomes] == ["density"]
    assert plan.eligibility.sex == ("male",)
    assert plan.eligibility.norwood_hamilton == ("III", "VI")
    assert plan.analysis.outside_window == "keep"


@pytest.mark.parametrize(
    ("old", "new", "column", "row_of", "says"),
    [
        ("days_before = 7", "days_befor = 7", "visits[1].days_befor", "days_befor", "did you mean 'days_before'?"),
        ('kind = "single-arm"', 'kind = "crossover"', "design.kind", "kind", "must be 'single-arm', 'parallel'"),
        ("week = 4", 'week = "4"', "visits[2].week", 'week = "4"', "must be a valid number"),
        ("week = 4", "week = true", "visits[2].week", "week = true", "must be a valid number"),
        ("days_after = 7", "days_after = -7", "visits[2].days_after", "days_after = -7", "greater than or equal to 0"),
        ('["III", "VI"]', '["III", "VIII"]', "eligibility.norwood_hamilton[2]", "norwood", "must be one of I, II"),
        ('["III", "VI"]', '["VI", "III"]', "eligibility.norwood_hamilton", "norwood", "swap the two"),
        ("[22, 65]", "[65, 22]", "eligibility.age_years", "age_years", "[lowest, highest]"),
        ('unit = "hairs/cm2"', 'unit = "hairs/mm2"', "outcomes[1].unit", "unit", 'write unit = "hairs/cm2"'),
        ("primary = true", "", "outcomes", "[[outcomes]]", "no outcome is primary"),
        (
            'instrument = "satisfaction-5"',
            'instrument = "satisfied"',
            "outcomes[2].instrument",
            "instrument",
            "names an",
        ),
        ('visits = ["week 4"]', 'visits = ["week 12"]', "outcomes[1].visits", "visits = ", "did you mean 'week 4'?"),
        ('visits = ["week 4"]', 'visits = ["baseline"]', "outcomes[1].visits", "visits = ", "must come after"),
        ('name = "week 4"', 'name = "baseline"', "visits[2].name", None, "already taken"),
        ('kind = "single-arm"', 'kind = "parallel"', "arms", "[[arms]]", "at least two arms"),
        ('title = "A small study"', 'title = ""', "title", "title", "at least 1 character"),
        ('title = "A small study"', "", "title", None, "this key is required"),
    ],
)
def test_each_fault_names_key_line_and_way_out(old: str, new: str, column: str, row_of: str | None, says: str):
    text = PROTOCOL.replace(old, new, 1)
    assert text != PROTOCOL
    fault = next(fault for fault in faults_of(text) if fault.column == column)
    assert says in f"{fault.rule}. {fault.way_out}"
    if row_of is not None:
        assert fault.row == line_of(text, row_of)


def test_a_split_scalp_arm_names_its_sites():
    text = PROTOCOL.replace('"single-arm"', '"split-scalp"').replace(
        '[[arms]]\nname = "exosome"', '[[arms]]\nname = "exosome"\nscalp_sites = ["left"]\n[[arms]]\nname = "saline"'
    )
    (fault,) = faults_of(text)
    assert fault.column == "arms[2].scalp_sites"


def test_a_smallest_important_difference_needs_its_source():
    text = PROTOCOL.replace("primary = true", "primary = true\nsmallest_important_difference = 10.0")
    (fault,) = faults_of(text)
    assert "needs its source" in fault.rule


def test_all_faults_come_at_once():
    text = PROTOCOL.replace("week = 4", 'week = "4"').replace("question =", "qestion =").replace("[22, 65]", "[22]")
    columns = {fault.column for fault in faults_of(text)}
    assert {"visits[2].week", "qestion", "question", "eligibility.age_years[2]"} <= columns


def test_what_is_no_toml_names_its_line():
    (fault,) = faults_of(PROTOCOL.replace('kind = "single-arm"', "kind = single-arm"))
    assert fault.row == line_of(PROTOCOL, "kind")
    assert "not TOML" in fault.rule
