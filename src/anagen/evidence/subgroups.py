"""Pooled effects within groups of studies, and whether the groups differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy import stats

from anagen.errors import InputError, NotEnoughDataError
from anagen.evidence.meta_regression import check_effects
from anagen.evidence.pool import PooledEffect, pool_effects


@dataclass(frozen=True, slots=True)
class Subgroups:
    """One pooled effect a group, and the test of their difference.

    Parameters
    ----------
    pooled : dict of str to PooledEffect
        In order of first appearance.
    q_between, df, p_value : float, int, float
        Sum over groups of (mu_g - mu)^2 / se_g^2 against chi-square, each group with its own tau2.
    """

    pooled: dict[str, PooledEffect]
    q_between: float
    df: int
    p_value: float

    def table(self) -> pl.DataFrame:
        """One row a group: group, n_studies, estimate, std_error, ci_low, ci_high, tau2, i2."""
        fields = ("n_studies", "estimate", "std_error", "ci_low", "ci_high", "tau2", "i2")
        rows = [{"group": name, **{field: getattr(p, field) for field in fields}} for name, p in self.pooled.items()]
        return pl.DataFrame(rows)


def pool_subgroups(
    effects: ArrayLike,
    variances: ArrayLike,
    groups: Sequence[str],
    *,
    method: str = "reml",
    knapp_hartung: bool | Literal["adhoc"] = True,
    level: float = 0.95,
) -> Subgroups:
    """Pool within each group with its own between-study variance, and test whether the groups differ.

    Parameters
    ----------
    effects, variances : array_like, shape (k,)
        Effects and sampling variances.
    groups : sequence of str, length k
        Group of each study.
    method, knapp_hartung, level
        As in `pool_effects`.

    Returns
    -------
    Subgroups

    References
    ----------
    Borenstein M, Higgins JPT. Prev Sci 2013;14:134.

    Examples
    --------
    >>> found = pool_subgroups([1.0, 1.2, 3.0, 3.2], [0.1] * 4, ["a", "a", "b", "b"], knapp_hartung=False)
    >>> round(found.q_between, 1), found.df
    (40.0, 1)
    """
    y, v = check_effects(effects, variances)
    labels = [str(group) for group in groups]
    if len(labels) != len(y):
        raise InputError(f"groups must name one group a study: {len(y)} studies, {len(labels)} groups")
    names = list(dict.fromkeys(labels))
    if len(names) < 2:
        raise NotEnoughDataError(f"subgroups need at least two groups, got {names}")
    pooled = {}
    for name in names:
        member = np.array([label == name for label in labels])
        pooled[name] = pool_effects(y[member], v[member], method=method, knapp_hartung=knapp_hartung, level=level)
    plain = [
        pool_effects(y[np.array(labels) == name], v[np.array(labels) == name], method=method, knapp_hartung=False)
        for name in names
    ]
    mu, w = np.array([p.estimate for p in plain]), np.array([p.std_error**-2 for p in plain])
    q = float(w @ (mu - (w @ mu) / np.sum(w)) ** 2)
    df = len(names) - 1
    return Subgroups(pooled, q, df, float(stats.chi2.sf(q, df)) if math.isfinite(q) else math.nan)
