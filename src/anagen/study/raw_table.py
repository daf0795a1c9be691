"""A table as its file holds it: text cells with their row numbers; the port through which tables come in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from anagen.errors import Fault


@dataclass(frozen=True, slots=True)
class RawRow:
    """One line of a table.

    Parameters
    ----------
    number : int
        As a spreadsheet shows it; the header is row 1 unless blank lines stand above it.
    cells : mapping of str to str
        Column as written in the header to text, blanks at both ends removed.
    """

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RawTable:
    """All lines of a table.

    Parameters
    ----------
    file : str
        How the file is called in messages.
    columns : tuple of str
        The header as written.
    rows : tuple of RawRow
        Lines with at least one filled cell.
    decimal_comma : bool
        Whether ``5,5`` is a number of this file (its cells are parted by something else).
    header_row : int
        Line of the header.
    faults : tuple of Fault
        Lines that do not fit the header; they are not in `rows`.
    """

    file: str
    columns: tuple[str, ...]
    rows: tuple[RawRow, ...]
    decimal_comma: bool = False
    header_row: int = 1
    faults: tuple[Fault, ...] = ()


ReadTable = Callable[[Path, str], RawTable]
"""Reads the table at a path; the text is its name in messages. Raises InputFaults when it is no table at all."""
