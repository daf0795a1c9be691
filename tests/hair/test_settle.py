"""Bars that cannot be one hair, in a field clipped to one length."""

import cv2
import numpy as np
import pytest

from anagen.hair.settle import split_chains
from anagen.hair.shafts import Shaft

PLATEAU, HALF = 0.8, 4.0


def _draw(lengths, chain):
    """Contrast and one shaft for each upright bar; the last shaft spans `chain`, pairs of (first, last) points."""
    contrast = np.zeros((420, 80 * (len(lengths) + 1)), dtype=np.float32)
    shafts = []
    for k, length in enumerate(lengths):
        col = 120 + 80 * k
        cv2.rectangle(contrast, (int(col - HALF), 150), (int(col + HALF), 150 + length), PLATEAU, -1)
        shafts.append(_shaft([150, col], [150 + length, col]))
    for first, last in chain:
        cv2.line(contrast, (int(first[1]), int(first[0])), (int(last[1]), int(last[0])), PLATEAU, int(2 * HALF + 1))
    return contrast, [*shafts, _shaft(chain[0][0], chain[-1][1])]


def _shaft(first, last):
    n = round(float(np.hypot(*np.subtract(last, first)))) + 1
    path = np.linspace(first, last, n)
    return Shaft(path, HALF, PLATEAU, 1.0, float(n), 1.0, 0.0, 2 * HALF)


def _split(contrast, shafts):
    return split_chains(contrast, shafts, widest_px=8.0, end_share=0.6, least=0.3)


@pytest.mark.parametrize("overlap", [0, 30])
def test_a_bar_of_two_hairs_in_line_is_parted_at_their_usual_length(overlap):
    usual = 100
    chain = [((100.0, 40.0), (200.0, 40.0)), ((200.0 - overlap, 40.0), (300.0 - overlap, 40.0))]
    contrast, shafts = _draw([usual] * 14, chain)

    one, two = _split(contrast, shafts)[-2:]

    ends = sorted([one.path[0, 0], one.path[-1, 0], two.path[0, 0], two.path[-1, 0]])
    assert ends == pytest.approx(sorted([100, 200, 200 - overlap, 300 - overlap]), abs=6)


def test_a_bent_chain_follows_both_its_hairs():
    chain = [((100.0, 40.0), (200.0, 40.0)), ((200.0, 40.0), (296.0, 68.0))]
    contrast, shafts = _draw([100] * 14, chain)

    one, two = _split(contrast, shafts)[-2:]

    assert two.path[-1] == pytest.approx([296, 68], abs=6)
    assert one.path[0] == pytest.approx([100, 40], abs=6)
    assert np.abs(one.path[len(one.path) // 2] - [150, 40]).max() < 4


def test_a_bar_drawn_on_beyond_the_frame_stays_one_hair():
    chain = [((-80.0, 40.0), (90.0, 40.0))]
    contrast, shafts = _draw([100] * 14, chain)

    assert len(_split(contrast, shafts)) == len(shafts)


def test_of_two_in_line_the_frame_may_cut_the_second():
    chain = [((250.0, 40.0), (350.0, 40.0)), ((350.0, 40.0), (450.0, 40.0))]
    contrast, shafts = _draw([100] * 14, chain)
    assert contrast.shape[0] == 420

    parted = _split(contrast, shafts)

    ends = sorted(path[k, 0] for path in (parted[-2].path, parted[-1].path) for k in (0, -1))
    assert len(parted) == len(shafts) + 1
    assert ends[:3] == pytest.approx([250, 350, 350], abs=20)
    assert ends[3] > 419


def test_where_lengths_differ_a_long_bar_stays_one_hair():
    chain = [((100.0, 40.0), (300.0, 40.0))]
    contrast, shafts = _draw([60, 80, 100, 120, 140, 160, 180] * 2, chain)

    assert _split(contrast, shafts) is shafts


def test_a_bar_that_runs_on_along_another_hair_keeps_its_own_part_only():
    chain = [((100.0, 40.0), (200.0, 40.0)), ((200.0, 40.0), (300.0, 40.0))]
    contrast, shafts = _draw([100] * 14, chain)
    second = _shaft([200, 40], [300, 40])

    parted = _split(contrast, [*shafts[:-1], second, shafts[-1]])

    assert len(parted) == len(shafts) + 1
    assert sorted([parted[-1].path[0, 0], parted[-1].path[-1, 0]]) == pytest.approx([100, 200], abs=8)


def test_bars_that_the_frame_cuts_do_not_make_lengths_differ():
    chain = [((100.0, 40.0), (200.0, 40.0)), ((200.0, 40.0), (300.0, 40.0))]
    contrast, shafts = _draw([100] * 20, chain)
    cut = [_shaft([-60, 120 + 80 * k], [40, 120 + 80 * k]) for k in range(15)]

    assert len(_split(contrast, [*cut, *shafts])) == len(cut) + len(shafts) + 1
