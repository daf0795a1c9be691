"""When a visit is due, and how many days early or late it was."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from anagen.study.protocol import Visit


@dataclass(frozen=True, slots=True)
class Window:
    """First, planned and last day of a visit, all three allowed."""

    opens_on: dt.date
    due_on: dt.date
    closes_on: dt.date


def visit_window(visit: Visit, enrolled_on: dt.date) -> Window:
    """Find the days on which a person enrolled on `enrolled_on` may make a visit.

    Examples
    --------
    >>> week_4 = Visit(name="week 4", week=4, days_before=3, days_after=7)
    >>> visit_window(week_4, dt.date(2026, 1, 1)).closes_on
    datetime.date(2026, 2, 5)
    """
    due_on = enrolled_on + dt.timedelta(days=round(visit.week * 7))
    return Window(due_on - dt.timedelta(days=visit.days_before), due_on, due_on + dt.timedelta(days=visit.days_after))


def days_outside(window: Window, day: dt.date) -> int:
    """0 inside the window; below 0 that many days too early, above 0 too late."""
    if day < window.opens_on:
        return (day - window.opens_on).days
    return max(0, (day - window.closes_on).days)
