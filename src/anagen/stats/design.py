"""From a table and a formula to the numbers a model needs: who, when, response, design, and what was left out."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import narwhals.stable.v1 as nw
import numpy as np
import polars as pl
from formulaic import Formula
from numpy.typing import NDArray

from anagen.errors import InputError, NotEnoughDataError
from anagen.records import Flag
from anagen.stats.model_columns import ModelColumns, plan_columns, read_category, read_formula, recode_to_sums

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

ALIASED = 1e-7
"""A column whose part outside the span of earlier columns is below this share of it is collinear, as in R's qr."""


class Factor(NamedTuple):
    """A column taken as categories: its levels in order, and a code for each row."""

    levels: tuple[Any, ...]
    codes: Integers


class Roles(NamedTuple):
    """Names of the columns that are not the formula's."""

    response: str
    subject: str
    visit: str
    group: str | None
    weights: str | None


@dataclass(frozen=True, slots=True)
class Design:
    """What a formula and a table mean in numbers.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Design matrix, all columns.
    names : tuple of str
        Name of each column.
    terms : mapping of str to tuple of int
        Columns of each term of the formula, in order; the intercept is the term ``1``.
    kept : ndarray of int
        Columns that are not collinear with earlier ones.
    y, weights : ndarray, shape (n,)
        Response; weights, one where none were given.
    subject, visit, group : Factor
        Who, when, and which covariance.
    factors : mapping of str to tuple
        Levels of each categorical variable of the formula.
    numbers : mapping of str to ndarray
        Values of each numeric variable of the formula.
    codes : mapping of str to ndarray
        Level of each row in each categorical variable.
    fixed : str
        The formula.
    columns : ModelColumns
        How to compute further rows.
    roles : Roles
        Names of the columns of the table.
    n_dropped : mapping of str to int
        Rows left out, by reason.
    flags : tuple of Flag
        What a reader must know about how the table was read.
    """

    X: Floats
    names: tuple[str, ...]
    terms: Mapping[str, tuple[int, ...]]
    kept: Integers
    y: Floats
    weights: Floats
    subject: Factor
    visit: Factor
    group: Factor
    factors: Mapping[str, tuple[Any, ...]]
    numbers: Mapping[str, Floats]
    codes: Mapping[str, Integers]
    fixed: str
    columns: ModelColumns
    roles: Roles
    n_dropped: Mapping[str, int]
    flags: tuple[Flag, ...] = field(default=())

    def take(self, rows: Integers, subject: Integers) -> Design:
        """Give the design of some rows, where `subject` holds the new code of each row's person, without gaps."""
        return dataclasses.replace(
            self,
            X=self.X[rows],
            y=self.y[rows],
            weights=self.weights[rows],
            subject=Factor(tuple(range(int(subject.max()) + 1)), subject.astype(np.intp)),
            visit=Factor(self.visit.levels, self.visit.codes[rows]),
            group=Factor(self.group.levels, self.group.codes[rows]),
            numbers={name: values[rows] for name, values in self.numbers.items()},
            codes={name: codes[rows] for name, codes in self.codes.items()},
        )

    def with_response(self, y: Floats) -> Design:
        """Give the same design with another response of the same rows; rows where it is NaN are left out.

        For simulation: reading a table and a formula takes longer than a fit.
        """
        seen = np.isfinite(y)
        full = dataclasses.replace(self, y=np.asarray(y, dtype=float))
        if seen.all():
            return full
        rows = np.flatnonzero(seen)
        return full.take(rows, np.unique(self.subject.codes[rows], return_inverse=True)[1])

    def sum_coded(self) -> tuple[Floats, Mapping[str, tuple[int, ...]]]:
        """Design matrix of the same rows under sum-to-zero coding of every factor, and the columns of each term."""
        fixed = recode_to_sums(self.fixed, self.factors)
        columns, X = plan_columns(fixed, len(self.y), self.codes, self.factors, self.numbers)
        return X, dict(zip(self.terms, columns.terms.values(), strict=True))

    def read_rows(self, table: object) -> Floats:
        """Design matrix of the rows of another table, which needs the variables of the formula.

        Raises
        ------
        InputError
            For a missing column, a missing value, or a level the fit did not see.
        """
        frame = read_table(table)
        missing = [name for name in (*self.factors, *self.numbers) if name not in frame.columns]
        if missing:
            raise InputError(f"the table lacks {', '.join(missing)}, which the formula needs")
        for name in (*self.factors, *self.numbers):
            if frame[name].null_count():
                raise InputError(f"{name} has {frame[name].null_count()} missing values: no prediction without them")
        grid: dict[str, Sequence[Any]] = {name: frame[name].to_list() for name in self.factors}
        grid |= {name: list(_read_numbers(frame, name, "covariate")) for name in self.numbers}
        if not grid:
            return np.ones((frame.height, len(self.names)))
        return self.rows_for(grid)

    def rows_for(self, grid: Mapping[str, Sequence[Any]]) -> Floats:
        """Design matrix of further rows, given as one sequence of values for each variable of the formula."""
        codes, numbers = {}, {}
        for name, values in grid.items():
            if name in self.factors:
                codes[name] = _code_levels(name, values, self.factors[name])
            else:
                numbers[name] = np.asarray(values, dtype=float)
        n = len(next(iter(grid.values()))) if grid else 1
        return self.columns.compute(n, codes, numbers)


