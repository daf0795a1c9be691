"""One photograph from disk: pixels as the sciences want them, and what the file says about itself.

Whatever the file (JPEG, PNG, TIFF, BMP, HEIC; 8 or 16 bit; grey, palette, colour, CMYK, with alpha), the pixels
come out as uint8 RGB, turned upright. The measurement never sees a place, an owner or a serial number.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pillow_heif
from PIL import Image, ImageOps, UnidentifiedImageError

from anagen.errors import InputError
from anagen.formats.signature import name_content
from anagen.records import Flag
from anagen.units import UM_PER_MM

pillow_heif.register_heif_opener()

MAX_PIXELS: Final = 60_000_000
"""Above every camera in use for scalp photographs, below what exhausts a small machine: 180 MB as RGB."""
MAX_BYTES: Final = 500_000_000
"""A 60-megapixel 16-bit RGB image without compression has 360 MB."""
MIN_SIDE_PX: Final = 16
"""Fewer pixels hold no hair: such a file is an icon or a mistake."""
LARGEST_SCALE_UM_PER_PX: Final = 25.4
"""Above this (below 1000 dots per inch) a resolution tag is a hint for printers, not a scale of the skin."""

_FORMATS: Final = ("JPEG", "PNG", "TIFF", "BMP", "HEIF")
_CAMERA_BITS: Final = (10, 12, 14, 16)
_UM_PER_UNIT: Final = {
    "um": 1.0, "µm": 1.0, "μm": 1.0, "micron": 1.0, "microns": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "inch": 25.4e3,
}  # fmt: skip
_EXIF_POINTER: Final = 0x8769
_TAKEN_TAGS: Final = ((36867, 36881), (36868, 36882))
"""EXIF DateTimeOriginal and DateTimeDigitized, each with its offset from UTC (EXIF 2.31)."""


@dataclass(frozen=True, eq=False)
class ImageFile:
    """A photograph as read from disk.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
        RGB, upright (the EXIF orientation is applied).
    sha256 : str
        Of the file's bytes, hexadecimal: the key of everything measured on it.
    file_format : str
        ``JPEG``, ``PNG``, ``TIFF``, ``BMP`` or ``HEIC``, told from the bytes.
    mode : str
        How the pixels were kept: ``L``, ``I;16``, ``RGB``, ``RGBA``, ``CMYK``, ``P``, ``1``, ...
    bit_depth : int
        Bits per sample in the file.
    um_per_px : float
        Scale that the file declares; NaN where it declares none that can be a scale of the skin.
    scale_source : str
        ``ImageJ``, ``OME``, ``resolution tag`` or ``none``.
    taken_at : datetime or None
        Capture time written by the camera; without a time zone where the camera wrote none.
    flags : tuple of Flag
        What was converted or assumed.
    """

    pixels: np.ndarray
    sha256: str
    file_format: str
    mode: str
    bit_depth: int
    um_per_px: float = math.nan
    scale_source: str = "none"
    taken_at: datetime | None = None
    flags: tuple[Flag, ...] = ()


def read_image(path: str | Path) -> ImageFile:
    """Read one photograph.

    Parameters
    ----------
    path : str or Path
        JPEG, PNG, TIFF, BMP or HEIC, up to 60 million pixels.

    Returns
    -------
    ImageFile

    Raises
    ------
    InputError
        When there is no such file, it is no image of these kinds, cut off, too large or too small: one line that
        names the file, what it is, and the way out.
    """
    path = Path(path)
    data = read_bytes(path)
    with _decoding(path, data), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        _check_size(path, image.size)
        bit_depth = _find_bit_depth(image, data)
        page_flags = _flag_pages(image)
        mode = image.mode
        pixels, flags = _read_rgb(path, image, data, bit_depth)
        um_per_px, scale_source = _read_scale(image)
        return ImageFile(
            pixels=pixels,
            sha256=hashlib.sha256(data).hexdigest(),
            file_format={"MPO": "JPEG", "HEIF": "HEIC"}.get(str(image.format), str(image.format)),
            mode=mode,
            bit_depth=bit_depth,
            um_per_px=um_per_px,
            scale_source=scale_source,
            taken_at=_read_taken_at(image),
            flags=page_flags + flags,
        )


def write_image(path: str | Path, pixels: np.ndarray, *, um_per_px: float | None = None) -> None:
    """Write a picture as PNG without loss; the same pixels give the same bytes.

    Parameters
    ----------
    path : str or Path
        Ends in ``.png``.
    pixels : ndarray, uint8 of shape (H, W, 3) or (H, W), or uint16 of shape (H, W)
        RGB or grey.
    um_per_px : float, optional
        Scale to write into the file.

    Raises
    ------
    InputError
        When the name or the array is of another kind.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: pictures are written as PNG (without loss): end the name in .png")
    grey, colour = pixels.ndim == 2, pixels.ndim == 3 and pixels.shape[2] == 3
    if not ((grey and pixels.dtype in (np.uint8, np.uint16)) or (colour and pixels.dtype == np.uint8)):
        raise InputError(
            f"pixels must be uint8 (H, W, 3), uint8 (H, W) or uint16 (H, W), got {pixels.dtype} {pixels.shape}: convert"
        )
    options: dict[str, Any] = {}
    if um_per_px is not None:
        options["dpi"] = (25.4 * UM_PER_MM / um_per_px,) * 2
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, format="PNG", compress_level=3, **options)


