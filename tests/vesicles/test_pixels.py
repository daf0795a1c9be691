"""Pixels that are always bright are found and mended; particles are not taken for them."""

from __future__ import annotations

import numpy as np

from anagen.vesicles import measure_movie
from anagen.vesicles.pixels import find_bad_pixels, mend_pixels

from .conftest import HOW


def with_bright_pixels(movie: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    place = np.unique(rng.integers(1, np.array(movie.shape[1:]) - 1, (40, 2)), axis=0)
    bright = movie.copy()
    bright[:, place[:, 0], place[:, 1]] += rng.integers(20, 80, len(place)).astype(np.uint8)
    return bright, place


def test_bright_pixels_are_found_and_no_particle_is(beads):
    movie = np.minimum(beads.movie, 150)
    assert len(find_bad_pixels(list(movie[:30]))) == 0
    bright, place = with_bright_pixels(movie, 1)
    found = {tuple(one) for one in find_bad_pixels(list(bright[:30]))}
    assert found <= {tuple(one) for one in place}
    assert len(found) >= len(place) - 2  # under the path of a bright particle one may hide


def test_a_bright_pixel_becomes_the_mean_of_its_neighbours():
    frame = np.full((5, 5), 10, np.uint8)
    frame[2, 2], frame[1, 2], frame[2, 1] = 255, 14, 12
    mended = mend_pixels(frame, np.array([[2, 2]]))
    assert mended[2, 2] == 12
    assert frame[2, 2] == 255
    assert mend_pixels(frame, np.empty((0, 2), int)) is frame


def test_bright_pixels_do_not_change_the_sizes(beads):
    movie = np.minimum(beads.movie, 150)
    bright, _ = with_bright_pixels(movie, 2)
    clean = measure_movie(movie, **HOW)
    measured = measure_movie(bright, **HOW)
    # the window of one spot in ten holds a mended pixel: half a percent is a tenth of the interval
    np.testing.assert_allclose(measured.sizes.d50_nm, clean.sizes.d50_nm, rtol=0.01)
    assert "stuck" not in {flag.code for flag in measured.flags}
