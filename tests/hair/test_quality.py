import cv2
import numpy as np
import pytest

from anagen.hair import measure_hairs
from anagen.synthetic.scalp import grow_scalp, photograph_scalp

SHAPE = (700, 900)


def _noise() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)


def _page() -> np.ndarray:
    page = np.full((*SHAPE, 3), (235, 232, 228), dtype=np.uint8)
    for row in range(60, SHAPE[0], 40):
        cv2.putText(page, "The quick brown fox jumps over the lazy dog", (30, row), 0, 1.0, (20, 20, 20), 2)
    return page


def _face() -> np.ndarray:
    face = np.full((*SHAPE, 3), (90, 110, 140), dtype=np.uint8)
    cv2.ellipse(face, (450, 330), (240, 300), 0, 0, 360, (50, 35, 28), -1)
    cv2.ellipse(face, (450, 390), (200, 260), 0, 0, 360, (205, 160, 135), -1)
    for col in (370, 530):
        cv2.ellipse(face, (col, 330), (36, 16), 0, 0, 360, (240, 240, 240), -1)
        cv2.circle(face, (col, 330), 16, (50, 35, 30), -1)
        cv2.ellipse(face, (col, 290), (50, 8), 0, 0, 360, (60, 40, 30), -1)
    grain = np.random.default_rng(1).normal(0, 3, face.shape)
    return np.clip(cv2.GaussianBlur(face, (0, 0), 3) + grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (_noise(), "not-a-scalp"),
        (_page(), "not-a-scalp"),
        (_face(), "not-a-scalp"),
        (np.full((*SHAPE, 3), 255, dtype=np.uint8), "saturated"),
        (np.zeros((*SHAPE, 3), dtype=np.uint8), "saturated"),
    ],
    ids=["noise", "page", "face", "white", "black"],
)
def test_refuses_what_cannot_be_counted_and_says_why(image, code):
    found = measure_hairs(image, um_per_px=5.0)
    assert found.refused
    assert np.isnan(found.density_per_cm2)
    assert code in {flag.code for flag in found.flags if flag.severity == "refused"}


def test_bare_skin_is_no_failure():
    rng = np.random.default_rng(2)
    photo = photograph_scalp(grow_scalp(rng, density_per_cm2=0), rng, shape=SHAPE)
    found = measure_hairs(photo.image, um_per_px=5.0)
    assert (found.n_hairs, found.refused) == (0, False)
    assert [flag.code for flag in found.flags] == ["no-hair"]


def test_a_scale_no_camera_has_is_refused_with_its_number():
    found = measure_hairs(np.full((*SHAPE, 3), 150, dtype=np.uint8), um_per_px=50.0)
    assert ("implausible-scale", 50.0) in {(flag.code, flag.value) for flag in found.flags}
