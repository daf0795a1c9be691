"""Build a study folder from real photographs, movies and vendors' exports, to see the whole of Anagen run on them.

    python examples/real_study.py [DATA] [--out out/real-study] [--participants 6]
    anagen run out/real-study

DATA is the reference data folder, `../shared/data` beside the repository unless given. The photographs are real
phototrichogram fields, but nobody knows whose: participants, visits and dates are made up here, so that the folder has
the form of a trial. No change over time can be read from it, and its protocol says so.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from anagen.errors import AnagenError, InputError
from anagen.formats import read_image
from anagen.study.tables import COLUMNS

REPOSITORY = Path(__file__).resolve().parents[1]
UM_PER_PX = 2.756
"""Nominal: the burned-in circle of 2.519 mm has a radius of 914 px, the 1.0 mm bar spans 363 px (SOURCES.md)."""
EDGE_PX = 91
"""0.25 mm: hairs cut by the edge of a field are usually not annotated, so roots nearer to it are not counted."""
STORED_TWICE = ("220316_A604", "220316_A605")
"""The same photographs as 220316_A600 and 220316_A601, under other names."""
VISITS = {"baseline": 0, "week 4": 4, "week 12": 12}
DAY_0 = dt.date(2024, 1, 8)

PROTOCOL = """\
title = "Real photographs, movies and exports in the form of a trial (demonstration only)"
question = "Does every step run on real files? No question about any treatment is asked or answered."
notes = "Nobody knows whose these photographs are. Participants, ages, stages, visits and dates are made up for \
demonstration; the photographs of one 'participant' are of different people. No change over time can be read from \
this study, and nobody in it was treated."

[design]
kind = "single-arm"

[[arms]]
name = "none"
description = "no treatment: the assignment of photographs to visits is made up"

[eligibility]
sex = ["male"]
age_years = [22, 65]
norwood_hamilton = ["III", "VI"]

[[visits]]
name = "baseline"
week = 0
days_before = 7
days_after = 0

[[visits]]
name = "week 4"
week = 4
days_before = 7
days_after = 7

[[visits]]
name = "week 12"
week = 12
days_before = 14
days_after = 14

[[outcomes]]
name = "density"
label = "Hair density (made-up visits)"
kind = "density"
unit = "hairs/cm2"
primary = true
baseline = "baseline"
visits = ["week 4", "week 12"]

[[outcomes]]
name = "diameter"
label = "Mean hair diameter (made-up visits)"
kind = "diameter"
unit = "um"
baseline = "baseline"
visits = ["week 4", "week 12"]

[treatment]
product = "none; the lots are bead standards and vesicle samples of public repositories"

[analysis]
model = "paired"
multiplicity = "holm"

