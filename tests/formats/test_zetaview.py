"""ZetaView exports reproduce their own printed statistics, with either decimal sign; failed runs say so."""

import math

import numpy as np
import pytest
from tests.conftest import SHARED
from tests.formats.exports import zetaview_size

from anagen.errors import InputError
from anagen.formats.zetaview import read_zetaview_positions, read_zetaview_profile, read_zetaview_size

FOLDER = SHARED / "vesicles" / "zetaview"
REAL = sorted(p.name for p in FOLDER.glob("*.txt") if "11pos" not in p.name and "_prof_" not in p.name) or ["none.txt"]
POSITIONS = sorted(p.name for p in FOLDER.glob("*11pos.txt")) or ["none.txt"]


def _write(folder, text, encoding="latin-1"):
    path = folder / "lot_B_size_488.txt"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("name", REAL)
def test_real_exports_reproduce_the_printed_medians_to_the_last_digit(shared, name):
    lot = read_zetaview_size(shared(f"vesicles/zetaview/{name}"))
    (run,) = lot.runs
    if run.failed:
        assert run.n_tracks == 0
        assert [flag.code for flag in lot.flags] == ["run-failed"]
        return
    assert set(run.printed) == {"number.d50_nm", "volume.d50_nm"}
    assert all(len(text.partition(".")[2]) == 6 for text in run.printed.values())
    assert run.disagreements() == ()
    assert run.weighted_by("number").total == run.n_tracks


PDF_NUMBERS = {  # "X Values" of the vendor's own PDF reports: X10, X50, X90, span, mean, SD
    "20251217_0005_PC3_100kDa_F5_size_488.txt": {
        "number": ("79.8", "127.3", "213.5", "1.1", "143.8", "62.0"),
        "volume": ("125.3", "218.9", "468.3", "1.6", "265.4", "140.0"),
        "sample": 6.6e9,
    },
    "20251217_0016_PC3_100kDa_F1_2_size_488.txt": {
        "number": ("75.4", "145.9", "255.9", "1.2", "159.4", "73.1"),
        "volume": ("147.0", "251.5", "364.1", "0.9", "257.2", "84.7"),
        "sample": 5.8e9,
    },
}


@pytest.mark.parametrize("name", PDF_NUMBERS)
def test_the_pdf_reports_of_the_vendor_are_reproduced(shared, name):
    lot = read_zetaview_size(shared(f"vesicles/zetaview/{name}"))
    for weighting in ("number", "volume"):
        sizes = lot.runs[0].weighted_by(weighting)
        found = (sizes.d10_nm, sizes.d50_nm, sizes.d90_nm, sizes.span, sizes.mean_nm, sizes.sd_nm)
        # X10 of the first report lies at 79.75 exactly: printed 79.8
        assert [f"{value + 1e-9:.1f}" for value in found] == list(PDF_NUMBERS[name][weighting])
    assert f"{lot.estimates()['concentration_per_ml'].value:.1e}" == f"{PDF_NUMBERS[name]['sample']:.1e}"


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-8-sig"])
def test_a_known_distribution(tmp_path, decimal, newline, encoding):
    lot = read_zetaview_size(_write(tmp_path, zetaview_size(decimal=decimal, newline=newline), encoding))
    (run,) = lot.runs
    sizes = run.weighted_by("number")
    assert sizes.edge_nm[[0, -1]].tolist() == [0, 6000]
    assert (sizes.d50_nm, sizes.mean_nm) == (100.0, 102.5)
    assert sizes.sd_nm == pytest.approx(math.sqrt(20 * 25 / 39))
    assert run.disagreements() == ()
    estimates = lot.estimates()
    assert estimates["d50_nm"].value == 102.5
    assert estimates["concentration_per_ml"].value == pytest.approx(40 * 2.5e5 * 500)
    values = lot.record.values
    assert values["conductivity_us_per_cm"] == "65.000000"
    assert values["exposure_ms"] == "10"
    assert values["n_movies"] == "11 positions x 3 cycles"
    assert values["detection_volume_um3"].startswith("2e+06 ")
    assert values["sample"] == "lot B"
    assert [flag.code for flag in lot.flags] == ["percentiles-at-centres", "dilution-not-applied"]


def test_a_failed_run_is_refused_by_flag_not_by_error(tmp_path):
    lot = read_zetaview_size(_write(tmp_path, zetaview_size(failed=True)))
    assert lot.runs[0].failed
    assert lot.estimates() == {}
    assert [(flag.code, flag.severity) for flag in lot.flags] == [("run-failed", "refused")]


def test_warnings_of_the_instrument_become_flags(tmp_path):
    lot = read_zetaview_size(_write(tmp_path, zetaview_size(drift="too high", factor="1.200000")))
    assert {"drift", "correction-factor"} <= {flag.code for flag in lot.flags}


