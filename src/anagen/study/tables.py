"""The rules of each table of a study folder: its columns, what may stand in them, and the record a row becomes."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from anagen.errors import Fault
from anagen.hair.diameter import LEAST_GAMMA, MOST_GAMMA
from anagen.hair.region import Region
from anagen.study.cells import Row
from anagen.study.findings import Effect, Finding
from anagen.study.norwood_hamilton import NORWOOD_HAMILTON, parse_stage
from anagen.study.paths import find_inside
from anagen.study.protocol import Protocol, did_you_mean
from anagen.study.raw_table import RawRow, RawTable
from anagen.study.records import (
    AdverseEvent,
    Density,
    Lot,
    LotRole,
    Movie,
    Participant,
    Relation,
    ScalpImage,
    Sex,
    Status,
    SurveyAnswer,
)
from anagen.study.regions import parse_region
from anagen.surveys.instrument import Instrument


@dataclass(frozen=True, slots=True)
class Columns:
    """What the header of a table must and may name."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every column that is read."""
        return self.required + self.optional


COLUMNS: Final[Mapping[str, Columns]] = {
    "participants.csv": Columns(
        ("participant", "enrolled_on"),
        (
            "sex", "age", "birth_year", "norwood_hamilton", "status", "arm", "site", "lot", "fitzpatrick",
            "withdrawn_on", "withdrawal_reason", "note",
        ),
    ),
    "images.csv": Columns(
        ("participant", "visit", "file", "um_per_px"),
        ("scalp_site", "replicate", "taken_on", "region", "mask", "gamma", "note"),
    ),
    "lots.csv": Columns(
        ("lot",),
        (
            "product", "role", "export_file", "dilution", "stated_mean_nm", "stated_mode_nm",
            "stated_concentration_per_ml", "made_on", "note",
        ),
    ),
    "movies.csv": Columns(
        ("lot", "file", "um_per_px", "frames_per_s", "temperature_c"),
        ("exposure_ms", "dilution", "replicate", "viscosity_mpa_s", "detection_volume_um3", "note"),
    ),
    "survey.csv": Columns(("participant", "visit", "instrument", "item", "response"), ("answered_on", "note")),
    "adverse_events.csv": Columns(
        ("participant", "onset", "term", "grade", "serious", "related", "outcome"), ("ended_on", "number", "note")
    ),
    "measurements.csv": Columns(
        ("participant", "visit", "density_per_cm2"), ("scalp_site", "replicate", "measured_on", "method", "note")
    ),
}  # fmt: skip
"""Every table of a study folder. `docs/study-folder.md` explains each column; a test holds the two together."""

HAIR_KINDS: Final = ("density", "diameter", "thickness")
"""Kinds of outcome that come from photographs of the scalp."""
RELATIONS: Final[tuple[Relation, ...]] = ("unrelated", "unlikely", "possible", "probable", "definite", "unknown")
MOST_UM_PER_PX: Final = 1000.0
"""A scale above 1 mm per pixel shows no hair and no vesicle; px per mm typed for um per px lands near here."""
MOST_HAIRS_PER_CM2: Final = 1000.0
"""Far above any scalp: newborns have about 500 to 700 follicles per cm2, adults 100 to 350."""


