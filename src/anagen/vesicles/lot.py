"""The record of a vesicle lot: every setting that a reader needs to believe its numbers, and what is missing.

The fields follow what MISEV2023 (Welsh et al. 2024, J Extracell Vesicles 13:e12404) and EV-TRACK (Van Deun et al.
2017, Nat Methods 14:228) ask authors to report on the source, its separation and characterisation, and what a
particle-tracking measurement needs to be repeated (settings, medium, calibration, replicates).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import polars as pl

from anagen.errors import InputError
from anagen.vesicles.measurement import ALGORITHM, VERSION, VesicleMeasurement

AskedBy = Literal["MISEV2023", "EV-TRACK", "measurement"]


@dataclass(frozen=True, slots=True)
class LotField:
    """One thing that a record should say.

    Parameters
    ----------
    name : str
        Key in `LotRecord.values`; units end the name.
    section : str
        Heading in the printed record.
    label : str
        As printed.
    asked_by : {"MISEV2023", "EV-TRACK", "measurement"}
        Who asks for it; ``measurement``: the number cannot be repeated without it.
    """

    name: str
    section: str
    label: str
    asked_by: AskedBy


LOT_FIELDS: Final[tuple[LotField, ...]] = (
    LotField("source", "Source", "Cells or fluid that the vesicles come from, species", "EV-TRACK"),
    LotField("source_conditions", "Source", "Culture or collection: medium, serum, passage, time", "MISEV2023"),
    LotField("starting_amount", "Source", "Number of cells or volume that the lot was made from", "MISEV2023"),
    LotField("storage", "Source", "Storage: buffer, temperature, time, freeze-thaw cycles", "MISEV2023"),
    LotField("separation", "Separation", "Methods of separation and concentration, in order", "EV-TRACK"),
    LotField("marker_membrane", "Identity", "Transmembrane or lipid-anchored marker shown", "EV-TRACK"),
    LotField("marker_cytosolic", "Identity", "Cytosolic marker shown", "EV-TRACK"),
    LotField("marker_contaminant", "Identity", "Marker of co-isolated material, and its amount", "EV-TRACK"),
    LotField("imaging", "Identity", "Electron or other microscopy of single vesicles", "EV-TRACK"),
    LotField("protein_ug_per_ml", "Identity", "Protein content (ug/mL)", "MISEV2023"),
    LotField("sample", "Sample", "Sample name", "measurement"),
    LotField("measured_at", "Sample", "Date and time of the measurement", "measurement"),
    LotField("diluent", "Sample", "Diluent", "MISEV2023"),
    LotField("dilution", "Sample", "Dilution factor", "MISEV2023"),
    LotField("dilution_applied", "Sample", "Whether exported concentrations include the dilution", "measurement"),
    LotField("blank", "Sample", "Diluent alone, measured the same way", "MISEV2023"),
    LotField("temperature_c", "Sample", "Temperature in the cell (C)", "measurement"),
    LotField("viscosity_mpa_s", "Sample", "Viscosity used (mPa s)", "measurement"),
    LotField("ph", "Sample", "pH", "MISEV2023"),
    LotField("conductivity_us_per_cm", "Sample", "Conductivity (uS/cm)", "MISEV2023"),
    LotField("instrument", "Instrument", "Instrument and model", "MISEV2023"),
    LotField("serial_number", "Instrument", "Serial number", "measurement"),
    LotField("software", "Instrument", "Software and version", "MISEV2023"),
    LotField("laser_nm", "Instrument", "Laser wavelength (nm)", "MISEV2023"),
    LotField("detection_mode", "Instrument", "Scatter or fluorescence, with its filter", "MISEV2023"),
    LotField("camera", "Instrument", "Camera", "MISEV2023"),
    LotField("um_per_px", "Instrument", "Micrometres per pixel", "measurement"),
    LotField("frames_per_s", "Capture", "Frames per second", "measurement"),
    LotField("exposure_ms", "Capture", "Exposure (ms)", "measurement"),
    LotField("camera_level", "Capture", "Camera level or sensitivity", "MISEV2023"),
    LotField("gain", "Capture", "Gain", "MISEV2023"),
    LotField("n_movies", "Capture", "Number of movies or positions", "MISEV2023"),
    LotField("n_frames", "Capture", "Frames in a movie", "MISEV2023"),
    LotField("flow", "Capture", "Flow (pump speed) or none", "measurement"),
    LotField("detection_threshold", "Analysis", "Detection threshold", "MISEV2023"),
    LotField("min_track_frames", "Analysis", "Shortest track that is sized (frames)", "MISEV2023"),
    LotField("max_jump", "Analysis", "Largest step that is linked", "measurement"),
    LotField("distribution_method", "Analysis", "How sizes become a distribution", "MISEV2023"),
    LotField("weighting", "Analysis", "Weighting of the distribution", "MISEV2023"),
    LotField("percentile_convention", "Analysis", "Where bins are counted in D10, D50, D90", "measurement"),
    LotField("particles_per_frame", "Quality", "Particles in a frame", "MISEV2023"),
    LotField("n_tracks", "Quality", "Tracks that were sized", "MISEV2023"),
    LotField("drift", "Quality", "Drift", "measurement"),
    LotField("vibration", "Quality", "Vibration", "measurement"),
    LotField("warnings", "Quality", "Warnings of the instrument", "measurement"),
    LotField("size_standard", "Calibration", "Size standard: nominal, found, date", "MISEV2023"),
    LotField("concentration_standard", "Calibration", "Concentration standard: nominal, found, date", "MISEV2023"),
    LotField("detection_volume_um3", "Calibration", "Volume behind a frame (um3), and its source", "measurement"),
    LotField("replicates_technical", "Replicates", "Technical replicates (same filling or same lot)", "MISEV2023"),
    LotField("replicates_biological", "Replicates", "Biological replicates (lots from separate sources)", "MISEV2023"),
    LotField("raw_data", "Data", "Where the movies or exports are kept, with SHA-256", "MISEV2023"),
    LotField("ev_track_id", "Data", "EV-TRACK identifier", "EV-TRACK"),
)  # fmt: skip
_NAMES: Final = frozenset(each.name for each in LOT_FIELDS)


@dataclass(frozen=True)
class LotRecord:
    """What is known about a lot, ready to be printed, and what is not.

    Parameters
    ----------
    values : mapping of str to str
        By the names in `LOT_FIELDS`, as they should be printed.

    Raises
    ------
    InputError
        When a name is not one of `LOT_FIELDS`.

    Examples
    --------
    >>> record = LotRecord({"diluent": "PBS"}).add(dilution="500")
    >>> record.values["dilution"], "dilution" in [each.name for each in record.missing()]
    ('500', False)
    """

    values: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.values) - _NAMES):
            raise InputError(f"a lot record has no field {', '.join(unknown)}: use the names in LOT_FIELDS")

    def add(self, **values: str) -> LotRecord:
        """Give a record with more said; what is given here replaces what was known."""
        return LotRecord({**self.values, **values})

    def missing(self, asked_by: AskedBy | None = None) -> tuple[LotField, ...]:
        """Name the fields that say nothing, of one guideline or of all."""
        return tuple(
            each
            for each in LOT_FIELDS
            if not self.values.get(each.name, "").strip() and asked_by in (None, each.asked_by)
        )

    def table(self) -> pl.DataFrame:
        """List every field in printing order.

        Returns
        -------
        polars.DataFrame
            Columns section, field, value (null where missing), asked_by.
        """
        return pl.DataFrame(
            {
                "section": [each.section for each in LOT_FIELDS],
                "field": [each.label for each in LOT_FIELDS],
                "value": [self.values.get(each.name) or None for each in LOT_FIELDS],
                "asked_by": [each.asked_by for each in LOT_FIELDS],
            },
            schema_overrides={"value": pl.String},
        )


def record_of_movie(measured: VesicleMeasurement, *, n_movies: int = 1) -> LotRecord:
    """Fill a record with every setting and finding that one of Anagen's own measurements knows.

    Parameters
    ----------
    measured : VesicleMeasurement
        From `measure_movie`.
    n_movies : int
        How many movies of the lot were measured like this.
    """
    settings = measured.settings
    row, col = measured.drift_um_per_s
    values = {
        "software": f"Anagen, {ALGORITHM} {VERSION}",
        "dilution": f"{measured.dilution:g}",
        "dilution_applied": "yes",
        "temperature_c": f"{settings['temperature_c']:g}",
        "viscosity_mpa_s": f"{settings['viscosity_mpa_s']:.4g}",
        "um_per_px": f"{settings['um_per_px']:g}",
        "frames_per_s": f"{settings['frames_per_s']:g}",
        "exposure_ms": f"{1000 * settings['exposure_s']:.4g}",
        "n_movies": str(n_movies),
        "n_frames": str(measured.n_frames),
        "detection_threshold": f"signal-to-noise ratio {settings['threshold']:g}",
        "min_track_frames": str(settings["min_track_frames"]),
        "max_jump": f"{measured.search_radius_um:.3g} um",
        "distribution_method": "likelihood of each track's steps, deconvolved",
        "weighting": measured.sizes.weighting,
        "percentile_convention": "interpolated at bins' upper edges",
        "particles_per_frame": f"{measured.spots_per_frame:.1f}",
        "n_tracks": str(measured.n_tracks),
        "drift": f"{row:+.2f}, {col:+.2f} um/s (row, column)",
        "warnings": " | ".join(flag.message for flag in measured.flags) or "none",
        "replicates_technical": f"{n_movies} movie{'s' if n_movies > 1 else ''}",
    }
    if math.isfinite(measured.detection_volume_um3):
        values["detection_volume_um3"] = f"{measured.detection_volume_um3:.4g} (given or calibrated)"
    return LotRecord(values)
