"""Everything a trial's report shows, ready to be set: workflows fill it, `render_report` sets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from anagen.report.svg import SvgFigure


@dataclass(frozen=True)
class KeyNumber:
    """One number at the top of the page.

    Parameters
    ----------
    label, value, note : str
        What it is; the number with its unit; its interval, n and method in small print.
    """

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class FlowStep:
    """One box of the participant flow.

    Parameters
    ----------
    label : str
        ``Assessed for eligibility``, ``Week 4``, ...
    n : int
        People who reached it.
    losses : tuple of str
        Who did not go on, and why: one line a reason.
    by_arm : tuple of (arm, n)
        The same people by arm, in parallel groups; empty otherwise.
    """

    label: str
    n: int
    losses: tuple[str, ...] = ()
    by_arm: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class ExampleImage:
    """One photograph with the traced hairs drawn on it.

    Parameters
    ----------
    caption, alt : str
        Under it; and for whoever cannot see it.
    media_type : str
        ``image/jpeg`` or ``image/png``.
    data : bytes
        The encoded image.
    """

    caption: str
    alt: str
    media_type: str
    data: bytes


@dataclass(frozen=True)
class Answer:
    """What the study shows, in words.

    Parameters
    ----------
    headline : str
        One sentence.
    shows, cannot_show, next_study : tuple of str
        What the numbers say; what this design cannot say; what would answer the question.
    patient : tuple of str
        The same for a participant, in plain words.
    rules : str
        Name and version of the rules that chose the words.
    """

    headline: str
    shows: tuple[str, ...]
    cannot_show: tuple[str, ...]
    next_study: tuple[str, ...]
    patient: tuple[str, ...]
    rules: str


@dataclass(frozen=True)
class Section:
    """One part of the page.

    Parameters
    ----------
    id, title : str
        Anchor and heading.
    intro : tuple of str
        Paragraphs.
    tables : mapping
        Caption to table; every cell is printed as it stands (strings), numbers right-aligned.
    figures, images : tuple
        In order.
    notes : tuple of str
        Small print after them.
    folded : tuple of str
        Captions of the long tables that start closed.
    links : mapping
        Text to anchor: a cell that is this text, or names it between semicolons, leads there.
    """

    id: str
    title: str
    intro: tuple[str, ...] = ()
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    figures: tuple[SvgFigure, ...] = ()
    images: tuple[ExampleImage, ...] = ()
    notes: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportContent:
    """A whole report.

    Parameters
    ----------
    title, question, design : str
        From the protocol.
    banner : str
        A warning over everything, such as that the data are synthetic; empty for none.
    answer : Answer
        The verdict.
    key_numbers : tuple of KeyNumber
        At most four.
    flow : tuple of FlowStep
        In the order of the study.
    sections : tuple of Section
        In reading order.
    software : str
        Name and version that made it.
    """

    title: str
    question: str
    design: str
    banner: str
    answer: Answer
    key_numbers: tuple[KeyNumber, ...]
    flow: tuple[FlowStep, ...]
    sections: tuple[Section, ...]
    software: str
