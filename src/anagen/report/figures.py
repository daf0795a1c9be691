"""The figures of a trial's report: density over time, satisfaction, sizes per lot, measured beside planted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from anagen.report.svg import BLUE, DIVERGING, GREY, INK, ORANGE, TEAL, SvgFigure, drawing, to_svg

ARM_COLOURS = (BLUE, ORANGE, TEAL, GREY)


def draw_density_over_time(
    densities: pl.DataFrame, means: pl.DataFrame, *, unit: str = "hairs/cm²", name: str = "density-over-time"
) -> SvgFigure:
    """Draw every patient's line and, on top, the model's mean with its interval.

    Parameters
    ----------
    densities : polars.DataFrame
        participant, arm, week, density; one row a participant and visit.
    means : polars.DataFrame
        arm, week, estimate, ci_low, ci_high.
    unit : str
        Printed on the axis.
    name : str
        Of the figure.
    """
    weeks = sorted(densities["week"].unique().to_list())
    arms = sorted(densities["arm"].unique().to_list())
    with drawing(5.0, 3.4) as (figure, axes):
        for colour, arm in zip(ARM_COLOURS, arms, strict=False):
            for (_,), lines in (
                densities.filter(pl.col("arm") == arm).sort("week").group_by("participant", maintain_order=True)
            ):
                axes.plot(lines["week"], lines["density"], color=colour, alpha=0.28, linewidth=0.8)
            mean = means.filter(pl.col("arm") == arm).sort("week")
            _draw_interval(axes, mean, colour, label=arm if len(arms) > 1 else "mean, 95 % interval")
        axes.set_xticks(weeks, [f"{week:g}" for week in weeks])
        axes.set_xlabel("week")
        axes.set_ylabel(f"density, {unit}")
        axes.legend(loc="upper left", fontsize=8)
        spoken = "; ".join(
            f"{row['arm']} week {row['week']:g}: {row['estimate']:.1f} ({row['ci_low']:.1f} to {row['ci_high']:.1f})"
            for row in means.sort("arm", "week").iter_rows(named=True)
        )
        return to_svg(
            figure,
            name=name,
            caption=f"Hair density of each of {densities['participant'].n_unique()} participants (thin lines) and the "
            "mean of those measured at each visit with its 95 % t interval (thick).",
            alt=f"Line plot of hair density by week. Means in {unit}: {spoken}.",
        )


def draw_changes(changes: pl.DataFrame, *, unit: str, sid: float | None, name: str = "waterfall") -> SvgFigure:
    """Draw each participant's change at the last visit, sorted (a waterfall).

    Parameters
    ----------
    changes : polars.DataFrame
        participant, change, sd (measurement error of one change; NaN where unknown).
    unit : str
        Of the change.
    sid : float or None
        Smallest important difference, drawn as a line.
    name : str
        Of the figure.
    """
    ordered = changes.sort("change", descending=True)
    x = np.arange(len(ordered))
    change = ordered["change"].to_numpy()
    with drawing(5.0, 3.0) as (figure, axes):
        axes.bar(x, change, color=[BLUE if value > 0 else ORANGE for value in change], width=0.8)
        error = 1.96 * np.nan_to_num(ordered["sd"].to_numpy(), nan=0.0)
        if error.any():
            axes.errorbar(x, change, yerr=error, fmt="none", ecolor=INK, elinewidth=0.7)
        axes.axhline(0, color=INK, linewidth=0.8)
        if sid is not None:
            axes.axhline(sid, color=TEAL, linewidth=1, linestyle="--", label=f"smallest important difference {sid:g}")
            axes.legend(loc="upper right", fontsize=8)
        axes.set_xticks([])
        axes.set_xlabel(f"{len(ordered)} participants, largest gain first")
        axes.set_ylabel(f"change, {unit}")
        return to_svg(
            figure,
            name=name,
            caption="Change of each participant from baseline to the last visit"
            + (", by the same hairs found again; whiskers: 95 % measurement error." if error.any() else "."),
            alt=f"{int((change > 0).sum())} of {len(change)} participants rose, {int((change < 0).sum())} fell; "
            f"from {change.min():.1f} to {change.max():.1f} {unit}.",
        )


def draw_measured_against_planted(pairs: pl.DataFrame, *, unit: str, name: str = "measured-planted") -> SvgFigure:
    """Draw the measured value against the planted truth of each image.

    Parameters
    ----------
    pairs : polars.DataFrame
        measured, planted.
    unit : str
        Of both.
    name : str
        Of the figure.
    """
    measured, planted = pairs["measured"].to_numpy(), pairs["planted"].to_numpy()
    difference = measured - planted
    with drawing(5.0, 3.2) as (figure, axes):
        ends = [min(measured.min(), planted.min()), max(measured.max(), planted.max())]
        axes.plot(ends, ends, color=GREY, linewidth=1)
        axes.scatter(planted, measured, s=14, color=BLUE, alpha=0.7, linewidths=0)
        axes.set_xlabel(f"planted, {unit}")
        axes.set_ylabel(f"measured, {unit}")
        bias, spread = float(difference.mean()), float(difference.std(ddof=1))
        axes.set_title(
            f"bias {bias:+.1f}, 95 % of differences {bias - 1.96 * spread:+.1f} to {bias + 1.96 * spread:+.1f}"
        )
        return to_svg(
            figure,
            name=name,
            caption=f"Measured beside planted hair density in {len(pairs)} images of this synthetic study; "
            "grey: equality.",
            alt=f"Measured density differs from the planted one by {bias:+.1f} {unit} on average.",
        )


def draw_satisfaction(
    shares: Mapping[str, Mapping[str, Sequence[float]]], labels: Sequence[str], *, name: str = "satisfaction"
) -> SvgFigure:
    """Draw diverging bars: each item's answers at each visit, dissatisfied to the left.

    Parameters
    ----------
    shares : mapping
        Item text to visit to the share of each answer, in the order of `labels`, summing to 1.
    labels : sequence of str
        The answers, most dissatisfied first.
    name : str
        Of the figure.
    """
    rows = [(item, visit, np.asarray(share)) for item, visits in shares.items() for visit, share in visits.items()]
    colours = _diverging(len(labels))
    with drawing(5.0, 0.9 + 0.3 * len(rows)) as (figure, axes):
        place = 0.0
        ticks, names = [], []
        for index, (item, visit, share) in enumerate(rows):
            if index and item != rows[index - 1][0]:
                place += 0.5
            left = -_left_of_middle(share)
            for colour, part in zip(colours, share, strict=True):
                axes.barh(place, part, left=left, color=colour, height=0.8)
                left += part
            ticks.append(place)
            first = index == 0 or item != rows[index - 1][0]
            names.append(f"{item}  {visit}" if first else visit)
            place += 1
        axes.set_yticks(ticks, names)
        axes.invert_yaxis()
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_xlim(-1, 1)
        axes.set_xticks([-1, -0.5, 0, 0.5, 1], ["100 %", "50 %", "0", "50 %", "100 %"])
        handles = [Patch(color=colour, label=label) for colour, label in zip(colours, labels, strict=True)]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(labels)), fontsize=7.5)
        return to_svg(
            figure,
            name=name,
            caption="Answers to each item at each visit; the middle answer straddles zero.",
            alt="Diverging bars of survey answers. "
            + "; ".join(
                f"{item}, {visit}: {100 * float(share[len(labels) // 2 + 1 :].sum()):.0f} % positive"
                for item, visit, share in rows
            ),
        )


def draw_sizes(lots: Mapping[str, Mapping[str, np.ndarray]], *, name: str = "sizes") -> SvgFigure:
    """Draw the number-weighted size distribution of each lot with its 95 % band.

    Parameters
    ----------
    lots : mapping
        Lot to arrays diameter_nm, density (per nm), and where known density_low, density_high.
    name : str
        Of the figure.
    """
    with drawing(5.0, 3.0) as (figure, axes):
        spoken = []
        for colour, (lot, sizes) in zip(ARM_COLOURS * 4, lots.items(), strict=False):
            axes.plot(sizes["diameter_nm"], sizes["density"], color=colour, label=lot)
            if "density_low" in sizes:
                axes.fill_between(
                    sizes["diameter_nm"],
                    sizes["density_low"],
                    sizes["density_high"],
                    color=colour,
                    alpha=0.18,
                    linewidth=0,
                )
            spoken.append(f"{lot} peaks at {sizes['diameter_nm'][int(np.argmax(sizes['density']))]:.0f} nm")
        shown = np.concatenate([_bulk(sizes) for sizes in lots.values()])
        axes.set_xlim(max(0.0, float(shown.min()) * 0.7), float(shown.max()) * 1.25)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("hydrodynamic diameter, nm")
        axes.set_ylabel("share per nm")
        axes.legend(fontsize=8)
        return to_svg(
            figure,
            name=name,
            caption="Number-weighted size distribution of each lot; bands: 95 % intervals.",
            alt="Size distributions. " + "; ".join(spoken) + ".",
        )


def _draw_interval(axes: Axes, mean: pl.DataFrame, colour: str, *, label: str) -> None:
    value = mean["estimate"].to_numpy()
    error = np.stack([value - mean["ci_low"].to_numpy(), mean["ci_high"].to_numpy() - value])
    axes.errorbar(
        mean["week"], value, yerr=error, color=colour, linewidth=2.4, marker="o", markersize=5, capsize=4, label=label
    )


def _left_of_middle(share: np.ndarray) -> float:
    middle = len(share) // 2
    below = float(share[:middle].sum())
    return below + float(share[middle]) / 2 if len(share) % 2 else below


def _diverging(n: int) -> list[str]:
    if n == len(DIVERGING):
        return list(DIVERGING)
    picks = np.linspace(0, len(DIVERGING) - 1, n).round().astype(int)
    return [DIVERGING[pick] for pick in picks]


def _bulk(sizes: Mapping[str, np.ndarray]) -> np.ndarray:
    """Diameters at the 0.5 and 99.5 % points, so that one stray track does not squeeze the plot."""
    diameter, density = np.asarray(sizes["diameter_nm"]), np.asarray(sizes["density"])
    mass = np.cumsum(density * np.gradient(diameter))
    ends = np.searchsorted(mass, np.array([0.005, 0.995]) * mass[-1])
    return np.asarray(diameter[np.minimum(ends, len(diameter) - 1)])