@dataclass(slots=True)
class Context:
    """What the rules of one table need to know of the rest of the study; None where that could not be read.

    Parameters
    ----------
    folder : Path
        The study folder.
    today : date
        Later dates are faults.
    protocol : Protocol or None
        The plan.
    participants : mapping of str to Participant or None
        Everyone whose name could be read; None as value where the row had a fault.
    lots : sequence of str or None
        Names of lots.csv.
    instruments : mapping of str to Instrument
        Those whose items are known.
    findings : list of Finding
        Grows.
    tried : set
        (table, participant, visit, site) of every row, sound or not: what is faulty is not also missing.
    files : set of str
        Every file of the folder that a row names, sound or not.
    """

    folder: Path
    today: dt.date
    protocol: Protocol | None = None
    participants: dict[str, Participant | None] | None = None
    lots: list[str] | None = None
    instruments: dict[str, Instrument] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    tried: set[tuple[str, str, str, str]] = field(default_factory=set)
    files: set[str] = field(default_factory=set)

    def find(self, effect: Effect, code: str, fault: Fault, **who: str | None) -> None:
        """Note something about a whole file."""
        self.findings.append(Finding(effect, code, fault, False, who.get("participant"), who.get("visit")))

    @property
    def visit_names(self) -> list[str] | None:
        """Names of the planned visits; None while the protocol is not readable."""
        return [visit.name for visit in self.protocol.visits] if self.protocol else None

    @property
    def participant_names(self) -> list[str] | None:
        """Names of everyone in participants.csv; None while it is not readable."""
        return None if self.participants is None else list(self.participants)


def participants_of(table: RawTable, context: Context) -> tuple[Participant, ...]:
    """Read the people; `context.participants` then knows their names."""
    people, seen = [], _Seen()
    rows = list(_rows(table, context))
    # without a sound header nobody is known, and nobody can be unknown elsewhere
    context.participants = {} if rows or not table.rows else None
    for row in rows:
        name = row.required("participant", example="P01")
        seen.check(row, "participant", name or None, "this participant stands in the table twice")
        person = _participant(row, name, context)
        if context.participants is not None and name and name not in context.participants:
            context.participants[name] = person if row.sound else None
        if row.sound:
            people.append(person)
    if not table.rows:
        fault = Fault(table.file, "no participant is listed", "write one row for each person screened")
        context.find("stop", "empty-table", fault)
    return tuple(people)


def _participant(row: Row, name: str, context: Context) -> Participant:
    status: Status = (
        "screen-failure" if row.one_of("status", _STATUS, required=False) == "screen-failure" else "enrolled"
    )
    enrolled_on = row.date("enrolled_on", required=status == "enrolled")
    sex = row.one_of("sex", ("male", "female", "m", "f"), required=False)
    stage = parse_stage(row.text("norwood_hamilton"))
    if row.text("norwood_hamilton") and stage is None:
        row.fault("norwood_hamilton", "no such stage", "write one of " + ", ".join(NORWOOD_HAMILTON))
    withdrawn_on = row.date("withdrawn_on")
    if withdrawn_on and enrolled_on and withdrawn_on < enrolled_on:
        row.fault("withdrawn_on", f"lies before the enrolment on {enrolled_on}", "correct one of the two dates")
    return Participant(
        participant=name,
        row=row.raw.number,
        sex=_SEX.get(sex or ""),
        age_years=_age(row, enrolled_on),
        norwood_hamilton=stage,
        enrolled_on=enrolled_on,
        status=status,
        arm=_arm_of_person(row, status, context.protocol),
        site=row.text("site") or None,
        lot=row.text("lot") or None,
        fitzpatrick=row.whole("fitzpatrick", low=1, high=6, required=False, what="skin type"),
        withdrawn_on=withdrawn_on,
        withdrawal_reason=row.text("withdrawal_reason"),
        note=row.text("note"),
    )


_STATUS: Final = ("enrolled", "screen-failure")
_SEX: Final[Mapping[str, Sex]] = {"male": "male", "m": "male", "female": "female", "f": "female"}


def _age(row: Row, enrolled_on: dt.date | None) -> float | None:
    age = row.number("age", unit="years", low=0, high=120, required=False, example="41")
    born = row.whole("birth_year", low=1900, high=row.today.year, required=False, what="year")
    if age is None and born is not None:
        return float((enrolled_on or row.today).year - born)
    if age is not None and born is not None and enrolled_on and not -1.5 <= enrolled_on.year - born - age <= 1.5:
        row.fault("age", f"does not fit the birth year {born}", "correct one of the two, or leave one blank")
    return age


