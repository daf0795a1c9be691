"""A study folder read as a whole: the plan, the people, what was collected, what is left out and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from anagen.errors import Fault, InputError, InputFaults
from anagen.study import tables
from anagen.study.bias import StudyBias, read_bias
from anagen.study.eligibility import criteria_failed
from anagen.study.findings import Finding
from anagen.study.lot_records import read_lot_records
from anagen.study.paths import find_inside
from anagen.study.protocol import InstrumentUse, Protocol, mend_enough
from anagen.study.raw_table import RawTable, ReadTable
from anagen.study.records import AdverseEvent, Density, Lot, Movie, Participant, ScalpImage, SurveyAnswer
from anagen.study.tables import Context
from anagen.study.visits import days_outside, visit_window
from anagen.surveys.instrument import Instrument, load_instrument, parse_instrument

Record = TypeVar("Record")
Dated = TypeVar("Dated", ScalpImage, Density)
Visited = TypeVar("Visited", ScalpImage, Density, SurveyAnswer)


@dataclass(frozen=True, slots=True)
class Study:
    """Everything that an analysis may use, and the list of what it may not.

    Parameters
    ----------
    folder : Path
        Where it was read from.
    protocol : Protocol
        The plan.
    instruments : mapping of str to Instrument
        Each instrument that the plan asks, by name.
    participants : tuple of Participant
        Everyone screened.
    images, answers, densities : tuple
        Those of eligible participants only, at visits that the plan admits.
    lots, movies : tuple
        Whose files are there.
    adverse_events : tuple of AdverseEvent
        Those of everyone enrolled, ineligible people included: they too were treated.
    adverse_events_collected : bool
        False where there is no adverse_events.csv: then nothing may be said about harm, not even "none".
    findings : tuple of Finding
        What is left out (``exclude``) and what a reader must know (``note``).
    bias : StudyBias or None
        From risk_of_bias.toml; None where nobody judged it.
    lot_records : mapping of lot to mapping of field to str
        From lot_records.toml.
    """

    folder: Path
    protocol: Protocol
    instruments: Mapping[str, Instrument]
    participants: tuple[Participant, ...]
    images: tuple[ScalpImage, ...]
    lots: tuple[Lot, ...]
    movies: tuple[Movie, ...]
    answers: tuple[SurveyAnswer, ...]
    adverse_events: tuple[AdverseEvent, ...]
    densities: tuple[Density, ...]
    adverse_events_collected: bool
    findings: tuple[Finding, ...]
    bias: StudyBias | None = None
    lot_records: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def enrolled(self) -> tuple[Participant, ...]:
        """Everyone who entered the study: the people among whom harm is counted."""
        return tuple(p for p in self.participants if p.status == "enrolled")

    @property
    def treated(self) -> tuple[Participant, ...]:
        """Everyone enrolled who got a treatment that is no control: the people whose harm is the treatment's.

        In a split-scalp study that is everyone: an event cannot be told to come from one side.
        """
        controls = {arm.name for arm in self.protocol.arms if arm.control}
        if self.protocol.design.kind != "parallel":
            return self.enrolled
        return tuple(p for p in self.enrolled if p.arm not in controls)

    @property
    def eligible(self) -> tuple[Participant, ...]:
        """Everyone enrolled who meets the criteria: the people whose outcomes are analysed."""
        return tuple(p for p in self.enrolled if not criteria_failed(p, self.protocol.eligibility))

    @property
    def left_out(self) -> tuple[Finding, ...]:
        """What no analysis uses, each with its reason."""
        return tuple(finding for finding in self.findings if finding.effect == "exclude")


@dataclass(frozen=True, slots=True)
class Reading:
    """What could be read of a study folder, sound or not.

    Parameters
    ----------
    study : Study or None
        None when a finding stops a run.
    findings : tuple of Finding
        All of them, in the order of the files.
    participants, images, lots, movies : tuple
        Every row without a fault, those of people left out included.
    files : frozenset of str
        Every file of the folder that a row names, sound or not.
    """

    study: Study | None
    findings: tuple[Finding, ...]
    participants: tuple[Participant, ...] = ()
    images: tuple[ScalpImage, ...] = ()
    lots: tuple[Lot, ...] = ()
    movies: tuple[Movie, ...] = ()
    files: frozenset[str] = frozenset()


def load_study(
    folder: Path,
    *,
    read_table: ReadTable,
    today: dt.date | None = None,
) -> Study:
    """Read a study folder for an analysis.

    Parameters
    ----------
    folder : Path
        Holds protocol.toml and the tables.
    read_table : callable
        Reads one table; see `ReadTable`.
    today : date or None
        Later dates are faults; None for the clock's.

    Returns
    -------
    Study
        With everything that is left out listed in its findings.

    Raises
    ------
    InputFaults
        Every fault that must be mended before a run, from all files.
    """
    reading = read_study(folder, read_table=read_table, today=today)
    if reading.study is None:
        raise InputFaults([finding.fault for finding in reading.findings if finding.effect == "stop"])
    return reading.study


def read_study(
    folder: Path,
    *,
    read_table: ReadTable,
    today: dt.date | None = None,
) -> Reading:
    """Read a study folder to the end, whatever is wrong with it; parameters are those of `load_study`."""
    context = Context(folder, today or dt.datetime.now(dt.UTC).date())
    if not folder.is_dir():
        fault = Fault(str(folder), "there is no such folder", "give the folder that holds protocol.toml")
        return Reading(None, (Finding("stop", "no-folder", fault),))
    context.protocol = _protocol(context)
    _read_instruments(context)

    def read(name: str) -> RawTable | None:
        return _table(name, context, read_table)

    people = _of(tables.participants_of, read("participants.csv"), context)
    images = _of(tables.images_of, read("images.csv"), context)
    densities = _of(tables.densities_of, read("measurements.csv"), context)
    lots = _of(tables.lots_of, read("lots.csv"), context)
    movies = _of(tables.movies_of, read("movies.csv"), context)
    answers = _of(tables.answers_of, read("survey.csv"), context)
    events_table = read("adverse_events.csv")
    events = _of(tables.events_of, events_table, context)
    protocol = context.protocol
    if protocol is None:
        return Reading(None, tuple(context.findings), people, images, lots, movies, frozenset(context.files))

    _check_lots(people, lots, movies, context)
    bias = _of_file(lambda: read_bias(folder), context, otherwise=None)
    nothing_said: Mapping[str, Mapping[str, str]] = {}
    lot_records = _of_file(lambda: read_lot_records(folder, [lot.lot for lot in lots]), context, otherwise=nothing_said)
    used_images, densities = _within_windows(images, context), _within_windows(densities, context)
    answers = _planned(answers, context)
    kept = _eligible_names(people, context)
    _note_missed(people, kept, used_images, densities, context)
    _note_events_before(events, people, context)
    _note_left_out_rows(kept, people, {"images": used_images, "densities": densities, "answers": answers}, context)
    findings = tuple(context.findings)
    if any(finding.effect == "stop" for finding in findings):
        return Reading(None, findings, people, images, lots, movies, frozenset(context.files))
    enrolled = {p.participant for p in people if p.status == "enrolled"}
    study = Study(
        folder=folder,
        protocol=protocol,
        instruments=context.instruments,
        participants=people,
        images=_of_people(used_images, kept),
        lots=lots,
        movies=movies,
        answers=_of_people(answers, kept),
        adverse_events=tuple(event for event in events if event.participant in enrolled),
        densities=_of_people(densities, kept),
        adverse_events_collected=events_table is not None,
        findings=findings,
        bias=bias,
        lot_records=lot_records,
    )
    return Reading(study, findings, people, images, lots, movies, frozenset(context.files))


def _of(
    rows_of: Callable[[RawTable, Context], tuple[Record, ...]], table: RawTable | None, context: Context
) -> tuple[Record, ...]:
    return () if table is None else rows_of(table, context)


def _of_file(read: Callable[[], Record], context: Context, *, otherwise: Record) -> Record:
    try:
        return read()
    except InputFaults as error:
        context.findings.extend(Finding("stop", "bad-file", fault) for fault in error.faults)
        return otherwise


def _protocol(context: Context) -> Protocol | None:
    """Read the plan; of a faulty one what is sound, so that the tables are checked all the same."""
    path, plan = context.folder / "protocol.toml", None
    try:
        text = path.read_bytes().decode("utf-8-sig")
        try:
            return Protocol.from_toml(text)
        except InputFaults as error:
            faults, plan = list(error.faults), mend_enough(text)
    except FileNotFoundError:
        faults = [Fault("protocol.toml", "there is no such file", "`anagen init` writes one to fill in")]
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        faults = [Fault("protocol.toml", "not UTF-8 text", "save it as UTF-8 in the editor's save dialogue", row=row)]
    except OSError as error:
        faults = [Fault("protocol.toml", f"cannot be read: {error.strerror}", "look at its permissions")]
    context.findings.extend(Finding("stop", "bad-protocol", fault) for fault in faults)
    return plan


def _read_instruments(context: Context) -> None:
    for index, use in enumerate(context.protocol.instruments if context.protocol else (), start=1):
        try:
            context.instruments[use.name] = _instrument(use, context.folder)
        except InputFaults as error:
            context.findings.extend(Finding("stop", "bad-instrument", fault) for fault in error.faults)
        except InputError as error:
            rule, _, way_out = str(error).partition(": ")
            fault = Fault("protocol.toml", rule, way_out, None, f"instruments[{index}]", use.file or use.name)
            context.findings.append(Finding("stop", "bad-instrument", fault))


def _instrument(use: InstrumentUse, folder: Path) -> Instrument:
    if use.file is None:
        return load_instrument(use.name)
    found = find_inside(folder, use.file, "instruments")
    if found.path is None:
        raise InputError(f"{found.rule}: {found.way_out}")
    try:
        instrument = parse_instrument((folder / found.path).read_text(encoding="utf-8-sig"), file=found.path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot be read as UTF-8 text: save it anew") from error
    if instrument.name != use.name:
        raise InputError(f"the file calls itself {instrument.name!r}, not {use.name!r}: use one name in both")
    return instrument


def _table(name: str, context: Context, read_table: ReadTable) -> RawTable | None:
    path = context.folder / name
    if not path.exists():
        _note_absent_table(name, context)
        return None
    try:
        return read_table(path, name)
    except InputFaults as error:
        context.findings.extend(Finding("stop", "unreadable-table", fault) for fault in error.faults)
        return None


def _note_absent_table(name: str, context: Context) -> None:
    spreadsheet = next((p.name for p in _spreadsheets(context.folder) if p.stem == Path(name).stem), None)
    if spreadsheet:
        way_out = f"open {spreadsheet} and save that sheet as CSV under the name {name}"
        context.find("stop", "missing-table", Fault(name, "there is no such file, only a spreadsheet", way_out))
        return
    why = _why_needed(name, context)
    if why:
        way_out = "write it; if nothing was collected yet, write its first line alone: "
        fault = Fault(name, f"there is no such file, and {why}", way_out + ",".join(tables.COLUMNS[name].required))
        context.find("stop", "missing-table", fault)
    elif name == "adverse_events.csv":
        way_out = "write the file; if none happened, write its first line alone, which says that somebody looked"
        fault = Fault(name, "there is no such file, so nothing can be said about harm", way_out)
        context.findings.append(Finding("note", "harm-not-recorded", fault, expected=True))


def _spreadsheets(folder: Path) -> Iterator[Path]:
    return (p for p in sorted(folder.iterdir()) if p.suffix.casefold() in {".xlsx", ".xls", ".ods", ".numbers"})


def _why_needed(name: str, context: Context) -> str:
    """Why a study cannot do without a table; empty when it can."""
    if name == "participants.csv":
        return "every study lists its people"
    if context.protocol is None:
        return ""
    kinds = {outcome.kind for outcome in context.protocol.outcomes}
    if name == "images.csv" and kinds & {"diameter", "thickness"}:
        return "the protocol asks for hair diameters"
    if name == "images.csv" and "density" in kinds and not (context.folder / "measurements.csv").exists():
        return "the protocol asks for hair density (measured elsewhere? then measurements.csv)"
    if name == "survey.csv" and "survey" in kinds:
        return "the protocol asks for a survey"
    if name == "lots.csv" and context.protocol.treatment and context.protocol.treatment.lots:
        return "the protocol names lots"
    if name == "lots.csv" and (context.folder / "movies.csv").exists():
        return "movies.csv names lots"
    return ""


def _check_lots(
    people: tuple[Participant, ...], lots: tuple[Lot, ...], movies: tuple[Movie, ...], context: Context
) -> None:
    if context.lots is None or context.protocol is None:
        return
    treatment = context.protocol.treatment
    for name in treatment.lots if treatment else ():
        if name not in context.lots:
            fault = Fault(
                "protocol.toml", "this lot is not in lots.csv", "add its row there", None, "treatment.lots", name
            )
            context.find("stop", "unknown-name", fault)
    for person in people:
        if person.lot and person.lot not in context.lots:
            fault = Fault(
                "participants.csv", "this lot is not in lots.csv", "add its row", person.row, "lot", person.lot
            )
            context.find("stop", "unknown-name", fault)
    filmed = {movie.lot for movie in movies}
    for lot in lots:
        if lot.lot not in filmed and lot.export_file is None:
            way_out = "add a row to movies.csv, or the vendor's export as export_file"
            fault = Fault("lots.csv", "nothing was measured of this lot", way_out, lot.row, "lot", lot.lot)
            context.findings.append(Finding("note", "lot-not-measured", fault, expected=True))


def _within_windows(records: tuple[Dated, ...], context: Context) -> tuple[Dated, ...]:
    """Add each record's days outside its window; list those outside, and drop them where the plan says so."""
    protocol, people = context.protocol, context.participants or {}
    if protocol is None:
        return records
    kept: list[Dated] = []
    for record in records:
        person = people.get(record.participant)
        day = record.taken_on if isinstance(record, ScalpImage) else record.measured_on
        if person is None or person.enrolled_on is None or day is None:
            kept.append(record)
            continue
        visit = protocol.visit(record.visit)
        window = visit_window(visit, person.enrolled_on)
        days = days_outside(window, day)
        if days:
            late = f"{abs(days)} {'day' if abs(days) == 1 else 'days'} {'late' if days > 0 else 'early'}"
            dropped = protocol.analysis.outside_window == "exclude"
            file, column = (
                ("images.csv", "taken_on") if isinstance(record, ScalpImage) else ("measurements.csv", "measured_on")
            )
            fault = Fault(
                file,
                f"{late} for {record.participant}'s {visit.name}, open {window.opens_on} to {window.closes_on}",
                f"the plan {'leaves it out' if dropped else 'keeps it with a flag'}; correct the date if it is wrong",
                record.row, column, str(day),
            )  # fmt: skip
            context.findings.append(
                Finding(
                    "exclude" if dropped else "note", "outside-window", fault, True, record.participant, record.visit
                )
            )
            if dropped:
                continue
        kept.append(replace(record, days_outside_window=days))
    return tuple(kept)


