import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagen.errors import InputError, NotEnoughDataError
from anagen.stats import small_sample_factor, standardise_by_baseline_sd, standardise_by_change_sd


def test_small_sample_factor_is_near_its_usual_approximation():
    for df in (5, 29, 1000):
        assert small_sample_factor(df) == pytest.approx(1 - 3 / (4 * df - 1), abs=2e-3)


@settings(max_examples=15)
@given(mean=st.floats(-50, 50), sd=st.floats(1, 40), n=st.integers(3, 200), factor=st.floats(0.1, 100))
def test_unit_does_not_matter_and_sign_mirrors(mean, sd, n, factor):
    change = standardise_by_change_sd(mean, sd, n).estimate
    scaled = standardise_by_change_sd(-mean * factor, sd * factor, n).estimate
    assert (scaled.value, scaled.ci_low, scaled.ci_high) == pytest.approx(
        (-change.value, -change.ci_high, -change.ci_low), rel=1e-6, abs=1e-8
    )


@pytest.mark.slow
def test_exact_interval_covers_at_its_level():
    rng = np.random.default_rng(20250101)
    hits = 0
    for _ in range(2000):
        sample = rng.normal(0.6, 1, 10)
        estimate = standardise_by_change_sd(sample.mean(), sample.std(ddof=1), 10).estimate
        j = small_sample_factor(9)
        hits += estimate.ci_low <= 0.6 * j <= estimate.ci_high
    assert abs(hits / 2000 - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 2000)


def test_agrees_with_metafor(shared):
    # Closed formulas on both sides: 1e-12 is rounding.
    expected = json.loads(shared("stats/meta_expected.json").read_text())["prepost"]
    for k, t in enumerate(expected["T"]):
        mean, pre, post, r, n = t["m_post"] - t["m_pre"], t["sd_pre"], t["sd_post"], t["ri"], t["ni"]
        sd = math.sqrt(pre**2 + post**2 - 2 * r * pre * post)
        by_change, by_baseline = standardise_by_change_sd(mean, sd, n), standardise_by_baseline_sd(mean, pre, r, n)
        for name, found in (("SMCC", by_change), ("SMCR", by_baseline)):
            assert found.estimate.value == pytest.approx(expected["treat"][name]["yi"][k], rel=1e-12)
            assert found.variance == pytest.approx(expected["treat"][name]["vi"][k], rel=1e-12)


def test_refuses_what_cannot_be_standardised():
    with pytest.raises(InputError, match="sd_change must be above 0, got 0"):
        standardise_by_change_sd(1, 0, 30)
    with pytest.raises(InputError, match="correlation must lie between -1 and 1, got 1"):
        standardise_by_baseline_sd(1, 1, 1.2, 30)
    with pytest.raises(NotEnoughDataError, match="at least 3 people, got 2"):
        standardise_by_change_sd(1, 1, 2)
    with pytest.raises(NotEnoughDataError, match="more than 1 degree of freedom"):
        small_sample_factor(1)
