import math

import numpy as np
import pytest

from anagen.errors import InputError, NotEnoughDataError
from anagen.stats import adjust_change_for_regression, estimate_change, expected_regression


def simulate_selected(rng, n, reliability, fraction, effect):
    """People of a population (150, SD 40) whose first measurement lay in the lowest fraction."""
    true = rng.normal(150, 40 * math.sqrt(reliability), n)
    noise = 40 * math.sqrt(1 - reliability)
    first, second = true + rng.normal(0, noise, n), true + rng.normal(0, noise, n) + effect
    chosen = first <= np.quantile(first, fraction)
    return first[chosen], second[chosen]


@pytest.mark.parametrize(("reliability", "fraction"), [(0.95, 0.5), (0.85, 0.3), (0.6, 0.1)])
def test_formula_is_what_selection_does(reliability, fraction):
    before, after = simulate_selected(np.random.default_rng(1), 400_000, reliability, fraction, 0.0)
    assert np.mean(after - before) == pytest.approx(expected_regression(40, reliability, fraction), abs=0.25)


def test_published_settings():
    table = [[round(expected_regression(40, rho, f), 1) for rho in (0.95, 0.9, 0.85)] for f in (0.5, 0.3)]
    assert table == [[1.6, 3.2, 4.8], [2.3, 4.6, 7.0]]


def test_everybody_enrolled_regresses_nowhere_and_units_scale():
    assert expected_regression(40, 0.8, 1.0) == 0.0
    assert expected_regression(400, 0.8, 0.3) == pytest.approx(10 * expected_regression(40, 0.8, 0.3))
    assert expected_regression(40, 1.0, 0.3) == 0.0


def test_adjustment_removes_it_and_leaves_the_effect():
    before, after = simulate_selected(np.random.default_rng(2), 100_000, 0.8, 0.3, 5.0)
    raw = estimate_change(before, after).mean_change.value
    left = adjust_change_for_regression(before, after, population_mean=150, reliability=0.8)
    assert raw > 13
    assert left.value == pytest.approx(5.0, abs=0.5)
    as_it_is = adjust_change_for_regression(before, after, population_mean=150, reliability=1.0)
    assert as_it_is.value == pytest.approx(raw)


def test_refuses_nonsense():
    with pytest.raises(InputError, match="reliability must lie between 0 and 1, got 1"):
        expected_regression(40, 1.1, 0.5)
    with pytest.raises(InputError, match="lowest_fraction must lie above 0"):
        expected_regression(40, 0.9, 0)
    with pytest.raises(InputError, match="sd must be above 0"):
        expected_regression(0, 0.9, 0.5)
    with pytest.raises(NotEnoughDataError, match="at least 3 people"):
        adjust_change_for_regression([1, 2], [1, 2], population_mean=1, reliability=0.5)
    with pytest.raises(InputError, match="one finite value a person"):
        adjust_change_for_regression([1, 2, 3], [1, 2], population_mean=1, reliability=0.5)
