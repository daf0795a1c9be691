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


def test_beads_calibrate_a_blank_is_subtracted_and_replicates_are_summed_up(movie, tmp_path):
    dark = np.random.default_rng(5).poisson(12, (30, 120, 160)).astype(np.uint8)
    write_movie(tmp_path / "diluent.tif", dark, 30.0)
    controls = ["--beads", str(movie), "--beads-nm", "100", "--beads-per-ml", "5e8", "--blank"]
    names = ["--preparation", "A", "--preparation", "B"]
    call = ["vesicles", str(movie), str(movie), *OPTIONS, "--dilution", "10", *controls, str(tmp_path / "diluent.tif")]
    result = CliRunner().invoke(app, [*call, *names, "--json"])
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    one = said["movies"][0]
    # the sample is the standard, diluted 10 times; its depth is read off a few thousand frames, not known
    assert one["concentration_per_ml"] == pytest.approx(5e9, rel=0.01)
    assert one["less_blank_per_ml"] == one["concentration_per_ml"]
    assert one["less_blank_interval_per_ml"][0] < one["concentration_interval_per_ml"][0]  # none seen is not none there
    assert said["suitability"]["certified_nm"] == 100.0
    assert "certified 100 nm" in one["record"]["size_standard"]
    assert "5e+08 per mL" in one["record"]["concentration_standard"]
    assert "diluent.tif" in one["record"]["blank"]
    assert not {"size_standard", "blank", "detection_volume_um3"} & set(one["missing"])
    assert said["replicates"]["d50_nm"]["n_biological"] == 2
    table = CliRunner().invoke(app, [*call, *names]).stdout
    assert "size standard: beads.avi: certified 100 nm" in table
    assert "concentration_per_ml: mean" in table


def test_a_certificate_without_its_beads_or_too_few_names_are_the_users_to_mend(movie):
    result = CliRunner().invoke(app, ["vesicles", str(movie), *OPTIONS, "--beads-nm", "100"])
    assert "without the movie of the beads" in str(result.exception)
    result = CliRunner().invoke(app, ["vesicles", str(movie), *OPTIONS, "--preparation", "A", "--preparation", "B"])
    assert "2 preparations for 1 movies" in str(result.exception)
