"""Sensitivity, small-study effects, subgroups: metafor's numbers, laws, refusals."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from anagen.errors import InputError, NotEnoughDataError
from anagen.evidence.meta_regression import fit_meta_regression
from anagen.evidence.pool import pool_effects
from anagen.evidence.pool_events import pool_events
from anagen.evidence.sensitivity import cumulate, leave_one_out, measure_influence, pool_all_subsets
from anagen.evidence.small_study_effects import begg_test, egger_test, fit_selection_model, trim_and_fill
from anagen.evidence.subgroups import pool_subgroups

# Invented effects; the numbers below are of R metafor 3.8-1 run on them with a threshold of 1e-14.
Y = [0.10, 0.30, 0.35, 0.65, 0.45, 0.15, 0.90, -0.10]
V = [0.03, 0.03, 0.05, 0.01, 0.05, 0.02, 0.12, 0.20]
GROUPS = ["a", "a", "b", "b", "a", "b", "b", "a"]
ASYMMETRIC_Y = [0.9, 0.8, 0.75, 0.6, 0.5, 0.45, 0.4, 0.38]
ASYMMETRIC_V = [0.3, 0.25, 0.2, 0.1, 0.06, 0.04, 0.02, 0.01]


@pytest.fixture
def bcg(shared):
    """metafor 5.1.12 on the thirteen BCG trials, log risk ratios."""
    return json.loads(shared("stats/meta_expected.json").read_text())["bcg_RR"]


def test_metafor_leave_one_out(bcg):
    """metafor ran here with its default stopping rule of 1e-5 on tau2."""
    found = leave_one_out(bcg["yi"], bcg["vi"], knapp_hartung=False)
    assert found["estimate"].to_list() == pytest.approx(bcg["fits"]["loo"]["est"], abs=1e-6)
    assert found["std_error"].to_list() == pytest.approx(bcg["fits"]["loo"]["se"], abs=1e-6)
    assert found["tau2"].to_list() == pytest.approx(bcg["fits"]["loo"]["tau2"], abs=2e-6)


def test_metafor_asymmetry(bcg):
    y, v, fits = bcg["yi"], bcg["vi"], bcg["fits"]
    mixed, linear, begg = egger_test(y, v), egger_test(y, v, model="linear"), begg_test(y, v)
    assert mixed.statistic == pytest.approx(fits["egger_mixed"]["z"], abs=1e-6)
    assert mixed.p_value == pytest.approx(fits["egger_mixed"]["p"], abs=1e-6)
    assert mixed.limit_estimate == pytest.approx(fits["egger_mixed"]["est"], abs=1e-6)
    assert [mixed.limit_low, mixed.limit_high] == pytest.approx(fits["egger_mixed"]["ci"], abs=1e-6)
    assert (linear.statistic, linear.df) == pytest.approx((fits["egger_lm"]["t"], 11))
    assert linear.p_value == pytest.approx(fits["egger_lm"]["p"])
    assert linear.limit_estimate == pytest.approx(fits["egger_lm"]["est"])
    assert (begg.statistic, begg.p_value) == pytest.approx((fits["begg"]["tau"], fits["begg"]["p"]))
    filled = trim_and_fill(y, v)
    assert (filled.n_filled, filled.side) == (fits["trimfill"]["k0"], fits["trimfill"]["side"])
    assert filled.pooled.estimate == pytest.approx(fits["trimfill"]["beta"], abs=1e-6)
    assert [filled.pooled.ci_low, filled.pooled.ci_high] == pytest.approx(fits["trimfill"]["ci"], abs=1e-6)


def test_metafor_influence():
    found = measure_influence(Y, V)
    assert found["residual"].to_list()[:4] == pytest.approx(
        [-1.1462116143, -0.2375113147, -0.0358053217, 3.1117335201], abs=1e-8
    )
    assert found["dffits"].to_list()[3:6] == pytest.approx([2.2603749528, 0.1258236635, -0.4694197457], abs=1e-8)
    assert found["cook"].to_list()[5:] == pytest.approx([0.2123147661, 0.1229940101, 0.0397872150], abs=1e-8)
    assert found["covariance_ratio"].to_list()[2:4] == pytest.approx([1.2765490875, 0.6195662957], abs=1e-8)
    assert found["weight"].to_list()[7] == pytest.approx(4.0392535556, abs=1e-8)
    assert found["influential"].to_list() == [i == 3 for i in range(8)]


def test_metafor_trim_and_fill_with_missing_studies():
    found = trim_and_fill(ASYMMETRIC_Y, ASYMMETRIC_V)
    assert (found.n_filled, found.side) == (4, "left")
    assert found.pooled.estimate == pytest.approx(0.4047826087, abs=1e-9)
    assert found.pooled.std_error == pytest.approx(0.0650485335, abs=1e-9)
    other = trim_and_fill(ASYMMETRIC_Y, ASYMMETRIC_V, estimator="R0")
    assert other.n_filled == 5
    assert (other.pooled.estimate, other.pooled.std_error) == pytest.approx((0.3957142857143, 0.0628694613462))
    assert trim_and_fill(Y, V).n_filled == 0


@pytest.mark.parametrize(
    ("steps", "estimate", "se", "tau2", "weights", "lrt"),
    [
        ((0.025,), 0.4432369327, 0.1266411045, 0.0234451026, [2.6682383653], 0.6538889886),
        ((0.025, 0.5), 0.4724424342, 0.1217084258, 0.0181884336, [3.2225070746, 7.1642726571], 0.9612012119),
    ],
)
def test_metafor_selection_model(steps, estimate, se, tau2, weights, lrt):
    """To 1e-5 relative: both stop an iterative search."""
    found = fit_selection_model(Y, V, steps=steps)
    assert found.estimate == pytest.approx(estimate, rel=1e-5)
    assert found.std_error == pytest.approx(se, rel=1e-4)
    assert found.tau2 == pytest.approx(tau2, rel=1e-4)
    assert found.relative_probability[1:] == pytest.approx(weights, rel=1e-4)
    assert found.lr_statistic == pytest.approx(lrt, abs=1e-6)


def test_metafor_subgroups_and_regression():
    groups = pool_subgroups(Y, V, GROUPS, knapp_hartung=False)
    a, b = groups.pooled["a"], groups.pooled["b"]
    assert (a.estimate, a.std_error, a.tau2) == pytest.approx((0.2381818182, 0.1044465936, 0.0), abs=1e-9)
    assert (b.estimate, b.std_error, b.tau2) == pytest.approx((0.4665387128, 0.1539970679, 0.0584776201), abs=1e-9)
    z = (a.estimate - b.estimate) / math.hypot(a.std_error, b.std_error)
    assert (groups.q_between, groups.df) == pytest.approx((z**2, 1))
    assert groups.table()["group"].to_list() == ["a", "b"]
    regression = fit_meta_regression(Y, V, [float(g == "b") for g in GROUPS], names=["b"])
    assert regression.coefficients["estimate"].to_list() == pytest.approx([0.2357527969, 0.2263158527], abs=1e-9)
    assert regression.coefficients["std_error"].to_list() == pytest.approx([0.1375254128, 0.1842270484], abs=1e-9)
    assert (regression.moderator_statistic, regression.moderator_p_value) == pytest.approx(
        (1.5091178765, 0.2652696014), abs=1e-9
    )
    assert (regression.tau2, regression.q) == pytest.approx((0.0337711010, 12.3650396488), abs=1e-9)
    assert regression.i2 == pytest.approx(48.66, abs=0.005)
    assert regression.r2 == pytest.approx(3.65, abs=0.005)


def test_selection_of_significant_results_is_undone():
    """Planted: mu 0.2, tau 0.1; results with one-sided p > 0.025 are published one time in five."""
    rng = np.random.default_rng(6)
    v = rng.uniform(0.005, 0.1, 4000)
    y = rng.normal(0.2, np.sqrt(0.01 + v))
    kept = (stats.norm.sf(y / np.sqrt(v)) < 0.025) | (rng.random(4000) < 0.2)
    y, v = y[kept][:600], v[kept][:600]
    naive, adjusted = pool_effects(y, v), fit_selection_model(y, v)
    assert naive.estimate > 0.3
    assert adjusted.estimate == pytest.approx(0.2, abs=0.05)
    assert adjusted.relative_probability[1] == pytest.approx(0.2, abs=0.08)
    assert adjusted.lr_p_value < 1e-6


def test_cumulation_ends_at_the_pool_and_follows_its_order():
    found = cumulate(Y, V, order=[8, 7, 6, 5, 4, 3, 2, 1], studies=list("abcdefgh"))
    assert found["added"].to_list() == list("hgfedcba")
    assert found["estimate"][-1] == pytest.approx(pool_effects(Y, V).estimate)
    assert found["estimate"][0] == -0.10


def test_all_subsets_hold_the_whole_and_are_drawn_the_same_each_time():
    whole = pool_all_subsets(Y, V, method="dl")
    assert len(whole) == 2**8 - 8 - 1
    assert whole.filter(whole["n_studies"] == 8)["estimate"][0] == pytest.approx(
        pool_effects(Y, V, method="dl").estimate
    )
    some = pool_all_subsets(Y, V, max_subsets=50)
    assert some.equals(pool_all_subsets(Y, V, max_subsets=50))
    assert len(some) <= 50


def test_metafor_glmm_of_proportions_with_zero_events(shared):
    """rma.glmm (lme4, 7 nodes): to 1e-3, the accuracy of seven nodes and of its Hessian."""
    expected = json.loads(shared("stats/meta_expected.json").read_text())["prop_zero"]
    pooled = pool_events([row["x"] for row in expected["data"]], [row["n"] for row in expected["data"]])
    assert pooled.log_odds == pytest.approx(expected["glmm"]["beta"], abs=1e-3)
    assert pooled.std_error == pytest.approx(expected["glmm"]["se"], rel=0.02)
    assert pooled.tau2 == pytest.approx(expected["glmm"]["tau2"], abs=2e-3)


def test_planted_event_rates_are_recovered():
    rng = np.random.default_rng(1)
    n = rng.integers(20, 80, 300)
    x = rng.binomial(n, 1 / (1 + np.exp(-rng.normal(-2.5, 0.7, 300))))
    pooled = pool_events(x, n)
    assert pooled.log_odds == pytest.approx(-2.5, abs=0.12)
    assert math.sqrt(pooled.tau2) == pytest.approx(0.7, abs=0.12)


def test_identical_rates_are_the_plain_proportion():
    pooled = pool_events([10, 10, 10], [100, 100, 100])
    assert pooled.estimate == pytest.approx(0.1, abs=1e-6)
    assert pooled.tau2 == pytest.approx(0, abs=1e-6)
    assert pooled.std_error == pytest.approx(1 / math.sqrt(300 * 0.09), rel=1e-4)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=8))
@settings(max_examples=30)
def test_no_events_anywhere_say_how_many_there_could_be(n):
    pooled = pool_events([0] * len(n), n)
    assert pooled.ci_high == pytest.approx(1 - 0.025 ** (1 / sum(n)), rel=1e-6)
    assert pooled.flags[0].code == "no-events"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: leave_one_out([1.0], [1.0]), NotEnoughDataError, "leaves none"),
        (lambda: measure_influence([1.0, 2.0], [1.0, 1.0]), NotEnoughDataError, "at least 3 studies"),
        (lambda: pool_all_subsets([1.0, 2.0], [1.0, 1.0]), NotEnoughDataError, "at least 3 studies"),
        (lambda: egger_test([1.0, 2.0], [1.0, 2.0]), NotEnoughDataError, "at least 3 studies"),
        (lambda: egger_test([1.0, 2.0, 3.0], [1.0] * 3), NotEnoughDataError, "one standard error"),
        (lambda: egger_test(Y, V, model="x"), InputError, "model must be"),
        (lambda: trim_and_fill(Y, V, estimator="Z"), InputError, "L0, R0 or Q0"),
        (lambda: fit_selection_model(Y, V, steps=(0.5, 0.1)), InputError, "steps must increase"),
        (lambda: fit_selection_model(Y, V, steps=(1e-15,)), NotEnoughDataError, "choose other steps"),
        (lambda: pool_subgroups(Y, V, ["a"] * 8), NotEnoughDataError, "at least two groups"),
        (lambda: pool_subgroups(Y, V, ["a"]), InputError, "8 studies, 1 groups"),
        (lambda: pool_events([3], [2]), InputError, "study 1 has 3 events in 2 people"),
        (lambda: cumulate(Y, V, studies=["a"]), InputError, "8 studies"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()
