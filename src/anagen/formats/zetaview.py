"""What ZetaView (8.05, 8.06) exports: size distributions, the eleven positions of a run, zeta-potential profiles.

Files are tab-separated Latin-1 with the decimal sign of the computer that wrote them; keys, not line numbers, find
everything. Conventions, each verified against every printed statistic of the exports at hand
(docs/methods/vesicle-exports.md): bins are 5 nm wide; percentiles interpolate the cumulative distribution at the
bins' centres (half a bin, 2.5 nm, low); the SD of numbers has divisor n - 1; concentrations are of the diluted sample
in the cell; a failed run has a header, no bins and one row of -1.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from anagen.errors import InputError
from anagen.formats.vendor_text import dotted, read_number, read_text
from anagen.records import Flag
from anagen.units import UM3_PER_ML
from anagen.vesicles.distribution import BinnedSizes, edges_of_centres
from anagen.vesicles.lot import LotRecord
from anagen.vesicles.vendor import VendorLot, VendorRun

_MEDIANS: Final = {"Median Number (D50)": "number.d50_nm", "Median Volume (D50)": "volume.d50_nm"}
_NEVER_MEASURED_NM: Final = 5997.5
"""Centre of the last bin: printed as the median where no trace was sized."""
_POSITION_COLUMNS: Final = (
    ("Use", "used"),
    ("Position", "position"),
    ("Mean Int", "mean_intensity"),
    ("Av. No of Particles", "particles_per_frame"),
    ("Conc.", "concentration_per_ml"),
    ("Orig. Conc.", "sample_concentration_per_ml"),
    ("No. of Traces", "n_traces"),
    ("X50", "d50_nm"),
    ("Peak", "peak_nm"),
    ("Span", "span"),
    ("Drift", "drift_um_per_s"),
    ("Removal", "removal"),
)
_RECORD_KEYS: Final = (
    ("ZetaView S/N", "serial_number"),
    ("Software", "software"),
    ("Electrolyte", "diluent"),
    ("Dilution", "dilution"),
    ("Temperature", "temperature_c"),
    ("Viscosity", "viscosity_mpa_s"),
    ("pH", "ph"),
    ("Conductivity", "conductivity_us_per_cm"),
    ("Laser Wavelength nm", "laser_nm"),
    ("Filter Wavelength nm", "detection_mode"),
    ("Micrometer per Pixel", "um_per_px"),
    ("Sensitivity", "camera_level"),
    ("Gain", "gain"),
    ("Minimum Brightness", "detection_threshold"),
    ("Minimum Tracelength", "min_track_frames"),
    ("Tracking Radius2", "max_jump"),
    ("Average Number of Particles", "particles_per_frame"),
    ("Number of Traces", "n_tracks"),
)
_NUMERIC: Final = re.compile(r"[+-]?[0-9]+[.,][0-9]+")


@dataclass(frozen=True, eq=False)
class ZetaProfile:
    """A zeta-potential profile over the cell's depth.

    Parameters
    ----------
    zeta_mv : float
        Zeta potential by the parabola fit, mV.
    fit_accuracy_mv : float
        As printed, mV.
    fwhm_mv : float
        Width of the distribution at the stationary layers, mV.
    mobility_um_cm_per_v_s : float
        Electrophoretic mobility.
    n_traces : float
        Traces behind it.
    positions : polars.DataFrame
        Columns position, positive_mv, negative_mv, average_mv, parabola_mv.
    settings : mapping of str to str
        Every key of the header, verbatim.
    sha256 : str
        Of the file.
    """

    zeta_mv: float
    fit_accuracy_mv: float
    fwhm_mv: float
    mobility_um_cm_per_v_s: float
    n_traces: float
    positions: pl.DataFrame
    settings: Mapping[str, str]
    sha256: str


def read_zetaview_size(path: str | Path) -> VendorLot:
    """Read a size-distribution text file (``..._size_488.txt``).

    Parameters
    ----------
    path : str or Path
        As exported, or re-saved by a spreadsheet.

    Returns
    -------
    VendorLot
        With one run; a failed run has no distribution and a flag.

    Raises
    ------
    InputError
        When it is no such file, or it was cut off.
    """
    path = Path(path)
    text, data = read_text(path, "a ZetaView size distribution")
    rows = _split_rows(text)
    settings = _read_settings(rows)
    _check_origin(path, settings)
    table_at = next((number for number, cells in enumerate(rows) if cells[0].startswith("Size / nm")), None)
    if table_at is None:
        raise InputError(f"{path}: {_explain_no_sizes(settings)}")
    linear = _read_bins(path, rows, table_at)
    run = _build_run(path, settings, linear)
    sha256 = hashlib.sha256(data).hexdigest()
    return VendorLot(
        instrument="ZetaView",
        kind="size distribution",
        runs=(run,),
        record=_build_record(path, settings, run, sha256),
        sha256=sha256,
        dilution=read_number(settings.get("Dilution", "")),
        dilution_applied=False,
        settings=settings,
        flags=_flag_lot(settings, run),
    )


def read_zetaview_positions(path: str | Path) -> pl.DataFrame:
    """Read an ``..._11pos.txt`` file: one row for each position in the cell.

    Returns
    -------
    polars.DataFrame
        Columns used, position, mean_intensity, particles_per_frame, concentration_per_ml (in the cell),
        sample_concentration_per_ml, n_traces, d50_nm (NaN where no trace was sized), peak_nm, span, drift_um_per_s,
        removal (why the instrument left the position out).

    Raises
    ------
    InputError
        When it is no such table, or it was cut off before its mean.
    """
    path = Path(path)
    text, _ = read_text(path, "a ZetaView position table")
    rows = [[cell.strip() for cell in line.split("\t")] for line in text.splitlines() if line.strip()]
    places = _place_columns(path, rows[0])
    if not any("Mean" in row[:2] for row in rows):
        raise InputError(f"{path}: has no row of means: it was cut off; export it again")
    kept = [row + [""] * (len(rows[0]) - len(row)) for row in rows[1:] if not math.isnan(read_number(row[1]))]
    columns: dict[str, list[object]] = {
        name: [row[at] for row in kept] if name == "removal" else [read_number(row[at]) for row in kept]
        for name, at in places.items()
    }
    columns["used"] = [row[places["used"]].upper() == "X" for row in kept]
    for name in ("d50_nm", "peak_nm"):
        unsized = [
            d50 == _NEVER_MEASURED_NM or n == 0 for d50, n in zip(columns["d50_nm"], columns["n_traces"], strict=True)
        ]
        if name == "peak_nm":
            unsized = [n == 0 for n in columns["n_traces"]]
        columns[name] = [math.nan if no else value for value, no in zip(columns[name], unsized, strict=True)]
    return pl.DataFrame(columns)


def read_zetaview_profile(path: str | Path) -> ZetaProfile:
    """Read a zeta-potential profile (``..._prof_488.txt``).

    Raises
    ------
    InputError
        When it is no such file, or it was cut off.
    """
    path = Path(path)
    text, data = read_text(path, "a ZetaView profile")
    rows = _split_rows(text)
    settings = _read_settings(rows)
    _check_origin(path, settings)
    table_at = next((number for number, cells in enumerate(rows) if cells[:2] == ["Position", "Positive V"]), None)
    if table_at is None:
        raise InputError(f"{path}: has no table 'ZP Profile': give the _prof_ file, whole")
    table = np.array([_read_cells(path, number, cells, 5) for number, cells in _after(rows, table_at)])
    expected = read_number(settings.get("Positions", ""))
    if len(table) < expected:
        raise InputError(f"{path}: has {len(table)} of {expected:.0f} positions: it was cut off; export it again")
    names = ("position", "positive_mv", "negative_mv", "average_mv", "parabola_mv")

    def number_of(start: str) -> float:
        return next((read_number(value) for key, value in settings.items() if key.startswith(start)), math.nan)

    return ZetaProfile(
        zeta_mv=number_of("Zeta Potential / mV"),
        fit_accuracy_mv=number_of("ZP Parabola Fit Accuracy"),
        fwhm_mv=number_of("ZP Distribution (SL 1/2) FWHM"),
        mobility_um_cm_per_v_s=number_of("Mobility /"),
        n_traces=number_of("Number of Traces"),
        positions=pl.DataFrame({name: table[:, number] for number, name in enumerate(names)}),
        settings=settings,
        sha256=hashlib.sha256(data).hexdigest(),
    )


# ----------------------------------------------------------------------------------------------------------- header


def _split_rows(text: str) -> list[list[str]]:
    """Split into cells; blank lines go, one cell at least stays."""
    found = re.search(r'^"?(?:Operator|Experiment|Electrolyte):?"?([\t;,])', text, re.MULTILINE)
    separator = found.group(1) if found else "\t"
    quoting: Final = csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL  # remarks may hold a lone quote
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting)
    return [[cell.strip() for cell in cells] for cells in lines if any(cell.strip() for cell in cells)]


def _read_settings(rows: Sequence[Sequence[str]]) -> dict[str, str]:
    """Read ``Key:`` value pairs, several of which may share a line; a later one does not replace an earlier."""
    settings: dict[str, str] = {}
    for cells in rows:
        if cells[0].startswith("Size / nm"):
            break
        key = ""
        for cell in _split_first(cells):
            if cell.endswith(":"):
                key = cell.rstrip(":")
                settings.setdefault(key, "")
            elif key and cell and not settings[key]:
                settings[key] = dotted(cell) if _NUMERIC.fullmatch(cell) else cell
    return settings


def _split_first(cells: Sequence[str]) -> list[str]:
    """``Conductivity: 65.0`` has a space where other lines have a tab."""
    if found := re.fullmatch(r"([^:\\]+:) +(\S.*)", cells[0]):
        return [*found.groups(), *cells[1:]]
    return list(cells)


def _check_origin(path: Path, settings: Mapping[str, str]) -> None:
    if "ZetaView" not in settings.get("Software", "") and "ZetaView S/N" not in settings:
        raise InputError(f"{path}: has no ZetaView header: give the text file that ZetaView exported, whole")


def _explain_no_sizes(settings: Mapping[str, str]) -> str:
    if settings.get("Type of Measurement", "Size Distribution") != "Size Distribution":
        return f"is a measurement of type {settings['Type of Measurement']!r}, not sizes: give the _size_ file"
    return "has no table of sizes: it was cut off; export it again"


# ------------------------------------------------------------------------------------------------------------ sizes


def _after(rows: Sequence[Sequence[str]], table_at: int) -> list[tuple[int, Sequence[str]]]:
    return list(enumerate(rows[table_at + 1 :], start=1))


def _read_cells(path: Path, number: int, cells: Sequence[str], needed: int) -> list[float]:
    values = [read_number(cell) for cell in cells[:needed]]
    if len(values) < needed or any(math.isnan(value) for value in values):
        raise InputError(f"{path}: row {number} of its table has not {needed} numbers: it was cut off; export it again")
    return values


def _read_bins(path: Path, rows: Sequence[Sequence[str]], table_at: int) -> np.ndarray:
    """Give the linear table, shape (n, 5): size, number, concentration, volume, area; n = 0 for a failed run."""
    table = np.array([_read_cells(path, number, cells, 5) for number, cells in _after(rows, table_at)])
    ends = np.flatnonzero(table[:, 0] < 0) if len(table) else np.array([])
    if len(ends) == 0:
        raise InputError(f"{path}: its table of sizes has no closing row of -1: it was cut off; export it again")
    linear, logarithmic = table[: ends[0]], table[ends[0] + 1 :]
    n_linear, n_logarithmic = linear[:, 1].sum(), logarithmic[:, 1].sum() if len(logarithmic) else 0.0
    if abs(n_linear - n_logarithmic) > 1e-3 * n_linear:
        raise InputError(
            f"{path}: its linear table holds {n_linear:g} traces, its logarithmic one {n_logarithmic:g}: it was cut "
            "off or changed; export it again"
        )
    return np.asarray(linear)


def _build_run(path: Path, settings: Mapping[str, str], linear: np.ndarray) -> VendorRun:
    name = re.split(r"[\\/]", settings.get("Original File", path.name))[-1]
    n_tracks = read_number(settings.get("Number of Traces", ""))
    per_frame = read_number(settings.get("Average Number of Particles", ""))
    if len(linear) == 0:
        return VendorRun(name, (), math.nan, n_tracks, per_frame)
    number = BinnedSizes(
        edge_nm=edges_of_centres(linear[:, 0]),
        amount=linear[:, 1],
        weighting="number",
        unit="traces",
        counted_at="centre",
        sd_of="sample",
    )
    # Bins are printed with four digits; volumes from whole traces and exact bin centres give the printed median.
    sizes = (number, number.reweight("volume"))
    printed = {name: dotted(settings[key]) for key, name in _MEDIANS.items() if key in settings}
    return VendorRun(name, sizes, float(linear[:, 2].sum()), n_tracks, per_frame, printed)


# ------------------------------------------------------------------------------------------------- record and flags


def _build_record(path: Path, settings: Mapping[str, str], run: VendorRun, sha256: str) -> LotRecord:
    values = {name: settings.get(key, "") for key, name in _RECORD_KEYS}
    camera = settings.get("Camera", "")
    cycles, rate = re.search(r"#Cycles (\d+)", camera), re.search(r"FRate ([0-9.,]+)", camera)
    shutter_per_s = read_number(settings.get("Shutter", ""))
    values |= {
        "instrument": "ZetaView",
        "sample": settings.get("Sample") or settings.get("Experiment", ""),
        "measured_at": "T".join(filter(None, (settings.get("Date"), settings.get("Time")))),
        "dilution_applied": "no",
        "frames_per_s": dotted(rate.group(1)) if rate else "",
        "exposure_ms": f"{1000 / shutter_per_s:g}" if shutter_per_s > 0 else "",
        "n_movies": " x ".join(
            filter(None, (_say(settings.get("Positions"), "positions"), _say(cycles and cycles.group(1), "cycles")))
        ),
        "distribution_method": "histogram of traces, 5 nm",
        "weighting": "number",
        "percentile_convention": "cumulated at bins' centres",
        "drift": settings.get("Particle Drift Check Result", ""),
        "warnings": f"cell check: {settings.get('Cell Check Result', 'not recorded')}",
        "replicates_technical": "1 run",
        "raw_data": f"{path.name} (SHA-256 {sha256})",
    }
    if run.concentration_per_ml > 0:
        volume_um3 = run.particles_per_frame / run.concentration_per_ml * UM3_PER_ML
        values["detection_volume_um3"] = f"{volume_um3:.4g} (particles per frame / concentration)"
    return LotRecord({name: value for name, value in values.items() if value})


def _say(count: str | None, what: str) -> str:
    return f"{count} {what}" if count else ""


def _flag_lot(settings: Mapping[str, str], run: VendorRun) -> tuple[Flag, ...]:
    if run.failed:
        return (
            Flag(
                "run-failed",
                "refused",
                f"the run holds no distribution ({run.n_tracks:g} traces)",
                "Measure the lot again: more concentrated, after cleaning the cell.",
            ),
        )
    flags = [
        Flag(
            "percentiles-at-centres",
            "note",
            "ZetaView prints percentiles 2.5 nm low; estimates are shifted back",
            value=2.5,
        ),
        _flag_dilution(settings),
    ]
    if run.disagreements():
        text = f"{'; '.join(run.disagreements())}"
        flags.append(Flag("vendor-statistics-differ", "warning", text, "The file was changed: export it again."))
    if run.weighted_by("number").total != run.n_tracks:
        text = f"the bins hold {run.weighted_by('number').total:g} traces, the header says {run.n_tracks:g}"
        flags.append(Flag("vendor-statistics-differ", "warning", text, "The file was changed: export it again."))
    factor = read_number(settings.get("Concentration Correction Factor", "1"))
    if factor != 1:
        text = f"a concentration correction factor of {factor:g} was set; whether the bins include it is not documented"
        flags.append(Flag("correction-factor", "warning", text, "Measure with the factor 1.", value=factor, limit=1.0))
    if "too high" in settings.get("Particle Drift Check Result", ""):
        flags.append(
            Flag("drift", "warning", "ZetaView's drift check says: too high", "Let the cell settle, then measure.")
        )
    return tuple(flags)


def _flag_dilution(settings: Mapping[str, str]) -> Flag:
    dilution = read_number(settings.get("Dilution", ""))
    if math.isnan(dilution):
        text = "the instrument recorded no dilution: concentrations are of the sample as it lay in the cell"
        return Flag(
            "dilution-not-recorded", "warning", text, "Multiply by the dilution in the laboratory's own record."
        )
    text = f"exported concentrations are of the diluted sample; estimates multiply by the recorded {dilution:g}"
    return Flag("dilution-not-applied", "note", text, value=dilution)


# -------------------------------------------------------------------------------------------------------- positions


def _place_columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    places = {}
    for start, name in _POSITION_COLUMNS:
        at = next((number for number, cell in enumerate(header) if cell.startswith(start)), None)
        if at is None:
            raise InputError(f"{path}: is no ZetaView position table: it lacks the column {start!r}")
        places[name] = at
    return places
