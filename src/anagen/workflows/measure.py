"""Measure every image and movie once: what the store already knows is not measured again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from anagen.errors import AnagenError, InputError
from anagen.hair import HairMeasurement, Region, measure_hairs
from anagen.records import Provenance, from_json, to_json
from anagen.study.regions import join_region_and_mask
from anagen.vesicles import VesicleMeasurement
from anagen.workflows.measure_movie_file import measure_movie_file
from anagen.workflows.ports import (
    MeasurementStore,
    MeasureTask,
    OpenMovie,
    Outcome,
    Progress,
    ReadImage,
    Runner,
)


class HasProvenance(Protocol):
    """Anything that says what its result will rest on."""

    @property
    def provenance(self) -> Provenance:
        """Key of the result in the store."""


Task = TypeVar("Task", bound=HasProvenance)
HALF_GREY = 128
"""A mask saved with soft edges or as JPEG is black and white again above and below this."""


def measure_files(
    tasks: Sequence[Task],
    *,
    measure: Callable[[Task], Outcome],
    store: MeasurementStore,
    runner: Runner,
    progress: Progress,
    stage: str = "Measuring",
) -> tuple[list[Outcome], int]:
    """Give the outcome of every task, measuring only those that the store does not know.

    Each result is put into the store as soon as it is there, so a stop loses only what was in flight; one bad file
    gives one failed outcome and the rest go on.

    Parameters
    ----------
    tasks : sequence
        What to measure, each with its provenance; equal provenances are measured once.
    measure : callable
        Runs in the workers.
    store, runner, progress
        See `anagen.workflows.ports`.
    stage : str
        What the progress bar calls it.

    Returns
    -------
    outcomes : list of Outcome
        One a task, in the order of `tasks`, whatever the order in which they finished.
    n_measured : int
        How many were new.
    """
    known = [_recall(store, task.provenance) for task in tasks]
    first_of: dict[str, int] = {}
    for index, task in enumerate(tasks):
        if known[index] is None:
            first_of.setdefault(repr(task.provenance), index)
    new = list(first_of.values())
    progress.start(stage, len(new))
    try:
        for position, outcome in runner.run(measure, [tasks[index] for index in new]):
            index = new[position]
            if outcome.keep:
                store.put(tasks[index].provenance, {"record": outcome.record, "failure": outcome.failure})
            known[index] = outcome
            progress.step()
    finally:
        progress.finish()
    return [known[first_of.get(repr(task.provenance), i)] or _lost() for i, task in enumerate(tasks)], len(new)


def _recall(store: MeasurementStore, provenance: Provenance) -> Outcome | None:
    kept = store.get(provenance)
    return None if kept is None else Outcome(kept["record"], kept["failure"])


def _lost() -> Outcome:
    return Outcome(None, "the runner gave no result", keep=False)


def measure_file(task: MeasureTask, *, read_image: ReadImage, open_movie: OpenMovie) -> Outcome:
    """Measure one image or movie; runs in the workers, so one bad file gives one failed outcome."""
    record: HairMeasurement | VesicleMeasurement
    try:
        if task.kind == "image":
            record = _measure_image(task, read_image)
        else:
            record = measure_movie_file(task.path, task.provenance.parameters, open_movie)
    except AnagenError as error:
        return Outcome(None, _one_line(task, error))
    except MemoryError:
        return Outcome(None, f"{task.name}: not enough memory: run with fewer jobs", keep=False)
    return Outcome(to_json(record))


def explain_lost_worker(task: object) -> Outcome:
    """Give the outcome of a file whose worker process died."""
    name = task.name if isinstance(task, MeasureTask) else str(task)
    return Outcome(None, f"{name}: the process that measured it died (out of memory?): run with fewer jobs", keep=False)


def _measure_image(task: MeasureTask, read_image: ReadImage) -> HairMeasurement:
    parameters = task.provenance.parameters
    pixels = read_image(task.path).pixels
    region = None if parameters["region"] is None else from_json(Region, parameters["region"])
    if task.mask is not None:
        mask = read_image(task.mask).pixels[..., 0] >= HALF_GREY
        if mask.shape != pixels.shape[:2]:
            raise InputError(
                f"the mask {task.mask.name} has {mask.shape[0]} x {mask.shape[1]} pixels, the image "
                f"{pixels.shape[0]} x {pixels.shape[1]}: draw the mask on the image itself"
            )
        region = join_region_and_mask(region, mask)
    return measure_hairs(pixels, um_per_px=parameters["um_per_px"], gamma=parameters["gamma"], region=region)


def _one_line(task: MeasureTask, error: AnagenError) -> str:
    text = " ".join(str(error).split()).replace(str(task.path), task.name)
    return text if text.startswith(task.name) else f"{task.name}: {text}"
