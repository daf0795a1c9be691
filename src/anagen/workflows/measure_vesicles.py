"""Measure the vesicles of single movies, outside any study."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from anagen.errors import AnagenError
from anagen.records import Flag
from anagen.report.svg import SvgFigure
from anagen.report.vesicle_figures import draw_jumps, draw_light_against_size, draw_movie_sizes, draw_tracks
from anagen.vesicles import VesicleMeasurement, measure_movie
from anagen.vesicles.lot import LotRecord, record_of_movie
from anagen.workflows.ports import Progress

RATE_TOLERANCE: Final = 0.01
"""Containers round 24.98 to 25 frames/s; a wrong rate is off by far more, and sizes with it."""


class ReadableMovie(Protocol):
    """A movie that can be read as often as needed."""

    @property
    def frames_per_s(self) -> float:
        """As the file declares; NaN where it declares none."""

    @property
    def flags(self) -> tuple[Flag, ...]:
        """What the latest reading found wrong."""

    def __iter__(self) -> Iterator[np.ndarray]:
        """Give the frames, (H, W)."""


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
    settings: dict[str, Any],
    figure_folder: Path | None,
    open_movie: Callable[[Path], ReadableMovie],
    progress: Progress,
) -> list[MovieResult]:
    """Measure each movie; one that fails does not stop the others.

    Parameters
    ----------
    files : sequence of Path
        Movies, or folders of frames.
    settings : dict
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
    file: Path, settings: dict[str, Any], figure_folder: Path | None, open_movie: Callable[[Path], ReadableMovie]
) -> MovieResult:
    try:
        movie = open_movie(file)
        measured = measure_movie(movie, **settings)
        found = (*measured.flags, *movie.flags, *_flag_rate(movie.frames_per_s, settings["frames_per_s"]))
        measured = dataclasses.replace(measured, flags=found)
        figures = () if figure_folder is None else _write_figures(file, measured, movie, figure_folder)
    except AnagenError as error:
        return MovieResult(file, None, failure=" ".join(str(error).split()))
    record = record_of_movie(measured).add(sample=file.stem, raw_data=file.name)
    return MovieResult(file, measured, record, figures=figures)


def _flag_rate(declared: float, given: float) -> tuple[Flag, ...]:
    if math.isnan(declared) or abs(given - declared) <= RATE_TOLERANCE * declared:
        return ()
    return (
        Flag(
            "frame-rate-differs",
            "warning",
            f"the file declares {declared:g} frames/s, {given:g} were given; sizes go with the inverse of the rate",
            "Look up the camera's rate in the instrument's own record.",
            value=given,
            limit=declared,
        ),
    )


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
