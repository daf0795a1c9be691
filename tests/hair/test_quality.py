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


def _print(capital_px: int) -> np.ndarray:
    """A page of text as a camera sees it: yellow paper, uneven light, noise."""
    rng = np.random.default_rng(capital_px)
    page = np.full((*SHAPE, 3), (200, 185, 165), dtype=np.uint8)
    words = ["the", "count", "of", "hairs", "was", "higher", "in", "week", "twelve", "than", "before", "treatment"]
    weight = max(1, round(0.14 * capital_px))
    for y in range(capital_px, SHAPE[0] + capital_px, 2 * capital_px):
        line = " ".join(rng.permutation(words))
        cv2.putText(page, line, (-20, y), cv2.FONT_HERSHEY_SIMPLEX, capital_px / 21, (30, 30, 35), weight, cv2.LINE_AA)
    light = np.linspace(1.05, 0.9, SHAPE[1])[None, :, None]
    return np.clip(cv2.GaussianBlur(page, (0, 0), 1.2) * light + rng.normal(0, 2, page.shape), 0, 255).astype(np.uint8)


def _room() -> np.ndarray:
    """Things of several colours, each with an outline, as in any photograph that is not of one surface."""
    rng = np.random.default_rng(4)
    room = np.full((*SHAPE, 3), (150, 130, 110), dtype=np.uint8)
    for _ in range(14):
        corner = rng.integers(0, [SHAPE[1], SHAPE[0]])
        far = corner + rng.integers(150, 400, 2)
        colour = rng.integers(40, 220, 3)
        cv2.rectangle(room, corner.tolist(), far.tolist(), (colour * 0.4 + 80).tolist(), -1)
        cv2.rectangle(room, corner.tolist(), far.tolist(), (40, 35, 30), 12)
    return np.clip(cv2.GaussianBlur(room, (0, 0), 1.5) + rng.normal(0, 3, room.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (_noise(), "not-a-scalp"),
        (_page(), "not-a-scalp"),
        (_face(), "not-a-scalp"),
        (_room(), "not-a-scalp"),
        (_print(240), "scattered-lines"),
        (_print(18), "implausible-density"),
        (np.full((*SHAPE, 3), 255, dtype=np.uint8), "saturated"),
        (np.zeros((*SHAPE, 3), dtype=np.uint8), "saturated"),
    ],
    ids=["noise", "page", "face", "room", "large-print", "small-print", "white", "black"],
)
def test_refuses_what_cannot_be_counted_and_says_why(image, code):
    found = measure_hairs(image, um_per_px=5.0)
    assert found.refused
    assert np.isnan(found.density_per_cm2)
    assert code in {flag.code for flag in found.flags if flag.severity == "refused"}


def test_ink_on_dark_skin_is_no_artificial_colour():
    rng = np.random.default_rng(48)
    scalp = grow_scalp(rng, fitzpatrick=6)
    photo = photograph_scalp(scalp, rng, um_per_px=4.0, shape=(1200, 1500), n_ink=6, n_clippings=30)
    found = measure_hairs(photo.image, um_per_px=4.0)
    assert not found.refused
    assert found.n_hairs > 20


def test_a_wrong_scale_shows_in_more_hairs_than_a_scalp_has():
    rng = np.random.default_rng(5)
    photo = photograph_scalp(grow_scalp(rng, density_per_cm2=200), rng, um_per_px=5.0, shape=SHAPE)
    found = measure_hairs(photo.image, um_per_px=2.5)
    assert "implausible-density" in {flag.code for flag in found.flags if flag.severity == "refused"}


def test_bare_skin_is_no_failure():
    rng = np.random.default_rng(2)
    photo = photograph_scalp(grow_scalp(rng, density_per_cm2=0), rng, shape=SHAPE)
    found = measure_hairs(photo.image, um_per_px=5.0)
    assert (found.n_hairs, found.refused) == (0, False)
    assert [flag.code for flag in found.flags] == ["no-hair"]


def test_a_scale_no_camera_has_is_refused_with_its_number():
    found = measure_hairs(np.full((*SHAPE, 3), 150, dtype=np.uint8), um_per_px=50.0)
    assert ("implausible-scale", 50.0) in {(flag.code, flag.value) for flag in found.flags}