def _arm_of_person(row: Row, status: Status, protocol: Protocol | None) -> str | None:
    if protocol is None or protocol.design.kind == "split-scalp":
        return None
    names = [arm.name for arm in protocol.arms]
    if protocol.design.kind == "single-arm":
        return row.known("arm", names, what="arm of the protocol") if row.text("arm") else names[0]
    if status == "screen-failure" and not row.text("arm"):
        return None
    return row.known("arm", names, what="arm of the protocol")


def images_of(table: RawTable, context: Context) -> tuple[ScalpImage, ...]:
    """Read the photographs whose files are there; the others are findings."""
    images, seen, files = [], _Seen(), _Seen()
    for row in _rows(table, context):
        participant, visit, site, replicate = _who_when_where(row, context)
        if participant and visit and replicate:
            key = (participant, visit, site, replicate)
            seen.check(row, None, key, "this participant, visit, scalp site and replicate stand in the table twice")
        um_per_px = _scale(row)
        gamma = row.number("gamma", unit="", low=LEAST_GAMMA, high=MOST_GAMMA, required=False, example="2.2")
        taken_on = row.date("taken_on")
        region = row.parsed("region", parse_region)
        arm = _arm_of_row(row, participant, site, context)
        sound = row.sound
        file = _file(row, "file", context, shelf="images", participant=participant, visit=visit)
        mask = _file(row, "mask", context, shelf="images", participant=participant, visit=visit, required=False)
        files.check(row, "file", file, "this file stands in the table twice")
        if not (sound and row.sound and file and participant and visit and replicate and um_per_px):
            continue
        if row.text("mask") and mask is None:
            continue
        images.append(
            ScalpImage(
                participant, visit, file, um_per_px, row.raw.number, site, replicate, taken_on,
                region if isinstance(region, Region) else None, mask, arm, gamma,
            )
        )  # fmt: skip
    return tuple(images)


def lots_of(table: RawTable, context: Context) -> tuple[Lot, ...]:
    """Read the lots; `context.lots` then knows their names."""
    lots, seen = [], _Seen()
    rows = list(_rows(table, context))
    context.lots = [] if rows or not table.rows else None
    for row in rows:
        name = row.required("lot", example="L1")
        seen.check(row, "lot", name or None, "this lot stands in the table twice")
        role: dict[str | None, LotRole] = {"standard": "standard", "blank": "blank"}
        lot = Lot(
            lot=name,
            row=row.raw.number,
            product=row.text("product"),
            role=role.get(row.one_of("role", ("product", "standard", "blank"), required=False), "product"),
            export_file=_file(row, "export_file", context, shelf="lots", required=False),
            dilution=row.number("dilution", unit="times", low=1, high=1e9, required=False, example="1000"),
            stated_mean_nm=row.number("stated_mean_nm", unit="nm", low=1, high=100_000, required=False, example="120"),
            stated_mode_nm=row.number("stated_mode_nm", unit="nm", low=1, high=100_000, required=False, example="100"),
            stated_concentration_per_ml=row.number(
                "stated_concentration_per_ml", unit="per ml", low=0, high=1e18, required=False, example="1e10"
            ),
            made_on=row.date("made_on"),
            note=row.text("note"),
        )
        if context.lots is not None and name:
            context.lots.append(name)
        if row.sound:
            lots.append(lot)
    return tuple(lots)


