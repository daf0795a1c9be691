"""Spots lie where planted, links join what belongs together, drift and crowd are seen, concentration adds up."""

from __future__ import annotations

import math

import numpy as np
import pytest

from anagen.errors import InputError
from anagen.vesicles import DetectionVolume, calibrate_volume
from anagen.vesicles.concentration import concentration_interval, independent_particles, learn_depths
from anagen.vesicles.drift import smooth_drift, vibration_px
from anagen.vesicles.link import Spots, link_spots
from anagen.vesicles.locate import learn_spots, locate_spots
from anagen.vesicles.pairs import ensemble_steps
from anagen.vesicles.sizes import GRID_NM, deconvolve_sizes, summarize_shares


def spots_of(places: list[np.ndarray]) -> Spots:
    ordered = [place[np.argsort(place[:, 0], kind="stable")] for place in places]
    start = np.concatenate([[0], np.cumsum([len(one) for one in ordered])])
    table = np.concatenate(ordered).astype(np.float32)
    one = np.ones(len(table), np.float32)
    return Spots(start, table[:, 0], table[:, 1], 50 * one, 1.5 * one, 20 * one, 0.01 * one)


def walkers(rng: np.random.Generator, n: int, n_frames: int, variance: float, size: float, drift=(0.0, 0.0)):
    steps = rng.standard_normal((n_frames, n, 2)) * math.sqrt(variance) + np.array(drift)
    steps[0] = rng.random((n, 2)) * size
    return np.cumsum(steps, axis=0)


def test_spots_are_found_between_pixels():
    row, col = np.mgrid[:60, :80]
    frame = np.random.default_rng(1).poisson(10.0, (60, 80)).astype(float)
    planted = np.array([[15.3, 20.7], [30.0, 50.5], [45.25, 30.1]])
    for r, c in planted:
        frame += 120.0 * np.exp(-((row - r) ** 2 + (col - c) ** 2) / (2 * 1.6**2))
    frame = frame.astype(np.uint8)
    found = locate_spots(frame, learn_spots([frame] * 3))
    assert len(found) == 3
    # Poisson noise at this brightness leaves about 0.04 px
    np.testing.assert_allclose(found[:, :2], planted, atol=0.15)
    np.testing.assert_allclose(found[:, 3], 1.6, rtol=0.12)


def spots_on_noise(planted: list[tuple[float, float, float]], seed: int) -> np.ndarray:
    row, col = np.mgrid[:80, :100]
    frame = np.full((80, 100), 12.0)
    for r, c, peak in planted:
        frame += peak * np.exp(-((row - r) ** 2 + (col - c) ** 2) / (2 * 1.6**2))
    return np.random.default_rng(seed).poisson(frame).clip(0, 255).astype(np.uint8)


def test_a_faint_spot_beside_a_bright_one_is_found():
    planted = [(40.0, 50.0, 180.0), (40.0, 57.5, 14.0)]
    frames = [spots_on_noise(planted, seed) for seed in range(6)]
    model = learn_spots(frames, sigma_px=1.6, dark_on_bright=False)
    found = [locate_spots(frame, model) for frame in frames]
    assert all(np.min(np.hypot(one[:, 0] - 40.0, one[:, 1] - 57.5)) < 1.2 for one in found)
    assert sum(len(one) for one in found) == 12


def test_a_bright_spot_smeared_along_its_path_is_one_spot():
    path = [(40.0, 46.0 + shift, 40.0) for shift in np.linspace(0.0, 5.0, 6)]
    frames = [spots_on_noise(path, seed) for seed in range(6)]
    model = learn_spots(frames, sigma_px=1.6, dark_on_bright=False)
    assert [len(locate_spots(frame, model)) for frame in frames] == [1] * 6


def disc_on_noise(row: float, col: float, seed: int) -> np.ndarray:
    """A bright particle far out of focus: a disc with a hole, 17 px wide, over noise."""
    y, x = np.mgrid[:80, :100]
    r = np.hypot(y - row, x - col)
    disc = np.where(r < 3.0, 4.0, 14.0) * 0.5 * (1.0 - np.tanh((r - 8.0) / 1.2))
    return np.random.default_rng(seed).poisson(12.0 + disc).astype(np.uint8)


