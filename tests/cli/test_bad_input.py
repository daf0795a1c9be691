"""What users get wrong: each gives one clear line with the way out and exit code 1, and loses nothing measured."""

import io
import json
import re
import sys

import numpy as np
import openpyxl
import pillow_heif
import pytest
from PIL import Image
from tests.workflows.test_run import PROTOCOL, write_paper_study

from anagen.cli import app as command_line
from anagen.formats.movies import write_movie

FIELD = np.full((220, 260, 3), 190, dtype=np.uint8)
FIELD[40:120, 100:110] = 30
"""A patch of skin with one thick hair."""


@pytest.fixture
def anagen(monkeypatch, capsys):
    """Run a command line as a shell would; give (exit code, standard output, standard error)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["anagen", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            command_line.main()
        said = capsys.readouterr()
        return stop.value.code, said.out, said.err

    return run


@pytest.fixture
def study(tmp_path):
    write_paper_study(tmp_path, [100.0, 120.0, 90.0], [108.0, 121.0, 99.0])
    return tmp_path


def xlsx():
    book, data = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["participant", "visit", "density_per_cm2"])
    book.save(data)
    return data.getvalue()


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("measurements.csv", b"", "measurements.csv.*empty"),
        ("measurements.csv", xlsx(), "measurements.csv.*an XLSX spreadsheet"),
        ("images.csv", b"participant,visit,file\nP0,baseline,a.png\n", "images.csv.*um_per_px"),
        (
            "images.csv",
            b"participant,visit,file,um_per_px\nP0,baseline,a.png,0\n",
            r"images.csv, row 2, um_per_px = '0'",
        ),
        ("protocol.toml", (PROTOCOL + "\ncolour = 'red'\n").encode(), "protocol.toml.*unknown key 'colour'"),
        ("protocol.toml", b"title = ", "protocol.toml.*not TOML"),
    ],
)
def test_a_fault_in_a_table_is_one_line_and_exit_code_1(anagen, study, file, content, says):
    assert anagen("run", study)[0] == 0
    report = (study / "results" / "report.html").read_bytes()
    (study / file).write_bytes(content)
    code, _, error = anagen("run", study)
    assert code == 1
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert any(re.search(says, line) for line in lines), error
    assert "Traceback" not in error
    assert (study / "results" / "report.html").read_bytes() == report


def test_a_semicolon_table_with_decimal_commas_and_a_byte_order_mark_is_read(anagen, study):
    table = (study / "measurements.csv").read_text()
    assert anagen("run", study)[0] == 0
    first = (study / "results" / "estimates.csv").read_text()
    (study / "measurements.csv").write_bytes(
        b"\xef\xbb\xbf" + table.replace(",", ";").replace(".", ",").replace("\n", "\r\n").encode()
    )
    assert anagen("run", study)[0] == 0
    assert (study / "results" / "estimates.csv").read_text() == first


def encode(mode, kind):
    picture, data = Image.fromarray(FIELD), io.BytesIO()
    if kind == "HEIF":
        pillow_heif.from_pillow(picture).save(data, quality=-1)
        return data.getvalue()
    deep = Image.fromarray(FIELD[..., 0].astype(np.uint16) * 257)
    picture = deep if mode == "I;16" else picture.convert(mode)
    picture.save(data, format=kind)
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "mode", "kind"),
    [
        ("deep.png", "I;16", "PNG"),
        ("grey.png", "L", "PNG"),
        ("press.jpg", "CMYK", "JPEG"),
        ("phone.heic", "RGB", "HEIF"),
    ],
)
def test_uncommon_photographs_are_read(anagen, tmp_path, name, mode, kind):
    (tmp_path / name).write_bytes(encode(mode, kind))
    code, out, error = anagen("hair", tmp_path / name, "--um-per-px", 6, "--json")
    assert code == 0, out + error
    assert '"area_cm2"' in out


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("notes.jpg", b"Dear doctor,\n", "notes.jpg"),
        ("dot.png", encode("RGB", "PNG")[:60], "dot.png"),
        ("absent.png", None, "absent.png"),
    ],
)
def test_what_is_no_photograph_is_named(anagen, tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, out, error = anagen("hair", tmp_path / name, "--um-per-px", 6)
    assert code == 1
    assert re.search(rf"error: .*{says}", error), out + error
    assert "Traceback" not in error


def test_a_photograph_of_one_pixel_is_named(anagen, tmp_path):
    Image.fromarray(FIELD[:1, :1]).save(tmp_path / "dot.png")
    code, _, error = anagen("hair", tmp_path / "dot.png", "--um-per-px", 6)
    assert code == 1
    assert "dot.png" in error


def test_a_scale_of_zero_is_refused(anagen, tmp_path):
    code, _, error = anagen("hair", tmp_path / "a.png", "--um-per-px", 0)
    assert code == 1
    assert "--um-per-px must be above 0, got 0.0" in error


def test_a_movie_of_one_frame_and_a_truncated_one_are_named(anagen, tmp_path):
    frames = np.random.default_rng(1).integers(0, 40, (30, 120, 160), dtype=np.uint8)
    write_movie(tmp_path / "whole.avi", frames, 30.0)
    (tmp_path / "cut.avi").write_bytes((tmp_path / "whole.avi").read_bytes()[:2000])
    Image.fromarray(frames[0]).save(tmp_path / "one.tif")
    options = ["--um-per-px", 0.166, "--frames-per-s", 30, "--temperature-c", 25]
    code, _, error = anagen("vesicles", tmp_path / "cut.avi", tmp_path / "one.tif", *options)
    assert code == 1
    assert "cut.avi" in error
    assert "one.tif" in error
    assert "Traceback" not in error


def test_wrong_usage_exits_with_2_and_no_arguments_explain(anagen):
    assert anagen("run")[0] == 2
    assert anagen("fly")[0] == 2
    code, out, _ = anagen()
    assert code == 0
    assert "anagen demo" in out


def test_json_faults_are_one_object(anagen, study):
    (study / "measurements.csv").write_bytes(b"")
    code, out, _ = anagen("run", study, "--json")
    assert code == 1
    assert json.loads(out)["faults"][0]["file"] == "measurements.csv"
