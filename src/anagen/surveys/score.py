"""Answers to scores: one row for each person, visit and scale of one instrument."""

from __future__ import annotations

from typing import Any, Final

import narwhals as nw
import polars as pl

from anagen.errors import Fault, InputError, InputFaults
from anagen.surveys.instrument import Instrument

COLUMNS: Final = ("participant", "visit", "item", "response")
UNANSWERED: Final = ("", "na", "nan", "null", ".")
"""Words that mean "no answer" in tables typed by hand, in lower case."""


def score_survey(instrument: Instrument, responses: Any, *, file: str = "survey.csv") -> pl.DataFrame:
    """Score one instrument for each participant and visit, by the instrument's own rule for missing answers.

    Parameters
    ----------
    instrument : Instrument
        From `load_instrument` or `parse_instrument`.
    responses : table
        One row an answer: participant, visit, item (an item's id), response (a whole number that the instrument
        offers; empty for no answer). A column instrument, where present, chooses the rows of this one.
    file : str
        Name to print in faults.

    Returns
    -------
    DataFrame
        participant, visit, instrument, version, scale (``total`` first, then subscales), score (NaN-free: null where
        the rule gives none), n_items_answered, n_items, status (``complete``, ``pro-rated``, ``too-few-answers``),
        band; in the order in which participant and visit first appear.

    Raises
    ------
    InputFaults
        Naming every row with an unknown item, an answer that is not offered, or a second answer to one question.
    InputError
        When a column is missing.

    Notes
    -----
    With k of m items answered, sum s: the pro-rated sum is s m / k, the mean s / k. A reversed answer is lowest +
    highest offered value - answer. A subscale needs the same fraction of its items answered as the total does.

    Examples
    --------
    >>> from anagen.surveys import load_instrument
    >>> hair = load_instrument("satisfaction-5")
    >>> answers = pl.DataFrame({"participant": ["P1"] * 5, "visit": ["week-12"] * 5,
    ...                         "item": [item.id for item in hair.items], "response": [4, 5, 4, None, 3]})
    >>> score_survey(hair, answers).select("score", "n_items_answered", "status").row(0)
    (20.0, 4, 'pro-rated')
    """
    answers = check_responses(instrument, responses, file=file)
    scores = [_score_scale(instrument, name, answers) for name in instrument.scales]
    order = {name: number for number, name in enumerate(instrument.scales)}
    table = pl.concat(scores)
    return (
        table.sort("first_row", pl.col("scale").replace_strict(order, return_dtype=pl.Int64))
        .drop("first_row")
        .select(
            "participant",
            "visit",
            "instrument",
            "version",
            "scale",
            "score",
            "n_items_answered",
            "n_items",
            "status",
            "band",
        )
    )


def check_responses(instrument: Instrument, responses: Any, *, file: str = "survey.csv") -> pl.DataFrame:
    """Check answers against the instrument and bring them to their types; every fault is raised at once.

    Parameters
    ----------
    instrument : Instrument
        The instrument asked.
    responses : table
        See `score_survey`.
    file : str
        Name to print in faults.

    Returns
    -------
    DataFrame
        row (1-based, header = 1), participant, visit, item, response (integer or null), points (after reversal).
    """
    table: pl.DataFrame = nw.from_native(responses, eager_only=True).to_polars()
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise InputError(f"{file} needs the columns {', '.join(COLUMNS)}; missing: {', '.join(missing)}")
    table = table.with_row_index("row", offset=2)
    if "instrument" in table.columns:
        table = table.filter(pl.col("instrument") == instrument.name)
    words = table.select("row", *(pl.col(name).cast(pl.String).str.strip_chars().fill_null("") for name in COLUMNS))
    number = pl.col("response").cast(pl.Float64, strict=False)
    words = words.with_columns(
        pl.when(pl.col("response").str.to_lowercase().is_in(UNANSWERED)).then(None).otherwise(number).alias("number"),
        (~pl.col("response").str.to_lowercase().is_in(UNANSWERED)).alias("answered"),
    )
    faults = _faults(instrument, words, file)
    if faults:
        raise InputFaults(faults)
    values = [response.value for response in instrument.responses]
    turned = [item.id for item in instrument.items if item.reverse]
    response = pl.col("number").cast(pl.Int64)
    points = pl.when(pl.col("item").is_in(turned)).then(min(values) + max(values) - response).otherwise(response)
    return words.select("row", "participant", "visit", "item", response.alias("response"), points.alias("points"))


