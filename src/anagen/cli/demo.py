"""`anagen demo`: the example study, written and run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anagen.cli.progress import StderrProgress
from anagen.cli.run import show_summary
from anagen.wiring import make_example_ports, make_run_ports
from anagen.workflows.run import run_study
from anagen.workflows.write_example import write_example_study

SEED = 20240822
"""Day on which the source study went online (Ersan et al. 2024)."""


def demo(
    out: Annotated[Path, typer.Option(help="Folder to write the example study into.")] = Path("anagen-demo"),
    jobs: Annotated[int, typer.Option(help="How many processes work at once.", min=1)] = 2,
    seed: Annotated[int, typer.Option(help="Another seed plants another trial.")] = SEED,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Write a synthetic study of the source study's design, run it, and print where the report is."""
    progress = StderrProgress()
    write_example_study(out, seed=seed, ports=make_example_ports(jobs=jobs, progress=progress))
    show_summary(
        run_study(out, make_run_ports(jobs=jobs, scheduler=None, progress=progress, pdf=True)), as_json=as_json
    )
