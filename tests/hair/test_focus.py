import cv2
import numpy as np
import pytest

from anagen.hair import measure_hairs
from anagen.synthetic.scalp import grow_scalp, photograph_scalp


@pytest.fixture(scope="module")
def photo():
    rng = np.random.default_rng(11)
    scalp = grow_scalp(rng, density_per_cm2=150, width_mm=4.5, height_mm=4.5)
    return photograph_scalp(scalp, rng, um_per_px=6.0, shape=(600, 600)).image


def severity(image):
    flags = [flag for flag in measure_hairs(image, um_per_px=6.0).flags if flag.code == "out-of-focus"]
    return flags[0].severity if flags else "none"


def test_a_photograph_in_focus_is_counted_and_a_blurred_one_refused(photo):
    assert severity(photo) == "none"
    assert severity(cv2.GaussianBlur(photo, (0, 0), 30 / 6.0)) == "warning"
    refused = measure_hairs(cv2.GaussianBlur(photo, (0, 0), 70 / 6.0), um_per_px=6.0)
    assert refused.refused
    assert refused.hairs == ()
    assert np.isnan(refused.density_per_cm2)


def test_bare_skin_is_not_called_blurred():
    rng = np.random.default_rng(12)
    bare = photograph_scalp(grow_scalp(rng, density_per_cm2=0, width_mm=4, height_mm=4), rng, shape=(600, 600)).image
    assert severity(bare) == "none"


def test_smooth_skin_with_few_sharp_hairs_is_in_focus():
    rng = np.random.default_rng(13)
    relief = cv2.GaussianBlur(rng.standard_normal((700, 700)).astype(np.float32), (0, 0), 14)
    light = np.array((84, 60, 48), dtype=np.float32) * (1 + 0.18 * relief / relief.std())[:, :, None]
    for k in range(6):
        row, col = 120 + 200 * (k // 3), 120 + 200 * (k % 3)
        cv2.line(light, (col, row), (col + 30, row + 80), (190.0, 160.0, 110.0), 12, cv2.LINE_AA)
    light = cv2.GaussianBlur(light, (0, 0), 1.2)

    def photograph(picture):
        return np.clip(np.round(picture + rng.normal(0, 0.1, picture.shape)), 0, 255).astype(np.uint8)

    found = measure_hairs(photograph(light), um_per_px=6.0)
    assert severity(photograph(light)) == "none"
    assert len(found.hairs) == 6
    assert severity(photograph(cv2.GaussianBlur(light, (0, 0), 60 / 6.0))) != "none"