def _planned(answers: tuple[SurveyAnswer, ...], context: Context) -> tuple[SurveyAnswer, ...]:
    """Keep the answers at visits at which the protocol asks; list the others once a visit."""
    if context.protocol is None:
        return answers
    planned = {(use.name, visit) for use in context.protocol.instruments for visit in use.visits}
    listed = set()
    for answer in answers:
        key = (answer.participant, answer.instrument, answer.visit)
        if key[1:] not in planned and key not in listed:
            listed.add(key)
            fault = Fault(
                "survey.csv", f"the protocol does not ask {answer.instrument} at this visit",
                "correct the visit, or add it to the instrument's visits in protocol.toml",
                answer.row, "visit", answer.visit,
            )  # fmt: skip
            context.findings.append(Finding("exclude", "not-planned", fault, False, answer.participant, answer.visit))
    return tuple(answer for answer in answers if (answer.instrument, answer.visit) in planned)


def _eligible_names(people: tuple[Participant, ...], context: Context) -> frozenset[str]:
    """Names of those whose outcomes are analysed; the others are listed with the criteria that they fail."""
    if context.protocol is None:
        return frozenset()
    kept = set()
    for person in people:
        failed = criteria_failed(person, context.protocol.eligibility)
        name = person.participant
        if person.status == "screen-failure":
            reason = "; ".join(failed) or person.note or "no reason is recorded"
            fault = Fault(
                "participants.csv",
                f"screen failure: {reason}",
                "nothing to do: not in the analysis",
                person.row,
                "participant",
                name,
            )
            context.findings.append(Finding("exclude", "screen-failure", fault, True, name))
        elif failed:
            way_out = "correct the cell, or set status to screen-failure; until then not in the analysis of outcomes"
            for reason in failed:
                fault = Fault(
                    "participants.csv", f"enrolled but not eligible: {reason}", way_out, person.row, "participant", name
                )
                context.findings.append(Finding("exclude", "ineligible", fault, False, name))
        else:
            kept.add(name)
    return frozenset(kept)


