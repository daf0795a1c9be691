"""Measure one movie and add what its file says about itself: cut off, frames lost, another frame rate."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from anagen.records import Flag
from anagen.vesicles import VesicleMeasurement, measure_movie
from anagen.workflows.ports import OpenMovie

RATE_TOLERANCE: Final = 0.01
"""Containers round 24.98 to 25 frames/s; a wrong rate is off by far more, and sizes with it."""


def measure_movie_file(file: Path, settings: Mapping[str, Any], open_movie: OpenMovie) -> VesicleMeasurement:
    """Measure one movie; its flags are those of the measurement and of the file.

    Parameters
    ----------
    file : Path
        The movie.
    settings : mapping
        Keywords of `anagen.vesicles.measure_movie`.
    open_movie : callable
        From `anagen.formats.movies`.
    """
    movie = open_movie(file)
    measured = measure_movie(movie, **settings)
    of_file = (*movie.flags, *_flag_rate(movie.frames_per_s, settings["frames_per_s"]))
    return dataclasses.replace(measured, flags=(*measured.flags, *of_file))


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
