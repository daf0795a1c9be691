"""A whole study folder: what a sound one gives, and that faults of all files come together."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.study.small_study import IMAGES, PROTOCOL, TODAY, read, write_study

from anagen.errors import InputFaults
from anagen.formats.tables import read_table
from anagen.study.folder import load_study


def test_a_sound_folder_is_read_whole(tmp_path: Path):
    study, findings = read(write_study(tmp_path))
    assert study is not None
    assert [finding.code for finding in findings] == ["screen-failure"]
    assert [p.participant for p in study.eligible] == ["P01", "P02"]
    assert len(study.images) == 4
    assert len(study.answers) == 20
    assert len(study.movies) == len(study.lots) == len(study.adverse_events) == 1
    assert study.adverse_events_collected
    assert study.images[0].um_per_px == 5.5
    assert study.images[0].arm == "exosome"
    assert study.protocol.visits_of("density") == ("baseline", "week 4")


def test_faults_of_all_files_are_raised_at_once(tmp_path: Path):
    folder = write_study(
        tmp_path,
        protocol=PROTOCOL.replace("title =", "titel ="),
        images=IMAGES.replace("5.5,2026-01-05", "0,2027-01-05").replace("P02,w", "P2,w"),
    )
    with pytest.raises(InputFaults) as raised:
        load_study(folder, read_table=read_table, today=TODAY)
    places = {(fault.file, fault.row, fault.column) for fault in raised.value.faults}
    assert places == {
        ("protocol.toml", None, "title"),
        ("protocol.toml", 1, "titel"),
        ("images.csv", 2, "um_per_px"),
        ("images.csv", 2, "taken_on"),
        ("images.csv", 5, "participant"),
    }
