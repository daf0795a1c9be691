"""Run a function over many inputs on a Dask cluster (`pip install anagen[cluster]`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

from anagen.compute.one_thread import OneThread
from anagen.errors import InputError

Task = TypeVar("Task")
Result = TypeVar("Result")


class DaskRunner:
    """Tasks sent to the scheduler at `address`.

    Dask may run a task twice; results are kept under their content's hash, so that is harmless.

    Parameters
    ----------
    address : str
        ``tcp://127.0.0.1:8786`` or ``tls://host:port``. Plain tcp is refused off the loopback: it would send patients'
        images unencrypted to whoever listens.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("tcp", "tls") or not parts.hostname:
            raise InputError(f"scheduler address {address!r} must look like tcp://127.0.0.1:8786 or tls://host:8786")
        if parts.scheme == "tcp" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise InputError(f"scheduler address {address!r} is unencrypted and not on this machine: use tls://")
        self._address = address

    def run(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        """Yield (index of the task, result) in the order in which they finish."""
        if not tasks:
            return
        try:
            import distributed  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise InputError("--scheduler needs the cluster extra: pip install 'anagen[cluster]'") from error
        try:
            client = distributed.Client(self._address, timeout="5s", set_as_default=False)
        except OSError as error:
            raise InputError(f"no Dask scheduler answers at {self._address}: start `dask scheduler` there") from error
        with client:
            futures = {client.submit(OneThread(function), task, pure=False): index for index, task in enumerate(tasks)}
            for future, result in distributed.as_completed(list(futures), with_results=True, loop=client.loop):
                yield futures[future], result
