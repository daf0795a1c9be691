import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from anagen.errors import InputError, NotEnoughDataError
from anagen.stats import estimate_ancova, estimate_change, estimate_split_scalp
from anagen.stats.change import _percent_change

RNG = np.random.default_rng(7)
PRE = RNG.normal(150, 40, 30)
POST = PRE + RNG.normal(12, 22, 30)


def test_it_is_the_paired_t_test():
    change = estimate_change(PRE, POST, unit="hairs/cm2")
    reference = stats.ttest_rel(POST, PRE)
    interval = reference.confidence_interval()
    assert change.t == pytest.approx(reference.statistic, rel=1e-12)
    assert change.mean_change.p_value == pytest.approx(reference.pvalue, rel=1e-12)
    assert (change.mean_change.ci_low, change.mean_change.ci_high) == pytest.approx(interval, rel=1e-12)
    assert [flag.code for flag in change.flags] == ["no-control"]


@settings(max_examples=15)
@given(shift=st.floats(-100, 100), factor=st.floats(0.01, 100))
def test_shift_leaves_the_change_and_scale_multiplies_it(shift, factor):
    change, moved = estimate_change(PRE, POST), estimate_change(factor * PRE + shift, factor * POST + shift)
    assert moved.mean_change.value == pytest.approx(factor * change.mean_change.value, rel=1e-8)
    assert moved.mean_change.p_value == pytest.approx(change.mean_change.p_value, rel=1e-6)
    assert moved.smcc.estimate.value == pytest.approx(change.smcc.estimate.value, rel=1e-8)
    assert moved.smcr.estimate.value == pytest.approx(change.smcr.estimate.value, rel=1e-8)


def test_percent_change_excludes_zero_exactly_when_the_t_test_does_and_ignores_the_unit():
    change = estimate_change(PRE, POST)
    scaled = estimate_change(PRE / 100, POST / 100)
    assert scaled.percent_change.ci_low == pytest.approx(change.percent_change.ci_low, rel=1e-9)
    for offset in np.linspace(-5, 30, 36):
        moved = estimate_change(PRE, POST - offset)
        outside = not moved.percent_change.ci_low <= 0 <= moved.percent_change.ci_high
        assert outside == (moved.mean_change.p_value < 0.05)


def test_fieller_covers_at_its_level():
    rng = np.random.default_rng(3)
    pre = rng.normal(100, 30, (400, 12))
    post = 1.1 * 100 + 0.8 * (pre - 100) + rng.normal(0, 20, pre.shape)
    hits = [
        e.ci_low <= 10 <= e.ci_high for e in (_percent_change(a, b, 0.95)[0] for a, b in zip(pre, post, strict=True))
    ]
    assert abs(np.mean(hits) - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 400)


def test_people_without_both_visits_are_left_out_and_said_so():
    pre, post = np.append(PRE, [100, np.nan]), np.append(POST, [np.nan, 90])
    change = estimate_change(pre, post)
    assert (change.n, change.n_missing) == (30, 2)
    assert change.mean_change == estimate_change(PRE, POST).mean_change
    assert "incomplete-pairs" in [flag.code for flag in change.flags]


def test_no_spread_and_no_percentage_are_flagged_not_raised():
    alike = estimate_change([1, 2, 3], [2, 3, 4])
    assert alike.smcc is None
    assert alike.mean_change.p_value == 0
    assert {"no-spread"} <= {flag.code for flag in alike.flags}
    about_zero = estimate_change([-1, 0, 1], [0, 1, 5])
    assert math.isnan(about_zero.percent_change.value)
    still = estimate_change([1, 2, 3], [1, 2, 3])
    assert math.isnan(still.mean_change.p_value)


def test_sleep_data_as_in_r(shared):
    # Both are closed formulas: 1e-10 is rounding.
    extra = pl.read_csv(shared("stats/sleep.csv"))["extra"].to_numpy()
    expected = json.loads(shared("stats/misc_expected.json").read_text())["sleep"]["paired_t"]
    change = estimate_change(extra[:10], extra[10:], unit="h")
    found = [change.mean_change.value, change.std_error, change.t, change.df, change.mean_change.p_value]
    assert found == pytest.approx([expected[key] for key in ("est", "se", "t", "df", "p")], rel=1e-10)
    assert [change.mean_change.ci_low, change.mean_change.ci_high] == pytest.approx(expected["ci"], rel=1e-10)


