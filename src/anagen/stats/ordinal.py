"""Compare ordered answers (1 to 5, worse to better) that the same people gave more than once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # formulaic's own tables
import polars as pl
from formulaic import Formula
from formulaic.errors import FormulaicError
from numpy.typing import NDArray
from scipy import optimize, special, stats

from anagen.errors import ConvergenceError, InputError, NotEnoughDataError
from anagen.records import Flag
from anagen.stats.design import read_table

Floats = NDArray[np.float64]
Negative = Callable[[Floats], float]
SUSPECT_SD: Final = 0.3
"""Below this standard deviation on the logit scale the model without differences between people is tried as well."""
LARGEST_EFFECT: Final = 12.0
"""A log odds ratio beyond this (odds of 160,000) means that a factor separates the answers completely."""


@dataclass(frozen=True)
class OrdinalFit:
    """A fitted proportional-odds model with a random intercept for each person.

    Parameters
    ----------
    coefficients : DataFrame
        term, estimate (log odds ratio of a higher answer), std_error, df (infinite), statistic, p_value, ci_low,
        ci_high.
    thresholds : DataFrame
        The same columns; a term ``1|2`` divides the answers 1 and 2.
    subject_sd, subject_sd_ci_low, subject_sd_ci_high : float
        Standard deviation of the people's levels on the logit scale, and its interval on the log scale.
    covariance : ndarray
        Of thresholds and coefficients, in this order.
    log_likelihood : float
        By the quadrature used.
    categories : tuple
        The answers, lowest first.
    n_observations, n_subjects, n_dropped : int
        Answers used; people; rows left out because a value is missing.
    n_quadrature : int
        Nodes a person.
    level : float
        Confidence level.
    flags : tuple of Flag
        ``no-person-variance`` where the people do not differ.
    """

    coefficients: pl.DataFrame
    thresholds: pl.DataFrame
    subject_sd: float
    subject_sd_ci_low: float
    subject_sd_ci_high: float
    covariance: Floats
    log_likelihood: float
    categories: tuple[object, ...]
    n_observations: int
    n_subjects: int
    n_dropped: int
    n_quadrature: int
    level: float
    flags: tuple[Flag, ...]

    @property
    def odds_ratios(self) -> pl.DataFrame:
        """Coefficients as odds ratios of a higher answer: term, odds_ratio, ci_low, ci_high, p_value."""
        c = self.coefficients
        return c.select(
            "term", pl.col("estimate").exp().alias("odds_ratio"), pl.col("ci_low", "ci_high").exp(), "p_value"
        )


@dataclass(frozen=True)
class _Answers:
    """The data as the likelihood sees them: rows sorted by person."""

    category: NDArray[np.intp]
    X: Floats
    person: NDArray[np.intp]
    first_row: NDArray[np.intp]
    n_categories: int

    @property
    def n_persons(self) -> int:
        return len(self.first_row)

    def sum_by_person(self, values: Floats) -> Floats:
        return np.add.reduceat(values, self.first_row, axis=0)


def fit_proportional_odds(
    table: object,
    *,
    response: str,
    fixed: str,
    subject: str,
    n_quadrature: int = 25,
    level: float = 0.95,
) -> OrdinalFit:
    """Fit a proportional-odds model with a random intercept by maximum likelihood.

    logit P(answer <= k) = threshold_k - (x' beta + subject_sd u), u standard normal, one a person. The integral over u
    is taken by adaptive Gauss-Hermite quadrature about each person's mode. It takes the odds ratio as the same at each
    threshold, and people with missing answers as missing at random.

    Parameters
    ----------
    table : table
        One row an answer.
    response : str
        Column of ordered answers; numbers in their order, or a polars Enum in the order declared.
    fixed : str
        Right side of a formula, for example ``"arm * C(week)"``; its intercept is in the thresholds.
    subject : str
        Column that names the person.
    n_quadrature : int
        Nodes a person, 1 (Laplace) or more; 25 keep the log-likelihood to 5e-4 with a subject SD of 6 (tests).
    level : float
        Confidence level of the Wald intervals.

    Returns
    -------
    OrdinalFit

    Raises
    ------
    InputError
        When a column is missing or the formula does not read.
    NotEnoughDataError
        With one kind of answer or one person only, or collinear terms.
    ConvergenceError
        When a factor separates the answers completely, or the iteration does not settle.

    References
    ----------
    McCullagh (1980), J R Stat Soc B 42:109; Pinheiro, Bates (1995), J Comput Graph Stat 4:12; Hedeker, Gibbons (1994),
    Biometrics 50:933.
    """
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, got {level}: give a proportion, not a percentage")
    if n_quadrature < 1:
        raise InputError(f"n_quadrature must be at least 1, got {n_quadrature}")
    answers, terms, categories, n_dropped = _read_answers(table, response, fixed, subject)
    nodes = special.roots_hermite(n_quadrature)
    optimum, flags = _maximise(answers, nodes)
    _check_separation(optimum, terms, answers.n_categories)
    return _report(optimum, answers, nodes, terms, categories, n_dropped, level, flags)


def _read_answers(
    table: object, response: str, fixed: str, subject: str
) -> tuple[_Answers, list[str], tuple[object, ...], int]:
    frame = read_table(table)
    try:
        formula = Formula(fixed)
        columns = sorted({response, subject, *map(str, formula.required_variables)})
    except FormulaicError as error:
        raise InputError(f"fixed = {fixed!r} is not a formula: {error}") from error
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise InputError(f"the table has no column {', '.join(missing)}; it has {', '.join(frame.columns)}")
    used = frame.select(columns).fill_nan(None) if any(t.is_float() for t in frame.select(columns).dtypes) else frame
    used = used.select(columns).drop_nulls()
    categories = _categories(used[response])
    if len(categories) < 2 or used[subject].n_unique() < 2:
        raise NotEnoughDataError(
            f"an ordinal model needs 2 kinds of answer and 2 people, got {len(categories)} and "
            f"{used[subject].n_unique()}"
        )
    names = used[subject].unique(maintain_order=True).to_list()
    person = used[subject].replace_strict(names, list(range(len(names))), return_dtype=pl.Int64).to_numpy()
    order = np.argsort(person, kind="stable")
    codes = {value: code for code, value in enumerate(categories)}
    category = np.array([codes[value] for value in used[response]], dtype=np.intp)[order]
    X, terms = _design(formula, used, order)
    who = person[order].astype(np.intp)
    first_row = np.searchsorted(who, np.arange(len(names)))
    return _Answers(category, X, who, first_row, len(categories)), terms, categories, frame.height - used.height


def _categories(answers: pl.Series) -> tuple[object, ...]:
    """Answers that occur, in order; an Enum keeps the order in which it was declared."""
    return tuple(answers.unique().sort().to_list())


def _design(formula: Formula, used: pl.DataFrame, order: NDArray[np.intp]) -> tuple[Floats, list[str]]:
    texts = [name for name, kind in used.schema.items() if not kind.is_numeric() and kind != pl.Boolean]
    # column by column: a whole table would need pyarrow
    data = pd.DataFrame(
        {
            name: used[name].cast(pl.String).to_list() if name in texts else used[name].to_numpy()
            for name in used.columns
        }
    )
    try:
        matrix = formula.get_model_matrix(data)
    except (FormulaicError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"the formula cannot be built from the table: {error}") from error
    kept = [name for name in matrix.columns if name != "Intercept"]
    X = np.asarray(matrix[kept], dtype=float).reshape(len(data), len(kept))
    if not np.isfinite(X).all():
        raise InputError("a term of the formula is infinite or missing: clean the column")
    centred = np.column_stack([np.ones(len(X)), X])
    if np.linalg.matrix_rank(centred / np.maximum(np.abs(centred).max(axis=0), 1e-300)) < centred.shape[1]:
        raise NotEnoughDataError(f"the terms {', '.join(kept)} determine one another: drop one")
    return X[order], kept


def _start(answers: _Answers) -> Floats:
    """Thresholds of the pooled answers, no effects; in the coordinates of the search."""
    share = np.bincount(answers.category, minlength=answers.n_categories)[:-1].cumsum() / len(answers.category)
    thresholds = 1.5 * special.logit(share)
    return np.concatenate([[thresholds[0]], np.log(np.diff(thresholds)), np.zeros(answers.X.shape[1])])


def _thresholds(psi: Floats, n_categories: int) -> Floats:
    """First threshold and logarithms of the steps, so that any number is allowed in the search."""
    steps = np.exp(np.clip(psi[1 : n_categories - 1], -30, 30))
    return np.concatenate([[psi[0]], psi[0] + np.cumsum(steps)])


def _log_likelihood(psi: Floats, answers: _Answers, nodes: tuple[Floats, Floats]) -> float:
    """Sum over people of the log of the integral over u (Pinheiro and Bates 1995, section 2.4)."""
    k = answers.n_categories
    ends = np.concatenate([[-np.inf], _thresholds(psi, k), [np.inf]])
    sd = math.exp(min(psi[-1], 8.0))  # the search may try absurd ones; 3000 on the logit scale is beyond any data
    eta = answers.X @ psi[k - 1 : -1]
    upper, lower = ends[answers.category + 1] - eta, ends[answers.category] - eta
    if sd == 0:
        return float(np.sum(_log_probability(upper, lower)))
    mode, scale = _modes(upper, lower, sd, answers)
    u = mode[:, None] + math.sqrt(2) * scale[:, None] * nodes[0]
    shift = sd * u[answers.person]
    log_f = answers.sum_by_person(_log_probability(upper[:, None] - shift, lower[:, None] - shift))
    log_terms = log_f - u**2 / 2 + nodes[0] ** 2 + np.log(nodes[1])
    highest = log_terms.max(axis=1)
    integrals = np.log(np.exp(log_terms - highest[:, None]).sum(axis=1)) + highest + np.log(scale)
    return float(integrals.sum()) - answers.n_persons * math.log(math.pi) / 2


def _log_probability(upper: Floats, lower: Floats) -> Floats:
    """log(F(upper) - F(lower)) of the logistic F, without cancellation."""
    width = upper - lower
    with np.errstate(divide="ignore"):  # thresholds that meet: likelihood 0, from which the search turns back
        narrow = np.log(-np.expm1(-width))
    return np.asarray(special.log_expit(upper) + special.log_expit(-lower) + narrow)


def _modes(upper: Floats, lower: Floats, sd: float, answers: _Answers) -> tuple[Floats, Floats]:
    """Each person's mode of u and 1 / sqrt(curvature) there.

    The slope falls everywhere, so its sign brackets the mode: Newton's step where it stays inside, halving elsewhere.
    """
    u = np.zeros(answers.n_persons)
    reach = sd * answers.sum_by_person(np.ones(len(upper))) + 1  # each answer pulls by at most sd
    low_end, high_end = -reach, reach
    for _ in range(300):
        shift = sd * u[answers.person]
        high, low = special.expit(upper - shift), special.expit(lower - shift)
        slope = sd * answers.sum_by_person(high + low - 1) - u
        curvature = 1 + sd**2 * answers.sum_by_person(high * (1 - high) + low * (1 - low))
        low_end, high_end = np.where(slope > 0, u, low_end), np.where(slope > 0, high_end, u)
        newton = u + slope / curvature
        arrived = np.abs(newton - u) < 1e-9  # rounding may put such a step outside the bracket
        inside = arrived | ((newton > low_end) & (newton < high_end))
        moved = np.where(inside, newton, (low_end + high_end) / 2)
        step = np.abs(moved - u).max()
        u = moved
        if step < 1e-9:  # quadratic convergence: the next error is near 1e-16
            return u, 1 / np.sqrt(curvature)
    raise ConvergenceError("a person's level did not settle: look for a covariate with huge values")


def _maximise(answers: _Answers, nodes: tuple[Floats, Floats]) -> tuple[Floats, tuple[Flag, ...]]:
    """Optimum in the coordinates of the search; the last one is -inf where the people do not differ."""

    def negative(psi: Floats) -> float:
        return -_log_likelihood(psi, answers, nodes)

    def negative_alike(psi: Floats) -> float:
        return negative(np.append(psi, -np.inf))

    found = _search(negative, np.append(_start(answers), 0.0))
    if math.exp(found[-1]) < SUSPECT_SD:
        alike = _search(negative_alike, found[:-1])
        if negative_alike(alike) < negative(found) + 1e-6:
            message = "people do not differ in level beyond chance: fitted without a random intercept"
            flag = Flag("no-person-variance", "note", message, "Check that subject names the person")
            return np.append(_polish(negative_alike, alike), -np.inf), (flag,)
    return _polish(negative, found), ()


def _search(negative: Negative, start: Floats) -> Floats:
    """Quasi-Newton with central differences."""
    found = optimize.minimize(  # type: ignore[call-overload]  # scipy-stubs want arrays typed as one-dimensional
        negative, start, jac=lambda psi: _coarse_gradient(negative, psi), method="BFGS", tol=1e-3
    )
    return np.asarray(found.x, dtype=float)


def _polish(negative: Negative, psi: Floats) -> Floats:
    """Newton steps with one Hessian, to the last digits."""
    hessian = _hessian(negative, psi)
    if (np.linalg.eigvalsh(hessian) > 0).all():
        for _ in range(10):
            step = np.linalg.solve(hessian, _gradient(negative, psi)).astype(np.float64)
            psi = psi - step
            if float(step @ hessian @ step) < 1e-14:
                return psi
    raise ConvergenceError(
        "the ordinal model did not settle: a term that separates the answers completely has no finite odds ratio, and "
        "a rare answer no threshold; merge answers or drop the term"
    )


def _coarse_gradient(function: Negative, psi: Floats, h: float = 1e-5) -> Floats:
    """Central differences: enough to find the way to the optimum."""
    return np.array([(function(psi + e) - function(psi - e)) / (2 * h) for e in np.eye(len(psi)) * h])


def _gradient(function: Negative, psi: Floats, h: float = 1e-3) -> Floats:
    """Fourth-order central differences: error near 1e-10 of a smooth function."""
    gradient = np.empty(len(psi))
    for j, e in enumerate(np.eye(len(psi)) * h):
        near, far = function(psi + e) - function(psi - e), function(psi + 2 * e) - function(psi - 2 * e)
        gradient[j] = (8 * near - far) / (12 * h)
    return gradient


def _hessian(function: Negative, psi: Floats, h: float = 1e-3) -> Floats:
    """Second differences: error near 1e-6 of its size."""
    p, steps, centre = len(psi), np.eye(len(psi)) * h, function(psi)
    hessian = np.empty((p, p))
    for i in range(p):
        hessian[i, i] = (function(psi + steps[i]) - 2 * centre + function(psi - steps[i])) / h**2
        for j in range(i):
            alike = function(psi + steps[i] + steps[j]) + function(psi - steps[i] - steps[j])
            unlike = function(psi + steps[i] - steps[j]) + function(psi - steps[i] + steps[j])
            hessian[i, j] = hessian[j, i] = (alike - unlike) / (4 * h**2)
    return hessian


def _check_separation(psi: Floats, terms: list[str], n_categories: int) -> None:
    effects = psi[n_categories - 1 : -1]
    sd = math.exp(psi[-1])
    far = [term for term, effect in zip(terms, effects, strict=True) if abs(effect) > LARGEST_EFFECT * (1 + sd)]
    if far:
        raise ConvergenceError(f"{', '.join(far)} separates the answers completely: no finite odds ratio describes it")


def _report(
    psi: Floats,
    answers: _Answers,
    nodes: tuple[Floats, Floats],
    terms: list[str],
    categories: tuple[object, ...],
    n_dropped: int,
    level: float,
    flags: tuple[Flag, ...],
) -> OrdinalFit:
    k, free = answers.n_categories, len(psi) if np.isfinite(psi[-1]) else len(psi) - 1

    def negative(part: Floats) -> float:
        return -_log_likelihood(np.append(part, psi[free:]), answers, nodes)

    information = _hessian(negative, psi[:free])
    if not (np.linalg.eigvalsh(information) > 0).all():
        raise ConvergenceError("the likelihood is flat: a factor separates the answers, or an answer is too rare")
    search_covariance = np.linalg.inv(information)
    J = np.eye(free)
    J[: k - 1, : k - 1] = np.tril(np.outer(np.ones(k - 1), np.append(1.0, np.exp(psi[1 : k - 1]))))
    covariance = J @ search_covariance @ J.T
    values = np.append(_thresholds(psi, k), psi[k - 1 : -1])
    errors = np.sqrt(np.diag(covariance))[: len(values)]
    z = float(stats.norm.isf((1 - level) / 2))
    names = [f"{low}|{high}" for low, high in pairwise(categories)]
    table = _wald_table([*names, *terms], values, errors, z)
    sd = math.exp(psi[-1])
    reach = math.exp(z * math.sqrt(search_covariance[-1, -1])) if free == len(psi) else math.nan
    return OrdinalFit(
        coefficients=table[k - 1 :],
        thresholds=table[: k - 1],
        subject_sd=sd,
        subject_sd_ci_low=sd / reach,
        subject_sd_ci_high=sd * reach,
        covariance=covariance[: len(values), : len(values)],
        log_likelihood=_log_likelihood(psi, answers, nodes),
        categories=categories,
        n_observations=len(answers.category),
        n_subjects=answers.n_persons,
        n_dropped=n_dropped,
        n_quadrature=len(nodes[0]),
        level=level,
        flags=flags,
    )


def _wald_table(terms: list[str], values: Floats, errors: Floats, z: float) -> pl.DataFrame:
    statistic = values / errors
    return pl.DataFrame(
        {
            "term": terms,
            "estimate": values,
            "std_error": errors,
            "df": np.full(len(values), np.inf),
            "statistic": statistic,
            "p_value": 2 * stats.norm.sf(np.abs(statistic)),
            "ci_low": values - z * errors,
            "ci_high": values + z * errors,
        }
    )
