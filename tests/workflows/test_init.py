"""`anagen init`."""

from __future__ import annotations

from pathlib import Path

import pytest

from anagen.errors import InputError
from anagen.study.protocol import Protocol
from anagen.workflows.init import init_study


def test_the_template_is_a_sound_plan_with_every_table(tmp_path: Path):
    written = init_study(tmp_path / "study")
    Protocol.from_toml((tmp_path / "study" / "protocol.toml").read_text(encoding="utf-8"))
    assert [path.name for path in written] == [
        "protocol.toml",
        "README.txt",
        "participants.csv",
        "images.csv",
        "lots.csv",
        "movies.csv",
        "survey.csv",
        "adverse_events.csv",
    ]


def test_nothing_is_overwritten(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"not empty \(it holds notes.txt\)"):
        init_study(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(InputError, match="is a file"):
        init_study(tmp_path / "notes.txt")
