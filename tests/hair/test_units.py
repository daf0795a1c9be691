import numpy as np
import pytest

from anagen.errors import InputError
from anagen.hair.measurement import Hair, HairMeasurement
from anagen.hair.units import form_units, summarise_units, unit_sensitivity


def field(roots_um, angles=None):
    angles = np.zeros(len(roots_um)) if angles is None else angles
    hairs = []
    for k, (root, angle) in enumerate(zip(np.asarray(roots_um, dtype=float) / 5, angles, strict=True), start=1):
        path = root + np.linspace(0, 80, 9)[:, None] * np.array([np.cos(angle), np.sin(angle)])
        hairs.append(Hair(k, path, 400.0, 60.0, 2.0, 1.0))
    return HairMeasurement(tuple(hairs), 0.5, 5.0, (1024, 1280))


def test_counts_planted_units():
    summary = summarise_units(field([(0, 0), (0, 90), (1000, 0), (2000, 0), (2000, 80), (2060, 40)]))
    assert (summary.n_units, summary.units_per_cm2, summary.hairs_per_unit) == (3, 6.0, 2.0)
    assert (summary.share_1, summary.share_2, summary.share_3) == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_a_chain_is_no_unit():
    units = [hair.unit for hair in form_units(field([(0, 200.0 * k) for k in range(6)])).hairs]
    assert max(np.bincount(units)) == 2


def test_opposite_directions_are_two_units():
    formed = form_units(field([(0, 0), (0, 80)], angles=[0.0, np.pi]))
    assert [hair.unit for hair in formed.hairs] == [1, 2]


def test_no_unit_holds_more_than_the_cap():
    rng = np.random.default_rng(1)
    units = [hair.unit for hair in form_units(field(rng.uniform(0, 100, (14, 2))), max_hairs=5).hairs]
    assert max(np.bincount(units)) <= 5


def test_a_larger_distance_never_gives_more_units():
    rng = np.random.default_rng(2)
    counts = [summary.n_units for summary in unit_sensitivity(field(rng.uniform(0, 4000, (80, 2))))]
    assert counts == sorted(counts, reverse=True)


def test_empty_field_and_bad_distance():
    empty = HairMeasurement((), 0.5, 5.0, (10, 10))
    assert summarise_units(empty).units_per_cm2 == 0
    assert np.isnan(summarise_units(empty).hairs_per_unit)
    with pytest.raises(InputError, match="must be above 0"):
        form_units(empty, distance_um=0)
