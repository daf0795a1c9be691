"""What can go wrong, named by who must act.

::

    AnagenError
    |-- InputError (ValueError)             the caller's data or arguments: change them
    |   `-- InputFaults                     many of them, gathered from a table or a folder, raised once
    |-- NotEnoughDataError (ValueError)     the data allow no honest answer: collect more or ask less
    |-- ConvergenceError (RuntimeError)     an iteration did not settle: simplify the model
    `-- StoreError (RuntimeError)           the place where results are kept: free it, repair it

A message says which argument or file, the rule, the value got, and the way out. A blurred image or a short
track is no error: it is a flag in the record. Only the edges (cli, web) catch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class AnagenError(Exception):
    """Anything this package raises on purpose."""


class InputError(AnagenError, ValueError):
    """The caller's data or arguments are at fault."""


class NotEnoughDataError(AnagenError, ValueError):
    """The data are sound but allow no honest answer."""


class ConvergenceError(AnagenError, RuntimeError):
    """An iterative method did not settle."""


class StoreError(AnagenError, RuntimeError):
    """Results could not be kept or read back."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one place of the user's files.

    Parameters
    ----------
    file : str
        Path inside the study folder, or the name the user gave.
    rule : str
        What was expected, in the user's words.
    way_out : str
        What to do about it.
    row : int or None
        Line of the file as a spreadsheet shows it (the header is row 1); None when it concerns the whole file.
    column : str or None
        Name of the column or key.
    value : str or None
        What stood there.
    """

    file: str
    rule: str
    way_out: str
    row: int | None = None
    column: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        place = self.file
        if self.row is not None:
            place += f", row {self.row}"
        if self.column is not None:
            place += f", {self.column}"
        if self.value is not None:
            place += f" = {self.value!r}"
        return f"{place}: {self.rule}. {self.way_out[:1].upper()}{self.way_out[1:]}"


class InputFaults(InputError):
    """Every fault of one input at once.

    Parameters
    ----------
    faults : sequence of Fault
        At least one.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))
