import numpy as np
import pytest

from anagen.errors import InputError
from anagen.hair import Region, measure_hairs
from anagen.synthetic.scalp import grow_scalp, photograph_scalp


def test_counts_the_hairs_that_were_planted():
    rng = np.random.default_rng(1)
    scalp = grow_scalp(rng, density_per_cm2=60, unit_shares=(1.0,), vellus_share=0)
    photo = photograph_scalp(scalp, rng, shape=(800, 1000))
    region = Region.rectangle(60, 60, 740, 940)
    found = measure_hairs(photo.image, um_per_px=5.0, region=region)
    planted = sum(bool(region.contains(hair.root_px)) for hair in photo.truth)
    assert found.n_hairs == pytest.approx(planted, abs=2)
    assert found.area_cm2 == pytest.approx(680 * 880 * 25e-8)


def test_refuses_what_is_no_rgb_image():
    with pytest.raises(InputError, match="convert it to RGB"):
        measure_hairs(np.zeros((10, 10)), um_per_px=5.0)
    with pytest.raises(InputError, match="um_per_px must be above 0, got 0"):
        measure_hairs(np.zeros((10, 10, 3), dtype=np.uint8), um_per_px=0)
