"""Compare each outcome between visits (and arms) as the protocol planned, with sensitivity analyses beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl
from scipy import stats

from anagen.errors import ConvergenceError, InputError, NotEnoughDataError
from anagen.records import Estimate
from anagen.stats import adjust_p, estimate_change, estimate_split_scalp, fit_mmrm, signed_rank_test
from anagen.study.protocol import Outcome, Protocol
from anagen.workflows.comparison import MAIN, SENSITIVITY, Comparison
from anagen.workflows.missing import compare_as_planned, control_of

Multiplicity = Literal["holm", "hochberg", "hommel", "fixed-sequence", "none"]
MIN_PAIRS = 3
"""With two pairs a t interval has one degree of freedom: it says nothing that a reader could use."""


@dataclass(frozen=True, eq=False)
class OutcomeAnalysis:
    """What one outcome showed.

    Parameters
    ----------
    outcome : Outcome
        Its entry in the protocol.
    label : str
        As printed.
    values : polars.DataFrame
        participant, arm, visit, week, value, n_readings.
    means : polars.DataFrame
        arm, visit, week, n, estimate, ci_low, ci_high.
    comparisons : tuple of Comparison
        Planned ones first.
    notes : tuple of str
        How it was done, and what could not be.
    """

    outcome: Outcome
    label: str
    values: pl.DataFrame
    means: pl.DataFrame
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]

    @property
    def main_comparisons(self) -> tuple[Comparison, ...]:
        """The planned ones."""
        return tuple(c for c in self.comparisons if c.role == MAIN)


def analyse_outcome(protocol: Protocol, outcome: Outcome, values: pl.DataFrame) -> OutcomeAnalysis:
    """Analyse one outcome by the design and the plan of the protocol.

    Parameters
    ----------
    protocol : Protocol
        Design, arms and analysis plan.
    outcome : Outcome
        One of its outcomes.
    values : polars.DataFrame
        One value a participant, arm and visit, from `anagen.workflows.collect`.

    Returns
    -------
    OutcomeAnalysis
        Without comparisons, and with the reason in its notes, where the data allow none.
    """
    label = outcome.label or outcome.name
    order = [outcome.baseline, *outcome.visits]
    used = values.filter(pl.col("visit").is_in(order))
    notes: list[str] = []
    try:
        compare = {"single-arm": _single_arm, "parallel": _parallel, "split-scalp": _split_scalp}[protocol.design.kind]
        comparisons = tuple(compare(protocol, outcome, used, notes))
        if protocol.design.kind == "parallel" and outcome.kind != "survey":
            comparisons, said = compare_as_planned(protocol, outcome, used, comparisons)
            notes.extend(said)
    except (NotEnoughDataError, ConvergenceError) as error:
        comparisons = ()
        notes.append(f"{label}: no comparison could be made. {error}")
    return OutcomeAnalysis(outcome, label, values, _means(used), comparisons, tuple(notes))


def adjust_comparisons(analyses: Sequence[OutcomeAnalysis], method: Multiplicity) -> tuple[OutcomeAnalysis, ...]:
    """Adjust the p-values of all planned comparisons of a study together.

    Parameters
    ----------
    analyses : sequence of OutcomeAnalysis
        All outcomes, primary first: a fixed sequence tests in this order.
    method : str
        ``holm``, ``hochberg``, ``hommel``, ``fixed-sequence`` or ``none``.
    """
    planned = [c.estimate.p_value for a in analyses for c in a.main_comparisons]
    known = [p for p in planned if p is not None and math.isfinite(p)]
    if not known or method == "none":
        return tuple(analyses)
    adjusted = iter(adjust_p(known, method))

    def with_adjusted(comparison: Comparison) -> Comparison:
        p = comparison.estimate.p_value
        if comparison.role != MAIN or p is None or not math.isfinite(p):
            return comparison
        return replace(comparison, p_adjusted=float(next(adjusted)))

    return tuple(replace(a, comparisons=tuple(with_adjusted(c) for c in a.comparisons)) for a in analyses)


def _single_arm(protocol: Protocol, outcome: Outcome, values: pl.DataFrame, notes: list[str]) -> Iterator[Comparison]:
    plan, role = protocol.analysis, MAIN
    if plan.model == "mmrm" and outcome.kind != "survey":
        try:
            yield from _mmrm_changes(protocol, outcome, values, notes)
            role = SENSITIVITY
        except (ConvergenceError, NotEnoughDataError, InputError) as error:
            notes.append(f"The planned MMRM could not be fitted ({error}); the paired t-test stands in for it.")
    for visit in outcome.visits:
        before, after = _pair(values, outcome.baseline, visit)
        if len(before) < MIN_PAIRS:
            notes.append(f"{outcome.name}: fewer than three participants have both {outcome.baseline} and {visit}.")
            continue
        label = f"{outcome.baseline} to {visit}"
        change = estimate_change(before, after, unit=outcome.unit).mean_change
        yield Comparison(visit, label, change, role)
        if outcome.kind == "survey":
            rank = signed_rank_test(after - before, unit=outcome.unit)
            yield Comparison(visit, label, replace(rank.shift, p_value=rank.p_value), SENSITIVITY)


def _mmrm_changes(protocol: Protocol, outcome: Outcome, values: pl.DataFrame, notes: list[str]) -> Iterator[Comparison]:
    plan = protocol.analysis
    order = [outcome.baseline, *outcome.visits]
    table = values.with_columns(pl.col("visit").cast(pl.Enum(order)))
    fit = fit_mmrm(
        table,
        response="value",
        fixed="visit",
        subject="participant",
        visit="visit",
        covariance=plan.covariance,
        df=plan.degrees_of_freedom,
        level=1 - plan.alpha,
    )
    notes.append(f"{outcome.label or outcome.name}: {fit.description}.")
    notes.extend(flag.message for flag in fit.flags if flag.severity != "note")
    for visit, row in zip(outcome.visits, fit.contrasts(of="visit").iter_rows(named=True), strict=True):
        yield Comparison(
            visit, f"{outcome.baseline} to {visit}", _estimate(row, outcome, fit.n_subjects, "MMRM", plan.alpha), MAIN
        )


def _parallel(protocol: Protocol, outcome: Outcome, values: pl.DataFrame, notes: list[str]) -> Iterator[Comparison]:
    """Difference between arms in the change from baseline, adjusted for the baseline at each visit."""
    plan = protocol.analysis
    control = control_of(protocol)
    baseline = values.filter(pl.col("visit") == outcome.baseline).select("participant", baseline="value")
    later = values.filter(pl.col("visit") != outcome.baseline).join(baseline, on="participant")
    table = later.with_columns(
        pl.col("visit").cast(pl.Enum(list(outcome.visits))),
        pl.col("arm").cast(pl.Enum([control, *(a.name for a in protocol.arms if a.name != control)])),
        change=pl.col("value") - pl.col("baseline"),
    )
    several = len(outcome.visits) > 1
    fit = fit_mmrm(
        table,
        response="change",
        fixed="arm * visit + baseline * visit" if several else "arm + baseline",
        subject="participant",
        visit="visit",
        covariance=plan.covariance if several else "cs",
        df=plan.degrees_of_freedom if several else "residual",
        level=1 - plan.alpha,
    )
    notes.append(f"{outcome.label or outcome.name}: change from baseline, adjusted for it; {fit.description}.")
    notes.extend(flag.message for flag in fit.flags if flag.severity != "note")
    contrasts = fit.contrasts(of="arm", by="visit" if several else None)
    for row in contrasts.iter_rows(named=True):
        visit = str(row["visit"]) if several else outcome.visits[0]
        n = table.filter(pl.col("visit") == visit).height
        label = f"{row['contrast']}, change to {visit}"
        yield Comparison(visit, label, _estimate(row, outcome, n, "MMRM of change", plan.alpha), MAIN)


def _split_scalp(protocol: Protocol, outcome: Outcome, values: pl.DataFrame, notes: list[str]) -> Iterator[Comparison]:
    control = next((arm.name for arm in protocol.arms if arm.control), protocol.arms[-1].name)
    treated = next(arm.name for arm in protocol.arms if arm.name != control)
    wide = values.with_columns(cell=pl.col("arm") + "\n" + pl.col("visit")).pivot(
        on="cell", index="participant", values="value", aggregate_function="mean"
    )
    for visit in outcome.visits:
        cells = [f"{arm}\n{when}" for arm in (treated, control) for when in (outcome.baseline, visit)]
        if not set(cells) <= set(wide.columns):
            notes.append(f"{outcome.name}: a side was not measured at {outcome.baseline} or {visit}.")
            continue
        columns = [wide[cell].cast(pl.Float64).fill_null(float("nan")).to_numpy() for cell in cells]
        found = estimate_split_scalp(*columns, unit=outcome.unit)
        yield Comparison(visit, f"{treated} − {control}, change to {visit}", found.difference, MAIN)


def _pair(values: pl.DataFrame, first: str, second: str) -> tuple[np.ndarray, np.ndarray]:
    before = values.filter(pl.col("visit") == first).select("participant", "arm", before="value")
    after = values.filter(pl.col("visit") == second).select("participant", "arm", after="value")
    joined = before.join(after, on=["participant", "arm"]).sort("participant", "arm")
    return joined["before"].to_numpy(), joined["after"].to_numpy()


def _estimate(row: dict[str, float], outcome: Outcome, n: int, name: str, alpha: float) -> Estimate:
    return Estimate(
        value=row["estimate"],
        unit=outcome.unit,
        ci_low=row["ci_low"],
        ci_high=row["ci_high"],
        n=n,
        method=f"{name}, df {row['df']:.1f}",
        level=1 - alpha,
        p_value=row["p_value"],
    )


def _means(values: pl.DataFrame) -> pl.DataFrame:
    """Mean of each arm and visit with its t interval, of everyone measured there."""
    rows = []
    for (arm, visit, week), group in values.group_by("arm", "visit", "week", maintain_order=True):
        seen = group["value"].to_numpy()
        low, high = _t_interval(seen)
        rows.append((arm, visit, week, len(seen), float(seen.mean()), low, high))
    schema = ["arm", "visit", "week", "n", "estimate", "ci_low", "ci_high"]
    types = [pl.String, pl.String, pl.Float64, pl.Int64, pl.Float64, pl.Float64, pl.Float64]
    return pl.DataFrame(rows, schema=dict(zip(schema, types, strict=True)), orient="row").sort("arm", "week")


def _t_interval(values: np.ndarray) -> tuple[float, float]:
    if len(values) < 2:
        return math.nan, math.nan
    margin = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
    return float(values.mean()) - margin, float(values.mean()) + margin
