import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagen.errors import InputError, NotEnoughDataError
from anagen.stats import sign_test


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40))
def test_p_is_the_binomial_tail_and_mirrors(changes):
    found, mirrored = sign_test(changes), sign_test([-change for change in changes])
    n, k = found.n_up + found.n_down, max(found.n_up, found.n_down)
    tail = sum(math.comb(n, j) for j in range(k, n + 1)) / 2**n
    assert found.share_up.p_value == pytest.approx(min(1.0, 2 * tail), rel=1e-12)
    assert (mirrored.n_up, mirrored.n_down) == (found.n_down, found.n_up)
    assert mirrored.share_up.p_value == pytest.approx(found.share_up.p_value, rel=1e-12)


def test_nobody_changed():
    still = sign_test([0, 0, np.nan])
    assert (still.n_zero, still.n_missing, still.share_up.p_value) == (2, 1, 1.0)
    assert math.isnan(still.share_up.value)


def test_agrees_with_r_binom_test(shared):
    scores = pl.read_csv(shared("stats/satisfaction_sim.csv"))
    expected = json.loads(shared("stats/misc_expected.json").read_text())["wilcoxon"]["sign_p"]
    assert sign_test((scores["wk12"] - scores["wk4"]).to_numpy()).share_up.p_value == pytest.approx(expected, rel=1e-12)


def test_refuses_nothing_and_infinities():
    with pytest.raises(NotEnoughDataError, match="nobody has a change"):
        sign_test([np.nan])
    with pytest.raises(InputError, match="one finite value a person"):
        sign_test([np.inf])
