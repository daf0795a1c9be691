"""What the workflows need from outside, said as Protocols; `anagen.wiring` hands in what fulfils them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from anagen.records import Flag, Provenance

Task = TypeVar("Task")
Result = TypeVar("Result")


class MeasurementStore(Protocol):
    """Where results are kept under the hash of what they were made from."""

    def get(self, provenance: Provenance) -> Any | None:
        """Return the result kept for exactly this provenance, or None."""

    def put(self, provenance: Provenance, result: Any) -> None:
        """Keep a result; durable when it returns."""

    def close(self) -> None:
        """Let go of the file."""


class Runner(Protocol):
    """Runs one pure function over many inputs."""

    def run(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        """Yield (index, result) as they are done, in any order."""


class Progress(Protocol):
    """Tells the user how far it is."""

    def start(self, what: str, n_total: int) -> None:
        """Begin a stage of `n_total` steps."""

    def step(self) -> None:
        """Count one more step as done."""

    def finish(self) -> None:
        """End the stage."""


@dataclass(frozen=True)
class MeasureTask:
    """One file to measure; small enough to travel to any worker.

    Parameters
    ----------
    kind : str
        ``image`` or ``movie``: which science measures it.
    path : Path
        Absolute, readable by the worker.
    name : str
        As the study folder calls it, for messages.
    provenance : Provenance
        Hash, algorithm, version and the parameters it is measured with.
    mask : Path or None
        The image that says where hairs count, where there is one; its hash is among the parameters.
    """

    kind: str
    path: Path
    name: str
    provenance: Provenance
    mask: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Parameters
    ----------
    record : object
        The measurement as JSON types; None when there is none.
    failure : str
        Why there is none, in one line; empty when there is one.
    keep : bool
        Whether the same file would end the same way again, so that it is worth keeping.
    """

    record: Any | None
    failure: str = ""
    keep: bool = True


class ImageFile(Protocol):
    """A photograph that was read."""

    @property
    def pixels(self) -> np.ndarray:
        """Array uint8 of shape (H, W, 3), RGB, upright."""


class ReadableMovie(Protocol):
    """A movie that is read anew each time it is iterated over."""

    @property
    def frames_per_s(self) -> float:
        """As the file declares; NaN where it declares none."""

    @property
    def flags(self) -> tuple[Flag, ...]:
        """What the latest complete reading found wrong."""

    def __iter__(self) -> Iterator[np.ndarray]:
        """Give the frames, (H, W), uint8 or uint16."""


ReadImage = Callable[[Path], ImageFile]
OpenMovie = Callable[[Path], ReadableMovie]
MeasureFile = Callable[[MeasureTask], Outcome]
HashFile = Callable[[Path], str]
"""SHA-256 of a file's bytes, or of a folder's files in natural order; raises OSError when it cannot be read."""