def _note_missed(
    people: tuple[Participant, ...],
    kept: frozenset[str],
    images: tuple[ScalpImage, ...],
    densities: tuple[Density, ...],
    context: Context,
) -> None:
    """List every planned measurement that is not there: visit not yet due, withdrawn, or missed."""
    protocol = context.protocol
    if protocol is None:
        return
    sites: dict[str, set[str]] = {}
    hair: list[ScalpImage | Density] = [*images, *densities]
    for record in hair:
        sites.setdefault(record.participant, set()).add(record.scalp_site)
    hair_visits = [v for v in protocol.visits if any(v.name in protocol.visits_of(k) for k in tables.HAIR_KINDS)]
    for person in people:
        if person.participant not in kept:
            continue
        for visit in hair_visits:
            for site in sorted(sites.get(person.participant, {"target"})):
                if ("images.csv", person.participant, visit.name, site) not in context.tried:
                    _note_one_missed(person, visit.name, "images.csv", f"no image of the scalp site {site}", context)
        for use in protocol.instruments:
            for name in (visit.name for visit in protocol.visits if visit.name in use.visits):
                if ("survey.csv", person.participant, name, use.name) not in context.tried:
                    _note_one_missed(person, name, "survey.csv", f"no answer to {use.name}", context)


def _note_one_missed(person: Participant, visit_name: str, file: str, what: str, context: Context) -> None:
    if context.protocol is None or not (context.folder / file).exists():
        return
    if any(f.code == "unknown-name" and f.fault.file == file for f in context.findings):
        return  # it may be there under a misspelt name
    visit = context.protocol.visit(visit_name)
    closes_on = visit_window(visit, person.enrolled_on).closes_on if person.enrolled_on else None
    if person.withdrawn_on and closes_on and person.withdrawn_on <= closes_on:
        code, why = "withdrawn", f"withdrawn on {person.withdrawn_on}"
    elif closes_on and closes_on >= context.today:
        code, why = "not-yet-due", f"may still come until {closes_on}"
    else:
        code, why = "missed-visit", "missed"
    fault = Fault(
        file,
        f"{what} of {person.participant} at {visit.name} ({why})",
        "add the row if it was made",
        None,
        "visit",
        visit.name,
    )
    context.findings.append(Finding("note", code, fault, True, person.participant, visit.name))


