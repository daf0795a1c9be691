"""What a study folder holds, row by row, once its tables are read: people, images, lots, movies, answers, events."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from anagen.hair.region import Region

Status = Literal["enrolled", "screen-failure"]
Sex = Literal["male", "female"]
Relation = Literal["unrelated", "unlikely", "possible", "probable", "definite", "unknown"]
LotRole = Literal["product", "standard", "blank"]


@dataclass(frozen=True, slots=True)
class Participant:
    """One row of participants.csv.

    Parameters
    ----------
    participant : str
        Pseudonym, unique in the study.
    row : int
        Line of the table as a spreadsheet shows it.
    sex : {"male", "female"} or None
        As typed; None where blank.
    age_years : float or None
        At enrolment; from the birth year it is the difference of the years, which may be one too many.
    norwood_hamilton : str or None
        Stage, normalised to ``I`` ... ``VII``, ``IIa``, ``IIIv``, ...
    enrolled_on : date or None
        Week 0; None only for screen failures.
    status : {"enrolled", "screen-failure"}
        As the site recorded it.
    arm : str or None
        Name of an arm of the protocol; None in split-scalp studies and for screen failures.
    site, lot : str or None
        Study centre; lot of the product received.
    fitzpatrick : int or None
        Skin type 1 to 6.
    withdrawn_on : date or None
        Last day in the study, where it ended before the plan.
    withdrawal_reason, note : str
        Free text.
    """

    participant: str
    row: int
    sex: Sex | None
    age_years: float | None
    norwood_hamilton: str | None
    enrolled_on: dt.date | None
    status: Status = "enrolled"
    arm: str | None = None
    site: str | None = None
    lot: str | None = None
    fitzpatrick: int | None = None
    withdrawn_on: dt.date | None = None
    withdrawal_reason: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ScalpImage:
    """One row of images.csv.

    Parameters
    ----------
    participant, visit : str
        Names from participants.csv and protocol.toml.
    file : str
        Path inside the study folder, with forward slashes.
    um_per_px : float
        Scale, above 0.
    row : int
        Line of the table.
    scalp_site : str
        Where on the scalp; ``target`` unless said.
    replicate : int
        1-based number of the photograph at one visit and site.
    taken_on : date or None
        None where blank: its window cannot be checked.
    region : Region or None
        Where hairs are counted; None for the whole image.
    mask : str or None
        Path inside the study folder of a black and white image of the same size: hairs count where it is white.
    arm : str or None
        Arm of the scalp site in a split-scalp study, else the participant's.
    gamma : float or None
        Transfer curve of the camera, 1 to 3; None where nobody knows.
    days_outside_window : int
        0 inside; below 0 that many days early, above 0 late.
    """

    participant: str
    visit: str
    file: str
    um_per_px: float
    row: int
    scalp_site: str = "target"
    replicate: int = 1
    taken_on: dt.date | None = None
    region: Region | None = None
    mask: str | None = None
    arm: str | None = None
    gamma: float | None = None
    days_outside_window: int = 0


@dataclass(frozen=True, slots=True)
class Lot:
    """One row of lots.csv.

    Parameters
    ----------
    lot : str
        Name, unique in the study.
    row : int
        Line of the table.
    product : str
        What it is, in words.
    role : {"product", "standard", "blank"}
        A bead standard and a blank are measured beside the product.
    export_file : str or None
        Path inside the study folder of a vendor's export (NanoSight, ZetaView).
    dilution : float or None
        How many times the sample of `export_file` was thinned, where the instrument did not record it.
    stated_mean_nm, stated_mode_nm, stated_concentration_per_ml : float or None
        As the certificate says, for comparison.
    made_on : date or None
        Date of manufacture.
    note : str
        Free text.
    """

    lot: str
    row: int
    product: str = ""
    role: LotRole = "product"
    export_file: str | None = None
    dilution: float | None = None
    stated_mean_nm: float | None = None
    stated_mode_nm: float | None = None
    stated_concentration_per_ml: float | None = None
    made_on: dt.date | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Movie:
    """One row of movies.csv.

    Parameters
    ----------
    lot : str
        Name from lots.csv.
    file : str
        Path inside the study folder: a movie, or a folder of frames.
    um_per_px, frames_per_s, temperature_c : float
        Scale, frame rate, temperature of the sample.
    row : int
        Line of the table.
    exposure_ms : float or None
        None where blank: taken as the whole time between frames.
    dilution : float
        How many times the sample was thinned, at least 1.
    replicate : int
        1-based.
    viscosity_mpa_s : float or None
        None for water at `temperature_c`.
    detection_volume_um3 : float or None
        Volume that one frame sees; without it there is no concentration.
    """

    lot: str
    file: str
    um_per_px: float
    frames_per_s: float
    temperature_c: float
    row: int
    exposure_ms: float | None = None
    dilution: float = 1.0
    replicate: int = 1
    viscosity_mpa_s: float | None = None
    detection_volume_um3: float | None = None


@dataclass(frozen=True, slots=True)
class SurveyAnswer:
    """One row of survey.csv; `response` is None where the item was left blank."""

    participant: str
    visit: str
    instrument: str
    item: str
    response: int | None
    row: int
    answered_on: dt.date | None = None


@dataclass(frozen=True, slots=True)
class AdverseEvent:
    """One row of adverse_events.csv; `grade` is 1 to 5 (CTCAE), `onset` the first day."""

    participant: str
    onset: dt.date
    term: str
    grade: int
    serious: bool
    related: Relation
    outcome: str
    row: int
    ended_on: dt.date | None = None
    arm: str | None = None


@dataclass(frozen=True, slots=True)
class Density:
    """One row of measurements.csv: a density measured elsewhere, in hairs/cm2."""

    participant: str
    visit: str
    density_per_cm2: float
    row: int
    scalp_site: str = "target"
    replicate: int = 1
    measured_on: dt.date | None = None
    method: str = ""
    arm: str | None = None
    days_outside_window: int = 0
