"""A planted movie gives back its sizes; a movie that cannot be measured is refused with the reason."""

from __future__ import annotations

import json

import numpy as np
import pytest

from anagen.errors import InputError, NotEnoughDataError
from anagen.records import from_json, to_json
from anagen.synthetic.movies import Optics, bead_sizes, lognormal_sizes, mixed_sizes, simulate_movie
from anagen.vesicles import VesicleMeasurement, calibrate_volume, measure_movie
from anagen.vesicles.quality import FrameWatch

from .conftest import HOW


@pytest.fixture(scope="module")
def measured(beads):
    return measure_movie(beads.movie, **HOW)


def test_beads_have_their_size(measured, beads):
    # about 1200 tracks of 5 to 50 steps: 1.5 % is three standard errors
    assert measured.sizes.d50_nm == pytest.approx(beads.truth.in_view_percentiles_nm()[1], rel=0.05)
    low, high = measured.sizes.intervals["d50_nm"]
    assert low < measured.sizes.d50_nm < high


def test_drift_is_found(measured):
    # 10 000 steps of 2.4 px: standard error 0.12 um/s
    np.testing.assert_allclose(measured.drift_um_per_s, np.array([0.3, -0.2]) * 0.166 * 30.0, atol=0.36)


def test_frames_may_come_one_by_one_and_give_the_same(measured, beads):
    again = measure_movie((frame for frame in beads.movie), **HOW)
    assert to_json(again) == to_json(measured)


def test_the_record_survives_json(measured):
    text = json.dumps(to_json(measured))
    back = from_json(VesicleMeasurement, json.loads(text))
    assert json.dumps(to_json(back)) == text


def test_dark_spots_on_a_bright_ground(measured, beads):
    turned = measure_movie(255 - beads.movie, **HOW)
    assert turned.settings["dark_on_bright"] is True
    # turning the grey values over rounds the noise differently: a few spots at the threshold change
    assert turned.sizes.d50_nm == pytest.approx(measured.sizes.d50_nm, rel=0.02)


def test_refusals(beads):
    with pytest.raises(NotEnoughDataError, match="frames"):
        measure_movie(beads.movie[:1], **HOW)
    noise = np.random.default_rng(1).poisson(12.0, (40, 100, 100)).astype(np.uint8)
    with pytest.raises(NotEnoughDataError, match=r"no spot|no particles"):
        measure_movie(noise, **HOW)
    with pytest.raises(InputError, match="um_per_px"):
        measure_movie(beads.movie, **{**HOW, "um_per_px": 0.0})
    with pytest.raises(InputError, match="exposure_s"):
        measure_movie(beads.movie, **{**HOW, "exposure_s": 15.0})
    with pytest.raises(InputError, match="temperature_c"):
        measure_movie(beads.movie, **{**HOW, "temperature_c": 298.0, "viscosity_mpa_s": None})
    with pytest.raises(InputError, match="uint8"):
        measure_movie(beads.movie.astype(float), **HOW)


def codes(measurement) -> set[str]:
    return {flag.code for flag in measurement.flags}


def test_a_good_movie_bears_no_warning(measured):
    assert codes(measured) <= {"no-detection-volume"}
    assert np.isnan(measured.concentration_per_ml)


def test_concentration_by_volume(beads):
    in_view = measure_movie(beads.movie, **HOW).particles_in_view
    volume = calibrate_volume(in_view, known_concentration_per_ml=beads.truth.concentration_per_ml)
    again = measure_movie(beads.movie, **HOW, detection_volume=volume, dilution=10.0)
    assert again.concentration_per_ml == pytest.approx(10.0 * beads.truth.concentration_per_ml, rel=1e-6)
    low, high = again.concentration_interval_per_ml
    assert low < again.concentration_per_ml < high
    assert measure_movie(beads.movie[:60], **HOW, detection_volume=volume.volume_um3).concentration_per_ml > 0.0


def test_a_frozen_movie_is_refused(beads):
    with pytest.raises(NotEnoughDataError, match="frozen"):
        measure_movie(np.repeat(beads.movie[:1], 40, axis=0), **HOW)


def test_repeated_frames_are_flagged(beads):
    assert "repeated-frames" in codes(measure_movie(np.repeat(beads.movie[:100], [2, 1] * 50, axis=0), **HOW))


def test_a_scene_cut_is_flagged(beads):
    cut = np.concatenate([beads.movie[:60], beads.movie[300:360, ::-1]])
    flag = next(flag for flag in measure_movie(cut, **HOW).flags if flag.code == "scene-cut")
    assert "60" in flag.message


