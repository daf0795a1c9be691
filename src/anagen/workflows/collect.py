"""From a study's rows to files to measure, and from their outcomes to measurements by participant, visit and lot."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from anagen import hair, vesicles
from anagen.hair.measurement import HairMeasurement
from anagen.records import Provenance, from_json, to_json
from anagen.study.folder import Study
from anagen.study.records import Movie, ScalpImage
from anagen.units import UM_PER_MM
from anagen.vesicles.measurement import VesicleMeasurement
from anagen.workflows.ports import HashFile, MeasureTask, Outcome


@dataclass(frozen=True, eq=False)
class MeasuredImage:
    """One photograph and what became of it.

    Parameters
    ----------
    image : ScalpImage
        Its row in images.csv.
    provenance : Provenance
        Of the measurement, also of a failed one.
    hairs : HairMeasurement or None
        None when the file could not be read.
    failure : str
        Why, in one line.
    """

    image: ScalpImage
    provenance: Provenance
    hairs: HairMeasurement | None
    failure: str = ""

    @property
    def usable(self) -> bool:
        """Whether it gives a density."""
        return self.hairs is not None and not self.hairs.refused

    @property
    def why_not(self) -> str:
        """Why it gives no density; empty where it does."""
        refusals = [] if self.hairs is None else [flag for flag in self.hairs.flags if flag.severity == "refused"]
        return self.failure or "; ".join(flag.said for flag in refusals)


@dataclass(frozen=True, eq=False)
class MeasuredMovie:
    """One movie and what became of it; see `MeasuredImage`."""

    movie: Movie
    provenance: Provenance
    vesicles: VesicleMeasurement | None
    failure: str = ""


def list_image_tasks(study: Study, hash_file: HashFile) -> list[MeasureTask]:
    """List what to measure for each row of images.csv, in its order."""
    tasks = []
    for image in study.images:
        parameters = {"um_per_px": image.um_per_px, "gamma": image.gamma, "region": to_json(image.region)}
        mask = study.folder / image.mask if image.mask else None
        if mask is not None:
            parameters["mask_sha256"] = hash_file(mask)
        path = study.folder / image.file
        provenance = Provenance(hash_file(path), hair.ALGORITHM, hair.VERSION, parameters)
        tasks.append(MeasureTask("image", path, image.file, provenance, mask))
    return tasks


def list_movie_tasks(study: Study, hash_file: HashFile) -> list[MeasureTask]:
    """List what to measure for each row of movies.csv, in its order."""
    tasks = []
    for movie in study.movies:
        exposure_s = 1.0 / movie.frames_per_s if movie.exposure_ms is None else movie.exposure_ms / 1e3
        parameters = {
            "um_per_px": movie.um_per_px,
            "frames_per_s": movie.frames_per_s,
            "exposure_s": exposure_s,
            "temperature_c": movie.temperature_c,
            "viscosity_mpa_s": movie.viscosity_mpa_s,
            "detection_volume": movie.detection_volume_um3,
            "dilution": movie.dilution,
        }
        path = study.folder / movie.file
        provenance = Provenance(hash_file(path), vesicles.ALGORITHM, vesicles.VERSION, parameters)
        tasks.append(MeasureTask("movie", path, movie.file, provenance))
    return tasks


def join_images(study: Study, tasks: Sequence[MeasureTask], outcomes: Sequence[Outcome]) -> tuple[MeasuredImage, ...]:
    """Put the outcomes beside the rows of images.csv."""
    return tuple(
        MeasuredImage(
            image,
            task.provenance,
            None if outcome.record is None else from_json(HairMeasurement, outcome.record),
            outcome.failure,
        )
        for image, task, outcome in zip(study.images, tasks, outcomes, strict=True)
    )


def join_movies(study: Study, tasks: Sequence[MeasureTask], outcomes: Sequence[Outcome]) -> tuple[MeasuredMovie, ...]:
    """Put the outcomes beside the rows of movies.csv."""
    return tuple(
        MeasuredMovie(
            movie,
            task.provenance,
            None if outcome.record is None else from_json(VesicleMeasurement, outcome.record),
            outcome.failure,
        )
        for movie, task, outcome in zip(study.movies, tasks, outcomes, strict=True)
    )


def tabulate_values(study: Study, images: Sequence[MeasuredImage], kind: str) -> pl.DataFrame:
    """Give one value a participant, arm and visit: the mean over sites and replicates.

    Parameters
    ----------
    study : Study
        For the weeks of the visits, the arms, and densities that were measured elsewhere.
    images : sequence of MeasuredImage
        Photographs that give no density are passed over: the report lists them.
    kind : str
        ``density``, ``diameter`` or ``thickness``.

    Returns
    -------
    polars.DataFrame
        participant, arm, visit, week, value, n_readings; sorted by participant and week.
    """
    readings: dict[tuple[str, str, str], list[float]] = {}
    arm_of = {person.participant: person.arm for person in study.participants}
    for measured in images:
        if measured.usable and measured.hairs is not None:
            value = read_value(measured.hairs, kind)
            _add(readings, arm_of, measured.image.participant, measured.image.arm, measured.image.visit, value)
    if kind == "density":
        for elsewhere in study.densities:
            _add(readings, arm_of, elsewhere.participant, elsewhere.arm, elsewhere.visit, elsewhere.density_per_cm2)
    return _to_table(readings, {visit.name: visit.week for visit in study.protocol.visits})


def read_value(hairs: HairMeasurement, kind: str) -> float:
    """Read one outcome off one measurement: hairs/cm2, mean diameter in um, or cumulative thickness in mm/cm2."""
    if kind == "density":
        return hairs.density_per_cm2
    diameters = [one.diameter_um for one in hairs.hairs if math.isfinite(one.diameter_um)]
    if kind == "diameter":
        return statistics.fmean(diameters) if diameters else math.nan
    return sum(diameters) / UM_PER_MM / hairs.area_cm2


def tabulate_scores(study: Study, scores: pl.DataFrame) -> pl.DataFrame:
    """Give survey total scores the shape of `tabulate_values`; unscored forms are passed over."""
    arm_of = {person.participant: person.arm for person in study.participants}
    readings: dict[tuple[str, str, str], list[float]] = {}
    for row in scores.filter((pl.col("scale") == "total") & pl.col("score").is_not_null()).iter_rows(named=True):
        _add(readings, arm_of, row["participant"], None, row["visit"], row["score"])
    return _to_table(readings, {visit.name: visit.week for visit in study.protocol.visits})


def _add(
    readings: dict[tuple[str, str, str], list[float]],
    arm_of: Mapping[str, str | None],
    participant: str,
    arm: str | None,
    visit: str,
    value: float,
) -> None:
    if math.isfinite(value):
        readings.setdefault((participant, arm or arm_of.get(participant) or "all", visit), []).append(float(value))


def _to_table(readings: Mapping[tuple[str, str, str], list[float]], weeks: Mapping[str, float]) -> pl.DataFrame:
    rows = [
        (participant, arm, visit, float(weeks[visit]), statistics.fmean(values), len(values))
        for (participant, arm, visit), values in readings.items()
    ]
    schema = {
        "participant": pl.String,
        "arm": pl.String,
        "visit": pl.String,
        "week": pl.Float64,
        "value": pl.Float64,
        "n_readings": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").sort("participant", "arm", "week")
