"""`anagen plan`: how many people a trial needs, and the paragraph for its protocol."""

from __future__ import annotations

import json
import os
from typing import Annotated, Final, get_args

import typer

from anagen.cli.progress import StderrProgress
from anagen.errors import InputError
from anagen.records import to_json
from anagen.stats import TrialPlan
from anagen.stats.planning import DEFAULT_SEED, Analysis, Kind
from anagen.wiring import make_runner
from anagen.workflows.plan import PlannedTrial, plan_trial

WORTH_PROCESSES: Final = 500
"""Simulated MMRM trials from which several processes are faster than one."""


def plan(
    difference: Annotated[float, typer.Option(help="True difference of the mean change to detect, e.g. 10 hairs/cm2.")],
    sd_change: Annotated[float, typer.Option(help="Standard deviation of the change within people, e.g. 22.")],
    design: Annotated[str, typer.Option(help="parallel, split-scalp or single-arm.")] = "parallel",
    analysis: Annotated[
        str | None, typer.Option(help="mmrm, ancova, change or signed-rank; the design's own when left out.")
    ] = None,
    power: Annotated[float, typer.Option(help="Wanted power.")] = 0.9,
    alpha: Annotated[float, typer.Option(help="Two-sided level.")] = 0.05,
    dropout: Annotated[float, typer.Option(help="Share lost by the last visit.")] = 0.15,
    visits: Annotated[int, typer.Option(help="Visits after baseline.")] = 2,
    correlation: Annotated[float, typer.Option(help="Between visits of one person.")] = 0.85,
    correlation_sides: Annotated[float, typer.Option(help="Between the changes of both sides (split-scalp).")] = 0.5,
    difference_sd: Annotated[
        float, typer.Option(help="Uncertainty of the difference; above 0, the assurance is given.")
    ] = 0.0,
    n_per_group: Annotated[int | None, typer.Option(help="People enrolled per group, to see their power.")] = None,
    trials: Annotated[int, typer.Option(help="Trials to simulate; 0 for the formula only.", min=0)] = 2000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.", min=0)] = DEFAULT_SEED,
    jobs: Annotated[
        int | None,
        typer.Option(help="How many processes simulate at once; all cores for an MMRM, else 1.", min=1),
    ] = None,
    unit: Annotated[str, typer.Option(help="Unit of the measure, as printed.")] = "hairs/cm2",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Find how many people a trial needs and simulate it with its drop-out and its own analysis."""
    trial = TrialPlan(
        design=_check_design(design),
        difference=difference,
        sd_change=sd_change,
        correlation=correlation,
        n_visits=visits,
        correlation_sides=correlation_sides,
        dropout=dropout,
        analysis=_check_analysis(analysis),
        alpha=alpha,
        difference_sd=difference_sd,
    )
    planned = plan_trial(
        trial,
        power=power,
        n_per_group=n_per_group,
        n_trials=trials,
        seed=seed,
        unit=unit,
        runner=make_runner(jobs or _choose_jobs(trial, trials), None),
        progress=StderrProgress(),
    )
    typer.echo(json.dumps(_as_json(planned), ensure_ascii=False) if as_json else planned.paragraph)


def _choose_jobs(trial: TrialPlan, n_trials: int) -> int:
    """All cores where they save time: starting a process costs as much as some hundred MMRMs."""
    return os.cpu_count() or 1 if trial.analysis == "mmrm" and n_trials >= WORTH_PROCESSES else 1


def _as_json(planned: PlannedTrial) -> dict[str, object]:
    return {"ok": True, **to_json(planned)}


def _check_design(design: str) -> Kind:
    for kind in get_args(Kind):
        if design == kind:
            return kind  # type: ignore[no-any-return]
    raise InputError(f"--design must be one of {', '.join(get_args(Kind))}, got {design!r}")


def _check_analysis(analysis: str | None) -> Analysis | None:
    for kind in (None, *get_args(Analysis)):
        if analysis == kind:
            return kind  # type: ignore[no-any-return]
    raise InputError(f"--analysis must be one of {', '.join(get_args(Analysis))}, got {analysis!r}")
