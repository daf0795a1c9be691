"""Does the pooled effect hang on one study: leave-one-out, cumulative, influence and all-subset (GOSH) analyses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from anagen.errors import InputError, NotEnoughDataError
from anagen.evidence.meta_regression import check_effects
from anagen.evidence.pool import PooledEffect, pool_effects

GOSH_SEED: Final = 20240822
"""Draws the subsets when there are too many for all; any fixed number would do."""


def leave_one_out(
    effects: ArrayLike,
    variances: ArrayLike,
    *,
    studies: Sequence[str] | None = None,
    method: str = "reml",
    knapp_hartung: bool | Literal["adhoc"] = True,
    level: float = 0.95,
) -> pl.DataFrame:
    """Pool all studies but one, for each.

    Parameters
    ----------
    effects, variances : array_like, shape (k,)
        At least two studies.
    studies : sequence of str, optional
        Their names.
    method, knapp_hartung, level
        As in `pool_effects`.

    Returns
    -------
    polars.DataFrame
        left_out, estimate, std_error, ci_low, ci_high, p_value, tau2, i2; one row a study.

    Examples
    --------
    >>> leave_one_out([1.0, 2.0, 6.0], [1.0, 1.0, 1.0], method="fixed")["estimate"].to_list()
    [4.0, 3.5, 1.5]
    """
    y, v = check_effects(effects, variances)
    names = _names(studies, len(y))
    if len(y) < 2:
        raise NotEnoughDataError("leaving one of one study out leaves none")
    rows = []
    for i, name in enumerate(names):
        keep = np.arange(len(y)) != i
        pooled = pool_effects(y[keep], v[keep], method=method, knapp_hartung=knapp_hartung, level=level)
        rows.append({"left_out": name, **_row(pooled)})
    return pl.DataFrame(rows)


def cumulate(
    effects: ArrayLike,
    variances: ArrayLike,
    *,
    order: ArrayLike | None = None,
    studies: Sequence[str] | None = None,
    method: str = "reml",
    knapp_hartung: bool | Literal["adhoc"] = True,
    level: float = 0.95,
) -> pl.DataFrame:
    """Pool the first study, the first two, and so on, in the order of `order` (for example the year).

    Parameters
    ----------
    effects, variances : array_like, shape (k,)
        Effects and variances.
    order : array_like, shape (k,), optional
        Sorted by it, ties as given; as given without it.
    studies : sequence of str, optional
        Their names.
    method, knapp_hartung, level
        As in `pool_effects`.

    Returns
    -------
    polars.DataFrame
        added, n_studies, estimate, std_error, ci_low, ci_high, p_value, tau2, i2.

    Examples
    --------
    >>> cumulate([1.0, 3.0], [1.0, 1.0], method="fixed")["estimate"].to_list()
    [1.0, 2.0]
    """
    y, v = check_effects(effects, variances)
    names = _names(studies, len(y))
    index = np.arange(len(y)) if order is None else np.argsort(np.asarray(order), kind="stable")
    if len(index) != len(y):
        raise InputError(f"order must have one value a study ({len(y)}), got {len(index)}")
    rows = []
    for last in range(1, len(y) + 1):
        chosen = index[:last]
        pooled = pool_effects(y[chosen], v[chosen], method=method, knapp_hartung=knapp_hartung, level=level)
        rows.append({"added": names[index[last - 1]], "n_studies": last, **_row(pooled)})
    return pl.DataFrame(rows)


def measure_influence(
    effects: ArrayLike, variances: ArrayLike, *, studies: Sequence[str] | None = None, method: str = "reml"
) -> pl.DataFrame:
    """Measure how far each study moves the pooled effect.

    With mu the pooled effect, se its standard error, and (-i) for the fit without study i:
    residual = (y - mu(-i)) / sqrt(v + tau2(-i) + se(-i)^2); dffits = (mu - mu(-i)) / sqrt(h (tau2(-i) + v)), h the
    weight; cook = (mu - mu(-i))^2 / se^2; covariance ratio = se(-i)^2 / se^2.

    Parameters
    ----------
    effects, variances : array_like, shape (k,)
        At least three studies.
    studies : sequence of str, optional
        Their names.
    method : str
        Estimator of tau2.

    Returns
    -------
    polars.DataFrame
        study, residual, dffits, cook, covariance_ratio, tau2_without, q_without, weight (percent), influential: Cook's
        distance above the 0.5 quantile of chi-square(1), |dffits| above 3 sqrt(1 / (k - 1)) or weight above 3 / k.

    References
    ----------
    Viechtbauer W, Cheung MW-L. Res Synth Methods 2010;1:112.

    Examples
    --------
    >>> found = measure_influence([0.0, 0.1, -0.1, 0.0, 5.0], [0.1] * 5)
    >>> found["influential"].to_list()
    [False, False, False, False, True]
    """
    y, v = check_effects(effects, variances)
    names, k = _names(studies, len(y)), len(y)
    if k < 3:
        raise NotEnoughDataError(f"influence needs at least 3 studies, got {k}")
    whole = pool_effects(y, v, method=method, knapp_hartung=False)
    rows = []
    for i, name in enumerate(names):
        keep = np.arange(k) != i
        without = pool_effects(y[keep], v[keep], method=method, knapp_hartung=False)
        moved, weight = whole.estimate - without.estimate, whole.weights[i] / 100
        spread = math.sqrt(v[i] + without.tau2 + without.std_error**2)
        dffits = moved / math.sqrt(weight * (without.tau2 + v[i]))
        cook = (moved / whole.std_error) ** 2
        rows.append(
            {
                "study": name,
                "residual": (y[i] - without.estimate) / spread,
                "dffits": dffits,
                "cook": cook,
                "covariance_ratio": (without.std_error / whole.std_error) ** 2,
                "tau2_without": without.tau2,
                "q_without": without.q,
                "weight": 100 * weight,
                "influential": bool(cook > 0.4549 or abs(dffits) > 3 * math.sqrt(1 / (k - 1)) or weight > 3 / k),
            }
        )
    return pl.DataFrame(rows)


def pool_all_subsets(
    effects: ArrayLike,
    variances: ArrayLike,
    *,
    method: str = "fixed",
    max_subsets: int = 4096,
    rng: np.random.Generator | None = None,
) -> pl.DataFrame:
    """Pool every subset of at least two studies (GOSH); a random sample of subsets when there are too many.

    Parameters
    ----------
    effects, variances : array_like, shape (k,)
        At least three studies.
    method : str
        Estimator of tau2; ``fixed`` and ``dl`` are fast.
    max_subsets : int
        Above this many a sample of that size is drawn, each study in or out with probability one half.
    rng : numpy.random.Generator, optional
        For the draw; a fixed seed without it.

    Returns
    -------
    polars.DataFrame
        estimate, i2, tau2, n_studies, members (comma-separated places, from 1).

    References
    ----------
    Olkin I, Dahabreh IJ, Trikalinos TA. Res Synth Methods 2012;3:214.

    Examples
    --------
    >>> len(pool_all_subsets([1.0, 2.0, 3.0, 4.0], [1.0] * 4))
    11
    """
    y, v = check_effects(effects, variances)
    k = len(y)
    if k < 3:
        raise NotEnoughDataError(f"subsets need at least 3 studies, got {k}")
    if 2**k - k - 1 <= max_subsets:
        codes = np.arange(1, 2**k, dtype=np.int64)
        member = (codes[:, None] >> np.arange(k)) & 1 == 1
    else:
        member = (rng or np.random.default_rng(GOSH_SEED)).random((max_subsets, k)) < 0.5
    rows = []
    for chosen in member[np.sum(member, axis=1) >= 2]:
        pooled = pool_effects(y[chosen], v[chosen], method=method, knapp_hartung=False)
        places = ",".join(str(i + 1) for i in np.flatnonzero(chosen))
        rows.append(
            {
                "estimate": pooled.estimate,
                "i2": pooled.i2,
                "tau2": pooled.tau2,
                "n_studies": pooled.n_studies,
                "members": places,
            }
        )
    return pl.DataFrame(rows)


def _names(studies: Sequence[str] | None, k: int) -> list[str]:
    names = [f"study {i + 1}" for i in range(k)] if studies is None else [str(study) for study in studies]
    if len(names) != k:
        raise InputError(f"studies must name each of the {k} studies, got {len(names)} names")
    return names


def _row(pooled: PooledEffect) -> dict[str, float]:
    fields = ("estimate", "std_error", "ci_low", "ci_high", "p_value", "tau2", "i2")
    return {field: getattr(pooled, field) for field in fields}