def _note_events_before(events: tuple[AdverseEvent, ...], people: tuple[Participant, ...], context: Context) -> None:
    enrolled_on = {p.participant: p.enrolled_on for p in people}
    for event in events:
        start = enrolled_on.get(event.participant)
        if start and event.onset < start:
            fault = Fault(
                "adverse_events.csv", f"began before the enrolment on {start}",
                "counted, with a flag; correct the date if it is wrong", event.row, "onset", str(event.onset),
            )  # fmt: skip
            context.findings.append(Finding("note", "event-before-enrolment", fault, True, event.participant))


def _note_left_out_rows(
    kept: frozenset[str],
    people: tuple[Participant, ...],
    collected: dict[str, tuple[ScalpImage, ...] | tuple[Density, ...] | tuple[SurveyAnswer, ...]],
    context: Context,
) -> None:
    """Say how many rows go with each person who is left out."""
    for person in people:
        if person.participant in kept:
            continue
        counts = {what: sum(r.participant == person.participant for r in rows) for what, rows in collected.items()}
        gone = ", ".join(f"{n} {what}" for what, n in counts.items() if n)
        if gone:
            fault = Fault(
                "participants.csv",
                f"left out with the participant: {gone}",
                "nothing to do",
                person.row,
                "participant",
                person.participant,
            )
            context.findings.append(Finding("exclude", "rows-of-left-out-participant", fault, True, person.participant))


def _of_people(records: Iterable[Visited], names: frozenset[str]) -> tuple[Visited, ...]:
    return tuple(record for record in records if record.participant in names)
