"""Single movies: one that fails does not stop the others; what the file itself says is not lost."""

import math

import numpy as np
import pytest
from tests.workflows.fakes import CountingProgress

from anagen.errors import InputError
from anagen.records import Flag
from anagen.synthetic.movies import bead_sizes, simulate_movie
from anagen.workflows.measure_vesicles import measure_movies

SETTINGS = {"um_per_px": 0.166, "frames_per_s": 30.0, "temperature_c": 25.0, "exposure_s": 0.015}


class FakeMovie:
    def __init__(self, frames, frames_per_s=math.nan, flags=()):
        self.frames, self.frames_per_s, self.flags = frames, frames_per_s, flags

    def __iter__(self):
        return iter(self.frames)


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(4)
    return simulate_movie(rng, sizes_nm=bead_sizes(100.0), n_particles=120, n_frames=60, shape=(200, 260)).movie


def _measure(tmp_path, movies, figure_folder=None):
    def open_movie(path):
        if path.name not in movies:
            raise InputError(f"{path}: is a text file, not a movie")
        return movies[path.name]

    progress = CountingProgress()
    files = [tmp_path / name for name in ("broken.avi", *movies)]
    results = measure_movies(
        files, settings=SETTINGS, figure_folder=figure_folder, open_movie=open_movie, progress=progress
    )
    assert progress.stages == [("Measuring", len(files))]
    assert progress.n_steps == len(files)
    return results.movies


def test_each_movie_has_its_result_figures_and_record(tmp_path, frames):
    cut = Flag("movie-cut-off", "warning", "60 of 80 frames could be read")
    broken, good = _measure(tmp_path, {"a.avi": FakeMovie(frames, 25.0, (cut,))}, tmp_path / "figures")
    assert broken.vesicles is None
    assert "not a movie" in broken.failure
    assert good.failure == ""
    assert good.vesicles.sizes.d50_nm == pytest.approx(100, rel=0.15)  # sixty frames of a small view
    codes = [flag.code for flag in good.vesicles.flags]
    assert "movie-cut-off" in codes
    assert "frame-rate-differs" in codes
    assert [path.name for path in good.figures] == [
        "a-movie-sizes.svg", "a-tracks.svg", "a-jumps.svg", "a-light-size.svg",
    ]  # fmt: skip
    assert all(path.read_text().startswith("<svg") for path in good.figures)
    values = good.record.values
    assert values["exposure_ms"] == "15"
    assert values["n_tracks"] == str(good.vesicles.n_tracks)
    assert "60 of 80 frames" in values["warnings"]
    assert {"diluent", "size_standard", "instrument"} <= {each.name for each in good.record.missing()}


def test_an_empty_movie_fails_with_the_reason(tmp_path):
    noise = np.random.default_rng(1).poisson(12, (40, 64, 64)).astype(np.uint8)
    (_, empty) = _measure(tmp_path, {"noise.avi": FakeMovie(noise)})
    assert empty.vesicles is None or empty.vesicles.refused
    assert "\n" not in empty.failure


def test_movies_of_one_name_keep_their_own_figures(tmp_path, frames):
    movies = {"a.avi": FakeMovie(frames), "a.tif": FakeMovie(frames)}
    _, first, second = _measure(tmp_path, movies, tmp_path / "figures")
    assert not set(first.figures) & set(second.figures)
    assert len(list((tmp_path / "figures").iterdir())) == 8


def test_a_failure_names_its_movie(tmp_path, frames):
    (_, frozen) = _measure(tmp_path, {"still.avi": FakeMovie(np.repeat(frames[:1], 40, axis=0))})
    assert "still.avi" in frozen.failure
    assert "frozen" in frozen.failure
