"""Progress bars on standard error, plain lines where there is no terminal."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_EVERY = 10
"""Without a terminal one line a tenth of the way: a log stays readable."""


class StderrProgress:
    """A bar for each stage of a run."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._what, self._n_total, self._n_done = "", 0, 0

    def start(self, what: str, n_total: int) -> None:
        """Begin a stage of `n_total` steps."""
        self._what, self._n_total, self._n_done = what, n_total, 0
        if n_total == 0:
            self._console.print(f"{what}: nothing new", highlight=False)
        elif self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console)
            self._bar.start()
            self._bar.add_task(what, total=n_total)

    def step(self) -> None:
        """Count one more step as done."""
        self._n_done += 1
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0])
        elif self._n_done == self._n_total or self._n_done % max(1, self._n_total // PLAIN_EVERY) == 0:
            self._console.print(f"{self._what}: {self._n_done} of {self._n_total}", highlight=False)

    def finish(self) -> None:
        """End the stage."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