@pytest.mark.parametrize("frames_per_s", [0.1, 1.0, 3000.0])
def test_a_wrong_frame_rate_is_refused(beads, frames_per_s):
    wrong = measure_movie(beads.movie[:100], **{**HOW, "frames_per_s": frames_per_s, "exposure_s": None})
    assert wrong.refused
    assert {"implausible-size", "exposure-assumed"} <= codes(wrong)


def test_a_shaken_movie_is_flagged():
    shaken = simulate_movie(
        np.random.default_rng(2),
        sizes_nm=bead_sizes(150.0),
        n_particles=80,
        n_frames=150,
        shape=(240, 320),
        vibration_px=1.0,
    )
    flag = next(flag for flag in measure_movie(shaken.movie, **HOW).flags if flag.code == "vibration")
    assert flag.value == pytest.approx(1.0, rel=0.35)


def test_what_is_stuck_is_left_out_and_flagged(measured, beads):
    row, col = np.mgrid[:240, :320]
    glass = np.zeros((240, 320))
    for r, c in np.random.default_rng(5).uniform(20, 220, (6, 2)):
        glass += 60.0 * np.exp(-((row - r) ** 2 + (col - c) ** 2) / (2 * 1.6**2))
    light = np.random.default_rng(6).poisson(glass, beads.movie.shape)
    stuck = measure_movie(np.minimum(beads.movie + light, 255).astype(np.uint8), **HOW)
    flag = next(flag for flag in stuck.flags if flag.code == "stuck")
    assert flag.value == pytest.approx(6 / (6 + measured.spots_per_frame), rel=0.1)
    # a quarter of the spots would be of 3000 nm; D50 as well as without them
    low, high = stuck.sizes.intervals["d50_nm"]
    assert low < beads.truth.in_view_percentiles_nm()[1] < high
    assert stuck.sizes.d50_nm == pytest.approx(beads.truth.in_view_percentiles_nm()[1], rel=0.05)
    assert stuck.sizes.d90_nm < 120.0
    assert "stuck" not in codes(measured)


def test_white_spots_of_the_large_particles_are_flagged():
    made = simulate_movie(
        np.random.default_rng(4),
        sizes_nm=mixed_sizes(bead_sizes(100.0), bead_sizes(300.0), shares=(12, 1)),
        n_particles=110,
        n_frames=300,
        shape=(240, 320),
        optics=Optics(psf="airy", brightness_power=6.0, brightness=60.0),
    )
    flag = next(flag for flag in measure_movie(made.movie, **HOW).flags if flag.code == "saturated")
    assert "D90" in flag.message


def test_a_shutter_open_all_the_time_is_flagged(measured):
    made = simulate_movie(
        np.random.default_rng(7),
        sizes_nm=bead_sizes(100.0),
        n_particles=80,
        n_frames=150,
        shape=(240, 320),
        exposure_s=1 / 30,
        optics=Optics(brightness=120.0),
    )
    assert "smeared-spots" in codes(measure_movie(made.movie, **{**HOW, "exposure_s": 1 / 30}))
    assert "smeared-spots" not in codes(measured)


def test_a_focus_shallower_than_the_light_is_flagged(measured):
    made = simulate_movie(
        np.random.default_rng(8),
        sizes_nm=lognormal_sizes(120.0, 1.35),
        n_particles=230,
        n_frames=60,
        optics=Optics(
            psf="airy", brightness_power=6.0, gain=1.5, read_noise=2.0, psf_sigma_px=1.2, rayleigh_um=1.0,
            sheet_waist_um=6.0,
        ),
    )  # fmt: skip
    assert "shallow-focus" in codes(measure_movie(made.movie, **HOW))
    assert "shallow-focus" not in codes(measured)


def test_white_is_that_of_the_camera():
    watch = FrameWatch()
    watch.see(np.full((4, 4), 3000, np.uint16))
    assert watch.white == 4095.0  # 12 bits in a 16-bit file
    watch = FrameWatch()
    watch.see(np.full((4, 4), 30, np.uint8))
    assert watch.white == 255.0


def test_a_crowded_bright_movie_is_flagged_with_the_dilution():
    crowd = simulate_movie(
        np.random.default_rng(3),
        sizes_nm=bead_sizes(150.0),
        n_particles=500,
        n_frames=40,
        shape=(200, 200),
        optics=Optics(brightness=400.0),
    )
    measured = measure_movie(crowd.movie, **HOW)
    flag = next(flag for flag in measured.flags if flag.code == "too-dense")
    assert "dilute" in flag.advice
    assert "saturated" in codes(measured)
