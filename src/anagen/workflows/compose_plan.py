"""The sections that hold a study against its plan: the question, missing values, bias, and a reporting checklist."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from anagen.evidence.bias import load_instrument
from anagen.report.bias_plots import draw_traffic_lights
from anagen.report.checklist import fill_checklist, load_checklist
from anagen.report.content import Section
from anagen.report.missing_figure import draw_tipping_point
from anagen.report.wording import print_number
from anagen.study.bias import RISK_OF_BIAS
from anagen.study.estimand import state_estimand
from anagen.study.folder import Study
from anagen.study.protocol import Reporting
from anagen.workflows.missing import MissingValues
from anagen.workflows.results import StudyResults

OWN_ANCHORS = {"top": "Head of this page", "answer": "What this study shows", "flow": "Participants"}
"""Parts of every report that are no sections of its content."""


def section_estimand(study: Study) -> Section:
    """State the question of every outcome as an estimand."""
    protocol = study.protocol
    rows: dict[str, dict[str, str]] = {}
    for outcome in sorted(protocol.outcomes, key=lambda o: not o.primary):
        stated = state_estimand(protocol, outcome)
        name = f"{outcome.label or outcome.name} ({'primary' if outcome.primary else 'secondary'})"
        rows[name] = {
            "population": stated.population,
            "treatment": stated.treatment,
            "variable": stated.variable,
            "intercurrent events": "; ".join(stated.intercurrent_events),
            "summary": stated.summary,
        }
    attributes = next(iter(rows.values()))
    table = pl.DataFrame({"attribute": list(attributes)} | {name: list(said.values()) for name, said in rows.items()})
    return Section(
        "estimand",
        "The question, precisely",
        intro=(
            "The estimand of each outcome: the five attributes of ICH E9(R1), as the protocol of this study has them.",
        ),
        tables={"Estimands": table},
    )


def section_about(study: Study) -> Section | None:
    """Print what the protocol says for the reader and no table holds."""
    protocol = study.protocol
    said = {"registration": protocol.registration} | {
        name.replace("_", " "): getattr(protocol.reporting, name) for name in Reporting.model_fields
    }
    rows = [{"what": name, "as the study says": text} for name, text in said.items() if text.strip()]
    if protocol.eligibility.other:
        rows.append({"what": "other criteria", "as the study says": "; ".join(protocol.eligibility.other)})
    if not rows:
        return None
    return Section("about", "About this study", tables={"What the study says of itself": pl.DataFrame(rows)})


def section_missing(results: StudyResults) -> Section | None:
    """Say how far the primary answer leans on values that nobody measured."""
    found = results.missing
    if found is None:
        return None
    label = found.outcome.label or found.outcome.name
    people = f"{found.n_missing} of {found.n_people} people" + (f" of {found.arm}" if found.arm else "")
    if found.tipping is None:
        return Section("missing", "What missing values could change", intro=(f"{label}: {found.why_not}.",))
    unit, tipping = found.outcome.unit, found.tipping
    effect = f"difference in change to {found.visit}" if found.arm else f"mean change to {found.visit}"
    figure = draw_tipping_point(
        tipping.curve,
        delta=tipping.delta,
        unit=unit,
        seen=(found.largest_fall, found.largest_rise),
        effect=effect,
    )
    curve = tipping.curve.filter(pl.int_range(pl.len()) % 5 == 0)
    table = pl.DataFrame(
        {
            f"shift, {unit}": [print_number(value) for value in curve["delta"]],
            effect: [print_number(value, 2) for value in curve["estimate"]],
            "interval": [
                f"{print_number(low, 2)} to {print_number(high, 2)}"
                for low, high in zip(curve["ci_low"], curve["ci_high"], strict=True)
            ],
            "p": [f"{p:.3f}" for p in curve["p_value"]],
        }
    )
    return Section(
        "missing",
        "What missing values could change",
        intro=(
            (
                f"{label}: {people} have no value at {found.visit}. The analysis expects of them what it expects of "
                "people with the same earlier values (missing at random); nobody can check that. The picture shows the "
                "answer if they did better or worse than expected."
            ),
            _say_tipping(found),
        ),
        figures=(figure,),
        tables={"Answer by assumption": table},
        notes=(
            (
                "Missing values are conditional means of the mixed model plus the shift; intervals by the "
                "jackknife, so p without a shift may differ a little from that of the planned analysis. It is not "
                "adjusted for other "
                "tests; with arms, the first treated arm is shifted, from missing at random."
            ),
        ),
    )


def _say_tipping(found: MissingValues) -> str:
    assert found.tipping is not None
    delta, unit = found.tipping.delta, found.outcome.unit
    now = found.tipping.curve.row(found.tipping.curve.height // 2, named=True)["p_value"]
    below = "below" if now < found.alpha else "not below"
    start = f"As it stands p is {below} {found.alpha:g}. "
    if not math.isfinite(delta):
        return start + (
            "No shift up to four times the largest change seen in anyone turns that: the judgement does not lean on "
            "the missing values."
        )
    worst = max(abs(found.largest_fall), abs(found.largest_rise))
    reached = (
        "Changes that large were seen in this study: the judgement leans on the assumption."
        if abs(delta) <= worst
        else "No change that large was seen in anyone: the judgement does not lean on the missing values."
    )
    way = "lower" if delta < 0 else "higher"
    return (
        f"{start}It would turn if the missing values lay {print_number(abs(delta))} {unit} {way} than expected, on "
        f"average. The changes seen in people reach from {print_number(found.largest_fall)} to "
        f"{print_number(found.largest_rise)} {unit}. {reached}"
    )


def section_bias(study: Study) -> Section:
    """Print the judgement of bias, or that nobody made one."""
    if study.bias is None:
        return Section(
            "bias",
            "Risk of bias",
            intro=(
                (
                    "Nobody has judged the risk of bias of this study: risk_of_bias.toml is not in the study folder. "
                    "The answer above says what the design alone allows."
                ),
            ),
        )
    judged = study.bias.judgement
    rows = [
        {"domain": domain.title, "question": text, "answer": answer, "reason": reason}
        for domain in judged.domains
        for _, text, answer, reason in domain.answers
    ]
    domains = [{"domain": domain.title, "judgement": domain.judgement} for domain in judged.domains]
    said = f"{judged.instrument} ({judged.version}), judged by {study.bias.judged_by}. Overall: {judged.overall}."
    certainty = (
        (f"GRADE certainty of the answer: {study.bias.certainty}, because {study.bias.certainty_reason}.",)
        if study.bias.certainty
        else ()
    )
    every = "Every answer with its reason"
    return Section(
        "bias",
        "Risk of bias",
        intro=(said, *certainty),
        figures=(draw_traffic_lights([judged], load_instrument(study.bias.instrument), name="bias"),),
        tables={"Judgement of each domain": pl.DataFrame(domains), every: pl.DataFrame(rows)},
        folded=(every,),
    )


def section_checklist(study: Study, sections: Iterable[Section]) -> Section:
    """Hold the report against the guideline for its design."""
    protocol = study.protocol
    randomised = protocol.design.randomised and protocol.design.kind != "single-arm"
    checklist = load_checklist("consort2025" if randomised else "trend")
    titles = OWN_ANCHORS | {section.id: section.title for section in sections}
    table = fill_checklist(checklist, titles, lambda key: is_said(study, key))
    n_missing = int(table["status"].str.starts_with("missing").sum())
    caption = f"{checklist.name}: where each item stands"
    return Section(
        "checklist",
        "Reporting checklist",
        intro=(
            (
                f"{checklist.name} ({checklist.source}). {n_missing} of {table.height} items lack something that the "
                "study folder does not say; the last column names the key of protocol.toml to add."
            ),
        ),
        tables={caption: table},
        links={title: anchor for anchor, title in titles.items()},
    )


def is_said(study: Study, key: str) -> bool:
    """Whether the study folder says something under a dotted key of protocol.toml, or has a file."""
    if key == RISK_OF_BIAS:
        return study.bias is not None
    value: Any = study.protocol
    for part in key.split("."):
        value = getattr(value, part, None)
        if value is None:
            return False
    if isinstance(value, str):
        return bool(value.strip())
    return value != type(value)() if key == "eligibility" else bool(value)


def lot_tables(results: StudyResults) -> Mapping[str, pl.DataFrame]:
    """List of each lot every setting that a reader needs, and what is missing."""
    return {
        f"Record of lot {lot} (MISEV2023, EV-TRACK)": record.table()
        .with_columns(pl.col("value").fill_null("missing"))
        .rename({"asked_by": "asked by"})
        for lot, record in results.lot_records.items()
    }
