import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagen.errors import InputError, NotEnoughDataError
from anagen.surveys import analyse_items, arrange_points, estimate_alpha, estimate_omega, load_instrument


def simulate_points(rng, n, loadings=(0.7, 0.8, 0.6, 0.5), cuts=None):
    loadings = np.asarray(loadings)
    x = rng.normal(size=(n, 1)) * loadings + rng.normal(size=(n, len(loadings))) * np.sqrt(1 - loadings**2)
    return x if cuts is None else np.digitize(x, cuts) + 1.0


def test_omega_recovers_a_planted_reliability_and_alpha_lies_below():
    loadings = np.array([0.9, 0.7, 0.5, 0.3])
    x = simulate_points(np.random.default_rng(1), 200_000, loadings)
    truth = loadings.sum() ** 2 / (loadings.sum() ** 2 + np.sum(1 - loadings**2))
    omega = estimate_omega(x)
    assert omega.estimate.value == pytest.approx(truth, abs=0.005)
    assert omega.loadings == pytest.approx(loadings, abs=0.01)
    assert estimate_alpha(x).value < omega.estimate.value


def test_equal_loadings_make_alpha_and_omega_one():
    cov = np.full((5, 5), 0.5) + np.diag(np.full(5, 0.7))
    x = np.linalg.cholesky(cov)
    n = 40
    q, _ = np.linalg.qr(np.column_stack([np.ones(n), np.random.default_rng(2).normal(size=(n, 5))]))
    points = q[:, 1:] @ x.T * math.sqrt(n - 1)  # sample covariance is exactly cov
    assert estimate_alpha(points).value == pytest.approx(25 * 0.5 / cov.sum(), rel=1e-12)
    assert estimate_omega(points).estimate.value == pytest.approx(25 * 0.5 / cov.sum(), rel=1e-9)


@settings(max_examples=4)
@given(seed=st.integers(0, 1000), factor=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_unit_and_order_do_not_matter(seed, factor, shift):
    x = simulate_points(np.random.default_rng(seed), 60)
    omega, moved = estimate_omega(x).estimate, estimate_omega(factor * x[:, ::-1] + shift).estimate
    assert (moved.value, moved.ci_low, moved.ci_high) == pytest.approx(
        (omega.value, omega.ci_low, omega.ci_high), rel=1e-5
    )
    assert estimate_alpha(factor * x + shift).value == pytest.approx(estimate_alpha(x).value, rel=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("cuts", [None, [-1.5, -0.5, 0.5, 1.5]])
def test_omega_interval_covers_for_normal_and_five_point_answers(cuts):
    rng = np.random.default_rng(9)
    truth = estimate_omega(simulate_points(rng, 300_000, cuts=cuts)).estimate.value
    found = [estimate_omega(simulate_points(rng, 150, cuts=cuts)).estimate for _ in range(150)]
    covered = np.mean([e.ci_low <= truth <= e.ci_high for e in found])
    # The delta method is asymptotic: 150 people may cost a percent on top of the Monte-Carlo error.
    assert covered > 0.94 - 3 * math.sqrt(0.95 * 0.05 / 150)


def test_agrees_with_r_psych_and_lavaan(shared):
    x = pl.read_csv(shared("stats/bfi_agree300.csv")).to_numpy().astype(float)
    expected = json.loads(shared("stats/misc_expected.json").read_text())["reliability"]
    alpha, omega, items = estimate_alpha(x), estimate_omega(x), analyse_items(x)
    # Closed formulas: rounding only.
    assert alpha.value == pytest.approx(expected["alpha_raw"], rel=1e-12)
    assert alpha.ci_low == pytest.approx(expected["feldt"]["lower.ci"][0]["raw_alpha"], rel=1e-10)
    assert alpha.ci_high == pytest.approx(expected["feldt"]["upper.ci"][0]["raw_alpha"], rel=1e-10)
    assert items["alpha_without"].to_list() == pytest.approx(expected["alpha_drop"], rel=1e-12)
    assert items["item_rest_r"].to_list() == pytest.approx(expected["item_total_drop"], rel=1e-12)
    assert estimate_alpha(x, standardised=True).value == pytest.approx(expected["alpha_std"], rel=1e-12)
    wald = estimate_alpha(x, interval="duhachek")
    std_error = (wald.ci_high - wald.ci_low) / 2 / 1.959963984540054
    assert std_error == pytest.approx(expected["duhachek"]["ase"], rel=1e-10)
    # lavaan stops at a relative change of about 1e-9 in its objective: six digits of the parameters.
    assert omega.estimate.value == pytest.approx(expected["omega_cfa_ml"], rel=1e-6)
    rows = dict(zip(expected["semTools_rows"], expected["semTools"], strict=True))
    assert omega.of_observed_variance == pytest.approx(rows["omega3"], rel=1e-6)
    assert omega.variance_extracted == pytest.approx(rows["avevar"], rel=1e-6)
    n = len(x)  # lavaan divides by n
    assert omega.loadings * math.sqrt((n - 1) / n) == pytest.approx(expected["cfa_loadings"], rel=1e-5)
    assert omega.error_variances * (n - 1) / n == pytest.approx(expected["cfa_theta"], rel=1e-5)


def test_items_against_the_others_and_too_few_people_are_flagged():
    x = simulate_points(np.random.default_rng(3), 400)
    x[:, 0] *= -1
    assert "mixed-signs" in [flag.code for flag in estimate_omega(x).flags]
    two_factors = np.hstack([simulate_points(np.random.default_rng(k), 400, (0.8, 0.8, 0.8)) for k in (1, 2)])
    assert "poor-fit" in [flag.code for flag in estimate_omega(two_factors).flags]


def test_answers_become_a_table_of_people_and_items():
    hair = load_instrument("satisfaction-5")
    long = pl.DataFrame(
        {
            "participant": ["A"] * 5 + ["B"] * 4,
            "visit": ["w4"] * 9,
            "item": [item.id for item in hair.items] + [item.id for item in hair.items][:4],
            "response": [1, 2, 3, 4, 5, 5, 4, 3, 2],
        }
    )
    wide = arrange_points(hair, long, visit="w4")
    assert wide.columns == ["participant", *(item.id for item in hair.items)]
    assert wide.row(1) == ("B", 5, 4, 3, 2, None)
    with pytest.raises(NotEnoughDataError, match="nobody answered satisfaction-5 at 'w5'"):
        arrange_points(hair, long, visit="w5")
    with pytest.raises(InputError, match="scale must be one of total"):
        arrange_points(hair, long, visit="w4", scale="pain")


def test_refuses_what_has_no_reliability():
    with pytest.raises(NotEnoughDataError, match="at least 2 items and 3 people"):
        estimate_alpha([[1], [2], [3]])
    with pytest.raises(NotEnoughDataError, match="everybody gave the same answer"):
        estimate_alpha([[1, 2], [1, 3], [1, 4]])
    with pytest.raises(NotEnoughDataError, match="needs more than 3 complete people"):
        estimate_omega([[1, 2, 3], [2, 3, 1], [3, 1, 1]])
    with pytest.raises(InputError, match="shape"):
        analyse_items([1, 2, 3])
    with pytest.raises(InputError, match="interval must be one of feldt, duhachek"):
        estimate_alpha([[1, 2], [2, 3], [3, 1]], interval="wald")
    with pytest.raises(InputError, match="one name for each"):
        analyse_items([[1, 2], [2, 3], [3, 1]], ["a"])
