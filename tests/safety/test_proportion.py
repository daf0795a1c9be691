import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anagen.errors import InputError
from anagen.safety import (
    clopper_pearson,
    estimate_event_proportion,
    n_to_see_one_event,
    probability_of_missing,
    rule_of_three,
)


def test_nobody_of_thirty():
    nobody = estimate_event_proportion(0, 30)
    assert nobody.rate.value == 0
    assert nobody.rate.ci_high == pytest.approx(1 - 0.025 ** (1 / 30), rel=1e-12)
    assert nobody.upper_one_sided == pytest.approx(1 - 0.05 ** (1 / 30), rel=1e-12)
    assert nobody.lower_one_sided == 0


@given(n=st.integers(1, 400), data=st.data())
def test_each_bound_is_the_rate_at_which_its_tail_test_has_exactly_its_level(n, data):
    x = data.draw(st.integers(0, n))
    low, high = clopper_pearson(x, n)
    if x > 0:
        assert stats.binom.sf(x - 1, n, low) == pytest.approx(0.025, rel=1e-8)
    if x < n:
        assert stats.binom.cdf(x, n, high) == pytest.approx(0.025, rel=1e-8)
    # having it and not having it are mirror images
    mirrored = clopper_pearson(n - x, n)
    assert (1 - high, 1 - low) == pytest.approx(mirrored, rel=1e-9, abs=1e-14)


@given(n=st.integers(1, 5000))
def test_the_rule_of_three_lies_above_the_exact_bound_and_near_it_for_large_n(n):
    exact = clopper_pearson(0, n, sides="upper")[1]
    assert rule_of_three(n) > exact or n < 3
    if n >= 100:
        assert rule_of_three(n) == pytest.approx(exact, rel=0.02)


def test_people_needed_and_chance_of_missing():
    assert [n_to_see_one_event(rate) for rate in (0.05, 0.02, 0.01)] == [59, 149, 299]
    assert [round(probability_of_missing(rate, 30), 3) for rate in (0.05, 0.02, 0.01)] == [0.215, 0.545, 0.740]


@given(rate=st.floats(1e-5, 0.9), probability=st.floats(0.01, 0.999))
def test_n_to_see_one_event_is_the_smallest(rate, probability):
    n = n_to_see_one_event(rate, probability=probability)
    assert 1 - probability_of_missing(rate, n) >= probability
    assert n == 1 or 1 - probability_of_missing(rate, n - 1) < probability


def test_agrees_with_r_binom_test(shared):
    # Both invert the same beta quantiles; 1e-9 leaves room for the two quantile routines.
    for case in json.loads(shared("stats/misc_expected.json").read_text())["clopper"]:
        assert clopper_pearson(case["x"], case["n"]) == pytest.approx(case["two"], rel=1e-9)
        assert clopper_pearson(case["x"], case["n"], sides="upper") == pytest.approx(case["one_upper"], rel=1e-9)


def test_refuses_events_beyond_people_and_percentages():
    with pytest.raises(InputError, match="count people, not events"):
        clopper_pearson(31, 30)
    with pytest.raises(InputError, match="n_treated must be a whole number above 0, got 0"):
        clopper_pearson(0, 0)
    with pytest.raises(InputError, match="level must lie between 0 and 1, got 95"):
        clopper_pearson(0, 30, level=95)
    with pytest.raises(InputError, match="not a percentage"):
        n_to_see_one_event(5)
