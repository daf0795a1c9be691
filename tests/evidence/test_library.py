"""The library: every number with its source, blank where not read, the source study as published."""

from __future__ import annotations

import polars as pl
import pytest

from anagen.errors import InputError
from anagen.evidence.library import (
    KINDS,
    NUMBERS,
    find_question,
    load_bias_judgements,
    load_library,
    select_studies,
)
from anagen.evidence.no_effect import PUBLISHED_NATURAL_CHANGES
from anagen.evidence.study_checks import ReportedStudy, check_reported


def test_every_row_says_what_it_is_and_what_was_read():
    library = load_library()
    assert set(library["kind"]) == set(KINDS)
    assert library.filter((pl.col("read") == "") | (pl.col("study") == "")).is_empty()
    assert {"exosome", "PRP", "minoxidil", "finasteride"} <= set(library["intervention"])


def test_no_mirror_addresses():
    text = load_library().select(pl.col(pl.String)).to_numpy().astype(str)
    assert not any("http" in cell or "www." in cell for cell in text.ravel())


def test_the_source_study_stands_as_published():
    rows = load_library().filter(study="Ersan 2024")
    assert rows.height == 3
    for name in set(NUMBERS) - {"n", "weeks"}:
        assert rows[name].null_count() == 3, name
    assert set(rows["p_value_text"]) == {"p < 0.05"}
    assert set(rows["n"]) == {30.0}
    assert rows["unit"].to_list() == ["", "", ""]


def test_no_row_holds_an_impossible_number():
    rows = load_library().iter_rows(named=True)
    reported = [
        ReportedStudy(r["study"], effect=r["effect"], ci_low=r["ci_low"], ci_high=r["ci_high"], sd1=r["change_sd"])
        for r in rows
    ]
    assert check_reported(reported) == ()


def test_natural_changes_are_those_of_the_library():
    controls = load_library().filter((pl.col("role") == "control") & (pl.col("unit") == "hairs/cm2"))
    for change in PUBLISHED_NATURAL_CHANGES:
        row = controls.filter(study=change.study).row(0, named=True)
        assert (change.mean_change, change.weeks, change.n) == (row["change_mean"], row["weeks"], row["n"])
        assert change.sd_assumed == (row["change_sd"] is None)
        assert change.sd_assumed or change.change_sd == row["change_sd"]


def test_selection_takes_counts_for_densities_and_names_what_there_is():
    found = select_studies(load_library(), "Exosome", "hair density")
    assert {"Ersan 2024", "Amini 2025"} <= set(found["study"])
    with pytest.raises(InputError, match=r"intervention must be one of .*exosome"):
        select_studies(load_library(), "magnet", "hair density")
    with pytest.raises(InputError, match=r"outcome must be one of .*satisfaction"):
        select_studies(load_library(), "exosome", "beard")


def test_every_study_judged_is_in_the_library():
    judged = load_bias_judgements()
    assert set(judged) <= set(load_library()["study"])
    assert judged["Ersan 2024"].overall == "critical"
    assert judged["Amini 2025"].overall == "high"


def test_questions():
    assert find_question("exosome", "hair density").study_that_asked == "Ersan 2024"
    assert find_question("PRP", "hair density") is None
