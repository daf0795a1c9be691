"""`anagen init`: write a new study folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from anagen.workflows.init import init_study


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write a new study folder to fill in: a commented protocol and the tables with their first lines."""
    written = init_study(folder)
    if as_json:
        typer.echo(json.dumps({"ok": True, "folder": str(folder), "files": [path.name for path in written]}))
        return
    typer.echo(f"Wrote {folder}: " + ", ".join(path.name for path in written))
    typer.echo(f"Fill in protocol.toml first, then the tables; `anagen check {folder}` names what is missing.")
