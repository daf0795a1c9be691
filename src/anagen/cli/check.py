"""`anagen check`: show everything that is wrong with a study folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from anagen.study.findings import Finding
from anagen.wiring import check_folder
from anagen.workflows.check import CheckReport, report_as_json


def check(
    study: Annotated[Path, typer.Argument(help="The study folder: it holds protocol.toml.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Name every fault of a study folder at once, with file, row, column, value and the way out.

    Exit code 0: nothing to mend (screen failures and missed visits are listed, not faults). 1: something to mend.
    """
    report = check_folder(study)
    if as_json:
        typer.echo(json.dumps(report_as_json(report), ensure_ascii=False))
    else:
        _show(report, Console(highlight=False, soft_wrap=not sys.stdout.isatty()))
    raise typer.Exit(1 if report.faults else 0)


def _show(report: CheckReport, console: Console) -> None:
    for title, findings in (
        ("To mend", report.faults),
        ("Left out of the analysis", report.left_out),
        ("To know", report.notes),
    ):
        if findings:
            _show_findings(f"{title} ({len(findings)})", findings, console)
    counts = ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in report.counts.items() if n)
    console.print(f"Read: {counts or 'nothing'}.", markup=False)
    console.print(_conclusion(report), markup=False)


def _show_findings(title: str, findings: tuple[Finding, ...], console: Console) -> None:
    if not console.is_terminal:  # one line each, for a log or a search
        console.print(f"{title}:", markup=False)
        for finding in findings:
            console.print(f"  {finding}", markup=False)
        return
    table = Table(title=title, title_justify="left", show_lines=True, expand=False)
    for heading in ("where", "value", "what", "way out"):
        table.add_column(heading, overflow="fold", ratio=1 if heading in {"what", "way out"} else None)
    for finding in findings:
        fault = finding.fault
        where = fault.file + (f"\nrow {fault.row}" if fault.row else "") + (f"\n{fault.column}" if fault.column else "")
        table.add_row(*(Text(cell) for cell in (where, fault.value or "", fault.rule, fault.way_out)))
    console.print(table)


def _conclusion(report: CheckReport) -> str:
    if not report.faults:
        return "Nothing to mend: `anagen run` can start."
    n = len(report.faults)
    things = "1 thing" if n == 1 else f"{n} things"
    if report.runnable:
        return f"{things} to mend. `anagen run` would start, without what is faulty."
    return f"{things} to mend before `anagen run` can start."
