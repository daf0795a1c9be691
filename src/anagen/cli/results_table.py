"""What measuring single files prints: a table of those measured, remarks and failures in lines of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import typer
from rich.console import Console
from rich.table import Table

NARROWEST = 100
"""Columns to draw for where there is no terminal: a file or pipe has no width, and a wrapped number is misread."""


def show_results(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, remarks: Iterable[str], failures: Iterable[str]
) -> None:
    """Print the table and remarks on standard output, the failures as `error:` lines on standard error."""
    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    if table.row_count:
        console = Console()
        (console if console.is_terminal else Console(width=NARROWEST)).print(table)
    for line in remarks:
        typer.echo(line)
    for line in failures:
        typer.echo(f"error: {line}", err=True)
