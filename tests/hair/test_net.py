import cv2
import numpy as np
import pytest

from anagen.hair import net
from anagen.hair.contrast import skin_ratio
from anagen.hair.net import _lay_squares, see_centres
from anagen.synthetic.scalp import grow_scalp, photograph_scalp


def photo_of_a_few_hairs(um_per_px=5.0):
    rng = np.random.default_rng(2)
    scalp = grow_scalp(rng, density_per_cm2=60, width_mm=3, height_mm=3, unit_shares=(1.0,), vellus_share=0)
    side = round(3000 / um_per_px)
    return photograph_scalp(scalp, rng, shape=(side, side), um_per_px=um_per_px)


@pytest.mark.parametrize("um_per_px", [2.7, 5.0, 6.0, 8.0])
def test_middles_of_hairs_stand_out_from_skin(um_per_px):
    photo = photo_of_a_few_hairs(um_per_px)
    centre, pitch = see_centres(photo.image, um_per_px)
    assert pitch == pytest.approx(12.0, rel=0.01)
    inner = [hair.path_px[len(hair.path_px) // 2] for hair in photo.truth]
    at = np.rint((np.array(inner) + 0.5) * um_per_px / pitch - 0.5).astype(int)
    at = at[np.all((at > 2) & (at < np.array(centre.shape) - 3), axis=1)]
    assert np.median(centre[at[:, 0], at[:, 1]]) > 0.5
    assert np.median(centre) < 0.1


def test_the_number_of_threads_changes_nothing():
    photo = photo_of_a_few_hairs()
    before = cv2.getNumThreads()
    try:
        answers = []
        for n in (1, 2):
            cv2.setNumThreads(n)
            answers.append(see_centres(photo.image, 5.0)[0])
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(*answers)


def test_skin_divides_out():
    light = np.linspace(80, 240, 400)[None, :, None] * np.ones((300, 1, 3))
    assert np.abs(skin_ratio(light.astype(np.uint8), 6.0)[:, 100:-100]).max() < 0.05


def test_squares_are_laid_into_channels_colour_first_then_row_then_column():
    """The order of `torch.nn.functional.pixel_unshuffle`, in which the network was taught."""
    ratio = np.arange(4 * 6 * 3).reshape(4, 6, 3)
    laid = _lay_squares(ratio)
    assert laid.shape == (12, 2, 3)
    for colour in range(3):
        for row in range(2):
            for col in range(2):
                assert np.array_equal(laid[4 * colour + 2 * row + col], ratio[row::2, col::2, colour])


def test_bands_of_rows_answer_like_the_whole(monkeypatch):
    rng = np.random.default_rng(3)
    scalp = grow_scalp(rng, density_per_cm2=100, width_mm=2, height_mm=6, vellus_share=0)
    image = photograph_scalp(scalp, rng, shape=(1000, 300), um_per_px=6.0).image
    banded, _ = see_centres(image, 6.0)
    monkeypatch.setattr(net, "BAND", 4096)
    whole, _ = see_centres(image, 6.0)
    assert np.abs(banded - whole).max() < 0.05
    assert np.abs(banded - whole).mean() < 1e-3
