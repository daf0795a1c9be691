"""`anagen calibrate`: how many micrometres one pixel spans."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from anagen.records import to_json
from anagen.wiring import calibrate_photo


def calibrate(
    image: Annotated[Path, typer.Argument(help="Photograph of a ruler or stage micrometer; or any, to ask its file.")],
    tick_um: Annotated[
        float | None, typer.Option(help="Micrometres between neighbouring ticks: 1000 for a millimetre ruler.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Find the scale of a camera: photograph a ruler, then give --um-per-px to `anagen hair`."""
    scale = calibrate_photo(image, tick_um=tick_um)
    if as_json:
        typer.echo(json.dumps({"ok": True, "file": str(image), **to_json(scale)}))
        return
    error = f" ± {scale.um_per_px_sd:.2g}" if scale.source == "ruler" else ""
    typer.echo(f"{scale.um_per_px:.5g}{error} µm per pixel, from {scale.source} ({scale.detail})")
