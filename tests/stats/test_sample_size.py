import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagen.errors import InputError, NotEnoughDataError
from anagen.stats import (
    estimate_ancova,
    n_ancova,
    n_one_group,
    n_two_groups,
    power_ancova,
    power_one_group,
    power_two_groups,
    split_scalp_sd,
)


def ceilings(values):
    return [math.ceil(value) for value in values]


def test_table_of_the_trial_that_would_answer_the_question():
    # SD of change 22 (middle of two minoxidil trials); rows: difference in hairs/cm2; 80 and 90 %.
    parallel = {5: [305, 408], 7.5: [137, 182], 10: [77, 103], 15: [35, 47]}
    for difference, expected in parallel.items():
        assert ceilings(n_two_groups(difference, 22, power=power) for power in (0.8, 0.9)) == expected
    assert ceilings(n_two_groups(10, sd, power=power) for sd in (20, 25) for power in (0.8, 0.9)) == [64, 86, 100, 133]
    assert ceilings(n_ancova(10, 37.1, 0.85, power=power) for power in (0.8, 0.9)) == [62, 82]
    assert math.ceil(n_ancova(5, 37.1, 0.85)) == 323
    split = {5: [409, 287, 206, 124], 7.5: [183, 129, 93, 57], 10: [104, 74, 53, 33], 15: [48, 34, 25, 16]}
    for difference, expected in split.items():
        assert ceilings(n_one_group(difference, split_scalp_sd(22, rho)) for rho in (0, 0.3, 0.5, 0.7)) == expected


@settings(max_examples=15)
@given(d=st.floats(0.05, 2), power=st.floats(0.1, 0.99))
def test_n_has_the_power_that_was_wanted_and_units_do_not_matter(d, power):
    n = n_two_groups(d, 1.0, power=power)
    if n > 2.1:
        assert power_two_groups(n, d, 1.0) == pytest.approx(power, abs=1e-8)
    assert n_two_groups(-22 * d, 22.0, power=power) == pytest.approx(n, rel=1e-7)
    one = n_one_group(d, 1.0, power=power)
    if one > 2.1:
        assert power_one_group(one, d, 1.0) == pytest.approx(power, abs=1e-8)


def test_ancova_formula_is_what_ancova_does_in_small_groups():
    rng = np.random.default_rng(1)
    n, hits, trials = 10, 0, 1500
    arm = np.arange(2 * n) < n
    for _ in range(trials):
        pre = rng.normal(size=2 * n)
        post = 0.7 * pre + math.sqrt(1 - 0.49) * rng.normal(size=2 * n) + arm
        fit = estimate_ancova(pre, post, arm)
        hits += fit.difference.p_value < 0.05 and fit.difference.value > 0
    expected = power_ancova(n, 1.0, 1.0, 0.7)
    # The formula puts the mean of the baseline's F distance where the mean of the power belongs: allow half a percent.
    assert abs(hits / trials - expected) < 3 * math.sqrt(expected * (1 - expected) / trials) + 0.005


def test_agrees_with_r_power_t_test(shared):
    # power.t.test(delta = 10, sd = 22) and, paired, delta = 0.5, sd = 1. R solves with uniroot's default tolerance,
    # 1.2e-4 of n: 1e-6 is met because its last step is far better.
    expected = json.loads(shared("stats/misc_expected.json").read_text())["power"]
    assert n_two_groups(10, 22) == pytest.approx(expected["two_sample"], rel=1e-6)
    assert n_two_groups(10, 22, power=0.8) == pytest.approx(expected["two_sample_80"], rel=1e-6)
    assert n_one_group(0.5, 1) == pytest.approx(expected["paired"], rel=1e-6)
    assert n_one_group(0.5, 1, power=0.8) == pytest.approx(expected["paired_80"], rel=1e-6)


def test_refuses_what_nobody_can_plan():
    with pytest.raises(InputError, match="difference must not be 0"):
        n_two_groups(0, 22)
    with pytest.raises(InputError, match="sd must be above 0"):
        n_one_group(1, 0)
    with pytest.raises(InputError, match="power must lie between"):
        n_two_groups(10, 22, power=1)
    with pytest.raises(InputError, match="more than 10000000 people"):
        n_one_group(1e-6, 22)
    with pytest.raises(InputError, match="correlation_sides must lie from -1 to below 1"):
        split_scalp_sd(22, 1.0)
    with pytest.raises(InputError, match="correlation must lie between -1 and 1"):
        n_ancova(10, 22, 1.0)
    with pytest.raises(NotEnoughDataError, match="more than 2 people per group"):
        power_ancova(2, 10, 22, 0.5)
    with pytest.raises(NotEnoughDataError, match="a degree of freedom"):
        power_one_group(1, 10, 22)
    with pytest.raises(InputError, match="alpha must lie between 0 and 1"):
        power_one_group(10, 10, 22, alpha=5)
