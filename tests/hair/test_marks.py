import cv2
import numpy as np
import pytest

from anagen.hair import measure_hairs
from anagen.hair.marks import find_bars, paint_over_marks
from anagen.synthetic.scalp import grow_scalp, photograph_scalp


def photograph(colour="black", skin=2):
    rng = np.random.default_rng(5)
    scalp = grow_scalp(rng, density_per_cm2=80, fitzpatrick=skin, hair_colour=colour, vellus_share=0)
    return photograph_scalp(scalp, rng, um_per_px=5.0, shape=(800, 1000))


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 0, 255)])
def test_a_drawn_circle_is_painted_over_and_counts_nothing(colour):
    clean = photograph().image
    drawn = clean.copy()
    cv2.circle(drawn, (500, 400), 330, colour, 2)
    painted = paint_over_marks(drawn, None)
    assert np.abs(painted.astype(int) - clean).mean() < np.abs(drawn.astype(int) - clean).mean() / 3
    one, other = (measure_hairs(image, um_per_px=5.0) for image in (clean, drawn))
    assert abs(one.n_hairs - other.n_hairs) <= 1


@pytest.mark.parametrize("colour", ["black", "red", "blond", "grey"])
@pytest.mark.parametrize("skin", [1, 4, 6])
def test_a_photograph_without_marks_stays_as_it_is(colour, skin):
    image = photograph(colour, skin).image
    assert find_bars(image) is None
    assert paint_over_marks(image, None) is image


def test_a_blank_bar_is_no_scalp():
    image = photograph().image.copy()
    rng = np.random.default_rng(1)
    image[760:] = np.clip(222 + rng.integers(-1, 2, (40, 1000, 1)), 0, 255)
    bars = find_bars(image)
    assert bars is not None
    assert bars[765:].all()
    assert not bars[:740].any()
    found = measure_hairs(image, um_per_px=5.0)
    assert found.area_cm2 == pytest.approx(760 * 1000 * 25e-8, rel=0.02)
    assert all(hair.root_px[0] < 760 for hair in found.hairs)


@pytest.mark.parametrize("level", [0, 150, 255])
def test_an_image_that_is_blank_all_over_is_no_bar(level):
    assert find_bars(np.full((400, 500, 3), level, dtype=np.uint8)) is None
