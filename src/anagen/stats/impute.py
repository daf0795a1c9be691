"""Fill in what is missing under a stated assumption: the imputation model, and completed data from it.

The model is an MMRM of all arms. A strategy (`anagen.stats.impute_strategies`) says what mean and covariance a person
follows after leaving treatment; missing values are then their conditional mean, or a draw, given what was seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anagen.errors import InputError
from anagen.stats.design import Design, Factor, read_design, read_table
from anagen.stats.impute_strategies import STRATEGIES, Course, Strategy, assume_course
from anagen.stats.mmrm import MmrmFit, fit_design

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class ImputationData:
    """Everyone at every visit, and what to assume where they are missing.

    Parameters
    ----------
    design : Design
        The observed rows that the imputation model is fitted to (without those after an event that is not ``mar``).
    y : ndarray, shape (n, m)
        Responses, NaN where missing.
    own, reference : ndarray, shape (n, m, p)
        Design rows of each person and visit under the own arm and under the reference arm.
    arm : ndarray of int, shape (n,)
        Index of the arm of each person in `arms`.
    arms : tuple
        Names of the arms.
    reference_arm : int
        Index of the reference in `arms`.
    event : ndarray of int, shape (n,)
        First visit after the event; m where there is none.
    strategy : ndarray of str, shape (n,)
        Strategy of each person.
    person : ndarray of int, shape (n,)
        Row of each person in `people`.
    people : polars.DataFrame
        One row a subject of the table: its name, the arm and the other variables of the formula but the visit.
    """

    design: Design
    y: Floats
    own: Floats
    reference: Floats
    arm: Integers
    arms: tuple[Any, ...]
    reference_arm: int
    event: Integers
    strategy: NDArray[np.str_]
    person: Integers
    people: pl.DataFrame

    def keep(self, people: Integers) -> ImputationData:
        """Give the same of some people only; a person may be taken more than once, as in a bootstrap."""
        rows_of = _rows_by_subject(self)
        taken = [rows_of[person] for person in people]
        rows = np.concatenate(taken)
        codes = np.repeat(np.arange(len(people)), [len(rows) for rows in taken])
        present = np.unique(codes, return_inverse=True)[1]
        design = self.design.take(rows, present)
        return dataclasses.replace(
            self,
            design=design,
            y=self.y[people],
            own=self.own[people],
            reference=self.reference[people],
            arm=self.arm[people],
            event=self.event[people],
            strategy=self.strategy[people],
            person=self.person[people],
        )


def read_imputation_data(
    table: object,
    *,
    response: str,
    fixed: str,
    subject: str,
    visit: str,
    arm: str,
    reference: Any,
    strategy: Strategy = "jump-to-reference",
    events: object | None = None,
    group_covariance: bool = False,
) -> ImputationData:
    """Read a trial for reference-based imputation.

    Parameters
    ----------
    table : object
        One row a subject and visit; a visit missing altogether counts as a missing response. Variables of the formula
        other than the visit must not change within a person.
    response, subject, visit, arm : str
        Names of columns.
    fixed : str
        Right-hand side of the formula of the imputation model; it must use the arm.
    reference : object
        The arm that stands for no treatment.
    strategy : str
        One of `STRATEGIES`, for every event that names no other.
    events : object or None
        Table with the subject, the first visit after the event, and optionally the column ``strategy``. People it does
        not list are imputed under ``mar``. None: whoever is missing from some visit to the end has the event there.
    group_covariance : bool
        Give each arm a covariance of its own.

    Returns
    -------
    ImputationData

    Raises
    ------
    InputError
        For an arm that is not in the formula, an unknown reference, strategy, subject or visit, or a variable that
        changes within a person.
    """
    frame = read_table(table)
    seen = read_design(frame, response=response, fixed=fixed, subject=subject, visit=visit, group=arm)
    if arm not in seen.factors:
        raise InputError(f"arm = {arm!r} must stand in the formula fixed = {fixed!r}, as a category")
    if reference not in seen.factors[arm]:
        raise InputError(
            f"reference = {reference!r} is no level of {arm!r}; it has {', '.join(map(str, seen.factors[arm]))}"
        )
    people = _read_people(frame, seen, subject, visit)
    subjects = tuple(people[subject].to_list())
    visits = seen.visit.levels
    y = np.full((len(subjects), len(visits)), np.nan)
    place = {name: k for k, name in enumerate(subjects)}
    who = np.array([place[name] for name in seen.subject.levels])[seen.subject.codes]
    y[who, seen.visit.codes] = seen.y
    event, chosen = _read_events(events, y, subject, visit, place, visits, strategy)
    used = (seen.visit.codes < event[who]) | (chosen[who] == "mar")
    design = seen.take(np.flatnonzero(used), np.unique(who[used], return_inverse=True)[1])
    if not group_covariance:
        design = dataclasses.replace(design, group=Factor(("all",), np.zeros_like(design.group.codes)))
    arms = seen.factors[arm]
    own = _all_rows(design, people, visit, arm, None)
    return ImputationData(
        design,
        y,
        own,
        _all_rows(design, people, visit, arm, reference),
        np.array([arms.index(value) for value in people[arm].to_list()]),
        arms,
        arms.index(reference),
        event,
        chosen,
        np.arange(people.height),
        people,
    )


def fit_imputation_model(data: ImputationData, *, covariance: str = "us") -> MmrmFit:
    """Fit the MMRM that imputation draws on, by REML."""
    return fit_design(data.design, covariance=covariance, df="satterthwaite")


def impute_means(data: ImputationData, beta: Floats, sigmas: Mapping[int, Floats]) -> Floats:
    """Complete the data with conditional means, one imputation without noise.

    Parameters
    ----------
    data : ImputationData
        The trial.
    beta : ndarray, shape (p,)
        Coefficients of the imputation model.
    sigmas : mapping of int to ndarray of shape (m, m)
        Covariance of each arm, by its index.

    Returns
    -------
    ndarray, shape (n, m)
        Responses without gaps: seen ones unchanged.

    References
    ----------
    Wolbers M, Noci A, Delmar P, et al. Standard and reference-based conditional mean imputation. Pharm Stat
    2022;21:1246.
    """
    return _impute(data, beta, sigmas, None)


def impute_draws(data: ImputationData, beta: Floats, sigmas: Mapping[int, Floats], rng: np.random.Generator) -> Floats:
    """Complete the data with draws from the conditional distribution; see `impute_means`."""
    return _impute(data, beta, sigmas, rng)


def _impute(
    data: ImputationData, beta: Floats, sigmas: Mapping[int, Floats], rng: np.random.Generator | None
) -> Floats:
    y = data.y.copy()
    b = np.nan_to_num(beta)
    own, reference = data.own @ b, data.reference @ b
    missing = np.isnan(data.y)
    noise = None if rng is None else rng.standard_normal(y.shape)
    kinds = np.array([STRATEGIES.index(name) for name in data.strategy])
    labels = np.column_stack([missing, data.arm, data.event, kinds]).astype(int)
    alike, member = np.unique(labels, axis=0, return_inverse=True)
    for k, label in enumerate(alike):
        gap = label[: y.shape[1]].astype(bool)
        if not gap.any():
            continue
        rows = np.flatnonzero(member.ravel() == k)
        course = assume_course(
            data.strategy[rows[0]].item(),
            Course(own[rows], sigmas[int(data.arm[rows[0]])]),
            Course(reference[rows], sigmas[data.reference_arm]),
            int(data.event[rows[0]]),
        )
        y[np.ix_(rows, gap)] = _complete(course, y[rows], gap, None if noise is None else noise[np.ix_(rows, gap)])
    return y


def _complete(course: Course, y: Floats, gap: NDArray[np.bool_], noise: Floats | None) -> Floats:
    """Give y_missing | y_seen: the conditional mean, plus the root of the conditional covariance times the noise."""
    S, seen = course.sigma, ~gap
    slopes = np.linalg.solve(S[np.ix_(seen, seen)], S[np.ix_(seen, gap)]).T
    filled: Floats = course.mean[:, gap] + (y[:, seen] - course.mean[:, seen]) @ slopes.T
    if noise is not None:
        spread = S[np.ix_(gap, gap)] - slopes @ S[np.ix_(seen, gap)]
        filled = filled + noise @ np.linalg.cholesky(0.5 * (spread + spread.T)).T
    return filled


def arm_covariances(data: ImputationData, fit: MmrmFit) -> dict[int, Floats]:
    """Covariance of each arm in the fitted imputation model, by the index of the arm."""
    found = fit.covariances
    return {k: found.get(name, next(iter(found.values()))) for k, name in enumerate(data.arms)}


def _rows_by_subject(data: ImputationData) -> list[Integers]:
    """Rows of the design of each person; none for those who were never seen."""
    order = np.argsort(data.design.subject.codes, kind="stable")
    counts = np.bincount(data.design.subject.codes)
    blocks = np.split(order, np.cumsum(counts)[:-1])
    seen = _seen_in_model(data)
    rows: list[Integers] = [np.zeros(0, dtype=np.intp)] * len(data.y)
    for person, block in zip(np.flatnonzero(seen), blocks, strict=True):
        rows[person] = block
    return rows


def _seen_in_model(data: ImputationData) -> NDArray[np.bool_]:
    m = data.y.shape[1]
    before = np.arange(m)[None, :] < data.event[:, None]
    counted = np.isfinite(data.y) & (before | (data.strategy == "mar")[:, None])
    seen: NDArray[np.bool_] = counted.any(axis=1)
    return seen


def _read_people(frame: pl.DataFrame, design: Design, subject: str, visit: str) -> pl.DataFrame:
    constant = [name for name in (*design.factors, *design.numbers) if name != visit]
    known = frame.filter(pl.col(subject).is_not_null()).select(subject, *constant)
    per_person = known.group_by(subject, maintain_order=True).agg(
        *(pl.col(name).drop_nulls().n_unique().alias(f"n_{k}") for k, name in enumerate(constant)),
        *(pl.col(name).drop_nulls().first().alias(name) for name in constant),
    )
    for k, name in enumerate(constant):
        bad = per_person.filter(pl.col(f"n_{k}") != 1)
        if bad.height:
            why = "changes over time in" if bad[f"n_{k}"][0] > 1 else "is missing in"
            raise InputError(f"{name} {why} subject {bad[subject][0]!r}: imputation needs one value a person")
    return per_person.select(subject, *constant).sort(subject)


def _all_rows(design: Design, people: pl.DataFrame, visit: str, arm: str, instead: Any) -> Floats:
    m, n = len(design.visit.levels), people.height
    grid: dict[str, Any] = {}
    for name in (*design.factors, *design.numbers):
        if name == visit:
            grid[name] = list(design.visit.levels) * n
        elif name == arm and instead is not None:
            grid[name] = [instead] * (n * m)
        else:
            grid[name] = [value for value in people[name].to_list() for _ in range(m)]
    return design.rows_for(grid).reshape(n, m, -1)


def _read_events(
    events: object | None,
    y: Floats,
    subject: str,
    visit: str,
    place: Mapping[Any, int],
    visits: tuple[Any, ...],
    strategy: str,
) -> tuple[Integers, NDArray[np.str_]]:
    if strategy not in STRATEGIES:
        raise InputError(f"strategy must be one of {', '.join(STRATEGIES)}; got {strategy!r}")
    n, m = y.shape
    if events is None:
        # one visit after the last one seen: whoever comes back is imputed between under the same arm's mean
        last = np.where(np.isfinite(y), np.arange(1, m + 1), 0).max(axis=1)
        chosen = np.where(last < m, strategy, "mar").astype("<U32")
        return last.astype(np.intp), chosen
    event, chosen = np.full(n, m, dtype=np.intp), np.full(n, "mar", dtype="<U32")
    table = read_table(events)
    named = table["strategy"].to_list() if "strategy" in table.columns else [strategy] * table.height
    for who, when, what in zip(table[subject].to_list(), table[visit].to_list(), named, strict=True):
        if who not in place or when not in visits or what not in STRATEGIES:
            raise InputError(
                f"events: subject {who!r}, visit {when!r}, strategy {what!r}: each must be known to the table or one of"
                f" {', '.join(STRATEGIES)}"
            )
        event[place[who]], chosen[place[who]] = visits.index(when), what
    return event, chosen
