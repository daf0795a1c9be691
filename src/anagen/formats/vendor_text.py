"""Text that instruments export: any encoding, either decimal sign, cut off or re-saved by a spreadsheet."""

from __future__ import annotations

import math
import re
from pathlib import Path

from anagen.errors import InputError
from anagen.formats.images import read_bytes
from anagen.formats.signature import name_content

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


def read_text(path: str | Path, what: str) -> tuple[str, bytes]:
    """Read an instrument's text export.

    Parameters
    ----------
    path : str or Path
        The file.
    what : str
        What is expected, for the message: ``a NanoSight summary``.

    Returns
    -------
    str
        Decoded: UTF-8 (with or without a byte-order mark), UTF-16 with one, else Windows-1252, else Latin-1.
    bytes
        As they lie on the disk.

    Raises
    ------
    InputError
        When there is no such file, it is empty, or it is no text.
    """
    path = Path(path)
    data = read_bytes(path)
    kind = name_content(data[:512])
    # ZetaView ends some values with a zero byte; many of them mean that it is no text.
    binary = data.count(0) > len(data) // 100 and not _has_utf16_mark(data)
    if kind not in ("a text file", "a file of unknown kind") or binary:
        way_out = "save the sheet as CSV" if "XLSX" in kind or "Excel" in kind else "export it again as text"
        raise InputError(f"{path}: is {kind}, not {what}: {way_out}")
    return _decode(data).replace("\0", ""), data


def read_number(text: str) -> float:
    """Read one number with either decimal sign; NaN where nothing or no number stands.

    A comma is always a decimal sign: instruments write no thousands separators.

    Examples
    --------
    >>> read_number("99,147287"), read_number("1.79e+08"), read_number("Not recorded")
    (99.147287, 179000000.0, nan)
    """
    text = text.strip()
    return float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else math.nan


def dotted(text: str) -> str:
    """Write a printed number with a decimal point, digits kept.

    Examples
    --------
    >>> dotted("99,147287")
    '99.147287'
    """
    return text.strip().replace(",", ".")


def join_distinct(values: list[str]) -> str:
    """Join the values of several runs for print: one where all agree.

    Examples
    --------
    >>> join_distinct(["488", "488"]), join_distinct(["24.27", "24.28"])
    ('488', '24.27; 24.28')
    """
    said = [value.strip() for value in values]
    return said[0] if len(set(said)) == 1 else "; ".join(said)


def _has_utf16_mark(data: bytes) -> bool:
    return data[:2] in (b"\xff\xfe", b"\xfe\xff")


def _decode(data: bytes) -> str:
    if _has_utf16_mark(data):
        return data.decode("utf-16", errors="replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")
