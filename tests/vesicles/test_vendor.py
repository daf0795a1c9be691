"""Several runs of one lot become estimates with intervals; what cannot be known is not made up."""

import math

import numpy as np
import pytest

from anagen.errors import InputError
from anagen.records import from_json, to_json
from anagen.vesicles.distribution import BinnedSizes
from anagen.vesicles.lot import LotRecord
from anagen.vesicles.vendor import VendorLot, VendorRun


def _run(shift=0, concentration=1e8, n_tracks=1000.0, printed=None, counted_at="centre"):
    amount = np.roll(np.array([0.0, 1, 2, 4, 2, 1, 0, 0, 0, 0]), shift) * n_tracks / 10
    sizes = BinnedSizes(10.0 * np.arange(11), amount, "number", "traces", counted_at=counted_at)
    return VendorRun(f"run {shift}", (sizes,), concentration, n_tracks, 20.0, printed or {})


def _lot(*runs, dilution=math.nan, applied=False):
    return VendorLot("NanoSight", "experiment summary", runs, LotRecord(), "0" * 64, dilution, applied)


def test_several_runs_give_their_mean_with_a_t_interval():
    estimate = _lot(_run(0), _run(1), _run(2)).estimates()["d50_nm"]
    assert estimate.value == pytest.approx(45.0)  # read at upper edges: the middle of the fullest bin
    half = 4.302652729911275 * 10 / math.sqrt(3)  # t quantile with 2 degrees of freedom
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx((45 - half, 45 + half))
    assert (estimate.n, estimate.unit) == (3, "nm")


def test_one_run_gives_the_interval_of_order_statistics_which_covers():
    rng = np.random.default_rng(5)
    covered = []
    for _ in range(400):
        draws = rng.lognormal(np.log(120), 0.3, 200)
        counts, _edges = np.histogram(draws, np.arange(0, 1001, 5))
        sizes = BinnedSizes(np.arange(0.0, 1001, 5), counts.astype(float), "number", "traces", counted_at="centre")
        estimate = _lot(VendorRun("a", (sizes,), 1e8, 200.0)).estimates()["d50_nm"]
        covered.append(estimate.ci_low <= 120 <= estimate.ci_high)
    assert 0.93 <= np.mean(covered) <= 0.99


def test_one_run_gives_no_interval_for_what_has_none():
    estimates = _lot(_run()).estimates()
    assert math.isnan(estimates["concentration_per_ml"].ci_low)
    assert math.isnan(estimates["mean_nm"].ci_low)


@pytest.mark.parametrize(("recorded", "applied", "given", "factor"), [
    (500.0, False, None, 500), (500.0, False, 100.0, 100), (500.0, True, None, 1), (500.0, True, 500.0, 1),
    (math.nan, False, None, 1), (math.nan, False, 20.0, 20),
])  # fmt: skip
def test_dilution_is_applied_exactly_once(recorded, applied, given, factor):
    lot = _lot(_run(), dilution=recorded, applied=applied)
    assert lot.estimates(given)["concentration_per_ml"].value == pytest.approx(1e8 * factor)


def test_dilutions_that_cannot_be():
    with pytest.raises(InputError, match="already applied 500"):
        _lot(_run(), dilution=500.0, applied=True).estimates(100.0)
    with pytest.raises(InputError, match="at least 1"):
        _lot(_run()).estimates(0.0)


def test_a_failed_run_is_left_out_and_a_lot_of_failures_has_no_estimate():
    failed = VendorRun("empty", (), math.nan)
    assert _lot(_run(), failed).estimates()["d50_nm"].value == _lot(_run()).estimates()["d50_nm"].value
    assert _lot(failed).estimates() == {}
    with pytest.raises(InputError, match="every run of this export failed"):
        _ = _lot(failed).sizes


def test_a_printed_number_that_the_bins_do_not_give_is_named():
    assert _run(printed={"number.d50_nm": "30.0"}).disagreements() == ()
    assert _run(printed={"number.d50_nm": "30.04"}).disagreements() == (
        "number.d50_nm: printed 30.04, from the bins 30.000",
    )


def test_an_absent_weighting_is_refused():
    with pytest.raises(InputError, match="no volume distribution"):
        _run().weighted_by("volume")


def test_the_lot_survives_its_json():
    lot = _lot(_run(0), _run(1), dilution=500.0)
    again = from_json(VendorLot, to_json(lot))
    assert again.estimates() == lot.estimates()
    assert to_json(again) == to_json(lot)
