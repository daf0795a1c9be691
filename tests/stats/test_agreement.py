import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagen.errors import InputError, NotEnoughDataError
from anagen.stats import compare_methods, estimate_icc, estimate_retest, estimate_within_cv, estimate_within_sd
from anagen.stats.agreement import ICC_FORMS, _limit_interval

# Shrout and Fleiss (1979), table 2: six targets rated by four judges.
JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)


def simulate_ratings(rng, n, k, between=1.0, raters=0.3, error=0.5):
    return rng.normal(0, between, (n, 1)) + rng.normal(0, raters, (1, k)) + rng.normal(0, error, (n, k))


def test_shrout_and_fleiss():
    # Value as in their table 4; intervals as printed by R psych::ICC on the same data (two digits).
    published = {
        "1,1": (0.17, -0.13, 0.72),
        "2,1": (0.29, 0.02, 0.76),
        "3,1": (0.71, 0.34, 0.95),
        "1,k": (0.44, -0.88, 0.91),
        "2,k": (0.62, 0.07, 0.93),
        "3,k": (0.91, 0.68, 0.99),
    }
    for form, expected in published.items():
        found = estimate_icc(JUDGES, form)
        assert (found.value, found.ci_low, found.ci_high) == pytest.approx(expected, abs=0.006)


def test_planted_variances_are_recovered():
    ratings = simulate_ratings(np.random.default_rng(1), 4000, 5, raters=0.0)
    assert estimate_icc(ratings, "1,1").value == pytest.approx(1 / 1.25, abs=0.01)
    assert estimate_icc(ratings, "3,k").value == pytest.approx(1 / 1.05, abs=0.01)


@settings(max_examples=15)
@given(shift=st.floats(-100, 100), factor=st.floats(0.01, 100), seed=st.integers(0, 99))
def test_unit_and_order_do_not_matter_and_consistency_forgives_a_shift(shift, factor, seed):
    ratings = simulate_ratings(np.random.default_rng(seed), 12, 3)
    for form in ICC_FORMS:
        found, moved = estimate_icc(ratings, form), estimate_icc(factor * ratings[::-1, ::-1] + shift, form)
        assert (moved.value, moved.ci_low) == pytest.approx((found.value, found.ci_low), rel=1e-6, abs=1e-8)
        assert found.ci_low < found.value < found.ci_high
    biased = ratings + np.array([0.0, 2.0, 5.0])
    assert estimate_icc(biased, "3,1").value == pytest.approx(estimate_icc(ratings, "3,1").value, rel=1e-9)
    assert estimate_icc(biased, "2,1").value < estimate_icc(ratings, "2,1").value + 0.2


@pytest.mark.parametrize("form", ["1,1", "3,1"])
def test_f_intervals_cover_at_their_level(form):
    rng = np.random.default_rng(2)
    found = [estimate_icc(simulate_ratings(rng, 15, 3, raters=0.0), form) for _ in range(600)]
    covered = np.mean([e.ci_low <= 0.8 <= e.ci_high for e in found])
    assert abs(covered - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 600)


def test_perfect_agreement():
    same = np.repeat(np.arange(5.0)[:, None], 2, axis=1)
    for form in ICC_FORMS:
        assert estimate_icc(same, form).value == pytest.approx(1.0)


def test_limits_of_agreement_hold_their_share_and_their_intervals_cover():
    rng = np.random.default_rng(3)
    first = rng.normal(150, 40, 5000)
    wide = compare_methods(first, first + rng.normal(3, 8, 5000))
    assert wide.bias.value == pytest.approx(3, abs=0.4)
    assert wide.upper_limit.value - wide.lower_limit.value == pytest.approx(2 * 1.96 * 8, rel=0.03)
    outer, inner = _limit_interval(20, 1.959963984540054, 0.95)
    d = rng.normal(0, 1, (4000, 20))
    mean, sd = d.mean(axis=1), d.std(axis=1, ddof=1)
    covered = np.mean((mean + inner * sd <= 1.959964) & (mean + outer * sd >= 1.959964))
    assert abs(covered - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 4000)


