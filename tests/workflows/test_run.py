"""The whole walk on studies small enough to know by heart."""

import csv
import datetime as dt
import json

import numpy as np
import pytest
from tests.workflows.fakes import CountingProgress

from anagen.errors import InputFaults
from anagen.wiring import make_run_ports
from anagen.workflows.run import run_study

PROTOCOL = """
title = "Paper study"
question = "Does density change?"
[design]
kind = "single-arm"
[[arms]]
name = "drug"
[[visits]]
name = "baseline"
week = 0
days_before = 7
days_after = 7
[[visits]]
name = "week 12"
week = 12
days_before = 7
days_after = 7
[[outcomes]]
name = "density"
kind = "density"
unit = "hairs/cm2"
baseline = "baseline"
visits = ["week 12"]
primary = true
"""


def write_paper_study(folder, before, after):
    """A study whose densities were measured elsewhere: typed in from a paper."""
    folder.mkdir(exist_ok=True)
    (folder / "protocol.toml").write_text(PROTOCOL)
    day = dt.date(2025, 3, 3)
    people = [{"participant": f"P{n}", "enrolled_on": day.isoformat(), "arm": "drug"} for n in range(len(before))]
    rows = [
        {
            "participant": f"P{n}",
            "visit": visit,
            "density_per_cm2": value,
            "measured_on": (day + after_days).isoformat(),
        }
        for visit, values, after_days in (
            ("baseline", before, dt.timedelta(0)),
            ("week 12", after, dt.timedelta(weeks=12)),
        )
        for n, value in enumerate(values)
        if value is not None
    ]
    for name, table in (("participants", people), ("measurements", rows)):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(table[0]))
            writer.writeheader()
            writer.writerows(table)


def run(folder):
    return run_study(folder, make_run_ports(jobs=1, scheduler=None, progress=CountingProgress()))


def test_the_estimate_is_the_paired_t_test_on_complete_pairs(tmp_path):
    before, after = [100.0, 120.0, 90.0, 140.0], [108.0, 121.0, 99.0, 142.0]
    write_paper_study(tmp_path, before, after)
    run(tmp_path)
    estimates = json.loads((tmp_path / "results" / "results.json").read_text())["estimates"]
    change = np.subtract(after, before)
    assert {row["role"] for row in estimates} == {"planned", "sensitivity"}
    for row in estimates:
        assert row["estimate"] == pytest.approx(change.mean(), rel=1e-9)
    assert estimates[0]["p_value"] == pytest.approx(estimates[1]["p_value"], rel=1e-6)


def test_a_rise_in_one_arm_is_never_called_an_effect(tmp_path):
    rng = np.random.default_rng(1)
    before = rng.normal(120, 20, 30)
    write_paper_study(tmp_path, before, before + rng.normal(40, 5, 30))
    summary = run(tmp_path)
    page = (tmp_path / "results" / "report.html").read_text().casefold()
    assert "cannot answer the question" in summary.headline
    assert "is effective" not in page
    assert "is safe" not in page


def test_without_a_table_of_events_nothing_is_said_about_harm(tmp_path):
    write_paper_study(tmp_path, [100.0, 120.0, 90.0], [108.0, 121.0, 99.0])
    run(tmp_path)
    assert "nothing can be said about harm" in (tmp_path / "results" / "report.html").read_text()


def test_one_pair_gives_a_report_with_the_reason_for_no_estimate(tmp_path):
    write_paper_study(tmp_path, [100.0, 120.0], [108.0, None])
    run(tmp_path)
    page = (tmp_path / "results" / "report.html").read_text()
    assert "fewer than three participants have both" in page


def test_a_second_run_writes_the_same_bytes(tmp_path):
    write_paper_study(tmp_path, [100.0, 120.0, 90.0], [108.0, 121.0, 99.0])
    run(tmp_path)
    whole = [f for f in (tmp_path / "results").rglob("*") if f.is_file() and ".sqlite" not in f.name]
    first = {f: f.read_bytes() for f in whole}
    run(tmp_path)
    assert {f: f.read_bytes() for f in first} == first


def test_faults_stop_a_run_and_lose_nothing(tmp_path):
    write_paper_study(tmp_path, [100.0, 120.0, 90.0], [108.0, 121.0, 99.0])
    run(tmp_path)
    report = (tmp_path / "results" / "report.html").read_bytes()
    write_paper_study(tmp_path, [100.0, -120.0, 90.0], [108.0, 121.0, 99.0])
    with pytest.raises(InputFaults, match=r"measurements.csv, row 3, density_per_cm2"):
        run(tmp_path)
    assert (tmp_path / "results" / "report.html").read_bytes() == report
