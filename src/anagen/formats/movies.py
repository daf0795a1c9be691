"""A movie from disk, one grey frame at a time, so that its length costs no memory.

AVI, MP4, MOV and MKV; multi-page TIFF; a folder of PNG, JPEG, TIFF or BMP frames. Grey values are those of the
file: the luma plane as decoded, 8 or 16 bit, never rescaled. A movie cut off in the middle gives what is there and
says so with a flag; fewer than two frames are no movie.
"""

from __future__ import annotations

import io
import logging
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, Self

import av
import numpy as np
import tifffile
from PIL import Image

from anagen.errors import InputError
from anagen.formats.hashes import hash_file
from anagen.formats.images import MAX_PIXELS, read_bytes
from anagen.formats.signature import name_content
from anagen.records import Flag

MIN_FRAMES: Final = 2
"""One step is the least that shows motion; what a size needs is for the measurement to say."""
_FRAME_SUFFIXES: Final = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
_FRAME_FORMATS: Final = ("PNG", "JPEG", "TIFF", "BMP")
_DEMUXERS: Final = {"an AVI movie": "avi", "an MP4 or MOV movie": "mov", "a Matroska movie": "matroska"}
_OLD_MOV_ATOMS: Final = (b"moov", b"mdat", b"wide", b"free", b"skip")
_LUMA_FIRST: Final = re.compile(r"(gray(8|9|1[0-6])?(le)?|yuvj?4\d\dp(9|1[0-6])?(le)?|nv(12|21|16|24|42))")
"""Pixel formats whose first plane is the grey picture itself."""
_PACKED_LUMA: Final = {"yuyv422": 0, "yvyu422": 0, "uyvy422": 1}
_LUMA_WEIGHTS: Final = np.array([0.299, 0.587, 0.114])
"""ITU-R BT.601: what cameras that write RGB from a grey sensor and most programs use."""

for _decoder in ("tifffile", "PIL"):
    logging.getLogger(_decoder).addHandler(logging.NullHandler())  # what matters of their warnings becomes a flag here


class _CutOffError(Exception):
    """The file ends, or cannot be decoded, before its last frame."""


@dataclass
class MovieFile:
    """A movie that is read anew each time it is iterated over; each frame is an array of shape (H, W).

    Parameters
    ----------
    path : Path
        The file or folder.
    kind : {"video", "tiff", "folder"}
        What it is.
    height_px, width_px : int
        Size of every frame.
    bit_depth : int
        Bits per grey value in the file; frames are uint8 up to 8, else uint16.
    n_frames : int or None
        As the file declares; None where only reading tells.
    frames_per_s : float
        As the file declares; NaN where it declares none. Cameras and converters often write a wrong one: the
        laboratory's own record goes first.
    flags : tuple of Flag
        Filled by the latest complete reading: cut off, uneven frame times, missing frames.
    n_frames_read : int
        Frames that the latest reading has given.
    """

    path: Path
    kind: Literal["video", "tiff", "folder"]
    height_px: int
    width_px: int
    bit_depth: int
    n_frames: int | None
    frames_per_s: float
    _frames: Callable[[MovieFile], Iterator[np.ndarray]] = field(repr=False)
    flags: tuple[Flag, ...] = ()
    n_frames_read: int = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        """Read the frames in order, uint8 or uint16 of shape (H, W).

        Raises
        ------
        InputError
            When fewer than two frames can be read, or the frames differ in size.
        """
        self.flags, self.n_frames_read = (), 0
        reason = ""
        try:
            for frame in self._frames(self):
                self._check_frame(frame)
                self.n_frames_read += 1
                yield frame
        except InputError:
            raise
        except Exception as error:  # noqa: BLE001  (decoders of broken bytes raise anything; it ends the movie, with a flag)
            reason = _reason(error)
        if self.n_frames_read < MIN_FRAMES:
            raise _too_short(self.path, self.n_frames_read, reason)
        self._flag_missing_end(reason)

    def __enter__(self) -> Self:
        """Nothing stays open between readings; `with` is there for callers who expect it."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Leave nothing open."""

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file, or of a folder's files and names; the key of everything measured on it."""
        return hash_file(self.path)

    def add_flag(self, flag: Flag) -> None:
        """Note something that the reading found."""
        self.flags = (*self.flags, flag)

    def _check_frame(self, frame: np.ndarray) -> None:
        if frame.shape != (self.height_px, self.width_px):
            raise InputError(
                f"{self.path}: frame {self.n_frames_read + 1} has {frame.shape[1]} x {frame.shape[0]} pixels, the "
                f"first {self.width_px} x {self.height_px}: give one movie of one size"
            )

    def _flag_missing_end(self, reason: str) -> None:
        declared = self.n_frames or self.n_frames_read
        # Containers may declare one frame more than they hold (an edit list, a last empty chunk): no loss.
        if not reason and declared - self.n_frames_read <= 1:
            return
        of = f" of {declared}" if declared > self.n_frames_read else ""
        self.add_flag(
            Flag(
                "movie-cut-off",
                "warning",
                f"{self.n_frames_read}{of} frames could be read{': ' + reason if reason else ''}",
                "Copy the movie again from the instrument; what could be read was measured.",
                value=float(self.n_frames_read),
                limit=float(declared),
            )
        )


