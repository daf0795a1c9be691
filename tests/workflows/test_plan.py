import json

import pytest
import typer
from typer.testing import CliRunner

from anagen.cli.plan import plan as plan_command
from anagen.compute.processes import ProcessRunner
from anagen.compute.serial import SerialRunner
from anagen.errors import InputError
from anagen.records import to_json
from anagen.stats import TrialPlan
from anagen.workflows.plan import plan_trial


class BackwardsRunner:
    def run(self, function, tasks):
        for index in reversed(range(len(tasks))):
            yield index, function(tasks[index])


class CountingProgress:
    def __init__(self):
        self.n_total = self.n_steps = 0

    def start(self, what, n_total):
        self.n_total = n_total

    def step(self):
        self.n_steps += 1

    def finish(self):
        pass


def do_plan(plan, *, runner=None, **options):
    defaults = {"power": 0.9, "n_per_group": None, "n_trials": 0, "seed": 1, "unit": "hairs/cm2"}
    progress = options.pop("progress", CountingProgress())
    return plan_trial(plan, **(defaults | options), runner=runner or SerialRunner(), progress=progress)


def test_the_paragraph_says_what_was_assumed_and_found():
    planned = do_plan(TrialPlan("parallel", 10, 22, analysis="change"), n_trials=100)
    for words in (
        "a difference of 10 hairs/cm2 between treated and control group in the mean change from baseline",
        "standard deviation of the change of 22 hairs/cm2",
        "90 % power at a two-sided level of 5 % needs 103 people per group who complete the trial",
        "15 % expected to drop out, 122 people per group (244 in all) will be enrolled",
        "In 100 simulated trials",
        "seed 1",
    ):
        assert words in planned.paragraph


def test_a_single_arm_is_told_what_it_cannot_show():
    planned = do_plan(TrialPlan("single-arm", 10, 22))
    assert planned.paragraph.endswith("not that the treatment changed it.")
    assert planned.simulated is None


def test_a_given_size_gets_its_power():
    planned = do_plan(TrialPlan("parallel", 10, 22, analysis="change"), n_per_group=30)
    assert planned.formula_power == pytest.approx(0.35, abs=0.02)
    assert "With 30 people per group (60 in all) enrolled" in planned.paragraph


def test_any_runner_gives_the_same_bytes_and_progress_is_told():
    plan, progress = TrialPlan("parallel", 10, 22, analysis="ancova", dropout=0.2), CountingProgress()
    forth = do_plan(plan, n_per_group=20, n_trials=110, progress=progress)
    back = do_plan(plan, n_per_group=20, n_trials=110, runner=BackwardsRunner())
    assert json.dumps(to_json(forth)) == json.dumps(to_json(back))
    assert progress.n_total == progress.n_steps == 3


@pytest.mark.slow
def test_processes_give_the_same_bytes():
    plan = TrialPlan("parallel", 10, 22, dropout=0.2)
    here = do_plan(plan, n_per_group=20, n_trials=110)
    there = do_plan(plan, n_per_group=20, n_trials=110, runner=ProcessRunner(2))
    assert json.dumps(to_json(here)) == json.dumps(to_json(there))


def test_the_command_prints_a_paragraph_or_one_json_object():
    app = typer.Typer()
    app.command()(plan_command)
    base = ["--difference", "10", "--sd-change", "22", "--analysis", "ancova", "--trials", "50"]
    words = CliRunner().invoke(app, base)
    assert words.exit_code == 0
    assert words.stdout.startswith("The trial is planned to detect a difference of 10 hairs/cm2")
    assert "simulating trials" in words.stderr
    said = json.loads(CliRunner().invoke(app, [*base, "--json"]).stdout)
    assert said["ok"]
    assert said["simulated"]["n_trials"] == 50
    wrong = CliRunner().invoke(app, [*base, "--design", "crossover"])
    assert isinstance(wrong.exception, InputError)
    assert "--design must be one of parallel, split-scalp, single-arm" in str(wrong.exception)
