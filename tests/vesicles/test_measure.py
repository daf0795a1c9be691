"""A planted movie gives back its sizes; a movie that cannot be measured is refused with the reason."""

from __future__ import annotations

import json

import numpy as np
import pytest

from anagen.errors import InputError, NotEnoughDataError
from anagen.records import from_json, to_json
from anagen.vesicles import VesicleMeasurement, measure_movie

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
    assert turned.sizes.d50_nm == pytest.approx(measured.sizes.d50_nm, rel=0.002)


def test_refusals(beads):
    with pytest.raises(NotEnoughDataError, match="frames"):
        measure_movie(beads.movie[:1], **HOW)
    noise = np.random.default_rng(1).poisson(12.0, (40, 100, 100)).astype(np.uint8)
    with pytest.raises(NotEnoughDataError, match="no spot"):
        measure_movie(noise, **HOW)
    with pytest.raises(InputError, match="um_per_px"):
        measure_movie(beads.movie, **{**HOW, "um_per_px": 0.0})
    with pytest.raises(InputError, match="exposure_s"):
        measure_movie(beads.movie, **{**HOW, "exposure_s": 15.0})
    with pytest.raises(InputError, match="temperature_c"):
        measure_movie(beads.movie, **{**HOW, "temperature_c": 298.0, "viscosity_mpa_s": None})
    with pytest.raises(InputError, match="uint8"):
        measure_movie(beads.movie.astype(float), **HOW)
