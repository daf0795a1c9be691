"""`anagen pool`: a table typed from papers, pooled; every fault named at once."""

from __future__ import annotations

import json
import math

import pytest
import typer
from typer.testing import CliRunner

from anagen.cli.pool import pool as pool_command
from anagen.errors import InputError, InputFaults, NotEnoughDataError
from anagen.evidence.pool import pool_effects
from anagen.workflows.pool import draw_pool, pool_table, save_figures

GROUPS = """study,year,group,mean1,sd1,n1,mean2,sd2,n2,n_total
Olsen 2002,2002,solution,18.6,25.4,139,3.9,21.7,78,217
Olsen 2007,2007,foam,20.9,22.5,180,4.7,19.7,172,352
Invented,2010,foam,10.0,20.0,50,6.0,21.0,50,100
"""


@pytest.fixture
def table(tmp_path):
    def write(text: str):
        path = tmp_path / "effects.csv"
        path.write_text(text)
        return path

    return write


def test_differences_from_means_and_standard_deviations(table):
    result = pool_table(table(GROUPS), measure="MD")
    assert [s.effect for s in result.studies] == pytest.approx([14.7, 16.2, 4.0])
    by_hand = pool_effects([14.7, 16.2, 4.0], [25.4**2 / 139 + 21.7**2 / 78, 22.5**2 / 180 + 19.7**2 / 172, 16.82])
    assert result.pooled.estimate == pytest.approx(by_hand.estimate)
    assert result.left_out.height == 3
    assert result.influence.height == 3
    assert result.cumulative["added"].to_list() == ["Olsen 2002", "Olsen 2007", "Invented"]
    assert set(result.subgroups.pooled) == {"solution", "foam"}


@pytest.mark.parametrize(
    ("columns", "row", "std_error", "how"),
    [
        ("effect,variance", "3,4", 2.0, "variance as given"),
        ("effect,std_error", "3,2", 2.0, "standard error as given"),
        ("effect,ci_low,ci_high", "3,-0.92,6.92", 2.0, "95 % interval"),
        ("effect,p_value", "3,0.1336", 2.0, "two-sided p"),
    ],
)
def test_error_from_whatever_is_printed(table, columns, row, std_error, how):
    result = pool_table(table(f"study,{columns}\nA,{row}\n"))
    assert math.sqrt(result.studies[0].variance) == pytest.approx(std_error, rel=1e-3)
    assert how in result.studies[0].how
    assert result.pooled.flags[0].code == "one-study"


def test_proportions_with_no_event_anywhere(table):
    result = pool_table(table("study,events1,n1\nA,0,30\nB,0,39\n"), measure="PLO")
    assert result.events.ci_high == pytest.approx(1 - 0.025 ** (1 / 69))
    assert result.events.flags[0].code == "no-events"


def test_meta_regression_on_a_column(table):
    text = "study,effect,variance,weeks\nA,1,0.1,0\nB,2,0.1,1\nC,3.2,0.1,2\nD,4,0.1,3\n"
    result = pool_table(table(text), moderator="weeks")
    assert result.regression.coefficients["term"].to_list() == ["intercept", "weeks"]
    with pytest.raises(InputError, match="--moderator must be a column"):
        pool_table(table(text), moderator="dose")


def test_every_fault_is_named_with_row_and_column(table):
    text = """study,effect,ci_low,ci_high,p_value,n1,n2,n_total
Good,5,1,9,0.014,20,20,40
Excluded,5,6,9,,20,20,40
Contradiction,5,1,9,0.6,20,20,40
Sum,5,1,9,,20,20,41
Nothing,,,,,,,
"""
    with pytest.raises(InputFaults) as caught:
        pool_table(table(text))
    found = {(fault.row, fault.column) for fault in caught.value.faults}
    assert found == {(3, "effect"), (4, "p_value"), (5, "n_total"), (6, "effect")}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("study,effect,variance\n", NotEnoughDataError, "no row"),
        ("name,effect\nA,1\n", InputError, "no column study"),
        ("study,effect,variance\nA,1,0\n", InputFaults, "a variance must be above 0"),
        ("study,effect,variance\nA,one,1\n", InputFaults, "must be a number"),
        ("study,mean1,sd1,n1\nA,1,0,10\n", InputFaults, "standard deviation must be above 0"),
    ],
)
def test_refusals(table, text, error, message):
    with pytest.raises(error, match=message):
        pool_table(table(text), measure="MC" if "mean1" in text else None)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="is no file"):
        pool_table(tmp_path / "none.csv")


def test_forest_names_every_study(table):
    figure = draw_pool(pool_table(table(GROUPS), measure="MD"))
    assert all(name in figure.alt for name in ("Olsen 2002", "Olsen 2007", "Invented", "pooled"))


def test_names_of_metafor_are_understood(table):
    result = pool_table(table("slab,yi,vi\nA,1,0.5\nB,2,0.5\n"))
    assert result.pooled.estimate == pytest.approx(1.5)
    with pytest.raises(InputError, match="two columns for effect"):
        pool_table(table("study,yi,effect,vi\nA,1,1,0.5\n"))


def test_figures(table, tmp_path):
    result = pool_table(table(GROUPS), measure="MD")
    paths = save_figures(result, tmp_path / "figures")
    assert [path.name for path in paths] == ["forest.svg", "funnel.svg", "gosh.svg"]
    assert "Invented" in paths[2].read_text()
    one = pool_table(table("study,effect,variance\nA,1,1\n"))
    assert [path.name for path in save_figures(one, tmp_path / "one")] == ["forest.svg"]


def test_command(table, tmp_path):
    app = typer.Typer()
    app.command()(pool_command)
    path, forest = table(GROUPS), tmp_path / "forest.svg"
    done = CliRunner().invoke(app, [str(path), "--measure", "MD", "--forest", str(forest), "--json"])
    said = json.loads(done.stdout)
    assert said["ok"]
    assert said["n_studies"] == 3
    assert {"estimate", "tau2", "i2", "prediction_low", "left_out", "subgroups"} <= set(said)
    assert forest.read_text().startswith("<svg")
    shown = CliRunner().invoke(app, [str(path), "--measure", "MD", "--normal", "--moderator", "year"]).stdout
    assert "Pooled (reml, normal)" in shown
    assert "fewer than ten studies" in shown
