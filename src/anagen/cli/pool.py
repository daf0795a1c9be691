"""`anagen pool`: meta-analysis of a table of published effects."""

from __future__ import annotations

import json
import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from anagen.records import to_json
from anagen.workflows.pool import LOG_MEASURES, PoolResult, pool_table, save_figures, save_forest


class Measure(StrEnum):
    """Effects that can be computed from what the groups had."""

    MD = "MD"
    SMD = "SMD"
    ROM = "ROM"
    RR = "RR"
    OR = "OR"
    RD = "RD"
    MC = "MC"
    SMCC = "SMCC"
    PLO = "PLO"


def pool(
    effects: Annotated[Path, typer.Argument(metavar="EFFECTS.csv", help="One row a study; docs/methods/pooling.md.")],
    measure: Annotated[Measure | None, typer.Option(help="Effect to compute from means and SDs or events.")] = None,
    method: Annotated[str, typer.Option(help="reml, dl, ml, pm, he, sj, eb, hs or fixed.")] = "reml",
    normal: Annotated[bool, typer.Option("--normal", help="Normal interval instead of Knapp-Hartung.")] = False,
    level: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.95,
    moderator: Annotated[str | None, typer.Option(help="Numeric column for a meta-regression.")] = None,
    forest: Annotated[Path | None, typer.Option(help="Write a forest plot (SVG) here.")] = None,
    figures: Annotated[Path | None, typer.Option(help="Folder for forest, funnel and all-subsets plots.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Pool published effects: estimate, interval, heterogeneity, prediction, and what the result hangs on."""
    result = pool_table(
        effects,
        measure=None if measure is None else measure.value,
        method=method,
        knapp_hartung=not normal,
        level=level,
        moderator=moderator,
    )
    if forest is not None:
        save_forest(result, forest)
    if figures is not None:
        save_figures(result, figures)
    if as_json:
        typer.echo(json.dumps({"ok": True} | _as_json(result), ensure_ascii=False))
        return
    _show(result)


def _as_json(result: PoolResult) -> dict[str, Any]:
    tables = {"left_out": result.left_out, "influence": result.influence, "cumulative": result.cumulative}
    said: dict[str, Any] = to_json(result.pooled)
    said |= {"not_pooled": to_json(result.not_pooled), "measure": result.measure, "studies": to_json(result.studies)}
    said |= {name: None if table is None else to_json(table.to_dicts()) for name, table in tables.items()}
    said |= {"asymmetry": to_json(result.asymmetry), "trim_and_fill": to_json(result.filled)}
    said["events"] = to_json(result.events)
    said["subgroups"] = None if result.subgroups is None else to_json(result.subgroups)
    if result.regression is not None:
        said["meta_regression"] = to_json(result.regression.coefficients.to_dicts())
    return said


def _show(result: PoolResult) -> None:
    pooled = result.pooled
    table = Table("study", "effect", "std. error", "weight, %", "from")
    for study, weight in zip(result.studies, pooled.weights, strict=True):
        row = (f"{study.effect:.4g}", f"{math.sqrt(study.variance):.4g}", f"{weight:.1f}")
        table.add_row(study.study, *row, study.how)
    console = Console(highlight=False)
    console.print(table)
    interval = "Knapp-Hartung" if pooled.knapp_hartung else "normal"
    level = f"{100 * pooled.level:g} %"
    console.print(
        f"Pooled ({pooled.method}, {interval}): {pooled.estimate:.4g} ({level} {pooled.ci_low:.4g} to"
        f" {pooled.ci_high:.4g}), p = {pooled.p_value:.3g}"
    )
    if result.measure in LOG_MEASURES:
        ends = (math.exp(value) for value in (pooled.estimate, pooled.ci_low, pooled.ci_high))
        console.print("As a ratio: {:.4g} ({:.4g} to {:.4g})".format(*ends))
    if not math.isnan(pooled.i2):
        console.print(
            f"Heterogeneity: tau2 {pooled.tau2:.4g} ({pooled.tau2_ci_low:.4g} to {pooled.tau2_ci_high:.4g}),"
            f" I2 {pooled.i2:.0f} %, Q({pooled.q_df}) = {pooled.q:.4g}, p = {pooled.q_p_value:.3g}"
        )
    if not math.isnan(pooled.prediction_low):
        console.print(
            f"Prediction ({level}): a new study's true effect {pooled.prediction_low:.4g} to"
            f" {pooled.prediction_high:.4g}"
        )
    for name, reason in result.not_pooled:
        console.print(f"Not pooled: {name} ({reason})", markup=False)
    for flag in (*pooled.flags, *(result.events.flags if result.events else ())):
        console.print(f"{flag.severity}: {flag.said}", markup=False)
    _show_more(console, result)


def _show_more(console: Console, result: PoolResult) -> None:
    if result.events is not None:
        e = result.events
        console.print(f"Proportion ({e.method}): {e.estimate:.3g} ({e.ci_low:.3g} to {e.ci_high:.3g})")
    if result.subgroups is not None:
        for name, group in result.subgroups.pooled.items():
            console.print(f"  {name}: {group.estimate:.4g} ({group.ci_low:.4g} to {group.ci_high:.4g})", markup=False)
        console.print(f"Difference between groups: p = {result.subgroups.p_value:.3g}")
    if result.regression is not None:
        for row in result.regression.coefficients.iter_rows(named=True):
            console.print(
                f"  {row['term']}: {row['estimate']:.4g} ({row['ci_low']:.4g} to {row['ci_high']:.4g})", markup=False
            )
    if result.asymmetry is not None:
        few = "; fewer than ten studies: says next to nothing" if result.asymmetry.few_studies else ""
        console.print(f"Egger: p = {result.asymmetry.p_value:.3g}{few}")
    if result.filled is not None and result.filled.n_filled:
        filled = result.filled.pooled
        console.print(
            f"Trim and fill: {result.filled.n_filled} on the {result.filled.side}; {filled.estimate:.4g}"
            f" ({filled.ci_low:.4g} to {filled.ci_high:.4g})"
        )