[follow_up]
weeks = 12
note = "nobody was followed up: there is no adverse_events.csv, so nothing is said about harm"
"""


@dataclass(frozen=True)
class LotSource:
    """One lot: where its movie or export lies in the reference data, and what is known of it."""

    lot: str
    product: str
    role: str
    source: str
    stated_mode_nm: str = ""
    movie: Mapping[str, float] | None = None
    note: str = ""


LOTS = (
    LotSource(
        "bulk-water", "1 um particles in water, bright field", "standard", "vesicles/movies/bulk_water", "1000",
        {"um_per_px": 100 / 285, "frames_per_s": 24, "temperature_c": 22},
        "trackpy-examples; the temperature is not recorded and taken as 22 degrees C",
    ),
    LotSource(
        "princeton-1", "1 um fluorescent polystyrene", "standard", "vesicles/movies/princeton_run1", "1000",
        {"um_per_px": 0.175, "frames_per_s": 2, "temperature_c": 23.85, "viscosity_mpa_s": 0.9135},
        "Princeton COS126 course data",
    ),
    LotSource("beads-100", "100 nm beads", "standard", "vesicles/nanosight/beads2.csv", "100", note="tidyNano"),
    LotSource(
        "nanosight-EV", "vesicles, NanoSight 3.4", "product",
        "vesicles/nanosight/EMT3 d200 2021-04-07 16-01-58-ExperimentSummary.csv",
    ),
    LotSource(
        "zetaview-EV", "vesicles, ZetaView 8.06", "product",
        "vesicles/zetaview/20251217_0005_PC3_100kDa_F5_size_488.txt",
    ),
)  # fmt: skip


def main() -> None:
    """Read the command line, build the folder, say what to do next."""
    parser = argparse.ArgumentParser(description="Build a study folder from the reference data.")
    parser.add_argument("data", nargs="?", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "out" / "real-study")
    parser.add_argument("--participants", type=int, default=6, help="made-up people, three photographs each (2 to 30)")
    options = parser.parse_args()
    try:
        counts = build_real_study(options.data, options.out, n_participants=options.participants)
    except AnagenError as error:
        sys.exit(f"error: {error}")
    print(f"Wrote {options.out}: " + ", ".join(f"{n} {what}" for what, n in counts.items()))
    print(f"Now: anagen run {options.out}")


def build_real_study(
    data: Path, out: Path, *, n_participants: int = 6, most_frames: int | None = None
) -> dict[str, int]:
    """Write the study folder.

    Parameters
    ----------
    data : Path
        The reference data: holds fdu/ and vesicles/.
    out : Path
        A new or empty folder.
    n_participants : int
        Made-up people, 2 to 30, with three photographs each.
    most_frames : int or None
        Copy only so many frames of each movie.

    Returns
    -------
    dict of str to int
        Photographs, movies and exports written.
    """
    if not 2 <= n_participants <= 30:
        raise InputError(f"participants must be 2 to 30, got {n_participants}: there are photographs for 30")
    if not (data / "fdu" / "images").is_dir():
        raise InputError(f"{data} holds no fdu/images: give the folder with the reference data")
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out} is not empty: delete it, or give another with --out")
    for shelf in ("images", "movies", "lots"):
        (out / shelf).mkdir(parents=True, exist_ok=True)
    (out / "protocol.toml").write_text(PROTOCOL, encoding="utf-8")
    people = [f"D{number:02d}" for number in range(1, n_participants + 1)]
    _write_participants(out, people)
    fields = _choose_fields(data / "fdu" / "images", len(people) * len(VISITS))
    _write_images(data / "fdu" / "images", out, people, fields)
    n_movies, n_exports = _write_lots(data, out, most_frames)
    return {"photographs": len(fields), "movies": n_movies, "exports": n_exports}


def _choose_fields(folder: Path, n: int) -> list[str]:
    """Names of `n` fields spread evenly over all days, so that every kind of overlay comes along."""
    names = sorted({path.name.removesuffix("_1.jpg") for path in folder.glob("*_1.jpg")} - set(STORED_TWICE))
    if len(names) < n:
        raise InputError(f"{folder} holds {len(names)} fields, {n} are needed: ask for fewer participants")
    return [names[round(index)] for index in np.linspace(0, len(names) - 1, n)]


def _write_participants(out: Path, people: Sequence[str]) -> None:
    stages = ("III", "IV", "V", "VI")
    rows = [
        (
            person,
            "male",
            30 + index,
            stages[index % len(stages)],
            DAY_0 + dt.timedelta(days=index),
            "enrolled",
            "made up",
        )
        for index, person in enumerate(people)
    ]
    rows.append(("S01", "male", 19, "III", "", "screen-failure", "made up, to show how a screen failure is listed"))
    _write_table(
        out,
        "participants.csv",
        ("participant", "sex", "age", "norwood_hamilton", "enrolled_on", "status", "note"),
        rows,
    )


def _write_images(source: Path, out: Path, people: Sequence[str], fields: Sequence[str]) -> None:
    rows = []
    for number, field in enumerate(fields):
        index, (visit, week) = number // len(VISITS), list(VISITS.items())[number % len(VISITS)]
        pixels = stitch_field(source, field)
        _write_png(out / "images" / f"{field}.png", pixels[..., ::-1])
        mask = find_unmarked(pixels)
        _write_png(out / "images" / f"{field}_mask.png", np.where(mask, 255, 0).astype(np.uint8))
        region = f"rectangle:{EDGE_PX},{EDGE_PX},{pixels.shape[0] - EDGE_PX},{pixels.shape[1] - EDGE_PX}"
        taken_on = DAY_0 + dt.timedelta(days=index, weeks=week)
        file = f"images/{field}.png"
        rows.append(
            (people[index], visit, file, UM_PER_PX, taken_on, region, f"images/{field}_mask.png", f"field {field}")
        )
    columns = ("participant", "visit", "file", "um_per_px", "taken_on", "region", "mask", "note")
    _write_table(out, "images.csv", columns, rows)


def _write_png(path: Path, pixels: np.ndarray) -> None:
    """Write BGR or grey pixels without loss; the least compression, since five million pixels take long with more."""
    cv2.imwrite(str(path), pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])


def stitch_field(folder: Path, field: str) -> np.ndarray:
    """Join the four tiles of a field: uint8, shape (2048, 2560, 3)."""
    top_left, top_right, bottom_left, bottom_right = (
        read_image(folder / f"{field}_{tile}.jpg").pixels for tile in (1, 2, 3, 4)
    )
    return np.vstack([np.hstack([top_left, top_right]), np.hstack([bottom_left, bottom_right])])


def find_unmarked(pixels: np.ndarray) -> np.ndarray:
    """Find where nothing is burned into a stitched field.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (2048, 2560, 3)
        RGB.

    Returns
    -------
    ndarray of bool, shape (2048, 2560)
        False on the banner, scale bar, bottom strip, red circle with its radius line, and text box.
    """
    red, green, blue = (pixels[..., channel].astype(np.int16) for channel in range(3))
    marked = np.zeros(pixels.shape[:2], dtype=bool)
    # the program's own grey below the picture: every pixel of a row is alike
    marked[-64:] |= (pixels[-64:].astype(float).mean(axis=2).std(axis=1) < 6)[:, None]
    if _has_banner(red, green, blue):
        marked[:56, :1200] = True
        marked[1570:1965, 20:70] = True  # the scale bar's upright,
        marked[1915:1985, 20:570] = True  # its foot and its label
    lines = (red > 150) & (red - green > 90) & (red - blue > 90)
    if lines.sum() > 2000:  # a circle of 914 px with its radius has thrice that; moles and blood have less
        marked |= _mark_circle(lines, (blue > 140) & (red < 90) & (green < 90))
    return ~marked


def _has_banner(red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> bool:
    """Whether the top left corner bears the camera program's turquoise picture number."""
    corner = np.s_[:50, :110]
    return bool(((green[corner] - red[corner] > 60) & (blue[corner] - red[corner] > 40)).sum() > 100)


