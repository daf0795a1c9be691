import numpy as np
import pytest

from anagen.errors import InputError
from anagen.synthetic.scalp import grow_scalp, photograph_scalp


def test_density_is_what_was_asked():
    scalp = grow_scalp(np.random.default_rng(1), density_per_cm2=250, width_mm=6, height_mm=5)
    assert scalp.density_per_cm2 == pytest.approx(250)


def test_dark_hair_is_dark_along_its_true_path():
    rng = np.random.default_rng(2)
    scalp = grow_scalp(rng, density_per_cm2=80, width_mm=4, height_mm=4, vellus_share=0)
    photo = photograph_scalp(scalp, rng, shape=(600, 600), glare=0)
    skin = np.median(photo.image[:, :, 1])
    for hair in photo.truth:
        middle = np.rint(hair.path_px[len(hair.path_px) // 2]).astype(int)
        if np.all((middle >= 0) & (middle < 600)):
            assert photo.image[middle[0], middle[1], 1] < 0.5 * skin


def test_same_hairs_under_a_turned_and_scaled_camera():
    rng = np.random.default_rng(3)
    scalp = grow_scalp(rng, width_mm=5, height_mm=5)
    photo = photograph_scalp(scalp, rng, shape=(700, 700), rotation_deg=20, scale=1.05, stretch=1.02)
    roots = {hair.number: hair.root_um for hair in scalp.hairs}
    for hair in photo.truth:
        expected = photo.scalp_to_px[:, :2] @ roots[hair.number] + photo.scalp_to_px[:, 2]
        assert hair.root_px == pytest.approx(expected)


def test_hairs_keep_their_numbers_when_some_fall_out_and_others_grow():
    scalp = grow_scalp(np.random.default_rng(4), anagen_share=0.5)
    later = scalp.without([1, 5]).clipped(500).grown(2)
    assert {hair.number for hair in scalp.hairs} - {hair.number for hair in later.hairs} == {1, 5}
    grown = [hair.length_um - min(was.length_um, 500) for was, hair in _pairs(scalp, later)]
    rates = [hair.growth_um_per_day for _, hair in _pairs(scalp, later)]
    assert grown == pytest.approx([2 * rate for rate in rates])
    with pytest.raises(InputError, match="renumber"):
        later.with_hairs(scalp.hairs[2:3])


def test_the_same_seed_gives_the_same_bytes():
    photos = [
        photograph_scalp(grow_scalp(rng), rng, n_bubbles=2, n_ink=1, n_clippings=3, jpeg_quality=90).image
        for rng in (np.random.default_rng(5), np.random.default_rng(5))
    ]
    assert np.array_equal(*photos)


def test_refuses_what_no_scalp_is():
    with pytest.raises(InputError, match="fitzpatrick must be 1 to 6, got 7"):
        grow_scalp(np.random.default_rng(1), fitzpatrick=7)


def _pairs(before, after):
    by_number = {hair.number: hair for hair in before.hairs}
    return [(by_number[hair.number], hair) for hair in after.hairs]