def read_bytes(path: Path) -> bytes:
    """Read a whole file; `InputError` where there is none, it is empty, a folder, or larger than `MAX_BYTES`."""
    if not path.exists():
        raise InputError(f"{path}: no such file: check the name and the folder")
    if path.is_dir():
        raise InputError(f"{path}: is a folder where one file is expected: name the file in it")
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{path}: is empty (0 bytes): copy it again from the camera or instrument")
    if size > MAX_BYTES:
        raise InputError(f"{path}: has {size / 1e6:.0f} MB, the limit is {MAX_BYTES / 1e6:.0f} MB: export it smaller")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}): check permissions and the disk") from error


@contextmanager
def _decoding(path: Path, data: bytes) -> Iterator[None]:
    """Let one kind of exception out of decoders, which raise anything when fed broken bytes."""
    kind = name_content(data[:512])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
            yield
    except InputError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: has more than {MAX_PIXELS / 1e6:.0f} million pixels: export it smaller") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: {_explain_unreadable(kind)}") from error
    except Exception as error:  # decoders of broken bytes raise OSError, SyntaxError, struct.error, KeyError, ...
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path}: is {kind}, but damaged or cut off ({reason}): copy it again from the camera, or export it anew"
        ) from error


def _explain_unreadable(kind: str) -> str:
    if kind.removeprefix("a ").split(" ")[0] in ("JPEG", "PNG", "TIFF", "BMP", "HEIC"):
        return f"starts like {kind} but is damaged or cut off: copy it again from the camera, or export it anew"
    return f"is {kind}, not a JPEG, PNG, TIFF, BMP or HEIC image: save the photograph as one of these"


def _check_size(path: Path, size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{path}: is {width} x {height} pixels, the limit is {MAX_PIXELS / 1e6:.0f} million: export it smaller"
        )
    if min(width, height) < MIN_SIDE_PX:
        raise InputError(
            f"{path}: is {width} x {height} pixels, at least {MIN_SIDE_PX} x {MIN_SIDE_PX} are needed: "
            "give the photograph itself, not an icon"
        )


def _find_bit_depth(image: Image.Image, data: bytes) -> int:
    if image.format == "PNG":
        return data[24]  # IHDR: 8 signature, 8 chunk head, 4 width, 4 height, then bits per sample
    if image.format == "TIFF":
        return int(max(_tag(image, 258, (1,))))
    return int(image.info.get("bit_depth", 1 if image.mode == "1" else 8))


def _flag_pages(image: Image.Image) -> tuple[Flag, ...]:
    n_pages = getattr(image, "n_frames", 1)
    if image.format != "TIFF" or n_pages == 1:
        return ()
    return (
        Flag(
            "several-pages",
            "warning",
            f"the TIFF has {n_pages} pages; only the first is read",
            "Export the page you mean as a file of its own; a movie belongs in movies.csv.",
            value=float(n_pages),
            limit=1.0,
        ),
    )


def _read_rgb(path: Path, image: Image.Image, data: bytes, bit_depth: int) -> tuple[np.ndarray, tuple[Flag, ...]]:
    if image.mode in ("I", "F") or bit_depth > 16:
        raise InputError(
            f"{path}: keeps {bit_depth} bits per sample (mode {image.mode}), which have no agreed white: "
            "export 8 or 16 bits per sample"
        )
    if bit_depth > 8 and image.format in ("PNG", "TIFF"):
        return _read_deep(path, image, data)
    image.load()
    upright = ImageOps.exif_transpose(image)
    flags: tuple[Flag, ...] = ()
    if upright.mode == "CMYK":
        flags = (
            Flag(
                "cmyk-converted",
                "note",
                "printing colours (CMYK) were converted to RGB without a profile",
                "Give the camera's own RGB file where colour matters.",
            ),
        )
    if upright.has_transparency_data:
        rgba = np.asarray(upright.convert("RGBA"))
        if rgba[..., 3].min() < 255:
            return _flatten(rgba), (*flags, _TRANSPARENT)
        return rgba[..., :3].copy(), flags
    return np.array(upright.convert("RGB")), flags


_TRANSPARENT: Final = Flag(
    "transparent-pixels",
    "warning",
    "the picture has transparent pixels; they were laid on white",
    "Export the photograph without a transparent layer.",
)


