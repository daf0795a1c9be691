"""From a formula to the columns of a design matrix; at once for names and their products, by formulaic for the rest.

Formulaic decides the terms, their coding (treatment contrasts, as R) and the names. Where a formula holds nothing but
names of columns, C(name) and their products, its decision is remembered and the columns are multiplied out here: that
takes a tenth of the time, which counts when thousands of trials are simulated.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # formulaic's own tables, to hand it factors with their levels
from formulaic import Formula
from formulaic.errors import FormulaicError
from numpy.typing import NDArray

from anagen.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Levels = Mapping[str, tuple[Any, ...]]


class _Part(NamedTuple):
    """One factor of a product: a variable, and the level it picks out (None for a number)."""

    variable: str
    level: int | None


class _Plan(NamedTuple):
    spec: Any
    products: tuple[tuple[_Part, ...], ...]


@dataclass(frozen=True, slots=True)
class ModelColumns:
    """How to compute the columns of a design matrix for any rows.

    Parameters
    ----------
    spec : object
        Formulaic's model specification.
    products : tuple or None
        Each column as a product of levels and numbers; None where formulaic must compute it.
    factors : mapping of str to tuple
        Levels of each categorical variable.
    """

    spec: Any
    products: tuple[tuple[_Part, ...], ...] | None
    factors: Levels

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each column."""
        return tuple(str(name) for name in self.spec.column_names)

    @property
    def terms(self) -> dict[str, tuple[int, ...]]:
        """Columns of each term; the intercept is the term ``1``."""
        n = len(self.spec.column_names)
        return {str(term): tuple(range(*place.indices(n))) for term, place in self.spec.term_slices.items()}

    def compute(self, n_rows: int, codes: Mapping[str, Integers], numbers: Mapping[str, Floats]) -> Floats:
        """Compute the design matrix of rows given by codes of levels and by numbers.

        Raises
        ------
        InputError
            When a column is not finite.
        """
        if self.products is not None:
            X = _multiply_out(self.products, n_rows, codes, numbers)
        else:
            data = _as_pandas(n_rows, codes, self.factors, numbers)
            X = np.asarray(self.spec.get_model_matrix(data, output="numpy", na_action="ignore"), dtype=float)
        return _check_finite(X, self.names)


def read_formula(fixed: str) -> Formula:
    """Read the right-hand side of a formula.

    Raises
    ------
    InputError
        When it is none, or has a left-hand side.
    """
    if "~" in fixed:
        raise InputError(f"fixed = {fixed!r}: give the right-hand side only, such as 'ARM * VISIT'")
    try:
        return _parse(fixed)
    except (FormulaicError, SyntaxError, ValueError) as error:
        raise InputError(f"fixed = {fixed!r} is not a formula: {error}") from error


@functools.lru_cache(maxsize=256)
def _parse(fixed: str) -> Formula:
    return Formula(fixed)


def plan_columns(
    fixed: str, n_rows: int, codes: Mapping[str, Integers], factors: Levels, numbers: Mapping[str, Floats]
) -> tuple[ModelColumns, Floats]:
    """Decide the columns of a formula for a table, and compute them.

    Parameters
    ----------
    fixed : str
        Right-hand side of the formula.
    n_rows : int
        Rows of the table.
    codes : mapping of str to ndarray of int
        Level of each row in each categorical variable.
    factors : mapping of str to tuple
        Its levels.
    numbers : mapping of str to ndarray
        Values of each numeric variable.

    Returns
    -------
    ModelColumns, ndarray of shape (n_rows, p)

    Raises
    ------
    InputError
        When the formula cannot be computed from the table, or a column is not finite.
    """
    plan = _plan_products(fixed, tuple(sorted(factors.items())), tuple(sorted(numbers)))
    if plan is not None:
        columns = ModelColumns(plan.spec, plan.products, factors)
        return columns, columns.compute(n_rows, codes, numbers)
    spec, X = _formulaic_matrix(fixed, _as_pandas(n_rows, codes, factors, numbers))
    columns = ModelColumns(spec, None, factors)
    return columns, _check_finite(X, columns.names)


def read_category(factor: str) -> str | None:
    """Give the variable inside C(...), or None where there is no C."""
    inside = re.match(r"^C\(\s*([A-Za-z_.][\w.]*|`[^`]+`)\s*[,)]", factor)
    return inside[1].strip("`") if inside else None


