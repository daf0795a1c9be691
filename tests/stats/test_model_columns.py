"""Design columns: the quick way gives what formulaic gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagen.errors import InputError
from anagen.stats.model_columns import _as_pandas, _formulaic_matrix, plan_columns, read_formula, recode_to_sums

FACTORS = {"arm": ("a", "b", "c"), "visit": ("v1", "v2"), "site": (1, 2, 5)}


def made_up_rows(seed=0, n=30):
    rng = np.random.default_rng(seed)
    codes = {name: rng.integers(0, len(levels), n) for name, levels in FACTORS.items()}
    return n, codes, {"x": rng.normal(size=n), "z": rng.normal(size=n)}


@settings(max_examples=25, deadline=None)
@given(
    terms=st.lists(
        st.lists(st.sampled_from(["arm", "visit", "C(site)", "x", "z"]), min_size=1, max_size=3, unique=True).map(
            ":".join
        ),
        min_size=1,
        max_size=4,
        unique=True,
    ),
    intercept=st.booleans(),
)
def test_products_are_formulaics_matrix(terms, intercept):
    fixed = " + ".join(["1" if intercept else "0", *terms])
    n, codes, numbers = made_up_rows()
    columns, X = plan_columns(fixed, n, codes, FACTORS, numbers)
    spec, expected = _formulaic_matrix(fixed, _as_pandas(n, codes, FACTORS, numbers))
    assert columns.products is not None
    assert list(columns.names) == list(spec.column_names)
    assert np.array_equal(X, expected)


def test_functions_are_left_to_formulaic():
    n, codes, numbers = made_up_rows()
    columns, X = plan_columns("arm + center(x) + I(x ** 2)", n, codes, FACTORS, numbers)
    assert columns.products is None
    assert X[:, 3].mean() == pytest.approx(0, abs=1e-12)
    one = columns.compute(1, {name: c[:1] for name, c in codes.items()}, {name: v[:1] for name, v in numbers.items()})
    assert one[0] == pytest.approx(X[0])


def test_names_are_r_treatment_coding():
    n, codes, numbers = made_up_rows()
    columns, _ = plan_columns("arm * visit", n, codes, FACTORS, numbers)
    assert columns.names[:3] == ("Intercept", "arm[T.b]", "arm[T.c]")
    assert columns.terms["arm:visit"] == (4, 5)


def test_sum_coding_keeps_the_terms():
    assert recode_to_sums("arm * x", FACTORS) == "1 + C(arm, contr.sum) + x + C(arm, contr.sum):x"


def test_no_formula_is_refused():
    with pytest.raises(InputError, match="right-hand side only"):
        read_formula("y ~ x")
    with pytest.raises(InputError, match="is not a formula"):
        read_formula("x +* z")
