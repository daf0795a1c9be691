"""The smooth mixture finds planted sizes: narrow ones narrow, two as two, and never more than the tracks know."""

from __future__ import annotations

import math

import numpy as np
import pytest

from anagen.vesicles.mixture import LengthClasses, expect, fit_mixture
from anagen.vesicles.sizes import GRID_NM, SizeDistribution, deconvolve_sizes


def tracks_of(true_nm: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Likelihoods of tracks of 8 to 60 frames that know their log diameter within 1 / sqrt(frames)."""
    n_frames = rng.integers(8, 60, len(true_nm))
    estimate = np.log(true_nm) + rng.standard_normal(len(true_nm)) / np.sqrt(n_frames)
    like = np.exp(-0.5 * (np.log(GRID_NM) - estimate[:, None]) ** 2 * n_frames[:, None])
    return like.astype(np.float32), n_frames


def sizes_of(true_nm: np.ndarray, seed: int) -> SizeDistribution:
    like, n_frames = tracks_of(true_nm, np.random.default_rng(seed))
    return deconvolve_sizes(like, n_frames, rng=np.random.default_rng(1), n_resamples=10)


def test_beads_stay_as_narrow_as_they_are():
    true = 100.0 * (1.0 + 0.03 * np.random.default_rng(2).standard_normal(3000))
    sizes = sizes_of(true, 3)
    # each track alone scatters by 18 %: a histogram would be six times too wide
    assert sizes.d50_nm == pytest.approx(100.0, rel=0.015)
    assert sizes.sd_nm < 5.0


def test_leaps_that_no_particle_makes_are_left_out_and_told():
    like, n_frames = tracks_of(np.full(1000, 100.0), np.random.default_rng(6))
    like[:60], n_frames[:60] = 1.0 / (1.0 + (GRID_NM / 20.0) ** 8), 15
    rng = np.random.default_rng
    seen, cleaned = (
        deconvolve_sizes(like, n_frames, rng=rng(1), n_resamples=4, smallest_nm=least) for least in (0.0, 35.0)
    )
    assert seen.mode_nm < 15.0
    assert seen.too_fast_share == 0.0
    assert cleaned.mode_nm == pytest.approx(100.0, rel=0.02)
    assert cleaned.too_fast_share == pytest.approx(0.03, abs=0.015)


def test_two_kinds_stay_two():
    rng = np.random.default_rng(4)
    true = np.repeat([100.0, 130.0], 1500) * (1.0 + 0.03 * rng.standard_normal(3000))
    sizes = sizes_of(true, 5)
    density = sizes.density
    tops = (density[1:-1] > density[:-2]) & (density[1:-1] >= density[2:]) & (density[1:-1] > 0.15 * density.max())
    np.testing.assert_allclose(sizes.diameter_nm[1:-1][tops], [100.0, 130.0], rtol=0.04)
    share = density * np.gradient(sizes.diameter_nm)
    assert share[sizes.diameter_nm < 114.0].sum() == pytest.approx(0.5, abs=0.12)


def test_a_log_normal_keeps_its_percentiles():
    true = 120.0 * np.exp(0.3 * np.random.default_rng(6).standard_normal(3000))
    sizes = sizes_of(true, 7)
    expected = np.percentile(true, [10, 50, 90])
    np.testing.assert_allclose([sizes.d10_nm, sizes.d50_nm, sizes.d90_nm], expected, rtol=0.04)
    low, high = sizes.intervals["d50_nm"]
    assert low < expected[1] < high


def test_twice_the_diameter_is_twice_the_answer():
    like, n_frames = tracks_of(np.full(400, 100.0), np.random.default_rng(8))
    shift = round(math.log(2.0) / math.log(GRID_NM[1] / GRID_NM[0]))
    ratio = GRID_NM[shift] / GRID_NM[0]
    moved = np.zeros_like(like)
    moved[:, shift:] = like[:, :-shift]
    one, two = (deconvolve_sizes(each, n_frames, rng=np.random.default_rng(1), n_resamples=3) for each in (like, moved))
    assert two.d50_nm == pytest.approx(ratio * one.d50_nm, rel=1e-4)


def test_few_tracks_give_draws_that_are_distributions_near_the_answer():
    like, n_frames = tracks_of(np.full(12, 100.0), np.random.default_rng(9))
    order = np.argsort(n_frames, kind="stable")
    tracks = LengthClasses.of(n_frames[order])
    draws = np.random.default_rng(1).multinomial(12, np.full(12, 1 / 12), size=50).T.astype(float)
    found = fit_mixture(like[order], np.log(GRID_NM), tracks, draws)
    np.testing.assert_allclose(found.drawn.sum(axis=1), 1.0, rtol=1e-9)
    assert np.all(found.drawn >= 0.0)
    middle = GRID_NM[np.argmax(np.cumsum(found.drawn, axis=1) > 0.5, axis=1)]
    assert np.all((middle > 50.0) & (middle < 200.0))
    assert expect(np.ones(12), found, like[order], tracks).sum() == pytest.approx(12.0, rel=1e-3)
