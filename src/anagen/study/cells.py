"""One row of a table read cell by cell: every cell that breaks its rule becomes a finding, none raises."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from anagen.errors import Fault, InputError
from anagen.study.findings import Effect, Finding
from anagen.study.protocol import did_you_mean
from anagen.study.raw_table import RawRow

DateOrder = Literal["iso", "day-first", "month-first"]

EXCEL_DAY_0 = dt.date(1899, 12, 30)
"""Day 0 of spreadsheet serial dates from 1 March 1900 on (ECMA-376 part 1, 18.17.4.1)."""


@dataclass(slots=True)
class Row:
    """A row of one table with what was found in it so far.

    Parameters
    ----------
    file : str
        How the table is called in messages.
    raw : RawRow
        Its cells, by the names that the study knows.
    findings : list of Finding
        Grows with each fault.
    decimal_comma : bool
        Whether ``5,5`` is a number.
    date_order : {"iso", "day-first", "month-first"}
        How 3/4/2026 is read.
    today : date
        Later dates are faults.
    sound : bool
        False once a cell of this row broke a rule.
    """

    file: str
    raw: RawRow
    findings: list[Finding]
    decimal_comma: bool
    date_order: DateOrder
    today: dt.date
    sound: bool = field(default=True)

    def fault(
        self,
        column: str | None,
        rule: str,
        way_out: str,
        *,
        effect: Effect = "stop",
        code: str = "bad-value",
        value: str | None = None,
        participant: str | None = None,
        visit: str | None = None,
        expected: bool = False,
    ) -> None:
        """Note that something in this row is wrong."""
        shown = value if value is not None or column is None else self.raw.cells.get(column)
        fault = Fault(self.file, rule, way_out, row=self.raw.number, column=column, value=shown)
        self.findings.append(Finding(effect, code, fault, expected, participant, visit))
        if effect == "stop":
            self.sound = False

    def text(self, column: str, default: str = "") -> str:
        """Give what stands there, or `default` where the cell is blank or the column absent."""
        return self.raw.cells.get(column, "") or default

    def required(self, column: str, *, example: str) -> str:
        """Give what stands there; a fault where nothing does."""
        value = self.text(column)
        if not value:
            self.fault(column, "this cell must not be blank", f"fill it in, for example {example}", code="blank-cell")
        return value

    def one_of(self, column: str, allowed: Sequence[str], *, required: bool = True) -> str | None:
        """Give the allowed word that stands there, whatever its case; None where blank or wrong."""
        value = self.text(column)
        if not value:
            if required:
                self.required(column, example=allowed[0])
            return None
        for word in allowed:
            if value.casefold().replace("_", "-").replace(" ", "-") == word.casefold().replace(" ", "-"):
                return word
        self.fault(column, "must be one of: " + ", ".join(allowed), did_you_mean(value, allowed))
        return None

    def known(self, column: str, allowed: Sequence[str] | None, *, what: str) -> str | None:
        """Give a name that stands elsewhere in the study, exactly; `allowed` of None checks nothing."""
        value = self.required(column, example=allowed[0] if allowed else what)
        if not value:
            return None
        if allowed is not None and value not in allowed:
            hint = did_you_mean(value, allowed)
            self.fault(column, f"no {what} has this name", f"{hint} Spelling and case count", code="unknown-name")
            return None
        return value

    def number(
        self,
        column: str,
        *,
        unit: str,
        low: float,
        high: float,
        required: bool = True,
        above_low: bool = False,
        example: str = "1",
    ) -> float | None:
        """Give a number within [`low`, `high`], or within (`low`, `high`]; None where blank or wrong."""
        value = self.text(column)
        if not value:
            if required:
                self.required(column, example=example)
            return None
        number = parse_number(value, decimal_comma=self.decimal_comma)
        if number is None:
            self.fault(column, f"must be a number ({unit})", _way_out_of_number(value, example), code="not-a-number")
            return None
        if not low <= number <= high or (above_low and number == low):
            bound = f"above {low:g} and up to {high:g}" if above_low else f"{low:g} to {high:g}"
            self.fault(column, f"must be {bound} {unit}".rstrip(), f"write for example {example}", code="out-of-range")
            return None
        return number

    def whole(
        self, column: str, *, low: int, high: int, required: bool = True, default: int | None = None, what: str = ""
    ) -> int | None:
        """Give a whole number within [`low`, `high`]."""
        if not self.text(column) and not required:
            return default
        number = self.number(column, unit=what, low=low, high=high, example=str(low))
        if number is None:
            return None
        if number != int(number):
            self.fault(column, "must be a whole number", f"write for example {low}", code="not-whole")
            return None
        return int(number)

    def yes_or_no(self, column: str) -> bool | None:
        """Yes, no and their usual short forms; None where blank or wrong."""
        value = self.required(column, example="no").casefold()
        if value in {"yes", "y", "true", "1", "x"}:
            return True
        if value in {"no", "n", "false", "0"}:
            return False
        if value:
            self.fault(column, "must be yes or no", "write yes or no")
        return None

    def date(self, column: str, *, required: bool = False) -> dt.date | None:
        """Give a date up to today; None where blank or wrong."""
        value = self.text(column)
        if not value:
            if required:
                self.required(column, example="2026-03-31")
            return None
        day, reason = parse_date(value, self.date_order)
        if day is None:
            self.fault(
                column, f"must be a date: {reason}", "write year-month-day, for example 2026-03-31", code="bad-date"
            )
            return None
        # a site east of here may already have tomorrow
        if day > self.today + dt.timedelta(days=1):
            self.fault(
                column, f"lies in the future (today is {self.today})", "correct the year or the day", code="bad-date"
            )
            return None
        if day.year < 1990:
            self.fault(column, "lies before 1990", "correct the year: four digits", code="bad-date")
            return None
        return day

    def parsed(self, column: str, parse: Callable[[str], object]) -> object | None:
        """Give what `parse` makes of the cell; its InputError becomes a finding; None where blank."""
        value = self.text(column)
        if not value:
            return None
        try:
            return parse(value)
        except InputError as error:
            rule, _, way_out = str(error).partition(": ")
            self.fault(column, rule, way_out or "correct it")
            return None


def parse_number(text: str, *, decimal_comma: bool) -> float | None:
    """Read the finite number that a cell holds; None where it holds none or could mean two.

    Examples
    --------
    >>> parse_number("5,5", decimal_comma=True), parse_number("1.5e3", decimal_comma=False)
    (5.5, 1500.0)
    >>> parse_number("1,234", decimal_comma=False) is None   # 1.234 or 1234?
    True
    """
    plain = text.strip().replace("\u2212", "-")
    if re.fullmatch(r"[+-]?\d+,\d+([eE][+-]?\d+)?", plain):
        thousands = re.fullmatch(r"[+-]?\d{1,3},\d{3}", plain) and not plain.lstrip("+-").startswith("0")
        if thousands and not decimal_comma:
            return None
        plain = plain.replace(",", ".")
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", plain) or not plain.isascii():
        return None
    number = float(plain)
    return number if abs(number) < float("inf") else None


def _way_out_of_number(value: str, example: str) -> str:
    if re.fullmatch(r"[+-]?[\d.,\s]+", value):
        return "write the digits without thousands marks and with one decimal point, for example 1234.5"
    if re.match(r"[+-]?\d", value):
        return f"write the number alone, without its unit, for example {example}"
    return f"write a number, for example {example}; leave the cell blank where nothing was recorded and it may be blank"


def parse_date(text: str, order: DateOrder) -> tuple[dt.date | None, str]:
    """Read the day that a cell holds, and why it holds none.

    Parameters
    ----------
    text : str
        ``2026-03-31`` (a time of day may follow), ``31.03.2026``, or with an `order` ``31/3/2026``.
    order : {"iso", "day-first", "month-first"}
        How a date with slashes is read; ``iso`` refuses it, since 3/4/2026 is two days.

    Returns
    -------
    day : date or None
    reason : str
        Empty with a day.

    Examples
    --------
    >>> parse_date("31.03.2026", "iso")[0]
    datetime.date(2026, 3, 31)
    >>> parse_date("3/4/2026", "iso")[1]
    '3 April or March 4? Set date_order in protocol.toml to day-first or month-first'
    """
    plain = re.sub(r"[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$", "", text.strip())
    if not plain.isascii():
        return None, "not readable as a date"
    if match := re.fullmatch(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", plain):
        return _day(match[1], match[2], match[3])
    if match := re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", plain):
        return _day(match[3], match[2], match[1])
    if match := re.fullmatch(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})", plain):
        return _day_of_slashes(match[1], match[2], match[3], order)
    if re.fullmatch(r"[34]\d{4}", plain):
        day = EXCEL_DAY_0 + dt.timedelta(days=int(plain))
        return None, f"this is a spreadsheet's day number ({day}); format the column as a date or as text"
    return None, "not readable as a date"


def _day_of_slashes(first: str, second: str, year: str, order: DateOrder) -> tuple[dt.date | None, str]:
    if order == "day-first":
        return _day(year, second, first)
    if order == "month-first":
        return _day(year, first, second)
    either, other = _day(year, second, first)[0], _day(year, first, second)[0]
    if either and other and either != other:
        which = f"{either.day} {either:%B} or {other:%B} {other.day}?"
        return None, f"{which} Set date_order in protocol.toml to day-first or month-first"
    return None, "set date_order in protocol.toml to day-first or month-first"


def _day(year: str, month: str, day: str) -> tuple[dt.date | None, str]:
    try:
        return dt.date(int(year), int(month), int(day)), ""
    except ValueError:
        return None, "there is no such day"
