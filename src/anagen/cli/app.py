"""The `anagen` command: every subcommand by name, and what happens when one fails."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console

from anagen import __version__
from anagen.cli.answer import answer
from anagen.cli.check import check
from anagen.cli.demo import demo
from anagen.cli.hair import hair
from anagen.cli.init import init
from anagen.cli.plan import plan
from anagen.cli.pool import pool
from anagen.cli.run import run
from anagen.cli.vesicles import vesicles
from anagen.errors import AnagenError, InputFaults
from anagen.records import to_json

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")

MOST_LINES = 30
"""More would hide the first one; `anagen check` shows all."""
DONE, DATA_AT_FAULT, STOPPED = 0, 1, 130


for command in (demo, init, check, run, hair, vesicles, plan, pool, answer):
    app.command()(command)


@app.callback(invoke_without_command=True)
def explain(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Measure a hair-loss trial and say honestly what it shows.

    Begin with `anagen demo`: it writes an example study, runs it and prints where the report is.
    Then `anagen init DIR` makes a study folder of your own, `anagen check DIR` names everything that is wrong
    with it, and `anagen run DIR` measures, analyses and writes the report.
    """
    if version:
        typer.echo(__version__)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(DONE)


def main() -> None:
    """Run the command line; the only place, with the web, where errors are caught."""
    try:
        app()
    except AnagenError as error:
        _show_error(error)
        sys.exit(DATA_AT_FAULT)
    except KeyboardInterrupt:
        Console(stderr=True).print("Stopped. What was measured is kept; the same command goes on from here.")
        sys.exit(STOPPED)


def _show_error(error: AnagenError) -> None:
    faults = error.faults if isinstance(error, InputFaults) else ()
    if "--json" in sys.argv:
        typer.echo(json.dumps({"ok": False, "error": str(error), "faults": to_json(faults)}, ensure_ascii=False))
        return
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    lines = faults or (error,)
    for line in lines[:MOST_LINES]:
        console.print(f"error: {line}", markup=False)
    if len(lines) > MOST_LINES:
        console.print(f"error: and {len(lines) - MOST_LINES} more; `anagen check` lists all of them.", markup=False)
