"""How often a treatment that does nothing looks like a success, and how large the settling trial is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anagen.errors import InputError, NotEnoughDataError
from anagen.evidence.no_effect import (
    probability_of_significance,
    smallest_significant_change,
)
from anagen.evidence.settling_trial import n_per_group
from anagen.stats.regression_to_mean import expected_regression


@pytest.mark.parametrize(
    ("change", "sd", "percent"),
    [(3.9, 21.7, 16), (4.7, 19.7, 24), (15.7, 22.0, 97), (15.7, 30.0, 79)],
    ids=["Olsen 2002 vehicle", "Olsen 2007 vehicle", "Shapiro 2020 saline, SD 22", "Shapiro 2020 saline, SD 30"],
)
def test_published_control_groups_would_pass_for_success(change, sd, percent):
    assert round(100 * probability_of_significance(30, change, sd)) == percent


def test_it_is_the_noncentral_t():
    for n, d in [(5, 0.4), (30, 0.7), (200, 0.1)]:
        exact = stats.nct.sf(stats.t.isf(0.025, n - 1), n - 1, d * np.sqrt(n))
        assert probability_of_significance(n, d, 1.0) == pytest.approx(exact, abs=1e-9)


def test_it_agrees_with_a_simulation():
    rng = np.random.default_rng(20240822)
    change = rng.normal(4.7, 19.7, size=(20_000, 30))
    t, p = stats.ttest_1samp(change, 0.0, axis=1)
    seen = np.mean((p < 0.05) & (t > 0))
    assert abs(seen - probability_of_significance(30, 4.7, 19.7)) < 4 * np.sqrt(0.24 * 0.76 / 20_000)


@given(st.integers(2, 3000), st.floats(1e-3, 1e3))
def test_without_any_change_it_is_half_the_level_each_way(n, sd):
    assert probability_of_significance(n, 0.0, sd) == pytest.approx(0.025, abs=1e-7)
    assert probability_of_significance(n, 0.0, sd, two_sided=True) == pytest.approx(0.05, abs=2e-7)


@given(st.integers(2, 500), st.floats(-50, 50), st.floats(0.1, 100), st.floats(0.01, 10))
def test_unit_does_not_matter_and_more_change_means_more(n, change, sd, scale):
    base = probability_of_significance(n, change, sd)
    assert probability_of_significance(n, change * scale, sd * scale) == pytest.approx(base, abs=1e-9)
    assert probability_of_significance(n, change + sd, sd) >= base - 1e-9


def test_the_far_tail_is_a_number():
    assert probability_of_significance(1999, -11.18, 1.0) == pytest.approx(0.0, abs=1e-12)


def test_smallest_change_that_reaches_significance():
    assert smallest_significant_change(30, 22.0) == pytest.approx(8.215, abs=5e-4)


@pytest.mark.parametrize(
    ("rho", "fraction", "rise"),
    [(0.95, 0.5, 1.6), (0.90, 0.5, 3.2), (0.85, 0.5, 4.8), (0.95, 0.3, 2.3), (0.90, 0.3, 4.6), (0.85, 0.3, 7.0)],
)
def test_regression_to_the_mean_is_that_of_a_simulation(rho, fraction, rise):
    assert round(expected_regression(40.0, rho, fraction), 1) == rise
    rng = np.random.default_rng(7)
    first = rng.normal(size=400_000)
    second = rho * first + np.sqrt(1 - rho**2) * rng.normal(size=first.size)
    low = first <= np.quantile(first, fraction)
    assert 40 * np.mean(second[low] - first[low]) == pytest.approx(rise, abs=0.15)


@pytest.mark.parametrize(
    ("difference", "sd", "n_80", "n_90"),
    [(5, 22, 305, 408), (7.5, 22, 137, 182), (10, 22, 77, 103), (15, 22, 35, 47), (10, 20, 64, 86), (10, 25, 100, 133)],
)
def test_settling_trial_has_the_power_it_names(difference, sd, n_80, n_90):
    assert n_per_group(difference, sd, power=0.8) == n_80
    assert n_per_group(difference, sd, power=0.9) == n_90
    for n, power in ((n_80, 0.8), (n_90, 0.9)):
        shift = difference / sd * np.sqrt(n / 2)
        exact = stats.nct.sf(stats.t.isf(0.025, 2 * n - 2), 2 * n - 2, shift)
        assert power - 1e-4 < exact < power + 0.01


def test_refusals():
    with pytest.raises(NotEnoughDataError, match="at least 2 people"):
        probability_of_significance(1, 1.0, 1.0)
    with pytest.raises(InputError, match="change_sd must be above 0"):
        probability_of_significance(10, 1.0, 0.0)
    with pytest.raises(InputError, match="too small beside"):
        n_per_group(1e-9, 1.0)
