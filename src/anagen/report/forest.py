"""Forest plot: every study with its interval, groups pooled, and nothing pooled that is not alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Polygon

from anagen.evidence.pool import PooledEffect
from anagen.report.svg import BLUE, GREY, ORANGE, SvgFigure, drawing, to_svg

Z_95 = 1.959964
"""Normal quantile of a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One study of a forest plot.

    Parameters
    ----------
    label : str
        Study and people.
    group : str
        Rows of a group stand together under its pooled effect.
    effect, std_error : float
        On the axis's scale.
    weight : float
        Percent in its group; sets the size of the square.
    """

    label: str
    group: str
    effect: float
    std_error: float
    weight: float = 100.0


def draw_forest(
    rows: Sequence[ForestRow],
    pooled: dict[str, PooledEffect],
    *,
    axis: str,
    caption: str,
    name: str = "forest",
    smallest_important: float | None = None,
) -> SvgFigure:
    """Draw studies by group, a diamond where a group of two or more was pooled.

    Parameters
    ----------
    rows : sequence of ForestRow
        At least one.
    pooled : dict of str to PooledEffect
        By group; a group of one study gets no diamond.
    axis : str
        What is drawn, with its unit and direction.
    caption : str
        For print.
    name : str
        Of the figure.
    smallest_important : float, optional
        Dashed line.
    """
    groups = list(dict.fromkeys(row.group for row in rows))
    n_lines = len(rows) + len(groups) + sum(pooled[g].n_studies > 1 for g in groups if g in pooled)
    with drawing(6.6, 1.0 + 0.3 * n_lines) as (figure, axes):
        heads, line, labels, numbers, spoken = list[int](), 0, list[str](), list[str](), list[str]()
        for group in groups:
            heads.append(line)
            labels.append(group)
            numbers.append("")
            line += 1
            for row in (row for row in rows if row.group == group):
                _draw_study(axes, line, row)
                labels.append(row.label)
                numbers.append(_interval(row.effect, Z_95 * row.std_error))
                spoken.append(f"{row.label}: {numbers[-1]}")
                line += 1
            if group in pooled and pooled[group].n_studies > 1:
                p = pooled[group]
                _draw_pooled(axes, line, p)
                labels.append(f"pooled, I² {p.i2:.0f} %")
                numbers.append(f"{p.estimate:.2f} ({p.ci_low:.2f} to {p.ci_high:.2f})".replace("-", "−"))
                spoken.append(f"{group} pooled: {numbers[-1]}")
                line += 1
        axes.axvline(0, color=GREY, linewidth=0.8)
        if smallest_important is not None:
            axes.axvline(smallest_important, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        right = axes.twinx()
        for side, words in ((axes, labels), (right, numbers)):
            side.set_yticks(range(line), words, fontsize=8)
            side.tick_params(axis="y", length=0)
            side.set_ylim(line - 0.4, -0.6)
            side.spines["left"].set_visible(False)
        for head in heads:
            axes.get_yticklabels()[head].set_fontweight("bold")
        axes.set_xlabel(axis)
        axes.margins(x=0.08)
        return to_svg(figure, name=name, caption=caption, alt="Forest plot. " + "; ".join(spoken) + ".")


def _draw_study(axes: Axes, line: int, row: ForestRow) -> None:
    half = Z_95 * row.std_error
    axes.plot([row.effect - half, row.effect + half], [line, line], color=BLUE, linewidth=1.2)
    axes.scatter([row.effect], [line], s=16 + 0.5 * row.weight, marker="s", color=BLUE, zorder=3)


def _draw_pooled(axes: Axes, line: int, pooled: PooledEffect) -> None:
    corners = [
        (pooled.ci_low, line),
        (pooled.estimate, line - 0.28),
        (pooled.ci_high, line),
        (pooled.estimate, line + 0.28),
    ]
    axes.add_patch(Polygon(corners, closed=True, facecolor=ORANGE, edgecolor="none", zorder=3))
    axes.plot([pooled.ci_low, pooled.ci_high], [line, line], linewidth=0)


def _interval(effect: float, half: float) -> str:
    return f"{effect:.2f} ({effect - half:.2f} to {effect + half:.2f})".replace("-", "−")
