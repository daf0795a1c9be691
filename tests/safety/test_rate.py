import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anagen.errors import InputError
from anagen.safety import estimate_event_rate


def test_none_in_a_hundred_years_excludes_what_would_have_been_seen():
    rate = estimate_event_rate(0, 100, n_people=200, per_person_years=100)
    assert rate.value == 0
    assert rate.ci_low == 0
    assert rate.ci_high == pytest.approx(3.688879454, rel=1e-9)  # -ln 0.025
    assert rate.unit == "events/100 person-years"


@given(n=st.integers(0, 500), years=st.floats(0.01, 1e4))
def test_bounds_are_exact_tails_and_scale_with_the_exposure(n, years):
    rate = estimate_event_rate(n, years, n_people=10)
    assert stats.poisson.cdf(n, rate.ci_high * years) == pytest.approx(0.025, rel=1e-8)
    if n:
        assert stats.poisson.sf(n - 1, rate.ci_low * years) == pytest.approx(0.025, rel=1e-8)
    doubled = estimate_event_rate(n, 2 * years, n_people=10)
    assert doubled.ci_high == pytest.approx(rate.ci_high / 2, rel=1e-12)


def test_refuses_no_time_at_risk():
    with pytest.raises(InputError, match="exposure_person_years must be above 0, got 0"):
        estimate_event_rate(1, 0, n_people=1)
    with pytest.raises(InputError, match="n_events must be a whole number from 0, got -1"):
        estimate_event_rate(-1, 2, n_people=1)
    with pytest.raises(InputError, match="not a percentage"):
        estimate_event_rate(1, 2, n_people=1, level=95)
