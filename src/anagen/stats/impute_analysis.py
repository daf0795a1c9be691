"""How much the answer depends on what became of those who left: the trial analysed under a stated assumption.

Completes the data under a strategy, compares the arms at each visit by analysis of covariance, and pools.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anagen.errors import InputError
from anagen.stats import ls_means as means
from anagen.stats.design import Design, read_design
from anagen.stats.impute import (
    ImputationData,
    arm_covariances,
    fit_imputation_model,
    impute_draws,
    impute_means,
    read_imputation_data,
)
from anagen.stats.impute_draws import draw_bootstrap, draw_posterior
from anagen.stats.impute_pool import Pooled, pool_jackknife, pool_rubin
from anagen.stats.impute_strategies import Strategy
from anagen.stats.tipping import TippingPoint, search_tipping_point

Floats = NDArray[np.float64]
Uncertainty = Literal["jackknife", "bayes", "bootstrap"]


@dataclass(frozen=True)
class ImputedAnalysis:
    """The comparison of arms under one assumption about missing data.

    Parameters
    ----------
    table : polars.DataFrame
        visit, quantity (an arm's mean, or ``arm - reference``), estimate, std_error, df, statistic, p_value, ci_low,
        ci_high.
    description : str
        What was done, for a footnote.
    n_imputed : int
        Values that were filled in.
    """

    table: pl.DataFrame
    description: str
    n_imputed: int


def analyse_imputed(
    table: object,
    *,
    response: str,
    fixed: str,
    subject: str,
    visit: str,
    arm: str,
    reference: Any,
    analysis: str,
    strategy: Strategy = "jump-to-reference",
    events: object | None = None,
    uncertainty: Uncertainty = "jackknife",
    n_imputations: int = 100,
    rng: np.random.Generator | None = None,
    delta: Mapping[Any, float] | None = None,
    delta_grows: bool = False,
    covariance: str = "us",
    group_covariance: bool = False,
    level: float = 0.95,
) -> ImputedAnalysis:
    """Compare the arms at each visit after completing the data under a strategy.

    Parameters
    ----------
    table : object
        One row a subject and visit.
    response, subject, visit, arm : str
        Names of columns.
    fixed : str
        Formula of the imputation model, such as ``BASELINE * VISIT + ARM * VISIT``.
    reference : object
        The arm that stands for no treatment.
    analysis : str
        Formula of the analysis of covariance at each visit, such as ``ARM + BASELINE``.
    strategy : str
        What to assume after an event; see `anagen.stats.impute_strategies.assume_course`.
    events : object or None
        Subject, first visit after the event, optionally strategy; see `anagen.stats.impute.read_imputation_data`.
    uncertainty : {"jackknife", "bayes", "bootstrap"}
        ``jackknife``: conditional means, refitted without each person; no randomness, and the standard error is that
        of repeated trials. ``bayes``, ``bootstrap``: draws, pooled by Rubin's rules; under reference-based strategies
        these standard errors are larger than those of repeated trials (information-anchored).
    n_imputations : int
        Draws, for ``bayes`` and ``bootstrap``.
    rng : numpy.random.Generator or None
        Needed for ``bayes`` and ``bootstrap``.
    delta : mapping of arm to float, or None
        Added to each value imputed at or after the event, in units of the response.
    delta_grows : bool
        Add delta once for the first visit after the event, twice for the second, and so on.
    covariance : str
        Structure of the imputation model; ``bayes`` needs ``us``.
    group_covariance : bool
        A covariance for each arm.
    level : float
        Level of the intervals.

    Returns
    -------
    ImputedAnalysis

    Raises
    ------
    InputError
        As `read_imputation_data`; for an unknown arm in `delta`; for draws without a generator.

    References
    ----------
    Wolbers M, et al. Pharm Stat 2022;21:1246 (conditional means, jackknife). Cro S, Carpenter JR, Kenward MG. J R Stat
    Soc A 2019;182:623 (information anchoring).
    """
    _check_choice(uncertainty, rng, covariance, n_imputations)
    data = read_imputation_data(
        table,
        response=response,
        fixed=fixed,
        subject=subject,
        visit=visit,
        arm=arm,
        reference=reference,
        strategy=strategy,
        events=events,
        group_covariance=group_covariance,
    )
    comparison = _prepare(data, analysis, arm, reference)
    shift = _delta_values(data, delta, grows=delta_grows)
    fit = fit_imputation_model(data, covariance=covariance)
    if uncertainty == "jackknife":
        pooled = _jackknife(data, comparison, shift, covariance)
    else:
        assert rng is not None
        draws = (
            draw_posterior(data, fit, n_draws=n_imputations, rng=rng)
            if uncertainty == "bayes"
            else draw_bootstrap(data, n_draws=n_imputations, rng=rng, covariance=covariance)
        )
        completed = [impute_draws(data, drawn.beta, drawn.sigmas, rng) + shift for drawn in draws]
        results = [comparison.analyse(y) for y in completed]
        pooled = pool_rubin([r[0] for r in results], [r[1] ** 2 for r in results], df_complete=comparison.df)
    return ImputedAnalysis(
        comparison.tabulate(pooled, level),
        _describe(uncertainty, n_imputations, data, fit.structure.name, delta),
        int(np.isnan(data.y).sum()),
    )


def find_tipping_point(
    table: object,
    *,
    at_visit: Any,
    deltas: NDArray[np.float64] | list[float],
    shifted_arm: Any,
    p_limit: float = 0.05,
    **analysis: Any,
) -> TippingPoint:
    """Shift the imputed values of one arm until its difference from the reference is no longer significant.

    Uses conditional means and the jackknife: the imputation models are fitted once, and estimate and leave-one-out
    estimates are linear in the shift.

    Parameters
    ----------
    table : object
        As in `analyse_imputed`.
    at_visit : object
        Visit of the comparison.
    deltas : array-like
        Grid of shifts, in units of the response; the tipping point is solved for between two of its points.
    shifted_arm : object
        The arm whose imputed values are shifted; its difference from the reference is tested.
    p_limit : float
        Two-sided significance level.
    **analysis
        The other arguments of `analyse_imputed`, but for `delta` and `uncertainty`.

    Returns
    -------
    TippingPoint
    """
    grid = np.sort(np.asarray(deltas, dtype=float))
    level = float(analysis.pop("level", 0.95))
    covariance = analysis.pop("covariance", "us")
    grows = bool(analysis.pop("delta_grows", False))
    formula = analysis.pop("analysis")
    data = read_imputation_data(table, **analysis)
    comparison = _prepare(data, formula, analysis["arm"], analysis["reference"])
    unit = _delta_values(data, {shifted_arm: 1.0}, grows=grows)
    row = comparison.row_of(at_visit, f"{shifted_arm} - {analysis['reference']}")
    base, slope = _linear_in_shift(data, comparison, unit, covariance, row)

    def pool(delta: float) -> Pooled:
        values = base + delta * slope
        return pool_jackknife(values[:1], values[1:, None])

    return search_tipping_point(grid, pool, p_limit=p_limit, level=level)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Analysis of covariance of completed responses at each visit."""

    X: Floats
    L: Floats
    quantities: tuple[str, ...]
    visits: tuple[Any, ...]
    visit: str
    design: Design
    order: NDArray[np.intp]
    arm: str
    pairs: tuple[tuple[int, int], ...]

    @property
    def df(self) -> Floats:
        return np.full(len(self.visits) * len(self.quantities), float(self.X.shape[0] - self.X.shape[1]))

    def without_each(self) -> list[_Comparison]:
        """Give the same without each person in turn; numeric variables are held at the means of the others."""
        n = len(self.X)
        sums = {name: values.sum() for name, values in self.design.numbers.items()}
        left = {name: (sums[name] - values)[self.order] / (n - 1) for name, values in self.design.numbers.items()}
        L = _with_differences(means.mean_rows_at_each(self.design, [self.arm], left, n), self.pairs)
        return [dataclasses.replace(self, X=np.delete(self.X, k, axis=0), L=L[k]) for k in range(n)]

    def analyse(self, y: Floats) -> tuple[Floats, Floats]:
        """Estimates and standard errors, the quantities of the first visit first."""
        gram = np.linalg.inv(self.X.T @ self.X)
        beta = gram @ (self.X.T @ y)
        left = y - self.X @ beta
        variance = np.sum(left**2, axis=0) / (self.X.shape[0] - self.X.shape[1])
        spread = np.einsum("ia,ab,ib->i", self.L, gram, self.L)
        return (self.L @ beta).T.ravel(), np.sqrt(np.outer(variance, spread)).ravel()

    def row_of(self, visit: Any, quantity: str) -> int:
        if visit not in self.visits or quantity not in self.quantities:
            raise InputError(f"no comparison {quantity!r} at {visit!r}: there are {', '.join(self.quantities)}")
        return self.visits.index(visit) * len(self.quantities) + self.quantities.index(quantity)

    def tabulate(self, pooled: Pooled, level: float) -> pl.DataFrame:
        n = len(self.quantities)
        margin = pooled.margin(level)
        return pl.DataFrame(
            {
                self.visit: [name for name in self.visits for _ in range(n)],
                "quantity": list(self.quantities) * len(self.visits),
                "estimate": pooled.estimate,
                "std_error": pooled.std_error,
                "df": pooled.df,
                "statistic": pooled.estimate / pooled.std_error,
                "p_value": pooled.p_value(),
                "ci_low": pooled.estimate - margin,
                "ci_high": pooled.estimate + margin,
            }
        )


def _prepare(data: ImputationData, analysis: str, arm: str, reference: Any) -> _Comparison:
    roles = data.design.roles
    people = data.people.with_columns(
        pl.Series("_response", np.arange(data.people.height, dtype=float)), pl.lit("all").alias("_visit")
    )
    design = read_design(people, response="_response", fixed=analysis, subject=roles.subject, visit="_visit")
    if len(design.kept) < len(design.names):
        raise InputError(f"analysis = {analysis!r}: collinear columns, {design.flags[-1].message}")
    order = np.argsort(design.y)
    cells, of_arms = means.mean_rows(design, [arm])
    arms = cells[arm].to_list()
    low = arms.index(reference)
    pairs = tuple((high, low) for high in range(len(arms)) if high != low)
    quantities = (*map(str, arms), *(f"{arms[high]} - {arms[low]}" for high, low in pairs))
    L = _with_differences(of_arms[None], pairs)[0]
    return _Comparison(design.X[order], L, quantities, data.design.visit.levels, roles.visit, design, order, arm, pairs)


def _with_differences(of_arms: Floats, pairs: tuple[tuple[int, int], ...]) -> Floats:
    """Rows of the arms' means, then of their differences, for several sets of rows at once."""
    return np.concatenate([of_arms, *(of_arms[:, [high]] - of_arms[:, [low]] for high, low in pairs)], axis=1)


def _estimate_with_means(data: ImputationData, comparison: _Comparison, shift: Floats, covariance: str) -> Floats:
    fit = fit_imputation_model(data, covariance=covariance)
    return comparison.analyse(impute_means(data, fit.beta, arm_covariances(data, fit)) + shift)[0]


def _jackknife(data: ImputationData, comparison: _Comparison, shift: Floats, covariance: str) -> Pooled:
    estimate = _estimate_with_means(data, comparison, shift, covariance)
    n = len(data.y)
    left = []
    for person, compared in enumerate(comparison.without_each()):
        others = np.delete(np.arange(n), person)
        left.append(_estimate_with_means(data.keep(others), compared, shift[others], covariance))
    return pool_jackknife(estimate, np.array(left))


def _linear_in_shift(
    data: ImputationData, comparison: _Comparison, unit: Floats, covariance: str, row: int
) -> tuple[Floats, Floats]:
    """One quantity from everyone, then without each person; and its slope in the shift."""
    n = len(data.y)
    base, slope = np.empty(n + 1), np.empty(n + 1)
    for k, compared in enumerate([comparison, *comparison.without_each()]):
        others = np.delete(np.arange(n), k - 1) if k else np.arange(n)
        kept = data.keep(others) if k else data
        base[k] = _estimate_with_means(kept, compared, np.zeros_like(unit[others]), covariance)[row]
        slope[k] = compared.analyse(unit[others])[0][row]
    return base, slope


def _delta_values(data: ImputationData, delta: Mapping[Any, float] | None, *, grows: bool) -> Floats:
    shift = np.zeros_like(data.y)
    for name, value in (delta or {}).items():
        if name not in data.arms:
            raise InputError(f"delta: {name!r} is no arm; there are {', '.join(map(str, data.arms))}")
        shift[data.arm == data.arms.index(name)] = value
    since = np.arange(data.y.shape[1])[None, :] - data.event[:, None]
    affected = np.isnan(data.y) & (since >= 0)
    return np.where(affected, shift * (since + 1 if grows else 1.0), 0.0)


def _check_choice(uncertainty: str, rng: np.random.Generator | None, covariance: str, n_imputations: int) -> None:
    if uncertainty not in get_args(Uncertainty):
        raise InputError(f"uncertainty must be one of {', '.join(get_args(Uncertainty))}; got {uncertainty!r}")
    if uncertainty != "jackknife" and rng is None:
        raise InputError(f"uncertainty = {uncertainty!r} draws at random: pass rng=numpy.random.default_rng(seed)")
    if uncertainty == "bayes" and covariance != "us":
        raise InputError(f"uncertainty = 'bayes' needs covariance='us'; got {covariance!r}")
    if uncertainty != "jackknife" and n_imputations < 2:
        raise InputError(f"n_imputations must be at least 2; got {n_imputations}")


def _describe(
    uncertainty: str, n_imputations: int, data: ImputationData, covariance: str, delta: Mapping[Any, float] | None
) -> str:
    used = sorted(set(data.strategy[np.isnan(data.y).any(axis=1)].tolist()))
    how = {
        "jackknife": "conditional means, jackknife standard errors, normal intervals",
        "bayes": f"{n_imputations} Bayesian draws, Rubin's rules, Barnard-Rubin degrees of freedom",
        "bootstrap": f"{n_imputations} bootstrap draws, Rubin's rules, Barnard-Rubin degrees of freedom",
    }[uncertainty]
    shifted = "" if not delta else ", delta " + ", ".join(f"{arm} {value:+g}" for arm, value in delta.items())
    return (
        f"missing data by {', '.join(used) or 'mar'}{shifted}; {how}; imputation model with covariance {covariance};"
        " analysis of covariance at each visit"
    )
