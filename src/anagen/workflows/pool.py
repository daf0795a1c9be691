"""Pool the effects of a table that a person typed from papers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl

from anagen.errors import Fault, InputError, InputFaults, NotEnoughDataError
from anagen.evidence import conversions as convert
from anagen.evidence import effect_sizes as es
from anagen.evidence.meta_regression import MetaRegression, fit_meta_regression
from anagen.evidence.pool import PooledEffect, pool_effects
from anagen.evidence.pool_events import PooledProportion, pool_events
from anagen.evidence.sensitivity import cumulate, leave_one_out, measure_influence, pool_all_subsets
from anagen.evidence.small_study_effects import AsymmetryTest, TrimAndFill, egger_test, trim_and_fill
from anagen.evidence.study_checks import ReportedStudy, check_reported
from anagen.evidence.subgroups import Subgroups, pool_subgroups
from anagen.report.forest import ForestRow, draw_forest
from anagen.report.funnel import draw_funnel, draw_subsets
from anagen.report.svg import SvgFigure
from anagen.workflows.answer import to_stand_alone

TableReader = Callable[[Path], pl.DataFrame]
MeasureName = Literal["MD", "SMD", "ROM", "RR", "OR", "RD", "MC", "SMCC", "PLO"]
LOG_MEASURES: Final = {"ROM", "RR", "OR"}
NUMBER_COLUMNS: Final = (
    "effect",
    "variance",
    "std_error",
    "ci_low",
    "ci_high",
    "level",
    "p_value",
    "mean1",
    "sd1",
    "n1",
    "mean2",
    "sd2",
    "n2",
    "events1",
    "events2",
    "n_total",
    "year",
)
ALSO_CALLED: Final = {
    "yi": "effect",
    "estimate": "effect",
    "vi": "variance",
    "sei": "std_error",
    "se": "std_error",
    "ci.lb": "ci_low",
    "ci.ub": "ci_high",
    "p": "p_value",
    "m1i": "mean1",
    "sd1i": "sd1",
    "n1i": "n1",
    "m2i": "mean2",
    "sd2i": "sd2",
    "n2i": "n2",
    "ai": "events1",
    "ci": "events2",
    "xi": "events1",
    "slab": "study",
    "trial": "study",
    "author": "study",
}
"""metafor's names and common ones."""
WHAT_A_ROW_NEEDS: Final = (
    "give effect with variance, std_error, ci_low and ci_high or p_value; or with --measure the groups' mean1, sd1, n1"
    " (and mean2, sd2, n2) or events1, n1 (and events2, n2)"
)


@dataclass(frozen=True)
class StudyEffect:
    """One study as it enters the pool.

    Parameters
    ----------
    study : str
        Name.
    effect, variance : float
        On the scale of pooling.
    how : str
        Where the variance comes from: read, or which conversion.
    """

    study: str
    effect: float
    variance: float
    how: str


@dataclass(frozen=True)
class PoolResult:
    """Everything that pooling one table gives.

    Parameters
    ----------
    measure : str
        Scale of the effects; ``given`` when they were typed in.
    studies : tuple of StudyEffect
        In the order of the table.
    pooled : PooledEffect
        All of them.
    left_out : polars.DataFrame or None
        Leave-one-out; None with one study.
    influence : polars.DataFrame or None
        None with fewer than three studies.
    cumulative : polars.DataFrame
        By year where there is one, else in the order of the table.
    asymmetry : AsymmetryTest or None
        Egger's test; None with fewer than three studies or one standard error.
    filled : TrimAndFill or None
        None with fewer than three studies.
    subgroups : Subgroups or None
        By the column `group`, where it has two or more values.
    regression : MetaRegression or None
        On the moderator asked for.
    events : PooledProportion or None
        For proportions: the model that adds nothing to zero cells.
    """

    measure: str
    studies: tuple[StudyEffect, ...]
    pooled: PooledEffect
    left_out: pl.DataFrame | None
    influence: pl.DataFrame | None
    cumulative: pl.DataFrame
    asymmetry: AsymmetryTest | None
    filled: TrimAndFill | None
    subgroups: Subgroups | None
    regression: MetaRegression | None
    events: PooledProportion | None


