"""How far the primary outcome's answer leans on what was not measured."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from anagen.errors import AnagenError
from anagen.records import Estimate
from anagen.stats import STRATEGIES, TippingPoint, analyse_imputed, find_tipping_change, find_tipping_point
from anagen.study.protocol import Outcome, Protocol
from anagen.workflows.comparison import MAIN, SENSITIVITY, Comparison

STRATEGY_OF_PLAN = {
    "mar": "mar",
    "jump-to-reference": "jump-to-reference",
    "copy-reference": "copy-reference",
    "copy-increments": "copy-increments",
    "last-mean": "last-mean-carried-forward",
}
N_SHIFTS = 41
BELIEVABLE = 4.0
"""Shifts reach to this many times the largest change that was seen in anyone."""


@dataclass(frozen=True, eq=False)
class MissingValues:
    """What missing values of one outcome could change.

    Parameters
    ----------
    outcome : Outcome
        The primary one.
    visit : str
        Its last visit.
    arm : str
        Whose missing values are shifted; empty in a single arm.
    n_people, n_missing : int
        People of that arm in the analysis, and those without a value at the visit.
    tipping : TippingPoint or None
        None when nothing is missing or no model could be fitted.
    largest_fall, largest_rise : float
        Smallest and largest change that was seen in anyone, in the outcome's unit.
    alpha : float
        Level of the test.
    why_not : str
        Why there is no tipping point.
    """

    outcome: Outcome
    visit: str
    arm: str
    n_people: int
    n_missing: int
    tipping: TippingPoint | None
    largest_fall: float
    largest_rise: float
    alpha: float
    why_not: str = ""


def examine_missing(protocol: Protocol, outcome: Outcome, values: pl.DataFrame) -> MissingValues | None:
    """Find how far missing values at the last visit must lie from what is expected to turn the conclusion.

    Parameters
    ----------
    protocol : Protocol
        Design and level.
    outcome : Outcome
        The primary outcome.
    values : polars.DataFrame
        participant, arm, visit, week, value: one row a participant and visit.

    Returns
    -------
    MissingValues or None
        None in a split-scalp study, whose analysis uses people with both sides only.
    """
    kind = protocol.design.kind
    if kind == "split-scalp" or values.is_empty():
        return None
    control = control_of(protocol) if kind == "parallel" else ""
    arm = "" if kind == "single-arm" else next(a.name for a in protocol.arms if a.name != control)
    of_arm = values if not arm else values.filter(pl.col("arm") == arm)
    visit = outcome.visits[-1]
    changes = _changes(of_arm, outcome.baseline, visit)
    people = of_arm.filter(pl.col("visit").is_in([outcome.baseline, *outcome.visits]))["participant"].unique()
    if arm:  # without a baseline nobody enters the comparison of arms
        people = of_arm.filter(pl.col("visit") == outcome.baseline)["participant"].unique()
    there = set(of_arm.filter(pl.col("visit") == visit)["participant"].to_list())
    n_missing = sum(person not in there for person in people.to_list())
    found = MissingValues(
        outcome=outcome,
        visit=visit,
        arm=arm,
        n_people=len(people),
        n_missing=n_missing,
        tipping=None,
        largest_fall=float(changes.min()) if len(changes) else math.nan,
        largest_rise=float(changes.max()) if len(changes) else math.nan,
        alpha=protocol.analysis.alpha,
    )
    if not n_missing:
        return replace(found, why_not=f"nobody in the analysis lacks a value at {visit}")
    try:
        shifts = _shifts(changes, n_missing / len(people))
        tipping = (
            _tip_arms(protocol, outcome, values, control, arm, shifts)
            if arm
            else _tip_one_arm(protocol, outcome, values, shifts)
        )
    except AnagenError as error:
        return replace(found, why_not=f"no model could be fitted ({' '.join(str(error).split())})")
    return replace(found, tipping=tipping)


def compare_as_planned(
    protocol: Protocol, outcome: Outcome, values: pl.DataFrame, comparisons: tuple[Comparison, ...]
) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    """Analyse a trial with arms under each assumption on missing values; the planned one leads.

    Parameters
    ----------
    protocol, outcome, values
        As for `examine_missing`; the design is ``parallel``.
    comparisons : tuple of Comparison
        Those under missing at random, the planned role given to them.

    Returns
    -------
    comparisons : tuple of Comparison
        The planned ones first; those under the other assumptions as sensitivity analyses.
    notes : tuple of str
        What could not be done.
    """
    planned = STRATEGY_OF_PLAN[protocol.analysis.missing_data]
    control = control_of(protocol)
    if not any(arm.control for arm in protocol.arms) or not _incomplete(values, outcome):
        return comparisons, ()
    table = whole_table(values, outcome)
    first: list[Comparison] = []
    later: list[Comparison] = []
    notes: list[str] = []
    for strategy in STRATEGIES[1:]:  # the first, missing at random, is the model of all that was seen
        try:
            found = analyse_imputed(table, strategy=strategy, **_imputation(protocol, outcome, control))
        except AnagenError as error:
            notes.append(f"{strategy}: no analysis could be made ({' '.join(str(error).split())})")
            continue
        role = MAIN if strategy == planned else SENSITIVITY
        made = [
            Comparison(row["visit"], f"{row['quantity']}, change to {row['visit']}", estimate, role)
            for row in found.table.iter_rows(named=True)
            if " - " in row["quantity"]
            for estimate in [_estimate(row, outcome, values, protocol.analysis.alpha, strategy)]
        ]
        (first if role == MAIN else later).extend(made)
    if first:
        comparisons = tuple(replace(c, role=SENSITIVITY) for c in comparisons)
    return (*first, *comparisons, *later), tuple(notes)


def control_of(protocol: Protocol) -> str:
    """Name of the control arm; the first arm where none is marked."""
    return next((arm.name for arm in protocol.arms if arm.control), protocol.arms[0].name)


def whole_table(values: pl.DataFrame, outcome: Outcome) -> pl.DataFrame:
    """Give everyone with a baseline at every later visit: participant, arm, visit, baseline, change (null: missing)."""
    people = values.filter(pl.col("visit") == outcome.baseline).select("participant", "arm", baseline="value")
    visits = pl.DataFrame({"visit": list(outcome.visits)})
    later = values.select("participant", "visit", "value")
    return (
        people.join(visits, how="cross")
        .join(later, on=["participant", "visit"], how="left", maintain_order="left")
        .with_columns(change=pl.col("value") - pl.col("baseline"))
    )


def _incomplete(values: pl.DataFrame, outcome: Outcome) -> bool:
    return whole_table(values, outcome)["change"].null_count() > 0


def _imputation(protocol: Protocol, outcome: Outcome, control: str) -> dict[str, Any]:
    several = len(outcome.visits) > 1
    return {
        "response": "change",
        "fixed": "baseline * visit + arm * visit" if several else "baseline + arm",
        "subject": "participant",
        "visit": "visit",
        "arm": "arm",
        "reference": control,
        "analysis": "arm + baseline",
        "covariance": protocol.analysis.covariance if several else "cs",
        "level": 1 - protocol.analysis.alpha,
    }


def _tip_arms(
    protocol: Protocol, outcome: Outcome, values: pl.DataFrame, control: str, arm: str, shifts: np.ndarray
) -> TippingPoint:
    return find_tipping_point(
        whole_table(values, outcome),
        at_visit=outcome.visits[-1],
        deltas=shifts,
        shifted_arm=arm,
        p_limit=protocol.analysis.alpha,
        strategy="mar",
        **_imputation(protocol, outcome, control),
    )


def _tip_one_arm(protocol: Protocol, outcome: Outcome, values: pl.DataFrame, shifts: np.ndarray) -> TippingPoint:
    return find_tipping_change(
        values.filter(pl.col("visit").is_in([outcome.baseline, *outcome.visits])),
        response="value",
        subject="participant",
        visit="visit",
        baseline=outcome.baseline,
        at_visit=outcome.visits[-1],
        deltas=shifts,
        p_limit=protocol.analysis.alpha,
        covariance=protocol.analysis.covariance,
        level=1 - protocol.analysis.alpha,
    )


def _changes(values: pl.DataFrame, first: str, last: str) -> np.ndarray:
    before = values.filter(pl.col("visit") == first).select("participant", before="value")
    after = values.filter(pl.col("visit") == last).select("participant", after="value")
    both = before.join(after, on="participant")
    return (both["after"] - both["before"]).to_numpy()


def _shifts(changes: np.ndarray, share_missing: float) -> np.ndarray:
    """Wide enough that the mean change passes through zero and out at the other side, but not beyond belief."""
    if len(changes) < 2:
        return np.zeros(1)
    error = float(changes.std(ddof=1)) / math.sqrt(len(changes))
    turning = 1.2 * (abs(float(changes.mean())) + 4 * error) / share_missing
    reach = min(turning, BELIEVABLE * float(np.abs(changes).max()))
    return np.linspace(-reach, reach, N_SHIFTS)


def _estimate(row: dict[str, float], outcome: Outcome, values: pl.DataFrame, alpha: float, strategy: str) -> Estimate:
    n = values.filter(pl.col("visit") == outcome.baseline)["participant"].n_unique()
    return Estimate(
        value=row["estimate"],
        unit=outcome.unit,
        ci_low=row["ci_low"],
        ci_high=row["ci_high"],
        n=n,
        method=f"imputed: {strategy.replace('-', ' ')}; jackknife",
        level=1 - alpha,
        p_value=row["p_value"],
    )