def read_table(table: object) -> pl.DataFrame:
    """Take any table narwhals reads as a polars DataFrame; pandas categories keep their order.

    Parameters
    ----------
    table : object
        Polars, pandas, pyarrow, ... table; lazy ones are collected.

    Returns
    -------
    polars.DataFrame

    Raises
    ------
    InputError
        When it is no table.
    """
    if isinstance(table, pl.DataFrame):
        return table
    try:
        frame: Any = nw.from_native(cast("Any", table))
    except TypeError as error:
        raise InputError(
            f"table must be a data frame (polars, pandas, pyarrow, ...); got {type(table).__name__}"
        ) from error
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect("polars")
    columns = {}
    for name in frame.columns:
        series = frame[name]
        if series.dtype in (nw.Categorical, nw.Enum):
            levels = [str(level) for level in series.cat.get_categories().to_list()]
            values = [None if value is None or value != value else str(value) for value in series.to_list()]  # noqa: PLR0124 - NaN
            columns[name] = pl.Series(name, values, dtype=pl.Enum(levels))
        else:
            columns[name] = _to_polars(series)
    return pl.DataFrame(columns)


def _to_polars(series: Any) -> pl.Series:
    try:
        return cast("pl.Series", series.to_polars())
    except ImportError:  # pandas' own nullable types would go through pyarrow, which need not be there
        missing = series.is_null().to_list()
        return pl.Series(series.name, [None if gone else v for gone, v in zip(missing, series.to_list(), strict=True)])