def _flatten(rgba: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:].astype(np.uint16)
    blended = rgba[..., :3].astype(np.uint16) * alpha + 255 * (255 - alpha)
    return ((blended + 127) // 255).astype(np.uint8)


def _read_deep(path: Path, image: Image.Image, data: bytes) -> tuple[np.ndarray, tuple[Flag, ...]]:
    """16-bit samples to 8, by the range that the file declares."""
    image.load()  # finds a cut-off file; OpenCV would fill what is missing with zeros
    flags: tuple[Flag, ...] = ()
    if image.mode.startswith("I;16"):
        deep = np.asarray(image).astype(np.uint16)
        if _tag(image, 262, 1) == 0:  # WhiteIsZero; Pillow leaves 16-bit samples as they are
            deep = 65535 - deep
    else:
        # Pillow keeps only the upper byte of 16-bit colour.
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
        if decoded is None or decoded.dtype != np.uint16:
            raise InputError(f"{path}: this kind of 16-bit colour cannot be decoded: export 8-bit PNG or TIFF")
        deep = decoded[..., :3][..., ::-1] if decoded.ndim == 3 else decoded
        if decoded.ndim == 3 and decoded.shape[2] == 4 and decoded[..., 3].min() < 65535:
            flags = (_TRANSPARENT,)
            alpha = decoded[..., 3:].astype(np.float64) / 65535
            deep = np.rint(deep * alpha + 65535 * (1 - alpha)).astype(np.uint16)
    white, range_flags = _find_white(image, data, int(deep.max()))
    eight = np.rint(np.minimum(deep, white) * (255.0 / white)).astype(np.uint8)
    eight = eight if eight.ndim == 3 else np.repeat(eight[..., None], 3, axis=2)
    return _turn_upright(eight, int(image.getexif().get(274, 1))), flags + range_flags


def _find_white(image: Image.Image, data: bytes, largest: int) -> tuple[int, tuple[Flag, ...]]:
    """Find the sample that means white: as declared, else the smallest camera depth that holds every sample."""
    declared = _tag(image, 281, None) if image.format == "TIFF" else _significant_bits_white(data)
    if declared is not None:
        white = int(max(declared)) if isinstance(declared, tuple) else int(declared)
        if largest <= white <= 65535:
            return white, ()
    bits = next(bits for bits in _CAMERA_BITS if largest < 2**bits)
    if bits == 16:
        return 65535, ()
    message = f"16-bit file whose samples reach {largest} only and that declares no range; read as {bits} bits"
    advice = "Write the range into the file (TIFF MaxSampleValue, PNG sBIT) or export 8 bits."
    return 2**bits - 1, (Flag("bit-depth-assumed", "warning", message, advice, float(largest), float(2**bits - 1)),)


def _significant_bits_white(data: bytes) -> int | None:
    """White where sBIT is given: samples fill 16 bits whatever part is significant (PNG 3rd ed., 11.3.2.7)."""
    position = 8
    while position + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        if kind == b"sBIT":
            return 65535
        if kind == b"IDAT":
            return None
        position += 12 + length
    return None


def _turn_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo EXIF orientation 1 to 8."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    if flip_rows:
        pixels = pixels[::-1]
    if flip_columns:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _tag(image: Image.Image, number: int, default: Any) -> Any:
    tags = getattr(image, "tag_v2", None)
    return default if tags is None else tags.get(number, default)


def _read_scale(image: Image.Image) -> tuple[float, str]:
    description = str(_tag(image, 270, ""))
    if description.startswith("ImageJ="):
        per_unit, unit = _tag(image, 282, None), re.search(r"^unit=(.+)$", description, re.MULTILINE)
        name = unit.group(1).strip().replace("\\u00B5", "µ") if unit else ""
        if per_unit and name in _UM_PER_UNIT:
            return _UM_PER_UNIT[name] / float(per_unit), "ImageJ"
    if found := re.search(r'PhysicalSizeX="([0-9.eE+-]+)"', description):
        unit = re.search(r'PhysicalSizeXUnit="([^"]+)"', description)
        factor = _UM_PER_UNIT.get(unit.group(1) if unit else "µm", math.nan)
        return float(found.group(1)) * factor, "OME"
    dots = image.info.get("dpi", (0.0, 0.0))[0]
    um_per_px = 25.4 * UM_PER_MM / float(dots) if dots else math.nan
    return (um_per_px, "resolution tag") if um_per_px <= LARGEST_SCALE_UM_PER_PX else (math.nan, "none")


def _read_taken_at(image: Image.Image) -> datetime | None:
    exif = image.getexif()
    details = exif.get_ifd(_EXIF_POINTER)
    for tag, offset_tag in _TAKEN_TAGS:
        text, offset = str(details.get(tag, "")), str(details.get(offset_tag, ""))
        for value, form in ((text + offset, "%Y:%m:%d %H:%M:%S%z"), (text, "%Y:%m:%d %H:%M:%S")):
            try:
                return datetime.strptime(value.strip("\x00 "), form)  # noqa: DTZ007  (cameras often write no zone)
            except ValueError:
                continue
    return None


def encode_jpeg(pixels: np.ndarray, *, quality: int = 82) -> tuple[str, bytes]:
    """Encode a picture for a page; never for measuring, since JPEG changes pixel values.

    Parameters
    ----------
    pixels : ndarray, uint8, shape (H, W, 3)
        RGB.
    quality : int
        1 to 95.

    Returns
    -------
    media_type : str
        ``image/jpeg``.
    data : bytes
        The file; the same pixels give the same bytes.
    """
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="JPEG", quality=quality)
    return "image/jpeg", buffer.getvalue()
