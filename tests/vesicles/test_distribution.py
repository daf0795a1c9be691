"""Bins whose percentiles are arithmetic, read by each vendor's convention."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagen.errors import InputError
from anagen.vesicles.distribution import BinnedSizes, average_sizes, edges_of_centres, percentile_of_bins


def _sizes(amount, width=10.0, **options):
    edge = width * np.arange(len(amount) + 1)
    return BinnedSizes(edge, np.asarray(amount, dtype=float), "number", "particles/mL", **options)


def test_percentiles_of_a_uniform_distribution_are_the_percents():
    sizes = _sizes(np.ones(10))
    assert [sizes.percentile_nm(p) for p in (10, 25, 50, 90, 100)] == pytest.approx([10, 25, 50, 90, 100])
    assert (sizes.mean_nm, sizes.span) == pytest.approx((50.0, 1.6))


@pytest.mark.parametrize(("counted_at", "shift"), [("upper-edge", 0.0), ("centre", 5.0), ("lower-edge", 10.0)])
def test_a_convention_shifts_percentiles_by_a_part_of_a_bin_and_nothing_else(counted_at, shift):
    sizes = _sizes([1, 4, 2, 3], counted_at=counted_at)
    plain = _sizes([1, 4, 2, 3])
    assert sizes.d50_nm == pytest.approx(plain.d50_nm - shift)
    assert sizes.read_as("upper-edge").d50_nm == pytest.approx(plain.d50_nm)
    assert (sizes.mean_nm, sizes.sd_nm, sizes.mode_nm) == (plain.mean_nm, plain.sd_nm, plain.mode_nm)


def test_mean_and_sd_are_those_of_the_centres():
    assert _sizes([3, 1]).mean_nm == pytest.approx(7.5)
    assert _sizes([3, 1]).sd_nm == pytest.approx(math.sqrt(3 / 16) * 10)
    assert _sizes([3, 1], sd_of="sample").sd_nm == pytest.approx(5.0)


def test_the_mode_is_the_top_of_the_parabola():
    x = np.arange(9)
    assert _sizes(100 - (x - 4.3) ** 2).mode_nm == pytest.approx(4.3 * 10 + 5)
    assert _sizes([1, 1, 1]).mode_nm == pytest.approx(15 - 10, abs=10)


def test_percentiles_above_the_display_limit_are_printed_as_it():
    assert _sizes([1, 0, 0, 1], largest_nm=39).percentile_nm(99) == 39
    assert _sizes([1, 0, 0, 1], largest_nm=39).read_as("upper-edge").percentile_nm(99) == pytest.approx(39.8)


@given(
    st.lists(st.floats(0, 1e9, width=32), min_size=2, max_size=40).filter(lambda a: sum(a) > 1), st.floats(0.5, 99.5)
)
def test_the_share_below_a_percentile_is_that_percent(amounts, percent):
    sizes = _sizes(amounts)
    cumulated = np.concatenate([[0], np.cumsum(sizes.amount)]) / sizes.total
    assert np.interp(sizes.percentile_nm(percent), sizes.edge_nm, cumulated) == pytest.approx(percent / 100, abs=1e-9)


@given(st.floats(0.01, 100))
def test_scaling_the_content_moves_nothing(factor):
    sizes = _sizes([1, 5, 2])
    assert sizes.scale(factor).d10_nm == pytest.approx(sizes.d10_nm)
    assert sizes.scale(factor).total == pytest.approx(8 * factor)


def test_volume_weighting_and_back():
    sizes = _sizes([1, 5, 2])
    volume = sizes.reweight("volume")
    assert volume.amount == pytest.approx(sizes.amount * math.pi / 6 * sizes.centre_nm**3)
    assert volume.unit == "nm3/mL"
    assert volume.reweight("number").amount == pytest.approx(sizes.amount)
    assert volume.d50_nm > sizes.d50_nm


def test_density_integrates_to_one():
    sizes = _sizes([1, 5, 2])
    assert float(sizes.density_per_nm @ np.diff(sizes.edge_nm)) == pytest.approx(1.0)


def test_an_empty_distribution_has_no_numbers():
    sizes = _sizes([0, 0, 0])
    assert all(math.isnan(value) for value in (sizes.d50_nm, sizes.mean_nm, sizes.sd_nm, sizes.mode_nm))


def test_average_is_bin_by_bin():
    assert average_sizes([_sizes([1, 3]), _sizes([3, 1])]).amount.tolist() == [2, 2]
    with pytest.raises(InputError, match="same bins"):
        average_sizes([_sizes([1, 3]), _sizes([3, 1], width=5)])
    with pytest.raises(InputError, match="must not be empty"):
        average_sizes([])


def test_edges_come_back_from_centres_rounded_to_four_digits():
    printed = [float(f"{2.5 + 5 * k:.4g}") for k in range(1200)]
    assert edges_of_centres(printed) == pytest.approx(5.0 * np.arange(1201))
    assert edges_of_centres(np.arange(1000) + 0.5) == pytest.approx(np.arange(1001))
    with pytest.raises(InputError, match="rise evenly"):
        edges_of_centres([1, 2, 4, 8, 16])
    with pytest.raises(InputError, match="at least two"):
        edges_of_centres([1])


def test_refusals():
    with pytest.raises(InputError, match="between 0 and 100, got 101"):
        percentile_of_bins([0, 1, 2], [1, 1], 101)
    with pytest.raises(InputError, match="not negative"):
        _sizes([1, -1])
    with pytest.raises(InputError, match="one value more"):
        BinnedSizes(np.arange(3.0), np.ones(3), "number", "traces")
    with pytest.raises(InputError, match="must rise"):
        BinnedSizes(np.array([0.0, 2.0, 1.0]), np.ones(2), "number", "traces")
