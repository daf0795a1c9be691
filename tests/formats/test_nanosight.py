"""NanoSight exports reproduce their own printed statistics; what is cut off or changed is said."""

import math
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import SHARED
from tests.formats.exports import nanosight_summary

from anagen.errors import InputError
from anagen.formats.nanosight import (
    read_nanosight_capture,
    read_nanosight_diffusion,
    read_nanosight_particles,
    read_nanosight_summary,
    read_nanosight_tracks,
)

DATA = Path(__file__).resolve().parents[1] / "data"
REAL = sorted(path.name for path in (SHARED / "vesicles" / "nanosight").glob("*.csv")) or ["beads.csv"]


def _write(folder, text, name="a-ExperimentSummary.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def _check_reproduces(lot):
    """Every printed mean, mode, SD, D10, D50, D90, the concentration and the number of bins."""
    for run in lot.runs:
        assert run.disagreements() == ()
        assert len(run.printed) == 6 * len(run.sizes)
        for sizes in run.sizes:
            assert sizes.edge_nm[[0, -1]].tolist() == [0, 1000]
        total = run.weighted_by("number").total
        assert f"{total:.2e}" == f"{run.concentration_per_ml:.2e}"


@pytest.mark.parametrize("name", ["nanosight_beads_3_2.csv", "nanosight_beads_3_4.csv"])
def test_bead_exports_reproduce_every_printed_statistic(name):
    _check_reproduces(read_nanosight_summary(DATA / name))


@pytest.mark.parametrize("name", REAL)
def test_real_exports_reproduce_every_printed_statistic(shared, name):
    _check_reproduces(read_nanosight_summary(shared(f"vesicles/nanosight/{name}")))


def test_beads_of_version_3_4():
    lot = read_nanosight_summary(DATA / "nanosight_beads_3_4.csv")
    assert (lot.instrument, lot.kind, len(lot.runs)) == ("NanoSight", "experiment summary", 5)
    assert (lot.dilution, lot.dilution_applied) == (1e4, True)
    estimates = lot.estimates()
    assert estimates["d50_nm"].value == pytest.approx(99.8, abs=0.05)  # the file's column Average
    assert estimates["mode_nm"].value == pytest.approx(98.4, abs=0.05)
    values = lot.record.values
    assert values["temperature_c"] == "22.000"
    assert values["measured_at"] == "2020-06-16T11:52:04"
    assert values["max_jump"].startswith("14.7134; 14.3317")
    assert values["dilution_applied"] == "yes"
    missing = {each.name for each in lot.record.missing()}
    assert {"um_per_px", "blank", "size_standard", "detection_volume_um3", "ev_track_id"} <= missing
    assert lot.settings["Information/Completed Tracks"] == "OK"
    assert "dilution-applied" in [flag.code for flag in lot.flags]


def test_version_3_2_prints_percentiles_at_lower_edges_and_estimates_are_shifted_back():
    lot = read_nanosight_summary(DATA / "nanosight_beads_3_2.csv")
    assert len(lot.runs) == 12
    printed = [float(run.printed["number.d50_nm"]) for run in lot.runs]
    assert lot.estimates()["d50_nm"].value == pytest.approx(np.mean(printed) + 1, abs=0.05)
    assert "percentiles-at-lower-edges" in [flag.code for flag in lot.flags]
    assert math.isnan(lot.dilution)
    assert "dilution-not-recorded" in [flag.code for flag in lot.flags]


@pytest.mark.parametrize("version", ["3.2", "3.3", "3.4"])
@pytest.mark.parametrize("n_movies", [1, 3])
def test_any_version_and_number_of_movies(tmp_path, version, n_movies):
    text = nanosight_summary(version=version, n_movies=n_movies, weightings=("Number", "Surface Area", "Volume"))
    lot = read_nanosight_summary(_write(tmp_path, text))
    _check_reproduces(lot)
    assert len(lot.runs) == n_movies
    assert [sizes.weighting for sizes in lot.runs[0].sizes] == ["number", "surface", "volume"]
    assert lot.runs[0].n_tracks == 250
    assert lot.runs[0].particles_per_frame == 20.5


@pytest.mark.parametrize(("separator", "decimal"), [(",", "."), (";", ","), (";", "."), ("\t", ",")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_saved_again_by_a_spreadsheet_it_reads_the_same(tmp_path, separator, decimal, encoding, newline):
    plain = read_nanosight_summary(_write(tmp_path, nanosight_summary()))
    text = nanosight_summary(separator=separator, decimal=decimal).replace("\r\n", newline)
    again = read_nanosight_summary(_write(tmp_path, text.replace("Diluent", "Diluent²"), "b.csv", encoding))
    _check_reproduces(again)
    assert again.estimates() == plain.estimates()


def test_a_single_summary_and_one_without_averages(tmp_path):
    lot = read_nanosight_summary(_write(tmp_path, nanosight_summary(single=True, n_movies=1, averages=False)))
    assert (lot.kind, len(lot.runs)) == ("single summary", 1)
    _check_reproduces(lot)
    estimate = lot.estimates()["d50_nm"]
    assert estimate.ci_low < estimate.value < estimate.ci_high


def test_the_pixel_size_comes_from_the_nano_file_beside_it(tmp_path):
    path = _write(tmp_path, nanosight_summary())
    assert "um_per_px" not in read_nanosight_summary(path).record.values
    _write(tmp_path, _NANO, "lot A 2024-01-02 10-00-00.nano")
    assert read_nanosight_summary(path).record.values["um_per_px"] == "0.14"


def test_a_failed_movie_is_left_out_and_named(tmp_path):
    lot = read_nanosight_summary(_write(tmp_path, nanosight_summary(n_movies=3, failed=1)))
    assert [run.failed for run in lot.runs] == [False, True, False]
    assert "run-failed" in [flag.code for flag in lot.flags]
    assert lot.estimates()["d50_nm"].n == 2


def test_numbers_rounded_by_a_spreadsheet_are_noticed(tmp_path):
    lot = read_nanosight_summary(_write(tmp_path, nanosight_summary(rounded="{:.0e}")))
    assert "vendor-statistics-differ" in [flag.code for flag in lot.flags]


@pytest.mark.parametrize("share", [0.02, 0.05, 0.3, 0.6, 0.9, 0.97, 0.995])
def test_a_cut_off_file_is_refused(tmp_path, share):
    text = nanosight_summary(weightings=("Number", "Volume"))
    with pytest.raises(InputError, match=r"ExperimentSummary\.csv") as caught:
        read_nanosight_summary(_write(tmp_path, text[: int(len(text) * share)]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("content", "what"), [
    (b"", "is empty"),
    (b"PK\x03\x04" + bytes(30), "is a ZIP archive .* save the sheet as CSV"),
    (b"participant,visit\n1,2\n", "does not begin with 'NTA Experiment Summary File'"),
    (bytes(range(256)) * 4, "does not begin|is a file of unknown kind"),
])  # fmt: skip
def test_not_a_summary(tmp_path, content, what):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=what):
        read_nanosight_summary(tmp_path / "a.csv")


def test_diffusion_distributions(shared):
    path = shared("vesicles/nanosight/EMT3 d200 2021-04-07 16-01-58-ExperimentSummary.csv")
    tables = read_nanosight_diffusion(path)
    assert set(tables) == {"number", "surface", "volume"}
    table = tables["number"]
    assert table.shape == (1000, 6)
    first = table.columns[1]
    mean = np.average(table["diffusion_um2_per_s"], weights=table[first])
    assert mean == pytest.approx(5.832, abs=5e-4)  # printed as 583.2 x 10^4 nm2/s


_NANO = """[Filenames]
lot A 00.avi
lot A 01.avi

[CaptureSettings]
PixelSize=140,140
Temperature=24.27,24.286
Viscosity=0.903674,0.903342
FramesPerSecond=24.9825,24.9825
Shutter=32.5,32.5
DilutionFactor=0,500
"""


def test_capture_settings(tmp_path):
    capture = read_nanosight_capture(_write(tmp_path, _NANO, "a.nano"))
    assert capture.movies == ("lot A 00.avi", "lot A 01.avi")
    assert capture.um_per_px == (0.14, 0.14)
    assert capture.exposure_ms == (32.5, 32.5)
    assert math.isnan(capture.dilution[0])
    assert capture.dilution[1] == 500
    with pytest.raises(InputError, match="no PixelSize"):
        read_nanosight_capture(_write(tmp_path, "[Filenames]\na.avi\n", "b.nano"))


_PARTICLES = (
    "Particle ID,Size/nm,Diffusion coefficient/nm^2 s^-1,Ln(Adjusted intensity)/AU,Start frame,Tracklength,"
    "Included in distribution?\n1,101.5,4300000,8.25,0,12,True\n2,88.1,5000000,7.5,3,4,False\n"
)
_TRACKS = (
    "Particle ID,Size/nm,Diffusion coefficient/nm^2 s^-1,Frame,X/pixels,Y/pixels,Ln(Adjusted intensity)/AU,"
    "Included in distribution?\n1,101.5,4300000,0,10.5,20.25,8.25,True\n1,101.5,4300000,1,11.5,21.25,8.25,True\n"
)


@pytest.mark.parametrize("flags", [("True", "False"), ("1", "0"), ("Yes", "No"), ("TRUE", "FALSE")])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
def test_particles(tmp_path, flags, encoding):
    text = _PARTICLES.replace("True", flags[0]).replace("False", flags[1])
    table = read_nanosight_particles(_write(tmp_path, text, encoding=encoding))
    assert table["included"].to_list() == [True, False]
    assert table["diffusion_um2_per_s"].to_list() == [4.3, 5.0]
    assert table.row(0, named=True)["n_frames"] == 12


@pytest.mark.parametrize("separator", [",", ";"])
def test_tracks(tmp_path, separator):
    text = _TRACKS.replace(",", separator)
    table = read_nanosight_tracks(_write(tmp_path, text.replace(".", ",") if separator == ";" else text))
    assert table["row_px"].to_list() == [20.25, 21.25]
    assert table["col_px"].to_list() == [10.5, 11.5]
    assert table["frame"].to_list() == [0, 1]


def test_tables_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="lacks the columns Start frame, Tracklength"):
        read_nanosight_particles(_write(tmp_path, _TRACKS))
    with pytest.raises(InputError, match=r"row 3: has 6 of 8 values"):
        read_nanosight_tracks(_write(tmp_path, _TRACKS[:-11]))
    with pytest.raises(InputError, match="expected True or False"):
        read_nanosight_particles(_write(tmp_path, _PARTICLES.replace("False", "maybe")))
