"""What kind of file this is, told from its first bytes: a name is a claim, the bytes are the fact."""

from __future__ import annotations

from typing import Final

_STARTS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"II+\x00", "a BigTIFF image"),
    (b"MM\x00+", "a BigTIFF image"),
    (b"BM", "a BMP image"),
    (b"GIF8", "a GIF image"),
    (b"8BPS", "a Photoshop document"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"),
    (b"PK\x03\x04", "a ZIP archive (an XLSX or DOCX is one)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file"),
    (b"%PDF", "a PDF"),
    (b"\x1a\x45\xdf\xa3", "a Matroska movie"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"SQLite format 3", "a SQLite database"),
)
_RIFF_KINDS: Final = {b"AVI ": "an AVI movie", b"WEBP": "a WebP image", b"WAVE": "a sound file"}
_HEIF_BRANDS: Final = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}
_TEXT_BYTES: Final = frozenset(range(0x20, 0x7F)) | {0x09, 0x0A, 0x0D}


def name_content(head: bytes) -> str:
    """Name the kind of file whose first bytes are `head`, with its article, for an error message.

    Examples
    --------
    >>> name_content(b"PK" + bytes([3, 4]) + b"...")
    'a ZIP archive (an XLSX or DOCX is one)'
    >>> name_content(b"participant,visit")
    'a text file'
    """
    if not head:
        return "an empty file"
    for start, name in _STARTS:
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF":
        return _RIFF_KINDS.get(head[8:12], "a RIFF file")
    if head[4:8] == b"ftyp":
        return _name_iso_media(head[8:12])
    if head.lstrip()[:5].lower() in (b"<html", b"<!doc"):
        return "a web page"
    if all(byte in _TEXT_BYTES for byte in head.removeprefix(b"\xef\xbb\xbf")[:256]):
        return "a text file"
    return "a file of unknown kind"


def _name_iso_media(brand: bytes) -> str:
    if brand in _HEIF_BRANDS:
        return "a HEIC image"
    return "an AVIF image" if brand == b"avif" else "an MP4 or MOV movie"