def read_design(
    table: object,
    *,
    response: str,
    fixed: str,
    subject: str,
    visit: str,
    group: str | None = None,
    weights: str | None = None,
) -> Design:
    """Check a table against a model and turn it into numbers.

    Rows with a missing response, covariate, subject, visit, group or weight are left out and counted. Levels of a
    category that no row has left are dropped. Text sorts alphabetically, visits by the numbers in their names (week 4
    before week 12); enums and ordered categories keep their order.

    Parameters
    ----------
    table : object
        One row a subject and visit.
    response, subject, visit : str
        Names of columns.
    fixed : str
        Right-hand side of a formula.
    group : str or None
        Column of the groups with a covariance of their own.
    weights : str or None
        Column of positive weights: the variance of a response is divided by its weight.

    Returns
    -------
    Design

    Raises
    ------
    InputError
        For a column that does not exist, a repeated subject and visit, an infinite number, a weight below or at zero.
    NotEnoughDataError
        When no rows are left.
    """
    frame = read_table(table)
    formula = read_formula(fixed)
    _check_columns(frame, formula, response=response, subject=subject, visit=visit, group=group, weights=weights)
    variables = sorted(str(name) for name in formula.required_variables)
    if response in variables:
        raise InputError(f"fixed = {fixed!r} uses the response {response!r}: take it out of the formula")
    frame, n_dropped = _drop_incomplete(frame, [response, subject, visit, *variables, group, weights])
    y = _read_numbers(frame, response, "response")
    flags: list[Flag] = []
    who = _read_factor(frame[subject], sort=None)
    when = _read_factor(frame[visit], sort=_natural_key)
    _check_unique(who, when)
    _flag_visit_order(when, flags)
    _flag_unused(frame, [visit, *variables], flags)
    in_formula = _as_categories(formula, frame, variables)
    codes, factors, numbers = {}, {}, {}
    for name in variables:
        if name in in_formula:
            factor = _read_factor(frame[name], sort=_natural_key if name == visit else None)
            codes[name], factors[name] = factor.codes, factor.levels
        else:
            numbers[name] = _read_numbers(frame, name, "covariate")
    columns, X = plan_columns(fixed, frame.height, codes, factors, numbers)
    w = _read_weights(frame, weights)
    which = (
        Factor(("all",), np.zeros(frame.height, dtype=np.intp))
        if group is None
        else _read_factor(frame[group], sort=None)
    )
    kept = independent_columns(X * np.sqrt(w)[:, None])
    names = columns.names
    if len(kept) < len(names):
        lost = [names[j] for j in np.setdiff1d(np.arange(len(names)), kept)]
        flags.append(
            Flag(
                "collinear-columns",
                "warning",
                f"{', '.join(lost)} follow from earlier columns of the design, or an empty cell leaves them no data",
                "They were left out; their rows are NaN and what depends on them is not estimable.",
                float(len(lost)),
                0.0,
            )
        )
    roles = Roles(response, subject, visit, group, weights)
    return Design(
        X,
        names,
        columns.terms,
        kept,
        y,
        w,
        who,
        when,
        which,
        factors,
        numbers,
        codes,
        fixed,
        columns,
        roles,
        n_dropped,
        tuple(flags),
    )


def _check_columns(frame: pl.DataFrame, formula: Formula, **roles: str | None) -> None:
    wanted = {f"{role} = {name!r}": name for role, name in roles.items() if name is not None}
    wanted |= {f"the formula's {name!r}": str(name) for name in sorted(map(str, formula.required_variables))}
    missing = [what for what, name in wanted.items() if name not in frame.columns]
    if missing:
        raise InputError(f"{', '.join(missing)} names no column of the table; it has {', '.join(frame.columns)}")


def _drop_incomplete(frame: pl.DataFrame, columns: Iterable[str | None]) -> tuple[pl.DataFrame, dict[str, int]]:
    counts: dict[str, int] = {}
    keep = np.ones(frame.height, dtype=bool)
    for name in dict.fromkeys(column for column in columns if column is not None):
        series = frame[name]
        is_float = series.dtype.is_float()
        if not series.null_count() and not is_float:
            continue
        # a null becomes NaN on the way to numpy
        lost = keep & (np.isnan(series.to_numpy()) if is_float else series.is_null().to_numpy())
        if lost.any():
            counts[f"{name} missing"] = int(lost.sum())
            keep &= ~lost
    if not keep.any():
        raise NotEnoughDataError(
            f"no row of {frame.height} has every value the model needs: "
            + ", ".join(f"{k} in {v}" for k, v in counts.items())
        )
    return (frame.filter(pl.Series(keep)) if counts else frame), counts


def _read_numbers(frame: pl.DataFrame, name: str, role: str) -> Floats:
    series = frame[name]
    if not (series.dtype.is_numeric() or series.dtype == pl.Boolean):
        raise InputError(f"{role} {name!r} must hold numbers; it holds {series.dtype}")
    values = series.cast(pl.Float64).to_numpy()
    if not np.all(np.isfinite(values)):
        n = int(np.count_nonzero(~np.isfinite(values)))
        raise InputError(f"{role} {name!r} must be finite; {n} values are infinite: correct them or leave them empty")
    return values


def _read_weights(frame: pl.DataFrame, name: str | None) -> Floats:
    if name is None:
        return np.ones(frame.height)
    values = _read_numbers(frame, name, "weights")
    if np.any(values <= 0):
        raise InputError(f"weights {name!r} must be positive; the smallest is {values.min():g}")
    return values


