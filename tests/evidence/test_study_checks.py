"""Impossible numbers are named; possible ones, rounded as papers round, pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anagen.evidence.study_checks import ReportedStudy, check_reported


def columns(**numbers) -> list[str]:
    return [fault.column for fault in check_reported([ReportedStudy("A 2020", **numbers)])]


@pytest.mark.parametrize(
    ("numbers", "named"),
    [
        ({"sd1": 0.0}, ["sd1"]),
        ({"std_error": -1.0}, ["std_error"]),
        ({"n1": 10, "n2": 12, "n_total": 20}, ["n_total"]),
        ({"n1": 10.5}, ["n1"]),
        ({"events1": 11, "n1": 10}, ["events1"]),
        ({"p_value": 1.2}, ["p_value"]),
        ({"effect": 5.0, "ci_low": 6.0, "ci_high": 9.0}, ["effect"]),
        ({"effect": 5.0, "ci_low": 9.0, "ci_high": 6.0}, ["ci_low"]),
        ({"effect": 5.0, "ci_low": 5.0, "ci_high": 5.0}, ["ci_low"]),
        ({"effect": 5.0, "ci_low": -1.0, "ci_high": 11.0, "p_value": 0.01}, ["p_value"]),
        ({"effect": 5.0, "ci_low": 3.0, "ci_high": 7.0, "p_value": 0.2}, ["p_value"]),
        ({"effect": 0.5, "ci_low": -0.1, "ci_high": 1.0, "log_scale": True}, ["ci_low"]),
    ],
)
def test_the_impossible_is_named(numbers, named):
    assert columns(**numbers) == named


def test_a_fault_names_study_row_value_and_way_out():
    fault = check_reported([ReportedStudy("B 2021", row=7, sd2=0.0)], file="effects.csv")[0]
    assert str(fault).startswith("effects.csv, row 7, sd2 = '0': B 2021: a standard deviation must be above 0")


@given(st.floats(-30, 30), st.floats(0.5, 10), st.integers(8, 200), st.integers(8, 200), st.booleans())
def test_honest_numbers_pass_however_the_paper_rounds(effect, se, n1, n2, use_t):
    df = n1 + n2 - 2
    quantile = stats.t.isf(0.025, df) if use_t else stats.norm.isf(0.025)
    p = 2 * (stats.t.sf(abs(effect) / se, df) if use_t else stats.norm.sf(abs(effect) / se))
    numbers = {
        "effect": round(effect, 1),
        "ci_low": round(effect - quantile * se, 1),
        "ci_high": round(effect + quantile * se, 1),
        "p_value": round(p, 3),
        "n1": n1,
        "n2": n2,
        "n_total": n1 + n2,
    }
    assert columns(**numbers) == []


def test_published_ratio_and_difference_pass():
    assert columns(effect=27.55, ci_low=14.04, ci_high=41.06) == []
    assert columns(effect=0.49, ci_low=0.34, ci_high=0.70, p_value=0.0001, log_scale=True) == []
