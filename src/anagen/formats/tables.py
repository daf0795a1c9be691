"""Tables as people save them: CSV with commas, semicolons or tabs, from any spreadsheet; every cell keeps its row."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

from anagen.errors import Fault, InputFaults
from anagen.formats.signature import name_content
from anagen.study.raw_table import RawRow, RawTable

MOST_BYTES: Final = 200_000_000
"""A table typed by people is far smaller; a movie named .csv is not."""


def read_table(path: Path, name: str | None = None) -> RawTable:
    """Read a CSV file.

    The encoding is UTF-8 (a byte order mark is dropped), UTF-16 with a mark, else Windows-1252; the cells are parted by
    commas, semicolons or tabs, whichever the header holds most of; quotes are read as RFC 4180 says.

    Parameters
    ----------
    path : Path
        The file.
    name : str or None
        How it is called in messages; its own name unless given.

    Returns
    -------
    RawTable
        Text cells, blank lines left out, with row numbers as a spreadsheet shows them.

    Raises
    ------
    InputFaults
        When it is no table at all: absent, empty, a spreadsheet, binary.
    """
    name = name or path.name
    text = _decode(_bytes(path, name), name)
    delimiter = _delimiter(text)
    lines = _lines(text, delimiter, name)
    filled = [(number, cells) for number, cells in lines if any(cells)]
    if not filled:
        raise InputFaults([Fault(name, "the file is empty", "write the names of the columns in its first line")])
    (header_row, header), *rows = filled
    while header and not header[-1]:
        header.pop()
    unnamed = [
        Fault(name, f"column {i} has no name", "name it, or delete it", header_row)
        for i, c in enumerate(header, 1)
        if not c
    ]
    if unnamed:
        raise InputFaults(unnamed)
    sound, faults = [], []
    for number, cells in rows:
        fault = _fit(number, cells, header, delimiter, name)
        if fault is None:
            sound.append(RawRow(number, dict(zip(header, cells + [""] * (len(header) - len(cells)), strict=False))))
        else:
            faults.append(fault)
    return RawTable(name, tuple(header), tuple(sound), delimiter != ",", header_row, tuple(faults))


def _bytes(path: Path, name: str) -> bytes:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            way_out = "give the table of the study, not its raw data"
            raise InputFaults([Fault(name, f"too large for a table: {size / 1e6:.0f} MB", way_out)])
        return path.read_bytes()
    except IsADirectoryError as error:
        raise InputFaults([Fault(name, "this is a folder", "put the table there as a CSV file")]) from error
    except FileNotFoundError as error:
        raise InputFaults([Fault(name, "there is no such file", "write it, or correct the name")]) from error
    except OSError as error:
        raise InputFaults([Fault(name, f"cannot be read: {error.strerror}", "look at its permissions")]) from error


def _decode(data: bytes, name: str) -> str:
    kind = _other_kind(data)
    if kind:
        way_out = "open it in its program, choose save as, CSV UTF-8, and give that file"
        raise InputFaults([Fault(name, f"this is {kind}, not a CSV table", way_out)])
    marked_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    encodings = ["utf-16"] if marked_utf16 else ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeError:
            continue
        if "\0" not in text:
            return text
    raise InputFaults([Fault(name, "this is not a text file", "save the table as CSV UTF-8 and give that file")])


def _other_kind(data: bytes) -> str:
    """Name what the file is when it is no text; empty for text, even where it begins like a picture (BMI, II*)."""
    head = data[:4096]
    if head.startswith(b"PK\x03\x04"):
        if b"xl/" in data:
            return "an XLSX spreadsheet"
        return "an ODS spreadsheet" if b"opendocument.spreadsheet" in head else name_content(head)
    kind = name_content(head)
    is_text = not any(byte < 0x20 and byte not in b"\t\r\n" for byte in head)
    if kind in {"a text file", "a file of unknown kind", "an empty file"}:
        return ""
    return "" if is_text and kind not in {"a PDF", "a web page"} else kind


def _delimiter(text: str) -> str:
    """Find the mark that parts the header's cells, quoted text apart."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    outside = "".join(part for i, part in enumerate(line.split('"')) if i % 2 == 0)
    return max(",;\t", key=outside.count)


def _lines(text: str, delimiter: str, name: str) -> list[tuple[int, list[str]]]:
    """Cells of each row, numbered as a spreadsheet numbers them: a cell with a line break is still one row."""
    # a no-break space, and the byte order mark inside a file that was joined from two, are blanks too
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines: list[tuple[int, list[str]]] = []
    try:
        for number, cells in enumerate(reader, start=1):
            lines.append((number, [cell.strip(" \t\r\n\u00a0\ufeff") for cell in cells]))
    except csv.Error as error:
        way_out = "look for a quotation mark that is opened and not closed, or save the table anew from the spreadsheet"
        row = len(lines) + 1
        raise InputFaults([Fault(name, f"this row cannot be read as CSV ({error})", way_out, row=row)]) from error
    return lines


def _fit(number: int, cells: list[str], header: list[str], delimiter: str, name: str) -> Fault | None:
    extra = [cell for cell in cells[len(header) :] if cell]
    if not extra:
        return None
    mark = {",": "comma", ";": "semicolon", "\t": "tab"}[delimiter]
    way_out = f'put a cell that itself holds a {mark} into "quotes", and write decimals with a point'
    return Fault(name, f"{len(cells)} cells, but the header names {len(header)}", way_out, number, None, extra[0][:60])
