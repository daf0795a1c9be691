"""Numbers and dates as people type them."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagen.study.cells import parse_date, parse_number

DAY = dt.date(2026, 4, 3)


@pytest.mark.parametrize(
    ("text", "comma", "number"),
    [
        ("5.5", False, 5.5),
        ("5,5", False, 5.5),
        ("5,5", True, 5.5),
        ("1,234", True, 1.234),
        ("0,234", False, 0.234),
        ("-3", False, -3.0),
        ("\u22123", False, -3.0),
        ("1e10", False, 1e10),
        (".5", False, 0.5),
        ("5.", False, 5.0),
    ],
)
def test_numbers_are_read(text: str, comma, number: float):
    assert parse_number(text, decimal_comma=comma) == number


@pytest.mark.parametrize(
    "text", ["1,234", "1.234,5", "1 234", "5.5 um", "nan", "inf", "1e999", "abc", "", "1_000", "٣", "0x10", "--1"]
)
def test_what_is_no_number_or_could_be_two_is_not_guessed(text: str):
    assert parse_number(text, decimal_comma=False) is None


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_written_by_a_program_comes_back(number: float):
    assert parse_number(repr(number), decimal_comma=False) == number
    assert parse_number(repr(number).replace(".", ","), decimal_comma=True) == number


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("2026-04-03", "iso"),
        ("2026/4/3", "iso"),
        ("03.04.2026", "iso"),
        ("2026-04-03 00:00:00", "iso"),
        ("2026-04-03T12:00:00.5+02:00", "iso"),
        ("3/4/2026", "day-first"),
        ("4/3/2026", "month-first"),
        ("3-4-2026", "day-first"),
    ],
)
def test_dates_are_read(text: str, order):
    assert parse_date(text, order) == (DAY, "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("3/4/2026", "3 April or March 4?"),
        ("13/4/2026", "date_order"),
        ("2026-02-30", "no such day"),
        ("46115", "day number (2026-04-03)"),
        ("April 2026", "not readable"),
        ("26-04-03", "not readable"),
    ],
)
def test_what_is_no_date_or_could_be_two_is_not_guessed(text: str, reason: str):
    day, said = parse_date(text, "iso")
    assert day is None
    assert reason in said


@given(st.text(max_size=30))
def test_no_text_breaks_the_readers(text: str):
    parse_number(text, decimal_comma=True)
    for order in ("iso", "day-first", "month-first"):
        parse_date(text, order)