def open_movie(path: str | Path) -> MovieFile:
    """Open a movie for reading frame by frame, as often as you like.

    Parameters
    ----------
    path : str or Path
        AVI, MP4, MOV or MKV file, multi-page TIFF, or a folder of frames (read in natural order: 2 before 10).

    Returns
    -------
    MovieFile
        Iterable; nothing stays open between readings.

    Raises
    ------
    InputError
        When it is no movie, holds fewer than two readable frames, or its frames are of several kinds.
    """
    path = Path(path)
    movie = _open_folder(path) if path.is_dir() else _open_file(path)
    for _ in islice(movie, MIN_FRAMES):  # the first frames must decode, and there must be more than one
        pass
    movie.flags, movie.n_frames_read = (), 0
    return movie


def _open_file(path: Path) -> MovieFile:
    with _open_binary(path) as stream:
        head = stream.read(512)
    kind = name_content(head)
    try:
        if kind in ("a TIFF image", "a BigTIFF image"):
            return _open_tiff(path)
        if kind in _DEMUXERS or head[4:8] in _OLD_MOV_ATOMS:
            return _open_video(path, _DEMUXERS.get(kind, "mov"))
    except InputError:
        raise
    except Exception as error:  # a reader of broken bytes raises anything; one kind comes out
        raise InputError(
            f"{path}: is {kind} whose table of contents cannot be read ({_reason(error)}); it was probably cut off "
            "while copying or recording: copy it again from the instrument"
        ) from error
    raise InputError(f"{path}: is {kind}, not a movie: give AVI, MP4, MOV, MKV, multi-page TIFF, or a folder of frames")


def write_movie(path: str | Path, frames: Iterable[np.ndarray], frames_per_s: float) -> int:
    """Write grey frames without loss; the same frames give the same bytes.

    Parameters
    ----------
    path : str or Path
        ``.avi`` or ``.mkv`` (FFV1), or ``.tif`` / ``.tiff`` (pages, zlib).
    frames : iterable of ndarray, uint8 or uint16, shape (H, W)
        Taken one by one; all of one shape and type.
    frames_per_s : float
        Above 0.

    Returns
    -------
    int
        Number of frames written.

    Raises
    ------
    InputError
        When the name, the rate or a frame is of another kind.
    """
    path = Path(path)
    if not (math.isfinite(frames_per_s) and frames_per_s > 0):
        raise InputError(f"frames_per_s must be above 0, got {frames_per_s}: give the camera's rate")
    checked = _check_frames(frames)
    if path.suffix.lower() in (".avi", ".mkv"):
        return _write_ffv1(path, checked, frames_per_s)
    if path.suffix.lower() in (".tif", ".tiff"):
        return _write_tiff(path, checked, frames_per_s)
    raise InputError(f"{path}: movies are written as .avi, .mkv (FFV1) or .tif: end the name in one of these")


# ---------------------------------------------------------------------------------------------- video containers


def _open_video(path: Path, demuxer: str) -> MovieFile:
    with av.open(str(path), format=demuxer) as container:
        if not container.streams.video:
            raise InputError(f"{path}: holds no picture stream: export the movie anew")
        stream = container.streams.video[0]
        if stream.width * stream.height > MAX_PIXELS:
            raise InputError(f"{path}: {stream.width} x {stream.height} pixels a frame are too many: crop the movie")
        rate = stream.average_rate or stream.guessed_rate
        movie = MovieFile(
            path=path,
            kind="video",
            height_px=stream.height,
            width_px=stream.width,
            bit_depth=_grey_bits(stream.format),
            n_frames=stream.frames or _frames_by_duration(container, rate),
            frames_per_s=float(rate) if rate else math.nan,
            _frames=lambda movie: _decode_video(movie, demuxer),
        )
    if movie.n_frames == 1:
        raise _too_short(path, 1, "")
    return movie


def _frames_by_duration(container: Any, rate: Fraction | None) -> int | None:
    """Matroska declares no number of frames, but a duration."""
    return round(container.duration / av.time_base * rate) if container.duration and rate else None


