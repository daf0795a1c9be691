"""`anagen check`: the files that the tables name, the report, the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from tests.study.small_study import IMAGES, TODAY, write_study
from typer.testing import CliRunner

from anagen.cli.check import check
from anagen.cli.init import init
from anagen.formats import open_movie, read_image, write_image, write_movie
from anagen.formats.tables import read_table
from anagen.workflows.check import CheckReport, check_study, report_as_json

NAMES = ("P01_0", "P01_4", "P02_0", "P02_4")


def write_real_files(folder: Path) -> Path:
    rng = np.random.default_rng(1)
    for name in NAMES:
        write_image(folder / "images" / f"{name}.png", rng.integers(0, 256, (40, 60, 3), dtype=np.uint8), um_per_px=5.5)
    write_movie(folder / "movies" / "L1.tif", rng.integers(0, 256, (3, 20, 30), dtype=np.uint8), 30.0)
    return folder


def report_on(folder: Path) -> CheckReport:
    return check_study(folder, read_table=read_table, read_image=read_image, open_movie=open_movie, today=TODAY)


def test_a_sound_folder_has_nothing_to_mend(tmp_path: Path):
    report = report_on(write_real_files(write_study(tmp_path)))
    assert report.faults == ()
    assert report.runnable
    assert [f.code for f in report.left_out] == ["screen-failure"]
    assert report.notes == ()
    assert report.counts["eligible"] == 2
    assert report.counts["answers"] == 20


@pytest.mark.parametrize(
    ("file", "data", "says"),
    [
        ("images/P01_0.png", b"", "empty"),
        ("images/P01_0.png", b"participant,visit\n", "is a text file"),
        ("movies/L1.tif", b"no movie", "not a movie"),
    ],
)
def test_a_bad_file_is_named_and_stops_nothing(tmp_path: Path, file: str, data: bytes, says: str):
    folder = write_real_files(write_study(tmp_path))
    (folder / file).write_bytes(data)
    report = report_on(folder)
    (finding,) = report.faults
    assert (finding.code, finding.effect, finding.fault.value) == ("unreadable-file", "exclude", file)
    assert says in finding.fault.rule
    assert str(tmp_path) not in str(finding)
    assert finding.fault.way_out
    assert report.runnable


def test_a_bad_file_is_named_although_a_table_is_at_fault_too(tmp_path: Path):
    folder = write_real_files(write_study(tmp_path, participants="participant\nP01\n"))
    (folder / "images" / "P01_0.png").write_bytes(b"")
    report = report_on(folder)
    assert not report.runnable
    assert {"missing-column", "unreadable-file"} <= {finding.code for finding in report.faults}


def test_the_same_picture_under_two_names_is_named(tmp_path: Path):
    folder = write_real_files(write_study(tmp_path))
    (folder / "images" / "P01_4.png").write_bytes((folder / "images" / "P01_0.png").read_bytes())
    (finding,) = report_on(folder).faults
    assert finding.code == "same-picture"
    assert finding.fault.row == 3
    assert "images/P01_0.png of P01, baseline (row 2)" in finding.fault.rule


def test_a_scale_that_the_file_contradicts_is_named(tmp_path: Path):
    folder = write_real_files(write_study(tmp_path, images=IMAGES.replace("5.5,2026-01-05", "6.6,2026-01-05")))
    (finding,) = report_on(folder).faults
    assert (finding.code, finding.effect) == ("scale-differs", "note")
    assert "5.5 um per pixel" in finding.fault.rule


@pytest.mark.parametrize(
    ("region", "mask", "code"),
    [
        ('"circle:500,500,10"', "", "region-outside"),
        ('"circle:30,20,25"', "", "region-cut"),
        ('"rectangle:0,0,40,60"', "", None),
        ("", "small.png", "mask-differs"),
        ("", "black.png", "mask-empty"),
        ("", "text.png", "unreadable-file"),
        ('"circle:20,30,10"', "white.png", None),
    ],
)
def test_regions_and_masks_must_fit_their_picture(tmp_path: Path, region: str, mask: str, code: str | None):
    images = IMAGES.replace("taken_on", "taken_on,region,mask").replace("01-05", f"01-05,{region},{mask}")
    folder = write_study(tmp_path)
    shelf = folder / "images"
    write_image(shelf / "small.png", np.full((20, 20), 255, dtype=np.uint8))
    write_image(shelf / "black.png", np.zeros((40, 60), dtype=np.uint8))
    write_image(shelf / "white.png", np.full((40, 60), 255, dtype=np.uint8))
    (shelf / "text.png").write_text("no picture", encoding="utf-8")
    report = report_on(write_real_files(write_study(tmp_path, images=images)))
    assert [finding.code for finding in report.faults] == ([] if code is None else [code])


def test_files_that_no_row_names_are_listed(tmp_path: Path):
    folder = write_real_files(write_study(tmp_path))
    (folder / "images" / "P03_0.png").write_bytes(b"x")
    (note,) = report_on(folder).notes
    assert note.code == "unlisted-file"
    assert "P03_0.png" in note.fault.rule


def test_the_report_is_one_json_object(tmp_path: Path):
    folder = write_real_files(write_study(tmp_path, images=IMAGES.replace("5.5,2026-01-05", "0,2026-01-05")))
    data = json.loads(json.dumps(report_as_json(report_on(folder))))
    assert data["ok"] is False
    assert data["runnable"] is False
    (fault,) = data["faults"]
    assert (fault["file"], fault["row"], fault["column"], fault["value"]) == ("images.csv", 2, "um_per_px", "0")


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(check)
    app.command()(init)
    return app


def test_the_exit_code_says_whether_there_is_something_to_mend(tmp_path: Path, app: typer.Typer):
    folder = write_real_files(write_study(tmp_path))
    sound = CliRunner().invoke(app, ["check", str(folder)])
    assert sound.exit_code == 0
    assert "Nothing to mend" in sound.stdout
    assert "screen failure: sex must be male, is female" in sound.stdout
    (folder / "survey.csv").unlink()
    faulty = CliRunner().invoke(app, ["check", str(folder), "--json"])
    assert faulty.exit_code == 1
    assert json.loads(faulty.stdout)["faults"][0]["file"] == "survey.csv"
    assert CliRunner().invoke(app, ["check"]).exit_code == 2


def test_a_new_folder_only_lacks_its_people(tmp_path: Path, app: typer.Typer):
    folder = tmp_path / "mine"
    assert CliRunner().invoke(app, ["init", str(folder)]).exit_code == 0
    report = report_on(folder)
    assert [str(finding.fault.rule) for finding in report.faults] == ["no participant is listed"]
    assert report.notes == ()