def pool_table(
    path: Path,
    *,
    measure: MeasureName | None = None,
    method: str = "reml",
    knapp_hartung: bool | Literal["adhoc"] = True,
    level: float = 0.95,
    moderator: str | None = None,
    read_table: TableReader = pl.read_csv,
) -> PoolResult:
    """Check every number of a table of published effects, compute what is missing, and pool.

    Parameters
    ----------
    path : Path
        A table with one row a study: study, optionally group, year, n_total, and either effect with its error or what
        the groups had.
    measure : str, optional
        Effect to compute from the groups: MD, SMD, ROM, RR, OR, RD of two groups; MC, SMCC, PLO of one.
    method, knapp_hartung, level
        As in `pool_effects`.
    moderator : str, optional
        Numeric column for a meta-regression.
    read_table : callable
        Reads the file.

    Returns
    -------
    PoolResult

    Raises
    ------
    InputFaults
        Naming every impossible or missing number with its row and column.
    NotEnoughDataError
        Without any row.
    """
    table = _read(path, read_table)
    _check(table, path.name, measure)
    studies = tuple(_to_effect(row, measure) for row in table.iter_rows(named=True))
    y, v, names = [s.effect for s in studies], [s.variance for s in studies], [s.study for s in studies]
    k, groups = len(studies), table["group"].to_list() if "group" in table.columns else []
    options: dict[str, Any] = {"method": method, "knapp_hartung": knapp_hartung, "level": level}
    year = table["year"].to_numpy() if "year" in table.columns and not table["year"].has_nulls() else None
    spread = max(v) > min(v) * (1 + 1e-9)
    return PoolResult(
        measure=measure or "given",
        studies=studies,
        pooled=pool_effects(y, v, **options),
        left_out=leave_one_out(y, v, studies=names, **options) if k > 1 else None,
        influence=measure_influence(y, v, studies=names, method=method) if k > 2 else None,
        cumulative=cumulate(y, v, order=year, studies=names, **options),
        asymmetry=egger_test(y, v, method=method, level=level) if k > 2 and spread else None,
        filled=trim_and_fill(y, v, method=method) if k > 2 else None,
        subgroups=pool_subgroups(y, v, groups, **options) if len(set(groups)) > 1 else None,
        regression=_regress(table, y, v, moderator, options),
        events=pool_events(table["events1"], table["n1"], level=level) if measure == "PLO" else None,
    )


def draw_pool(result: PoolResult) -> SvgFigure:
    """Draw the forest plot of a pooled table."""
    weights = result.pooled.weights
    rows = [
        ForestRow(s.study, "all studies", s.effect, math.sqrt(s.variance), float(w))
        for s, w in zip(result.studies, weights, strict=True)
    ]
    scale = "log " if result.measure in LOG_MEASURES else ""
    axis = "effect" if result.measure == "given" else f"{scale}{result.measure}"
    caption = f"{len(rows)} studies, {result.pooled.method}; the diamond is the pooled effect with its interval."
    return draw_forest(rows, {"all studies": result.pooled}, axis=axis, caption=caption)


