"""Risk of bias at a glance: a sign and a colour for each study and domain, and how the domains are shared out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from anagen.errors import InputError
from anagen.evidence.bias import BiasInstrument, BiasJudgement
from anagen.report.svg import GREY, INK, SvgFigure, drawing, to_svg

LOOK: Final = {
    "low": ("#2f6fb3", "+", "white"),
    "some concerns": ("#e0b040", "?", "#222222"),
    "moderate": ("#e0b040", "–", "#222222"),
    "high": ("#b2473a", "x", "white"),
    "serious": ("#d9741a", "x", "#222222"),
    "critical": ("#b2473a", "!", "white"),
    "no information": ("#c9c9c6", "·", "#222222"),
}
"""Fill, sign and the sign's colour: the sign alone tells in grey print and to colour-blind readers."""


def draw_traffic_lights(
    judgements: Sequence[BiasJudgement], instrument: BiasInstrument, *, name: str = "bias-studies"
) -> SvgFigure:
    """Draw one row a study, one column a domain and the overall judgement.

    Parameters
    ----------
    judgements : sequence of BiasJudgement
        Of one instrument, at least one.
    instrument : BiasInstrument
        That instrument.
    name : str
        Of the figure.
    """
    _check(judgements, instrument)
    columns = [*(domain.id for domain in instrument.domains), "all"]
    key = "\n".join(f"{domain.id}  {domain.title}" for domain in instrument.domains)
    n_rows = len(judgements)
    n_lines = max(n_rows, math.ceil(0.38 * (len(columns) + 6)))  # a line of the key is lower than a study
    with drawing(6.6, 0.4 + 0.34 * n_lines) as (figure, axes):
        for row, judged in enumerate(judgements):
            for column, level in enumerate([*(d.judgement for d in judged.domains), judged.overall]):
                colour, sign, pen = LOOK[level]
                x = column + (0.35 if column == len(columns) - 1 else 0)
                axes.scatter([x], [row], s=240, color=colour, marker="o" if x == column else "s")
                axes.text(x, row, sign, ha="center", va="center", color=pen, weight="bold", fontsize=10)
        places = [*range(len(columns) - 1), len(columns) - 0.65]
        axes.set_xticks(places, columns)
        axes.xaxis.tick_top()
        axes.set_yticks(range(n_rows), [judged.study for judged in judgements], fontsize=8)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.set_xlim(-0.6, len(columns) + 4.6)
        axes.set_ylim(n_lines - 0.4, -0.6)
        legend = "\n".join(
            f"{LOOK[level][1]}  {level}" for level in [*instrument.levels, instrument.no_information] if level
        )
        axes.text(
            0.66,
            1.0,
            key + "\n\n" + legend,
            transform=axes.transAxes,
            va="top",
            fontsize=7.5,
            color=INK,
            linespacing=1.35,
        )
        spoken = "; ".join(f"{judged.study}: {judged.overall}" for judged in judgements)
        return to_svg(
            figure,
            name=name,
            caption=f"{instrument.name} ({instrument.version}): judgement of each domain and overall.",
            alt=f"Risk of bias by {instrument.name}. Overall: {spoken}.",
        )


def draw_bias_summary(
    judgements: Sequence[BiasJudgement], instrument: BiasInstrument, *, name: str = "bias-summary"
) -> SvgFigure:
    """Draw for each domain the share of studies with each judgement.

    Parameters
    ----------
    judgements : sequence of BiasJudgement
        Of one instrument, at least one.
    instrument : BiasInstrument
        That instrument.
    name : str
        Of the figure.
    """
    _check(judgements, instrument)
    titles = [*(domain.title for domain in instrument.domains), "overall"]
    found = [[judged.domains[i].judgement for judged in judgements] for i in range(len(instrument.domains))]
    found.append([judged.overall for judged in judgements])
    levels = [level for level in [*instrument.levels, instrument.no_information] if level]
    with drawing(6.6, 1.0 + 0.28 * len(titles)) as (figure, axes):
        left = [0.0] * len(titles)
        for level in levels:
            share = [100 * row.count(level) / len(judgements) for row in found]
            colour, sign, pen = LOOK[level]
            axes.barh(range(len(titles)), share, left=left, color=colour, height=0.68, label=f"{sign} {level}")
            for place, (start, width) in enumerate(zip(left, share, strict=True)):
                if width > 0:
                    axes.text(start + width / 2, place, sign, ha="center", va="center", color=pen, weight="bold")
            left = [a + b for a, b in zip(left, share, strict=True)]
        axes.set_yticks(range(len(titles)), titles, fontsize=8)
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel(f"share of {len(judgements)} studies, %")
        axes.axhline(len(titles) - 1.5, color=GREY, linewidth=0.8)
        figure.legend(loc="outside upper left", ncols=len(levels), fontsize=7.5, handlelength=1.0, columnspacing=1.2)
        worst = instrument.levels[-1]
        spoken = "; ".join(
            f"{title}: {row.count(worst)} of {len(row)} {worst}" for title, row in zip(titles, found, strict=True)
        )
        return to_svg(
            figure,
            name=name,
            caption=f"{instrument.name}: share of studies with each judgement, unweighted.",
            alt=f"Stacked bars by domain. {spoken}.",
        )


def _check(judgements: Sequence[BiasJudgement], instrument: BiasInstrument) -> None:
    others = {judged.instrument for judged in judgements} - {instrument.name}
    if not judgements or others:
        raise InputError(f"draw studies judged by {instrument.name}, at least one; got {len(judgements)} and {others}")
