"""Are studies missing, and does the pool hang on one of them: funnel plot and all-subsets (GOSH) plot."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from anagen.evidence.small_study_effects import TrimAndFill
from anagen.report.svg import BLUE, GREY, INK, ORANGE, SvgFigure, drawing, to_svg

CONTOURS: Final = ((2.576, "#e9e9e7"), (1.960, "#d9d9d6"), (1.645, "#f6f6f5"))
"""Two-sided p of 0.01, 0.05 and 0.10 against no effect, widest first."""


def draw_funnel(
    effects: ArrayLike,
    variances: ArrayLike,
    estimate: float,
    *,
    filled: TrimAndFill | None = None,
    axis: str = "effect",
    name: str = "funnel",
) -> SvgFigure:
    """Draw effects against their standard error, with contours of p around no effect and imputed studies as rings.

    Parameters
    ----------
    effects, variances : array_like, shape (k,)
        Studies.
    estimate : float
        Pooled effect.
    filled : TrimAndFill, optional
        Studies imputed.
    axis : str
        Name of the effect.
    name : str
        Of the figure.
    """
    y, se = np.asarray(effects, dtype=float), np.sqrt(np.asarray(variances, dtype=float))
    bottom = 1.08 * float(np.max(se))
    with drawing(5.0, 3.6) as (figure, axes):
        for z, colour in CONTOURS:
            axes.fill([-z * bottom, 0, z * bottom], [bottom, 0, bottom], color=colour, linewidth=0)
        axes.plot([estimate, estimate], [0, bottom], color=ORANGE, linewidth=1.0)
        for z in (-1.96, 1.96):
            axes.plot([estimate, estimate + z * bottom], [0, bottom], color=ORANGE, linewidth=0.8, linestyle="--")
        axes.scatter(y, se, s=22, color=BLUE, zorder=3)
        n_filled = 0
        if filled is not None and filled.n_filled:
            n_filled = filled.n_filled
            rings = np.sqrt(filled.filled_variances)
            axes.scatter(filled.filled_effects, rings, s=24, facecolor="none", edgecolor=INK, zorder=3)
        axes.set_ylim(bottom, 0)
        axes.set_xlabel(axis)
        axes.set_ylabel("standard error")
        caption = (
            "Funnel plot. Grey: two-sided p against no effect above 0.10, 0.05 and 0.01 from the inside out. Orange:"
            " pooled effect and where 95 % of studies fall without heterogeneity."
        )
        if n_filled:
            caption += f" Rings: {n_filled} studies imputed by trim-and-fill."
        return to_svg(
            figure,
            name=name,
            caption=caption,
            alt=f"Funnel plot of {len(y)} studies around {estimate:.3g}; {n_filled} imputed by trim-and-fill.",
        )


def draw_subsets(subsets: pl.DataFrame, *, most_influential: int, study: str, name: str = "gosh") -> SvgFigure:
    """Draw the pooled effect and I2 of every subset, split by whether one study is in it.

    Parameters
    ----------
    subsets : polars.DataFrame
        From `pool_all_subsets`.
    most_influential : int
        Place of the study to split by, from 1.
    study : str
        Its name.
    name : str
        Of the figure.
    """
    member = np.array([str(most_influential) in text.split(",") for text in subsets["members"]])
    x, i2 = subsets["estimate"].to_numpy(), subsets["i2"].to_numpy()
    with drawing(5.0, 3.4) as (figure, axes):
        for chosen, colour, words in ((~member, GREY, "without"), (member, BLUE, "with")):
            axes.scatter(x[chosen], i2[chosen], s=4, color=colour, alpha=0.5, linewidths=0, label=f"{words} {study}")
        axes.set_xlabel("pooled effect of a subset")
        axes.set_ylabel("I², %")
        axes.set_ylim(-3, 103)
        axes.legend(fontsize=8, markerscale=3)
        apart = [float(np.median(x[chosen])) if chosen.any() else math.nan for chosen in (~member, member)]
        return to_svg(
            figure,
            name=name,
            caption=f"Every subset of at least two studies ({len(x)}), pooled. Two clouds mean that one study decides.",
            alt=f"Median pooled effect of subsets without {study}: {apart[0]:.3g}; with it: {apart[1]:.3g}.",
        )