def test_exact_limits_near_the_usual_approximation_for_many_pairs():
    outer, inner = _limit_interval(400, 1.96, 0.95)
    error = math.sqrt(1 / 400 + 1.96**2 / (2 * 399))  # Bland and Altman (1999)
    assert (outer - inner) / 2 == pytest.approx(1.966 * error, rel=0.01)


def test_swapping_the_methods_mirrors_and_a_growing_difference_is_flagged():
    rng = np.random.default_rng(4)
    first = rng.normal(150, 40, 40)
    second = 1.2 * first + rng.normal(0, 2, 40)
    there, back = compare_methods(first, second), compare_methods(second, first)
    assert back.bias.value == pytest.approx(-there.bias.value)
    assert back.lower_limit.ci_low == pytest.approx(-there.upper_limit.ci_high)
    assert [flag.code for flag in there.flags] == ["proportional-bias"]


def test_within_sd_and_cv_recover_what_was_planted_and_cover():
    rng = np.random.default_rng(5)
    level = np.exp(rng.normal(5, 0.5, (3000, 1)))
    cv = estimate_within_cv(level * np.exp(rng.normal(0, 0.05, (3000, 3))))
    assert cv.value == pytest.approx(0.05, rel=0.03)
    x = rng.normal(100, 30, (800, 8, 1)) + rng.normal(0, 4, (800, 8, 2))
    found = [estimate_within_sd(one) for one in x]
    covered = np.mean([e.ci_low <= 4 <= e.ci_high for e in found])
    assert abs(covered - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 800)


def test_missing_replicates_count_for_what_they_are():
    ragged = [[1.0, 3.0, np.nan], [5.0, np.nan, np.nan], [2.0, 2.0, 5.0]]
    found = estimate_within_sd(ragged)
    assert found.value == pytest.approx(math.sqrt((2.0 + 6.0) / 3))
    assert found.n == 2


def test_retest_is_icc_and_the_sd_of_differences():
    rng = np.random.default_rng(6)
    true = rng.normal(150, 40, 60)
    first, second = true + rng.normal(0, 10, 60), true + 4 + rng.normal(0, 10, 60)
    found = estimate_retest(first, second, unit="hairs/cm2")
    sd = (second - first).std(ddof=1)
    assert found.standard_error_of_measurement.value == pytest.approx(sd / math.sqrt(2))
    assert found.minimal_detectable_change.value == pytest.approx(1.959964 * sd, rel=1e-6)
    assert found.icc_consistency.value > found.icc_agreement.value
    limits = compare_methods(first, second)
    assert limits.upper_limit.value - limits.bias.value == pytest.approx(found.minimal_detectable_change.value)


def test_refuses_what_has_no_agreement():
    with pytest.raises(InputError, match="form must be one of"):
        estimate_icc(JUDGES, "4,1")
    with pytest.raises(NotEnoughDataError, match="at least 2 raters and 3 complete rows"):
        estimate_icc([[1, 2], [2, np.nan], [3, 4]])
    with pytest.raises(NotEnoughDataError, match="all ratings are equal"):
        estimate_icc(np.ones((4, 2)))
    with pytest.raises(InputError, match="shape"):
        estimate_within_sd([1, 2, 3])
    with pytest.raises(NotEnoughDataError, match="nothing was measured twice"):
        estimate_within_sd([[1.0, np.nan], [np.nan, 2.0]])
    with pytest.raises(InputError, match="values above 0"):
        estimate_within_cv([[1.0, -1.0]])
    with pytest.raises(InputError, match="same things"):
        compare_methods([1, 2, 3], [1, 2])
    with pytest.raises(NotEnoughDataError, match="at least 3 complete pairs, got 1"):
        estimate_retest([1, 2, np.nan], [1, np.nan, 3])
