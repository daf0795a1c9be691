"""Plan a trial: people needed, power of the planned analysis, and the paragraph for the protocol."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from anagen.records import Estimate
from anagen.stats import (
    SampleSize,
    SimulatedPower,
    TrialPlan,
    find_sample_size,
    list_simulation_tasks,
    power_by_formula,
    simulate_trials,
    summarise_simulation,
)
from anagen.workflows.ports import Progress, Runner

ANALYSIS_WORDS: Final = {
    "mmrm": "a mixed model for repeated measures of the change from baseline (group, visit, baseline and their "
    "interactions with visit; unstructured covariance; Kenward-Roger)",
    "ancova": "an analysis of covariance of the last visit with the baseline as covariate",
    "change": "a t-test of the change from baseline",
    "signed-rank": "an exact Wilcoxon signed-rank test of the change from baseline",
}
WHAT_IT_CANNOT_SHOW: Final = {
    "parallel": "",
    "split-scalp": " What diffuses or acts through the blood reaches both sides and draws the difference towards 0.",
    "single-arm": " Without a control group the trial can show that the measure changed, not that the treatment "
    "changed it.",
}


@dataclass(frozen=True)
class PlannedTrial:
    """A plan with its numbers.

    Parameters
    ----------
    plan : TrialPlan
        What was assumed.
    size : SampleSize
        People needed by formula.
    n_per_group : int
        People enrolled per group: as given, else as found.
    formula_power : float
        Power of `n_per_group` by the formula.
    simulated : SimulatedPower or None
        Power by simulation; None when no trials were asked for.
    paragraph : str
        For the protocol.
    """

    plan: TrialPlan
    size: SampleSize
    n_per_group: int
    formula_power: float
    simulated: SimulatedPower | None
    paragraph: str


def plan_trial(
    plan: TrialPlan,
    *,
    power: float,
    n_per_group: int | None,
    n_trials: int,
    seed: int,
    unit: str,
    runner: Runner,
    progress: Progress,
) -> PlannedTrial:
    """Find the sample size and simulate the trial with it.

    Parameters
    ----------
    plan : TrialPlan
        What is assumed.
    power : float
        Wanted.
    n_per_group : int or None
        People enrolled per group; None takes what the formula gives.
    n_trials : int
        Trials to simulate; 0 for none.
    seed : int
        The same seed gives the same result, whatever the runner.
    unit : str
        Of the measure, as printed.
    runner : Runner
        Who simulates.
    progress : Progress
        Told of each piece.

    Returns
    -------
    PlannedTrial
    """
    size = find_sample_size(plan, power=power)
    n = size.n_enrolled if n_per_group is None else n_per_group
    simulated = _simulate(plan, n, n_trials, seed, runner, progress) if n_trials else None
    formula_power = power_by_formula(plan, n)
    paragraph = _write_paragraph(plan, size, n, formula_power, simulated, seed, unit)
    return PlannedTrial(plan, size, n, formula_power, simulated, paragraph)


def _simulate(
    plan: TrialPlan, n_per_group: int, n_trials: int, seed: int, runner: Runner, progress: Progress
) -> SimulatedPower:
    tasks = list_simulation_tasks(plan, n_per_group, n_trials=n_trials, seed=seed)
    done = {}
    progress.start("simulating trials", len(tasks))
    try:
        for index, result in runner.run(simulate_trials, tasks):
            done[index] = result
            progress.step()
    finally:
        progress.finish()
    return summarise_simulation(tasks, [done[index] for index in range(len(tasks))])


def _write_paragraph(
    plan: TrialPlan,
    size: SampleSize,
    n: int,
    formula_power: float,
    simulated: SimulatedPower | None,
    seed: int,
    unit: str,
) -> str:
    per = " per group" if plan.n_groups == 2 else ""
    people = f"{n} people{per}" + (f" ({n * plan.n_groups} in all)" if plan.n_groups == 2 else "")
    text = f"{_say_assumptions(plan, unit)} "
    if n == size.n_enrolled:
        text += (
            f"{_percent(size.power, 0)} power at a two-sided level of {_percent(plan.alpha, 1)} needs "
            f"{math.ceil(size.n_analysed)} people{per} who complete the trial ({size.formula}); with "
            f"{_percent(plan.dropout, 0)} expected to drop out, {people} will be enrolled."
        )
    else:
        text += (
            f"With {people} enrolled and {_percent(plan.dropout, 0)} expected to drop out, the power at a two-sided "
            f"level of {_percent(plan.alpha, 1)} is {_percent(formula_power, 1)} ({size.formula})."
        )
    text += f" The analysis is {_say_analysis(plan)}."
    if simulated is not None:
        text += " " + _say_simulation(plan, simulated, seed)
    return text + WHAT_IT_CANNOT_SHOW[plan.design]


def _say_assumptions(plan: TrialPlan, unit: str) -> str:
    visits = "one visit" if plan.n_visits == 1 else f"{plan.n_visits} visits"
    what = {
        "parallel": "difference{size} between treated and control group in the mean change from baseline",
        "split-scalp": "difference{size} between treated and control side of the same heads in the mean change from "
        "baseline",
        "single-arm": "mean change{size} from baseline",
    }[plan.design]
    doubt = f" (standard deviation of its prior {plan.difference_sd:g})" if plan.difference_sd > 0 else ""
    what = what.format(size=f" of {plan.difference:g} {unit}{doubt}")
    sides = f", of {plan.correlation_sides:g} between the changes of both sides" if plan.design == "split-scalp" else ""
    return (
        f"The trial is planned to detect a {what} after {visits}, with a standard deviation of the change of "
        f"{plan.sd_change:g} {unit} and a correlation of {plan.correlation:g} between visits{sides}."
    )


def _say_analysis(plan: TrialPlan) -> str:
    words = ANALYSIS_WORDS[str(plan.analysis)]
    if plan.design == "split-scalp":
        return words.replace("the change from baseline", "the sides' difference in the change from baseline")
    return words


def _say_simulation(plan: TrialPlan, simulated: SimulatedPower, seed: int) -> str:
    name = "assurance (power averaged over the prior of the difference)" if plan.difference_sd > 0 else "power"
    failed = f" {simulated.n_failed} trials gave no answer and count as not significant." if simulated.n_failed else ""
    return (
        f"In {simulated.n_trials:,} simulated trials of this size with this drop-out, analysed as planned, the {name} "
        f"was {_say_share(simulated.power)}, and {_percent(1 - plan.alpha, 0)} intervals held the true difference in "
        f"{_say_share(simulated.coverage)} (Anagen, seed {seed}).{failed}"
    )


def _say_share(share: Estimate) -> str:
    low, high = 100 * share.ci_low, 100 * share.ci_high
    return f"{_percent(share.value, 1)} (95 % interval {low:.1f} to {high:.1f})"


def _percent(share: float, digits: int) -> str:
    text = f"{100 * share:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"
