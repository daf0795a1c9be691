"""`anagen vesicles`: sizes and number of the vesicles in particle-tracking movies."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from anagen.cli.progress import StderrProgress
from anagen.cli.results_table import show_results
from anagen.errors import InputError
from anagen.records import to_json
from anagen.vesicles import VesicleMeasurement
from anagen.wiring import measure_movies
from anagen.workflows.measure_vesicles import MovieResult


def vesicles(
    movies: Annotated[list[Path], typer.Argument(help="AVI, MP4, MOV, MKV, TIFF stack, or a folder of frames.")],
    um_per_px: Annotated[float, typer.Option(help="Scale, micrometres per pixel.")],
    frames_per_s: Annotated[float, typer.Option(help="Frame rate of the camera.")],
    temperature_c: Annotated[float, typer.Option(help="Temperature of the sample, degrees Celsius.")],
    exposure_ms: Annotated[float | None, typer.Option(help="Exposure of a frame; a whole frame unless given.")] = None,
    viscosity_mpa_s: Annotated[float | None, typer.Option(help="Viscosity; that of water unless given.")] = None,
    dilution: Annotated[float, typer.Option(help="Dilution factor: 500 for 1:500.")] = 1.0,
    figures: Annotated[Path | None, typer.Option(help="Folder for figures: sizes, tracks, steps, light.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Measure the size distribution of each movie, with intervals and what a reader must know."""
    _check_above_zero(
        {"--um-per-px": um_per_px, "--frames-per-s": frames_per_s, "--exposure-ms": exposure_ms}
        | {"--viscosity-mpa-s": viscosity_mpa_s}
    )
    settings: dict[str, Any] = {
        "um_per_px": um_per_px,
        "frames_per_s": frames_per_s,
        "temperature_c": temperature_c,
        "dilution": dilution,
        "exposure_s": None if exposure_ms is None else exposure_ms / 1000,
        "viscosity_mpa_s": viscosity_mpa_s,
    }
    results = measure_movies(movies, settings=settings, figure_folder=figures, progress=StderrProgress())
    if as_json:
        said = {"ok": not any(result.failure for result in results), "movies": [_as_json(each) for each in results]}
        typer.echo(json.dumps(said, ensure_ascii=False))
    else:
        _show(results)
    if any(result.failure for result in results):
        raise typer.Exit(1)


def _check_above_zero(given: dict[str, float | None]) -> None:
    for option, value in given.items():
        if value is not None and not value > 0:
            raise InputError(f"{option} must be above 0, got {value}: look it up in the instrument's record")


def _as_json(result: MovieResult) -> dict[str, Any]:
    said: dict[str, Any] = {"file": str(result.file), "failure": result.failure or None}
    if result.vesicles is not None and result.record is not None:
        said |= {"n_tracks": result.vesicles.n_tracks, **to_json(result.vesicles)}
        said["record"] = dict(result.record.values)
        said["missing"] = [each.name for each in result.record.missing()]
        said["figures"] = [str(path) for path in result.figures]
    return said


def _show(results: list[MovieResult]) -> None:
    measured = [(result.file.name, result.vesicles) for result in results if result.vesicles is not None]
    show_results(
        ("file", "tracks", "D10, nm", "D50, nm (95 %)", "D90, nm", "mode, nm", "per mL"),
        [(name, *_row(vesicles)) for name, vesicles in measured],
        remarks=[f"{name}: {flag.message}. {flag.advice}".strip() for name, one in measured for flag in one.flags],
        failures=[result.failure for result in results if result.failure],
    )
    for result in results:
        for path in result.figures:
            typer.echo(f"Figure: {path}", err=True)


def _row(measured: VesicleMeasurement) -> tuple[str, ...]:
    if measured.refused:
        return (str(measured.n_tracks), *["refused"] * 5)
    sizes = measured.sizes
    low, high = sizes.intervals["d50_nm"]
    number = measured.concentration_per_ml
    return (
        str(measured.n_tracks),
        f"{sizes.d10_nm:.0f}",
        f"{sizes.d50_nm:.0f} ({low:.0f} to {high:.0f})",
        f"{sizes.d90_nm:.0f}",
        f"{sizes.mode_nm:.0f}",
        "no volume given" if math.isnan(number) else f"{number:.2g}",
    )
