import numpy as np
import pytest
from training.scenes import Bars, answers, draw_example, draw_scene


def test_the_same_seed_draws_the_same_example():
    one, other = (draw_example(np.random.default_rng(3), 128) for _ in range(2))
    assert np.array_equal(one[0], other[0])
    assert np.array_equal(one[1], other[1])


@pytest.mark.parametrize("seed", range(6))
def test_every_scene_is_a_picture_with_answers(seed):
    picture, asked = draw_example(np.random.default_rng(seed), 128)
    assert picture.shape == (3, 128, 128)
    assert asked.shape == (11, 64, 64)
    assert np.isfinite(picture).all()
    assert np.isfinite(asked).all()
    assert 0 <= asked[0].min() <= asked[0].max() <= 1


def test_answers_point_to_root_and_tip():
    bars = Bars(np.array([[20.0, 20]]), np.array([[20.0, 100]]), np.zeros(1), np.array([6.0]), np.ones(1), np.ones(1))
    asked = answers(bars, 128)
    # pixel (10, 30) of the answer has its centre at (20.5, 60.5) of the picture
    assert asked[0, 10, 30] > 0.9
    assert asked[1:3, 10, 30] * 16 * 2 == pytest.approx([-0.5, -40.5])
    assert asked[3:5, 10, 30] * 16 * 2 == pytest.approx([-0.5, 39.5])
    assert np.exp(asked[5, 10, 30]) == pytest.approx(3)
    assert asked[7, 40, 40] == 0


def test_the_hair_on_top_answers():
    root, tip = np.array([[64.0, 10], [10, 64.0]]), np.array([[64.0, 118], [118, 64.0]])
    asked = answers(Bars(root, tip, np.zeros(2), np.full(2, 6.0), np.ones(2), np.ones(2)), 128)
    assert asked[3, 32, 32] * 32 == pytest.approx(118 - 64.5)


def test_loose_pieces_are_no_hair():
    bars = Bars(np.array([[20.0, 20]]), np.array([[20.0, 100]]), np.zeros(1), np.array([6.0]), np.ones(1), np.zeros(1))
    asked = answers(bars, 128)
    assert asked[0].max() == 0
    assert asked[7].max() == 0
    assert 0 < asked[6].min() < 1


def test_hairs_differ_from_skin_where_they_lie():
    rng = np.random.default_rng(12)
    n_judged = 0
    for _ in range(12):
        image, bars = draw_scene(rng, 192)
        inside = np.all((bars.root > 20) & (bars.root < 170), axis=1)
        if np.sum((bars.weight > 0) & (bars.rooted > 0) & inside) >= 3:
            asked = answers(bars, 192)
            small = image[::2, ::2].astype(float)
            hair, skin = small[asked[0] > 0.8], small[(asked[0] == 0) & (asked[6] == 1)]
            assert np.abs(hair.mean(axis=0) - skin.mean(axis=0)).max() > 5
            n_judged += 1
    assert n_judged >= 2
