"""One picture for a participant: where the average change may lie, and how much people would notice."""

from __future__ import annotations

from anagen.records import Estimate
from anagen.report.svg import BLUE, INK, TEAL, SvgFigure, drawing, to_svg


def draw_plain_change(change: Estimate, *, noticeable: float | None, compared: bool, name: str = "plain") -> SvgFigure:
    """Draw the interval of the change as one bar between fewer and more hairs.

    Parameters
    ----------
    change : Estimate
        Of hair density, in hairs/cm2.
    noticeable : float or None
        Smallest important difference, in the same unit.
    compared : bool
        Whether the change is against another group.
    name : str
        Of the figure.
    """
    reach = 1.25 * max(abs(change.ci_low), abs(change.ci_high), noticeable or 0.0, 1.0)
    what = "more than the other group" if compared else "more than at the start"
    with drawing(5.2, 1.9) as (figure, axes):
        axes.barh([0], [change.ci_high - change.ci_low], left=[change.ci_low], height=0.34, color=BLUE, alpha=0.55)
        axes.plot([change.value], [0], marker="o", color=BLUE, markersize=8)
        axes.axvline(0, color=INK, linewidth=1)
        if noticeable is not None:
            axes.axvline(noticeable, color=TEAL, linewidth=1.4, linestyle="--")
            axes.text(noticeable, 0.42, " enough to notice", color=INK, fontsize=9, va="bottom")
        axes.text(0, -0.42, "no change", ha="center", va="top", color=INK, fontsize=9)
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-0.75, 0.75)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(
            "fewer hairs   \N{LEFTWARDS ARROW}   on each square centimetre   \N{RIGHTWARDS ARROW}   more hairs"
        )
        return to_svg(
            figure,
            name=name,
            caption="The dot is the average of this study. The bar shows where the true average may be.",
            alt=f"On average {change.value:.0f} hairs {what} on each square centimetre; the true average may be "
            f"anywhere from {change.ci_low:.0f} to {change.ci_high:.0f}"
            + (f". A change of {noticeable:.0f} would be enough to notice." if noticeable is not None else "."),
        )