def _mark_circle(lines: np.ndarray, letters: np.ndarray) -> np.ndarray:
    """Mark the circle, its radius line, and the text box, whose upper left corner is where the two meet."""
    marked = np.zeros(lines.shape, dtype=np.uint8)
    points = np.argwhere(lines).astype(float)
    row, col, radius = _fit_circle(points)
    cv2.circle(marked, (round(col), round(row)), round(radius), 1, thickness=LINE_PX)
    from_centre = points - (row, col)
    distance = np.hypot(*from_centre.T)
    inner = from_centre[(distance > 0.03 * radius) & (distance < 0.9 * radius)]
    direction = np.median(inner / np.hypot(*inner.T)[:, None], axis=0)
    end_row, end_col = np.round((row, col) + radius * direction / np.hypot(*direction)).astype(int)
    cv2.line(marked, (round(col), round(row)), (int(end_col), int(end_row)), 1, thickness=LINE_PX)
    top, left = max(0, end_row - 15), max(0, end_col - 15)
    window = np.s_[top : top + LARGEST_BOX_PX[0], left : left + LARGEST_BOX_PX[1]]
    rows, cols = np.nonzero(letters[window])
    if len(rows):
        marked[top : top + rows.max() + 25, left : left + cols.max() + 50] = 1
    return marked > 0


LINE_PX = 21
"""A line of 2 px with what JPEG and the doubling to tiles smear beside it, and a hair's half width."""
LARGEST_BOX_PX = (310, 520)


def _fit_circle(points: np.ndarray) -> tuple[float, float, float]:
    """Fit (row, col, radius) by algebraic least squares, leaving out what is far from the circle, until it settles."""
    kept = points
    for _ in range(20):
        matrix = np.column_stack([2 * kept, np.ones(len(kept))])
        (row, col, rest), *_ = np.linalg.lstsq(matrix, (kept**2).sum(axis=1), rcond=None)
        radius = float(np.sqrt(rest + row**2 + col**2))
        off = np.abs(np.hypot(points[:, 0] - row, points[:, 1] - col) - radius)
        kept = points[off <= max(4.0, float(np.quantile(off, 0.8)))]
    return float(row), float(col), radius


def _write_lots(data: Path, out: Path, most_frames: int | None) -> tuple[int, int]:
    lots, movies = [], []
    for lot in LOTS:
        source = data / lot.source
        if not source.exists():
            raise InputError(f"{source} is missing: give the folder with the whole reference data")
        export = ""
        if lot.movie is not None:
            target = out / "movies" / lot.lot
            target.mkdir()
            frames = sorted(p for p in source.iterdir() if p.suffix in {".png", ".jpg"})[:most_frames]
            for frame in frames:
                shutil.copyfile(frame, target / frame.name)
            measures = (lot.movie.get(column, "") for column in MOVIE_COLUMNS)
            movies.append((lot.lot, f"movies/{lot.lot}", *measures))
        else:
            export = f"lots/{source.name}"
            shutil.copyfile(source, out / export)
        lots.append((lot.lot, lot.product, lot.role, export, lot.stated_mode_nm, lot.note))
    _write_table(out, "lots.csv", ("lot", "product", "role", "export_file", "stated_mode_nm", "note"), lots)
    _write_table(out, "movies.csv", ("lot", "file", *MOVIE_COLUMNS), movies)
    return len(movies), len(lots) - len(movies)


MOVIE_COLUMNS = ("um_per_px", "frames_per_s", "temperature_c", "viscosity_mpa_s")


def _write_table(out: Path, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    unknown = set(columns) - set(COLUMNS[name].all)
    if unknown:
        raise InputError(f"{name} has no columns {sorted(unknown)}")
    with (out / name).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