def movies_of(table: RawTable, context: Context) -> tuple[Movie, ...]:
    """Read the movies whose files are there; the others are findings."""
    movies, seen, files = [], _Seen(), _Seen()
    for row in _rows(table, context):
        lot = row.known("lot", context.lots, what="lot of lots.csv")
        dilution = row.number("dilution", unit="times", low=1, high=1e9, required=False, example="1000")
        replicate = row.whole("replicate", low=1, high=1000, required=False, default=1)
        if lot and replicate:
            seen.check(
                row, None, (lot, dilution, replicate), "this lot, dilution and replicate stand in the table twice"
            )
        um_per_px = _scale(row)
        frames_per_s = row.number("frames_per_s", unit="frames/s", low=0, high=1e5, above_low=True, example="30")
        temperature_c = _temperature(row)
        exposure_ms = _exposure(row, frames_per_s)
        viscosity = row.number("viscosity_mpa_s", unit="mPa s", low=0.1, high=100, required=False, example="0.89")
        volume = row.number(
            "detection_volume_um3", unit="um3", low=0, high=1e12, required=False, above_low=True, example="2.3e6"
        )
        file = _file(row, "file", context, shelf="movies")
        files.check(row, "file", file, "this file stands in the table twice")
        if row.sound and file and lot and replicate and um_per_px and frames_per_s and temperature_c is not None:
            movies.append(
                Movie(
                    lot, file, um_per_px, frames_per_s, temperature_c, row.raw.number, exposure_ms, dilution or 1.0,
                    replicate, viscosity, volume,
                )
            )  # fmt: skip
    return tuple(movies)


def answers_of(table: RawTable, context: Context) -> tuple[SurveyAnswer, ...]:
    """Read the answers; a blank response is kept as None."""
    answers, seen = [], _Seen()
    for row in _rows(table, context):
        participant = row.known("participant", context.participant_names, what="participant of participants.csv")
        visit = row.known("visit", context.visit_names, what="visit of protocol.toml")
        instrument = _instrument(row, context)
        form = context.instruments.get(instrument or "")
        items = [item.id for item in form.items] if form else None
        item = row.known("item", items, what=f"item of the instrument {instrument}")
        response = _response(row, form)
        answered_on = row.date("answered_on")
        if participant and visit and instrument and item:
            key = (participant, visit, instrument, item)
            seen.check(row, None, key, "this participant, visit, instrument and item stand in the table twice")
            context.tried.add(("survey.csv", participant, visit, instrument))
        if row.sound and participant and visit and instrument and item:
            answers.append(SurveyAnswer(participant, visit, instrument, item, response, row.raw.number, answered_on))
    return tuple(answers)


def _response(row: Row, form: Instrument | None) -> int | None:
    offered = [response.value for response in form.responses] if form else [-100, 1000]
    response = row.whole("response", low=min(offered), high=max(offered), required=False, what="as an answer")
    if form and response is not None and response not in offered:
        row.fault("response", "is not offered as an answer", "write one of " + ", ".join(map(str, offered)))
        return None
    return response


def _instrument(row: Row, context: Context) -> str | None:
    uses = context.protocol.instruments if context.protocol else ()
    names = [use.name for use in uses] if context.protocol else None
    return row.known("instrument", names, what="instrument of protocol.toml")


def events_of(table: RawTable, context: Context) -> tuple[AdverseEvent, ...]:
    """Read the adverse events, those of people left out of the analysis included."""
    events, seen = [], _Seen()
    for row in _rows(table, context):
        participant = row.known("participant", context.participant_names, what="participant of participants.csv")
        onset = row.date("onset", required=True)
        term = row.required("term", example="headache")
        grade = row.whole("grade", low=1, high=5, what="(CTCAE: 1 mild to 5 death)")
        serious = row.yes_or_no("serious")
        related = _related(row)
        outcome = row.required("outcome", example="recovered")
        ended_on = row.date("ended_on")
        if onset and ended_on and ended_on < onset:
            row.fault("ended_on", f"lies before the onset on {onset}", "correct one of the two dates")
        if grade == 5 and serious is False:
            row.fault("serious", "grade 5 is death, which is always serious", "correct the grade, or write yes")
        if participant and onset and term:
            key = (participant, onset, term.casefold(), row.text("number"))
            seen.check(
                row, None, key, "this event stands in the table twice", "delete one, or add a column number: 1, 2"
            )
        if row.sound and participant and onset and grade and related and serious is not None:
            arm = _arm_of_row(row, participant, "", context, by_site=False)
            events.append(
                AdverseEvent(participant, onset, term, grade, serious, related, outcome, row.raw.number, ended_on, arm)
            )
    return tuple(events)