def save_forest(result: PoolResult, path: Path) -> None:
    """Write the forest plot as one SVG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_stand_alone(draw_pool(result)) + "\n", encoding="utf-8", newline="\n")


def save_figures(result: PoolResult, folder: Path) -> list[Path]:
    """Write forest, and from three studies on funnel and all-subsets plots, as SVG files into `folder`."""
    figures = [draw_pool(result)]
    if result.influence is not None:
        y, v = [s.effect for s in result.studies], [s.variance for s in result.studies]
        figures.append(draw_funnel(y, v, result.pooled.estimate, filled=result.filled))
        place = int(result.influence["cook"].arg_max() or 0)
        subsets = pool_all_subsets(y, v)
        figures.append(draw_subsets(subsets, most_influential=place + 1, study=result.studies[place].study))
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{figure.name}.svg" for figure in figures]
    for path, figure in zip(paths, figures, strict=True):
        path.write_text(to_stand_alone(figure) + "\n", encoding="utf-8", newline="\n")
    return paths


def _read(path: Path, read_table: TableReader) -> pl.DataFrame:
    if not path.is_file():
        raise InputError(f"{path} is no file: give a CSV table with one row a study")
    try:
        table = read_table(path)
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{path.name} cannot be read as a CSV table: {error}") from error
    names = {name: name.strip().casefold() for name in table.columns}
    names = {name: ALSO_CALLED.get(plain, plain) for name, plain in names.items()}
    twice = sorted({name for name in names.values() if list(names.values()).count(name) > 1})
    if twice:
        raise InputError(f"{path.name} has two columns for {', '.join(twice)}: keep one")
    table = table.rename(names)
    if "study" not in table.columns:
        raise InputError(f"{path.name} has no column study: it has {', '.join(table.columns)}")
    if table.is_empty():
        raise NotEnoughDataError(f"{path.name} has no row: there is nothing to pool")
    faults = [fault for name in NUMBER_COLUMNS if name in table.columns for fault in _words(table, name, path.name)]
    if faults:
        raise InputFaults(faults)
    numbers = [_number(name, table[name].dtype) for name in NUMBER_COLUMNS if name in table.columns]
    return table.with_columns(pl.col("study").cast(pl.String).fill_null(""), *numbers)


def _number(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name).str.strip_chars() if kind == pl.String else pl.col(name)
    return column.cast(pl.Float64, strict=False)


def _words(table: pl.DataFrame, name: str, file: str) -> Iterator[Fault]:
    """Yield a fault for each cell of a number column that is not a number."""
    if table[name].dtype != pl.String:
        return
    parsed = table[name].str.strip_chars().cast(pl.Float64, strict=False)
    for index, (text, value) in enumerate(zip(table[name], parsed, strict=True)):
        if text is not None and text.strip() and value is None:
            yield Fault(file, "must be a number with a decimal point", "correct it", index + 2, name, text)


def _check(table: pl.DataFrame, file: str, measure: MeasureName | None) -> None:
    reported = []
    faults: list[Fault] = []
    known = set(ReportedStudy.__slots__) - {"study", "row", "log_scale"}
    for index, row in enumerate(table.iter_rows(named=True)):
        numbers = {name: value for name, value in row.items() if name in known and value is not None}
        reported.append(
            ReportedStudy(row["study"] or f"row {index + 2}", index + 2, **numbers, log_scale=measure in LOG_MEASURES)
        )
        faults += _row_faults(row, index + 2, file, measure)
    faults = [*check_reported(reported, file=file), *faults]
    if faults:
        raise InputFaults(faults)


def _row_faults(row: dict[str, Any], number: int, file: str, measure: MeasureName | None) -> Iterator[Fault]:
    variance = row.get("variance")
    if variance is not None and not (variance > 0 and math.isfinite(variance)):
        yield Fault(file, "a variance must be above 0", "correct it", number, "variance", f"{variance:g}")
    if measure is None:
        complete = row.get("effect") is not None and any(
            row.get(name) is not None for name in ("variance", "std_error", "p_value")
        )
        complete |= all(row.get(name) is not None for name in ("effect", "ci_low", "ci_high"))
        missing = [] if complete else ["effect"]
    else:
        missing = [name for name in _needed(measure) if row.get(name) is None]
    for name in missing:
        yield Fault(file, f"{row['study'] or 'this row'} cannot be pooled", WHAT_A_ROW_NEEDS, number, name)


def _needed(measure: MeasureName) -> tuple[str, ...]:
    if measure in {"MD", "SMD", "ROM"}:
        return ("mean1", "sd1", "n1", "mean2", "sd2", "n2")
    if measure in {"RR", "OR", "RD"}:
        return ("events1", "n1", "events2", "n2")
    return ("events1", "n1") if measure == "PLO" else ("mean1", "sd1", "n1")


def _to_effect(row: dict[str, Any], measure: MeasureName | None) -> StudyEffect:
    if measure is None:
        return _given_effect(row)
    two_means = {
        "MD": es.mean_difference,
        "SMD": es.standardised_mean_difference,
        "ROM": es.log_ratio_of_means,
    }
    two_counts = {"RR": es.log_risk_ratio, "OR": es.log_odds_ratio, "RD": es.risk_difference}
    values = [row[name] for name in _needed(measure)]
    if measure in two_means:
        effect = two_means[measure](values[0], values[1], int(values[2]), values[3], values[4], int(values[5]))
    elif measure in two_counts:
        effect = two_counts[measure](int(values[0]), int(values[1]), int(values[2]), int(values[3]))
    elif measure == "PLO":
        effect = es.log_odds(int(values[0]), int(values[1]))
    else:
        one = es.mean_change if measure == "MC" else es.standardised_mean_change_by_change_sd
        effect = one(values[0], values[1], int(values[2]))
    return StudyEffect(row["study"], effect.effect, effect.variance, effect.measure)


def _given_effect(row: dict[str, Any]) -> StudyEffect:
    effect, level = row["effect"], row.get("level") or 0.95
    if row.get("variance") is not None:
        return StudyEffect(row["study"], effect, row["variance"], "variance as given")
    if row.get("std_error") is not None:
        return StudyEffect(row["study"], effect, row["std_error"] ** 2, "standard error as given")
    if row.get("ci_low") is not None and row.get("ci_high") is not None:
        found = convert.std_error_from_interval(row["ci_low"], row["ci_high"], level=level)
    else:
        found = convert.std_error_from_p(effect, row["p_value"])
    return StudyEffect(row["study"], effect, found.value**2, found.conversion)


def _regress(
    table: pl.DataFrame, y: list[float], v: list[float], moderator: str | None, options: dict[str, Any]
) -> MetaRegression | None:
    if moderator is None:
        return None
    if moderator not in table.columns:
        raise InputError(f"--moderator must be a column: {', '.join(table.columns)}; got {moderator!r}")
    values = table[moderator].cast(pl.Float64, strict=False)
    if values.has_nulls():
        raise InputError(f"--moderator {moderator} must be a number in every row; code groups as 0 and 1")
    return fit_meta_regression(y, v, values.to_numpy(), names=[moderator], **options)
