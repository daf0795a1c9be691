"""Run a task with one thread for linear algebra: the same bytes for any number of workers, and no fight for cores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from threadpoolctl import threadpool_limits

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class OneThread(Generic[Task, Result]):
    """A function that runs with one thread; it travels to workers like the function itself.

    A matrix product sums in another order with another number of threads, so its last digits differ.

    Parameters
    ----------
    function : callable
        Takes a task, gives a result.
    """

    function: Callable[[Task], Result]

    def __call__(self, task: Task) -> Result:
        """Run the function on one task."""
        with threadpool_limits(limits=1):
            return self.function(task)