def _related(row: Row) -> Relation | None:
    word = row.one_of("related", (*RELATIONS, "yes", "no"))
    as_relation: dict[str | None, Relation] = {"yes": "possible", "no": "unrelated"}
    return as_relation.get(word) or next((relation for relation in RELATIONS if relation == word), None)


def densities_of(table: RawTable, context: Context) -> tuple[Density, ...]:
    """Read the densities that were measured elsewhere."""
    densities, seen = [], _Seen()
    for row in _rows(table, context):
        participant, visit, site, replicate = _who_when_where(row, context)
        if participant and visit and replicate:
            key = (participant, visit, site, replicate)
            seen.check(row, None, key, "this participant, visit, scalp site and replicate stand in the table twice")
        density = row.number("density_per_cm2", unit="hairs/cm2", low=0, high=MOST_HAIRS_PER_CM2, example="142.5")
        measured_on = row.date("measured_on")
        arm = _arm_of_row(row, participant, site, context)
        if row.sound and participant and visit and replicate and density is not None:
            densities.append(
                Density(
                    participant, visit, density, row.raw.number, site, replicate, measured_on, row.text("method"), arm
                )
            )
    return tuple(densities)


def _who_when_where(row: Row, context: Context) -> tuple[str | None, str | None, str, int | None]:
    participant = row.known("participant", context.participant_names, what="participant of participants.csv")
    visit = row.known("visit", context.visit_names, what="visit of protocol.toml")
    site = row.text("scalp_site", "target")
    replicate = row.whole("replicate", low=1, high=1000, required=False, default=1)
    if participant and visit:
        context.tried.add(("images.csv", participant, visit, site))
    return participant, visit, site, replicate


def _arm_of_row(row: Row, participant: str | None, site: str, context: Context, *, by_site: bool = True) -> str | None:
    protocol = context.protocol
    if protocol is not None and protocol.design.kind == "split-scalp":
        if not by_site:
            return None
        arm = protocol.arm_of_site(site)
        if arm is None:
            sites = [name for arm in protocol.arms for name in arm.scalp_sites]
            row.fault("scalp_site", "no arm of the protocol treats this site", did_you_mean(site, sites), value=site)
        return arm
    person = (context.participants or {}).get(participant or "")
    return person.arm if person else None


def _scale(row: Row) -> float | None:
    if not row.text("um_per_px"):
        way_out = "write how many micrometres one pixel covers; photograph a ruler, or ask the maker of the device"
        row.fault("um_per_px", "the scale is missing", way_out, code="missing-scale", value="")
        return None
    return row.number("um_per_px", unit="um per pixel", low=0, high=MOST_UM_PER_PX, above_low=True, example="5.5")


def _temperature(row: Row) -> float | None:
    if row.text("temperature_c"):
        number = parse_kelvin(row.text("temperature_c"))
        if number is not None:
            row.fault("temperature_c", "must be 0 to 60 degrees C", f"in kelvin? then write {number - 273.15:.2f}")
            return None
    return row.number("temperature_c", unit="degrees C", low=0, high=60, example="25")


def parse_kelvin(text: str) -> float | None:
    """Read the number in a cell when it looks like a laboratory's temperature in kelvin."""
    match = re.fullmatch(r"(2[7-9]\d|3[0-3]\d)([.,]\d+)?", text.strip())
    return float(match[0].replace(",", ".")) if match else None


def _exposure(row: Row, frames_per_s: float | None) -> float | None:
    exposure = row.number("exposure_ms", unit="ms", low=0, high=1e5, required=False, above_low=True, example="16.7")
    if exposure is not None and frames_per_s and exposure > 1.001 * 1000 / frames_per_s:
        rule = f"longer than the {1000 / frames_per_s:.4g} ms from frame to frame"
        row.fault("exposure_ms", rule, "correct the exposure (in ms) or frames_per_s")
        return None
    return exposure