def _decode_video(movie: MovieFile, demuxer: str) -> Iterator[np.ndarray]:
    times = _FrameTimes(movie.frames_per_s)
    with av.open(str(movie.path), format=demuxer) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            if packet.is_corrupt:
                raise _CutOffError("the last frame is incomplete")
            for frame in packet.decode():
                times.add(frame.time)
                yield _grey(frame)
    if flag := times.flag():
        movie.add_flag(flag)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())


def _grey_bits(pixel_format: Any) -> int:
    return int(pixel_format.components[0].bits)


def _grey(frame: Any) -> np.ndarray:
    """Take the grey picture of a decoded frame, without a conversion wherever the format allows."""
    name = frame.format.name
    if _LUMA_FIRST.fullmatch(name):
        dtype = np.dtype("<u2") if _grey_bits(frame.format) > 8 else np.dtype(np.uint8)
        return _plane(frame, dtype, 1)
    if name in _PACKED_LUMA:
        return np.ascontiguousarray(_plane(frame, np.dtype(np.uint8), 2)[:, _PACKED_LUMA[name] :: 2])
    if frame.format.is_rgb or frame.format.has_palette:
        deep = _grey_bits(frame.format) > 8
        return grey_of_colour(frame.to_ndarray(format="rgb48le" if deep else "rgb24"))
    array: np.ndarray = frame.to_ndarray(format="gray16le" if _grey_bits(frame.format) > 8 else "gray")
    return array


def _plane(frame: Any, dtype: np.dtype[Any], samples_per_px: int) -> np.ndarray:
    plane = frame.planes[0]
    rows = np.frombuffer(plane, dtype=np.uint8).reshape(-1, plane.line_size)[: frame.height]
    samples = np.ascontiguousarray(rows).view(dtype)[:, : frame.width * samples_per_px]
    return np.ascontiguousarray(samples.astype(dtype.newbyteorder("="), copy=False))


def grey_of_colour(colour: np.ndarray) -> np.ndarray:
    """One grey picture from (H, W, 3): the common channel where all three agree, else BT.601 luma, rounded."""
    red, green, blue = colour[..., 0], colour[..., 1], colour[..., 2]
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return np.ascontiguousarray(green)
    luma: np.ndarray = np.rint(colour[..., :3] @ _LUMA_WEIGHTS).astype(colour.dtype)
    return luma


class _FrameTimes:
    """Watches the times that a container gives its frames for dropped or doubled ones."""

    def __init__(self, frames_per_s: float) -> None:
        self.interval_s = 1.0 / frames_per_s
        self.last_s: float | None = None
        self.n_intervals = 0
        self.n_uneven = 0

    def add(self, time_s: float | None) -> None:
        if time_s is None:
            return
        if self.last_s is not None:
            self.n_intervals += 1
            self.n_uneven += abs(time_s - self.last_s - self.interval_s) > 0.5 * self.interval_s
        self.last_s = time_s

    def flag(self) -> Flag | None:
        if not self.n_uneven:
            return None
        return Flag(
            "frame-times-uneven",
            "warning",
            f"{self.n_uneven} of {self.n_intervals} intervals between frames differ by more than half from the mean of "
            f"{self.interval_s * 1e3:.3g} ms: frames were dropped or doubled",
            "Record to a faster disk, or at a constant rate; sizes from uneven steps are wrong.",
            value=float(self.n_uneven),
            limit=0.0,
        )


# ------------------------------------------------------------------------------------------------------- TIFF pages


def _open_tiff(path: Path) -> MovieFile:
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        _check_page(path, page)
        contiguous = _contiguous_frames(tiff)
        n_frames = contiguous or _count_pages(tiff)
        if n_frames < MIN_FRAMES:
            raise _too_short(path, n_frames, "")
        return MovieFile(
            path=path,
            kind="tiff",
            height_px=int(page.imagelength),
            width_px=int(page.imagewidth),
            bit_depth=int(page.bitspersample),
            n_frames=max(n_frames, _declared_pages(tiff)),
            frames_per_s=_tiff_rate(tiff),
            _frames=_read_contiguous if contiguous else _read_pages,
        )


def _check_page(path: Path, page: Any) -> None:
    if page.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: has pixels of type {page.dtype}: export 8 or 16 bits without sign")
    if page.imagelength * page.imagewidth > MAX_PIXELS:
        raise InputError(f"{path}: {page.imagewidth} x {page.imagelength} pixels a frame are too many: crop the movie")


