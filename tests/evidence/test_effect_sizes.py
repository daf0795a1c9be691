"""Effects from what papers print: metafor's numbers, laws, refusals."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anagen.errors import InputError, NotEnoughDataError
from anagen.evidence import conversions as convert
from anagen.evidence import effect_sizes as es


@pytest.fixture
def expected(shared):
    return json.loads(shared("stats/meta_expected.json").read_text())


def test_metafor_pre_post(expected):
    """metafor 5.1.12 escalc: MC, SMCC, SMCR, SMCRH, ROMC for both groups of five trials."""
    for group, answers in (("T", "treat"), ("C", "ctrl")):
        for i, row in enumerate(expected["prepost"][group]):
            visits = (row["m_pre"], row["sd_pre"], row["m_post"], row["sd_post"], row["ni"], row["ri"])
            change = row["m_post"] - row["m_pre"]
            sd = convert.change_sd(row["sd_pre"], row["sd_post"], row["ri"]).value
            by_baseline = es.standardised_mean_change_by_baseline_sd
            got = {
                "MC": es.mean_change_from_visits(*visits),
                "SMCC": es.standardised_mean_change_by_change_sd(change, sd, row["ni"]),
                "SMCR": by_baseline(change, row["sd_pre"], row["ni"], row["ri"]),
                "SMCRH": by_baseline(change, row["sd_pre"], row["ni"], row["ri"], sd_followup=row["sd_post"]),
                "ROMC": es.log_ratio_of_means_change(*visits),
            }
            for measure, effect in got.items():
                truth = expected["prepost"][answers][measure]
                assert effect.effect == pytest.approx(truth["yi"][i], abs=1e-10), (measure, i)
                assert effect.variance == pytest.approx(truth["vi"][i], rel=1e-10), (measure, i)


def test_metafor_proportions_with_zero_events(expected):
    functions = {
        "PLO": es.log_odds,
        "PFT": es.double_arcsine_proportion,
        "PAS": es.arcsine_proportion,
        "PR": es.proportion,
    }
    for measure, function in functions.items():
        for i, row in enumerate(expected["prop_zero"]["data"]):
            effect, truth = function(row["x"], row["n"]), expected["prop_zero"]["PLO"][measure]
            assert effect.effect == pytest.approx(truth["yi"][i], abs=1e-12)
            assert effect.variance == pytest.approx(truth["vi"][i], rel=1e-12)


def test_metafor_risk_ratios(expected, shared):
    rows = [line.split(",") for line in shared("stats/dat.bcg.csv").read_text().splitlines()[1:]]
    for row, y, v in zip(rows, expected["bcg_RR"]["yi"], expected["bcg_RR"]["vi"], strict=True):
        tpos, tneg, cpos, cneg = (int(cell) for cell in row[-6:-2])
        effect = es.log_risk_ratio(tpos, tpos + tneg, cpos, cpos + cneg)
        assert effect.effect == pytest.approx(y, abs=1e-12)
        assert effect.variance == pytest.approx(v, rel=1e-12)


def test_metafor_two_groups():
    """escalc of metafor 3.8-1: RD, OR with an empty cell, SMD."""
    assert es.risk_difference(0, 30, 2, 31).effect == pytest.approx(-0.0620, abs=5e-5)
    assert es.risk_difference(0, 30, 2, 31).variance == pytest.approx(0.0028, abs=5e-5)
    assert es.log_odds_ratio(0, 30, 2, 31).effect == pytest.approx(-1.6428, abs=5e-5)
    assert es.log_odds_ratio(0, 30, 2, 31).variance == pytest.approx(2.4667, abs=5e-5)
    assert es.standardised_mean_difference(18.6, 25.4, 139, 3.9, 21.7, 78).effect == pytest.approx(0.6068, abs=5e-5)


def test_olsen_differences_of_the_note():
    for means, answer in (((18.6, 25.4, 139, 3.9, 21.7, 78), 14.7), ((20.9, 22.5, 180, 4.7, 19.7, 172), 16.2)):
        assert es.mean_difference(*means).effect == pytest.approx(answer)
    g = es.standardised_mean_difference(20.9, 22.5, 180, 4.7, 19.7, 172)
    assert g.effect == pytest.approx(0.76, abs=0.005)


@given(st.floats(-50, 50), st.floats(0.1, 50), st.integers(3, 500), st.floats(0.01, 100))
def test_standardised_effects_forget_the_unit(mean, sd, n, scale):
    a = es.standardised_mean_change_by_change_sd(mean, sd, n)
    b = es.standardised_mean_change_by_change_sd(mean * scale, sd * scale, n)
    assert a.effect == pytest.approx(b.effect, rel=1e-9, abs=1e-12)
    assert a.variance == pytest.approx(b.variance, rel=1e-9)


@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 40), st.integers(1, 40))
def test_swapping_groups_turns_the_sign_and_zero_events_stay_finite(a, n1, c, n2):
    a, c = min(a, n1), min(c, n2)
    for measure in (es.log_risk_ratio, es.log_odds_ratio, es.risk_difference):
        one, other = measure(a, n1, c, n2), measure(c, n2, a, n1)
        assert one.effect == pytest.approx(-other.effect, abs=1e-12)
        assert math.isfinite(one.effect)
        assert one.variance > 0


@given(st.floats(-100, 100), st.floats(0.01, 100), st.integers(3, 400), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_an_interval_gives_back_the_standard_deviation_it_was_made_of(mean, sd, n, level):
    half = stats.t.isf((1 - level) / 2, n - 1) * sd / math.sqrt(n)
    assert convert.sd_from_interval(mean - half, mean + half, n, level=level).value == pytest.approx(sd, rel=1e-6)
    assert convert.sd_from_std_error(sd / math.sqrt(n), n).value == pytest.approx(sd)
    se = convert.std_error_from_interval(mean - half, mean + half, level=level, df=n - 1).value
    assert se == pytest.approx(sd / math.sqrt(n), rel=1e-6)


@given(st.floats(0.1, 50), st.floats(0.05, 20), st.integers(3, 500))
def test_a_p_value_gives_back_its_standard_error(effect, se, df):
    p = 2 * stats.t.sf(effect / se, df)
    if 1e-12 < p < 0.999:
        assert convert.std_error_from_p(effect, p, df=df).value == pytest.approx(se, rel=1e-4)


def test_quartiles_of_normal_samples_give_back_mean_and_sd():
    rng = np.random.default_rng(8)
    for n in (10, 25, 100):
        q1, median, q3 = np.quantile(rng.normal(50, 12, (4000, n)), [0.25, 0.5, 0.75], axis=1)
        found = [convert.mean_sd_from_median_iqr(m, a, b, n) for a, m, b in zip(q1, median, q3, strict=True)]
        assert np.mean([f.mean for f in found]) == pytest.approx(50, abs=0.3)
        assert np.mean([f.sd for f in found]) == pytest.approx(12, rel=0.09)


def test_combined_groups_equal_the_whole():
    rng = np.random.default_rng(4)
    a, b = rng.normal(0, 1, 7), rng.normal(3, 2, 12)
    both = np.concatenate([a, b])
    found = convert.combine_groups(7, a.mean(), a.std(ddof=1), 12, b.mean(), b.std(ddof=1))
    assert (found.mean, found.sd) == pytest.approx((both.mean(), both.std(ddof=1)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: es.mean_change(1.0, 0.0, 10), InputError, "sd must be above 0"),
        (lambda: es.mean_change(1.0, 1.0, 1), NotEnoughDataError, "at least 2 people"),
        (lambda: es.log_odds(5, 4), InputError, "between 0 and n"),
        (lambda: es.log_ratio_of_means(-1, 1, 9, 1, 1, 9), InputError, "means above 0"),
        (lambda: es.cliffs_delta(101, 10, 10), InputError, "mann_whitney_u"),
        (lambda: convert.change_sd(1, 1, 1.2), InputError, "correlation"),
        (lambda: convert.std_error_from_p(1, 0), InputError, "bound, not a value"),
        (lambda: convert.std_error_from_p(0, 0.5), InputError, "says nothing"),
        (lambda: convert.mean_sd_from_median_iqr(5, 6, 7, 10), InputError, "between the quartiles"),
        (lambda: convert.sd_from_interval(3, 2, 10), InputError, "high - low must be above 0"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()
