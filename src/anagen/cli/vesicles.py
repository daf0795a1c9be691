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
from anagen.workflows.measure_controls import ControlFiles
from anagen.workflows.measure_vesicles import MovieResult, MovieResults


def vesicles(
    movies: Annotated[list[Path], typer.Argument(help="AVI, MP4, MOV, MKV, TIFF stack, or a folder of frames.")],
    um_per_px: Annotated[float, typer.Option(help="Scale, micrometres per pixel.")],
    frames_per_s: Annotated[float, typer.Option(help="Frame rate of the camera.")],
    temperature_c: Annotated[float, typer.Option(help="Temperature of the sample, degrees Celsius.")],
    exposure_ms: Annotated[float | None, typer.Option(help="Exposure of a frame; a whole frame unless given.")] = None,
    viscosity_mpa_s: Annotated[float | None, typer.Option(help="Viscosity; that of water unless given.")] = None,
    dilution: Annotated[float, typer.Option(help="Dilution factor: 500 for 1:500.")] = 1.0,
    detection_volume_um3: Annotated[
        float | None,
        typer.Option(help="Volume that the instrument sees; no concentration without it or --beads-per-ml."),
    ] = None,
    beads: Annotated[Path | None, typer.Option(help="Movie of a bead standard at the same settings.")] = None,
    beads_nm: Annotated[float | None, typer.Option(help="Certified diameter of the beads.")] = None,
    beads_per_ml: Annotated[
        float | None, typer.Option(help="Known concentration of the beads in the cell: calibrates the volume.")
    ] = None,
    blank: Annotated[Path | None, typer.Option(help="Movie of the diluent alone, to subtract.")] = None,
    preparation: Annotated[
        list[str] | None, typer.Option(help="Preparation of each movie, in their order: mean, SD and CV are printed.")
    ] = None,
    figures: Annotated[Path | None, typer.Option(help="Folder for figures: sizes, tracks, steps, light.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Measure the size distribution of each movie, with intervals and what a reader must know."""
    _check_above_zero(
        {"--um-per-px": um_per_px, "--frames-per-s": frames_per_s, "--exposure-ms": exposure_ms}
        | {"--viscosity-mpa-s": viscosity_mpa_s, "--detection-volume-um3": detection_volume_um3}
        | {"--beads-nm": beads_nm, "--beads-per-ml": beads_per_ml}
    )
    settings: dict[str, Any] = {
        "um_per_px": um_per_px,
        "frames_per_s": frames_per_s,
        "temperature_c": temperature_c,
        "dilution": dilution,
        "exposure_s": None if exposure_ms is None else exposure_ms / 1000,
        "viscosity_mpa_s": viscosity_mpa_s,
        "detection_volume": detection_volume_um3,
    }
    found = measure_movies(
        movies,
        settings=settings,
        figure_folder=figures,
        controls=ControlFiles(beads, beads_nm, beads_per_ml, blank),
        preparations=preparation or (),
        progress=StderrProgress(),
    )
    failed = any(result.failure for result in found.movies)
    if as_json:
        said = {
            "ok": not failed,
            "movies": [_as_json(each) for each in found.movies],
            "suitability": None if found.suitability is None else to_json(found.suitability),
            "replicates": {name: to_json(summary) for name, summary in found.replicates.items()},
        }
        typer.echo(json.dumps(said, ensure_ascii=False))
    else:
        _show(found)
    if failed:
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
        if not math.isnan(result.less_blank_per_ml):
            said["less_blank_per_ml"] = result.less_blank_per_ml
            said["less_blank_interval_per_ml"] = list(result.less_blank_interval_per_ml)
    return said


def _show(found: MovieResults) -> None:
    measured = [(result.file.name, result.vesicles) for result in found.movies if result.vesicles is not None]
    show_results(
        ("file", "tracks", "D10, nm", "D50, nm (95 %)", "D90, nm", "mode, nm", "per mL"),
        [(name, *_row(vesicles)) for name, vesicles in measured],
        remarks=[*_remarks(found), *(f"{name}: {flag.said}" for name, one in measured for flag in one.flags)],
        failures=[result.failure for result in found.movies if result.failure],
    )
    for result in found.movies:
        for path in result.figures:
            typer.echo(f"Figure: {path}", err=True)


def _remarks(found: MovieResults) -> list[str]:
    """Say what beads, blank and replicates showed, a line each."""
    said = []
    for result in found.movies:
        if not math.isnan(result.less_blank_per_ml):
            low, high = result.less_blank_interval_per_ml
            said.append(
                f"{result.file.name}: less the blank {result.less_blank_per_ml:.3g} per mL ({low:.3g} to {high:.3g})"
            )
    record = next((result.record for result in found.movies if result.record is not None), None)
    values = {} if record is None else record.values
    said += [
        f"{name.replace('_', ' ')}: {values[name]}"
        for name in ("size_standard", "concentration_standard", "blank")
        if name in values
    ]
    for name, summary in found.replicates.items():
        within = f"{100 * summary.technical_cv:.1f} %" if math.isfinite(summary.technical_cv) else "unknown"
        interval = f" ({summary.ci_low:.4g} to {summary.ci_high:.4g})" if math.isfinite(summary.ci_low) else ""
        between = f"{100 * summary.cv:.1f} %" if math.isfinite(summary.cv) else "unknown"
        said.append(
            f"{name}: mean {summary.mean:.4g}{interval}, CV between preparations {between}, within one {within} "
            f"(n = {summary.n_biological} preparations, {summary.n_technical} movies)"
        )
    return said


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