def _read_factor(series: pl.Series, *, sort: Any) -> Factor:
    """Levels that occur, in the order of the type (enum, category, boolean) or sorted, and the codes."""
    if isinstance(series.dtype, pl.Enum):
        physical = series.to_physical().to_numpy().astype(np.intp)
        used, codes = np.unique(physical, return_inverse=True)
        return Factor(tuple(series.dtype.categories[int(k)] for k in used), codes.astype(np.intp))
    values = (series.cast(pl.String) if series.dtype == pl.Categorical else series).to_list()
    is_text = len(values) > 0 and isinstance(values[0], str)
    levels = sorted(set(values), key=sort if is_text else None)
    place = {level: k for k, level in enumerate(levels)}
    return Factor(tuple(levels), np.fromiter(map(place.__getitem__, values), np.intp, len(values)))


def _natural_key(text: str) -> tuple[tuple[int, float, str], ...]:
    """Sort the numbers within names as numbers: week 4 before week 12."""
    pieces = re.split(r"(\d+(?:\.\d+)?)", text)
    return tuple((0, float(piece), "") if i % 2 else (1, 0.0, piece) for i, piece in enumerate(pieces))


def _flag_visit_order(when: Factor, flags: list[Flag]) -> None:
    if all(isinstance(level, str) for level in when.levels) and list(when.levels) != sorted(when.levels):
        flags.append(
            Flag(
                "visit-order",
                "note",
                f"visits are taken in the order {', '.join(when.levels)}",
                "Use an enum to set another.",
            )
        )


def _flag_unused(frame: pl.DataFrame, columns: Sequence[str], flags: list[Flag]) -> None:
    for name in dict.fromkeys(columns):
        dtype = frame[name].dtype
        if isinstance(dtype, pl.Enum):
            used = set(frame[name].unique().to_list())
            unused = [level for level in dtype.categories if level not in used]
            if unused:
                flags.append(
                    Flag(
                        "unused-levels",
                        "note",
                        f"{name}: no usable row has {', '.join(unused)}",
                        "These levels were dropped.",
                    )
                )


def _check_unique(who: Factor, when: Factor) -> None:
    cell = who.codes * len(when.levels) + when.codes
    order = np.argsort(cell, kind="stable")
    again = np.flatnonzero(np.diff(cell[order]) == 0)
    if len(again):
        first = order[again[0]]
        raise InputError(
            f"each subject may have one row a visit; {len(again)} rows repeat one, the first for subject"
            f" {who.levels[who.codes[first]]!r} at visit {when.levels[when.codes[first]]!r}: average or remove them"
        )


def _as_categories(formula: Formula, frame: pl.DataFrame, variables: Sequence[str]) -> set[str]:
    """Variables that are not numbers, or that stand inside C(...)."""
    named = {name for name in variables if not frame[name].dtype.is_numeric()}
    for term in formula:
        for factor in term.factors:
            name = read_category(str(factor))
            if name is not None and name in variables:
                named.add(name)
    return named


def _code_levels(name: str, values: Sequence[Any], levels: tuple[Any, ...]) -> Integers:
    place = {level: k for k, level in enumerate(levels)}
    unknown = [value for value in values if value not in place]
    if unknown:
        raise InputError(f"{name} has no level {unknown[0]!r}; it has {', '.join(map(str, levels))}")
    return np.fromiter((place[value] for value in values), np.intp, len(values))


def independent_columns(X: Floats) -> Integers:
    """Columns that are not collinear with earlier ones, as R's qr decides.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Any matrix.

    Returns
    -------
    ndarray of int
        Indices, ascending.
    """
    norms = np.linalg.norm(X, axis=0)
    kept = np.flatnonzero(norms > 0)
    while len(kept):
        scaled = X[:, kept] / norms[kept]
        outside = np.zeros(len(kept))
        outside[: min(scaled.shape)] = np.abs(np.diag(np.linalg.qr(scaled, mode="r")))
        small = np.flatnonzero(outside < ALIASED)
        if not len(small):
            break
        kept = np.delete(kept, small[0])
    return kept
