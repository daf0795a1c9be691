"""`anagen hair`: count and measure the hairs of photographs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from anagen.cli.progress import StderrProgress
from anagen.cli.results_table import show_results
from anagen.errors import InputError
from anagen.hair import HairMeasurement, cumulative_thickness, summarise_units, terminal_density
from anagen.hair.thickness import TERMINAL_CUT_OFFS_UM
from anagen.records import Estimate, to_json
from anagen.report.overlay import TERMINAL_UM
from anagen.report.wording import NOT_GIVEN, print_number
from anagen.study.regions import parse_region
from anagen.wiring import measure_photos
from anagen.workflows.measure_hair import PhotoResult


def hair(
    images: Annotated[list[Path], typer.Argument(help="Photographs: JPEG, PNG, TIFF, BMP or HEIC.")],
    um_per_px: Annotated[float, typer.Option(help="Scale, micrometres per pixel.")],
    gamma: Annotated[
        float | None, typer.Option(help="Transfer curve of the camera, 1 (linear) to 3; sRGB is 2.2. Else estimated.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="Where hairs count, e.g. circle:row,col,radius in pixels.")] = None,
    overlay: Annotated[Path | None, typer.Option(help="Folder for pictures with the hairs drawn on.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Count the hairs of each photograph, with density, diameters and what a reader must know."""
    if not um_per_px > 0:
        raise InputError(f"--um-per-px must be above 0, got {um_per_px}: measure a ruler, or see `anagen calibrate`")
    results = measure_photos(
        images,
        um_per_px=um_per_px,
        gamma=gamma,
        region=None if region is None else parse_region(region),
        overlay_folder=overlay,
        progress=StderrProgress(),
    )
    if as_json:
        typer.echo(json.dumps({"ok": not any(r.failure for r in results), "images": [_as_json(r) for r in results]}))
    else:
        _show(results)
    if any(result.failure for result in results):
        raise typer.Exit(1)


def _as_json(result: PhotoResult) -> dict[str, Any]:
    said: dict[str, Any] = {"file": str(result.file), "failure": result.failure or None}
    if result.hairs is not None:
        measured = to_json(result.hairs)
        said |= {
            "n_hairs": result.hairs.n_hairs,
            "density_per_cm2": to_json(result.hairs.density_per_cm2),
            "terminal_density": {
                f"{cut_off:g} um": to_json(terminal_density(result.hairs, cut_off_um=cut_off))
                for cut_off in TERMINAL_CUT_OFFS_UM
            },
            "cumulative_thickness": to_json(cumulative_thickness(result.hairs)),
            "follicular_units": to_json(summarise_units(result.hairs)),
        } | measured
    if result.overlay is not None:
        said["overlay"] = str(result.overlay)
    return said


def _show(results: list[PhotoResult]) -> None:
    measured = [(result.file.name, result.hairs) for result in results if result.hairs is not None]
    show_results(
        ("file", "hairs", "area, cm²", "hairs/cm²", f"> {TERMINAL_UM:g} µm/cm²", "mm hair/cm²"),
        [(name, *_row(hairs)) for name, hairs in measured],
        remarks=[f"{name}: {flag.said}" for name, hairs in measured for flag in hairs.flags],
        failures=[result.failure for result in results if result.failure],
    )
    for result in results:
        if result.overlay is not None:
            typer.echo(f"Overlay: {result.overlay}", err=True)


def _row(hairs: HairMeasurement) -> tuple[str, ...]:
    if hairs.refused:
        return ("refused", f"{hairs.area_cm2:.3f}", "refused", NOT_GIVEN, NOT_GIVEN)
    return (
        str(hairs.n_hairs),
        f"{hairs.area_cm2:.3f}",
        f"{hairs.density_per_cm2:.1f}",
        _print(terminal_density(hairs, cut_off_um=TERMINAL_UM), 0),
        _print(cumulative_thickness(hairs), 1),
    )


def _print(estimate: Estimate, digits: int) -> str:
    """Value and its 95 % interval, in few columns."""
    if not math.isfinite(estimate.value):
        return NOT_GIVEN
    value, low, high = (print_number(x, digits) for x in (estimate.value, estimate.ci_low, estimate.ci_high))
    return f"{value} ({low}–{high})"
