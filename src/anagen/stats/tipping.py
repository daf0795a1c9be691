"""Search for the shift of missing values at which a conclusion turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import optimize

from anagen.stats.impute_pool import Pooled

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TippingPoint:
    """How far the missing values of an arm must lie from what is expected to overturn a conclusion.

    Parameters
    ----------
    delta : float
        The smallest shift, in either direction, at which p crosses the limit; NaN where none within the grid does.
    p_value : float
        There.
    curve : polars.DataFrame
        delta, estimate, std_error, p_value, ci_low, ci_high over a grid, for a figure.
    """

    delta: float
    p_value: float
    curve: pl.DataFrame


def search_tipping_point(
    grid: Floats, pool: Callable[[float], Pooled], *, p_limit: float, level: float
) -> TippingPoint:
    """Find the smallest shift, in size, at which p crosses the limit, and the curve over a grid.

    Parameters
    ----------
    grid : ndarray
        Shifts in ascending order.
    pool : callable
        Shift to the one pooled estimate.
    p_limit : float
        Two-sided significance level.
    level : float
        Of the intervals.

    Returns
    -------
    TippingPoint
    """
    pooled = [pool(delta) for delta in grid]
    p = np.array([one.p_value().item() for one in pooled])
    curve = pl.DataFrame(
        {
            "delta": grid,
            "estimate": [one.estimate.item() for one in pooled],
            "std_error": [one.std_error.item() for one in pooled],
            "p_value": p,
            "ci_low": [(one.estimate - one.margin(level)).item() for one in pooled],
            "ci_high": [(one.estimate + one.margin(level)).item() for one in pooled],
        }
    )
    crossing = np.flatnonzero(np.diff(np.sign(p - p_limit)) != 0)
    if not len(crossing):
        return TippingPoint(float("nan"), float("nan"), curve)
    deltas = [
        float(optimize.brentq(lambda d: pool(d).p_value().item() - p_limit, grid[i], grid[i + 1], xtol=1e-10))
        for i in crossing
    ]
    delta = min(deltas, key=abs)
    return TippingPoint(delta, pool(delta).p_value().item(), curve)
