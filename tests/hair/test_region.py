import numpy as np
import pytest

from anagen.errors import InputError
from anagen.hair.region import Region


def test_area_of_a_circle_is_pi_r_squared():
    assert Region.circle(50, 50, 30).to_mask((101, 101)).sum() == pytest.approx(np.pi * 900, rel=0.01)


def test_polygon_and_rectangle_agree():
    square = Region.polygon(np.array([[9.5, 19.5], [9.5, 39.5], [29.5, 39.5], [29.5, 19.5]]))
    assert np.array_equal(square.to_mask((60, 60)), Region.rectangle(10, 20, 30, 40).to_mask((60, 60)))


def test_mask_survives_its_runs():
    mask = np.random.default_rng(1).random((20, 30)) > 0.5
    region = Region.mask(mask)
    assert np.array_equal(region.to_mask(mask.shape), mask)
    assert np.array_equal(region.contains(np.stack(np.mgrid[:20, :30], axis=-1)), mask)


def test_refuses_what_has_no_inside():
    with pytest.raises(InputError, match="radius_px must be above 0, got 0"):
        Region.circle(1, 1, 0)
    with pytest.raises(InputError, match="swap its corners"):
        Region.rectangle(5, 5, 1, 9)
