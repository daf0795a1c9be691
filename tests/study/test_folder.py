"""A whole study folder: what a sound one gives, what is left out of it and why, and that all faults come together."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.study.small_study import (
    ANSWERS,
    EVENTS,
    IMAGES,
    LOTS,
    MOVIES,
    PARTICIPANTS,
    PROTOCOL,
    TABLES,
    TODAY,
    read,
    spoil,
    write_study,
)

from anagen.errors import InputFaults
from anagen.formats.tables import read_table
from anagen.hair.region import Region
from anagen.study.folder import load_study


def test_a_sound_folder_is_read_whole(tmp_path: Path):
    reading = read(write_study(tmp_path))
    study = reading.study
    assert study is not None
    assert [finding.code for finding in reading.findings] == ["screen-failure"]
    assert [p.participant for p in study.eligible] == ["P01", "P02"]
    assert len(study.images) == 4
    assert len(study.answers) == 20
    assert len(study.movies) == len(study.lots) == len(study.adverse_events) == 1
    assert study.adverse_events_collected
    assert study.images[0].um_per_px == 5.5
    assert study.images[0].arm == "exosome"
    assert study.protocol.visits_of("density") == ("baseline", "week 4")
    assert study.instruments["satisfaction-5"].items[0].id == "thickness"


def test_faults_of_all_files_are_raised_at_once(tmp_path: Path):
    folder = write_study(
        tmp_path,
        protocol=PROTOCOL.replace("title =", "titel ="),
        images=IMAGES.replace("5.5,2026-01-05", "0,2027-01-05").replace("P02,w", "P2,w"),
        survey=None,
    )
    (folder / "survey.xlsx").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputFaults) as raised:
        load_study(folder, read_table=read_table, today=TODAY)
    assert {(fault.file, fault.row, fault.column) for fault in raised.value.faults} == {
        ("protocol.toml", None, "title"),
        ("protocol.toml", 1, "titel"),
        ("images.csv", 2, "um_per_px"),
        ("images.csv", 2, "taken_on"),
        ("images.csv", 5, "participant"),
        ("survey.csv", None, None),
    }


@dataclass
class Spoilt:
    """One fault of one table, and what must be said of it."""

    table: str
    old: str
    new: str
    row: int | None
    column: str | None
    says: str
    also: dict[str, str] = field(default_factory=dict)


SPOILT = {
    "age below 0": Spoilt("participants", "male,41", "male,-3", 2, "age", "must be 0 to 120 years"),
    "age in words": Spoilt("participants", "male,41", "male,forty", 2, "age", "must be a number (years)"),
    "no such stage": Spoilt("participants", "41,III,", "41,IX,", 2, "norwood_hamilton", "no such stage"),
    "no such sex": Spoilt("participants", "male,41", "mal,41", 2, "sex", "did you mean 'male'?"),
    "no such status": Spoilt("participants", "-05,enrolled", "-05,enroled", 2, "status", "did you mean 'enrolled'?"),
    "no enrolment": Spoilt("participants", "2026-01-05,", ",", 2, "enrolled_on", "must not be blank"),
    "no such arm": Spoilt("participants", "A,exosome", "A,exosom", 2, "arm", "did you mean 'exosome'?"),
    "person twice": Spoilt("participants", "P02", "P01", 3, "participant", "twice, first in row 2"),
    "no name": Spoilt("participants", "P02,", ",", 3, "participant", "must not be blank"),
    "nobody": Spoilt("participants", PARTICIPANTS.partition("\n")[2], "", None, None, "no participant is listed"),
    "column missing": Spoilt("participants", "enrolled_on", "enroled", 1, "enrolled_on", "did you mean 'enroled'?"),
    "column twice": Spoilt("participants", "site", "Participant", 1, "Participant", "stands in the header twice"),
    "no header": Spoilt(
        "images", IMAGES.partition("\n")[0] + "\n", "", 1, None, "the first line does not name the columns"
    ),
    "scale 0": Spoilt("images", "5.5,2026-01-05", "0,2026-01-05", 2, "um_per_px", "must be above 0"),
    "scale missing": Spoilt("images", "5.5,2026-01-05", ",2026-01-05", 2, "um_per_px", "the scale is missing"),
    "scale with unit": Spoilt("images", "5.5,2026-01-05", "5.5um,2026-01-05", 2, "um_per_px", "without its unit"),
    "no such person": Spoilt("images", "P02,week", "P2,week", 5, "participant", "did you mean 'P02'?"),
    "no such visit": Spoilt("images", "P02,week 4", "P02,week4", 5, "visit", "did you mean 'week 4'?"),
    "future": Spoilt("images", "2026-02-03", "2026-08-03", 5, "taken_on", "lies in the future"),
    "no date": Spoilt("images", "2026-02-03", "soon", 5, "taken_on", "must be a date"),
    "two dates in one": Spoilt("images", "2026-02-03", "3/2/2026", 5, "taken_on", "date_order"),
    "same visit twice": Spoilt("images", "P01,week 4", "P01,baseline", 3, None, "twice, first in row 2"),
    "same file twice": Spoilt("images", "P01_4.png", "P01_0.png", 3, "file", "twice, first in row 2"),
    "out of the folder": Spoilt("images", "images/P01_4.png", "../P01_4.png", 3, "file", "inside the study folder"),
    "absolute path": Spoilt("images", "images/P01_4.png", "/etc/passwd", 3, "file", "inside the study folder"),
    "drive": Spoilt("images", "images/P01_4.png", "C:\\P01_4.png", 3, "file", "inside the study folder"),
    "no such file": Spoilt("images", "P01_4.png", "P01_4.jpg", 3, "file", "did you mean 'P01_4.png'?"),
    "replicate 0": Spoilt("images", "target,1,images/P01_4", "target,0,images/P01_4", 3, "replicate", "1 to 1000"),
    "replicate 1.5": Spoilt("images", "target,1,images/P01_4", "target,1.5,images/P01_4", 3, "replicate", "whole"),
    "no such lot": Spoilt("movies", "L1,", "L2,", 2, "lot", "known: L1."),
    "kelvin": Spoilt("movies", ",25", ",298.15", 2, "temperature_c", "in kelvin? then write 25.00"),
    "exposure": Spoilt("movies", "16.7", "167", 2, "exposure_ms", "longer than the 33.33 ms from frame to frame"),
    "no frame rate": Spoilt("movies", "0.166,30", "0.166,", 2, "frames_per_s", "must not be blank"),
    "frame rate 0": Spoilt("movies", "0.166,30", "0.166,0", 2, "frames_per_s", "must be above 0"),
    "dilution": Spoilt("movies", "L1,1000", "L1,0.001", 2, "dilution", "must be 1 to"),
    "lot twice": Spoilt("lots", LOTS, LOTS + "L1,,,\n", 3, "lot", "twice, first in row 2"),
    "lot not listed": Spoilt("lots", "L1,", "L9,", None, "treatment.lots", "not in lots.csv"),
    "answer 7 of 5": Spoilt("survey", "thickness,1", "thickness,7", 2, "response", "must be 1 to 5"),
    "answer 2.5": Spoilt("survey", "thickness,1", "thickness,2.5", 2, "response", "whole number"),
    "no such item": Spoilt("survey", "thickness", "thicknes", 2, "item", "did you mean 'thickness'?"),
    "no such survey": Spoilt("survey", "satisfaction-5", "satisfaction", 2, "instrument", "'satisfaction-5'?"),
    "answered twice": Spoilt("survey", "shedding", "thickness", 3, None, "twice, first in row 2"),
    "grade 9": Spoilt("adverse_events", ",1,no", ",9,no", 2, "grade", "must be 1 to 5"),
    "serious": Spoilt("adverse_events", ",1,no", ",1,maybe", 2, "serious", "must be yes or no"),
    "death is serious": Spoilt("adverse_events", ",1,no", ",5,no", 2, "serious", "always serious"),
    "related": Spoilt("adverse_events", "probable", "likely", 2, "related", "'unlikely'?"),
    "event twice": Spoilt("adverse_events", EVENTS, EVENTS + EVENTS.splitlines()[1], 3, None, "add a column number"),
    "ended before": Spoilt(
        "adverse_events",
        EVENTS,
        EVENTS.replace("outcome", "outcome,ended_on").replace("recovered", "recovered,2026-01-01"),
        2, "ended_on", "before the onset",
    ),
    "gamma": Spoilt(
        "images", IMAGES, IMAGES.replace("taken_on", "gamma").replace("2026-01-05", "22"), 2, "gamma", "must be 1 to 3"
    ),
    "region": Spoilt(
        "images", IMAGES, IMAGES.replace("taken_on", "region").replace("2026-01-05", "circle"), 2, "region", "circle:"
    ),
    "protocol": Spoilt("protocol", "lots =", "lot =", 49, "treatment.lot", "did you mean 'lots'?"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
def test_each_fault_is_named_with_place_and_way_out(tmp_path: Path, name: str):
    case = SPOILT[name]
    text = {"protocol": PROTOCOL} | {file.removesuffix(".csv"): text for file, text in TABLES.items()}
    spoilt = text[case.table].replace(case.old, case.new, 1)
    assert spoilt != text[case.table]
    faults = [f.fault for f in spoil(tmp_path, **{case.table: spoilt}) if not f.expected]
    said = [str(fault) for fault in faults if (fault.row, fault.column) == (case.row, case.column)]
    assert any(case.says.casefold() in line.casefold() for line in said), [str(fault) for fault in faults]


def test_the_tables_are_checked_against_what_is_sound_of_a_faulty_plan(tmp_path: Path):
    protocol = PROTOCOL.replace("title =", "titel =").replace("days_after = 0", 'days_after = "none"')
    faults = spoil(
        tmp_path, protocol=protocol.replace('sex = "male"', 'sex = "men"'), images=IMAGES.replace("P02,", "P2,")
    )
    assert {f.fault.column for f in faults if f.fault.file == "protocol.toml"} >= {"titel", "visits[1].days_after"}
    assert [f.fault.row for f in faults if f.fault.file == "images.csv"] == [4, 5]


def test_ineligible_people_are_named_although_the_plan_has_a_fault(tmp_path: Path):
    faults = spoil(
        tmp_path,
        protocol=PROTOCOL.replace("[treatment]", "[treatmint]"),
        participants=PARTICIPANTS.replace("male,41", "male,70"),
    )
    assert {"bad-protocol", "ineligible"} <= {f.code for f in faults}


def test_a_fault_in_one_row_brings_no_echo_from_others(tmp_path: Path):
    faults = spoil(tmp_path, participants=PARTICIPANTS.replace("male,41", "male,-3"))
    assert [(f.fault.file, f.fault.column) for f in faults] == [("participants.csv", "age")]


def test_decimal_commas_semicolons_and_a_byte_order_mark_change_nothing(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain = read(write_study(tmp_path / "a")).study
    folder = write_study(tmp_path / "b")
    for name, text in TABLES.items():
        german = text.replace(",", ";").replace("5.5", "5,5").replace("0.166", "0,166").replace("16.7", "16,7")
        (folder / name).write_bytes("\r\n".join(german.splitlines()).encode("utf-8-sig"))
    other = read(folder).study
    assert plain is not None
    assert other is not None
    assert other.images == plain.images
    assert other.movies == plain.movies
    assert other.answers == plain.answers


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_table_and_a_spreadsheet_are_named(tmp_path: Path, name: str):
    folder = write_study(tmp_path)
    (folder / name).write_bytes(b"")
    assert any("the file is empty" in str(finding) for finding in read(folder).findings)
    (folder / name).write_bytes(b"PK\x03\x04....xl/workbook.xml")
    assert any(f"{name}: this is an XLSX spreadsheet" in str(finding) for finding in read(folder).findings)


def test_ineligible_people_are_left_out_with_the_criterion_and_their_rows_counted(tmp_path: Path):
    folder = write_study(tmp_path, participants=PARTICIPANTS.replace("male,52,III vertex", "male,70,II"))
    reading = read(folder)
    study = reading.study
    assert study is not None
    assert [p.participant for p in study.eligible] == ["P01"]
    assert [p.participant for p in study.enrolled] == ["P01", "P02"]
    assert {image.participant for image in study.images} == {"P01"}
    said = [finding.fault.rule for finding in study.left_out if finding.participant == "P02"]
    assert said == [
        "enrolled but not eligible: age must be 22 to 65 years, is 70",
        "enrolled but not eligible: Norwood-Hamilton must be III to VI, is II",
        "left out with the participant: 2 images, 10 answers",
    ]


def test_a_screen_failure_is_listed_with_its_criterion_and_is_no_fault(tmp_path: Path):
    (finding,) = read(write_study(tmp_path)).findings
    assert finding.expected
    assert finding.effect == "exclude"
    assert finding.fault.rule == "screen failure: sex must be male, is female"


def test_the_events_of_an_ineligible_person_still_count_as_harm(tmp_path: Path):
    study = read(write_study(tmp_path, participants=PARTICIPANTS.replace("male,41", "male,70"))).study
    assert study is not None
    assert [event.participant for event in study.adverse_events] == ["P01"]


@pytest.mark.parametrize(("plan", "kept"), [("keep", 4), ("exclude", 3)])
def test_a_visit_outside_its_window_is_listed_and_treated_as_planned(tmp_path: Path, plan: str, kept: int):
    folder = write_study(
        tmp_path,
        protocol=PROTOCOL + f'[analysis]\noutside_window = "{plan}"\n',
        images=IMAGES.replace("2026-02-03", "2026-02-12"),
    )
    study = read(folder).study
    assert study is not None
    (finding,) = [f for f in study.findings if f.code == "outside-window"]
    assert (finding.participant, finding.visit, finding.fault.row) == ("P02", "week 4", 5)
    assert "2 days late" in finding.fault.rule
    assert len(study.images) == kept
    assert max(image.days_outside_window for image in study.images) == (2 if plan == "keep" else 0)


@pytest.mark.parametrize(
    ("participants", "today", "code"),
    [
        (PARTICIPANTS, TODAY, "missed-visit"),
        (PARTICIPANTS, dt.date(2026, 2, 5), "not-yet-due"),
        (
            PARTICIPANTS.replace("status", "status,withdrawn_on").replace("06,enrolled", "06,enrolled,2026-01-20"),
            TODAY,
            "withdrawn",
        ),
    ],
)
def test_a_planned_image_that_is_not_there_is_listed_with_its_reason(
    tmp_path: Path, participants: str, today: dt.date, code: str
):
    folder = write_study(
        tmp_path,
        participants=participants,
        images=IMAGES.replace("P02,week 4,target,1,images/P02_4.png,5.5,2026-02-03\n", ""),
    )
    study = load_study(folder, read_table=read_table, today=today)
    missing = [f for f in study.findings if f.participant == "P02" and f.fault.file == "images.csv"]
    assert [(f.code, f.visit, f.expected) for f in missing] == [(code, "week 4", True)]


def test_a_file_that_is_missing_leaves_the_rest_to_run(tmp_path: Path):
    folder = write_study(tmp_path)
    (folder / "images" / "P01_4.png").unlink()
    (folder / "movies" / "L1.tif").unlink()
    study = read(folder).study
    assert study is not None
    assert len(study.images) == 3
    assert [(f.effect, f.code) for f in study.findings if not f.expected] == [("exclude", "missing-file")] * 2


def test_no_adverse_events_file_is_not_no_adverse_events(tmp_path: Path):
    folder = write_study(tmp_path, adverse_events=None)
    study = read(folder).study
    assert study is not None
    assert not study.adverse_events_collected
    assert "harm-not-recorded" in {finding.code for finding in study.findings}
    (folder / "adverse_events.csv").write_text(EVENTS.partition("\n")[0] + "\n", encoding="utf-8")
    looked = read(folder).study
    assert looked is not None
    assert looked.adverse_events_collected
    assert looked.adverse_events == ()


def test_a_blank_answer_is_kept_as_missing(tmp_path: Path):
    study = read(write_study(tmp_path, survey=ANSWERS.replace("thickness,1", "thickness,", 1))).study
    assert study is not None
    assert study.answers[0].response is None


def test_an_answer_at_a_visit_that_was_not_planned_is_listed(tmp_path: Path):
    protocol = PROTOCOL.replace('visits = ["baseline", "week 4"]', 'visits = ["week 4"]')
    study = read(write_study(tmp_path, protocol=protocol)).study
    assert study is not None
    assert {f.code for f in study.left_out if not f.expected} == {"not-planned"}
    assert {answer.visit for answer in study.answers} == {"week 4"}


def test_files_are_found_in_their_folder_and_with_backslashes(tmp_path: Path):
    images = IMAGES.replace("images/P01_0", "P01_0").replace("images/P02_0", "images\\P02_0")
    study = read(write_study(tmp_path, images=images)).study
    assert study is not None
    assert [image.file for image in study.images][:3] == ["images/P01_0.png", "images/P01_4.png", "images/P02_0.png"]


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path):
    (tmp_path / "study").mkdir()
    folder = write_study(tmp_path / "study")
    (tmp_path / "secret.png").write_bytes(b"x")
    (folder / "images" / "P01_4.png").unlink()
    (folder / "images" / "P01_4.png").symlink_to(tmp_path / "secret.png")
    assert [f.code for f in read(folder).findings if f.effect == "stop"] == ["outside-folder"]


def test_regions_and_masks_travel_with_the_image(tmp_path: Path):
    columns = IMAGES.replace("taken_on", "taken_on,region,mask,gamma")
    images = columns.replace("01-05", '01-05,"circle:5,6,4",P02_0.png,2.2')
    study = read(write_study(tmp_path, images=images)).study
    assert study is not None
    assert study.images[0].region == Region.circle(5, 6, 4)
    assert study.images[0].mask == "images/P02_0.png"
    assert study.images[0].gamma == 2.2


def test_in_a_split_scalp_study_the_site_gives_the_arm(tmp_path: Path):
    protocol = PROTOCOL.replace('"single-arm"', '"split-scalp"').replace(
        'name = "exosome"',
        'name = "exosome"\nscalp_sites = ["left"]\n[[arms]]\nname = "saline"\nscalp_sites = ["right"]',
    )
    images = IMAGES.replace("P01,baseline,target", "P01,baseline,left").replace("target", "right")
    study = read(write_study(tmp_path, protocol=protocol, images=images)).study
    assert study is not None
    assert [image.arm for image in study.images] == ["exosome", "saline", "saline", "saline"]
    missed = [(f.participant, f.visit, f.fault.rule) for f in study.findings if f.code == "missed-visit"]
    assert missed == [
        ("P01", "baseline", "no image of the scalp site right of P01 at baseline (missed)"),
        ("P01", "week 4", "no image of the scalp site left of P01 at week 4 (missed)"),
    ]
    assert any("no arm" in str(f) for f in spoil(tmp_path, protocol=protocol))


def test_densities_measured_elsewhere_need_no_images(tmp_path: Path):
    measurements = (
        'participant,visit,density_per_cm2,method\nP01,baseline,140.5,TrichoScan\nP01,week 4,"150,5",TrichoScan\n'
    )
    folder = write_study(tmp_path, images=None, measurements=measurements)
    study = read(folder).study
    assert study is not None
    assert [density.density_per_cm2 for density in study.densities] == [140.5, 150.5]
    assert study.densities[0].method == "TrichoScan"


def test_a_column_that_is_not_read_is_named(tmp_path: Path):
    findings = spoil(tmp_path, lots=LOTS.replace("product", "produkt", 1))
    assert [(f.code, f.expected) for f in findings] == [("unread-column", True)]
    assert "Did you mean 'product'?" in str(findings[0])


def test_an_instrument_of_ones_own_lies_in_the_folder(tmp_path: Path):
    protocol = PROTOCOL.replace(
        'visits = ["baseline", "week 4"]', 'visits = ["baseline", "week 4"]\nfile = "mine.toml"'
    )
    assert next(f.code for f in spoil(tmp_path, protocol=protocol)) == "bad-instrument"
    (tmp_path / "mine.toml").write_text('name = "mine"', encoding="utf-8")
    assert {f.code for f in spoil(tmp_path, protocol=protocol)} == {"bad-instrument"}


def test_a_folder_that_is_not_there_is_one_fault(tmp_path: Path):
    with pytest.raises(InputFaults, match="there is no such folder"):
        load_study(tmp_path / "nowhere", read_table=read_table)
    with pytest.raises(InputFaults, match=r"protocol\.toml: there is no such file"):
        load_study(tmp_path, read_table=read_table)


def cells(text: str) -> list[tuple[int, int]]:
    return [(i, j) for i, line in enumerate(text.splitlines()) for j, _ in enumerate(line.split(","))]


PLACES = [(name, i, j) for name, text in TABLES.items() for i, j in cells(text)]
WORDS = ["", "-3", "0", "9e99", "NaN", "5,5", '"', "=1+1", "2026-13-45", "../x", "P01", "\u0000", "ü" * 300, "1/2/2026"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(WORDS) | st.text(max_size=12)), min_size=1, max_size=4)
)
def test_whatever_stands_in_the_cells_the_answer_is_findings(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[tuple[str, int, int], str]]
):
    folder = write_study(tmp_path_factory.mktemp("fuzz"))
    tables = {name: [line.split(",") for line in text.splitlines()] for name, text in TABLES.items()}
    for (name, i, j), word in changes:
        tables[name][i][j] = word
    for name, rows in tables.items():
        text = "\n".join(",".join(row) for row in rows)
        (folder / name).write_bytes(text.encode("utf-8", errors="surrogatepass"))
    reading = read(folder)
    assert all(f.fault.file and f.fault.rule and f.fault.way_out for f in reading.findings)
    if reading.study is not None:
        names = {p.participant for p in reading.study.eligible}
        assert {image.participant for image in reading.study.images} <= names


@settings(max_examples=50, deadline=None)
@given(st.integers(0, len(PROTOCOL)), st.integers(0, 20), st.text(max_size=20))
@example(186, 6, "")  # a pair that is one value, and no value of that kind
def test_whatever_stands_in_the_protocol_the_answer_is_findings(
    tmp_path_factory: pytest.TempPathFactory, at: int, length: int, text: str
):
    folder = write_study(tmp_path_factory.mktemp("fuzz"))
    spoilt = PROTOCOL[:at] + text + PROTOCOL[at + length :]
    (folder / "protocol.toml").write_bytes(spoilt.encode("utf-8", errors="surrogatepass"))
    reading = read(folder)
    assert all(f.fault.rule and f.fault.way_out for f in reading.findings)


def test_movies_may_be_folders_of_frames(tmp_path: Path):
    folder = write_study(tmp_path, movies=MOVIES.replace("movies/L1.tif", "L1_frames"))
    (folder / "movies" / "L1_frames").mkdir()
    study = read(folder).study
    assert study is not None
    assert study.movies[0].file == "movies/L1_frames"