def _file(
    row: Row,
    column: str,
    context: Context,
    *,
    shelf: str,
    required: bool = True,
    participant: str | None = None,
    visit: str | None = None,
) -> str | None:
    text = row.required(column, example=f"{shelf}/P01.png") if required else row.text(column)
    if not text:
        return None
    found = find_inside(context.folder, text, shelf)
    if found.path is not None:
        context.files.add(found.path)
        return found.path
    row.fault(
        column, found.rule, found.way_out, effect="stop" if found.outside else "exclude",
        code="outside-folder" if found.outside else "missing-file", participant=participant, visit=visit,
    )  # fmt: skip
    return None


class _Seen:
    """Remembers in which row a key stood first."""

    def __init__(self) -> None:
        self.rows: dict[Hashable, int] = {}

    def check(self, row: Row, column: str | None, key: Hashable, rule: str, way_out: str = "") -> None:
        if key is None:
            return
        first = self.rows.setdefault(key, row.raw.number)
        if first != row.raw.number:
            row.fault(
                column,
                f"{rule}, first in row {first}",
                way_out or "delete one of the two, or correct it",
                code="duplicate",
            )


def _rows(table: RawTable, context: Context) -> Iterator[Row]:
    """Each row under the names that the study knows; a faulty header ends it at once."""
    context.findings.extend(Finding("stop", "broken-row", fault) for fault in table.faults)
    names = _column_names(table, context)
    if names is None:
        return
    for raw in table.rows:
        cells = {names[column]: text for column, text in raw.cells.items() if column in names}
        order = context.protocol.date_order if context.protocol else "iso"
        yield Row(table.file, RawRow(raw.number, cells), context.findings, table.decimal_comma, order, context.today)


def _column_names(table: RawTable, context: Context) -> dict[str, str] | None:
    """Header as written -> name in the study; None when required columns are missing."""
    columns = COLUMNS[table.file]
    names: dict[str, str] = {}
    unknown = []
    for written in table.columns:
        name = plain_column(written)
        if name in names.values():
            fault = Fault(
                table.file, "this column stands in the header twice", "delete or rename one", table.header_row, written
            )
            context.find("stop", "duplicate-column", fault)
        elif name in columns.all:
            names[written] = name
        else:
            unknown.append(written)
    missing = [column for column in columns.required if column not in names.values()]
    if len(missing) == len(columns.required):
        fault = Fault(
            table.file, "the first line does not name the columns", "write them there: " + ", ".join(columns.all),
            table.header_row, value=", ".join(table.columns)[:60],
        )  # fmt: skip
        context.find("stop", "no-header", fault)
        return None
    for column in missing:
        close = did_you_mean(column, unknown) if unknown else ""
        way_out = f"add it ({close})" if close.startswith("did") else "add it to the first line, and its cells below"
        fault = Fault(table.file, "this column is missing", way_out, table.header_row, column)
        context.find("stop", "missing-column", fault)
    for written in unknown:
        close = did_you_mean(plain_column(written), columns.all)
        way_out = close if close.startswith("did") else "nothing to do if it is meant for people"
        fault = Fault(table.file, "this column is not read", way_out, table.header_row, written)
        context.findings.append(Finding("note", "unread-column", fault, expected=True))
    return None if missing else names


def plain_column(written: str) -> str:
    r"""Column name as the study knows it: ``Scalp site`` and ``um/px`` are ``scalp_site`` and ``um_per_px``.

    Examples
    --------
    >>> plain_column(" \u00b5m / px"), plain_column("Norwood-Hamilton")
    ('um_per_px', 'norwood_hamilton')
    """
    plain = re.sub(r"\s*/\s*", "_per_", written.strip().casefold().replace("\u00b5", "u").replace("\u03bc", "u"))
    return re.sub(r"[\s\-]+", "_", plain)
