from pathlib import Path

import pytest
from tests.workflows.fakes import CountingProgress, MemoryStore

from anagen.compute.serial import SerialRunner
from anagen.records import Provenance
from anagen.workflows.measure import measure_files
from anagen.workflows.ports import MeasureTask, Outcome


def task(name, parameters=None):
    return MeasureTask("image", Path(name), name, Provenance(name, "length-of-name", "1", parameters or {}))


def measure(task):
    if task.name == "bad":
        return Outcome(None, "bad: not an image")
    return Outcome(len(task.name))


def run(tasks, store, function=measure):
    return measure_files(tasks, measure=function, store=store, runner=SerialRunner(), progress=CountingProgress())


def test_measures_each_file_once_and_keeps_the_order():
    store = MemoryStore()
    tasks = [task("a"), task("bad"), task("ccc"), task("a")]
    outcomes, n_new = run(tasks, store)
    assert [o.record for o in outcomes] == [1, None, 3, 1]
    assert outcomes[1].failure == "bad: not an image"
    assert n_new == 3
    again, n_new = run(tasks, store)
    assert n_new == 0
    assert [(o.record, o.failure) for o in again] == [(o.record, o.failure) for o in outcomes]
    assert run([task("a", {"um_per_px": 2})], store)[1] == 1


def test_a_stop_keeps_what_was_done():
    store = MemoryStore()

    def stop_at_third(task):
        if task.name == "ccc":
            raise KeyboardInterrupt
        return measure(task)

    with pytest.raises(KeyboardInterrupt):
        run([task("a"), task("bb"), task("ccc"), task("dddd")], store, stop_at_third)
    assert run([task("a"), task("bb"), task("ccc"), task("dddd")], store)[1] == 2


def test_what_may_end_otherwise_next_time_is_not_kept():
    store = MemoryStore()
    outcomes, _ = run([task("a")], store, lambda _: Outcome(None, "out of memory", keep=False))
    assert outcomes[0].failure == "out of memory"
    assert run([task("a")], store)[0][0].record == 1
