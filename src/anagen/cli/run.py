"""`anagen run`: from a study folder to its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from anagen.cli.progress import StderrProgress
from anagen.wiring import make_run_ports
from anagen.workflows.run import RunSummary, run_study


def run(
    study: Annotated[Path, typer.Argument(help="The study folder, with protocol.toml and its tables.")],
    jobs: Annotated[int, typer.Option(help="How many processes measure at once.", min=1)] = 1,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler that measures instead.")] = None,
    pdf: Annotated[bool, typer.Option(help="Print the report to PDF as well, by the browser of this machine.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Check a study, measure what is new, analyse, and write results/report.html inside it."""
    ports = make_run_ports(jobs=jobs, scheduler=scheduler, progress=StderrProgress(), pdf=pdf)
    show_summary(run_study(study, ports), as_json=as_json)


def show_summary(summary: RunSummary, *, as_json: bool) -> None:
    """Print what a run did."""
    if as_json:
        said = {
            "ok": True,
            "report": str(summary.report),
            "no_pdf": summary.no_pdf,
            "n_files": summary.n_files,
            "n_measured": summary.n_measured,
            "n_failed": summary.n_failed,
            "left_out": summary.left_out,
            "headline": summary.headline,
        }
        typer.echo(json.dumps(said, ensure_ascii=False))
        return
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(
        f"{summary.n_files} files: {summary.n_measured} measured now, {summary.n_failed} without a measurement; "
        f"{summary.left_out} findings leave something out (listed in the report)."
    )
    console.print(summary.headline, style="bold", markup=False)
    if summary.no_pdf:
        console.print(f"No PDF: {summary.no_pdf}.", markup=False)
    else:
        console.print(f"The same as PDF: {summary.report.with_suffix('.pdf')}", markup=False)
    console.print(f"For people who took part: {summary.report.with_name('patient.html')}", markup=False)
    typer.echo(f"Report: {summary.report}")
