"""The living answer: its numbers, its laws, and the committed page, which cannot go stale."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from tests.evidence.readability import reading_age
from typer.testing import CliRunner

from anagen.cli.answer import answer as answer_command
from anagen.errors import InputError
from anagen.evidence.answer import answer_question
from anagen.evidence.verdict_rules import CLAIM_WORDS, LAST_PATIENT_SENTENCE
from anagen.report.answer_page import write_answer_page
from anagen.workflows.answer import write_answer

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "answers"


@pytest.fixture(scope="module")
def exosome():
    return answer_question("exosome", "hair density")


def words_of(svg: str) -> list[str]:
    """What a figure says; where letters stand may differ between versions of the drawing library."""
    return re.findall(r"<text[^>]*>(.*?)</text>|aria-label=\"(.*?)\"", svg, flags=re.DOTALL)


def test_the_committed_page_is_what_the_library_says(tmp_path):
    """After a change of the library or the rules: anagen answer exosome "hair density" --out docs/answers."""
    page = write_answer("exosome", "hair density", tmp_path).page
    assert (COMMITTED / page.name).read_text(encoding="utf-8") == page.read_text(encoding="utf-8")
    figures = sorted(path.name for path in tmp_path.glob("*.svg"))
    assert figures == sorted(path.name for path in COMMITTED.glob("exosome-hair-density-*.svg"))
    for name in figures:
        assert words_of((COMMITTED / name).read_text()) == words_of((tmp_path / name).read_text()), name


def test_writing_twice_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_answer("exosome", "hair density", tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_the_honest_answer(exosome):
    assert exosome.graded.certainty == "very low"
    assert exosome.professional.startswith("The evidence does not tell whether exosome treatment changes hair density.")
    assert exosome.patient.endswith(LAST_PATIENT_SENTENCE)
    assert reading_age(exosome.patient) <= 12
    assert (exosome.trial.n_per_group_80, exosome.trial.n_per_group_90) == (77, 103)
    assert set(exosome.verdicts["Ersan 2024"].cannot_show) >= {"what would have happened without the treatment"}


def test_the_yardstick_of_the_note(exosome):
    pooled = exosome.pooled_difference["minoxidil 5 %"]
    assert (round(pooled.estimate, 1), pooled.n_studies) == (15.7, 2)
    differences = {c.study + c.group: c.difference.effect for c in exosome.compared if c.difference}
    assert differences["Olsen 2002minoxidil 5 %"] == pytest.approx(14.7)
    assert differences["Olsen 2002minoxidil 2 %"] == pytest.approx(8.8)
    assert "plant-extract exosome formulation" in exosome.pooled
    assert exosome.pooled["plant-extract exosome formulation"].n_studies == 1


def test_what_cannot_be_pooled_is_named_with_its_reason(exosome):
    berger = next(c for c in exosome.compared if c.study == "Berger 2003")
    assert berger.difference is None
    assert berger.conversion == "not pooled: no standard deviation of change was read"
    amini = next(c for c in exosome.compared if c.study == "Amini 2025")
    assert "median taken as mean" in amini.conversion


@pytest.mark.parametrize("intervention", ["exosome", "PRP", "minoxidil", "finasteride"])
def test_no_page_praises(intervention):
    found = answer_question(intervention, "hair density")
    page = write_answer_page(found)
    assert not CLAIM_WORDS.search(found.professional + found.patient)
    said = re.sub(r"FDA public safety notification", "", page.text)
    assert not CLAIM_WORDS.search(said)
    assert "http" not in page.text
    assert "nan" not in page.text
    assert "None" not in page.text


def test_every_figure_has_words_for_those_who_cannot_see_it(exosome):
    page = write_answer_page(exosome)
    assert len(page.figures) == 4
    for figure in page.figures:
        assert len(figure.alt) > 40
        assert f"![{figure.alt}]" in page.text


def test_command(tmp_path):
    app = typer.Typer()
    app.command()(answer_command)
    done = CliRunner().invoke(app, ["exosome", "hair density", "--out", str(tmp_path), "--json"])
    said = json.loads(done.stdout)
    assert (said["certainty"], said["n_per_group"]) == ("very low", 103)
    assert Path(said["page"]).is_file()
    assert "Wrote" in CliRunner().invoke(app, ["minoxidil", "--out", str(tmp_path)]).stdout


def test_an_unknown_question_names_what_there_is():
    with pytest.raises(InputError, match="intervention must be one of"):
        answer_question("magnet", "hair density")