def _faults(instrument: Instrument, words: pl.DataFrame, file: str) -> list[Fault]:
    ids = [item.id for item in instrument.items]
    values = [response.value for response in instrument.responses]
    offered = ", ".join(
        f"{value} = {response.label}" for value, response in zip(values, instrument.responses, strict=True)
    )
    first: dict[tuple[str, str, str], int] = {}
    faults = []
    for record in words.iter_rows(named=True):
        row, item = record["row"], record["item"]
        faults += [
            Fault(file, f"each answer has a {column}", "Write its code", row, column)
            for column in ("participant", "visit")
            if not record[column]
        ]
        if item not in ids:
            rule = f"{instrument.name} has no such item"
            faults.append(Fault(file, rule, f"Use {', '.join(ids)}", row, "item", item))
        if record["answered"] and record["number"] not in values:
            rule = f"{instrument.name} does not offer this answer"
            faults.append(Fault(file, rule, f"Use {offered}, or leave it empty", row, "response", record["response"]))
        key = (record["participant"], record["visit"], item)
        if key in first:
            rule = f"{item} is answered once by {key[0]} at {key[1]}; row {first[key]} has it already"
            faults.append(Fault(file, rule, "Keep one of them", row, "item", item))
        first.setdefault(key, row)
    return faults


def _score_scale(instrument: Instrument, name: str, answers: pl.DataFrame) -> pl.DataFrame:
    items, rule = instrument.scales[name], instrument.scoring
    n_items, n_all = len(items), len(instrument.items)
    needed = n_items if rule.missing == "none" else -(-rule.min_answered * n_items // n_all)
    belongs = pl.col("item").is_in([item.id for item in items])
    points = pl.col("points").filter(belongs)
    factor = n_items if rule.method == "sum" else 1
    # The sum is exact in integers; one division at the end keeps a complete score a whole number.
    score = (points.sum() * factor).cast(pl.Float64) / points.count()
    counted = answers.group_by("participant", "visit", maintain_order=True).agg(
        pl.col("row").min().alias("first_row"),
        points.count().cast(pl.Int64).alias("n_items_answered"),
        score.alias("raw"),
    )
    enough, complete = pl.col("n_items_answered") >= needed, pl.col("n_items_answered") == n_items
    return counted.select(
        "first_row",
        "participant",
        "visit",
        pl.lit(instrument.name).alias("instrument"),
        pl.lit(instrument.version).alias("version"),
        pl.lit(name).alias("scale"),
        pl.when(enough).then("raw").alias("score"),
        "n_items_answered",
        pl.lit(n_items, dtype=pl.Int64).alias("n_items"),
        pl.when(complete)
        .then(pl.lit("complete"))
        .when(enough)
        .then(pl.lit("pro-rated"))
        .otherwise(pl.lit("too-few-answers"))
        .alias("status"),
    ).with_columns(_band(instrument, name).alias("band"))


def _band(instrument: Instrument, name: str) -> pl.Expr:
    """Meaning of a total score; a pro-rated score between two bands belongs to the nearer whole number."""
    expression = pl.lit(None, dtype=pl.String)
    if name != "total":
        return expression
    for band in instrument.scoring.bands:
        inside = pl.col("score").round(0).is_between(band.low, band.high)
        expression = pl.when(inside).then(pl.lit(band.label)).otherwise(expression)
    return expression
