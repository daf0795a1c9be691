"""The table of adverse events: how many people had each, how bad it was, and what rate is still possible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import narwhals as nw
import polars as pl

from anagen.errors import Fault, InputError, InputFaults
from anagen.safety.proportion import estimate_event_proportion
from anagen.safety.rate import estimate_event_rate

COLUMNS: Final = ("participant", "onset", "term", "grade", "serious", "related", "outcome")
GRADES: Final = (1, 2, 3, 4, 5)
"""CTCAE 5.0 severity: 1 mild, 2 moderate, 3 severe, 4 life-threatening, 5 death."""
RELATED: Final = ("unrelated", "unlikely", "possible", "probable", "definite")
"""Causality in the categories of the WHO-UMC system, shortened."""
COUNTED_AS_RELATED: Final = ("possible", "probable", "definite")
CLASSES: Final = ("term", "grade", "worst_grade", "serious", "related", "is_related")
COUNTS: Final = (
    pl.col("participant").n_unique().cast(pl.Int64).alias("n_people"),
    pl.len().cast(pl.Int64).alias("n_events"),
)
TRUE_WORDS: Final = ("true", "yes", "1", "y")
FALSE_WORDS: Final = ("false", "no", "0", "n", "")


def tabulate_adverse_events(
    events: Any,
    n_treated: int,
    *,
    by: str | Sequence[str] = "term",
    exposure_person_years: float | None = None,
    level: float = 0.95,
    file: str = "adverse_events.csv",
) -> pl.DataFrame:
    """Count the people who had adverse events, with exact bounds; the first row counts those who had any.

    A person with three episodes of pain is one person with pain. In a table by grade, seriousness or relatedness, a
    person counts in each class in which he had an event; by `worst_grade` only in that of the worst one.

    Parameters
    ----------
    events : table
        One row an event, with the columns participant, onset, term, grade (1 to 5), serious (yes or no), related
        (unrelated, unlikely, possible, probable, definite; or yes or no), outcome. No rows when nobody had any.
    n_treated : int
        People treated: the denominator of each row.
    by : {"term", "grade", "worst_grade", "serious", "related", "is_related"} or a sequence of them
        The classes to count. ``is_related`` joins possible, probable and definite.
    exposure_person_years : float or None
        Summed time at risk of all treated; adds the number of events per 100 person-years with an exact interval.
    level : float
        Confidence level of all bounds.
    file : str
        Name to print in faults.

    Returns
    -------
    DataFrame
        The `by` columns, n_people, n_events, n_treated, proportion, ci_low, ci_high (two-sided Clopper-Pearson),
        upper_one_sided, and, with exposure, rate_per_100_person_years, rate_ci_low, rate_ci_high. The first row, "any
        adverse event", is there even when there were none.

    Raises
    ------
    InputFaults
        Naming every row with an unknown grade, seriousness, relatedness, or without participant or term.
    InputError
        When more people had events than were treated, or a column is missing.

    Examples
    --------
    >>> none = pl.DataFrame(schema={name: pl.String for name in COLUMNS})
    >>> table = tabulate_adverse_events(none, 30)
    >>> table["n_people"][0], round(table["ci_high"][0], 6)
    (0, 0.115703)
    """
    keys = [by] if isinstance(by, str) else list(by)
    if not keys or not set(keys) <= set(CLASSES):
        raise InputError(f"by must name some of {', '.join(CLASSES)}, got {keys}: choose among these")
    clean = check_adverse_events(events, file=file)
    if clean["participant"].n_unique() > n_treated:
        raise InputError(
            f"{clean['participant'].n_unique()} people had adverse events but n_treated is {n_treated}: "
            "count everybody who was treated"
        )
    if "worst_grade" in keys:
        within = ["participant", *(key for key in keys if key != "worst_grade")]
        clean = clean.with_columns(pl.col("grade").max().over(within).alias("worst_grade"))
    any_event = clean.select(*COUNTS)
    any_event = any_event.with_columns(pl.lit(None, dtype=clean.schema[key]).alias(key) for key in keys)
    if keys[0] == "term":
        any_event = any_event.with_columns(pl.lit("any adverse event").alias("term"))
    classes = clean.group_by(keys).agg(*COUNTS)
    classes = classes.sort([pl.col("n_people"), *keys], descending=[True, *(False for _ in keys)])
    counts = pl.concat([any_event.select(classes.columns), classes])
    return _add_bounds(counts, n_treated, exposure_person_years, level)


def check_adverse_events(events: Any, *, file: str = "adverse_events.csv") -> pl.DataFrame:
    """Check a table of adverse events and bring it to its types; every fault is raised at once.

    Parameters
    ----------
    events : table
        See `tabulate_adverse_events`.
    file : str
        Name to print in faults.

    Returns
    -------
    DataFrame
        With grade as integer, serious as boolean and related as one of `RELATED`, ``yes`` or ``no``; `is_related` adds
        whether the cause is at least possibly the treatment.
    """
    table: pl.DataFrame = nw.from_native(events, eager_only=True).to_polars()
    missing = [name for name in COLUMNS if name not in table.columns and name not in ("onset", "outcome")]
    if missing:
        raise InputError(f"{file} needs the columns {', '.join(COLUMNS)}; missing: {', '.join(missing)}")
    words = table.select(
        pl.col(name).cast(pl.String).str.strip_chars().fill_null("").alias(name)
        for name in COLUMNS
        if name in table.columns
    )
    words = words.with_columns(pl.col("serious", "related").str.to_lowercase())
    faults = [
        fault for row, record in enumerate(words.iter_rows(named=True), start=2) for fault in _faults(record, row, file)
    ]
    if faults:
        raise InputFaults(faults)
    return words.with_columns(
        pl.col("grade").cast(pl.Float64).cast(pl.Int64),
        pl.col("serious").is_in(TRUE_WORDS),
        pl.col("related").is_in([*COUNTED_AS_RELATED, *TRUE_WORDS]).alias("is_related"),
    )


def _faults(record: dict[str, str], row: int, file: str) -> list[Fault]:
    found = []
    if not record["participant"]:
        found.append(
            Fault(file, "each event belongs to a participant", "Write the participant's code", row, "participant")
        )
    if not record["term"]:
        found.append(Fault(file, "each event has a term", "Write what happened, for example: pain", row, "term"))
    allowed = {
        "grade": ([f"{grade}" for grade in GRADES] + [f"{grade}.0" for grade in GRADES], "a CTCAE grade from 1 to 5"),
        "serious": ([*TRUE_WORDS, *FALSE_WORDS[:-1]], "yes or no"),
        "related": ([*RELATED, *TRUE_WORDS, *FALSE_WORDS[:-1]], f"one of {', '.join(RELATED)}, yes, no"),
    }
    for column, (values, rule) in allowed.items():
        if record[column] not in values:
            found.append(Fault(file, f"{column} is {rule}", "Write one of these", row, column, record[column]))
    return found


def _add_bounds(counts: pl.DataFrame, n_treated: int, exposure: float | None, level: float) -> pl.DataFrame:
    exact = [estimate_event_proportion(n, n_treated, level=level) for n in counts["n_people"]]
    table = counts.with_columns(
        pl.lit(n_treated, dtype=pl.Int64).alias("n_treated"),
        pl.Series("proportion", [one.rate.value for one in exact], dtype=pl.Float64),
        pl.Series("ci_low", [one.rate.ci_low for one in exact], dtype=pl.Float64),
        pl.Series("ci_high", [one.rate.ci_high for one in exact], dtype=pl.Float64),
        pl.Series("upper_one_sided", [one.upper_one_sided for one in exact], dtype=pl.Float64),
    )
    if exposure is None:
        return table
    rates = [
        estimate_event_rate(n, exposure, n_people=n_treated, per_person_years=100.0, level=level)
        for n in counts["n_events"]
    ]
    return table.with_columns(
        pl.Series("rate_per_100_person_years", [rate.value for rate in rates], dtype=pl.Float64),
        pl.Series("rate_ci_low", [rate.ci_low for rate in rates], dtype=pl.Float64),
        pl.Series("rate_ci_high", [rate.ci_high for rate in rates], dtype=pl.Float64),
    )
