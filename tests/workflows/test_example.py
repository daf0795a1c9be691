"""The example study, small: written, run with one worker and with two, broken, and run again."""

import json
import shutil

import polars as pl
import pytest
from tests.workflows.fakes import CountingProgress

from anagen.wiring import make_example_ports, make_run_ports
from anagen.workflows.run import run_study
from anagen.workflows.write_example import write_example_study

SEED = 7


def run(folder, jobs=1):
    return run_study(folder, make_run_ports(jobs=jobs, scheduler=None, progress=CountingProgress()))


def results(folder):
    whole = (folder / "results").rglob("*")
    return {str(f.relative_to(folder)): f.read_bytes() for f in whole if f.is_file() and ".sqlite" not in f.name}


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example") / "study"
    ports = make_example_ports(jobs=1, progress=CountingProgress())
    write_example_study(folder, seed=SEED, ports=ports, n_enrolled=4, n_frames=80)
    return folder


@pytest.fixture(scope="module")
def measured(example, tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured") / "study"
    shutil.copytree(example, folder)
    return folder, run(folder)


def test_measures_everything_once(measured):
    folder, summary = measured
    assert summary.n_measured == summary.n_files == 4 * 3 - 1 + 4
    assert summary.n_failed == 0
    assert run(folder).n_measured == 0


def test_the_same_bytes_for_two_workers(example, measured, tmp_path):
    other = tmp_path / "study"
    shutil.copytree(example, other)
    run(other, jobs=2)
    assert results(other) == results(measured[0])


def test_the_measured_density_follows_the_planted_one(measured):
    folder, _ = measured
    values = pl.read_csv(folder / "results" / "values-density.csv")
    planted = pl.read_csv(folder / "planted.csv")
    both = values.join(planted, on=["participant", "visit"])
    assert both.height >= 9
    error = (both["value"] - both["density_per_cm2"]).abs() / both["density_per_cm2"]
    assert error.median() < 0.15


def test_one_bad_file_flags_itself_and_the_rest_go_on(measured, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(measured[0], folder)
    image = min((folder / "images").iterdir())
    image.write_text("this is not an image")
    summary = run(folder)
    assert summary.n_failed == 1
    assert summary.n_measured == 1
    assert image.name in (folder / "results" / "report.html").read_text()
    assert run(folder).n_measured == 0


def test_the_report_prints_the_origin_of_every_number(measured):
    folder, _ = measured
    said = json.loads((folder / "results" / "results.json").read_text())
    page = (folder / "results" / "report.html").read_text()
    of_files = [m for m in said["measurements"] if m["algorithm"] != "hair-match"]
    assert len(of_files) == 15
    for measurement in said["measurements"]:
        assert measurement["input_sha256"] in page
        assert measurement["algorithm"] in page
