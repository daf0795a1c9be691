"""Name everything that is wrong with a study folder at once: its plan, its tables, every file that they name."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from anagen.errors import Fault, InputError, InputFaults
from anagen.hair.region import Region
from anagen.records import Flag
from anagen.study.findings import Effect, Finding
from anagen.study.folder import Reading, read_study
from anagen.study.raw_table import ReadTable
from anagen.study.records import ScalpImage

SCALE_TOLERANCE: Final = 0.02
"""Relative. Scales are typed with three digits at best; 2 % of the scale is 4 % of a density."""


class ImageLook(Protocol):
    """What reading a photograph tells; `anagen.formats.images.ImageFile` is one."""

    @property
    def pixels(self) -> np.ndarray:
        """Shape (H, W, 3), uint8."""

    @property
    def sha256(self) -> str:
        """Of the file's bytes."""

    @property
    def um_per_px(self) -> float:
        """Scale that the file declares, or NaN."""

    @property
    def taken_at(self) -> dt.datetime | None:
        """Time that the camera wrote."""

    @property
    def flags(self) -> tuple[Flag, ...]:
        """What was assumed or converted."""


ReadImage = Callable[[Path], ImageLook]
OpenMovie = Callable[[Path], object]
ReadExport = Callable[[Path], object]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `anagen check` found.

    Parameters
    ----------
    folder : str
        As the user gave it.
    counts : dict of str to int
        Rows that were read: participants, enrolled, eligible, images, movies, lots, answers, adverse_events.
    findings : tuple of Finding
        In the order of the files.
    """

    folder: str
    counts: dict[str, int]
    findings: tuple[Finding, ...]

    @property
    def faults(self) -> tuple[Finding, ...]:
        """What somebody should mend."""
        return tuple(finding for finding in self.findings if not finding.expected)

    @property
    def left_out(self) -> tuple[Finding, ...]:
        """What an orderly trial leaves out of its analysis, each with its reason."""
        return tuple(f for f in self.findings if f.expected and f.effect == "exclude")

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What stays in, but a reader must know."""
        return tuple(f for f in self.findings if f.expected and f.effect == "note")

    @property
    def runnable(self) -> bool:
        """Whether `anagen run` would start: faulty files are left out, faulty tables and plans stop it."""
        return all(finding.effect != "stop" for finding in self.findings)


def check_study(
    folder: Path,
    *,
    read_table: ReadTable,
    read_image: ReadImage | None = None,
    open_movie: OpenMovie | None = None,
    read_export: ReadExport | None = None,
    today: dt.date | None = None,
) -> CheckReport:
    """Look at everything in a study folder and change nothing.

    Parameters
    ----------
    folder : Path
        The study folder.
    read_table : callable
        Reads a table; see `anagen.study.raw_table.ReadTable`.
    read_image, open_movie, read_export : callable or None
        Read a photograph, a movie, a vendor's export from a path and raise InputError when it is none; None leaves
        those files unopened.
    today : date or None
        Later dates are faults; None for the clock's.

    Returns
    -------
    CheckReport
        Also when nothing at all could be read.
    """
    reading = read_study(folder, read_table=read_table, today=today)
    findings = list(reading.findings)
    if folder.is_dir():
        if read_image is not None:
            findings += _look_at_images(folder, reading.images, read_image)
        if open_movie is not None:
            findings += _open_each(folder, "movies.csv", "file", [(m.file, m.row) for m in reading.movies], open_movie)
        if read_export is not None:
            exports = [(lot.export_file, lot.row) for lot in reading.lots if lot.export_file is not None]
            findings += _open_each(folder, "lots.csv", "export_file", exports, read_export)
        findings += _unlisted(folder, reading)
    return CheckReport(str(folder), _counts(reading), tuple(findings))


def report_as_json(report: CheckReport) -> dict[str, Any]:
    """Give the report as one JSON object: ok, runnable, folder, counts, faults, left_out, notes."""
    return {
        "ok": not report.faults,
        "runnable": report.runnable,
        "folder": report.folder,
        "counts": report.counts,
        **{part: [_as_json(f) for f in getattr(report, part)] for part in ("faults", "left_out", "notes")},
    }


def _as_json(finding: Finding) -> dict[str, Any]:
    fault = finding.fault
    return {
        "effect": finding.effect,
        "code": finding.code,
        "file": fault.file,
        "row": fault.row,
        "column": fault.column,
        "value": fault.value,
        "rule": fault.rule,
        "way_out": fault.way_out,
        "participant": finding.participant,
        "visit": finding.visit,
    }


def _counts(reading: Reading) -> dict[str, int]:
    study = reading.study
    counts = {
        "participants": len(reading.participants),
        "images": len(reading.images),
        "lots": len(reading.lots),
        "movies": len(reading.movies),
    }
    if study is not None:
        counts |= {
            "enrolled": len(study.enrolled),
            "eligible": len(study.eligible),
            "answers": len(study.answers),
            "densities": len(study.densities),
            "adverse_events": len(study.adverse_events),
        }
    return counts