def test_a_particle_out_of_focus_is_one_spot_in_the_middle_of_its_disc():
    model = learn_spots([spots_on_noise([(40.0, 50.0, 60.0)], seed) for seed in range(6)], sigma_px=1.6)
    planted = np.array([40.3, 50.6])
    found = [locate_spots(disc_on_noise(*planted, seed), model) for seed in range(20)]
    assert np.mean([len(one) == 1 for one in found]) >= 0.9
    nearest = np.array([one[np.argmin(np.hypot(*(one[:, :2] - planted).T)), :2] for one in found])
    # 1700 photons over 1200 of background in a disc of standard deviation 4.5 px leave 0.15 px; a disc is no Gaussian
    assert np.sqrt(np.mean((nearest - planted) ** 2)) < 0.5


def test_a_fit_tells_its_own_error():
    planted = [(20.0, 20.3, 400.0), (20.4, 70.0, 100.0), (60.0, 20.0, 30.0), (60.2, 70.7, 12.0)]
    frames = [spots_on_noise(planted, seed) for seed in range(60)]
    model = learn_spots(frames[:6], sigma_px=1.6, dark_on_bright=False)
    found = [locate_spots(frame, model) for frame in frames]
    for r, c, peak in planted[1:]:
        near = np.concatenate([one[np.hypot(one[:, 0] - r, one[:, 1] - c) < 2.0] for one in found])
        error = np.mean((near[:, :2] - [r, c]) ** 2)
        # 120 squares: 13 % of their mean; the least squares' variance leaves out how the fit's width is doubtful
        assert error / near[:, 5].mean() == pytest.approx(1.15, rel=0.5), peak


def test_links_join_what_belongs_together():
    rng = np.random.default_rng(2)
    places = walkers(rng, 40, 30, 2.0, 400.0)
    spots = spots_of(list(places))
    who = np.concatenate([np.argsort(place[:, 0], kind="stable") for place in places])
    track = link_spots(spots, max_step_px=8.0, step_variance_px2=2.0)
    same = [len(set(who[track == one])) for one in np.unique(track)]
    assert np.mean(np.array(same) == 1) >= 0.9  # two that meet may swap
    assert np.bincount(track).max() == 30


def test_crossing_particles_are_linked_at_least_total_cost():
    # greedy would take 0 -> 3 (distance 3) and then force 4 -> -? ; together 0 -> -1 and 4 -> 3 is cheaper
    first, second = np.array([[0.0, 0.0], [4.0, 0.0]]), np.array([[-1.0, 0.0], [3.0, 0.0]])
    track = link_spots(spots_of([first, second]), max_step_px=5.0, step_variance_px2=2.0)
    np.testing.assert_array_equal(track, [0, 1, 0, 1])


def test_drift_is_smooth_and_takes_nothing_away():
    rng = np.random.default_rng(3)
    frame = np.repeat(np.arange(1, 600), 20)
    true = np.stack([0.5 + 0.3 * np.sin(frame / 100.0), np.full(len(frame), -0.2)], axis=1)
    steps = true + rng.standard_normal((len(frame), 2)) * 1.5
    drift = smooth_drift(frame, steps, np.full(len(frame), 2.25), 600)
    assert np.abs(drift[frame] - true).mean() < 0.05
    left = steps - drift[frame]
    assert left.var() == pytest.approx(2.25, rel=0.02)  # the raw mean of each frame would take 1/20 away
    assert vibration_px(frame, left, np.full(len(frame), 2.25)) < 0.1
    shake = rng.standard_normal((601, 2))
    shaken = left + np.diff(shake, axis=0)[frame - 1]
    assert vibration_px(frame, shaken, np.full(len(frame), 2.25)) == pytest.approx(1.0, rel=0.15)


def test_the_crowd_shows_its_motion_without_links():
    places = walkers(np.random.default_rng(4), 150, 120, 4.0, 300.0, drift=(1.5, -0.7))
    crowd = ensemble_steps(
        spots_of([place[np.all((place > 0) & (place < 300), axis=1)] for place in places]), max_reach_px=30.0
    )
    np.testing.assert_allclose(crowd.drift_px, [1.5, -0.7], atol=0.15)
    assert crowd.typical_variance_px2 == pytest.approx(4.0, rel=0.15)


