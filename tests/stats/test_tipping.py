"""A single arm's tipping point: the model's change without a shift, a straight line in it, p at the limit there."""

import numpy as np
import polars as pl
import pytest

from anagen.errors import InputError, NotEnoughDataError
from anagen.stats import estimate_change, find_tipping_change, fit_mmrm

NAMES = {"response": "y", "subject": "who", "visit": "visit"}


def simulate(n=24, lost=4, rise=4.0):
    rng = np.random.default_rng(5)
    level = rng.normal(120, 20, n)
    y = level[:, None] + rng.normal(0, 4, (n, 3)) + [0, rise / 2, rise]
    y[:lost, 2] = np.nan
    visits = ["baseline", "week 4", "week 12"]
    rows = {"who": np.repeat(np.arange(n), 3), "visit": visits * n, "y": y.ravel()}
    return pl.DataFrame(rows).with_columns(pl.col("y").fill_nan(None))


def tip(table, **options):
    kept = {"baseline": "baseline", "at_visit": "week 12", "deltas": np.linspace(-80, 80, 33), **NAMES}
    return find_tipping_change(table, **(kept | options))


def test_without_a_shift_it_is_the_change_of_the_mixed_model():
    table = simulate()
    found = tip(table, deltas=[0.0, 1.0])
    visits = pl.Enum(["baseline", "week 4", "week 12"])
    model = fit_mmrm(table.drop_nulls().with_columns(pl.col("visit").cast(visits)), fixed="visit", **NAMES)
    assert found.curve["estimate"][0] == pytest.approx(model.contrasts(of="visit")["estimate"][1], rel=1e-9)


def test_a_shift_moves_the_change_by_the_share_of_people_without_a_value():
    curve = tip(simulate(), deltas=[0.0, 6.0]).curve
    assert curve["estimate"][1] - curve["estimate"][0] == pytest.approx(6.0 * 4 / 24, rel=1e-9)


def test_p_is_at_the_limit_where_it_tips():
    found = tip(simulate())
    assert found.delta < 0
    assert found.p_value == pytest.approx(0.05, abs=1e-8)
    assert found.curve.height == 33


def test_the_nearest_of_two_tipping_points_is_given():
    found = tip(simulate(rise=0.3), deltas=np.linspace(-200, 200, 41))
    signs = np.sign(found.curve["p_value"].to_numpy() - 0.05)
    assert np.count_nonzero(np.diff(signs)) == 2
    assert abs(found.delta) < 100


def test_nobody_missing_has_no_tipping_point_and_the_jackknife_interval_is_near_the_t_interval():
    table = simulate(lost=0)
    found = tip(table)
    assert np.isnan(found.delta)
    wide = table.pivot(on="visit", index="who", values="y")
    change = estimate_change(wide["baseline"].to_numpy(), wide["week 12"].to_numpy(), unit="1").mean_change
    row = found.curve.row(0, named=True)
    assert row["estimate"] == pytest.approx(change.value, rel=1e-9)
    assert row["std_error"] == pytest.approx((change.ci_high - change.ci_low) / 2 / 2.0687, rel=1e-3)


def test_refuses_an_unknown_visit_and_too_few_people():
    with pytest.raises(InputError, match="visit has no 'week 24'"):
        tip(simulate(), at_visit="week 24")
    with pytest.raises(NotEnoughDataError, match="at least 4 people"):
        tip(simulate(n=3, lost=1))
