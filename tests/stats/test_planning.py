import math

import numpy as np
import polars as pl
import pytest

from anagen.errors import InputError
from anagen.stats import (
    TrialPlan,
    estimate_ancova,
    find_sample_size,
    fit_mmrm,
    list_simulation_tasks,
    power_by_formula,
    simulate_power,
    simulate_trials,
    summarise_simulation,
)
from anagen.stats.planning import _analyse_ancova, _analyse_change, _analyse_mmrm, _simulate

PARALLEL = TrialPlan("parallel", difference=10, sd_change=22, analysis="ancova")


def three_sigma(power, n_trials):
    return 3 * math.sqrt(power * (1 - power) / n_trials)


def test_enrolment_allows_for_dropout():
    size = find_sample_size(TrialPlan("parallel", difference=10, sd_change=22, analysis="change", dropout=0.15))
    assert (math.ceil(size.n_analysed), size.n_enrolled, size.n_total) == (103, 122, 244)
    assert find_sample_size(TrialPlan("split-scalp", 10, 22, dropout=0)).n_enrolled == 53
    assert find_sample_size(TrialPlan("single-arm", 100, 22)).n_enrolled >= 4


@pytest.mark.parametrize(
    "plan",
    [
        TrialPlan("parallel", 10, 22, analysis="change", dropout=0),
        TrialPlan("parallel", 10, 22, analysis="ancova", dropout=0),
        TrialPlan("split-scalp", 10, 22, dropout=0, correlation_sides=0.3),
        TrialPlan("single-arm", 10, 22, dropout=0),
        TrialPlan("single-arm", 10, 22, dropout=0, analysis="signed-rank"),
    ],
)
def test_simulation_agrees_with_the_formula_and_its_intervals_cover(plan):
    n = find_sample_size(plan, power=0.8).n_enrolled
    found = simulate_power(plan, n, n_trials=300)
    expected = power_by_formula(plan, n)
    # pi/3 is the asymptotic price of ranks; with 40 people it is a little off.
    slack = 0.02 if plan.analysis == "signed-rank" else 0.005
    assert abs(found.power.value - expected) < three_sigma(expected, 300) + slack
    assert abs(found.coverage.value - 0.95) < three_sigma(0.95, 300)
    assert found.mean_estimate.value == pytest.approx(10, abs=0.8)
    assert found.n_failed == 0


@pytest.mark.slow
def test_the_trial_of_103_per_arm_with_15_percent_dropout():
    # An independent simulation of 4000 trials: ANCOVA .912 (SD of a visit 37.1, r 0.85), change scores .838 (SD 22).
    for analysis, sd_change, expected in (("ancova", 37.1 * math.sqrt(0.3), 0.912), ("change", 22.0, 0.838)):
        plan = TrialPlan("parallel", 10, sd_change, n_visits=1, analysis=analysis)
        found = simulate_power(plan, 103, n_trials=4000).power.value
        assert abs(found - expected) < math.sqrt(2) * three_sigma(expected, 4000)


def test_mmrm_is_fit_mmrm_on_the_same_data():
    plan = TrialPlan("parallel", 10, 22, n_visits=3, dropout=0.3)
    trial = _simulate(np.random.default_rng(3), plan, 25, 10.0)
    person, visit = np.nonzero(trial.seen)
    table = pl.DataFrame(
        {
            "who": person,
            "week": [f"week {v}" for v in visit],
            "arm": np.where(trial.treated, "treated", "control")[person],
            "baseline": trial.baseline[person],
            "change": trial.changes[person, visit],
        }
    )
    fit = fit_mmrm(table, response="change", fixed="arm * week + baseline : week", subject="who", visit="week")
    row = fit.contrasts(by="week", of="arm").row(-1, named=True)
    estimate, error, p_value, low, high = _analyse_mmrm(trial, plan)
    sign = 1 if row["contrast"].startswith("treated") else -1
    assert estimate == pytest.approx(sign * row["estimate"], rel=1e-7)
    assert (error, p_value) == pytest.approx((row["std_error"], row["p_value"]), rel=1e-6)
    assert high - low == pytest.approx(row["ci_high"] - row["ci_low"], rel=1e-6)


def test_with_one_visit_and_nobody_lost_mmrm_is_ancova():
    plan = TrialPlan("parallel", 10, 22, n_visits=1, dropout=0)
    trial = _simulate(np.random.default_rng(4), plan, 20, 10.0)
    assert _analyse_mmrm(trial, plan) == pytest.approx(_analyse_ancova(trial, plan), rel=1e-7)
    fit = estimate_ancova(trial.baseline, trial.baseline + trial.changes[:, 0], trial.treated)
    assert _analyse_ancova(trial, plan)[2] == pytest.approx(fit.difference.p_value, rel=1e-12)