def _contiguous_frames(tiff: Any) -> int:
    """Count the frames of an ImageJ file that keeps all of them behind one page (its form above 4 GB), else 0."""
    images = int((tiff.imagej_metadata or {}).get("images", 0)) if tiff.is_imagej else 0
    page = tiff.pages[0]
    plain = page.compression == 1 and page.samplesperpixel == 1
    return images if images > 1 and plain and _count_pages(tiff) == 1 else 0


def _count_pages(tiff: Any) -> int:
    try:
        return len(tiff.pages)
    except Exception:  # noqa: BLE001  (a chain of pages that ends outside the file: count those that are there)
        return len(tiff.pages._pages)  # noqa: SLF001


def _declared_pages(tiff: Any) -> int:
    found = re.search(r"^(?:images|n_frames)=(\d+)", tiff.pages[0].description, re.MULTILINE)
    return int(found.group(1)) if found else 0


def _tiff_rate(tiff: Any) -> float:
    text = tiff.pages[0].description
    if found := re.search(r"^(?:frames_per_s|fps)=([0-9.eE+-]+)", text, re.MULTILINE):
        return float(found.group(1))
    found = re.search(r"^finterval=([0-9.eE+-]+)", text, re.MULTILINE) or re.search(
        r'TimeIncrement="([0-9.eE+-]+)"(?![^>]*TimeIncrementUnit="(?!s"))', text
    )
    interval_s = float(found.group(1)) if found else 0.0
    return 1.0 / interval_s if interval_s > 0 else math.nan


def _read_contiguous(movie: MovieFile) -> Iterator[np.ndarray]:
    with tifffile.TiffFile(movie.path) as tiff:
        page = tiff.pages[0]
        start, dtype = page.dataoffsets[0], np.dtype(page.dtype).newbyteorder(tiff.byteorder)
    shape = (movie.height_px, movie.width_px)
    n_bytes = math.prod(shape) * dtype.itemsize
    with movie.path.open("rb") as stream:
        stream.seek(start)
        for _ in range(movie.n_frames or 0):
            data = stream.read(n_bytes)
            if len(data) < n_bytes:
                raise _CutOffError("the file ends within a frame")
            yield np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _read_pages(movie: MovieFile) -> Iterator[np.ndarray]:
    with tifffile.TiffFile(movie.path) as tiff:
        n_pages = _count_pages(tiff)
        if not _tifffile_decodes(tiff.pages[0]):
            yield from _read_pages_with_pillow(movie)
            return
        for number in range(n_pages):
            yield _page_grey(tiff.pages[number].asarray())


def _tifffile_decodes(page: Any) -> bool:
    """LZW and others need the package imagecodecs, which Pillow does without."""
    try:
        page.asarray()
    except Exception as error:  # noqa: BLE001  (a broken first page raises anything; it is met again when read)
        return "imagecodecs" not in str(error)
    return True


def _page_grey(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4):
        return grey_of_colour(pixels)
    return np.ascontiguousarray(pixels)


