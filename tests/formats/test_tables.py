"""CSV files as people save them."""

from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagen.errors import InputFaults
from anagen.formats.tables import read_table

ROWS = [["name", "size"], ["Müller", "5,5"], ["with; semicolon", "7"]]


def cells_of(path: Path) -> list[dict[str, str]]:
    return [dict(row.cells) for row in read_table(path).rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_one_table_whatever_the_spreadsheet(tmp_path: Path, encoding: str, newline: str, delimiter: str):
    text = newline.join(delimiter.join(f'"{cell}"' for cell in row) for row in ROWS) + newline
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode(encoding))
    table = read_table(path)
    assert table.columns == ("name", "size")
    assert [dict(row.cells) for row in table.rows] == [dict(zip(ROWS[0], row, strict=True)) for row in ROWS[1:]]
    assert table.decimal_comma == (delimiter != ",")


def test_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text('\na,b\n\n1,"two\nlines"\n,\n3,4\n', encoding="utf-8")
    table = read_table(path)
    assert table.header_row == 2
    assert [(row.number, row.cells["a"]) for row in table.rows] == [(4, "1"), (6, "3")]


def test_short_rows_are_filled_and_long_ones_are_faults(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1\n1,2,,\n5,5,6\n", encoding="utf-8")
    table = read_table(path)
    assert cells_of(path) == [{"a": "1", "b": ""}, {"a": "1", "b": "2"}]
    (fault,) = table.faults
    assert (fault.row, fault.value) == (4, "6")
    assert "decimals with a point" in fault.way_out


def workbook() -> bytes:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["participant", "age"])
    book.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "empty"),
        (b" \r\n,,\n", "empty"),
        (workbook(), "this is an XLSX spreadsheet, not a CSV table. .*save as, CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "an old Excel"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF"),
        (b"\x89PNG\r\n\x1a\n\0\0", "a PNG image"),
        (b"<html><body>", "a web page"),
        (b"a\0b\0c", "not a text file"),
        (b'a,b\n1,"open\n2,3\n', "row 2: this row cannot be read as CSV"),
        (b"a,,c\n1,2,3\n", "row 1: column 2 has no name"),
    ],
)
def test_no_table_is_named_as_what_it_is(tmp_path: Path, data: bytes, match: str):
    path = tmp_path / "participants.csv"
    path.write_bytes(data)
    with pytest.raises(InputFaults, match=match) as raised:
        read_table(path)
    assert raised.value.faults[0].file == "participants.csv"


def test_absent_files_and_folders_are_named(tmp_path: Path):
    with pytest.raises(InputFaults, match="no such file"):
        read_table(tmp_path / "a.csv")
    with pytest.raises(InputFaults, match="this is a folder"):
        read_table(tmp_path)


def test_a_header_that_begins_like_a_picture_is_text(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("BMI,participant\n21.5,P01\n", encoding="utf-8")
    assert cells_of(path) == [{"BMI": "21.5", "participant": "P01"}]


@given(st.binary(max_size=400))
def test_any_bytes_give_a_table_or_faults(tmp_path_factory: pytest.TempPathFactory, data: bytes):
    path = tmp_path_factory.mktemp("bytes") / "a.csv"
    path.write_bytes(data)
    try:
        table = read_table(path)
    except InputFaults as error:
        faults, rows = error.faults, ()
    else:
        faults, rows = table.faults, table.rows
        assert all(set(row.cells) == set(table.columns) for row in rows)
    assert all(fault.rule and fault.way_out for fault in faults)
