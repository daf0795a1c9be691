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


@pytest.fixture(scope="module", params=["network", "ridges"])
def fields(request):
    """Eight photographs of 4 mm hair, and what was found there."""
    photos = [photograph_long_hair(seed, 60, 4.0) for seed in range(20, 28)]
    return [
        (photo, measure_hairs(photo.image, um_per_px=6.0, region=REGION, detector=request.param)) for photo in photos
    ]


def test_long_hairs_are_counted_by_the_roots_that_are_seen(fields):
    for _, found in fields:
        (flag,) = [flag for flag in found.flags if flag.code == "long-hair"]
        assert flag.severity == "warning"
        assert 0.1 < flag.value < 0.25
    hit, planted, false = np.sum([count_hits(photo, found) for photo, found in fields], axis=0)
    assert hit >= 0.65 * planted
    assert false <= 0.05 * planted


def test_half_of_long_hairs_are_followed_to_their_tip_across_others(fields):
    whole = [followed(hair, photo) > 0.9 for photo, found in fields for hair in found.hairs]
    assert np.mean(whole) > 0.5


def followed(hair, photo):
    """Length of a hair over that of the planted one of the nearest root, as far as the frame shows it."""
    truth = min(photo.truth, key=lambda one: np.hypot(*(np.asarray(one.root_px) - hair.root_px)))
    path = truth.path_px[((truth.path_px >= 0) & (truth.path_px <= (699, 899))).all(axis=1)]
    return hair.length_um / (6.0 * np.hypot(*np.diff(path, axis=0).T).sum())


def test_hair_that_hides_most_roots_is_refused_as_such():
    found = measure_hairs(photograph_long_hair(5, 150, 8.0).image, um_per_px=6.0)
    assert [flag.code for flag in found.flags if flag.severity == "refused"] == ["long-hair"]
    assert "clip the hair" in found.flags[-1].advice


def test_clipped_hair_is_not_long():
    rng = np.random.default_rng(3)
    photo = photograph_scalp(grow_scalp(rng, density_per_cm2=120), rng, um_per_px=6.0, shape=(700, 900))
    assert "long-hair" not in {flag.code for flag in measure_hairs(photo.image, um_per_px=6.0).flags}
