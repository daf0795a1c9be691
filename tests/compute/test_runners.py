"""One suite over every runner."""

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
