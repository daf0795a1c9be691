"""Run a function over many inputs one after another, here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from anagen.compute.one_thread import OneThread

Task = TypeVar("Task")
Result = TypeVar("Result")


class SerialRunner:
    """The plainest runner: no processes, results in order."""

    def run(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        """Yield (index of the task, result) as each is done."""
        alone = OneThread(function)
        for index, task in enumerate(tasks):
            yield index, alone(task)
