"""Pooling: arithmetic answers, laws, metafor's numbers, refusals."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from anagen.errors import InputError, NotEnoughDataError
from anagen.evidence.heterogeneity import METHOD_NAMES, fit_weighted
from anagen.evidence.meta_regression import fit_meta_regression
from anagen.evidence.pool import pool_effects

METHODS = ["fixed", "dl", "reml", "ml", "pm", "he", "sj", "eb", "hs"]


@pytest.fixture
def bcg(shared):
    """metafor 5.1.12 on the thirteen BCG trials, log risk ratios."""
    return json.loads(shared("stats/meta_expected.json").read_text())["bcg_RR"]


def test_equal_variances_and_no_spread_are_the_plain_mean():
    pooled = pool_effects([1.0, 2.0, 3.0], [4.0, 4.0, 4.0], knapp_hartung=False)
    assert pooled.estimate == pytest.approx(2.0)
    assert pooled.tau2 == 0.0
    assert pooled.std_error == pytest.approx(math.sqrt(4 / 3))
    assert pooled.weights == pytest.approx([100 / 3] * 3)
    assert pooled.q == pytest.approx(0.5)


def test_knapp_hartung_with_equal_variances_is_the_one_sample_t_interval():
    y = np.array([2.0, 5.0, 11.0, 6.0])
    pooled = pool_effects(y, np.full(4, 0.3))
    assert pooled.std_error == pytest.approx(np.std(y, ddof=1) / 2)
    assert pooled.df == 3


@pytest.mark.parametrize("method", ["dl", "reml", "pm", "he", "eb"])
def test_a_planted_spread_is_recovered(method):
    rng = np.random.default_rng(3)
    v = rng.uniform(0.5, 2.0, 4000)
    y = 7.0 + rng.normal(0, np.sqrt(3.0 + v))
    pooled = pool_effects(y, v, method=method)
    assert pooled.estimate == pytest.approx(7.0, abs=0.12)
    assert pooled.tau2 == pytest.approx(3.0, abs=0.25)
    assert pooled.tau2_ci_low < 3.0 < pooled.tau2_ci_high


def coverage(variances, *, scaled: bool, n_meta: int = 200) -> float:
    rng = np.random.default_rng(11)
    v = np.array(variances)
    pooled = [
        pool_effects(rng.normal(0, np.sqrt(1.0 + v)), v, knapp_hartung=scaled, method="dl") for _ in range(n_meta)
    ]
    return float(np.mean([p.ci_low <= 0 <= p.ci_high for p in pooled]))


def test_knapp_hartung_covers_with_five_studies_where_the_normal_interval_does_not():
    """Exact for equal variances (here 3 binomial errors below 95 %); twenty-fold apart it only helps (pooling.md)."""
    equal, unequal = [1.0] * 5, [0.2, 0.5, 1.0, 2.0, 4.0]
    assert coverage(equal, scaled=True) > 0.904
    assert coverage(equal, scaled=True) > coverage(equal, scaled=False)
    assert coverage(unequal, scaled=True) > coverage(unequal, scaled=False)


values = st.lists(st.tuples(st.floats(-50, 50), st.floats(0.01, 100)), min_size=2, max_size=12)


@settings(deadline=None, max_examples=40)
@given(values, st.sampled_from(METHODS), st.floats(-100, 100), st.floats(0.1, 10))
def test_shift_and_scale(studies, method, shift, scale):
    y, v = (np.array(column) for column in zip(*studies, strict=True))
    assume(np.ptp(y) > 1e-3)
    base = pool_effects(y, v, method=method)
    moved = pool_effects(y * scale + shift, v * scale**2, method=method)
    size = scale * (1 + np.max(np.abs(y)) + np.sqrt(np.max(v))) + abs(shift)
    assert moved.estimate == pytest.approx(base.estimate * scale + shift, abs=1e-6 * size)
    assert moved.std_error == pytest.approx(base.std_error * scale, rel=1e-5, abs=1e-8 * size)
    assert moved.tau2 == pytest.approx(base.tau2 * scale**2, rel=1e-5, abs=1e-8 * size**2)
    assert moved.i2 == pytest.approx(base.i2, abs=1e-3)


@settings(deadline=None, max_examples=40)
@given(values, st.sampled_from(METHODS))
def test_laws(studies, method):
    y, v = (np.array(column) for column in zip(*studies, strict=True))
    pooled = pool_effects(y, v, method=method, knapp_hartung="adhoc")
    assert min(y) - 1e-9 <= pooled.estimate <= max(y) + 1e-9
    assert pooled.tau2 >= 0
    assert pooled.tau2_ci_low <= pooled.tau2_ci_high
    assert pooled.ci_low <= pooled.estimate <= pooled.ci_high
    assert np.sum(pooled.weights) == pytest.approx(100)
    flipped = pool_effects(-y[::-1], v[::-1], method=method, knapp_hartung="adhoc")
    assert flipped.ci_low == pytest.approx(-pooled.ci_high, rel=1e-6, abs=1e-6)
    if method != "fixed":
        assert pooled.prediction_low <= pooled.ci_low
        assert pooled.prediction_high >= pooled.ci_high


def test_the_likelihood_estimates_stand_at_the_top_of_their_likelihood():
    rng = np.random.default_rng(5)
    v = rng.uniform(0.2, 3.0, 9)
    y = rng.normal(0, np.sqrt(1.5 + v))
    X = np.ones((9, 1))

    def reml(tau2):
        fit = fit_weighted(y, v, X, tau2)
        return -fit.q + np.sum(np.log(fit.weights)) + np.log(fit.covariance[0, 0])

    found = pool_effects(y, v, method="reml").tau2
    assert all(reml(found) >= reml(found * factor) for factor in (0.9, 0.999, 1.001, 1.1))


FITS = [f"{m}_{t}" for m in ("EE", "DL", "REML", "ML", "PM", "HE", "SJ", "EB", "HS") for t in ("z", "knha")]
FITS.remove("EE_knha")


@pytest.mark.parametrize("name", FITS)
def test_metafor_bcg(bcg, name):
    """To 1e-8, except PM: metafor solves its equation with a loose root finder (tau2 off by 2.5e-5), so 3e-5 there."""
    method, test = name.split("_")
    expected = bcg["fits"][name]
    pooled = pool_effects(bcg["yi"], bcg["vi"], method=method, knapp_hartung=test == "knha")
    tolerance = 3e-5 if method == "PM" else 1e-8
    got = {
        "beta": pooled.estimate,
        "se": pooled.std_error,
        "stat": pooled.statistic,
        "p": pooled.p_value,
        "tau2": pooled.tau2,
        "I2": pooled.i2 / 100,
        "H2": pooled.h2 / 10,
        "QE": pooled.q,
        "QEp": pooled.q_p_value,
    }
    expected["I2"], expected["H2"] = expected["I2"] / 100, expected["H2"] / 10
    for key, value in got.items():
        scale = 30 if key in {"stat", "H2"} and method == "PM" else 1
        assert value == pytest.approx(expected[key], abs=tolerance * scale), key
    assert [pooled.ci_low, pooled.ci_high] == pytest.approx(expected["ci"], abs=tolerance)
    if expected["pi"]:
        assert [pooled.prediction_low, pooled.prediction_high] == pytest.approx(expected["pi"], abs=2 * tolerance)
        assert pooled.tau2_std_error == pytest.approx(expected["se_tau2"], abs=tolerance)
    if "tau2_ci_qp" in expected:
        ends = [pooled.tau2_ci_low, pooled.tau2_ci_high]
        assert ends == pytest.approx(expected["tau2_ci_qp"][1:], abs=1e-4)  # metafor's root finder is loose here too


def test_paule_mandel_solves_its_equation(bcg):
    y, v = np.array(bcg["yi"]), np.array(bcg["vi"])
    pooled = pool_effects(y, v, method="pm")
    assert fit_weighted(y, v, np.ones((13, 1)), pooled.tau2).q == pytest.approx(12.0, abs=1e-10)
    assert pooled.tau2 == pytest.approx(bcg["fits"]["EB_z"]["tau2"], abs=1e-10)


def test_the_interval_of_tau2_solves_its_equations(bcg):
    y, v = np.array(bcg["yi"]), np.array(bcg["vi"])
    pooled = pool_effects(y, v)
    for tau2, tail in ((pooled.tau2_ci_low, 0.025), (pooled.tau2_ci_high, 0.975)):
        assert stats.chi2.sf(fit_weighted(y, v, np.ones((13, 1)), tau2).q, 12) == pytest.approx(tail, abs=1e-10)


def test_metafor_other_intervals(bcg):
    riley = pool_effects(bcg["yi"], bcg["vi"], prediction="riley", knapp_hartung=False)
    assert [riley.prediction_low, riley.prediction_high] == pytest.approx(bcg["fits"]["PI_riley"], abs=1e-6)
    adhoc = pool_effects(bcg["yi"], bcg["vi"], knapp_hartung="adhoc")
    assert adhoc.std_error == pytest.approx(bcg["fits"]["REML_adhoc"]["se"], abs=1e-7)


def test_names_of_methods():
    assert set(METHOD_NAMES.values()) == set(METHODS)
    y, v = [1.0, 3.0, 8.0], [1.0, 1.5, 2.0]
    assert pool_effects(y, v, method="HO").tau2 == pool_effects(y, v, method="he").tau2
    assert pool_effects(y, v, method="EE").tau2 == 0


def test_one_study_says_what_it_can():
    pooled = pool_effects([3.0], [4.0])
    assert (pooled.estimate, pooled.std_error) == (3.0, 2.0)
    assert pooled.ci_low == pytest.approx(3 - 1.959964 * 2, abs=1e-6)
    assert math.isnan(pooled.prediction_low)
    assert math.isnan(pooled.i2)
    assert [flag.code for flag in pooled.flags] == ["one-study"]


def test_two_studies_and_close_agreement_are_flagged():
    codes = {flag.code for flag in pool_effects([3.0, 3.1], [4.0, 4.0]).flags}
    assert codes == {"two-studies", "narrow-interval"}
    same = pool_effects([3.0, 3.0, 3.0], [4.0, 4.0, 4.0])
    assert same.std_error == pytest.approx(0, abs=1e-12)
    assert same.p_value == pytest.approx(0, abs=1e-12)
    assert "large-heterogeneity" in {flag.code for flag in pool_effects([0.0, 9.0, 30.0], [1.0, 1.0, 1.0]).flags}


@pytest.mark.parametrize(
    ("effects", "variances", "options", "message"),
    [
        ([1.0, 2.0], [1.0, 0.0], {}, "study 2 has 0.0"),
        ([1.0, math.nan], [1.0, 1.0], {}, "study 2 has nan"),
        ([1.0, 2.0], [1.0], {}, "two lists of one length"),
        ([1.0, 2.0], [1.0, 1.0], {"method": "best"}, "method must be one of"),
        ([1.0, 2.0], [1.0, 1.0], {"level": 95}, "level must be between 0 and 1"),
        ([1.0, 2.0], [1.0, 1.0], {"prediction": "x"}, "prediction must be"),
        ([1.0, 2.0], [1.0, 1.0], {"knapp_hartung": "yes"}, "knapp_hartung must be"),
    ],
)
def test_refusals(effects, variances, options, message):
    with pytest.raises(InputError, match=message):
        pool_effects(effects, variances, **options)


def test_nothing_to_pool():
    with pytest.raises(NotEnoughDataError, match="nothing to pool"):
        pool_effects([], [])


def test_meta_regression_recovers_a_planted_slope_and_equals_weighted_least_squares():
    rng = np.random.default_rng(2)
    x, v = rng.uniform(0, 10, 500), rng.uniform(0.5, 1.5, 500)
    y = 2 + 0.7 * x + rng.normal(0, np.sqrt(0.8 + v))
    result = fit_meta_regression(y, v, x, names=["weeks"])
    assert result.coefficients["term"].to_list() == ["intercept", "weeks"]
    assert result.coefficients["estimate"][1] == pytest.approx(0.7, abs=0.06)
    assert result.tau2 == pytest.approx(0.8, abs=0.3)
    assert result.r2 > 60
    w = 1 / (v + result.tau2)
    X = np.column_stack([np.ones(500), x])
    assert result.coefficients["estimate"].to_numpy() == pytest.approx(np.linalg.solve((X.T * w) @ X, (X.T * w) @ y))


def test_meta_regression_of_a_group_code_splits_the_means():
    y, v = [1.0, 1.2, 0.8, 3.0, 3.1, 2.9], [0.5] * 6
    result = fit_meta_regression(y, v, [0, 0, 0, 1, 1, 1], knapp_hartung=False)
    assert result.coefficients["estimate"].to_list() == pytest.approx([1.0, 2.0])
    assert result.moderator_statistic == pytest.approx(4 / (0.5 * 2 / 3))
    with pytest.raises(NotEnoughDataError, match="cannot give"):
        fit_meta_regression([1.0, 2.0], [1.0, 1.0], [0, 1])
    with pytest.raises(InputError, match="constant or repeat"):
        fit_meta_regression(y, v, [1] * 6)
