import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagen.errors import InputError
from anagen.stats import adjust_p, adjust_p_graph

P = st.lists(st.floats(0, 1), min_size=1, max_size=6)
METHODS = ("holm", "hochberg", "hommel", "bh", "by", "bonferroni", "fixed-sequence")


def close_by_simes(p):
    """Hommel by its definition: the largest Simes p of all intersections that hold the hypothesis."""
    m, adjusted = len(p), np.zeros(len(p))
    for size in range(1, m + 1):
        for members in itertools.combinations(range(m), size):
            simes = min(size * value / rank for rank, value in enumerate(sorted(p[list(members)]), start=1))
            adjusted[list(members)] = np.maximum(adjusted[list(members)], min(simes, 1.0))
    return adjusted


def close_by_graph(p, weights, transitions):
    """The graphical procedure by its definition: weighted Bonferroni in all intersections."""
    m, adjusted = len(p), np.zeros(len(p))
    for size in range(1, m + 1):
        for members in itertools.combinations(range(m), size):
            w, g, waiting = np.array(weights, float), np.array(transitions, float), set(range(m))
            for j in set(range(m)) - set(members):
                new_w, new_g = w.copy(), np.zeros_like(g)
                waiting.remove(j)
                for k in waiting:
                    new_w[k] = w[k] + w[j] * g[j, k]
                    for q in waiting - {k}:
                        loop = g[k, j] * g[j, k]
                        new_g[k, q] = (g[k, q] + g[k, j] * g[j, q]) / (1 - loop) if loop < 1 else 0.0
                w, g = new_w, new_g
            test = min((p[k] / w[k] if w[k] > 0 else (np.inf)) for k in members)
            adjusted[list(members)] = np.maximum(adjusted[list(members)], min(test, 1.0))
    return adjusted


@given(P)
def test_hommel_is_the_closed_simes_test(p):
    assert adjust_p(p, "hommel") == pytest.approx(close_by_simes(np.array(p)), rel=1e-10, abs=1e-12)


@given(P, st.sampled_from(METHODS[:-1]), st.randoms())
def test_the_order_of_the_hypotheses_does_not_matter(p, method, random):
    order = list(range(len(p)))
    random.shuffle(order)
    assert adjust_p(np.array(p)[order], method) == pytest.approx(adjust_p(p, method)[order], rel=1e-12)


@given(P)
def test_stronger_procedures_give_no_larger_p(p):
    found = {method: adjust_p(p, method) for method in METHODS}
    slack = 1 + 1e-12
    for smaller, larger in itertools.pairwise(["bh", "hommel", "hochberg", "holm", "bonferroni"]):
        assert (found[smaller] <= found[larger] * slack).all()
    assert all((value >= np.array(p) / slack).all() for value in found.values())


@given(P)
def test_graphs_of_known_procedures(p):
    m = len(p)
    complete = (np.ones((m, m)) - np.eye(m)) / max(m - 1, 1)
    assert adjust_p_graph(p, np.full(m, 1 / m), complete) == pytest.approx(adjust_p(p, "holm"), rel=1e-9)
    assert adjust_p_graph(p, np.full(m, 1 / m), np.zeros((m, m))) == pytest.approx(adjust_p(p, "bonferroni"), rel=1e-9)
    assert adjust_p_graph(p, np.eye(m)[0], np.eye(m, k=1)) == pytest.approx(adjust_p(p, "fixed-sequence"), rel=1e-9)


@given(st.lists(st.floats(0.0001, 1), min_size=4, max_size=4))
def test_graph_is_the_closed_weighted_bonferroni_test(p):
    # Two primary, two secondary hypotheses: a parallel gatekeeper.
    weights = [0.5, 0.5, 0, 0]
    transitions = [[0, 0.5, 0.5, 0], [0.5, 0, 0, 0.5], [0, 1, 0, 0], [1, 0, 0, 0]]
    expected = close_by_graph(np.array(p), weights, transitions)
    assert adjust_p_graph(p, weights, transitions) == pytest.approx(expected, rel=1e-9)


def test_agrees_with_r_p_adjust(shared):
    expected = json.loads(shared("stats/misc_expected.json").read_text())["padjust"]
    for method, key in (("holm", "holm"), ("hochberg", "hochberg"), ("hommel", "hommel"), ("bh", "BH"), ("by", "BY")):
        assert adjust_p(expected["raw"], method) == pytest.approx(expected[key], rel=1e-12)
    assert adjust_p(expected["raw"], "bonferroni") == pytest.approx(expected["bonferroni"], rel=1e-12)


def test_nothing_to_adjust_and_nonsense():
    assert adjust_p([]).shape == (0,)
    with pytest.raises(InputError, match="numbers from 0 to 1 without gaps"):
        adjust_p([0.1, np.nan])
    with pytest.raises(InputError, match="method must be one of holm"):
        adjust_p([0.1], "sidak")
    with pytest.raises(InputError, match="weights must be 2 shares"):
        adjust_p_graph([0.1, 0.2], [0.7, 0.7], np.zeros((2, 2)))
    with pytest.raises(InputError, match="0 on the diagonal"):
        adjust_p_graph([0.1, 0.2], [0.5, 0.5], np.eye(2))
