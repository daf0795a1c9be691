import itertools
import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from anagen.errors import InputError, NotEnoughDataError
from anagen.stats import signed_rank_test
from anagen.stats.signed_rank import _exact_p, _normal_p, _rank_biserial_without_each, _signed_ranks

SCORES = st.lists(st.integers(-4, 4), min_size=1, max_size=10)


def enumerate_p(changes, zeros):
    """Two-sided p by going through every assignment of signs."""
    d = np.asarray(changes, float)
    kept = d[d != 0] if zeros == "wilcox" else d
    ranks, signs = stats.rankdata(np.abs(kept))[kept != 0], np.sign(kept[kept != 0])
    seen = abs(ranks @ signs)
    sums = [abs(ranks @ np.array(flip)) for flip in itertools.product([-1, 1], repeat=len(ranks))]
    return np.mean([total >= seen - 1e-9 for total in sums])


@given(SCORES, st.sampled_from(["wilcox", "pratt"]))
def test_p_is_that_of_every_assignment_of_signs(changes, zeros):
    assert signed_rank_test(changes, zeros=zeros).p_value == pytest.approx(enumerate_p(changes, zeros), rel=1e-12)


@given(SCORES, st.integers(1, 50))
def test_mirror_and_scale(changes, factor):
    d = np.asarray(changes, float)
    found, mirrored = signed_rank_test(d), signed_rank_test(-factor * d)
    assert mirrored.p_value == pytest.approx(found.p_value, rel=1e-12)
    assert (mirrored.w_plus, mirrored.w_minus) == (found.w_minus, found.w_plus)
    assert mirrored.shift.value == pytest.approx(-factor * found.shift.value)


def test_without_ties_it_is_scipys_exact_test():
    rng = np.random.default_rng(5)
    for n in (6, 15, 40):
        d = rng.normal(0.3, 1, n)
        assert signed_rank_test(d).p_value == pytest.approx(stats.wilcoxon(d, method="exact").pvalue, rel=1e-10)


def test_without_ties_the_interval_holds_the_shifts_that_are_not_rejected():
    d = np.random.default_rng(6).normal(0.5, 1, 25)
    shift = signed_rank_test(d).shift
    inside, outside = 1e-7, -1e-7
    for end, sign in ((shift.ci_low, 1), (shift.ci_high, -1)):
        assert signed_rank_test(d - (end + sign * inside)).p_value > 0.05
        assert signed_rank_test(d - (end + sign * outside)).p_value <= 0.05


def test_changes_that_differ_by_rounding_alone_are_tied():
    assert (
        signed_rank_test([0.3 - 0.1, 0.2, 1.2 - 1.0, -0.2, 1.1 - 0.9]).p_value
        == signed_rank_test([2, 2, 2, -2, 2]).p_value
    )
    assert signed_rank_test([0.1 + 0.2 - 0.3, 1.0, 2.0]).n_zero == 1


def test_depression_scale_of_hollander_and_wolfe():
    # Their example 3.1; p, shift and interval as printed by R's wilcox.test(paired = TRUE, conf.int = TRUE).
    first = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    second = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    found = signed_rank_test(first - second)
    assert (found.w_plus, found.p_value) == (40, 0.0390625)
    assert (found.shift.value, found.shift.ci_low, found.shift.ci_high) == pytest.approx((0.46, 0.010, 0.786), abs=1e-9)


def test_above_the_exact_limit_the_normal_p_is_close():
    rng = np.random.default_rng(8)
    ranks = stats.rankdata(rng.integers(1, 30, 500))
    w = float(ranks[rng.random(500) < 0.55].sum())
    assert _normal_p(ranks, w) == pytest.approx(_exact_p(ranks, w), abs=1e-4)
    assert signed_rank_test(rng.normal(0.1, 1, 900)).method == "signed rank, normal, zeros wilcox"


@settings(max_examples=30)
@given(st.lists(st.integers(-4, 4), min_size=4, max_size=12), st.sampled_from(["wilcox", "pratt"]))
def test_jackknife_in_closed_form_is_leaving_each_person_out(changes, zeros):
    d = np.asarray(changes, float)
    ranks, signs = _signed_ranks(d, zeros)
    if np.count_nonzero(signs) < 3:
        return
    kept = d[d != 0] if zeros == "wilcox" else d
    slow = [signed_rank_test(np.delete(kept, i), zeros=zeros).rank_biserial.value for i in range(len(kept))]
    assert _rank_biserial_without_each(ranks, signs) == pytest.approx(slow, rel=1e-10, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.0, 0.4])
