"""Windows of visits."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from anagen.study.protocol import Visit
from anagen.study.visits import days_outside, visit_window

DAY_0 = dt.date(2026, 1, 5)
WEEK_4 = Visit(name="week 4", week=4, days_before=3, days_after=7)


def test_the_window_is_counted_from_the_enrolment():
    window = visit_window(WEEK_4, DAY_0)
    assert (window.opens_on, window.due_on, window.closes_on) == (
        dt.date(2026, 1, 30),
        dt.date(2026, 2, 2),
        dt.date(2026, 2, 9),
    )


@given(st.integers(-100, 100))
def test_days_outside_lead_back_to_the_nearest_edge(shift: int):
    window = visit_window(WEEK_4, DAY_0)
    day = window.due_on + dt.timedelta(days=shift)
    outside = days_outside(window, day)
    assert window.opens_on <= day - dt.timedelta(days=outside) <= window.closes_on
    assert (outside == 0) == (-3 <= shift <= 7)
    assert outside <= 0 or shift > 7
