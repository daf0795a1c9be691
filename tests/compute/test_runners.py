"""One suite over every runner."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.compute.runner_tasks import die_on_three, square

from anagen.compute.dask import DaskRunner
from anagen.compute.processes import ProcessRunner, WorkerLostError
from anagen.compute.serial import SerialRunner
from anagen.errors import InputError


@pytest.fixture(params=["serial", "processes", "dask"])
def runner(request):
    if request.param == "serial":
        yield SerialRunner()
    elif request.param == "processes":
        yield ProcessRunner(2)
    else:
        distributed = pytest.importorskip("distributed")
        with distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, host="127.0.0.1", protocol="tcp"
        ) as cluster:
            yield DaskRunner(cluster.scheduler_address)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_gives_every_result_with_its_index(runner):
    assert sorted(runner.run(square, list(range(7)))) == [(n, n * n) for n in range(7)]
    assert list(runner.run(square, [])) == []


def test_a_lost_worker_costs_only_its_own_task():
    assert sorted(ProcessRunner(2, on_lost=lambda task: ("lost", task)).run(die_on_three, [1, 2, 3, 4]), key=str) == [
        (0, 1),
        (1, 2),
        (2, ("lost", 3)),
        (3, 4),
    ]
    with pytest.raises(WorkerLostError, match="held 3"):
        list(ProcessRunner(1).run(die_on_three, [3]))


def test_refuses_what_cannot_run():
    with pytest.raises(InputError, match="at least 1, got 0"):
        ProcessRunner(0)
    with pytest.raises(InputError, match="unencrypted"):
        DaskRunner("tcp://192.0.2.1:8786")
    with pytest.raises(InputError, match="must look like"):
        DaskRunner("192.0.2.1")
    with pytest.raises(InputError, match="no Dask scheduler answers"):
        list(DaskRunner("tcp://127.0.0.1:9").run(square, [1]))


def test_workers_end_when_their_parent_is_killed(tmp_path):
    code = """
import sys, time
from anagen.compute.processes import ProcessRunner
from tests.compute.runner_tasks import write_pid_and_wait
for _ in ProcessRunner(1).run(write_pid_and_wait, [sys.argv[1]]): pass
"""
    note = tmp_path / "pid"
    script = tmp_path / "parent.py"
    script.write_text("if __name__ == '__main__':\n" + "\n".join("    " + line for line in code.splitlines()))
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen([sys.executable, str(script), str(note)], env=environment) as parent:
        wait_until(note.exists)
        os.kill(parent.pid, signal.SIGKILL)
    worker = int(note.read_text())
    wait_until(lambda: not is_alive(worker))


def wait_until(true):
    for _ in range(300):
        if true():
            return
        time.sleep(0.1)
    pytest.fail("did not happen within 30 s")


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")  # an ended child of nobody may wait to be reaped
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