def recode_to_sums(fixed: str, factors: Levels) -> str:
    """Write the formula with every factor in sum-to-zero coding."""
    terms = []
    for term in _parse(fixed):
        names = [read_category(str(factor)) or str(factor) for factor in term.factors]
        terms.append(":".join(f"C({_quote(name)}, contr.sum)" if name in factors else _quote(name) for name in names))
    return " + ".join(["1" if "1" in terms else "0", *(term for term in terms if term != "1")])


def _quote(name: str) -> str:
    return f"`{name}`" if re.search(r"\s|-", name) and "(" not in name else name


@functools.lru_cache(maxsize=256)
def _plan_products(
    fixed: str, factors: tuple[tuple[str, tuple[Any, ...]], ...], numbers: tuple[str, ...]
) -> _Plan | None:
    """Columns as products of levels and numbers, or None where the formula has functions.

    Formulaic computes a small made-up table, the products must give the same to the bit.
    """
    levels = dict(factors)
    meaning = {str(f): _variable_of(str(f), levels, numbers) for term in _parse(fixed) for f in term.factors}
    if any(variable is None for variable in meaning.values()):
        return None
    rng = np.random.default_rng(0)
    n = 8 + 4 * max((len(each) for each in levels.values()), default=1)
    codes = {name: rng.permutation(np.arange(n) % len(each)) for name, each in levels.items()}
    values = {name: rng.normal(size=n) for name in numbers}
    spec, expected = _formulaic_matrix(fixed, _as_pandas(n, codes, levels, values))
    products: list[tuple[_Part, ...]] = []
    for structure in spec.structure:
        for scoped in structure.scoped_terms:
            choices = [_choices(str(meaning[str(f.factor.factor)]), f.reduced, levels) for f in scoped.factors]
            # formulaic varies the first factor fastest
            products += [tuple(reversed(product)) for product in itertools.product(*reversed(choices))]
    if len(products) != expected.shape[1] or not np.array_equal(
        _multiply_out(tuple(products), n, codes, values), expected
    ):
        return None
    return _Plan(spec, tuple(products))


def _variable_of(factor: str, levels: Mapping[str, Any], numbers: Sequence[str]) -> str | None:
    if factor == "1":
        return factor
    plain = re.fullmatch(r"C\(\s*([A-Za-z_.][\w.]*)\s*\)", factor)
    name = plain[1] if plain else factor
    return name if name in levels or (name in numbers and not plain) else None


def _choices(variable: str, reduced: bool, levels: Mapping[str, Any]) -> list[_Part]:  # noqa: FBT001 - formulaic's flag
    if variable not in levels:
        return [_Part(variable, None)]
    return [_Part(variable, level) for level in range(1 if reduced else 0, len(levels[variable]))]


def _multiply_out(
    products: tuple[tuple[_Part, ...], ...], n_rows: int, codes: Mapping[str, Integers], numbers: Mapping[str, Floats]
) -> Floats:
    X = np.ones((n_rows, len(products)))
    for j, product in enumerate(products):
        for variable, level in product:
            X[:, j] *= numbers[variable] if level is None else codes[variable] == level
    return X


def _formulaic_matrix(fixed: str, data: pd.DataFrame) -> tuple[Any, Floats]:
    try:
        matrix = Formula(fixed).get_model_matrix(data, output="numpy", na_action="ignore")
    except (FormulaicError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"fixed: the formula cannot be computed from the table: {error}") from error
    return matrix.model_spec, np.asarray(matrix, dtype=float)


def _check_finite(X: Floats, names: Sequence[str]) -> Floats:
    if np.isfinite(X.sum()):
        return X
    bad = [name for name, column in zip(names, X.T, strict=True) if not np.all(np.isfinite(column))]
    if bad:
        raise InputError(
            f"fixed: {', '.join(bad)} is not finite in some rows: check the values and the functions applied"
        )
    return X


def _as_pandas(
    n_rows: int, codes: Mapping[str, Integers], factors: Levels, numbers: Mapping[str, Floats]
) -> pd.DataFrame:
    columns: dict[str, Any] = {
        name: pd.Categorical.from_codes(codes[name], list(factors[name])) for name in factors if name in codes
    }
    columns |= dict(numbers)
    return pd.DataFrame(columns, index=range(n_rows), copy=False)
