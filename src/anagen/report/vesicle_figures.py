"""The figures of one vesicle movie or one vendor's lot: sizes with their band, tracks, steps against theory, light."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from scipy import stats

from anagen.errors import InputError
from anagen.report.svg import BLUE, GREY, INK, ORANGE, TEAL, SvgFigure, drawing, to_svg
from anagen.vesicles import VesicleMeasurement
from anagen.vesicles.vendor import VendorLot

_TRACK_COLOURS: Final = (BLUE, ORANGE, TEAL, "#b44a86", "#c9a227")
_MIN_TRACKS_IN_CLASS: Final = 5
_MIN_RUNS_FOR_BAND: Final = 3
_SHOWN_PERCENTILES: Final = (0.5, 99.5)


def draw_movie_sizes(measured: VesicleMeasurement, *, name: str = "movie-sizes") -> SvgFigure:
    """Draw one movie's size distribution with its 95 % band, D10, D50 and D90.

    Parameters
    ----------
    measured : VesicleMeasurement
        From `measure_movie`.
    name : str
        Of the figure.
    """
    sizes = measured.sizes
    with drawing(5.0, 3.0) as (figure, axes):
        axes.fill_between(
            sizes.diameter_nm, sizes.density_low, sizes.density_high, color=BLUE, alpha=0.2, linewidth=0, label="95 %"
        )
        axes.plot(sizes.diameter_nm, sizes.density, color=BLUE)
        _mark_percentiles(axes, {"D10": sizes.d10_nm, "D50": sizes.d50_nm, "D90": sizes.d90_nm})
        _show_bulk(axes, sizes.diameter_nm, sizes.density * np.gradient(sizes.diameter_nm))
        _label_sizes(axes)
        axes.legend(fontsize=8, loc="upper right")
        low, high = sizes.intervals["d50_nm"]
        return to_svg(
            figure,
            name=name,
            caption=f"Number-weighted size distribution of {measured.n_tracks} tracks, deconvolved from the error of "
            "each; band: pointwise 95 % interval.",
            alt=f"Size distribution. D10 {sizes.d10_nm:.0f} nm, D50 {sizes.d50_nm:.0f} nm (95 % {low:.0f} to "
            f"{high:.0f} nm), D90 {sizes.d90_nm:.0f} nm, peak at {sizes.mode_nm:.0f} nm.",
        )


def draw_tracks(measured: VesicleMeasurement, frame: np.ndarray, *, name: str = "tracks") -> SvgFigure:
    """Draw tracks over one frame of their movie, with a scale bar.

    Parameters
    ----------
    measured : VesicleMeasurement
        From `measure_movie`.
    frame : ndarray, shape (H, W)
        The movie's middle frame, which all kept paths cross.
    name : str
        Of the figure.

    Raises
    ------
    InputError
        When `frame` is not one grey picture.
    """
    if frame.ndim != 2:
        raise InputError(f"frame must have shape (H, W), got {frame.shape}: give one frame of the movie")
    height, width = frame.shape
    with drawing(5.0, 5.0 * height / width) as (figure, axes):
        dim, bright = np.percentile(frame, [1.0, 99.8])
        axes.imshow(frame, cmap="gray", vmin=dim, vmax=max(bright, dim + 1), interpolation="nearest")
        colours = [_TRACK_COLOURS[number % len(_TRACK_COLOURS)] for number in range(len(measured.paths_px))]
        lines = [path[:, ::-1] for path in measured.paths_px]
        axes.add_collection(LineCollection(lines, colors=colours, linewidths=0.9))
        _draw_scale_bar(axes, width, height, float(measured.settings["um_per_px"]))
        axes.set_axis_off()
        return to_svg(
            figure,
            name=name,
            caption=f"The movie's middle frame and {len(lines)} of {measured.n_tracks} tracks that cross it.",
            alt=f"{len(lines)} particle tracks drawn over a frame of {width} by {height} pixels; "
            f"{measured.spots_per_frame:.0f} particles are in view on average.",
        )


def draw_jumps(measured: VesicleMeasurement, *, name: str = "jumps") -> SvgFigure:
    """Draw the histogram of single-frame steps against what the measured sizes predict.

    Parameters
    ----------
    measured : VesicleMeasurement
        From `measure_movie`.
    name : str
        Of the figure.
    """
    jumps = measured.jumps
    centre = (jumps.edges_um[:-1] + jumps.edges_um[1:]) / 2
    total = float(jumps.counts.sum())
    misfit = 50.0 * float(np.abs(jumps.counts - jumps.expected).sum()) / total
    with drawing(5.0, 3.0) as (figure, axes):
        axes.bar(centre, jumps.counts, width=np.diff(jumps.edges_um), color=BLUE, alpha=0.35, label="seen")
        axes.plot(centre, jumps.expected, color=ORANGE, label="Brownian motion of the measured sizes")
        axes.axvline(measured.search_radius_um, color=GREY, linestyle="--", linewidth=1, label="search radius")
        axes.set_xlim(0, None)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("step between two frames, µm")
        axes.set_ylabel("steps")
        axes.legend(fontsize=8, loc="upper right", bbox_to_anchor=(0.97, 1.0))
        return to_svg(
            figure,
            name=name,
            caption=f"Lengths of {total:.0f} steps and those that Brownian motion of the measured sizes predicts; "
            f"{misfit:.1f} % of the steps lie in other classes than predicted.",
            alt=f"Histogram of step lengths against theory: {misfit:.1f} percent of {total:.0f} steps are misplaced.",
        )


def draw_light_against_size(measured: VesicleMeasurement, *, name: str = "light-size") -> SvgFigure:
    """Draw each track's brightness against its size: small bright or large dim particles stand apart.

    Parameters
    ----------
    measured : VesicleMeasurement
        From `measure_movie`.
    name : str
        Of the figure.
    """
    tracks = measured.tracks
    shown = (tracks.brightness > 0) & (tracks.diameter_nm > 0)
    diameter, light = tracks.diameter_nm[shown], tracks.brightness[shown]
    place, median = _running_median(diameter, light, tracks.n_frames[shown])
    with drawing(5.0, 3.2) as (figure, axes):
        area = 3 + 20 * tracks.n_frames[shown] / max(1, tracks.n_frames.max())
        axes.scatter(diameter, light, s=area, color=BLUE, alpha=0.3, linewidths=0, rasterized=len(diameter) > 2000)
        if len(place):
            axes.plot(place, median, color=ORANGE, marker="o", markersize=3, label="median")
            axes.legend(fontsize=8, loc="lower right")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("diameter of the track alone, nm")
        axes.set_ylabel("light, grey values")
        axes.set_xticks(*_ticks_1_2_5(diameter))
        axes.set_yticks(*_ticks_1_2_5(light))
        axes.minorticks_off()
        slope = _log_slope(place, median)
        said = f"; the median rises with the power {slope:.1f} of the diameter" if np.isfinite(slope) else ""
        return to_svg(
            figure,
            name=name,
            caption=f"Light and size of {len(diameter)} tracks (area: frames seen){said}. A single track's size has an "
            "error of its own, so the cloud is wider than the distribution above.",
            alt=f"Scatter plot of brightness against diameter of {len(diameter)} tracks{said}.",
        )


def draw_vendor_lot(lot: VendorLot, *, name: str = "vendor-lot") -> SvgFigure:
    """Draw a vendor's distribution: each run thin, their mean with its 95 % band where there are several.

    Parameters
    ----------
    lot : VendorLot
        From `anagen.formats.read_vendor_lot`, with at least one good run.
    name : str
        Of the figure.

    Raises
    ------
    InputError
        When every run failed.
    """
    mean = lot.sizes
    densities = np.array([run.weighted_by("number").density_per_nm for run in lot.good_runs])
    with drawing(5.0, 3.0) as (figure, axes):
        centre = densities.mean(axis=0)
        if len(densities) > 1:
            for density in densities:
                axes.stairs(density, mean.edge_nm, color=BLUE, alpha=0.3, linewidth=0.7)
        axes.stairs(centre, mean.edge_nm, color=BLUE, linewidth=1.5)
        if len(densities) >= _MIN_RUNS_FOR_BAND:
            quantile = float(stats.t.ppf(0.975, len(densities) - 1))
            error = quantile * densities.std(axis=0, ddof=1) / np.sqrt(len(densities))
            low, high = np.maximum(centre - error, 0), centre + error
            axes.fill_between(mean.centre_nm, low, high, color=BLUE, alpha=0.2, linewidth=0)
        estimates = lot.estimates()
        _mark_percentiles(axes, {label: estimates[f"{label.lower()}_nm"].value for label in ("D10", "D50", "D90")})
        _show_bulk(axes, mean.centre_nm, centre)
        _label_sizes(axes)
        d50 = estimates["d50_nm"]
        return to_svg(
            figure,
            name=name,
            caption=f"Number-weighted size distribution exported by {lot.instrument}: {_describe_runs(lot)}.",
            alt=f"Size distribution of {lot.instrument}. D50 {d50.value:.0f} nm (95 % {d50.ci_low:.0f} to "
            f"{d50.ci_high:.0f} nm).",
        )


def _describe_runs(lot: VendorLot) -> str:
    n_good = len(lot.good_runs)
    if n_good == 1:
        return "one run"
    band = ", and the 95 % band of the mean (t, between runs)" if n_good >= _MIN_RUNS_FOR_BAND else ""
    return f"{n_good} of {len(lot.runs)} runs (thin), their mean{band}"


def _mark_percentiles(axes: Axes, percentiles: dict[str, float]) -> None:
    top = axes.get_ylim()[1]
    for label, value in percentiles.items():
        axes.axvline(value, color=INK, linewidth=0.8, linestyle=":")
        axes.text(value, top, f"{label}\n{value:.0f}", ha="center", va="bottom", fontsize=7)
    axes.set_ylim(0, top)


def _label_sizes(axes: Axes) -> None:
    axes.set_xlabel("hydrodynamic diameter, nm")
    axes.set_ylabel("share per nm")


def _show_bulk(axes: Axes, diameter_nm: np.ndarray, share: np.ndarray) -> None:
    """Cut the axis at the 0.5 and 99.5 % points, so that one stray track does not squeeze the plot."""
    cumulated = 100 * np.cumsum(share) / share.sum()
    low, high = (float(diameter_nm[int(np.searchsorted(cumulated, p))]) for p in _SHOWN_PERCENTILES)
    axes.set_xlim(max(0.0, low - 0.15 * (high - low)), high + 0.15 * (high - low))


def _draw_scale_bar(axes: Axes, width: int, height: int, um_per_px: float) -> None:
    room_um = 0.25 * width * um_per_px
    length_um = max(step * 10.0**power for power in range(-2, 4) for step in (1, 2, 5) if step * 10.0**power <= room_um)
    right, row = 0.96 * width, 0.94 * height
    axes.plot([right - length_um / um_per_px, right], [row, row], color="white", linewidth=3, solid_capstyle="butt")
    axes.text(
        right - length_um / um_per_px / 2,
        row - 0.02 * height,
        f"{length_um:g} µm",
        color="white",
        ha="center",
        fontsize=8,
    )


def _running_median(diameter: np.ndarray, light: np.ndarray, n_frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median light in eight classes of size of equally many tracks; only the longer half, whose size is known."""
    known = n_frames >= np.median(n_frames) if len(n_frames) else np.zeros(0, bool)
    order = np.argsort(diameter[known], kind="stable")
    classes = [each for each in np.array_split(order, 8) if len(each) >= _MIN_TRACKS_IN_CLASS]
    place = np.array([np.median(diameter[known][each]) for each in classes])
    return place, np.array([np.median(light[known][each]) for each in classes])


def _log_slope(place: np.ndarray, median: np.ndarray) -> float:
    if len(np.unique(place)) < 3:
        return float("nan")
    return float(np.polyfit(np.log(place), np.log(median), 1)[0])


def _ticks_1_2_5(values: np.ndarray) -> tuple[list[float], list[str]]:
    """Give ticks at 1, 2 and 5 times powers of ten; powers of ten alone where that would crowd."""
    low, high = (float(end) for end in np.percentile(values, [0, 100])) if len(values) else (1.0, 1.0)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    mantissas = (1, 2, 5) if len(powers) <= 4 else (1,)
    ticks = [mantissa * 10.0**power for power in powers for mantissa in mantissas]
    inside = [tick for tick in ticks if low * 0.8 <= tick <= high * 1.25]
    return inside, [f"{tick:g}" for tick in inside]
