"""Keep every measurement under the hash of what it was made from, so that nothing is measured twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from anagen.errors import StoreError
from anagen.records import Provenance, to_json

SCHEMA_VERSION = 1

_metadata = sa.MetaData()
_measurements = sa.Table(
    "measurement",
    _metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("input_sha256", sa.Text, nullable=False),
    sa.Column("algorithm", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("parameters", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    sqlite_strict=True,
)


class MeasurementStore:
    """Measurements in one SQLite file.

    Each `put` is its own transaction, in write-ahead-log mode and synchronised to disk in full: what `put` returned
    from survives a kill and a power cut. Readers never wait for the writer.

    Parameters
    ----------
    path : Path
        The file; it and its folder are made when absent.

    Raises
    ------
    StoreError
        When the file is no store, or one written by a newer Anagen.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = sa.create_engine(f"sqlite:///{path}")
        sa.event.listen(self._engine, "connect", _set_durable)
        with self._explained(), self._engine.begin() as connection:
            found = connection.execute(sa.text("PRAGMA user_version")).scalar_one()
            if found > SCHEMA_VERSION:
                raise StoreError(
                    f"{path} was written by a newer Anagen (layout {found}, this one knows {SCHEMA_VERSION}): "
                    "update Anagen, or move the file away to measure again"
                )
            _metadata.create_all(connection)
            connection.execute(sa.text(f"PRAGMA user_version = {SCHEMA_VERSION}"))

    def get(self, provenance: Provenance) -> Any | None:
        """Return what `put` kept for exactly this input, algorithm, version and parameters; None when nothing was."""
        query = sa.select(_measurements.c.result).where(_measurements.c.key == measurement_key(provenance))
        with self._explained(), self._engine.connect() as connection:
            text = connection.execute(query).scalar_one_or_none()
        return None if text is None else json.loads(text)

    def put(self, provenance: Provenance, result: Any) -> None:
        """Keep `result` (JSON types); a second `put` of the same provenance changes nothing."""
        row = {
            "key": measurement_key(provenance),
            "input_sha256": provenance.input_sha256,
            "algorithm": provenance.algorithm,
            "version": provenance.version,
            "parameters": _canonical(provenance.parameters),
            "result": _canonical(result),
        }
        insert = _measurements.insert().prefix_with("OR IGNORE")
        with self._explained(), self._engine.begin() as connection:
            connection.execute(insert, row)

    def __len__(self) -> int:
        with self._explained(), self._engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(_measurements)).scalar_one())

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DatabaseError as error:
            raise StoreError(
                f"{self._path}: {error.orig}. Close other programs that hold it; if it is damaged, move it away: "
                "a new run measures everything again"
            ) from error


def measurement_key(provenance: Provenance) -> str:
    """SHA-256 of the canonical JSON of a provenance, hexadecimal.

    Examples
    --------
    >>> a = Provenance("00ff", "hair-trace", "1", {"um_per_px": 5.5, "region": None})
    >>> b = Provenance("00ff", "hair-trace", "1", {"region": None, "um_per_px": 5.5})
    >>> measurement_key(a) == measurement_key(b)
    True
    """
    return hashlib.sha256(_canonical(provenance).encode()).hexdigest()


def _canonical(value: Any) -> str:
    return json.dumps(to_json(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _set_durable(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 10000", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
