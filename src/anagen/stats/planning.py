"""Plan a trial: people needed, and the power of the analysis that will really be done, by simulating the trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special, stats

from anagen.errors import ConvergenceError, InputError, NotEnoughDataError
from anagen.records import Estimate
from anagen.stats.change import estimate_ancova, estimate_mean
from anagen.stats.design import Design, Factor, read_design
from anagen.stats.mmrm import fit_design
from anagen.stats.sample_size import power_ancova, power_one_group, power_two_groups, solve_n, split_scalp_sd
from anagen.stats.signed_rank import signed_rank_test

Floats = NDArray[np.float64]
Kind = Literal["parallel", "split-scalp", "single-arm"]
Analysis = Literal["mmrm", "ancova", "change", "signed-rank"]
ANALYSES: Final[dict[str, tuple[str, ...]]] = {
    "parallel": ("mmrm", "ancova", "change"),
    "split-scalp": ("change", "signed-rank"),
    "single-arm": ("change", "signed-rank"),
}
"""Analyses that answer the question of each design; the first is the default."""
CHUNK: Final = 50
"""Trials simulated from one child seed: the result depends on it, never on the number of workers."""
DEFAULT_SEED: Final = 20_240_822
FEWEST: Final = 4
"""People per group below which no simulated trial is worth an analysis."""


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """What is assumed and what will be done.

    Parameters
    ----------
    design : {"parallel", "split-scalp", "single-arm"}
        Two randomised groups; two sides of each head; one group without a control.
    difference : float
        True difference of the mean change at the last visit: treated minus control, or for a single arm the change
        itself; not 0.
    sd_change : float
        Standard deviation of the change from baseline to the last visit, of one person and side, above 0.
    correlation : float
        Between two visits of one person, baseline included, the same for all pairs; 0 to below 1.
    n_visits : int
        Visits after baseline, 1 to 20; the difference grows in equal steps up to the last.
    correlation_sides : float
        Between the changes of both sides of a head; for split-scalp only.
    dropout : float
        Share of people lost by the last visit, 0 to below 1, at random, the same share of those left at each visit.
    analysis : {"mmrm", "ancova", "change", "signed-rank"} or None
        What will be done with the data; None takes the first of `ANALYSES`.
    alpha : float
        Two-sided level.
    difference_sd : float
        Uncertainty of the difference itself: above 0, power becomes assurance (averaged over a normal prior).
    """

    design: Kind
    difference: float
    sd_change: float
    correlation: float = 0.85
    n_visits: int = 2
    correlation_sides: float = 0.5
    dropout: float = 0.15
    analysis: Analysis | None = None
    alpha: float = 0.05
    difference_sd: float = 0.0

    def __post_init__(self) -> None:
        rules: tuple[tuple[bool, str], ...] = (
            (self.design in ANALYSES, f"design must be one of {', '.join(ANALYSES)}, got {self.design!r}"),
            (
                math.isfinite(self.difference) and self.difference != 0,
                f"difference must not be 0, got {self.difference}",
            ),
            (0 < self.sd_change < math.inf, f"sd_change must be above 0, got {self.sd_change}"),
            (0 <= self.correlation < 1, f"correlation must lie from 0 to below 1, got {self.correlation}"),
            (1 <= self.n_visits <= 20, f"n_visits must lie from 1 to 20, got {self.n_visits}"),
            (-1 < self.correlation_sides < 1, f"correlation_sides must lie in -1 to 1, got {self.correlation_sides}"),
            (0 <= self.dropout < 1, f"dropout must lie from 0 to below 1, got {self.dropout}: 0.15 is 15 %"),
            (0 < self.alpha < 1, f"alpha must lie between 0 and 1, got {self.alpha}: 0.05 is usual"),
            (self.difference_sd >= 0, f"difference_sd must be 0 or more, got {self.difference_sd}"),
        )
        for holds, message in rules:
            if not holds:
                raise InputError(message)
        allowed = ANALYSES[self.design]
        if self.analysis is None:
            object.__setattr__(self, "analysis", allowed[0])
        if self.analysis not in allowed:
            raise InputError(f"a {self.design} trial is analysed by {' or '.join(allowed)}, got {self.analysis!r}")

    @property
    def sd_visit(self) -> float:
        """Standard deviation of one visit that goes with `sd_change` and `correlation`."""
        return self.sd_change / math.sqrt(2 * (1 - self.correlation))

    @property
    def n_groups(self) -> int:
        """Groups of people to enrol."""
        return 2 if self.design == "parallel" else 1


@dataclass(frozen=True, slots=True)
class SampleSize:
    """People needed, by formula.

    Parameters
    ----------
    n_analysed : float
        Per group, at the last visit, not rounded.
    n_enrolled : int
        Per group, so that after drop-out as many are left.
    n_total : int
        In all groups.
    power : float
        Wanted.
    formula : str
        Which one.
    """

    n_analysed: float
    n_enrolled: int
    n_total: int
    power: float
    formula: str


@dataclass(frozen=True, slots=True)
class SimulatedPower:
    """What simulated trials showed.

    Parameters
    ----------
    n_per_group, n_trials, n_failed : int
        People enrolled per group; trials simulated; trials whose analysis gave no answer (counted as not significant).
    power : Estimate
        Share of trials significant in the planned direction, with exact binomial interval of the simulation.
    coverage : Estimate
        Share of intervals that hold the true difference.
    mean_estimate : Estimate
        Mean of the estimates: their bias is its distance to the true difference.
    mean_std_error, sd_estimate : float
        Mean of the standard errors as reported, and standard deviation of the estimates; alike when the former are
        honest. NaN for the signed-rank test.
    mean_n_analysed : float
        People with the last visit, over all groups.
    """

    n_per_group: int
    n_trials: int
    n_failed: int
    power: Estimate
    coverage: Estimate
    mean_estimate: Estimate
    mean_std_error: float
    sd_estimate: float
    mean_n_analysed: float


@dataclass(frozen=True, slots=True)
class SimulationTask:
    """Some trials from one child seed; small enough to travel to any worker.

    Parameters
    ----------
    plan : TrialPlan
        The trial.
    n_per_group : int
        People enrolled per group.
    n_trials : int
        How many trials.
    seed, number : int
        Seed of the whole simulation, and which child of it this is.
    """

    plan: TrialPlan
    n_per_group: int
    n_trials: int
    seed: int
    number: int


def find_sample_size(plan: TrialPlan, *, power: float = 0.9) -> SampleSize:
    """Find the people needed by formula, for the simplest analysis that the planned one is at least as good as.

    Parameters
    ----------
    plan : TrialPlan
        For ``ancova`` and ``mmrm`` the formula is that of ANCOVA; an MMRM's use of early visits of people who drop out
        is left out, which is safe. The signed-rank test is given pi/3 as many people as
        the t-test (its efficiency for normal data).
    power : float
        Wanted, between alpha / 2 and 1.

    Returns
    -------
    SampleSize

    Examples
    --------
    >>> plan = TrialPlan("parallel", difference=10, sd_change=22, analysis="change", dropout=0.15)
    >>> size = find_sample_size(plan)
    >>> math.ceil(size.n_analysed), size.n_enrolled
    (103, 122)
    """
    power_of, formula = _formula(plan)
    n = solve_n(power_of, plan.difference, power=power, alpha=plan.alpha)
    n_enrolled = max(math.ceil(math.ceil(n) / (1 - plan.dropout) - 1e-9), FEWEST)
    return SampleSize(n, n_enrolled, n_enrolled * plan.n_groups, power, formula)


def power_by_formula(plan: TrialPlan, n_per_group: int) -> float:
    """Power of the same formula as `find_sample_size` when `n_per_group` people are enrolled per group."""
    return _formula(plan)[0](max(n_per_group * (1 - plan.dropout), 2.1))


def list_simulation_tasks(
    plan: TrialPlan, n_per_group: int, *, n_trials: int = 2000, seed: int = DEFAULT_SEED
) -> list[SimulationTask]:
    """Cut a simulation into pieces that any worker may do in any order.

    Parameters
    ----------
    plan : TrialPlan
        The trial.
    n_per_group : int
        People enrolled per group, at least 3.
    n_trials : int
        Trials to simulate, at least 1: 2,000 give a power of 0.9 to within 0.013.
    seed : int
        The same seed gives the same trials.

    Returns
    -------
    list of SimulationTask
        In order; hand each to `simulate_trials` and the results, in this order, to `summarise_simulation`.
    """
    if n_per_group < 3:
        raise InputError(f"n_per_group must be at least 3, got {n_per_group}")
    if n_trials < 1:
        raise InputError(f"n_trials must be at least 1, got {n_trials}")
    sizes = [min(CHUNK, n_trials - first) for first in range(0, n_trials, CHUNK)]
    return [SimulationTask(plan, n_per_group, size, seed, number) for number, size in enumerate(sizes)]


def simulate_trials(task: SimulationTask) -> Floats:
    """Simulate and analyse some trials.

    Parameters
    ----------
    task : SimulationTask
        From `list_simulation_tasks`.

    Returns
    -------
    ndarray, shape (n_trials, 7)
        Columns: true difference, estimate, std_error, p_value, ci_low, ci_high, people with the last visit; a row of
        NaN where the analysis gave no answer.
    """
    plan = task.plan
    rng = np.random.default_rng(np.random.SeedSequence(task.seed, spawn_key=(task.number,)))
    analyse = _ANALYSES[plan.analysis or ANALYSES[plan.design][0]]
    results = np.full((task.n_trials, 7), np.nan)
    for row in results:
        difference = plan.difference + plan.difference_sd * rng.standard_normal()
        trial = _simulate(rng, plan, task.n_per_group, difference)
        row[0], row[6] = difference, trial.seen[:, -1].sum()
        try:
            row[1:6] = analyse(trial, plan)
        except (NotEnoughDataError, ConvergenceError):
            continue  # a trial without an answer is part of the result: it counts as not significant
    return results


def summarise_simulation(tasks: Sequence[SimulationTask], results: Iterable[Floats]) -> SimulatedPower:
    """Join what `simulate_trials` returned, in the order of the tasks.

    Parameters
    ----------
    tasks : sequence of SimulationTask
        From `list_simulation_tasks`.
    results : iterable of ndarray
        One for each task, in the same order.

    Returns
    -------
    SimulatedPower
    """
    plan = tasks[0].plan
    rows = np.concatenate(list(results))
    true, estimate, error, p_value, low, high, seen = rows.T
    answered = np.isfinite(estimate)
    with np.errstate(invalid="ignore"):
        success = answered & (p_value < plan.alpha) & (estimate * math.copysign(1, plan.difference) > 0)
        covered = (low <= true) & (true <= high)
    with_interval = np.isfinite(low)
    n = int(answered.sum())
    mean = float(estimate[answered].mean()) if n else math.nan
    spread = float(estimate[answered].std(ddof=1)) if n > 1 else math.nan
    reach = 1.959964 * spread / math.sqrt(n) if n > 1 else math.nan
    return SimulatedPower(
        n_per_group=tasks[0].n_per_group,
        n_trials=len(rows),
        n_failed=len(rows) - n,
        power=_share(int(success.sum()), len(rows), "assurance" if plan.difference_sd > 0 else "power"),
        coverage=_share(int(covered.sum()), int(with_interval.sum()), "coverage"),
        mean_estimate=Estimate(mean, "1", mean - reach, mean + reach, n, "mean of simulated estimates"),
        mean_std_error=float(error[answered].mean()) if n else math.nan,
        sd_estimate=spread,
        mean_n_analysed=float(seen.mean()),
    )


def simulate_power(
    plan: TrialPlan,
    n_per_group: int,
    *,
    n_trials: int = 2000,
    seed: int = DEFAULT_SEED,
    run: Callable[[Callable[[SimulationTask], Floats], Iterable[SimulationTask]], Iterable[Floats]] = map,
) -> SimulatedPower:
    """Simulate the whole trial, drop-out and planned analysis included, many times.

    Measurements are normal, equally correlated between visits; people drop out at random. Use it where the formula's
    assumptions end: drop-out with an MMRM, a signed-rank test, an uncertain difference.

    Parameters
    ----------
    plan : TrialPlan
        The trial; with ``difference_sd`` above 0 the share of successes is the assurance.
    n_per_group : int
        People enrolled per group, at least 3.
    n_trials : int
        Trials to simulate.
    seed : int
        The same seed gives the same trials and the same result, whatever `run` does.
    run : callable
        Like `map`: calls a function on each task and gives the results in order. Pass a pool's to use all cores.

    Returns
    -------
    SimulatedPower

    References
    ----------
    O'Hagan, Stevens, Campbell (2005), Pharm Stat 4:187 (assurance); Morris, White, Crowther (2019), Stat Med 38:2074.

    Examples
    --------
    >>> plan = TrialPlan("split-scalp", difference=15, sd_change=22)
    >>> simulate_power(plan, 30, n_trials=100).n_trials
    100
    """
    tasks = list_simulation_tasks(plan, n_per_group, n_trials=n_trials, seed=seed)
    return summarise_simulation(tasks, run(simulate_trials, tasks))


@dataclass(frozen=True, slots=True)
class _Trial:
    """One simulated trial: baseline, change at each visit, group of each person, and what was seen."""

    baseline: Floats
    changes: Floats
    treated: NDArray[np.bool_]
    seen: NDArray[np.bool_]


def _simulate(rng: np.random.Generator, plan: TrialPlan, n_per_group: int, difference: float) -> _Trial:
    """People's visits: a shared level (variance r) and the visit's own part (variance 1 - r)."""
    n, visits = n_per_group * plan.n_groups, plan.n_visits
    level = math.sqrt(plan.correlation) * rng.standard_normal((n, 1))
    own = math.sqrt(1 - plan.correlation) * rng.standard_normal((n, visits + 1))
    values = plan.sd_visit * (level + own)
    changes = values[:, 1:] - values[:, :1]
    steps = difference * np.arange(1, visits + 1) / visits
    treated = np.arange(n) < n_per_group
    if plan.design == "split-scalp":
        # Only the difference of the sides is analysed: it has the change's distribution, wider or narrower.
        changes = changes * math.sqrt(2 * (1 - plan.correlation_sides))
    changes = changes + np.where(treated[:, None], steps, 0.0)
    stays = (1 - plan.dropout) ** (1 / visits)
    seen = np.logical_and.accumulate(rng.random((n, visits)) < stays, axis=1)
    return _Trial(values[:, 0], changes, treated, seen)


def _analyse_change(trial: _Trial, plan: TrialPlan) -> tuple[float, ...]:
    last, seen = trial.changes[:, -1], trial.seen[:, -1]
    if plan.design == "parallel":
        return _two_sample_t(last[seen & trial.treated], last[seen & ~trial.treated], plan.alpha)
    return _row(estimate_mean(last[seen], level=1 - plan.alpha))


def _analyse_ancova(trial: _Trial, plan: TrialPlan) -> tuple[float, ...]:
    last = np.where(trial.seen[:, -1], trial.baseline + trial.changes[:, -1], np.nan)
    fit = estimate_ancova(trial.baseline, last, trial.treated, level=1 - plan.alpha)
    return _row(fit.difference, fit.std_error)


def _analyse_signed_rank(trial: _Trial, plan: TrialPlan) -> tuple[float, ...]:
    test = signed_rank_test(trial.changes[trial.seen[:, -1], -1], level=1 - plan.alpha)
    return (test.shift.value, math.nan, test.p_value, test.shift.ci_low, test.shift.ci_high)


def _analyse_mmrm(trial: _Trial, plan: TrialPlan) -> tuple[float, ...]:
    """Change at each visit on group and baseline, both by visit; unstructured covariance, Kenward-Roger."""
    fewest = min(int(trial.seen[group].sum(axis=0).min()) for group in (trial.treated, ~trial.treated))
    if fewest < 2:
        raise NotEnoughDataError(f"an MMRM needs 2 people of each group at each visit, got {fewest}")
    design, contrast = _mmrm_design(trial)
    row = fit_design(design, level=1 - plan.alpha).estimate(contrast).row(0, named=True)
    return tuple(float(row[name]) for name in ("estimate", "std_error", "p_value", "ci_low", "ci_high"))


_ANALYSES: Final[dict[str, Callable[[_Trial, TrialPlan], tuple[float, ...]]]] = {
    "mmrm": _analyse_mmrm,
    "ancova": _analyse_ancova,
    "change": _analyse_change,
    "signed-rank": _analyse_signed_rank,
}


def _mmrm_design(trial: _Trial) -> tuple[Design, Floats]:
    """Design of the MMRM written down directly: a formula read anew for each trial would take longer than the fit."""
    person, visit = np.nonzero(trial.seen)
    n_visits = trial.seen.shape[1]
    at = (visit[:, None] == np.arange(n_visits)).astype(float)
    baseline = (trial.baseline - trial.baseline.mean())[person, None]
    X = np.hstack([at, at * trial.treated[person, None], at * baseline])
    people, codes = np.unique(person, return_inverse=True)
    template = _template(n_visits)
    contrast = np.zeros(X.shape[1])
    contrast[2 * n_visits - 1] = 1.0
    design = replace(
        template,
        X=X,
        names=tuple(str(k) for k in range(X.shape[1])),
        kept=np.arange(X.shape[1]),
        y=trial.changes[person, visit],
        weights=np.ones(len(person)),
        subject=Factor(tuple(people.tolist()), codes),
        visit=Factor(tuple(range(n_visits)), visit),
        group=Factor(template.group.levels, np.zeros(len(person), dtype=np.intp)),
    )
    return design, contrast


@cache
def _template(n_visits: int) -> Design:
    """Read a design of the right kind, for its fields that a simulation does not change."""
    rows = {
        "who": np.repeat([0, 1, 2], n_visits),
        "when": np.tile(np.arange(n_visits), 3),
        "y": np.arange(3.0 * n_visits),
    }
    return read_design(
        pl.DataFrame(rows), response="y", fixed="1", subject="who", visit="when", group=None, weights=None
    )


def _two_sample_t(treated: Floats, control: Floats, alpha: float) -> tuple[float, ...]:
    n_1, n_0 = len(treated), len(control)
    if min(n_1, n_0) < 2:
        raise NotEnoughDataError(f"a t-test needs 2 people in each group, got {n_1} and {n_0}")
    df = n_1 + n_0 - 2
    variance = (float(np.var(treated)) * n_1 + float(np.var(control)) * n_0) / df
    error = math.sqrt(variance * (1 / n_1 + 1 / n_0))
    value = float(treated.mean() - control.mean())
    reach = -float(special.stdtrit(df, alpha / 2)) * error
    return value, error, float(2 * special.stdtr(df, -abs(value) / error)), value - reach, value + reach


def _row(estimate: Estimate, std_error: float | None = None) -> tuple[float, ...]:
    if std_error is None:
        reach = (estimate.ci_high - estimate.ci_low) / 2
        std_error = -reach / float(special.stdtrit(estimate.n - 1, (1 - estimate.level) / 2))
    p_value = math.nan if estimate.p_value is None else estimate.p_value
    return estimate.value, std_error, p_value, estimate.ci_low, estimate.ci_high


def _formula(plan: TrialPlan) -> tuple[Callable[[float], float], str]:
    """Power for n people per group who complete the trial, and the name of the formula."""
    gain = 3 / math.pi if plan.analysis == "signed-rank" else 1.0
    suffix = ", times pi/3 for the signed-rank test" if plan.analysis == "signed-rank" else ""
    if plan.design == "parallel" and plan.analysis != "change":
        r, sd = plan.correlation, plan.sd_visit
        return lambda n: power_ancova(n, plan.difference, sd, r, alpha=plan.alpha), "analysis of covariance"
    if plan.design == "parallel":
        return (
            lambda n: power_two_groups(n, plan.difference, plan.sd_change, alpha=plan.alpha)
        ), "two-sample t-test of changes"
    sd, name = plan.sd_change, "one-sample t-test of changes"
    if plan.design == "split-scalp":
        sd, name = split_scalp_sd(plan.sd_change, plan.correlation_sides), "paired t-test of the sides' changes"
    return lambda n: power_one_group(gain * n, plan.difference, sd, alpha=plan.alpha), name + suffix


def _share(count: int, n: int, name: str) -> Estimate:
    if n == 0:
        return Estimate(math.nan, "1", math.nan, math.nan, 0, f"{name}, none simulated")
    interval = stats.binomtest(count, n).proportion_ci(method="exact")
    method = f"{name}: share of simulated trials, Clopper-Pearson"
    return Estimate(count / n, "1", float(interval.low), float(interval.high), n, method)
