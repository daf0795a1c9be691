"""Figures of movies and lots: one SVG each, the same bytes every time, the finding in words."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from anagen.errors import InputError
from anagen.report.vesicle_figures import (
    draw_jumps,
    draw_light_against_size,
    draw_movie_sizes,
    draw_tracks,
    draw_vendor_lot,
)
from anagen.vesicles import Jumps, SizeDistribution, Tracks, VesicleMeasurement
from anagen.vesicles.distribution import BinnedSizes
from anagen.vesicles.lot import LotRecord
from anagen.vesicles.vendor import VendorLot, VendorRun

N_TRACKS = 200


@pytest.fixture
def measured():
    """A measurement made by hand: log-normal around 120 nm, light rising with the square of the size."""
    rng = np.random.default_rng(2)
    diameter = np.geomspace(10, 3000, 461)
    density = np.exp(-0.5 * ((np.log(diameter) - math.log(120)) / 0.3) ** 2) / (diameter * 0.3 * math.sqrt(2 * math.pi))
    found = {
        "mode_nm": 110.0,
        "mean_nm": 125.5,
        "sd_nm": 38.0,
        "d10_nm": 81.7,
        "d50_nm": 120.0,
        "d90_nm": 176.3,
        "span": 0.8,
    }
    intervals = {name: (0.9 * value, 1.1 * value) for name, value in found.items()}
    sizes = SizeDistribution(diameter, density, 0.8 * density, 1.2 * density, **found, intervals=intervals)
    size = rng.lognormal(math.log(120), 0.3, N_TRACKS)
    n_frames = rng.integers(5, 60, N_TRACKS)
    place = rng.uniform(0, 64, (N_TRACKS, 2))
    tracks = Tracks(
        np.zeros(N_TRACKS, int), n_frames, place[:, 0], place[:, 1], 500 / size, size, np.full(N_TRACKS, 0.2),
        size**2, np.full(N_TRACKS, 9.0),
    )  # fmt: skip
    edges = np.linspace(0, 2, 41)
    expected = 100_000 * np.diff(-np.exp(-(edges**2) / 0.5))
    paths = tuple(np.cumsum(rng.normal(size=(20, 2)), axis=0) + 30 for _ in range(4))
    return VesicleMeasurement(
        sizes, math.nan, (math.nan, math.nan), math.nan, 1.0, tracks, Jumps(edges, expected.round(), expected), paths,
        5000, 100, 50.0, (0.1, 0.2), 20.0, 2.0, {"um_per_px": 0.166},
    )  # fmt: skip


def _lot(*counts):
    edge = 5.0 * np.arange(len(counts[0]) + 1)
    runs = tuple(
        VendorRun(f"run {k}", (BinnedSizes(edge, np.asarray(c, float), "number", "traces"),), 1e8, float(sum(c)))
        for k, c in enumerate(counts)
    )
    return VendorLot("ZetaView", "size distribution", runs, LotRecord(), "0" * 64, 500.0, dilution_applied=False)


def _check(draw):
    first, second = draw(), draw()
    assert first == second
    assert ET.fromstring(first.svg).tag.endswith("svg")
    assert "http" not in first.svg.replace("http://www.w3.org", "")
    return first


def test_sizes(measured):
    figure = _check(lambda: draw_movie_sizes(measured))
    assert "D50 120 nm (95 % 108 to 132 nm)" in figure.alt
    assert "200 tracks" in figure.caption


def test_tracks(measured):
    frame = np.random.default_rng(1).integers(0, 255, (64, 96), dtype=np.uint8)
    figure = _check(lambda: draw_tracks(measured, frame))
    assert "4 of 200 tracks" in figure.caption
    assert "2 µm" in figure.svg  # a quarter of 96 px at 0.166 um is 4 um: 2 is the largest of 1, 2, 5 below
    with pytest.raises(InputError, match=r"shape \(H, W\)"):
        draw_tracks(measured, frame[..., None])


def test_jumps_that_follow_theory_are_not_misplaced(measured):
    assert "0.0 % of the steps" in _check(lambda: draw_jumps(measured)).caption


def test_light_rises_with_the_planted_power(measured):
    assert "power 2.0 of the diameter" in _check(lambda: draw_light_against_size(measured)).caption


def test_one_run_has_no_band_three_have():
    one = _check(lambda: draw_vendor_lot(_lot([0, 1, 5, 1, 0, 0])))
    assert one.caption.endswith("exported by ZetaView: one run.")
    three = _check(lambda: draw_vendor_lot(_lot([0, 1, 5, 1, 0, 0], [0, 2, 4, 1, 0, 0], [0, 1, 4, 2, 0, 0])))
    assert "3 of 3 runs (thin), their mean, and the 95 % band" in three.caption
    assert "D50 12 nm" in one.alt


def test_a_lot_of_failed_runs_has_no_figure():
    with pytest.raises(InputError, match="every run"):
        draw_vendor_lot(_lot([0, 0, 0]))
