"""What NanoSight (NTA 3.2 to 3.4) exports: experiment and single summaries, tracks, particles, capture settings.

Everything is found by the name of its section and row, never by a line's number: 3.2, 3.3 and 3.4 differ in rows, in
the number of movies, and spreadsheets change separators and trailing commas.

Conventions, each verified against every printed statistic of the exports at hand (docs/methods/vesicle-exports.md):
total concentration is the sum of the bins; mean and SD are of bin centres, SD with divisor n; percentiles interpolate
the cumulative distribution at the bins' upper edges (3.3, 3.4) or lower edges (3.2), and none above 999 nm is
printed; the mode is the top of the parabola through the fullest bin; a recorded dilution is already applied.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from anagen.errors import InputError
from anagen.formats.vendor_text import dotted, join_distinct, read_number, read_text
from anagen.records import Flag
from anagen.units import NM_PER_UM
from anagen.vesicles.distribution import BinnedSizes, CountedAt, Weighting, edges_of_centres
from anagen.vesicles.lot import LotRecord
from anagen.vesicles.vendor import VendorLot, VendorRun

EXPERIMENT_TITLE: Final = "NTA Experiment Summary File"
SINGLE_TITLE: Final = "NTA Single Analysis Summary File"
LARGEST_PRINTED_NM: Final = 999.0
"""No exported percentile lies above, though the last bin ends at 1000 nm."""

_WEIGHTINGS: Final[dict[str, Weighting]] = {"number": "number", "surface area": "surface", "volume": "volume"}
_UNITS: Final = {"number": "particles/mL", "surface": "nm2/mL", "volume": "nm3/mL"}
_STATISTICS: Final = {
    "Mean": "mean_nm",
    "Mode": "mode_nm",
    "SD": "sd_nm",
    "D10": "d10_nm",
    "D50": "d50_nm",
    "D90": "d90_nm",
}
_SUMMARY_COLUMNS: Final = ("average", "standard error")
_DILUTION: Final = "Dilution factor (concentrations adjusted for this factor)"
_PARTICLE_COLUMNS: Final = {
    "Particle ID": "particle",
    "Size/nm": "diameter_nm",
    "Diffusion coefficient/nm^2 s^-1": "diffusion_um2_per_s",
    "Ln(Adjusted intensity)/AU": "log_intensity",
    "Start frame": "first_frame",
    "Tracklength": "n_frames",
    "Included in distribution?": "included",
}
_TRACK_COLUMNS: Final = {
    "Particle ID": "particle",
    "Frame": "frame",
    "Y/pixels": "row_px",
    "X/pixels": "col_px",
    "Size/nm": "diameter_nm",
    "Diffusion coefficient/nm^2 s^-1": "diffusion_um2_per_s",
    "Ln(Adjusted intensity)/AU": "log_intensity",
    "Included in distribution?": "included",
}
_YES_NO: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_RECORD_ROWS: Final = (
    ("Experiment Details/Diluent", "diluent"),
    ("Conditions/Temperature/C", "temperature_c"),
    ("Conditions/Viscosity/cP", "viscosity_mpa_s"),
    ("Conditions/Camera Type", "camera"),
    ("Conditions/Laser Type", "laser_nm"),
    ("Conditions/Camera Level", "camera_level"),
    ("Conditions/Slider Gain", "gain"),
    ("Conditions/Shutter/ms", "exposure_ms"),
    ("Conditions/Frame rate/fps", "frames_per_s"),
    ("Settings/Detection Threshold", "detection_threshold"),
    ("Settings/Min Track Length", "min_track_frames"),
    ("Settings/Max Jump Distance", "max_jump"),
    ("Settings/Total frames analysed", "n_frames"),
    ("Results/Particles per frame", "particles_per_frame"),
    ("Information/Vibration detected", "vibration"),
)


@dataclass(frozen=True)
class NanoCapture:
    """Capture settings of a ``.nano`` file.

    Parameters
    ----------
    movies : tuple of str
        Names of the AVI files.
    um_per_px, temperature_c, viscosity_mpa_s, frames_per_s, exposure_ms : tuple of float
        One per movie.
    dilution : tuple of float
        One per movie; NaN where none was recorded (0 in the file).
    settings : mapping of str to str
        Every row, verbatim, by ``Section/Name``.
    sha256 : str
        Of the file.
    """

    movies: tuple[str, ...]
    um_per_px: tuple[float, ...]
    temperature_c: tuple[float, ...]
    viscosity_mpa_s: tuple[float, ...]
    frames_per_s: tuple[float, ...]
    exposure_ms: tuple[float, ...]
    dilution: tuple[float, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""


def read_nanosight_summary(path: str | Path) -> VendorLot:
    """Read an ``ExperimentSummary.csv`` (all movies) or a ``_Summary.csv`` (one movie).

    Parameters
    ----------
    path : str or Path
        As exported, or re-saved by a spreadsheet with commas, semicolons or tabs, decimal points or commas. A
        ``.nano`` file of the experiment's name beside it gives the pixel size.

    Returns
    -------
    VendorLot

    Raises
    ------
    InputError
        When it is no such file, or it was cut off: the message says what is missing.
    """
    path = Path(path)
    text, data = read_text(path, "a NanoSight summary")
    rows = _split_rows(path, text)
    sections = _group_by_section(rows)
    names = _movie_names(path, sections)
    blocks = _read_blocks(path, sections.get("Size Data", []), len(names), "Size Data")
    _check_complete(path, sections, blocks)
    runs = _build_runs(path, names, blocks, sections)
    settings = _flatten_settings(sections, len(names))
    dilution = read_number(settings.get(f"Results/{_DILUTION}", "").split(";")[0])
    return VendorLot(
        instrument="NanoSight",
        kind="single summary" if rows[0].cells[0] == SINGLE_TITLE else "experiment summary",
        runs=runs,
        record=_build_record(path, settings, runs, dilution, hashlib.sha256(data).hexdigest()),
        sha256=hashlib.sha256(data).hexdigest(),
        dilution=dilution,
        dilution_applied=not math.isnan(dilution),
        settings=settings,
        flags=_flag_lot(settings, runs, dilution),
    )


def read_nanosight_diffusion(path: str | Path) -> dict[Weighting, pl.DataFrame]:
    """Read the diffusion distributions of a summary, where it has them.

    Returns
    -------
    dict
        By weighting, a DataFrame with the column diffusion_um2_per_s (bin centres) and one column a movie.
    """
    path = Path(path)
    text, _ = read_text(path, "a NanoSight summary")
    sections = _group_by_section(_split_rows(path, text))
    names = _movie_names(path, sections)
    blocks = _read_blocks(
        path, sections.get("Diffusion Coefficient Data", []), len(names), "Diffusion Coefficient Data"
    )
    um2_per_unit = 1e4 / NM_PER_UM**2  # bins are printed in 10^4 nm2/s
    return {
        block.weighting: pl.DataFrame(
            {"diffusion_um2_per_s": block.bins[:, 0] * um2_per_unit}
            | {name: block.bins[:, 1 + number] for number, name in enumerate(names)}
        )
        for block in blocks
    }


def read_nanosight_capture(path: str | Path) -> NanoCapture:
    """Read a ``.nano`` file: which movies, and how each was taken.

    Raises
    ------
    InputError
        When it has no section [Filenames] or no pixel size.
    """
    path = Path(path)
    text, data = read_text(path, "a NanoSight .nano file")
    movies, settings, section = [], {}, ""
    for line in (line.strip() for line in text.splitlines()):
        if header := re.fullmatch(r"\[(.+)\]", line):
            section = header.group(1)
        elif section == "Filenames" and line:
            movies.append(line)
        elif "=" in line:
            name, _, value = line.partition("=")
            settings[f"{section}/{name.strip()}"] = value.strip()
    if not movies or "CaptureSettings/PixelSize" not in settings:
        raise InputError(f"{path}: has no list of movies or no PixelSize: give the .nano file that NTA wrote, whole")

    def numbers(name: str) -> tuple[float, ...]:
        return tuple(read_number(value) for value in settings.get(f"CaptureSettings/{name}", "").split(","))

    return NanoCapture(
        movies=tuple(movies),
        um_per_px=tuple(value / NM_PER_UM for value in numbers("PixelSize")),
        temperature_c=numbers("Temperature"),
        viscosity_mpa_s=numbers("Viscosity"),
        frames_per_s=numbers("FramesPerSecond"),
        exposure_ms=numbers("Shutter"),
        dilution=tuple(value if value > 0 else math.nan for value in numbers("DilutionFactor")),
        settings=settings,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def read_nanosight_particles(path: str | Path) -> pl.DataFrame:
    """Read ``_ParticleData.csv``: one row a track.

    Returns
    -------
    polars.DataFrame
        Columns particle, diameter_nm, diffusion_um2_per_s, log_intensity, first_frame, n_frames, included.

    Raises
    ------
    InputError
        When a column is missing or a row is cut off.
    """
    return _read_table(Path(path), _PARTICLE_COLUMNS, "a NanoSight ParticleData file")


def read_nanosight_tracks(path: str | Path) -> pl.DataFrame:
    """Read ``_AllTracks.csv``: one row a position, from which sizes can be estimated anew without the movie.

    Returns
    -------
    polars.DataFrame
        Columns particle, frame, row_px, col_px, diameter_nm, diffusion_um2_per_s, log_intensity, included.

    Raises
    ------
    InputError
        When a column is missing or a row is cut off.
    """
    return _read_table(Path(path), _TRACK_COLUMNS, "a NanoSight AllTracks file")


# ------------------------------------------------------------------------------------------------ rows and sections


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class _Block:
    """One distribution: its weighting, printed statistics, bins (centre, one column a movie) and percentiles."""

    weighting: Weighting
    statistics: dict[str, list[str]]
    bins: np.ndarray
    percentiles: list[list[float]]


def _split_rows(path: Path, text: str) -> list[_Row]:
    separator = _find_separator(text)
    rows = [
        _Row(number, [cell.strip() for cell in cells])
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator), start=1)
    ]
    rows = [row for row in rows if any(row.cells)]
    if not rows or rows[0].cells[0] not in (EXPERIMENT_TITLE, SINGLE_TITLE):
        raise InputError(
            f"{path}: does not begin with '{EXPERIMENT_TITLE}': give the ExperimentSummary.csv or _Summary.csv of NTA"
        )
    return rows


def _find_separator(text: str) -> str:
    """Tell by the character behind a row name that every version has."""
    found = re.search(r'^"?(?:Filename:?|Weighting|Experiment Name|Software Version)"?([,;\t])', text, re.MULTILINE)
    return found.group(1) if found else ","


def _group_by_section(rows: Sequence[_Row]) -> dict[str, list[_Row]]:
    sections: dict[str, list[_Row]] = {"": []}
    current = ""
    for row in rows:
        if header := re.fullmatch(r"\[(.+)\]", row.cells[0]):
            current = header.group(1)
            sections.setdefault(current, [])
            if current == "Results":
                sections[current].append(_Row(row.line, ["", *row.cells[1:]]))
        else:
            sections[current].append(row)
    return sections


def _find_row(rows: Sequence[_Row], name: str) -> list[str]:
    for row in rows:
        if row.cells[0].rstrip(":").lower() == name.lower():
            return row.cells[1:]
    return []


def _movie_names(path: Path, sections: Mapping[str, list[_Row]]) -> list[str]:
    names = _without_blank_end(_find_row(sections.get("Experiment Details", []), "Filename"))
    if not names:
        raise InputError(f"{path}: has no row 'Filename:' with the movies: it was cut off; export it again")
    return names


def _without_blank_end(cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells = cells[:-1]
    return cells


# ---------------------------------------------------------------------------------------------------- distributions


def _read_blocks(path: Path, rows: Sequence[_Row], n_movies: int, section: str) -> list[_Block]:
    starts = [number for number, row in enumerate(rows) if row.cells[0] == "Weighting"]
    ends = [*starts[1:], len(rows)][: len(starts)]
    return [_read_block(path, rows[start:end], n_movies, section) for start, end in zip(starts, ends, strict=True)]


def _read_block(path: Path, rows: Sequence[_Row], n_movies: int, section: str) -> _Block:
    label = rows[0].cells[1] if len(rows[0].cells) > 1 else ""
    if label.lower() not in _WEIGHTINGS:
        raise InputError(f"{path}, row {rows[0].line}: weighting {label!r} is not Number, Surface Area or Volume")
    where = f"{path}: [{section}] {label}"
    bins_at = _index_of(rows, "Bin centre")
    percentiles_at = _index_of(rows, "Percentile")
    if bins_at is None:
        raise InputError(f"{where}: has no table of bins: the file was cut off; export it again")
    bins_end = percentiles_at if percentiles_at is not None else len(rows)
    statistics = {row.cells[0]: row.cells[1 : 1 + n_movies] for row in rows[1:bins_at]}
    bins = _read_numbers(where, rows[bins_at + 1 : bins_end], n_movies)
    percentiles = [] if percentiles_at is None else _read_numbers(where, rows[percentiles_at + 1 :], n_movies).tolist()
    if len(bins) < 2:
        raise InputError(f"{where}: has {len(bins)} bins: the file was cut off; export it again")
    return _Block(_WEIGHTINGS[label.lower()], statistics, bins, percentiles)


def _index_of(rows: Sequence[_Row], start: str) -> int | None:
    return next((number for number, row in enumerate(rows) if row.cells[0].startswith(start)), None)


def _read_numbers(where: str, rows: Sequence[_Row], n_movies: int) -> np.ndarray:
    table = np.full((len(rows), 1 + n_movies), math.nan)
    for number, row in enumerate(rows):
        cells = row.cells[: 1 + n_movies]
        if len(cells) < 1 + n_movies or not cells[0]:
            raise InputError(f"{where}, row {row.line}: has {len(cells)} of {1 + n_movies} values: it was cut off")
        table[number] = [read_number(cell) for cell in cells]
    return table


def _check_complete(path: Path, sections: Mapping[str, list[_Row]], blocks: Sequence[_Block]) -> None:
    """Compare what the file says it holds with what it holds."""
    declared = [row.cells[0] for row in sections.get("Data Included", [])]
    sized = [line for line in declared if line.lower().startswith("size distribution")]
    found = {block.weighting: block for block in blocks}
    for line in sized:
        weighting = next((value for key, value in _WEIGHTINGS.items() if f"{key} weighting" in line.lower()), None)
        if weighting and weighting not in found:
            raise InputError(f"{path}: says it holds '{line}', but does not: it was cut off; export it again")
        if weighting and "percentiles" in line.lower() and not _ends_at_100(found[weighting]):
            raise InputError(f"{path}: the percentiles of '{line}' do not reach 100: it was cut off; export it again")
    n_diffusion = sum(line.lower().startswith("diffusion distribution") for line in declared)
    rows = sections.get("Diffusion Coefficient Data", [])
    if n_diffusion > sum(row.cells[0] == "Weighting" for row in rows) or (n_diffusion and not _last_is_100(rows)):
        raise InputError(f"{path}: its diffusion distributions are incomplete: it was cut off; export it again")
    if "number" not in found:
        raise InputError(f"{path}: holds no number-weighted size distribution: export with it")


def _ends_at_100(block: _Block) -> bool:
    return bool(block.percentiles) and block.percentiles[-1][0] == 100


def _last_is_100(rows: Sequence[_Row]) -> bool:
    return bool(rows) and read_number(rows[-1].cells[0]) == 100


def _build_runs(
    path: Path, names: Sequence[str], blocks: Sequence[_Block], sections: Mapping[str, list[_Row]]
) -> tuple[VendorRun, ...]:
    results = sections.get("Results", [])
    concentration = _find_row(results, "Concentration (Particles / ml)")
    per_frame = _find_row(results, "Particles per frame")
    counted_at = _percentile_convention(path, sections)
    runs = []
    for number, name in enumerate(names):
        sizes = tuple(_build_sizes(block, number, counted_at) for block in blocks)
        valid = next((block.statistics.get("Valid Tracks", []) for block in blocks if block.weighting == "number"), [])
        runs.append(
            VendorRun(
                name=name,
                sizes=tuple(each for each in sizes if each is not None),
                concentration_per_ml=_at(concentration, number),
                n_tracks=_at(valid, number),
                particles_per_frame=_at(per_frame, number),
                printed=_printed(blocks, number),
            )
        )
    return tuple(runs)


def _percentile_convention(path: Path, sections: Mapping[str, list[_Row]]) -> CountedAt:
    title = " ".join(row.cells[0] for row in sections[""])
    found = re.search(r"NTA (\d+)\.(\d+)", title)
    if not found:
        raise InputError(f"{path}: does not say by which NTA version it was created: export it again")
    return "lower-edge" if (int(found.group(1)), int(found.group(2))) <= (3, 2) else "upper-edge"


def _build_sizes(block: _Block, number: int, counted_at: CountedAt) -> BinnedSizes | None:
    amount = block.bins[:, 1 + number]
    if not np.isfinite(amount).all():
        return None  # a failed movie: its cells are blank or NaN
    return BinnedSizes(
        edge_nm=edges_of_centres(block.bins[:, 0]),
        amount=amount,
        weighting=block.weighting,
        unit=_UNITS[block.weighting],
        counted_at=counted_at,
        largest_nm=LARGEST_PRINTED_NM,
    )


def _printed(blocks: Sequence[_Block], number: int) -> dict[str, str]:
    return {
        f"{block.weighting}.{name}": dotted(block.statistics[label][number])
        for block in blocks
        for label, name in _STATISTICS.items()
        if not math.isnan(_at(block.statistics.get(label, []), number))
    }


def _at(cells: Sequence[str], number: int) -> float:
    return read_number(cells[number]) if number < len(cells) else math.nan


# ------------------------------------------------------------------------------------------------ settings and flags


def _flatten_settings(sections: Mapping[str, list[_Row]], n_movies: int) -> dict[str, str]:
    skipped = ("Size Data", "Diffusion Coefficient Data", "Data Included")
    settings = {"/Created": " ".join(row.cells[0] for row in sections[""][1:2])}
    for section, rows in sections.items():
        if section in skipped:
            continue
        for row in rows:
            cells = _without_blank_end(row.cells[1 : 1 + n_movies])
            if row.cells[0] and cells:
                settings[f"{section}/{row.cells[0].rstrip(':')}"] = join_distinct(cells)
    return settings


def _build_record(
    path: Path, settings: Mapping[str, str], runs: Sequence[VendorRun], dilution: float, sha256: str
) -> LotRecord:
    values = {name: settings[row] for row, name in _RECORD_ROWS if row in settings}
    values |= {
        "instrument": "NanoSight",
        "software": settings["/Created"].removeprefix("Created with "),
        "sample": settings.get("Experiment Details/Sample Description")
        or settings.get("Experiment Details/Sample Name")
        or settings.get("Experiment Details/Experiment Name", "").removesuffix(".nano"),
        "measured_at": _read_time(settings.get("Experiment Details/Time Captured", "")),
        "n_movies": str(len(runs)),
        "flow": settings.get("Conditions/Syringe Pump Speed/AU", ""),
        "distribution_method": "FTLA",
        "weighting": "number",
        "percentile_convention": f"cumulated at bins' {runs[0].sizes[0].counted_at.replace('-', ' ')}s"
        if runs and runs[0].sizes
        else "",
        "n_tracks": join_distinct([f"{run.n_tracks:.0f}" for run in runs]),
        "drift": _describe_drift(settings),
        "warnings": _describe_warnings(settings),
        "replicates_technical": f"{len(runs)} movies",
        "raw_data": f"{path.name} (SHA-256 {sha256})",
    }
    if not math.isnan(dilution):
        values |= {"dilution": f"{dilution:g}", "dilution_applied": "yes"}
    return LotRecord({**values, **_record_of_capture(path, settings)})


def _record_of_capture(path: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """Take the pixel size from the ``.nano`` file of the same experiment, where it lies beside the summary."""
    name = Path(settings.get("Experiment Details/Experiment Name", "")).name
    if not name.endswith(".nano") or not path.with_name(name).is_file():
        return {}
    return {
        "um_per_px": join_distinct([f"{value:g}" for value in read_nanosight_capture(path.with_name(name)).um_per_px])
    }


def _read_time(text: str) -> str:
    """``15:42:48  01/04/2021`` (day first) as ISO 8601; as it stands where it is of another form."""
    try:
        return datetime.strptime(" ".join(text.split()), "%H:%M:%S %d/%m/%Y").isoformat()  # noqa: DTZ007  (no zone)
    except ValueError:
        return text


def _describe_drift(settings: Mapping[str, str]) -> str:
    along = [settings.get(f"Results/{axis}-Drift (pix/frame)", "") for axis in ("X", "Y")]
    return f"x {along[0]}, y {along[1]} px/frame" if all(along) else ""


def _describe_warnings(settings: Mapping[str, str]) -> str:
    said = [
        f"{name.partition('/')[2]}: {value}"
        for name, value in settings.items()
        if name.startswith("Concentration Warnings/") and set(value.split("; ")) - {"OK", "No"}
    ]
    return " | ".join(said) or "none"


def _flag_lot(settings: Mapping[str, str], runs: Sequence[VendorRun], dilution: float) -> tuple[Flag, ...]:
    flags: list[Flag | None] = [_flag_dilution(dilution)]
    flags += [
        Flag("run-failed", "warning", f"movie {run.name} holds no distribution; it is left out", "Measure it again.")
        for run in runs
        if run.failed
    ]
    flags += [
        Flag(
            "vendor-statistics-differ",
            "warning",
            f"movie {run.name}: {'; '.join(run.disagreements())}",
            "The file was changed or rounded after export: export it again.",
        )
        for run in runs
        if run.disagreements()
    ]
    if (warnings := _describe_warnings(settings)) != "none":
        flags.append(Flag("vendor-warning", "warning", f"NTA warns: {warnings}", "Read NTA's advice on it."))
    if "vibration" in (vibration := settings.get("Information/Vibration detected", "No")).lower():
        flags.append(Flag("vibration", "warning", f"NTA found vibration: {vibration}", "Damp the instrument's table."))
    flags.append(_flag_convention(runs))
    return tuple(flag for flag in flags if flag is not None)


def _flag_dilution(dilution: float) -> Flag:
    if math.isnan(dilution):
        return Flag(
            "dilution-not-recorded",
            "warning",
            "the instrument recorded no dilution: concentrations are of the sample as it lay in the cell",
            "Multiply by the dilution in the laboratory's own record.",
        )
    return Flag(
        "dilution-applied",
        "note",
        f"exported concentrations already include the dilution of {dilution:g}",
        value=dilution,
    )


def _flag_convention(runs: Sequence[VendorRun]) -> Flag | None:
    first = next((run for run in runs if not run.failed), None)
    if first is None or first.sizes[0].counted_at == "upper-edge":
        return None
    shift = first.sizes[0].edge_nm[1] - first.sizes[0].edge_nm[0]
    return Flag(
        "percentiles-at-lower-edges",
        "note",
        f"this version prints percentiles at the bins' lower edges, {shift:g} nm low; estimates are shifted back",
        value=float(shift),
    )


# ------------------------------------------------------------------------------------------------------------ tables


def _read_table(path: Path, columns: Mapping[str, str], what: str) -> pl.DataFrame:
    text, _ = read_text(path, what)
    first_line = text.partition("\n")[0]
    separator = max(",;\t", key=first_line.count)
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if any(row)]
    header = [cell.strip() for cell in rows[0]] if rows else []
    if absent := [name for name in columns if name not in header]:
        raise InputError(f"{path}: is not {what}: it lacks the columns {', '.join(absent)}")
    places = {name: header.index(source) for source, name in columns.items()}
    needed = max(places.values()) + 1
    for number, row in enumerate(rows[1:], start=2):
        if len(row) < needed:
            raise InputError(
                f"{path}, row {number}: has {len(row)} of {needed} values: it was cut off; export it again"
            )
    return pl.DataFrame({name: _read_column(path, name, [row[at] for row in rows[1:]]) for name, at in places.items()})


def _read_column(path: Path, name: str, cells: list[str]) -> pl.Series:
    if name == "included":
        unknown = sorted({cell for cell in cells if cell.strip().lower() not in _YES_NO})
        if unknown:
            raise InputError(f"{path}: 'Included in distribution?' is {unknown[0]!r}: expected True or False")
        return pl.Series(name, [_YES_NO[cell.strip().lower()] for cell in cells], dtype=pl.Boolean)
    values = np.array([read_number(cell) for cell in cells])
    if name in ("particle", "frame", "first_frame", "n_frames"):
        if not np.isfinite(values).all():
            raise InputError(f"{path}: column {name} has a value that is no number: it was cut off; export it again")
        return pl.Series(name, values.astype(np.int64))
    return pl.Series(name, values / NM_PER_UM**2 if name == "diffusion_um2_per_s" else values)
