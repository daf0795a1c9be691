"""Several questions, one error rate: p-values adjusted so that each can be held against the same level."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from anagen.errors import InputError

Method = Literal["holm", "hochberg", "hommel", "bh", "by", "bonferroni", "fixed-sequence"]


def adjust_p(p_values: ArrayLike, method: Method = "holm") -> np.ndarray:
    """Adjust p-values: reject those at or below the level, and the family's error stays at it.

    Parameters
    ----------
    p_values : array_like, shape (m,)
        0 to 1; for ``fixed-sequence`` in the order in which the hypotheses are tested.
    method : {"holm", "hochberg", "hommel", "bh", "by", "bonferroni", "fixed-sequence"}
        ``holm`` and ``bonferroni`` hold under any dependence; ``hochberg`` and ``hommel`` under positive dependence
        (Simes); ``bh`` (positive dependence) and ``by`` (any) control the expected share of false rejections, not the
        chance of one; ``fixed-sequence`` stops at the first hypothesis that is not rejected.

    Returns
    -------
    ndarray, shape (m,)
        Adjusted p-values in the order given, at most 1.

    Raises
    ------
    InputError
        When a p-value is missing or outside 0 to 1, or the method is unknown.

    References
    ----------
    Holm (1979), Scand J Stat 6:65; Hochberg (1988), Biometrika 75:800; Hommel (1988), Biometrika 75:383, computed as in
    Wright (1992), Biometrics 48:1005; Benjamini, Hochberg (1995), J R Stat Soc B 57:289;
    Benjamini, Yekutieli (2001), Ann Stat 29:1165; Maurer, Hothorn, Lehmacher
    (1995) for the fixed sequence.

    Examples
    --------
    >>> adjust_p([0.001, 0.012, 0.021, 0.04, 0.3], "hommel")
    array([0.005, 0.042, 0.06 , 0.08 , 0.3  ])
    """
    p = _check_p(p_values)
    if method not in _METHODS:
        raise InputError(f"method must be one of {', '.join(_METHODS)}, got {method!r}")
    return np.asarray(np.minimum(_METHODS[method](p), 1.0)) if len(p) else p


def adjust_p_graph(p_values: ArrayLike, weights: ArrayLike, transitions: ArrayLike) -> np.ndarray:
    """Adjust p-values by a graphical procedure: a rejected hypothesis hands its share of the level on.

    Parameters
    ----------
    p_values : array_like, shape (m,)
        0 to 1.
    weights : array_like, shape (m,)
        Share of the level that each hypothesis starts with, 0 or more, together at most 1.
    transitions : array_like, shape (m, m)
        Row i: which fraction of its share hypothesis i hands to each other one when it is rejected; 0 on the diagonal,
        each row at most 1 together.

    Returns
    -------
    ndarray, shape (m,)
        Adjusted p-values in the order given, at most 1. The chance of any false rejection is held under any dependence.

    Raises
    ------
    InputError
        When a p-value, weight or transition is outside its range.

    References
    ----------
    Bretz, Maurer, Brannath, Posch (2009), Stat Med 28:586, algorithms 1 and 2.

    Examples
    --------
    >>> adjust_p_graph([0.02, 0.03], [0.5, 0.5], [[0, 1], [1, 0]])  # Holm of two
    array([0.04, 0.04])
    """
    p = _check_p(p_values)
    w, g = _check_graph(weights, transitions, len(p))
    adjusted, largest = np.ones(len(p)), 0.0
    waiting = list(range(len(p)))
    while waiting:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(w[waiting] > 0, p[waiting] / w[waiting], np.inf)
        rejected = waiting[int(np.argmin(ratios))]
        if np.isinf(ratios.min()):
            break
        largest = max(largest, float(ratios.min()))
        adjusted[rejected] = min(1.0, largest)
        waiting.remove(rejected)
        w, g = _hand_on(w, g, rejected, waiting)
    return adjusted


def _hand_on(w: np.ndarray, g: np.ndarray, j: int, waiting: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Algorithm 1 of Bretz et al.: weights and transitions after hypothesis j is rejected."""
    new_w, new_g = w.copy(), np.zeros_like(g)
    for k in waiting:
        new_w[k] = w[k] + w[j] * g[j, k]
        back = 1 - g[k, j] * g[j, k]
        for m in waiting:
            if m != k and back > 0:
                new_g[k, m] = (g[k, m] + g[k, j] * g[j, m]) / back
    new_w[j] = 0.0
    return new_w, new_g


