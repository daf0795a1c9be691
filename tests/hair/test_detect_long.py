import numpy as np
import pytest

from anagen.hair import Region, measure_hairs
from anagen.synthetic.scalp import grow_scalp, photograph_scalp

REGION = Region.rectangle(60, 60, 640, 840)


def photograph_long_hair(seed, density, length_mm):
    rng = np.random.default_rng(seed)
    scalp = grow_scalp(
        rng, density_per_cm2=density, length_um=(1000 * length_mm, 300), vellus_share=0, width_mm=8, height_mm=7
    )
    return photograph_scalp(scalp, rng, um_per_px=6.0, shape=(700, 900), clip_length_um=None)


def count_hits(photo, found):
    planted = np.array([hair.root_px for hair in photo.truth])
    planted = planted[REGION.contains(planted)]
    roots = np.array([hair.root_px for hair in found.hairs]).reshape(-1, 2)
    near = np.hypot(*(planted[:, None] - roots[None]).transpose(2, 0, 1)) * 6.0 <= 100.0
    return int(near.any(axis=1).sum()), len(planted), int((~near.any(axis=0)).sum())


@pytest.mark.parametrize("detector", ["network", "ridges"])
def test_long_hairs_are_counted_by_the_roots_that_are_seen(detector):
    scores = []
    for seed, density, length_mm in ((4, 80, 2.0), (5, 60, 4.0), (6, 60, 4.0), (8, 60, 4.0)):
        photo = photograph_long_hair(seed, density, length_mm)
        found = measure_hairs(photo.image, um_per_px=6.0, region=REGION, detector=detector)
        scores.append(count_hits(photo, found))
        (flag,) = [flag for flag in found.flags if flag.code == "long-hair"]
        assert flag.severity == "warning"
        assert 0.07 < flag.value < 0.2
    hit, planted, false = np.sum(scores, axis=0)
    assert hit >= 0.65 * planted
    assert false <= 0.1 * planted


def test_a_long_hair_is_one_hair_across_others():
    photos = [photograph_long_hair(seed, 60, 4.0) for seed in (6, 8, 10)]
    found = [measure_hairs(photo.image, um_per_px=6.0, region=REGION) for photo in photos]
    # the frame cuts many of the 4 mm off
    assert np.median([hair.length_um for one in found for hair in one.hairs]) > 2000


def test_hair_that_hides_most_roots_is_refused_as_such():
    found = measure_hairs(photograph_long_hair(5, 150, 8.0).image, um_per_px=6.0)
    assert [flag.code for flag in found.flags if flag.severity == "refused"] == ["long-hair"]
    assert "clip the hair" in found.flags[-1].advice


def test_clipped_hair_is_not_long():
    rng = np.random.default_rng(3)
    photo = photograph_scalp(grow_scalp(rng, density_per_cm2=120), rng, um_per_px=6.0, shape=(700, 900))
    assert "long-hair" not in {flag.code for flag in measure_hairs(photo.image, um_per_px=6.0).flags}
