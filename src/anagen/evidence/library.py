"""The library: numbers read in published studies, each with its source, blank where nothing was read."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

import polars as pl

from anagen.errors import InputError
from anagen.evidence.bias import BiasAnswer, BiasJudgement, judge_bias, load_instrument
from anagen.evidence.certainty import GradeDomain

LIBRARY_VERSION: Final = "1.0"
"""Changes whenever a row, a judgement or a column changes; the changes stand in docs/methods/library.md."""
KINDS: Final = ("arm", "comparison", "review", "registration", "notice")
NUMBERS: Final = (
    "n",
    "weeks",
    "baseline_mean",
    "baseline_sd",
    "followup_mean",
    "followup_sd",
    "change_mean",
    "change_sd",
    "change_median",
    "change_iqr",
    "effect",
    "ci_low",
    "ci_high",
    "p_value",
)
SAME_OUTCOME: Final = {"hair density": ("hair density", "hair count", "hair number")}
"""A count in a fixed field is a density but for its unit, which is kept."""


@dataclass(frozen=True, slots=True)
class QuestionJudgement:
    """What people judged about one question.

    Parameters
    ----------
    intervention, outcome, comparator : str
        The question.
    smallest_important : float
        In `smallest_important_unit`, with its source.
    study_that_asked : str
        The study whose own verdict is printed; empty for none.
    judged_by : str
        How the judgement was made.
    domains : tuple of GradeDomain
        GRADE's steps with reasons.
    """

    intervention: str
    outcome: str
    comparator: str
    smallest_important: float
    smallest_important_unit: str
    smallest_important_source: str
    study_that_asked: str
    judged_by: str
    domains: tuple[GradeDomain, ...]


@cache
def load_library() -> pl.DataFrame:
    """Load every row of the library.

    Returns
    -------
    polars.DataFrame
        kind (arm, comparison, review, registration, notice), study, year, citation (doi, PMID or registry),
        intervention, product, design, comparator, arm, role (active, control), n, ..., read (what was read), note. Text
        is empty and numbers are null where nothing was read.

    Examples
    --------
    >>> library = load_library()
    >>> library.filter(study="Ersan 2024")["change_mean"].null_count()
    3
    """
    schema = dict.fromkeys(NUMBERS, pl.Float64) | {"year": pl.Int64}
    table = pl.read_csv(_file("evidence.csv").encode(), schema_overrides=schema, infer_schema=False)
    return table.with_columns(pl.col(pl.String).fill_null(""))


def select_studies(library: pl.DataFrame, intervention: str, outcome: str) -> pl.DataFrame:
    """Select the rows of one intervention and one outcome; InputError with what there is when none match."""
    wanted = SAME_OUTCOME.get(outcome.casefold(), (outcome.casefold(),))
    of_intervention = library.filter(pl.col("intervention").str.to_lowercase() == intervention.casefold())
    if of_intervention.is_empty():
        known = sorted(set(library["intervention"]) - {""})
        raise InputError(f"intervention must be one of {', '.join(known)}; got {intervention!r}")
    matches = pl.any_horizontal(pl.col("outcome").str.to_lowercase().str.starts_with(name) for name in wanted)
    found = of_intervention.filter(matches)
    if found.is_empty():
        known = sorted(set(of_intervention["outcome"]) - {""})
        raise InputError(f"outcome must be one of {', '.join(known)} for {intervention}; got {outcome!r}")
    return found


@cache
def load_bias_judgements() -> dict[str, BiasJudgement]:
    """Judge every study of the library whose answers are kept, by its instrument's algorithm."""
    data = tomllib.loads(_file("bias.toml"))
    return {
        entry["study"]: judge_bias(
            entry["study"],
            load_instrument(entry["instrument"]),
            {question: BiasAnswer(answer, reason) for question, (answer, reason) in entry["answers"].items()},
        )
        for entry in data["studies"]
    }


def find_question(intervention: str, outcome: str) -> QuestionJudgement | None:
    """Find what people judged about this question; None when nobody did."""
    for entry in tomllib.loads(_file("questions.toml"))["questions"]:
        if (entry["intervention"], entry["outcome"]) == (intervention.casefold(), outcome.casefold()):
            return _to_question(entry)
    return None


def _to_question(entry: dict[str, Any]) -> QuestionJudgement:
    steps = tuple(GradeDomain(name, levels, reason) for name, (levels, reason) in entry["domains"].items())
    return QuestionJudgement(**{name: value for name, value in entry.items() if name != "domains"}, domains=steps)


def _file(name: str) -> str:
    return (resources.files("anagen.evidence") / "library" / name).read_text(encoding="utf-8")
