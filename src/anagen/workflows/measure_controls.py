"""Measure what a laboratory runs beside its samples: a bead standard, and the diluent alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from anagen.errors import InputError, NotEnoughDataError
from anagen.units import UM3_PER_ML
from anagen.vesicles import DetectionVolume, SuitabilityCheck, VesicleMeasurement, calibrate_volume, check_beads
from anagen.workflows.measure_movie_file import measure_movie_file
from anagen.workflows.ports import OpenMovie

NONE_SEEN: Final = 3.69
"""Exact upper 97.5 % limit of a Poisson mean when nothing was counted; the whole movie counts as one look."""


@dataclass(frozen=True)
class ControlFiles:
    """Movies of the controls, taken with the settings of the samples.

    Parameters
    ----------
    beads : Path or None
        Of a bead standard.
    certified_nm : float or None
        Its diameter on the certificate.
    beads_per_ml : float or None
        Its known concentration in the cell; calibrates the detection volume.
    blank : Path or None
        Of the diluent alone.
    """

    beads: Path | None = None
    certified_nm: float | None = None
    beads_per_ml: float | None = None
    blank: Path | None = None


@dataclass(frozen=True, eq=False)
class Controls:
    """What the controls showed.

    Parameters
    ----------
    volume : DetectionVolume or None
        Calibrated with the beads, where their concentration is known.
    suitability : SuitabilityCheck or None
        Of the beads' size against the certificate.
    blank_per_ml, blank_interval_per_ml : float, (float, float)
        Of the diluent; NaN without a blank or volume, 0 where no particle was seen.
    record : mapping of str to str
        What the lot record says of them.
    """

    volume: DetectionVolume | None = None
    suitability: SuitabilityCheck | None = None
    blank_per_ml: float = float("nan")
    blank_interval_per_ml: tuple[float, float] = (float("nan"), float("nan"))
    record: Mapping[str, str] = field(default_factory=dict)


def measure_controls(files: ControlFiles, *, settings: Mapping[str, Any], open_movie: OpenMovie) -> Controls:
    """Measure beads and blank with the settings of the samples.

    Parameters
    ----------
    files : ControlFiles
        None of them is needed.
    settings : mapping
        Keywords of `anagen.vesicles.measure_movie`, as for the samples.
    open_movie : callable
        From `anagen.formats.movies`.

    Raises
    ------
    InputError
        When a size or concentration is given without the movie of the beads, or the beads' sizes are refused.
    """
    if files.beads is None and (files.certified_nm is not None or files.beads_per_ml is not None):
        raise InputError("a certified size or concentration was given without the movie of the beads: give it too")
    record: dict[str, str] = {}
    volume = suitability = None
    if files.beads is not None:
        beads = measure_movie_file(files.beads, {**settings, "dilution": 1.0, "detection_volume": None}, open_movie)
        suitability = _check_size(beads, files, record)
        volume = _calibrate(beads, files, record)
    given = settings.get("detection_volume") if volume is None else volume
    per_ml, interval = _measure_blank(files.blank, {**settings, "detection_volume": given}, open_movie, record)
    return Controls(volume, suitability, per_ml, interval, record)


def _check_size(beads: VesicleMeasurement, files: ControlFiles, record: dict[str, str]) -> SuitabilityCheck | None:
    if files.certified_nm is None or files.beads is None:
        return None
    found = check_beads(beads, certified_nm=files.certified_nm)
    low, high = found.measured_interval_nm
    record["size_standard"] = (
        f"{files.beads.name}: certified {found.certified_nm:g} nm, found D50 {found.measured_nm:.1f} nm "
        f"({low:.1f} to {high:.1f}), {100 * found.deviation:+.1f} %: {'passed' if found.passed else 'FAILED'}"
    )
    return found


def _calibrate(beads: VesicleMeasurement, files: ControlFiles, record: dict[str, str]) -> DetectionVolume | None:
    if files.beads_per_ml is None or files.beads is None:
        return None
    if beads.refused:
        raise InputError(f"{files.beads}: the beads' movie is refused and calibrates nothing: {beads.flags[0].message}")
    volume = calibrate_volume(
        beads.particles_in_view,
        known_concentration_per_ml=files.beads_per_ml,
        n_independent=beads.n_independent,
        brightness_over_threshold=beads.brightness_over_threshold,
    )
    record["concentration_standard"] = (
        f"{files.beads.name}: {files.beads_per_ml:.3g} per mL, {beads.particles_in_view:.1f} in view, volume "
        f"{volume.volume_um3:.4g} um3 +- {100 * volume.relative_uncertainty:.0f} %"
    )
    return volume


def _measure_blank(
    file: Path | None, settings: Mapping[str, Any], open_movie: OpenMovie, record: dict[str, str]
) -> tuple[float, tuple[float, float]]:
    if file is None:
        return float("nan"), (float("nan"), float("nan"))
    try:
        blank = measure_movie_file(file, settings, open_movie)
    except NotEnoughDataError as error:
        record["blank"] = f"{file.name}: {error}"
        volume = settings["detection_volume"]
        volume_um3 = volume.volume_um3 if isinstance(volume, DetectionVolume) else float(volume or math.nan)
        return 0.0, (0.0, NONE_SEEN / volume_um3 * UM3_PER_ML * settings["dilution"])
    record["blank"] = (
        f"{file.name}: {blank.spots_per_frame:.1f} particles a frame, {blank.concentration_per_ml:.3g} per mL"
    )
    return blank.concentration_per_ml, blank.concentration_interval_per_ml
