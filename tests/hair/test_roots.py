"""Which end is the root, on hairs painted plainly: no shaft under the skin, only what the name of each test says."""

import cv2
import numpy as np
import pytest

from anagen.hair import measure_hairs
from anagen.hair.contrast import Contrast
from anagen.hair.roots import reach_roots, root_first

UM_PER_PX = 5.0
N = 36
SIDE = 110


def paint(rng, *, hair=(60, 42, 34), skin=(225, 190, 168), taper=0.0, fade_um=0.0, opening=0.0):
    """A field of single hairs that lean one way; image, roots (row, col)."""
    side = SIDE * 6
    ground = np.ones((side, side), dtype=np.float32)
    for sigma, share in ((3, 0.012), (12, 0.02), (60, 0.03)):
        relief = cv2.GaussianBlur(rng.standard_normal((side, side)).astype(np.float32), (0, 0), sigma)
        ground += share * relief / relief.std()
    rows, cols = np.mgrid[:side, :side].astype(np.float32)
    cover, openings = np.zeros((side, side), dtype=np.float32), np.zeros((side, side), dtype=np.float32)
    roots = []
    way = rng.uniform(0, 2 * np.pi)
    for cell in range(N):
        angle = way + rng.normal(0, 0.2)
        along = np.array([np.cos(angle), np.sin(angle)])
        length, width = rng.normal(520, 30) / UM_PER_PX, rng.normal(75, 10) / UM_PER_PX
        root = (np.array(divmod(cell, 6)) + 0.5) * SIDE - along * length / 2 + rng.normal(0, 3, 2)
        t = ((rows - root[0]) * along[0] + (cols - root[1]) * along[1]) / length
        off = np.abs((cols - root[1]) * along[0] - (rows - root[0]) * along[1])
        half = width / 2 * (1 - taper * np.clip(2 * t - 1, 0, 1))
        body = np.clip(half - off + 0.5, 0, 1) * ((t > 0) & (t < 1))
        if fade_um:
            body *= np.clip(t * length * UM_PER_PX / fade_um, 0, 1)
        cover = np.maximum(cover, body)
        openings = np.maximum(openings, np.clip(9.5 - np.hypot(rows - root[0], cols - root[1]), 0, 1))
        roots.append(root)
    light = np.array(skin, dtype=np.float32) * (ground * np.exp(-opening * openings))[:, :, None]
    light = light * (1 - cover[:, :, None]) + np.array(hair, dtype=np.float32) * cover[:, :, None]
    light = cv2.GaussianBlur(light, (0, 0), 1.2) + rng.normal(0, 2, light.shape)
    return np.clip(np.round(light), 0, 255).astype(np.uint8), np.array(roots)


def share_found(image, roots):
    found = np.array([hair.root_px for hair in measure_hairs(image, um_per_px=UM_PER_PX).hairs]).reshape(-1, 2)
    return np.mean(np.hypot(*(roots[:, None] - found[None]).transpose(2, 0, 1)).min(axis=1) * UM_PER_PX < 100)


LIGHT_ON_DARK = {"hair": (190, 160, 110), "skin": (130, 92, 72)}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("colours", [{}, LIGHT_ON_DARK], ids=["dark hair", "light hair"])
@pytest.mark.parametrize(
    "what", [{"taper": 0.75}, {"fade_um": 120.0}, {"opening": 0.35}], ids=["tapered tip", "root under skin", "opening"]
)
def test_the_root_is_told_from_the_tip_by_any_one_sign(seed, colours, what):
    assert share_found(*paint(np.random.default_rng(seed), **colours, **what)) > 0.9


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_where_ends_show_nothing_the_hairs_of_a_unit_part_from_their_roots(seed):
    rng = np.random.default_rng(seed)
    value = cv2.GaussianBlur(rng.standard_normal((700, 700)).astype(np.float32), (0, 0), 8)
    value *= 0.2 / value.std()
    paths = []
    for cell in range(16):
        root = (np.array(divmod(cell, 4)) + np.array([0.4, 0.5])) * 160
        for lean in (-0.08, 0.08):
            way = lean + rng.normal(0, 0.05)
            path = root + [0, 60 * lean] + np.arange(100.0)[:, None] * [np.cos(way), np.sin(way)]
            cv2.polylines(value, [np.rint(path[:, ::-1]).astype(np.int32)], isClosed=False, color=0.6, thickness=10)
            paths.append(path[::-1] if rng.random() < 0.5 else path)
    blank = np.zeros((700, 700, 3), dtype=np.uint8)
    found = root_first(Contrast(value, value, blank, 5.0, 1.0, "dark", 10.0), paths)
    assert all(path[0, 0] < path[-1, 0] for path in found)


def _bars(*bars):
    """Contrast of upright bars, 12 pixels wide: (column, first row, last row, contrast)."""
    contrast = np.zeros((300, 200), dtype=np.float32)
    for col, first, last, level in bars:
        contrast[first:last, col - 6 : col + 6] = level
    return contrast


def test_a_root_is_carried_on_half_as_far_as_the_hair_is_dark_beyond_it():
    path = np.stack([np.arange(120.0, 240.0), np.full(120, 80.0)], axis=1)
    found = reach_roots(_bars((80, 90, 240, 0.6)), [path], [6.0], 5.0)[0]
    # 30 px are 150 um beyond the path's first point, of which 20 are not counted
    assert found[0] == pytest.approx([120 - (150 - 20) / 2 / 5, 80], abs=2)
    assert np.array_equal(found[-len(path) :], path)


def test_a_root_stays_where_skin_another_hair_or_the_frame_begins():
    path = np.stack([np.arange(120.0, 240.0), np.full(120, 80.0)], axis=1)
    other = np.stack([np.arange(20.0, 118.0), np.full(98, 80.0)], axis=1)
    alone, beside = _bars((80, 120, 240, 0.6)), _bars((80, 20, 240, 0.6))
    assert np.array_equal(reach_roots(alone, [path], [6.0], 5.0)[0], path)
    assert np.array_equal(reach_roots(beside, [path, other], [6.0, 6.0], 5.0)[0], path)
    at_frame = path - [116, 0]
    assert reach_roots(_bars((80, 0, 124, 0.6)), [at_frame], [6.0], 5.0)[0].min() >= 0
