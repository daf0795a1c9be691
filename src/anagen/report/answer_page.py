"""The page of a living answer: Markdown that reads in a browser, in print and by a screen reader, with its figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from anagen.evidence.answer import YARDSTICK, ComparedArms, EvidenceAnswer
from anagen.evidence.bias import BiasJudgement, load_instrument
from anagen.evidence.no_effect import (
    PUBLISHED_NATURAL_CHANGES,
    probability_of_significance,
    smallest_significant_change,
)
from anagen.evidence.settling_trial import n_per_group
from anagen.evidence.verdict_rules import RULES_VERSION
from anagen.report.bias_plots import draw_traffic_lights
from anagen.report.forest import ForestRow, draw_forest
from anagen.report.no_drug_figure import draw_without_drug
from anagen.report.svg import SvgFigure

INSTRUMENT_NAMES: Final = {"RoB 2": "rob2", "ROBINS-I": "robins_i_v1"}
TYPICAL_N: Final = 30
"""People in the usual single-arm study of exosomes."""
DIFFERENCES: Final = (5.0, 7.5, 10.0, 15.0)


@dataclass(frozen=True, slots=True)
class AnswerPage:
    """A page and the figures it shows.

    Parameters
    ----------
    name : str
        Stem of the file.
    text : str
        Markdown.
    figures : tuple of SvgFigure
        Each is shown under ``NAME-FIGURE.svg``.
    """

    name: str
    text: str
    figures: tuple[SvgFigure, ...]


def write_answer_page(answer: EvidenceAnswer) -> AnswerPage:
    """Lay out an answer; the same text for the same library, whoever runs it.

    Parameters
    ----------
    answer : EvidenceAnswer
        From `answer_question`.

    Returns
    -------
    AnswerPage
    """
    name = f"{answer.intervention}-{answer.outcome}".casefold().replace(" ", "-")
    figures = {figure.name: figure for figure in _draw(answer)}
    parts = [
        *_opening(answer),
        *_studies(answer),
        *_pooling(answer, name, figures),
        *_without_drug(name, figures),
        *_bias(answer, name, figures),
        *_certainty(answer),
        *_asking_study(answer),
        *_trial(answer),
        *_rest(answer),
    ]
    return AnswerPage(name, "\n\n".join(parts) + "\n", tuple(figures.values()))


def _draw(answer: EvidenceAnswer) -> Iterator[SvgFigure]:
    rows = [_forest_row(c, answer) for c in answer.compared if c.standardised is not None]
    if rows:
        yield draw_forest(
            rows,
            answer.pooled,
            axis="standardised mean difference (Hedges' g); right favours the treatment",
            caption="Randomised comparisons with sham or vehicle on one scale. Groups are never pooled together.",
        )
    if _has_single_arms(answer):
        yield draw_without_drug(TYPICAL_N, PUBLISHED_NATURAL_CHANGES)
    for tool, instrument in INSTRUMENT_NAMES.items():
        judged = [b for b in answer.biases if b.instrument == tool]
        if judged:
            yield draw_traffic_lights(judged, load_instrument(instrument), name=f"bias-{instrument.replace('_', '-')}")


def _forest_row(compared: ComparedArms, answer: EvidenceAnswer) -> ForestRow:
    effect = compared.standardised
    if effect is None:  # pragma: no cover - filtered by the caller
        raise ValueError(compared.study)
    members = [c for c in answer.compared if c.group == compared.group and c.standardised is not None]
    weight = 100.0
    if compared.group in answer.pooled:
        weight = float(answer.pooled[compared.group].weights[members.index(compared)])
    label = f"{compared.study} ({compared.n_active} and {compared.n_control})"
    return ForestRow(label, compared.group, effect.effect, effect.std_error, weight)


def _opening(answer: EvidenceAnswer) -> Iterator[str]:
    title = f"{answer.intervention[0].upper()}{answer.intervention[1:]} and {answer.outcome}: what is known"
    yield f"# {title}"
    yield (
        f'Written by `anagen answer "{answer.intervention}" "{answer.outcome}"` from the library of published studies,'
        f" version {answer.library_version}, with verdict rules version {RULES_VERSION}. The library holds what was"
        " read (mostly abstracts) and is not a systematic search."
    )
    yield "## The answer"
    yield f"**For professionals.** {answer.professional}"
    yield f"**In plain words.** {answer.patient}"
    yield "\n".join(f"- {reason}" for reason in _why(answer))


def _why(answer: EvidenceAnswer) -> Iterator[str]:
    """Say what the answer rests on: randomised results, single arms, harms."""
    for row in answer.studies.filter((pl.col("kind") == "comparison") & pl.col("effect").is_not_null()).iter_rows(
        named=True
    ):
        judged = next((b for b in answer.biases if b.study == row["study"]), None)
        bias = f" Risk of bias: {judged.overall} ({judged.instrument})." if judged else ""
        product = f" ({row['product']})" if row["product"] else ""
        yield f"{row['study']}, {_number(row['n'])} people, {row['arm']}{product}: {_result(row)}.{bias}"
    if _has_single_arms(answer):
        low, high = (f(_chances()) for f in (min, max))
        yield (
            "Studies without a comparison group cannot answer: with a treatment that does nothing,"
            f" {100 * low:.0f} to {100 * high:.0f} of 100 studies of {TYPICAL_N} people would report p < 0.05 for a"
            " rise if hair changed as in published groups on saline or vehicle."
        )
    for study, verdict in answer.verdicts.items():
        yield from (
            f"Harms in {study}: {s.text}"
            for s in verdict.for_audience("professional")
            if s.rule in {"harms-zero", "harms-some", "harms-serious"}
        )
    for row in answer.notices.iter_rows(named=True):
        yield f"{row['study']}: {row['adverse_events']}; {row['note']}."


def _chances() -> list[float]:
    return [probability_of_significance(TYPICAL_N, c.mean_change, c.change_sd) for c in PUBLISHED_NATURAL_CHANGES]


def _studies(answer: EvidenceAnswer) -> Iterator[str]:
    yield "## The studies"
    rows = [
        (
            _named(row),
            row["design"],
            row["arm"],
            _number(row["n"]),
            row["timepoint"],
            _result(row),
            row["adverse_events"],
            "; ".join(part for part in (row["read"], row["note"]) if part),
        )
        for row in answer.studies.iter_rows(named=True)
    ]
    yield _table(("study", "design", "arm", "people", "when", "result", "harms", "what was read, remarks"), rows)


def _pooling(answer: EvidenceAnswer, name: str, figures: dict[str, SvgFigure]) -> Iterator[str]:
    yield "## What can be pooled"
    own = [c for c in answer.compared if c.study in set(answer.studies["study"])]
    with_effect = [c for c in own if c.standardised is not None]
    if len(with_effect) == 1:
        c = with_effect[0]
        yield (
            f"One randomised comparison of {answer.intervention} with {c.control} gives an effect ({c.study}): there is"
            " nothing to pool it with."
        )
    elif not with_effect:
        yield f"No randomised comparison of {answer.intervention} prints what pooling needs."
    lines = []
    for group, pooled in answer.pooled_difference.items():
        members = [c for c in answer.compared if c.group == group and c.difference is not None]
        n = sum(c.n_active + c.n_control for c in members)
        kind = "pooled (REML, normal interval)" if pooled.n_studies > 1 else "one study"
        lines.append(
            f"- {group} against vehicle: {pooled.estimate:.1f} ({pooled.ci_low:.1f} to {pooled.ci_high:.1f}) hairs/cm2,"
            f" {kind}, {n} people."
        )
    if lines:
        yield "\n".join(lines)
    if "forest" in figures:
        yield _figure(name, figures["forest"])
    if answer.intervention.casefold() != YARDSTICK and answer.pooled_difference:
        yield f"{YARDSTICK.capitalize()} stands there as a yardstick; other drugs are never pooled with it."
    converted = list(dict.fromkeys(f"{c.study}: {c.conversion}" for c in answer.compared if c.conversion))
    if converted:
        yield "Numbers that were not printed, or could not be used:"
        yield "\n".join(f"- {text}." for text in converted)
        yield (
            "Converted numbers of skewed counts are rough: where a paper's own test and the converted interval"
            " disagree, the paper's test is the better guide."
        )


def _without_drug(name: str, figures: dict[str, SvgFigure]) -> Iterator[str]:
    if "without-drug" not in figures:
        return
    yield "## What would have happened without the drug"
    yield (
        f"A study of {TYPICAL_N} people in one arm tests whether hair changed, not whether the treatment changed it."
        f" It calls a mean rise of {smallest_significant_change(TYPICAL_N, 22.0):.1f} hairs/cm2 significant (standard"
        " deviation of change 22). Groups on saline injections or vehicle changed as much:"
    )
    yield _figure(name, figures["without-drug"])


def _bias(answer: EvidenceAnswer, name: str, figures: dict[str, SvgFigure]) -> Iterator[str]:
    yield "## Risk of bias"
    if not answer.biases:
        yield "Not judged: the papers have not been read for it."
        return
    yield (
        "Judged from what was read; a dot means that it says nothing on the matter. The questions and the algorithms"
        " are data in the package; every answer carries its reason."
    )
    for instrument in INSTRUMENT_NAMES.values():
        key = f"bias-{instrument.replace('_', '-')}"
        if key in figures:
            yield _figure(name, figures[key])
    asking = answer.question.study_that_asked if answer.question else ""
    shown = [b for b in answer.biases if b.instrument == "RoB 2" or b.study == asking]
    for judged in shown:
        yield f"Why {judged.study} was judged {judged.overall} ({judged.instrument}, {judged.version}):"
        yield _table(("domain", "judgement", "answers and reasons"), _reasons(judged))


def _reasons(judged: BiasJudgement) -> list[tuple[str, ...]]:
    return [
        (
            f"{d.id} {d.title}",
            d.judgement,
            "; ".join(f"{question} {answer} ({reason})" for question, _, answer, reason in d.answers),
        )
        for d in judged.domains
    ]


def _certainty(answer: EvidenceAnswer) -> Iterator[str]:
    yield "## Certainty of the evidence"
    if answer.graded is None or answer.question is None:
        yield "Not judged."
        return
    rows: list[tuple[str, ...]] = [
        (d.domain, f"{d.levels:+d}" if d.levels else "0", d.reason) for d in answer.graded.domains
    ]
    rows.append(("**certainty**", f"**{answer.graded.certainty}**", f"begins at {answer.graded.start}"))
    yield _table(("domain (GRADE)", "levels", "reason"), rows)
    yield f"Judged {answer.question.judged_by}."


def _asking_study(answer: EvidenceAnswer) -> Iterator[str]:
    asking = answer.question.study_that_asked if answer.question else ""
    if asking not in answer.verdicts:
        return
    verdict = answer.verdicts[asking]
    yield f"## {asking} on its own"
    yield "What its design can show: " + "; ".join(verdict.can_show) + "."
    yield "What it cannot show: " + "; ".join(verdict.cannot_show) + "."
    yield "\n".join(f"- {statement.text}" for statement in verdict.for_audience("professional"))
    yield "**In plain words.** " + verdict.text("patient")


def _trial(answer: EvidenceAnswer) -> Iterator[str]:
    trial = answer.trial
    yield "## The trial that would settle it"
    yield (
        "Randomised, sham (vehicle) injected, with blinded patients, injectors and counters; a marked field, hair"
        " clipped and counted by machine; 24 weeks to the primary outcome, 52 to the last visit; enrolment spread over"
        " the year; other hair drugs barred or balanced; harms counted at each visit."
    )
    rows = [
        (f"{d:g}", str(n_per_group(d, trial.change_sd, power=0.8)), str(n_per_group(d, trial.change_sd, power=0.9)))
        for d in DIFFERENCES
    ]
    yield _table(("difference, hairs/cm2", "people per group, 80 % power", "90 % power"), rows)
    source = f" ({answer.question.smallest_important_source})" if answer.question else ""
    yield (
        f"Two-sided 5 %, standard deviation of change {trial.change_sd:g} hairs/cm2 (the middle of Olsen 2002 and"
        f" 2007), no drop-out. For {trial.difference:g} hairs/cm2{source}, with {100 * trial.dropout:g} % lost:"
        f" {trial.n_per_group_90_dropout} people per group."
    )


def _rest(answer: EvidenceAnswer) -> Iterator[str]:
    for title, table in (
        ("Registered, without results", answer.registrations),
        ("Reviews", answer.reviews),
        ("Notices", answer.notices),
    ):
        if table.height:
            yield f"## {title}"
            yield "\n".join(f"- {_line(row)}" for row in table.iter_rows(named=True))


def _line(row: dict[str, object]) -> str:
    parts = (row["design"], _result(row), row["adverse_events"], row["note"])
    return f"{_named(row)}: " + "; ".join(str(part) for part in parts if part) + "."


def _has_single_arms(answer: EvidenceAnswer) -> bool:
    return answer.studies.filter(pl.col("comparator") == "none").height > 0


def _named(row: dict[str, object]) -> str:
    return f"{row['study']} ({row['citation']})" if row["citation"] not in {"", row["study"]} else str(row["study"])


def _result(row: dict[str, object]) -> str:
    unit = "%" if row["unit"] == "% change" else row["unit"]
    parts = []
    if row["baseline_mean"] is not None and row["followup_mean"] is not None:
        parts.append(f"{_with_sd(row, 'baseline')} to {_with_sd(row, 'followup')} {unit}")
    if row["change_mean"] is not None:
        parts.append(f"change {row['change_mean']:+g}" + _bracket(" (SD {:g})", row["change_sd"]) + f" {unit}")
    if row["change_median"] is not None:
        parts.append(f"median change {row['change_median']:+g} (IQR {row['change_iqr']:g}) {unit}")
    if row["effect"] is not None:
        interval = f" ({row['ci_low']:g} to {row['ci_high']:g})" if row["ci_low"] is not None else ""
        parts.append(f"{row['effect_measure']} {row['effect']:g}{interval}")
    if row["p_value"] is not None:
        remark = f" ({row['p_value_text']})" if row["p_value_text"] else ""
        parts.append(f"p = {row['p_value']:g}{remark}")
    elif row["p_value_text"]:
        parts.append(str(row["p_value_text"]))
    return ", ".join(parts)


def _with_sd(row: dict[str, object], which: str) -> str:
    return f"{row[f'{which}_mean']:g}" + _bracket(" (SD {:g})", row[f"{which}_sd"])


def _bracket(pattern: str, value: object) -> str:
    return "" if value is None else pattern.format(value)


def _number(value: object) -> str:
    return "" if value is None else f"{value:g}"


def _figure(page: str, figure: SvgFigure) -> str:
    return f"![{figure.alt}]({page}-{figure.name}.svg)\n\n*{figure.caption}*"


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "/").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(columns), "|" + "---|" * len(columns), *map(line, rows)])
