"""Write the example study: a synthetic trial of the source study's design, with its truth beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np

from anagen.errors import InputError
from anagen.synthetic.movies import lognormal_sizes, simulate_movie
from anagen.synthetic.scalp import HairColour, grow_scalp, photograph_scalp
from anagen.synthetic.trial import PlantedLot, PlantedVisit, SyntheticTrial, simulate_trial
from anagen.units import MM2_PER_CM2, UM2_PER_CM2, UM_PER_MM
from anagen.workflows.ports import Progress, Runner

UM_PER_PX: Final = 7.0
SHAPE_PX: Final = (660, 740)
"""0.24 cm2 of scalp: smaller than a phototrichogram field, so that the example is quick."""
MOVIE: Final[Mapping[str, float]] = {
    "um_per_px": 0.166,
    "frames_per_s": 30.0,
    "exposure_ms": 15.0,
    "temperature_c": 25.0,
}
MARGIN_MM: Final = 0.5
"""Skin beyond the frame, so that a photograph that is a little off still shows skin."""
LOST_A_VISIT: Final = 2
HAIR_OF_SKIN: Final[Mapping[int, HairColour]] = {1: "blond", 2: "brown", 3: "brown", 4: "black", 5: "black", 6: "black"}
N_FRAMES: Final = 300
N_REPLICATES: Final = 2
DILUTION: Final = 500.0
N_PARTICLES: Final = 285
"""In a box a little larger than the view: about 65 of them are seen in each frame."""
WriteImage = Callable[[Path, np.ndarray], None]
WriteMovie = Callable[[Path, np.ndarray, float], int]


@dataclass(frozen=True)
class PhotoTask:
    """All photographs of one participant: the same scalp at each visit.

    Parameters
    ----------
    folder : Path
        Where the images go.
    visits : tuple of PlantedVisit
        In order of time.
    fitzpatrick : int
        Skin type 1 to 6.
    seed : tuple of int
        Entropy of this participant's own Generator.
    """

    folder: Path
    visits: tuple[PlantedVisit, ...]
    fitzpatrick: int
    seed: tuple[int, ...]


@dataclass(frozen=True)
class MovieTask:
    """One movie of one lot.

    Parameters
    ----------
    path : Path
        The file to write.
    lot : PlantedLot
        Its truth.
    seed : tuple of int
        Entropy of its own Generator.
    n_frames : int
        Its length.
    """

    path: Path
    lot: PlantedLot
    seed: tuple[int, ...]
    n_frames: int


Planted = list[dict[str, Any]]


@dataclass(frozen=True)
class ExamplePorts:
    """What writing the example needs from outside.

    Parameters
    ----------
    render : callable
        `render_example` with its writers; runs in the workers.
    runner, progress
        See `anagen.workflows.ports`.
    """

    render: Callable[[PhotoTask | MovieTask], Planted]
    runner: Runner
    progress: Progress


def write_example_study(
    folder: Path, *, seed: int, ports: ExamplePorts, n_enrolled: int = 30, n_frames: int = N_FRAMES
) -> SyntheticTrial:
    """Write a study folder whose truth is known.

    Parameters
    ----------
    folder : Path
        New, empty, or an example study written before (then only what is missing is drawn).
    seed : int
        The same seed gives the same bytes.
    ports : ExamplePorts
        From `anagen.wiring`.
    n_enrolled, n_frames : int
        Participants enrolled, and length of each movie: the source study's 30 unless said.

    Returns
    -------
    SyntheticTrial
        What was planted.

    Raises
    ------
    InputError
        When the folder holds something else.
    """
    _check_folder(folder)
    trial = simulate_trial(np.random.default_rng(seed), n_enrolled=n_enrolled)
    tasks = _list_tasks(folder, trial, seed, n_frames)
    for name in ("images", "movies"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    templates = resources.files("anagen.workflows") / "templates"
    for name in ("protocol.toml", "risk_of_bias.toml", "lot_records.toml"):
        text = (templates / f"example-{name}").read_text(encoding="utf-8")
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    planted = _render(tasks, ports)
    _write_csv(folder / "participants.csv", trial.participants.to_dicts())
    _write_csv(folder / "images.csv", [_image_row(visit) for visit in trial.visits])
    _write_csv(folder / "lots.csv", [{"lot": lot.lot, "product": "synthetic exosomes"} for lot in trial.lots])
    _write_csv(folder / "movies.csv", [_movie_row(task) for task in tasks if isinstance(task, MovieTask)])
    _write_csv(folder / "survey.csv", trial.survey.to_dicts())
    _write_csv(folder / "adverse_events.csv", trial.adverse_events.to_dicts())
    _write_csv(folder / "planted.csv", [row for row in planted if "density_per_cm2" in row])
    _write_csv(folder / "planted_lots.csv", [row for row in planted if "median_nm" in row])
    return trial


def render_example(task: PhotoTask | MovieTask, *, write_image: WriteImage, write_movie: WriteMovie) -> Planted:
    """Draw and write what a task asks; give the truth, one row a file."""
    if isinstance(task, MovieTask):
        return _render_movie(task, write_movie)
    return _render_photos(task, write_image)


def _render_movie(task: MovieTask, write_movie: WriteMovie) -> Planted:
    lot = task.lot
    simulated = simulate_movie(
        np.random.default_rng(task.seed),
        sizes_nm=lognormal_sizes(lot.median_nm, lot.geometric_sd),
        n_frames=task.n_frames,
        n_particles=N_PARTICLES,
        um_per_px=MOVIE["um_per_px"],
        frames_per_s=MOVIE["frames_per_s"],
        exposure_s=MOVIE["exposure_ms"] / 1e3,
        temperature_c=MOVIE["temperature_c"],
        drift_px_per_frame=(0.0, 0.15),
    )
    write_movie(task.path, simulated.movie, MOVIE["frames_per_s"])
    return [{"lot": lot.lot, "file": task.path.name, "median_nm": lot.median_nm, "geometric_sd": lot.geometric_sd}]


def _render_photos(task: PhotoTask, write_image: WriteImage) -> Planted:
    """One scalp, photographed at each visit: a few hairs lost and as many new ones as the planted density asks."""
    rng = np.random.default_rng(task.seed)
    width_mm, height_mm = (n * UM_PER_PX / UM_PER_MM + 2 * MARGIN_MM for n in reversed(SHAPE_PX))
    patch_cm2 = width_mm * height_mm / MM2_PER_CM2
    n_hairs = [round(visit.density_per_cm2 * patch_cm2) for visit in task.visits]
    n_lost = [LOST_A_VISIT * k for k in range(len(n_hairs))]
    n_ever = max(lost + n for lost, n in zip(n_lost, n_hairs, strict=True))
    scalp = grow_scalp(
        rng,
        density_per_cm2=(n_ever + 0.01) / patch_cm2,
        width_mm=width_mm,
        height_mm=height_mm,
        fitzpatrick=task.fitzpatrick,
        hair_colour=HAIR_OF_SKIN[task.fitzpatrick],
    )
    order = rng.permutation([one.number for one in scalp.hairs])
    planted: Planted = []
    for visit, lost, n in zip(task.visits, n_lost, n_hairs, strict=True):
        absent = {*order[:lost].tolist(), *order[lost + n :].tolist()}
        photo = photograph_scalp(
            scalp.without(absent),
            rng,
            um_per_px=UM_PER_PX,
            shape=SHAPE_PX,
            centre_um=tuple(np.array([height_mm, width_mm]) * UM_PER_MM / 2 + rng.uniform(-100, 100, 2)),
            rotation_deg=rng.uniform(-3, 3),
            blur_sigma_px=visit.blur_um / UM_PER_PX,
        )
        write_image(task.folder / image_file(visit), photo.image)
        roots = np.array([one.root_px for one in photo.truth])
        inside = np.all((roots >= -0.5) & (roots < np.array(SHAPE_PX) - 0.5), axis=1)
        area_cm2 = SHAPE_PX[0] * SHAPE_PX[1] * UM_PER_PX**2 / UM2_PER_CM2
        planted.append(
            {
                "participant": visit.participant,
                "visit": visit.visit,
                "n_hairs": int(inside.sum()),
                "density_per_cm2": round(float(inside.sum() / area_cm2), 3),
            }
        )
    return planted


def image_file(visit: PlantedVisit) -> str:
    """Name of the photograph of one visit inside the study folder."""
    return f"images/{visit.participant}-{visit.visit.replace(' ', '')}.png"


def _check_folder(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "planted.csv").exists():
        raise InputError(f"{folder} is not empty and holds no example study: give the name of a new folder")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: give the name of a new folder")


def _list_tasks(folder: Path, trial: SyntheticTrial, seed: int, n_frames: int) -> list[PhotoTask | MovieTask]:
    skin = {row["participant"]: row["fitzpatrick"] for row in trial.participants.iter_rows(named=True)}
    by_person: dict[str, list[PlantedVisit]] = {}
    for visit in trial.visits:
        by_person.setdefault(visit.participant, []).append(visit)
    tasks: list[PhotoTask | MovieTask] = [
        MovieTask(folder / "movies" / f"{lot.lot}-{replicate + 1}.tif", lot, (seed, 2, index, replicate), n_frames)
        for index, lot in enumerate(trial.lots)
        for replicate in range(N_REPLICATES)
    ]
    tasks += [
        PhotoTask(folder, tuple(visits), skin[person], (seed, 1, index))
        for index, (person, visits) in enumerate(by_person.items())
    ]
    return tasks


def _render(tasks: Sequence[PhotoTask | MovieTask], ports: ExamplePorts) -> Planted:
    rows: dict[int, Planted] = {}
    ports.progress.start("Drawing the example", len(tasks))
    try:
        for index, planted in ports.runner.run(ports.render, tasks):
            rows[index] = planted
            ports.progress.step()
    finally:
        ports.progress.finish()
    return [row for index in sorted(rows) for row in rows[index]]


def _image_row(visit: PlantedVisit) -> dict[str, Any]:
    return {
        "participant": visit.participant,
        "visit": visit.visit,
        "scalp_site": "target",
        "replicate": 1,
        "file": image_file(visit),
        "um_per_px": UM_PER_PX,
        "taken_on": visit.taken_on.isoformat(),
    }


def _movie_row(task: MovieTask) -> dict[str, Any]:
    return {
        "lot": task.lot.lot,
        "dilution": DILUTION,
        "replicate": int(task.path.stem.rsplit("-", 1)[1]),
        "file": f"movies/{task.path.name}",
        **MOVIE,
    }


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")
