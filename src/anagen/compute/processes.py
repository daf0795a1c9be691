"""Run a function over many inputs in several processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from anagen.compute.one_thread import OneThread
from anagen.errors import AnagenError, InputError

Task = TypeVar("Task")
Result = TypeVar("Result")

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


class WorkerLostError(AnagenError, RuntimeError):
    """A worker process died (out of memory, or killed) while it held the named task."""


class ProcessRunner:
    """A pool of processes, each with one thread for linear algebra.

    Processes are spawned, not forked: a fork of a process that runs threads may hang.

    Parameters
    ----------
    n_jobs : int
        How many, at least 1.
    on_lost : callable or None
        Called with a task whose worker died even when alone; its return value is the task's result. None raises
        WorkerLostError instead.
    """

    def __init__(self, n_jobs: int, on_lost: Callable[[object], object] | None = None) -> None:
        if n_jobs < 1:
            raise InputError(f"n_jobs must be at least 1, got {n_jobs}")
        self._n_jobs = n_jobs
        self._on_lost = on_lost

    def run(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        """Yield (index of the task, result) in the order in which they finish."""
        left = dict(enumerate(tasks))
        try:
            with _pool(min(self._n_jobs, max(len(left), 1))) as pool:
                futures = {pool.submit(OneThread(function), task): index for index, task in left.items()}
                try:
                    for future in as_completed(futures):
                        result = future.result()
                        index = futures[future]
                        del left[index]
                        yield index, result
                except GeneratorExit:
                    _cancel(futures)
                    raise
                except KeyboardInterrupt:
                    _cancel(futures)
                    raise
        except BrokenProcessPool:
            yield from self._run_one_by_one(function, left)

    def _run_one_by_one(
        self, function: Callable[[Task], Result], left: dict[int, Task]
    ) -> Iterator[tuple[int, Result]]:
        """One of these tasks killed its worker and the pool with it; a process each shows which."""
        for index, task in left.items():
            try:
                with _pool(1) as pool:
                    result = pool.submit(OneThread(function), task).result()
            except BrokenProcessPool as error:
                if self._on_lost is None:
                    raise WorkerLostError(f"a worker process died while it held {task!r}") from error
                result = self._on_lost(task)  # type: ignore[assignment]
            yield index, result


def _pool(n_workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        n_workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(ONE_THREAD,)
    )


def _cancel(futures: dict[Future[Result], int]) -> None:
    for future in futures:
        future.cancel()


def _start_worker(environment: dict[str, str]) -> None:
    os.environ.update(environment)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End when the parent is gone: killed, it cannot say so, and a worker would wait for it forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
