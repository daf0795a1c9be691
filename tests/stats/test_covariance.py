"""Covariance structures: known matrices, derivatives, and what they share."""

from __future__ import annotations

import numpy as np
import pytest

from anagen.errors import InputError
from anagen.stats.covariance import STRUCTURES, covariance_structure, is_positive_definite, stack_groups

VISITS = ["a", "b", "c", "d"]
NEAR = np.array([[4.0, 2, 1.2, 0.4], [2, 5, 2.5, 1], [1.2, 2.5, 6, 3], [0.4, 1, 3, 7]])


@pytest.mark.parametrize(
    ("name", "theta", "row"),
    [
        ("ar1", [2, 0.5], [2, 1, 0.5, 0.25]),
        ("ar1h", [1, 4, 9, 16, 0.5], [1, 1, 0.75, 0.5]),
        ("cs", [3, 1], [3, 1, 1, 1]),
        ("csh", [1, 4, 9, 16, 0.5], [1, 1, 1.5, 2]),
        ("toep", [4, 3, 2, 1], [4, 3, 2, 1]),
        ("toeph", [1, 4, 9, 16, 0.5, 0.25, 0.125], [1, 1, 0.75, 0.5]),
        ("ad", [2, 0.5, 0.2, -0.5], [2, 1, 0.2, -0.1]),
        ("adh", [1, 4, 9, 16, 0.5, 0.2, -0.5], [1, 1, 0.3, -0.2]),
    ],
)
def test_first_row_is_as_defined(name, theta, row):
    assert covariance_structure(name, VISITS).derivatives(np.array(theta, float)).sigma[0] == pytest.approx(row)


@pytest.mark.parametrize("groups", [["all"], ["x", "y"]])
@pytest.mark.parametrize("name", STRUCTURES)
def test_derivatives_match_differences(name, groups):
    structure = stack_groups(covariance_structure(name, VISITS), groups)
    near = np.kron(np.eye(len(groups)), NEAR)
    theta = structure.start(near)
    here = structure.derivatives(theta)
    assert len(structure.labels) == len(theta)
    assert is_positive_definite(here.sigma)
    step = 1e-5
    for k, e in enumerate(step * np.eye(len(theta))):
        up, down = structure.derivatives(theta + e), structure.derivatives(theta - e)
        assert here.first[k] == pytest.approx((up.sigma - down.sigma) / (2 * step), abs=1e-8)
        if here.second is not None:
            assert here.second[k] == pytest.approx((up.first - down.first) / (2 * step), abs=1e-7)


def test_a_zero_correlation_keeps_exact_derivatives():
    first = covariance_structure("ad", VISITS).derivatives(np.array([1, 0.0, 0.5, 0.5])).first
    assert first[1, 0, 3] == pytest.approx(0.25)


@pytest.mark.parametrize("name", STRUCTURES)
def test_one_visit_has_one_variance(name):
    structure = covariance_structure(name, ["only"])
    assert structure.derivatives(structure.start(np.array([[4.0]]))).sigma == pytest.approx(np.array([[4.0]]))


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="covariance must be one of us"):
        covariance_structure("vc", VISITS)
