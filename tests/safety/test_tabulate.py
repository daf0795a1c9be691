import polars as pl
import pytest

from anagen.errors import InputError, InputFaults
from anagen.safety import clopper_pearson, tabulate_adverse_events
from anagen.safety.tabulate import COLUMNS


def events(*rows):
    return pl.DataFrame(rows, schema=list(COLUMNS), orient="row")


FOUR = events(
    ("P01", "2025-03-01", "pain", 1, "no", "definite", "recovered"),
    ("P01", "2025-04-01", "pain", 2, "no", "probable", "recovered"),
    ("P02", "2025-03-02", "pain", 1, "no", "unlikely", "recovered"),
    ("P02", "2025-05-02", "fracture", 3, "yes", "unrelated", "recovered"),
)


def test_people_are_counted_not_events():
    table = tabulate_adverse_events(FOUR, 30)
    assert table["term"].to_list() == ["any adverse event", "pain", "fracture"]
    assert table["n_people"].to_list() == [2, 2, 1]
    assert table["n_events"].to_list() == [4, 3, 1]
    assert tuple(table.select("ci_low", "ci_high").row(1)) == clopper_pearson(2, 30)
    assert table["upper_one_sided"][2] == clopper_pearson(1, 30, sides="upper")[1]


def test_no_event_still_gives_a_row_with_its_bound():
    table = tabulate_adverse_events(FOUR.head(0), 30)
    assert table.height == 1
    assert table["n_people"][0] == 0
    assert table["ci_high"][0] == pytest.approx(0.115703308, rel=1e-8)


def test_by_grade_seriousness_and_relatedness():
    by_grade = tabulate_adverse_events(FOUR, 30, by="grade").filter(pl.col("grade").is_not_null()).sort("grade")
    assert by_grade["n_people"].to_list() == [2, 1, 1]
    worst = tabulate_adverse_events(FOUR, 30, by="worst_grade").filter(pl.col("worst_grade").is_not_null())
    assert dict(worst.select("worst_grade", "n_people").iter_rows()) == {2: 1, 3: 1}
    serious = tabulate_adverse_events(FOUR, 30, by="serious")
    assert serious.filter(pl.col("serious"))["n_people"].to_list() == [1]
    related = tabulate_adverse_events(FOUR, 30, by=["term", "is_related"])
    assert related.filter((pl.col("term") == "pain") & pl.col("is_related"))["n_people"].to_list() == [1]


def test_exposure_adds_a_rate():
    table = tabulate_adverse_events(FOUR, 30, exposure_person_years=20)
    assert table["rate_per_100_person_years"].to_list() == [20, 15, 5]
    assert table["rate_ci_high"][0] > 20


def test_row_order_of_the_file_does_not_matter():
    assert tabulate_adverse_events(FOUR.reverse(), 30).equals(tabulate_adverse_events(FOUR, 30))


def test_every_fault_is_named_at_once():
    bad = events(
        ("P01", "", "pain", 6, "no", "definite", ""),
        ("", "", "pain", 1, "perhaps", "definite", ""),
        ("P02", "", "", 1, "no", "surely", ""),
    )
    with pytest.raises(InputFaults) as caught:
        tabulate_adverse_events(bad, 30)
    places = [(fault.row, fault.column) for fault in caught.value.faults]
    assert places == [(2, "grade"), (3, "participant"), (3, "serious"), (4, "term"), (4, "related")]


def test_refuses_more_people_with_events_than_treated():
    with pytest.raises(InputError, match="2 people had adverse events but n_treated is 1"):
        tabulate_adverse_events(FOUR, 1)
    with pytest.raises(InputError, match="missing: grade"):
        tabulate_adverse_events(FOUR.drop("grade"), 30)
    with pytest.raises(InputError, match="by must name some of term"):
        tabulate_adverse_events(FOUR, 30, by="colour")
