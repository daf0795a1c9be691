"""Measure the vesicles of single movies, outside any study."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from anagen.errors import AnagenError, InputError
from anagen.report.svg import SvgFigure
from anagen.report.vesicle_figures import draw_jumps, draw_light_against_size, draw_movie_sizes, draw_tracks
from anagen.vesicles import (
    ReplicateSummary,
    SuitabilityCheck,
    VesicleMeasurement,
    subtract_blank,
    summarize_replicates,
)
from anagen.vesicles.lot import LotRecord, record_of_movie
from anagen.workflows.measure_controls import ControlFiles, Controls, measure_controls
from anagen.workflows.measure_movie_file import measure_movie_file
from anagen.workflows.ports import OpenMovie, Progress


@dataclass(frozen=True, eq=False)
class MovieResult:
    """One movie and what became of it.

    Parameters
    ----------
    file : Path
        As given.
    vesicles : VesicleMeasurement or None
        None when it could not be measured.
    record : LotRecord or None
        What a reader of the measurement needs; names what is missing.
    failure : str
        Why there is none, in one line.
    figures : tuple of Path
        Where the figures were written.
    less_blank_per_ml, less_blank_interval_per_ml : float, (float, float)
        Concentration less that of the diluent alone; NaN without a blank.
    """

    file: Path
    vesicles: VesicleMeasurement | None
    record: LotRecord | None = None
    failure: str = ""
    figures: tuple[Path, ...] = ()
    less_blank_per_ml: float = math.nan
    less_blank_interval_per_ml: tuple[float, float] = (math.nan, math.nan)


@dataclass(frozen=True, eq=False)
class MovieResults:
    """All movies of one call, and what they say together.

    Parameters
    ----------
    movies : list of MovieResult
        In the order given.
    suitability : SuitabilityCheck or None
        Of the bead standard.
    replicates : mapping of str to ReplicateSummary
        d50_nm, and concentration_per_ml where there is one, over the movies that were not refused; empty unless the
        preparations are named.
    """

    movies: list[MovieResult]
    suitability: SuitabilityCheck | None
    replicates: Mapping[str, ReplicateSummary]


def measure_movies(
    files: Sequence[Path],
    *,
    settings: Mapping[str, Any],
    figure_folder: Path | None,
    open_movie: OpenMovie,
    progress: Progress,
    controls: ControlFiles | None = None,
    preparations: Sequence[str] = (),
) -> MovieResults:
    """Measure each movie; one that fails does not stop the others.

    Parameters
    ----------
    files : sequence of Path
        Movies, or folders of frames.
    settings : mapping
        Keywords of `anagen.vesicles.measure_movie`; the same for all movies.
    figure_folder : Path or None
        Where to write the figures; None for nowhere.
    open_movie, progress
        From `anagen.formats.movies` and the edge.
    controls : ControlFiles, optional
        Movies of beads and of the diluent, measured first.
    preparations : sequence of str
        The preparation that each movie shows: movies of one are technical replicates, preparations biological ones.

    Raises
    ------
    InputError
        When a control cannot be measured, or preparations are not as many as movies.
    """
    if preparations and len(preparations) != len(files):
        raise InputError(f"{len(preparations)} preparations for {len(files)} movies: name one for each, in their order")
    shown = measure_controls(controls or ControlFiles(), settings=settings, open_movie=open_movie)
    if shown.volume is not None:
        settings = {**settings, "detection_volume": shown.volume}
    results = []
    progress.start("Measuring", len(files))
    try:
        for file in files:
            results.append(_measure_one(file, _label(file, files), settings, figure_folder, open_movie, shown))
            progress.step()
    finally:
        progress.finish()
    return MovieResults(results, shown.suitability, _summarize(results, preparations))


def _summarize(results: Sequence[MovieResult], preparations: Sequence[str]) -> dict[str, ReplicateSummary]:
    usable = [
        (result.vesicles, name)
        for result, name in zip(results, preparations, strict=False)
        if result.vesicles is not None and not result.vesicles.refused
    ]
    if not usable:
        return {}
    names = [name for _, name in usable]
    said = {"d50_nm": summarize_replicates([one.sizes.d50_nm for one, _ in usable], names)}
    numbers = [one.concentration_per_ml for one, _ in usable]
    if all(math.isfinite(number) for number in numbers):
        said["concentration_per_ml"] = summarize_replicates(numbers, names)
    return said


def _label(file: Path, files: Sequence[Path]) -> str:
    """Name of a movie's figures: as short as tells it from the others."""
    for label in (lambda path: path.stem, lambda path: path.name, lambda path: "-".join(path.absolute().parts[1:])):
        if sum(label(other) == label(file) for other in files) == 1:
            break
    return str(label(file))


def _measure_one(
    file: Path,
    label: str,
    settings: Mapping[str, Any],
    figure_folder: Path | None,
    open_movie: OpenMovie,
    controls: Controls,
) -> MovieResult:
    try:
        measured = measure_movie_file(file, settings, open_movie)
        figures = () if figure_folder is None else _write_figures(label, measured, open_movie(file), figure_folder)
    except AnagenError as error:
        said = " ".join(str(error).split())
        return MovieResult(file, None, failure=said if file.name in said else f"{file}: {said}")
    record = record_of_movie(measured).add(sample=file.stem, raw_data=file.name, **controls.record)
    left, interval = subtract_blank(
        measured.concentration_per_ml,
        measured.concentration_interval_per_ml,
        controls.blank_per_ml,
        controls.blank_interval_per_ml,
    )
    return MovieResult(
        file, measured, record, figures=figures, less_blank_per_ml=left, less_blank_interval_per_ml=interval
    )


def _write_figures(
    label: str, measured: VesicleMeasurement, movie: Iterable[np.ndarray], folder: Path
) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    middle = next(islice(movie, measured.n_frames // 2, None))
    figures: tuple[SvgFigure, ...] = (
        draw_movie_sizes(measured),
        draw_tracks(measured, middle),
        draw_jumps(measured),
        draw_light_against_size(measured),
    )
    paths = tuple(folder / f"{label}-{figure.name}.svg" for figure in figures)
    for path, figure in zip(paths, figures, strict=True):
        # currentColor has no page around it here
        path.write_text(figure.svg.replace("currentColor", "#000000"), encoding="utf-8")
    return paths