def test_change_scores_are_the_two_sample_t_test():
    from scipy import stats  # noqa: PLC0415 - only here

    plan = TrialPlan("parallel", 10, 22, analysis="change")
    trial = _simulate(np.random.default_rng(5), plan, 20, 10.0)
    last, seen = trial.changes[:, -1], trial.seen[:, -1]
    reference = stats.ttest_ind(last[seen & trial.treated], last[seen & ~trial.treated])
    estimate, _, p_value, low, high = _analyse_change(trial, plan)
    assert p_value == pytest.approx(reference.pvalue, rel=1e-10)
    assert (low, high) == pytest.approx(tuple(reference.confidence_interval()), rel=1e-10)
    assert low < estimate < high


def test_the_planted_world_is_the_one_planned():
    plan = TrialPlan("parallel", 10, 22, correlation=0.6, n_visits=2, dropout=0.3)
    trial = _simulate(np.random.default_rng(6), plan, 20_000, 10.0)
    control = ~trial.treated
    assert trial.changes[control, -1].std() == pytest.approx(22, rel=0.02)
    after = trial.baseline + trial.changes[:, -1]
    assert np.corrcoef(trial.baseline[control], after[control])[0, 1] == pytest.approx(0.6, abs=0.02)
    assert trial.changes[trial.treated, 0].mean() - trial.changes[control, 0].mean() == pytest.approx(5, abs=0.7)
    assert trial.seen[:, -1].mean() == pytest.approx(0.7, abs=0.01)
    assert trial.seen[:, 0].mean() == pytest.approx(math.sqrt(0.7), abs=0.01)
    sides = _simulate(np.random.default_rng(7), TrialPlan("split-scalp", 10, 22, correlation_sides=0.5), 40_000, 10.0)
    assert sides.changes[:, -1].std() == pytest.approx(22, rel=0.02)


def test_the_order_and_number_of_workers_do_not_matter():
    tasks = list_simulation_tasks(PARALLEL, 30, n_trials=130)
    assert [task.n_trials for task in tasks] == [50, 50, 30]
    backwards = {task.number: simulate_trials(task) for task in reversed(tasks)}
    joined = summarise_simulation(tasks, [backwards[task.number] for task in tasks])
    assert joined == simulate_power(PARALLEL, 30, n_trials=130)
    assert joined != simulate_power(PARALLEL, 30, n_trials=130, seed=1)


def test_doubt_about_the_difference_lowers_what_can_be_assured():
    sure = simulate_power(PARALLEL, 113, n_trials=300)
    doubtful = TrialPlan("parallel", 10, 22, analysis="ancova", difference_sd=6)
    assured = simulate_power(doubtful, 113, n_trials=300)
    assert assured.power.value < sure.power.value - 0.05
    assert "assurance" in assured.power.method
    assert assured.coverage.value > 0.95 - three_sigma(0.95, 300)


def test_trials_too_small_for_an_answer_count_as_not_significant():
    found = simulate_power(TrialPlan("parallel", 10, 22, dropout=0.8), 4, n_trials=20)
    assert found.n_failed > 0
    assert found.power.value <= 1 - found.n_failed / 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"design": "crossover"}, "design must be one of parallel, split-scalp, single-arm"),
        ({"difference": 0}, "difference must not be 0"),
        ({"sd_change": 0}, "sd_change must be above 0"),
        ({"correlation": 1}, "correlation must lie from 0 to below 1"),
        ({"n_visits": 0}, "n_visits must lie from 1 to 20"),
        ({"dropout": 15}, "0.15 is 15 %"),
        ({"alpha": 5}, "alpha must lie between 0 and 1"),
        ({"analysis": "signed-rank"}, "a parallel trial is analysed by mmrm or ancova or change"),
        ({"difference_sd": -1}, "difference_sd must be 0 or more"),
    ],
)
def test_refuses_plans_that_make_no_sense(change, message):
    with pytest.raises(InputError, match=message):
        TrialPlan(**({"design": "parallel", "difference": 10, "sd_change": 22} | change))
    with pytest.raises(InputError, match="n_per_group must be at least 3"):
        list_simulation_tasks(PARALLEL, 2)
    with pytest.raises(InputError, match="n_trials must be at least 1"):
        list_simulation_tasks(PARALLEL, 20, n_trials=0)
