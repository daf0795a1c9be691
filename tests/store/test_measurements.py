import os
import signal
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from anagen.errors import StoreError
from anagen.records import Provenance
from anagen.store.measurements import MeasurementStore, measurement_key

KEY = Provenance("ab" * 32, "hair-trace", "1", {"um_per_px": 5.5})


def test_gives_back_what_was_put(tmp_path):
    store = MeasurementStore(tmp_path / "deep" / "m.sqlite")
    assert store.get(KEY) is None
    store.put(KEY, {"n": 3, "x": [0.1, "nan"]})
    store.put(KEY, {"n": 4})
    assert store.get(KEY) == {"n": 3, "x": [0.1, "nan"]}
    assert len(store) == 1


@pytest.mark.parametrize(
    "other",
    [
        Provenance("cd" * 32, "hair-trace", "1", {"um_per_px": 5.5}),
        Provenance("ab" * 32, "other", "1", {"um_per_px": 5.5}),
        Provenance("ab" * 32, "hair-trace", "2", {"um_per_px": 5.5}),
        Provenance("ab" * 32, "hair-trace", "1", {"um_per_px": 5.6}),
    ],
)
def test_every_part_of_the_provenance_is_part_of_the_key(other):
    assert measurement_key(other) != measurement_key(KEY)


def test_a_kill_loses_only_what_was_in_flight(tmp_path):
    path = tmp_path / "m.sqlite"
    code = f"""
        from pathlib import Path
        from anagen.records import Provenance
        from anagen.store.measurements import MeasurementStore
        store = MeasurementStore(Path({str(path)!r}))
        n = 0
        while True:
            store.put(Provenance(str(n), "a", "1", {{}}), n)
            print(n, flush=True)
            n += 1
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    acknowledged = [int(child.stdout.readline()) for _ in range(50)]
    os.kill(child.pid, signal.SIGKILL)
    rest, _ = child.communicate()
    acknowledged += [int(line) for line in rest.split()]
    store = MeasurementStore(path)
    assert [store.get(Provenance(str(n), "a", "1", {})) for n in acknowledged] == acknowledged


def test_refuses_a_file_that_is_no_store(tmp_path):
    (tmp_path / "m.sqlite").write_bytes(b"an image, perhaps" * 100)
    with pytest.raises(StoreError, match="move it away"):
        MeasurementStore(tmp_path / "m.sqlite")


def test_refuses_a_newer_layout(tmp_path):
    with sqlite3.connect(tmp_path / "m.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="newer Anagen"):
        MeasurementStore(tmp_path / "m.sqlite")