def _check_p(p_values: ArrayLike) -> np.ndarray:
    p = np.asarray(p_values, dtype=float)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise InputError(f"p_values must be a list of numbers from 0 to 1 without gaps, got {p_values!r}")
    return p


def _check_graph(weights: ArrayLike, transitions: ArrayLike, m: int) -> tuple[np.ndarray, np.ndarray]:
    w, g = np.asarray(weights, dtype=float), np.asarray(transitions, dtype=float)
    slack = 1 + 1e-9  # thirds written as 0.3333 and sums in floating point
    if w.shape != (m,) or not (w >= 0).all() or not w.sum() <= slack:
        raise InputError(f"weights must be {m} shares from 0, together at most 1, got {weights!r}")
    if g.shape != (m, m) or not (g >= 0).all() or np.diag(g).any() or not (g.sum(axis=1) <= slack).all():
        raise InputError(
            f"transitions must have shape ({m}, {m}), 0 on the diagonal, rows from 0 to 1 together, got {transitions!r}"
        )
    return w, g


def _holm(p: np.ndarray) -> np.ndarray:
    m, order = len(p), np.argsort(p, kind="stable")
    return _unsort(np.maximum.accumulate((m - np.arange(m)) * p[order]), order)


def _hochberg(p: np.ndarray) -> np.ndarray:
    m, order = len(p), np.argsort(p, kind="stable")
    stepped = np.minimum.accumulate(((m - np.arange(m)) * p[order])[::-1])[::-1]
    return _unsort(stepped, order)


def _benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    m, order = len(p), np.argsort(p, kind="stable")
    stepped = np.minimum.accumulate((m / np.arange(1, m + 1) * p[order])[::-1])[::-1]
    return _unsort(stepped, order)


def _benjamini_yekutieli(p: np.ndarray) -> np.ndarray:
    return _benjamini_hochberg(p) * float(np.sum(1 / np.arange(1, len(p) + 1)))


def _hommel(p: np.ndarray) -> np.ndarray:
    """Wright's algorithm: for each size of intersection, the Simes value that its worst member sees."""
    m, order = len(p), np.argsort(p, kind="stable")
    sorted_p = p[order]
    adjusted = np.full(m, float(np.min(m * sorted_p / np.arange(1, m + 1))))
    for size in range(m - 1, 1, -1):
        early, late = np.arange(m - size + 1), np.arange(m - size + 1, m)
        simes = float(np.min(size * sorted_p[late] / np.arange(2, size + 1)))
        candidate = np.empty(m)
        candidate[early] = np.minimum(size * sorted_p[early], simes)
        candidate[late] = candidate[m - size]
        adjusted = np.maximum(adjusted, candidate)
    return _unsort(np.maximum(adjusted, sorted_p), order)


def _bonferroni(p: np.ndarray) -> np.ndarray:
    return len(p) * p


def _unsort(sorted_values: np.ndarray, order: np.ndarray) -> np.ndarray:
    values = np.empty_like(sorted_values)
    values[order] = sorted_values
    return values


_METHODS: Final[Mapping[str, Callable[[np.ndarray], np.ndarray]]] = MappingProxyType(
    {
        "holm": _holm,
        "hochberg": _hochberg,
        "hommel": _hommel,
        "bh": _benjamini_hochberg,
        "by": _benjamini_yekutieli,
        "bonferroni": _bonferroni,
        "fixed-sequence": np.maximum.accumulate,
    }
)