def test_a_changed_file_is_noticed(tmp_path):
    text = zetaview_size().replace("Median Number (D50):\t100.000000", "Median Number (D50):\t101.000000")
    lot = read_zetaview_size(_write(tmp_path, text))
    assert "vendor-statistics-differ" in [flag.code for flag in lot.flags]


@pytest.mark.parametrize("share", [0.005, 0.02, 0.5, 0.85, 0.9, 0.93])
def test_a_cut_off_file_is_refused(tmp_path, share):
    text = zetaview_size()
    with pytest.raises(InputError, match=r"cut off|no ZetaView header") as caught:
        read_zetaview_size(_write(tmp_path, text[: int(len(text) * share)]))
    assert "\n" not in str(caught.value)


def test_saved_again_as_semicolon_csv(tmp_path):
    text = zetaview_size(decimal=",").replace("\t", ";").replace('"', "")
    assert read_zetaview_size(_write(tmp_path, text)).estimates()["d50_nm"].value == 102.5


def test_other_files(tmp_path):
    with pytest.raises(InputError, match="no ZetaView header"):
        read_zetaview_size(_write(tmp_path, "a\tb\n1\t2\n"))
    with pytest.raises(InputError, match="is a PDF, not a ZetaView size"):
        read_zetaview_size(_write(tmp_path, "%PDF-1.7"))


@pytest.mark.parametrize("name", POSITIONS)
def test_positions_reproduce_the_printed_means_and_sds(shared, name):
    path = shared(f"vesicles/zetaview/{name}")
    table = read_zetaview_positions(path)
    assert table["position"].to_list() == pytest.approx([0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9])
    rows = [line.split("\t") for line in path.read_text("latin-1").splitlines()]
    mean = next(row for row in rows if "Mean" in row[:2])
    sd = next(row for row in rows if "St.Dev." in row[:2])
    used = table.filter("used")
    for column, at in (("particles_per_frame", 3), ("n_traces", 6), ("d50_nm", 7), ("drift_um_per_s", 10)):
        values = used[column].to_numpy()
        # One decimal is printed, of values that are themselves printed with one decimal.
        assert (values.mean() if len(values) else 0.0) == pytest.approx(float(mean[at]), abs=0.11)
        assert (np.std(values, ddof=1) if len(values) else 0.0) == pytest.approx(float(sd[at]), abs=0.11)
    assert (table.filter(~table["used"])["removal"] != "").all()


def test_a_position_without_traces_has_no_median(shared):
    table = read_zetaview_positions(shared("vesicles/zetaview/20250228_0014_EV_IP_P2.1_F5-1000_size_488_11pos.txt"))
    assert table["d50_nm"].is_nan().sum() == 5
    assert table.filter(table["n_traces"] > 0)["d50_nm"].is_nan().sum() == 0


def test_a_position_table_cut_off_or_of_another_kind(tmp_path):
    header = (
        "Use\tPosition\tMean Int.\tAv. No of Particles\tConc. (p./mL)\tOrig. Conc. (p./cm^3)\tNo. of Traces\tX50 (nm)\t"
    )
    header += "Peak ø (nm)\tSpan\tDrift (µm/s)\tRemoval\n"
    row = "X\t0,10\t5,2\t11,0\t4,7E+6\t4,7E+9\t8\t187,5\t133,1\t1,3\t20,2\t\n"
    with pytest.raises(InputError, match="no row of means"):
        read_zetaview_positions(_write(tmp_path, header + row))
    table = read_zetaview_positions(_write(tmp_path, header + row + "\tMean\t5,2\n"))
    assert table.row(0, named=True)["concentration_per_ml"] == 4.7e6
    with pytest.raises(InputError, match="lacks the column 'Use'"):
        read_zetaview_positions(_write(tmp_path, "a\tb\n"))


def test_profiles(shared):
    profile = read_zetaview_profile(shared("vesicles/zetaview/20250228_0022_EV_IP_P2.1_F7-1000_prof_488.txt"))
    assert profile.zeta_mv == -37.248792
    assert profile.n_traces == 212
    assert profile.positions.shape == (11, 5)
    assert profile.settings["Micrometer per Pixel"] == "0.713000"


def test_a_cut_off_profile_is_refused(shared, tmp_path):
    data = shared("vesicles/zetaview/20250228_0022_EV_IP_P2.1_F7-1000_prof_488.txt").read_bytes()
    for n_lost in (20, 150, 700, 2500):
        (tmp_path / "a.txt").write_bytes(data[:-n_lost])
        with pytest.raises(InputError, match=r"cut off|no table|no ZetaView"):
            read_zetaview_profile(tmp_path / "a.txt")
