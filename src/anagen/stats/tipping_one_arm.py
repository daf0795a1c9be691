"""How far missing values of a single arm must lie from what is expected before its change is judged otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anagen.errors import InputError, NotEnoughDataError
from anagen.stats.design import read_table
from anagen.stats.impute_pool import Pooled, pool_jackknife
from anagen.stats.mmrm import fit_mmrm
from anagen.stats.tipping import TippingPoint, search_tipping_point

Floats = NDArray[np.float64]
MIN_PEOPLE = 4


def find_tipping_change(
    table: object,
    *,
    response: str,
    subject: str,
    visit: str,
    baseline: Any,
    at_visit: Any,
    deltas: Floats | list[float],
    p_limit: float = 0.05,
    covariance: str = "us",
    level: float = 0.95,
) -> TippingPoint:
    """Shift the values that are missing at a visit until the mean change from baseline is judged otherwise.

    Missing values are the conditional means of a mixed model of all visits (missing at random), so that without a shift
    the mean change is the model's; a shift of delta moves it by delta times the share of people without a value.
    Intervals are of the jackknife: everything is fitted anew without each person.

    Parameters
    ----------
    table : table
        One row a person and visit; rows with a missing response may be left out.
    response, subject, visit : str
        Names of columns.
    baseline, at_visit : object
        The two visits compared.
    deltas : array-like
        Grid of shifts, in units of the response; the tipping point is solved for between two of its points.
    p_limit : float
        Two-sided significance level.
    covariance : str
        Of the mixed model.
    level : float
        Level of the intervals.

    Returns
    -------
    TippingPoint
        With delta NaN where no shift within the grid changes the judgement, or nobody misses the visit.

    Raises
    ------
    InputError
        When a visit is not in the table.
    NotEnoughDataError
        With fewer than four people.

    References
    ----------
    Ratitch, O'Kelly, Tosiello (2013), Pharm Stat 12:337 (delta adjustment). Wolbers et al. (2022), Pharm Stat 21:1246
    (conditional means, jackknife).
    """
    frame = read_table(table).drop_nulls(response)
    visits = frame[visit].unique(maintain_order=True).to_list()
    for name in (baseline, at_visit):
        if name not in visits:
            raise InputError(f"{visit} has no {name!r}: it has {', '.join(map(str, visits))}")
    people = frame[subject].unique(maintain_order=True).to_list()
    if len(people) < MIN_PEOPLE:
        raise NotEnoughDataError(f"a tipping point needs at least {MIN_PEOPLE} people, got {len(people)}")
    seen = set(frame.filter(pl.col(visit) == at_visit)[subject].to_list())
    order = [baseline, *(name for name in visits if name != baseline)]
    names = {"response": response, "subject": subject, "visit": visit, "covariance": covariance}

    def change_without(person: object) -> tuple[float, float]:
        left = [p for p in people if p != person]
        rows = frame if person is None else frame.filter(pl.col(subject) != person)
        return _model_change(rows, order, at_visit, names), np.mean([p not in seen for p in left]).item()

    base, slope = np.array([change_without(person) for person in (None, *people)]).T

    def pool(delta: float) -> Pooled:
        values = base + delta * slope
        return pool_jackknife(values[:1], values[1:, None])

    grid = np.sort(np.asarray(deltas, dtype=float))
    return search_tipping_point(grid, pool, p_limit=p_limit, level=level)


def _model_change(rows: pl.DataFrame, order: list[Any], at_visit: Any, names: dict[str, str]) -> float:
    visit = names["visit"]
    table = rows.with_columns(pl.col(visit).cast(pl.String).cast(pl.Enum([str(name) for name in order])))
    fit = fit_mmrm(table, fixed=visit, df="residual", **names)  # type: ignore[arg-type]
    changes = fit.contrasts(of=visit)["estimate"].to_list()
    return float(changes[order.index(at_visit) - 1])
