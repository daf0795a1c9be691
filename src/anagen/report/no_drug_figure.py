"""How often a study like this one would call a treatment that does nothing a success: one figure."""

from __future__ import annotations

from collections.abc import Sequence

from anagen.evidence.no_effect import NaturalChange, probability_of_significance
from anagen.report.svg import GREY, INK, ORANGE, SvgFigure, drawing, to_svg


def draw_without_drug(n: int, changes: Sequence[NaturalChange], *, name: str = "without-drug") -> SvgFigure:
    """Draw the probability of p < 0.05 for a rise, with no specific effect, under published natural changes.

    Parameters
    ----------
    n : int
        People analysed in one arm, at least 2.
    changes : sequence of NaturalChange
        Published groups that got no active drug.
    name : str
        Of the figure.
    """
    labels = ["nothing changes at all"]
    labels += [f"{c.study}, {c.treatment}\n{c.mean_change:+.1f} (SD {c.change_sd:.1f}) {c.unit}" for c in changes]
    found = [0.025, *(probability_of_significance(n, c.mean_change, c.change_sd) for c in changes)]
    with drawing(5.0, 0.9 + 0.5 * len(found)) as (figure, axes):
        places = range(len(found))
        axes.barh(places, [100 * p for p in found], color=[GREY] + [ORANGE] * len(changes), height=0.62)
        for place, probability in zip(places, found, strict=True):
            axes.text(100 * probability + 1.5, place, f"{100 * probability:.2g} %", va="center", color=INK, fontsize=9)
        axes.set_yticks(places, labels, fontsize=8)
        axes.invert_yaxis()
        axes.set_xlim(0, 112)
        axes.set_xticks([0, 25, 50, 75, 100])
        axes.set_xlabel(f"share of studies (n = {n}) with p < 0.05, %")
        spoken = "; ".join(
            f"{c.study}, {c.treatment}: {100 * p:.0f} %" for c, p in zip(changes, found[1:], strict=True)
        )
        return to_svg(
            figure,
            name=name,
            caption=f"Share of one-arm studies of {n} people that would report a significant rise if the treatment did "
            "nothing and hair changed as it did in published groups without an active drug.",
            alt=f"Bars. With no effect of the treatment, the share of studies with p below 0.05 would be: {spoken}.",
        )