def test_rank_biserial_interval_covers_with_many_zeros(effect):
    rng = np.random.default_rng(4)

    def scores(n):
        return np.where(rng.random(n) < 0.5, 0, np.rint(1.2 * rng.normal(effect, 1, n)))

    ranks, signs = _signed_ranks(scores(200_000), "wilcox")
    truth = ranks @ signs / ranks.sum()
    intervals = [signed_rank_test(scores(40)).rank_biserial for _ in range(1000)]
    covered = np.mean([interval.ci_low <= truth <= interval.ci_high for interval in intervals])
    assert covered > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 1000)


def test_few_changes_and_none():
    none = signed_rank_test([0, 0, 0, 0])
    assert none.p_value == 1
    assert math.isnan(none.rank_biserial.value)
    few = signed_rank_test([1, 2, 3, 4, 5])
    assert math.isnan(few.shift.ci_low)
    assert few.flags[0].code == "few-changes"
    assert few.p_value == 0.0625
    assert few.flags[1].message == "5 people changed, all in one direction"
    assert signed_rank_test([1, np.nan, 2]).n_missing == 1
    mostly_still = signed_rank_test([0] * 20 + [1, 2])
    assert "no p-value can fall below 0.5" in mostly_still.flags[0].message


def test_agrees_with_r_coin_where_scipy_does_not(shared):
    scores = pl.read_csv(shared("stats/satisfaction_sim.csv"))
    expected = json.loads(shared("stats/misc_expected.json").read_text())["wilcoxon"]
    changes = (scores["wk12"] - scores["wk4"]).to_numpy()
    for zeros, key in (("wilcox", "wilcoxon_exact"), ("pratt", "pratt_exact")):
        # Both are sums of 2^-11: equal to the last digit.
        assert signed_rank_test(changes, zeros=zeros).p_value == pytest.approx(expected[key]["p"], rel=1e-14)
    found = signed_rank_test(changes)
    assert (found.n_zero, found.w_plus) == (expected["n_zero"], expected["V"])
    # Closed formulas: rounding only. R's wilcox.test gives p_norm, with continuity correction p_norm_cc.
    for zeros, key in (("wilcox", "wilcoxon_asym"), ("pratt", "pratt_asym")):
        normal = signed_rank_test(changes, zeros=zeros, distribution="normal")
        assert (normal.z, normal.p_value) == pytest.approx((expected[key]["z"], expected[key]["p"]), rel=1e-12)
    assert signed_rank_test(changes, distribution="normal").p_value == pytest.approx(expected["p_norm"], rel=1e-12)
    corrected = signed_rank_test(changes, distribution="normal-corrected")
    assert corrected.p_value == pytest.approx(expected["p_norm_cc"], rel=1e-12)
    # R's hl_est is 0 up to the tolerance of its root finder.
    assert found.shift.value == pytest.approx(expected["hl_est"], abs=1e-4)
    assert found.rank_biserial.value == pytest.approx(expected["rank_biserial"][0]["r_rank_biserial"], rel=1e-12)
    # R's interval ignores that 19 of 30 did not change; ours is wider (docs/methods/signed_rank.md).
    theirs = expected["rank_biserial"][0]
    n = len(changes)
    error = math.sqrt(n * (n + 1) * (2 * n + 1) / 6) / (n * (n + 1) / 2)
    assert math.tanh(math.atanh(1 / 3) + stats.norm.isf(0.025) * error) == pytest.approx(theirs["CI_high"], rel=1e-9)
    assert found.rank_biserial.ci_low < theirs["CI_low"]
    # Why this function exists: the day scipy is right, it fails and may go.
    assert stats.wilcoxon(changes, method="exact").pvalue != pytest.approx(expected["wilcoxon_exact"]["p"], rel=0.01)


def test_refuses_nothing_and_infinities():
    with pytest.raises(NotEnoughDataError, match="nobody has a change"):
        signed_rank_test([np.nan])
    with pytest.raises(InputError, match="one finite value a person"):
        signed_rank_test([1, np.inf])
    with pytest.raises(InputError, match='zeros must be "wilcox" or "pratt"'):
        signed_rank_test([1], zeros="split")
    with pytest.raises(InputError, match="distribution must be one of auto"):
        signed_rank_test([1], distribution="asymptotic")
    with pytest.raises(InputError, match="use estimate_change"):
        signed_rank_test(np.ones(10_001))
