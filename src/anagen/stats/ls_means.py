"""Least-squares means: what the model expects for each arm and visit, had the groups been alike in everything else."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anagen.errors import InputError
from anagen.stats.design import Design

Floats = NDArray[np.float64]
Weights = Literal["equal", "proportional", "outer", "cells"]
Kind = Literal["reference", "pairwise"]


def mean_rows(
    design: Design, by: Sequence[str], *, weights: Weights = "equal", at: Mapping[str, Any] | None = None
) -> tuple[pl.DataFrame, Floats]:
    """Give the combinations of the coefficients that are LS means.

    A reference grid holds every combination of the factors' levels, numeric variables at their means over the rows
    used; an LS mean averages the rows of the grid that share the levels asked for.

    Parameters
    ----------
    design : Design
        The data as the model saw them.
    by : sequence of str
        Factors whose combinations get a mean each; none gives the one overall mean.
    weights : {"equal", "proportional", "outer", "cells"}
        Weights of the other factors' combinations: the same for each; in proportion to the rows that have the
        combination; in proportion to the product of their own frequencies; in proportion to the rows of each cell with
        the levels of `by`. As in R's emmeans.
    at : mapping or None
        Value of a numeric variable in place of its mean; level or levels of a factor in place of all.

    Returns
    -------
    cells : polars.DataFrame
        One row a mean, the first factor slowest.
    L : ndarray, shape (n_means, p)
        Combinations of the coefficients.

    Raises
    ------
    InputError
        For a name that is no factor of the formula, or a level it does not have.
    """
    levels, numbers = _place(design, by, weights, at)
    others = [name for name in levels if name not in by]
    order = [*by, *others]
    grid = list(itertools.product(*(levels[name] for name in order)))
    columns: dict[str, Sequence[Any]] = {name: [point[k] for point in grid] for k, name in enumerate(order)}
    columns |= {name: [value] * len(grid) for name, value in numbers.items()}
    X = design.rows_for(columns)
    n_cells = int(np.prod([len(levels[name]) for name in by], initial=1))
    share = _weigh(design, levels, by, others, weights).reshape(n_cells, -1)
    L = np.einsum("ij,ijp->ip", share, X.reshape(n_cells, share.shape[1], -1))
    cells = list(itertools.product(*(levels[name] for name in by)))
    return pl.DataFrame({name: [cell[k] for cell in cells] for k, name in enumerate(by)}), L


def mean_rows_at_each(design: Design, by: Sequence[str], numbers: Mapping[str, Floats], n: int) -> Floats:
    """Give the combinations of `mean_rows`, equal weights, at each of several settings of the numeric variables.

    Parameters
    ----------
    design : Design
        The data as the model saw them.
    by : sequence of str
        Factors whose combinations get a mean each.
    numbers : mapping of str to ndarray of shape (n,)
        Settings of every numeric variable.
    n : int
        How many settings.

    Returns
    -------
    ndarray, shape (n, n_means, p)
    """
    order = [*by, *(name for name in design.factors if name not in by)]
    grid = list(itertools.product(*(design.factors[name] for name in order)))
    columns: dict[str, Sequence[Any]] = {name: [point[k] for point in grid] * n for k, name in enumerate(order)}
    columns |= {name: np.repeat(values, len(grid)).tolist() for name, values in numbers.items()}
    n_means = int(np.prod([len(design.factors[name]) for name in by], initial=1))
    X = design.rows_for(columns).reshape(n, n_means, len(grid) // n_means, -1)
    rows: Floats = X.mean(axis=2)
    return rows


def contrast_rows(
    design: Design,
    of: str,
    by: Sequence[str],
    *,
    kind: Kind = "reference",
    reference: Any = None,
    weights: Weights = "equal",
    at: Mapping[str, Any] | None = None,
) -> tuple[pl.DataFrame, Floats]:
    """Give the combinations of the coefficients that are differences of LS means.

    Parameters
    ----------
    design : Design
        The data as the model saw them.
    of : str
        Factor whose levels are compared.
    by : sequence of str
        Factors within whose combinations they are compared.
    kind : {"reference", "pairwise"}
        Every level against the reference, or every later against every earlier one.
    reference : object
        Level to compare against; the first by default.
    weights, at
        As in `mean_rows`.

    Returns
    -------
    cells : polars.DataFrame
        The factors of `by`, and ``contrast``.
    L : ndarray, shape (n_contrasts, p)
        Combinations of the coefficients.

    Raises
    ------
    InputError
        For a name that is no factor of the formula, or a level it does not have.
    """
    if kind not in get_args(Kind):
        raise InputError(f"kind must be one of {', '.join(get_args(Kind))}; got {kind!r}")
    if of in by:
        raise InputError(f"of = {of!r} cannot also stand in by")
    cells, L = mean_rows(design, [*by, of], weights=weights, at=at)
    levels = cells[of].unique(maintain_order=True).to_list()
    pairs = _pair_levels(levels, kind, reference, of)
    L = L.reshape(-1, len(levels), L.shape[1])
    differences = np.stack([L[:, high] - L[:, low] for high, low in pairs], axis=1).reshape(-1, L.shape[2])
    kept = cells.select(by)[:: len(levels)] if by else pl.DataFrame()
    names = [f"{levels[high]} - {levels[low]}" for high, low in pairs]
    repeated = {name: [value for value in kept[name].to_list() for _ in pairs] for name in by}
    return pl.DataFrame({**repeated, "contrast": names * (len(differences) // len(pairs))}), differences


def _pair_levels(levels: list[Any], kind: str, reference: Any, of: str) -> list[tuple[int, int]]:
    if len(levels) < 2:
        raise InputError(f"of = {of!r} has one level, {levels[0]!r}: there is nothing to compare")
    if kind == "pairwise":
        return [(high, low) for low in range(len(levels)) for high in range(low + 1, len(levels))]
    if reference is not None and reference not in levels:
        raise InputError(f"reference = {reference!r} is no level of {of!r}; it has {', '.join(map(str, levels))}")
    low = 0 if reference is None else levels.index(reference)
    return [(high, low) for high in range(len(levels)) if high != low]


def _place(
    design: Design, by: Sequence[str], weights: str, at: Mapping[str, Any] | None
) -> tuple[dict[str, tuple[Any, ...]], dict[str, float]]:
    if weights not in get_args(Weights):
        raise InputError(f"weights must be one of {', '.join(get_args(Weights))}; got {weights!r}")
    levels = dict(design.factors)
    numbers = {name: float(values.mean()) for name, values in design.numbers.items()}
    for name, value in (at or {}).items():
        if name in numbers:
            numbers[name] = float(value)
        elif name in levels:
            wanted = tuple(value) if isinstance(value, list | tuple) else (value,)
            unknown = [level for level in wanted if level not in levels[name]]
            if unknown:
                raise InputError(f"at: {name} has no level {unknown[0]!r}; it has {', '.join(map(str, levels[name]))}")
            levels[name] = wanted
        else:
            raise InputError(f"at: {name!r} is no variable of the formula")
    for name in by:
        if name not in levels:
            known = ", ".join(levels) or "none"
            raise InputError(
                f"{name!r} is no categorical variable of the formula (those are: {known}); use C({name}) for a number"
            )
    return levels, numbers


def _weigh(
    design: Design, levels: Mapping[str, tuple[Any, ...]], by: Sequence[str], others: Sequence[str], weights: str
) -> Floats:
    """Weights over the grid, `by` slowest, that sum to one within each combination of `by`."""
    n_by, n_others = [len(levels[name]) for name in by], [len(levels[name]) for name in others]
    n_cells, n_inside = int(np.prod(n_by, initial=1)), int(np.prod(n_others, initial=1))
    if weights == "equal" or not others:
        return np.full((n_cells, n_inside), 1.0 / n_inside)
    counts = _count_cells(design, levels, [*by, *others])
    if weights == "cells":
        table = counts.reshape(n_cells, n_inside)
        with np.errstate(invalid="ignore"):
            share: Floats = table / table.sum(axis=1, keepdims=True)
        return share
    inside = counts.sum(axis=tuple(range(len(by))))
    if weights == "outer":
        alone = [inside.sum(axis=tuple(k for k in range(len(others)) if k != j)) for j in range(len(others))]
        product = alone[0] / alone[0].sum()
        for counts_of_one in alone[1:]:
            product = np.multiply.outer(product, counts_of_one / counts_of_one.sum())
        inside = product
    return np.tile(inside.reshape(1, -1) / inside.sum(), (n_cells, 1))


def _count_cells(design: Design, levels: Mapping[str, tuple[Any, ...]], order: Sequence[str]) -> Floats:
    counts = np.zeros([len(design.factors[name]) for name in order])
    np.add.at(counts, tuple(design.codes[name] for name in order), 1.0)
    for axis, name in enumerate(order):
        counts = counts.take([design.factors[name].index(level) for level in levels[name]], axis=axis)
    return counts
