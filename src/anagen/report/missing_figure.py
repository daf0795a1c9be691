"""The tipping point as a picture: the answer against what is assumed of the values that are missing."""

from __future__ import annotations

import math

import polars as pl

from anagen.report.svg import BLUE, GREY, INK, ORANGE, SvgFigure, drawing, to_svg


def draw_tipping_point(
    curve: pl.DataFrame,
    *,
    delta: float,
    unit: str,
    seen: tuple[float, float],
    effect: str,
    name: str = "tipping-point",
) -> SvgFigure:
    """Draw the estimate and its interval against the shift of the missing values.

    Parameters
    ----------
    curve : polars.DataFrame
        delta, estimate, ci_low, ci_high.
    delta : float
        Where the conclusion turns; NaN where it does not within the curve.
    unit : str
        Of the outcome.
    seen : (float, float)
        Smallest and largest change that was measured in anyone, drawn as a band of shifts that people show.
    effect : str
        What the vertical axis is, for example ``mean change``.
    name : str
        Of the figure.
    """
    with drawing(5.0, 3.2) as (figure, axes):
        x = curve["delta"].to_numpy()
        axes.fill_between(
            x, curve["ci_low"].to_numpy(), curve["ci_high"].to_numpy(), color=BLUE, alpha=0.2, linewidth=0
        )
        axes.plot(x, curve["estimate"].to_numpy(), color=BLUE)
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
        reach = max(abs(seen[0]), abs(seen[1]))
        axes.axvspan(-reach, reach, color=GREY, alpha=0.14, linewidth=0, label="no larger than any change seen")
        if math.isfinite(delta):
            axes.axvline(
                delta, color=ORANGE, linewidth=1.2, linestyle="--", label=f"the judgement turns at {delta:+.1f}"
            )
        axes.set_xlim(x[0], x[-1])
        axes.set_xlabel(f"missing values differ from what is expected by, {unit}")
        axes.set_ylabel(f"{effect}, {unit}")
        axes.legend(loc="upper left", fontsize=8)
        turns = (
            f"The judgement turns at a shift of {delta:+.1f} {unit}"
            if math.isfinite(delta)
            else "The judgement turns nowhere within the picture"
        )
        return to_svg(
            figure,
            name=name,
            caption=f"The {effect} with its interval if missing values lay higher or lower than expected from what was "
            "seen of the same people.",
            alt=f"Line that rises with the shift of the missing values. {turns}; changes seen in people reach from "
            f"{seen[0]:.1f} to {seen[1]:.1f} {unit}.",
        )
