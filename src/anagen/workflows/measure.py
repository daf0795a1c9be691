"""Measure every image and movie once: what the store already knows is not measured again."""

from __future__ import annotations

from collections.abc import Sequence

from anagen.records import Provenance
from anagen.workflows.ports import MeasureFile, MeasurementStore, MeasureTask, Outcome, Progress, Runner


def measure_files(
    tasks: Sequence[MeasureTask], *, measure: MeasureFile, store: MeasurementStore, runner: Runner, progress: Progress
) -> tuple[list[Outcome], int]:
    """Give the outcome of every task, measuring only those that the store does not know.

    Each result is put into the store as soon as it is there, so a stop loses only what was in flight; one bad file
    gives one failed outcome and the rest go on.

    Parameters
    ----------
    tasks : sequence of MeasureTask
        What to measure; equal provenances are measured once.
    measure : callable
        Runs in the workers.
    store, runner, progress
        See `anagen.workflows.ports`.

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
    progress.start("Measuring", len(new))
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