def _look_at_images(folder: Path, images: Sequence[ScalpImage], read_image: ReadImage) -> Iterator[Finding]:
    first_of: dict[str, ScalpImage] = {}
    for image in images:
        try:
            look = read_image(folder / image.file)
        except InputError as error:
            yield _unreadable("images.csv", "file", image.file, image.row, error, image.participant, image.visit)
            continue
        yield from _compare(folder, image, look, read_image)
        twin = first_of.setdefault(look.sha256, image)
        if twin is not image:
            rule = f"the same picture as {twin.file} of {twin.participant}, {twin.visit} (row {twin.row})"
            yield _about(image, "file", image.file, rule, "put the right photograph there", "same-picture", "note")


def _compare(folder: Path, image: ScalpImage, look: ImageLook, read_image: ReadImage) -> Iterator[Finding]:
    """Compare what the table says of a photograph with what its file says."""
    shape = (int(look.pixels.shape[0]), int(look.pixels.shape[1]))
    if math.isfinite(look.um_per_px) and abs(look.um_per_px / image.um_per_px - 1) > SCALE_TOLERANCE:
        rule = f"the file itself declares {look.um_per_px:.4g} um per pixel; the table's is used"
        yield _about(
            image, "um_per_px", f"{image.um_per_px:g}", rule, "find out which is right", "scale-differs", "note"
        )
    taken_at, taken_on = look.taken_at, image.taken_on
    # one day of difference: the clock of a camera may run in another time zone
    if taken_at is not None and taken_on is not None and abs((taken_at.date() - taken_on).days) > 1:
        rule = f"the camera wrote {taken_at.date()}; the table's date is used"
        yield _about(image, "taken_on", str(taken_on), rule, "find out which is right", "date-differs", "note")
    if image.region is not None:
        yield from _check_region(image, image.region, shape)
    if image.mask is not None:
        yield from _check_mask(folder, image, shape, read_image)


def _check_region(image: ScalpImage, region: Region, shape: tuple[int, int]) -> Iterator[Finding]:
    points = np.asarray(region.points)
    low, high = points.min(axis=0), points.max(axis=0)
    if region.kind == "circle":
        low, high = points[0] - points[1], points[0] + points[1]
    picture = f"the picture of {shape[0]} rows and {shape[1]} columns"
    way_out = "give pixels of this picture, row before column"
    if (high < 0).any() or (low >= shape).any():
        yield _about(image, "region", None, f"lies outside {picture}", way_out, "region-outside", "exclude")
    elif (low < -1).any() or (high > shape).any():
        rule = f"reaches beyond {picture}; only what lies inside is used"
        yield _about(image, "region", None, rule, way_out, "region-cut", "note")


def _check_mask(folder: Path, image: ScalpImage, shape: tuple[int, int], read_image: ReadImage) -> Iterator[Finding]:
    try:
        mask = read_image(folder / (image.mask or "")).pixels
    except InputError as error:
        yield _unreadable("images.csv", "mask", image.mask or "", image.row, error, image.participant, image.visit)
        return
    if mask.shape[:2] != shape:
        rule = f"the mask has {mask.shape[0]} x {mask.shape[1]} pixels, its picture {shape[0]} x {shape[1]}"
        yield _about(image, "mask", image.mask, rule, "draw it on the picture itself", "mask-differs", "exclude")
    elif not (mask > 127).any():
        yield _about(
            image, "mask", image.mask, "the mask is black: nothing is counted", "white counts", "mask-empty", "exclude"
        )


def _about(
    image: ScalpImage, column: str, value: str | None, rule: str, way_out: str, code: str, effect: Effect
) -> Finding:
    fault = Fault("images.csv", rule, way_out, image.row, column, value)
    return Finding(effect, code, fault, False, image.participant, image.visit)


def _open_each(
    folder: Path, table: str, column: str, files: Sequence[tuple[str, int]], opened: Callable[[Path], object]
) -> Iterator[Finding]:
    for file, row in files:
        try:
            opened(folder / file)
        except InputError as error:
            yield _unreadable(table, column, file, row, error)


def _unreadable(
    table: str,
    column: str,
    file: str,
    row: int,
    error: InputError,
    participant: str | None = None,
    visit: str | None = None,
) -> Finding:
    """Report the reader's complaint without its path: the finding names it."""
    message = str(error.faults[0].rule if isinstance(error, InputFaults) else error)
    message = message.split(f"{file}: ", 1)[-1]
    rule, _, way_out = message.rpartition(": ")
    if not rule:
        rule, way_out = message, "give a file that opens in other programs"
    fault = Fault(table, rule, way_out, row, column, file)
    return Finding("exclude", "unreadable-file", fault, False, participant, visit)


def _unlisted(folder: Path, reading: Reading) -> Iterator[Finding]:
    """Files that lie in the folder but stand in no table: forgotten, or spelled another way."""
    for shelf, table in (("images", "images.csv"), ("movies", "movies.csv"), ("lots", "lots.csv")):
        place = folder / shelf
        names = sorted(p.name for p in place.iterdir() if not p.name.startswith(".")) if place.is_dir() else []
        missing = [name for name in names if f"{shelf}/{name}" not in reading.files]
        if missing:
            shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
            rule = f"{len(missing)} of {len(names)} in {shelf}/ stand in no row: {shown}"
            yield Finding(
                "note", "unlisted-file", Fault(table, rule, "add their rows if they belong to it"), expected=True
            )
