"""`anagen calibrate`: the scale from a ruler, from the file, or a refusal that says what to do."""

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from anagen.cli.calibrate import calibrate
from anagen.errors import NotEnoughDataError
from anagen.formats.images import write_image

app = typer.Typer()
app.command()(calibrate)


@pytest.fixture
def photo(tmp_path):
    cols = np.arange(400)
    ticks = np.where((cols % 20) < 5, 40, 220).astype(np.uint8)
    write_image(tmp_path / "ruler.png", np.tile(ticks, (120, 1)))
    write_image(tmp_path / "scaled.png", np.tile(ticks, (120, 1)), um_per_px=5.0)
    return tmp_path


def test_a_ruler_gives_the_scale(photo):
    result = CliRunner().invoke(app, [str(photo / "ruler.png"), "--tick-um", "100", "--json"])
    said = json.loads(result.stdout)
    assert (said["ok"], said["source"]) == (True, "ruler")
    assert said["um_per_px"] == pytest.approx(5.0, rel=1e-3)


def test_without_ticks_the_file_is_asked(photo):
    result = CliRunner().invoke(app, [str(photo / "scaled.png")])
    assert result.stdout.startswith("5 µm per pixel, from metadata")
    refused = CliRunner().invoke(app, [str(photo / "ruler.png")])
    assert isinstance(refused.exception, NotEnoughDataError)
    assert "states no scale" in str(refused.exception)
