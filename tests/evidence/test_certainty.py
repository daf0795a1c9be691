"""GRADE: sums of steps, floors, reasons."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagen.errors import InputError
from anagen.evidence.certainty import (
    LEVELS,
    LOWERING,
    Finding,
    GradeDomain,
    grade_certainty,
    judge_imprecision,
    judge_inconsistency,
    summarise_findings,
)
from anagen.evidence.pool import pool_effects


def steps(*levels: int) -> list[GradeDomain]:
    return [GradeDomain(name, level, "because") for name, level in zip(LOWERING, levels, strict=True)]


@pytest.mark.parametrize(
    ("levels", "randomised", "certainty"),
    [
        ((0, 0, 0, 0, 0), True, "high"),
        ((-1, 0, 0, -1, 0), True, "low"),
        ((-2, 0, -1, -1, 0), True, "very low"),
        ((0, 0, 0, 0, 0), False, "low"),
        ((-1, 0, 0, 0, 0), False, "very low"),
    ],
)
def test_sums(levels, randomised, certainty):
    assert grade_certainty(steps(*levels), randomised=randomised).certainty == certainty


def test_raising_only_where_nothing_lowers():
    large = GradeDomain("large effect", 2, "ten-fold")
    assert grade_certainty([*steps(0, 0, 0, 0, 0), large], randomised=False).certainty == "high"
    assert grade_certainty([*steps(-1, 0, 0, 0, 0), large], randomised=False).certainty == "very low"


@given(st.lists(st.integers(-3, 0), min_size=5, max_size=5), st.booleans(), st.integers(0, 4))
def test_lowering_one_more_level_never_raises(levels, randomised, which):
    lower = list(levels)
    lower[which] = max(-3, lower[which] - 1)
    a, b = (LEVELS.index(grade_certainty(steps(*x), randomised=randomised).certainty) for x in (levels, lower))
    assert b <= a


def test_suggested_steps_come_from_the_numbers():
    agree = pool_effects([14.7, 16.2, 15.0], [10.0, 5.0, 7.0])
    assert judge_inconsistency(agree).levels == 0
    assert judge_inconsistency(pool_effects([0.0, 20.0, 60.0], [1.0, 1.0, 1.0])).levels == -2
    assert judge_inconsistency(pool_effects([3.0], [1.0])).reason == "one study: agreement cannot be judged"
    precise = judge_imprecision(agree, smallest_important=5.0, n_people=800, n_needed=206)
    assert precise.levels == 0
    vague = judge_imprecision(pool_effects([6.0], [25.0]), smallest_important=5.0, n_people=20, n_needed=206)
    assert vague.levels == -2
    assert "0 and 5" in vague.reason


def test_summary_of_findings_says_why():
    graded = grade_certainty(steps(-2, 0, -1, -2, 0), randomised=True)
    table = summarise_findings([Finding("exosome or saline", "hair density", 1, 20, "not pooled", graded)])
    assert table["certainty"][0] == "very low"
    assert table["why"][0].startswith("risk of bias -2: because")


@pytest.mark.parametrize(
    ("domains", "message"),
    [
        (steps(0, 0, 0, 0, 0)[:4], "missing"),
        ([*steps(0, 0, 0, 0, 0), GradeDomain("imprecision", 0, "again")], "once"),
        (steps(1, 0, 0, 0, 0), "levels must be -3 to 0"),
        ([*steps(0, 0, 0, 0, 0), GradeDomain("large effect", -1, "x")], "levels must be 0 to 2"),
        ([*steps(0, 0, 0, 0, 0)[:4], GradeDomain("publication bias", 0, " ")], "needs its reason"),
    ],
)
def test_refusals(domains, message):
    with pytest.raises(InputError, match=message):
        grade_certainty(domains, randomised=True)
