"""Measure the vesicles of single movies, outside any study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from anagen.errors import AnagenError
from anagen.report.svg import SvgFigure
from anagen.report.vesicle_figures import draw_jumps, draw_light_against_size, draw_movie_sizes, draw_tracks
from anagen.vesicles import VesicleMeasurement
from anagen.vesicles.lot import LotRecord, record_of_movie
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
    """

    file: Path
    vesicles: VesicleMeasurement | None
    record: LotRecord | None = None
    failure: str = ""
    figures: tuple[Path, ...] = ()


def measure_movies(
    files: Sequence[Path],
    *,
    settings: Mapping[str, Any],
    figure_folder: Path | None,
    open_movie: OpenMovie,
    progress: Progress,
) -> list[MovieResult]:
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
    """
    results = []
    progress.start("Measuring", len(files))
    try:
        for file in files:
            results.append(_measure_one(file, settings, figure_folder, open_movie))
            progress.step()
    finally:
        progress.finish()
    return results


def _measure_one(
    file: Path, settings: Mapping[str, Any], figure_folder: Path | None, open_movie: OpenMovie
) -> MovieResult:
    try:
        measured = measure_movie_file(file, settings, open_movie)
        figures = () if figure_folder is None else _write_figures(file, measured, open_movie(file), figure_folder)
    except AnagenError as error:
        return MovieResult(file, None, failure=" ".join(str(error).split()))
    record = record_of_movie(measured).add(sample=file.stem, raw_data=file.name)
    return MovieResult(file, measured, record, figures=figures)


def _write_figures(
    file: Path, measured: VesicleMeasurement, movie: Iterable[np.ndarray], folder: Path
) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    middle = next(islice(movie, measured.n_frames // 2, None))
    figures: tuple[SvgFigure, ...] = (
        draw_movie_sizes(measured),
        draw_tracks(measured, middle),
        draw_jumps(measured),
        draw_light_against_size(measured),
    )
    paths = tuple(folder / f"{file.stem}-{figure.name}.svg" for figure in figures)
    for path, figure in zip(paths, figures, strict=True):
        # currentColor has no page around it here
        path.write_text(figure.svg.replace("currentColor", "#000000"), encoding="utf-8")
    return paths
