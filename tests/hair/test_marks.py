import cv2
import numpy as np
import pytest

from anagen.hair import measure_hairs
from anagen.hair.marks import find_marks, paint_over_marks
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
    painted = paint_over_marks(drawn, find_marks(drawn))
    assert np.abs(painted.astype(int) - clean).mean() < np.abs(drawn.astype(int) - clean).mean() / 3
    one, other = (measure_hairs(image, um_per_px=5.0) for image in (clean, drawn))
    assert abs(one.n_hairs - other.n_hairs) <= 1


@pytest.mark.parametrize("colour", ["black", "red", "blond", "grey"])
@pytest.mark.parametrize("skin", [1, 4, 6])
def test_a_photograph_without_marks_stays_as_it_is(colour, skin):
    image = photograph(colour, skin).image
    assert paint_over_marks(image, find_marks(image)) is image


def test_a_viewers_plate_and_scale_line_are_no_hairs():
    photo = photograph()
    clean = photo.image
    drawn = clean.copy()
    drawn[6:44, :700] //= 2
    cv2.putText(drawn, "A071 | 1280x1024 | 70x | mm | 2026", (12, 38), 0, 1.2, (235, 235, 235), 3, cv2.LINE_AA)
    drawn[440:703, 40:43] = drawn[700:703, 40:330] = 10
    marks = find_marks(drawn)
    assert marks.covered[8:42, 4:696].all()
    assert not marks.covered[60:].any()
    assert marks.drawn[442:700, 40:43].all()
    assert marks.drawn[700:703, 45:325].all()
    one, other = (measure_hairs(image, um_per_px=5.0) for image in (clean, drawn))
    # a line that crosses a hair may turn it about, but nothing that is no hair is counted, and none of the rest is lost
    planted = [hair.path_px for hair in photo.truth]
    assert all(min(_apart(hair.path_px, path) for path in planted) < 8 for hair in other.hairs)
    below = [sum(hair.root_px[0] > 60 for hair in found.hairs) for found in (one, other)]
    assert below[0] <= below[1] <= below[0] + 2
    assert not any(hair.root_px[0] < 44 and hair.root_px[1] < 700 for hair in other.hairs)
    assert other.area_cm2 < one.area_cm2 - 37 * 695 * 25e-8


def test_a_hair_along_the_rows_is_no_plate_and_no_line():
    image = np.full((400, 600, 3), (190, 150, 130), dtype=np.uint8)
    for row, thick in ((100, 16), (200, 24), (300, 3)):
        image[row : row + thick, 200:320] = 40
    image = cv2.GaussianBlur(image, (0, 0), 1.2)
    marks = find_marks(image)
    assert marks.covered is None
    assert marks.drawn is None


def test_a_blank_bar_is_no_scalp():
    image = photograph().image.copy()
    rng = np.random.default_rng(1)
    image[760:] = np.clip(222 + rng.integers(-1, 2, (40, 1000, 1)), 0, 255)
    bars = find_marks(image).covered
    assert bars is not None
    assert bars[765:].all()
    assert not bars[:740].any()
    found = measure_hairs(image, um_per_px=5.0)
    assert found.area_cm2 == pytest.approx(760 * 1000 * 25e-8, rel=0.02)
    assert all(hair.root_px[0] < 760 for hair in found.hairs)


@pytest.mark.parametrize("level", [0, 150, 255])
def test_an_image_that_is_blank_all_over_is_no_bar(level):
    assert find_marks(np.full((400, 500, 3), level, dtype=np.uint8)).covered is None


def _apart(path, planted):
    """Median distance of a path's points from a planted hair."""
    return np.median(np.hypot(*(path[:, None] - planted[None]).transpose(2, 0, 1)).min(axis=1))