def test_split_scalp_is_a_paired_test_of_the_sides_changes():
    control_post = PRE + RNG.normal(5, 22, 30)
    found = estimate_split_scalp(PRE, POST, PRE, control_post)
    reference = stats.ttest_rel(POST - PRE, control_post - PRE)
    assert found.difference.p_value == pytest.approx(reference.pvalue, rel=1e-12)
    assert found.difference.value == pytest.approx(
        found.treated.mean_change.value - found.control.mean_change.value, rel=1e-12
    )
    swapped = estimate_split_scalp(PRE, control_post, PRE, POST)
    assert swapped.difference.value == pytest.approx(-found.difference.value, rel=1e-12)


def test_ancova_recovers_a_planted_difference_and_scale_shift_laws():
    rng = np.random.default_rng(11)
    pre, arm = rng.normal(150, 40, 400), np.arange(400) % 2 == 1
    post = 20 + 0.85 * pre + 10 * arm + rng.normal(0, 2, 400)
    fit = estimate_ancova(pre, post, arm)
    assert fit.difference.value == pytest.approx(10, abs=0.8)
    assert fit.slope.value == pytest.approx(0.85, abs=0.01)
    assert fit.difference.ci_low < 10 < fit.difference.ci_high
    assert fit.mean_treated.value - fit.mean_control.value == pytest.approx(fit.difference.value, rel=1e-12)
    as_change = estimate_ancova(3 * pre + 5, 3 * (post - pre), arm)  # the same test on change scores
    assert as_change.difference.value == pytest.approx(3 * fit.difference.value, rel=1e-9)
    assert as_change.difference.p_value == pytest.approx(fit.difference.p_value, rel=1e-6)
    assert as_change.slope.value == pytest.approx(fit.slope.value - 1, abs=1e-9)


def test_ancova_with_covariates_is_least_squares():
    rng = np.random.default_rng(12)
    pre, arm, age = rng.normal(0, 1, 40), np.arange(40) % 2, rng.normal(0, 1, 40)
    post = pre + arm + age + rng.normal(0, 1, 40)
    fit = estimate_ancova(pre, post, arm, covariates=age)
    design = np.column_stack([np.ones(40), arm, pre, age])
    beta, residual, *_ = np.linalg.lstsq(design, post, rcond=None)
    error = math.sqrt(residual[0] / 36 * np.linalg.inv(design.T @ design)[1, 1])
    assert (fit.difference.value, fit.std_error, fit.df) == pytest.approx((beta[1], error, 36), rel=1e-10)


def test_refuses_what_is_not_paired():
    with pytest.raises(InputError, match="one value a person in the same order"):
        estimate_change([1, 2, 3], [1, 2])
    with pytest.raises(InputError, match="after has an infinite value"):
        estimate_change([1, 2, 3], [1, 2, np.inf])
    with pytest.raises(NotEnoughDataError, match="at least 3 people need before and after, got 2"):
        estimate_change([1, 2, np.nan], [1, 2, 3])
    with pytest.raises(InputError, match="not a percentage"):
        estimate_change([1, 2, 3], [1, 2, 3], level=95)
    with pytest.raises(InputError, match="drop a covariate"):
        estimate_ancova([5, 5, 5, 5, 5, 5], [1, 2, 3, 4, 5, 6], [0, 0, 0, 1, 1, 1])
    with pytest.raises(NotEnoughDataError, match="got 1 treated"):
        estimate_ancova([5, 6, 7, 8], [1, 2, 3, 4], [0, 0, 0, 1])
    with pytest.raises(InputError, match="treated must be a list of True and False"):
        estimate_ancova([5, 6, 7, 8], [1, 2, 3, 4], [0, 1, 2, 1])
