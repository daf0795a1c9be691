import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from anagen.errors import InputError
from anagen.stats.noncentral_t import noncentral_t_cdf, noncentrality_interval

# scipy's own error near the centre is about 1e-11; the integral's is smaller.
TOLERANCE = 1e-9


@given(tenths=st.integers(-600, 600), df=st.floats(1, 1e5))
def test_without_noncentrality_it_is_students_t(tenths, df):
    # Tenths, because scipy's stdtr returns 0.5 for |t| below 1e-9, where 0.5 + t/pi is right.
    t = tenths / 10
    assert noncentral_t_cdf(t, df, 0.0) == pytest.approx(special.stdtr(df, t), abs=1e-12)


@given(t=st.floats(-20, 20), df=st.floats(1, 1e5), delta=st.floats(-20, 20))
def test_mirror_image(t, df, delta):
    assert noncentral_t_cdf(t, df, delta) == pytest.approx(1 - noncentral_t_cdf(-t, df, -delta), abs=1e-12)


def test_at_zero_it_is_the_normal_tail():
    for delta in (-3.0, 0.5, 8.0):
        assert noncentral_t_cdf(0.0, 7, delta) == pytest.approx(stats.norm.cdf(-delta), abs=1e-14)


@pytest.mark.parametrize("df", [3.0, 9.0, 29.0, 204.0])
@pytest.mark.parametrize("delta", [0.3, 2.0, 3.3])
def test_agrees_with_scipy_where_scipy_gives_a_number(df, delta):
    for t in np.linspace(0.1, 6, 7):
        assert noncentral_t_cdf(t, df, delta) == pytest.approx(stats.nct.cdf(t, df, delta), abs=TOLERANCE)


def test_the_far_lower_tail_is_a_number():
    assert 0 <= noncentral_t_cdf(-1.96, 1998, 11.18) < 1e-30
    assert noncentral_t_cdf(1000.0, 29, 1002.0) == pytest.approx(0.459032496, abs=1e-8)


@settings(max_examples=30)
@given(t=st.floats(-30, 30), df=st.integers(2, 500))
def test_interval_inverts_both_tails(t, df):
    low, high = noncentrality_interval(t, df)
    assert low < t < high or math.isclose(low, t, abs_tol=3) or low < high
    assert noncentral_t_cdf(t, df, low) == pytest.approx(0.975, abs=1e-9)
    assert noncentral_t_cdf(t, df, high) == pytest.approx(0.025, abs=1e-9)


def test_refuses_no_degrees_of_freedom():
    with pytest.raises(InputError, match="df > 0"):
        noncentral_t_cdf(1, 0, 1)