def test_deconvolution_is_narrower_than_the_tracks():
    rng = np.random.default_rng(5)
    true = 100.0 * np.exp(0.03 * rng.standard_normal(1500))
    n_frames = rng.integers(5, 40, 1500)
    estimate = true * np.exp(rng.standard_normal(1500) / np.sqrt(n_frames))
    like = np.exp(-0.5 * (np.log(GRID_NM / estimate[:, None]) ** 2) * n_frames[:, None]).astype(np.float32)
    sizes = deconvolve_sizes(like, n_frames, rng=np.random.default_rng(6), n_resamples=10)
    assert sizes.d50_nm == pytest.approx(100.0, rel=0.02)
    assert sizes.sd_nm < 9.0
    assert estimate.std() > 20.0
    low, high = sizes.intervals["d50_nm"]
    assert low < 100.0 < high


def test_the_interval_of_a_narrow_peak_is_as_wide_as_its_error():
    # n steps of a track tell log size within 1 / sqrt(n): D50 of beads is known within 1 / sqrt(all steps) = 0.55 %
    halves = []
    for seed in range(5):
        rng = np.random.default_rng(100 + seed)
        n_frames = rng.integers(5, 40, 1500)
        estimate = 100.0 * np.exp(0.03 * rng.standard_normal(1500) + rng.standard_normal(1500) / np.sqrt(n_frames))
        like = np.exp(-0.5 * (np.log(GRID_NM / estimate[:, None]) ** 2) * n_frames[:, None]).astype(np.float32)
        sizes = deconvolve_sizes(like, n_frames, rng=np.random.default_rng(seed))
        low, high = sizes.intervals["d50_nm"]
        halves.append(0.5 * (high - low))
        assert sizes.d50_nm == pytest.approx(100.0, rel=0.02)
        assert 0.5 < sizes.sd_nm < 6.0
    assert np.mean(halves) == pytest.approx(1.96 * 0.55, rel=0.25)


def test_percentiles_of_a_log_normal():
    log_d = np.log(GRID_NM / 120.0) / math.log(1.35)
    found = summarize_shares(np.exp(-0.5 * log_d**2))
    z = 1.2815515655446004
    expected = 120.0 * 1.35 ** np.array([-z, 0.0, z])
    np.testing.assert_allclose([found["d10_nm"], found["d50_nm"], found["d90_nm"]], expected, rtol=1e-3)
    assert found["mode_nm"] == pytest.approx(120.0 * math.exp(-(math.log(1.35) ** 2)), rel=1e-3)


def test_depth_is_learned_from_the_frames_themselves():
    # peak exp(-2 z^2) times diameter squared: a depth of sqrt(ln(A) / 2) on either side
    rng = np.random.default_rng(7)
    diameter = np.repeat([100.0, 200.0], 200_000)
    snr = 4.0 * (diameter / 100.0) ** 2 * np.exp(-2.0 * (4.0 * rng.random(diameter.size) - 2.0) ** 2)
    seen = snr > 1.0
    large = (diameter[seen] > 150.0).astype(float)
    each = np.ones(len(large), int)
    profile = learn_depths(snr[seen], each, np.stack([1.0 - large, large], axis=1), np.array([100.0, 200.0]))
    ratio = profile.depth_of_size(np.array([100.0]))[0] / profile.depth_of_size(np.array([200.0]))[0]
    assert ratio == pytest.approx(math.sqrt(math.log(4.0) / math.log(16.0)), rel=0.05)
    assert profile.power == pytest.approx(2.0, rel=0.1)


def test_few_particles_come_back_again_and_again():
    view = (80.0, 100.0, 8.0)
    slow, fast = (independent_particles(50.0, view_um=view, diffusion_um2_per_s=d, movie_s=50.0) for d in (0.5, 5.0))
    assert 50.0 < slow < fast < 50.0 * 50.0 * 30.0


def test_concentration_interval_is_poisson():
    low, high = concentration_interval(1.0, n_independent=10.0, relative_uncertainty=0.0)
    assert (low, high) == pytest.approx((0.4795, 1.8390), abs=1e-3)  # exact 95 % limits of 10 counts: 4.795, 18.390
    wide = concentration_interval(1.0, n_independent=1e9, relative_uncertainty=0.1)
    assert wide == pytest.approx((0.81, 1.21), abs=0.02)


def test_volume_refusals():
    with pytest.raises(InputError, match="volume_um3"):
        DetectionVolume(0.0)
    with pytest.raises(InputError, match="known_concentration"):
        calibrate_volume(10.0, known_concentration_per_ml=0.0)
