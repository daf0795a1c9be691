"""Answer a question from the library and write its page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anagen.evidence.answer import EvidenceAnswer, answer_question
from anagen.report.answer_page import write_answer_page
from anagen.report.svg import SvgFigure

PAPER = "#ffffff"
PEN = "#1a1a1a"


@dataclass(frozen=True)
class WrittenAnswer:
    """An answer and where its page is.

    Parameters
    ----------
    answer : EvidenceAnswer
        What the library says.
    page : Path
        The Markdown page; its figures lie beside it.
    """

    answer: EvidenceAnswer
    page: Path


def write_answer(intervention: str, outcome: str, folder: Path) -> WrittenAnswer:
    """Write the page of one question, with its figures, into `folder`.

    Parameters
    ----------
    intervention, outcome : str
        The question, as the library names it: ``exosome``, ``hair density``.
    folder : Path
        Made where it does not exist.

    Returns
    -------
    WrittenAnswer
    """
    answer = answer_question(intervention, outcome)
    page = write_answer_page(answer)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{page.name}.md"
    path.write_text(page.text, encoding="utf-8", newline="\n")
    for figure in page.figures:
        name = f"{page.name}-{figure.name}.svg"
        (folder / name).write_text(to_stand_alone(figure) + "\n", encoding="utf-8", newline="\n")
    return WrittenAnswer(answer, path)


def to_stand_alone(figure: SvgFigure) -> str:
    """Give a figure its own ink and paper: outside a page there is no text colour to take."""
    svg = figure.svg.replace("currentColor", PEN)
    end = svg.index(">") + 1
    opening = svg[: end - 1] + " font-family=\"'DejaVu Sans', Verdana, sans-serif\">"
    return f'{opening}<rect width="100%" height="100%" fill="{PAPER}"/>{svg[end:]}'
