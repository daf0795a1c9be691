"""The likelihood is that of the full covariance matrix, and its maximum is as sharp as the Cramer-Rao bound."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from anagen.vesicles.diffusion import (
    blur_coefficient,
    covariance_estimate,
    log_likelihood,
    relative_likelihood,
    smear_factor,
    step_spectra,
)


def covariance(n: int, diffusion: float, noise: float, blur: float) -> np.ndarray:
    beside = np.eye(n, k=1) + np.eye(n, k=-1)
    return (2 * diffusion * (1 - 2 * blur) + 2 * noise) * np.eye(n) + (2 * blur * diffusion - noise) * beside


def draw(n_tracks: int, n: int, diffusion: float, noise: float, blur: float, seed: int = 1):
    root = np.linalg.cholesky(covariance(n, diffusion, noise, blur))
    steps = np.einsum("ij,tjk->tik", root, np.random.default_rng(seed).standard_normal((n_tracks, n, 2)))
    return steps.reshape(-1, 2), np.arange(n_tracks + 1) * n


def test_likelihood_equals_the_dense_gaussian():
    steps, start = draw(3, 7, 4.0, 0.3, 0.1)
    values = log_likelihood(step_spectra(steps, start), np.array([2.0, 4.0]), np.full(3, 0.3), blur=0.1)
    for track in range(3):
        own = steps[start[track] : start[track + 1]]
        for column, diffusion in enumerate((2.0, 4.0)):
            dense = multivariate_normal(np.zeros(7), covariance(7, diffusion, 0.3, 0.1))
            expected = dense.logpdf(own[:, 0]) + dense.logpdf(own[:, 1]) + 7 * math.log(2 * math.pi)
            assert values[track, column] == pytest.approx(expected, rel=1e-10)


def test_search_radius_divides_by_the_chance_of_a_step_within_it():
    steps, start = draw(2, 5, 4.0, 0.0, 0.0)
    free, cut = (
        log_likelihood(step_spectra(steps, start), np.array([4.0]), np.zeros(2), blur=0.0, max_step_px=reach)
        for reach in (np.inf, 5.0)
    )
    np.testing.assert_allclose(cut - free, -5 * math.log(1 - math.exp(-25.0 / 16.0)))


def test_truncated_steps_still_give_their_diffusion():
    rng = np.random.default_rng(2)
    steps = rng.standard_normal((60_000, 2)) * math.sqrt(8.0)
    steps = steps[np.hypot(*steps.T) < 5.0]  # a fifth is lost
    start = np.arange(0, len(steps) + 1, 10)
    steps = steps[: start[-1]]
    grid = np.linspace(3.0, 5.0, 401)
    total = log_likelihood(step_spectra(steps, start), grid, np.zeros(len(start) - 1), blur=0.0, max_step_px=5.0).sum(0)
    # 46 000 steps cut at u = 1.6 leave a standard error of 1.5 %
    assert grid[np.argmax(total)] == pytest.approx(4.0, rel=0.05)


@pytest.mark.parametrize("n", [20, 60])
def test_spread_reaches_the_cramer_rao_bound(n):
    diffusion, noise, blur = 5.0, 0.05, 0.075
    steps, start = draw(1500, n, diffusion, noise, blur)
    grid = diffusion * np.geomspace(0.3, 3.0, 801)
    values = relative_likelihood(step_spectra(steps, start), grid, np.full(1500, noise), blur=blur)
    slope = (covariance(n, diffusion + 1e-4, noise, blur) - covariance(n, diffusion, noise, blur)) / 1e-4
    inner = np.linalg.solve(covariance(n, diffusion, noise, blur), slope)
    bound = 1.0 / math.sqrt(np.trace(inner @ inner))
    assert grid[np.argmax(values, axis=1)].std() < 1.06 * bound  # 1500 tracks: 1.8 % (one standard error)


def test_covariance_estimate_is_free_of_blur_and_noise():
    steps, start = draw(4000, 30, 5.0, 0.8, 1 / 6, seed=3)
    estimate, error = covariance_estimate(steps, start)
    assert estimate.mean() == pytest.approx(5.0, rel=0.02)
    assert estimate.std() == pytest.approx(error.mean(), rel=0.15)


def test_smeared_steps_are_noticed_and_undone():
    rng = np.random.default_rng(4)
    free = rng.standard_normal((400, 60, 2)) * math.sqrt(2.0)
    start = np.arange(401) * 56
    assert smear_factor(free[:, 4:].reshape(-1, 2), start) == 1.0
    late = 0.5 * free[:, 4:] + 0.25 * free[:, 3:-1] + 0.15 * free[:, 2:-2] + 0.1 * free[:, 1:-3]
    steps = late.reshape(-1, 2)
    seen = covariance_estimate(steps, start)[0].mean()
    assert seen < 0.9
    assert seen * smear_factor(steps, start) == pytest.approx(1.0, rel=0.03)


def test_blur_of_a_full_frame_is_a_sixth():
    assert blur_coefficient(1 / 30, 1 / 30) == pytest.approx(1 / 6)


def test_steps_out_of_the_frame_are_missed_without_a_bias():
    rng = np.random.default_rng(12)
    side, variance = 40.0, 9.0
    begin = rng.random((40_000, 2)) * side
    end = begin + rng.standard_normal(begin.shape) * math.sqrt(variance)
    seen = np.all((end > 0.0) & (end < side), axis=1)
    begin, steps = begin[seen], (end - begin)[seen]
    room = np.stack([begin, side - begin], axis=2)
    grid = variance / 2.0 * np.geomspace(0.7, 1.4, 141)
    start = np.arange(len(steps) + 1)
    settings = {"diffusion_px2": grid, "noise_px2": np.zeros(len(steps)), "blur": 0.0}
    with_frame = log_likelihood(step_spectra(steps, start, room), **settings).sum(axis=0)
    without = log_likelihood(step_spectra(steps, start), **settings).sum(axis=0)
    # about 75 000 steps: standard error 0.5 %
    assert grid[np.argmax(with_frame)] == pytest.approx(variance / 2.0, rel=0.02)
    assert grid[np.argmax(without)] < 0.95 * variance / 2.0
