"""Whole studies of each design, small enough to know: arms, split scalps, missing visits, judged bias, every file."""

import csv
import datetime as dt
import json
import re
from html.parser import HTMLParser
from importlib import resources
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from tests.workflows.fakes import CountingProgress

from anagen.stats import analyse_imputed
from anagen.wiring import make_run_ports
from anagen.workflows.run import run_study

DAY = dt.date(2025, 3, 3)
WEEKS = {"baseline": 0, "week 4": 4, "week 12": 12}
PLAN = """
title = "Two arms"
question = "Does density change more than with sham?"
[design]
kind = "{kind}"
randomised = true
blinding = "double"
[[arms]]
name = "exosome"
{treated}
[[arms]]
name = "sham"
control = true
{control}
[[visits]]
name = "baseline"
week = 0
days_before = 7
days_after = 7
[[visits]]
name = "week 4"
week = 4
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
primary = true
baseline = "baseline"
visits = ["week 4", "week 12"]
smallest_important_difference = 10
smallest_important_difference_source = "made up for this test"
[analysis]
missing_data = "{missing}"
"""


def write_table(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_two_arms(folder, missing="mar", effect=12.0, n=24):
    """Half exosome, half sham; every fifth leaves before week 12; the effect is planted."""
    rng = np.random.default_rng(4)
    folder.mkdir(exist_ok=True)
    (folder / "protocol.toml").write_text(PLAN.format(kind="parallel", treated="", control="", missing=missing))
    people, rows = [], []
    for k in range(n):
        arm = ("exosome", "sham")[k % 2]
        people.append({"participant": f"P{k}", "enrolled_on": DAY.isoformat(), "arm": arm})
        level = rng.normal(130, 20)
        for visit, week in WEEKS.items():
            if visit == "week 12" and k % 5 == 0:
                continue
            value = level + rng.normal(0, 4) + (effect * week / 12 if arm == "exosome" else 0)
            rows.append(
                {
                    "participant": f"P{k}",
                    "visit": visit,
                    "density_per_cm2": round(value, 2),
                    "measured_on": (DAY + dt.timedelta(weeks=week)).isoformat(),
                }
            )
    write_table(folder / "participants.csv", people)
    write_table(folder / "measurements.csv", rows)
    return folder


def write_split_scalps(folder, n=16):
    rng = np.random.default_rng(6)
    folder.mkdir(exist_ok=True)
    sides = {"treated": 'scalp_sites = ["left"]', "control": 'scalp_sites = ["right"]'}
    (folder / "protocol.toml").write_text(PLAN.format(kind="split-scalp", missing="mar", **sides))
    people = [{"participant": f"P{k}", "enrolled_on": DAY.isoformat()} for k in range(n)]
    rows = []
    for k in range(n):
        level = rng.normal(130, 20)
        for visit, week in WEEKS.items():
            for site in ("left", "right"):
                value = level + rng.normal(0, 4) + (8 * week / 12 if site == "left" else 2 * week / 12)
                rows.append(
                    {
                        "participant": f"P{k}",
                        "visit": visit,
                        "scalp_site": site,
                        "density_per_cm2": round(value, 2),
                        "measured_on": (DAY + dt.timedelta(weeks=week)).isoformat(),
                    }
                )
    write_table(folder / "participants.csv", people)
    write_table(folder / "measurements.csv", rows)
    return folder


def run(folder):
    summary = run_study(folder, make_run_ports(jobs=1, scheduler=None, progress=CountingProgress()))
    estimates = json.loads((folder / "results" / "results.json").read_text())["estimates"]
    return summary, pl.DataFrame(estimates), (folder / "results" / "report.html").read_text()


def test_two_arms_find_the_planted_difference_and_every_assumption_stands_beside_it(tmp_path):
    _, estimates, page = run(write_two_arms(tmp_path))
    last = estimates.filter((pl.col("visit") == "week 12") & (pl.col("role") == "planned"))
    assert last.height == 1
    assert last["ci_low"][0] < 12.0 < last["ci_high"][0]
    assert "MMRM" in last["method"][0]
    beside = estimates.filter((pl.col("visit") == "week 12") & (pl.col("role") == "sensitivity"))
    assert [method.split(";")[0] for method in beside["method"]] == [
        "imputed: jump to reference",
        "imputed: copy reference",
        "imputed: copy increments",
        "imputed: last mean carried forward",
    ]
    assert "CONSORT 2025" in page
    assert "<span>exosome: 12</span><span>sham: 12</span>" in page
    assert "5 without a measurement (exosome 3, sham 2)" in page
    assert "of exosome" in page


@pytest.mark.parametrize("plan", ["jump-to-reference", "copy-increments", "last-mean"])
def test_the_planned_assumption_on_missing_visits_is_what_leads(tmp_path, plan):
    folder = write_two_arms(tmp_path, missing=plan)
    _, estimates, _ = run(folder)
    planned = estimates.filter((pl.col("visit") == "week 12") & (pl.col("role") == "planned"))
    strategy = "last-mean-carried-forward" if plan == "last-mean" else plan
    assert planned["method"].to_list() == [f"imputed: {strategy.replace('-', ' ')}; jackknife"]
    assert planned["p_adjusted"][0] is not None
    measured = pl.read_csv(folder / "measurements.csv").join(pl.read_csv(folder / "participants.csv"), on="participant")
    wide = measured.pivot(on="visit", index=["participant", "arm"], values="density_per_cm2")
    table = wide.unpivot(["week 4", "week 12"], index=["participant", "arm", "baseline"], variable_name="visit")
    direct = analyse_imputed(
        table.with_columns(change=pl.col("value") - pl.col("baseline")),
        response="change",
        fixed="baseline * visit + arm * visit",
        subject="participant",
        visit="visit",
        arm="arm",
        reference="sham",
        analysis="arm + baseline",
        strategy=strategy,
    ).table
    row = direct.filter((pl.col("visit") == "week 12") & (pl.col("quantity") == "exosome - sham"))
    assert planned["estimate"][0] == pytest.approx(row["estimate"][0], rel=1e-6)


def test_harm_of_the_control_is_not_the_treatments(tmp_path):
    folder = write_two_arms(tmp_path)
    event = {"onset": "2025-03-04", "term": "headache", "grade": 2, "serious": "no", "related": "no", "outcome": "gone"}
    hurt = ["P1", "P3", "P5", "P7", "P0"]  # four under sham, one under exosome
    write_table(folder / "adverse_events.csv", [{"participant": name} | event for name in hurt])
    _, _, page = run(folder)
    assert "1 of 12 treated people had at least one adverse event" in page
    assert "sham: 4 of 12 people with an event" in page
    assert "Sham: by grade and relation" in page
    verdict = json.loads((folder / "results" / "results.json").read_text())["verdict"]
    said = " ".join(
        fact for s in verdict["statements"] if s["topic"] == "harm" or "harm" in s["rule"] for fact in s["facts"]
    )
    assert "5" not in said.split("of")[0]


def test_the_tipping_point_is_told_with_its_picture(tmp_path):
    _, _, page = run(write_two_arms(tmp_path))
    assert "What missing values could change" in page
    assert re.search(r"It would turn if the missing values lay [\d.]+ hairs/cm2 lower than expected", page)
    assert (tmp_path / "results" / "figures" / "missing-tipping-point.png").read_bytes().startswith(b"\x89PNG")


def test_split_scalps_compare_the_sides_within_people(tmp_path):
    _, estimates, page = run(write_split_scalps(tmp_path))
    last = estimates.filter(pl.col("visit") == "week 12").row(0, named=True)
    assert last["ci_low"] < 6.0 < last["ci_high"]
    assert last["comparison"] == "exosome − sham, change to week 12"
    assert "on two sites of the same scalp" in page
    assert "What missing values could change" not in page


def test_a_judged_bias_reaches_the_verdict_and_the_page(tmp_path):
    folder = write_two_arms(tmp_path)
    _, _, before = run(folder)
    assert "Nobody has judged the risk of bias" in before
    answers = resources.files("anagen.workflows") / "templates" / "example-risk_of_bias.toml"
    (folder / "risk_of_bias.toml").write_text(answers.read_text(encoding="utf-8"))
    _, _, page = run(folder)
    assert "judged by the authors of the example" in page
    verdict = json.loads((folder / "results" / "results.json").read_text())["verdict"]
    rules = {statement["rule"] for statement in verdict["statements"]}
    assert "bias-unknown" not in rules
    assert any(rule.startswith("bias-") for rule in rules)
    assert "certainty-grade" in rules


def test_every_table_and_figure_of_the_page_is_a_file_and_none_stays_behind(tmp_path):
    folder = write_two_arms(tmp_path)
    stale = folder / "results" / "tables" / "density-of-an-earlier-run.csv"
    stale.parent.mkdir(parents=True)
    stale.write_text("old")
    _, _, page = run(folder)
    assert not stale.exists()
    captions = re.findall(r"<caption>", page)
    assert len(list(stale.parent.glob("*.csv"))) == len(captions)
    figures = folder / "results" / "figures"
    names = {path.stem for path in figures.glob("*.svg")}
    assert names == {path.stem for path in figures.glob("*.png")}
    assert len(names) == page.count('<figure id="figure-')


class Outline(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("name", ["report.html", "patient.html"])
def test_pages_can_be_read_by_a_screen_reader(tmp_path, name):
    folder = write_two_arms(tmp_path)
    run(folder)
    outline = Outline()
    outline.feed((folder / "results" / name).read_text())
    tags = outline.tags
    assert ("html", {"lang": "en"}) in tags
    assert all(attrs.get("alt") for tag, attrs in tags if tag == "img")
    pictures = [attrs for tag, attrs in tags if tag == "svg"]
    assert pictures
    assert all(attrs.get("role") == "img" and attrs.get("aria-label") for attrs in pictures)
    assert all(attrs.get("scope") for tag, attrs in tags if tag == "th")
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    leads = {attrs["href"][1:] for tag, attrs in tags if tag == "a"}
    assert leads <= set(ids)


def test_the_patient_page_uses_short_plain_sentences(tmp_path):
    folder = write_two_arms(tmp_path)
    run(folder)
    page = (folder / "results" / "patient.html").read_text()
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<footer>.*?</footer>", " ", page, flags=re.DOTALL)
    words = re.sub(r"<[^>]+>", " ", text)
    assert "alk to a specialist about your own case" in words
    for jargon in ("p-value", "p =", "interval", "MMRM", "GRADE", "placebo-controlled", "effective", "safe"):
        assert jargon not in words
    sentences = [s.split() for s in re.split(r"[.?!]\s", words) if s.split()]
    assert np.mean([len(s) for s in sentences]) < 16
