"""`anagen answer`: what published studies say to one question, and what that is worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from anagen.workflows.answer import write_answer


def answer(
    intervention: Annotated[str, typer.Argument(help="For example: exosome.")],
    outcome: Annotated[str, typer.Argument(help='For example: "hair density".')] = "hair density",
    out: Annotated[Path, typer.Option(help="Folder for the page and its figures.")] = Path("answers"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write a page of all studies, what can be pooled, bias, certainty, verdict, and the trial that would settle it."""
    written = write_answer(intervention, outcome, out)
    found = written.answer
    if as_json:
        said = {
            "ok": True,
            "page": str(written.page),
            "professional": found.professional,
            "patient": found.patient,
            "certainty": found.graded.certainty if found.graded else None,
            "n_studies": found.studies["study"].n_unique(),
            "n_per_group": found.trial.n_per_group_90,
        }
        typer.echo(json.dumps(said, ensure_ascii=False))
        return
    typer.echo(found.professional)
    typer.echo(f"Wrote {written.page}")