def _read_pages_with_pillow(movie: MovieFile) -> Iterator[np.ndarray]:
    with Image.open(movie.path, formats=("TIFF",)) as image:
        for number in range(getattr(image, "n_frames", 1)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image.seek(number)
                pixels = _pillow_grey(image)
            yield pixels


# --------------------------------------------------------------------------------------------------------- folders


def _open_folder(path: Path) -> MovieFile:
    frames = _list_frames(path)
    kinds = sorted({_FRAME_SUFFIXES[frame.suffix.lower()] for frame in frames})
    if len(kinds) > 1:
        raise InputError(f"{path}: mixes {' and '.join(kinds)} files: keep the frames of one movie, of one kind, in it")
    if len(frames) < MIN_FRAMES:
        raise _too_short(path, len(frames), "")
    first = _read_frame(frames[0])
    return MovieFile(
        path=path,
        kind="folder",
        height_px=first.shape[0],
        width_px=first.shape[1],
        bit_depth=first.dtype.itemsize * 8,
        n_frames=len(frames),
        frames_per_s=math.nan,
        _frames=_read_folder,
    )


def _list_frames(path: Path) -> list[Path]:
    frames = [p for p in path.iterdir() if p.suffix.lower() in _FRAME_SUFFIXES and not p.name.startswith(".")]
    if not frames:
        raise InputError(f"{path}: holds no PNG, JPEG, TIFF or BMP frames: name the folder with the movie's frames")
    return sorted(frames, key=lambda frame: (_natural(frame.stem), frame.name))


def _natural(name: str) -> list[tuple[int, str]]:
    """Split into text and whole numbers, so that 2 comes before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name)]


def _read_folder(movie: MovieFile) -> Iterator[np.ndarray]:
    frames = _list_frames(movie.path)
    for frame in frames:
        try:
            pixels = _read_frame(frame)
        except InputError as error:
            raise _CutOffError(str(error)) from error
        yield pixels
    if flag := _flag_gaps(frames):
        movie.add_flag(flag)


def _read_frame(path: Path) -> np.ndarray:
    data = read_bytes(path)
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data), formats=_FRAME_FORMATS) as image:
            warnings.simplefilter("ignore")
            _check_single(path, image)
            return _pillow_grey(image)
    except InputError:
        raise
    except Exception as error:  # a decoder of broken bytes raises anything; one kind comes out
        raise InputError(
            f"{path}: is {name_content(data[:512])} that cannot be read ({_reason(error)}): copy it again"
        ) from error


def _check_single(path: Path, image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise InputError(f"{path}: {image.width} x {image.height} pixels are too many: crop the movie")
    if getattr(image, "n_frames", 1) > 1:
        raise InputError(f"{path}: is a stack of pages inside a folder of frames: name the stack itself")


def _pillow_grey(image: Image.Image) -> np.ndarray:
    image.draft("L", image.size)  # a JPEG gives its luma plane as kept, without a way through RGB
    if image.mode in ("L", "1"):
        return np.array(image.convert("L"))
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if image.mode in ("I", "F"):
        raise InputError(f"pixels of mode {image.mode} have no agreed range: export 8 or 16 bits without sign")
    return grey_of_colour(np.asarray(image.convert("RGB")))


def _flag_gaps(frames: list[Path]) -> Flag | None:
    """Flag numbers left out in the names: a lost frame makes a double step."""
    numbers = [[int(part) for part in re.findall(r"[0-9]+", frame.stem)] for frame in frames]
    if any(not each for each in numbers):
        return None
    steps = np.diff([each[-1] for each in numbers])
    if steps.min() <= 0 or (steps == steps.min()).all():
        return None
    n_missing = int(np.sum(steps // steps.min() - 1))
    return Flag(
        "frames-missing",
        "warning",
        f"the frames' names leave out {n_missing} of {len(frames) + n_missing} numbers",
        "Put the lost frames back, or cut the movie at the gap; sizes from uneven steps are wrong.",
        value=float(n_missing),
        limit=0.0,
    )


# --------------------------------------------------------------------------------------------------------- writing


def _check_frames(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    first: np.ndarray | None = None
    for number, frame in enumerate(frames, start=1):
        if frame.ndim != 2 or frame.dtype not in (np.uint8, np.uint16):
            raise InputError(f"frame {number} must be uint8 or uint16 (H, W), got {frame.dtype} {frame.shape}: convert")
        first = frame if first is None else first
        if frame.shape != first.shape or frame.dtype != first.dtype:
            raise InputError(f"frame {number} is {frame.dtype} {frame.shape}, the first {first.dtype} {first.shape}")
        yield np.ascontiguousarray(frame)


def _write_ffv1(path: Path, frames: Iterator[np.ndarray], frames_per_s: float) -> int:
    rate = Fraction(frames_per_s).limit_denominator(1_000_000)
    n_frames = 0
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream("ffv1", rate=rate, options={"flags": "+bitexact", "threads": "1"})
        for frame in frames:
            pixel_format = "gray" if frame.dtype == np.uint8 else "gray16le"
            if n_frames == 0:
                stream.height, stream.width = frame.shape
                stream.pix_fmt = pixel_format
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format=pixel_format)))
            n_frames += 1
        if n_frames:
            container.mux(stream.encode())
    return n_frames


def _write_tiff(path: Path, frames: Iterator[np.ndarray], frames_per_s: float) -> int:
    n_frames = 0
    with tifffile.TiffWriter(path) as writer:
        for frame in frames:
            writer.write(
                frame,
                photometric="minisblack",
                compression="zlib",
                contiguous=False,
                metadata=None,
                software=False,
                description=f"frames_per_s={frames_per_s!r}" if n_frames == 0 else None,
            )
            n_frames += 1
    return n_frames


# ---------------------------------------------------------------------------------------------------------- shared


def _open_binary(path: Path) -> Any:
    if not path.exists():
        raise InputError(f"{path}: no such file: check the name and the folder")
    return path.open("rb")


def _too_short(path: Path, n_frames: int, reason: str) -> InputError:
    because = f" ({reason})" if reason else ""
    return InputError(
        f"{path}: {n_frames} frame{'' if n_frames == 1 else 's'} could be read{because}; motion needs at least "
        f"{MIN_FRAMES}: give the whole movie, not a snapshot"
    )
