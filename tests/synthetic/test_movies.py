"""Simulated movies obey the physics that they claim."""

from __future__ import annotations

import numpy as np
import pytest

from anagen.errors import InputError
from anagen.synthetic.movies import (
    Optics,
    bead_sizes,
    lognormal_sizes,
    mixed_sizes,
    simulate_movie,
    stokes_einstein_um2_per_s,
)


def test_steps_have_the_variance_of_brownian_motion_with_blur():
    frames_per_s, exposure_s, um_per_px = 30.0, 0.03, 0.166
    made = simulate_movie(
        np.random.default_rng(1), sizes_nm=np.full(400, 100.0), n_frames=60, shape=(64, 64), exposure_s=exposure_s
    )
    step_um = np.diff(made.truth.position_px, axis=0) * um_per_px
    step_um = step_um[np.all(np.abs(step_um) < 5.0, axis=2)]  # leave out the wraps of the periodic box
    diffusion = made.truth.diffusion_um2_per_s[0]
    blur = exposure_s * frames_per_s / 6.0 * (1.0 - 1.0 / 6**2)
    expected = 2.0 * diffusion / frames_per_s * (1.0 - 2.0 * blur)
    # 48 000 steps: the variance is known to 0.65 % (one standard error)
    assert step_um.var() == pytest.approx(expected, rel=0.025)
    lag1 = np.diff(made.truth.position_px, axis=0) * um_per_px
    both = np.all(np.abs(lag1[:-1]) < 5, axis=2) & np.all(np.abs(lag1[1:]) < 5, axis=2)
    covariance = np.mean(lag1[:-1][both] * lag1[1:][both])
    assert covariance == pytest.approx(2.0 * blur * diffusion / frames_per_s, rel=0.12)


def test_diffusion_of_100_nm_at_25_c():
    # kB T / (3 pi eta d) by hand: 1.380649e-23 * 298.15 / (3 pi 0.89e-3 1e-7) = 4.907e-12 m2/s
    assert stokes_einstein_um2_per_s(np.array([100.0]), 25.0, 0.89)[0] == pytest.approx(4.907, abs=0.001)


@pytest.mark.parametrize("psf", ["gaussian", "airy"])
def test_a_spot_lies_where_it_was_planted_and_holds_its_light(psf):
    optics = Optics(psf=psf, background=20.0, brightness=100.0, brightness_cv=0.0, sheet_waist_um=1e6)
    made = simulate_movie(
        np.random.default_rng(3),
        sizes_nm=np.full(1, 100.0),
        n_frames=40,
        shape=(41, 41),
        margin_px=-10,
        half_depth_um=0.5,
        optics=optics,
        exposure_s=0.001,
    )
    light = made.movie.astype(float) - 20.0
    row, col = np.mgrid[:41, :41]
    near = np.hypot(row - made.truth.position_px[:, 0, :1, None], col - made.truth.position_px[:, 0, 1:, None]) < 7
    total = (light * near).sum(axis=(1, 2))
    assert total.mean() == pytest.approx(2 * np.pi * 1.5**2 * 100.0, rel=0.12)
    centre = np.stack([(light * near * row).sum((1, 2)), (light * near * col).sum((1, 2))], axis=1) / total[:, None]
    assert np.abs(centre - made.truth.position_px[:, 0]).mean() < 0.3


def test_noise_has_the_mean_and_variance_of_photons():
    optics = Optics(background=12.0, gain=2.0, read_noise=1.5)
    made = simulate_movie(np.random.default_rng(4), sizes_nm=np.empty(0), n_frames=4, shape=(200, 200), optics=optics)
    assert made.movie.mean() == pytest.approx(12.0, abs=0.06)
    assert made.movie.var() == pytest.approx(12.0 * 2.0 + 1.5**2 + 1 / 12, rel=0.02)


def test_drift_moves_everything():
    made = simulate_movie(
        np.random.default_rng(5),
        sizes_nm=np.full(300, 400.0),
        n_frames=20,
        shape=(64, 64),
        drift_px_per_frame=(1.5, -0.5),
    )
    step = np.diff(made.truth.position_px, axis=0)
    step = step[np.all(np.abs(step) < 20, axis=2)]
    np.testing.assert_allclose(step.mean(axis=0), [1.5, -0.5], atol=0.1)


def test_sizes_follow_their_distribution():
    rng = np.random.default_rng(6)
    drawn = lognormal_sizes(120.0, 1.35)(rng, 20000)
    np.testing.assert_allclose(np.percentile(drawn, [16, 50, 84]), 120.0 * 1.35 ** np.array([-1, 0, 1]), rtol=0.02)
    mixed = mixed_sizes(bead_sizes(100.0), bead_sizes(200.0), shares=(1, 3))(rng, 1000)
    assert np.sum(mixed < 150) == 250


def test_same_seed_same_bytes_and_sixteen_bits():
    first, second = (
        simulate_movie(
            np.random.default_rng(7),
            sizes_nm=bead_sizes(100.0),
            concentration_per_ml=5e8,
            n_frames=3,
            shape=(50, 60),
            max_value=4095,
        )
        for _ in range(2)
    )
    assert first.movie.dtype == np.uint16
    np.testing.assert_array_equal(first.movie, second.movie)
    assert first.truth.concentration_per_ml == pytest.approx(5e8, rel=0.3)


def test_refusals():
    with pytest.raises(InputError, match="n_particles"):
        simulate_movie(np.random.default_rng(8), sizes_nm=bead_sizes(100.0))
    with pytest.raises(InputError, match="exposure_s"):
        simulate_movie(np.random.default_rng(8), sizes_nm=np.ones(1), exposure_s=1.0)
