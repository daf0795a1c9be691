"""`anagen vesicles`: one table or one JSON object, exit code 1 when a movie failed."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from anagen.cli.app import app
from anagen.errors import InputError
from anagen.formats.movies import write_movie
from anagen.synthetic.movies import bead_sizes, simulate_movie

OPTIONS = ["--um-per-px", "0.166", "--frames-per-s", "30", "--temperature-c", "25", "--exposure-ms", "15"]


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    rng = np.random.default_rng(4)
    simulated = simulate_movie(rng, sizes_nm=bead_sizes(100.0), n_particles=120, n_frames=60, shape=(200, 260))
    path = tmp_path_factory.mktemp("movies") / "beads.avi"
    write_movie(path, simulated.movie, 30.0)
    return path


def test_json_says_everything_and_a_broken_movie_does_not_stop_the_other(movie, tmp_path):
    (tmp_path / "notes.avi").write_text("not a movie")
    result = CliRunner().invoke(app, ["vesicles", str(tmp_path / "notes.avi"), str(movie), *OPTIONS, "--json"])
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert said["ok"] is False
    broken, good = said["movies"]
    assert "is a text file, not a movie" in broken["failure"]
    assert good["failure"] is None
    assert good["sizes"]["d50_nm"] == pytest.approx(100, rel=0.15)
    assert good["record"]["um_per_px"] == "0.166"
    assert "size_standard" in good["missing"]


def test_the_table_and_the_figures(movie, tmp_path):
    result = CliRunner().invoke(app, ["vesicles", str(movie), *OPTIONS, "--figures", str(tmp_path / "figures")])
    assert result.exit_code == 0
    assert "D50" in result.stdout
    assert len(list((tmp_path / "figures").glob("*.svg"))) == 4


def test_a_scale_of_zero_is_the_users_to_mend(movie):
    result = CliRunner().invoke(app, ["vesicles", str(movie), *OPTIONS, "--um-per-px", "0"])
    assert isinstance(result.exception, InputError)
    assert "--um-per-px must be above 0, got 0.0" in str(result.exception)
