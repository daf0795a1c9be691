"""Risk of bias of one study: a questionnaire kept as data, its algorithm, and every answer with its reason."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

from anagen.errors import Fault, InputError, InputFaults

AnswerCode = Literal["Y", "PY", "PN", "N", "NI"]
CLASS_OF: Final = {"Y": "yes", "PY": "yes", "PN": "no", "N": "no", "NI": "unknown"}
INSTRUMENTS: Final = ("rob2", "robins_i_v1")


@dataclass(frozen=True, slots=True)
class Question:
    """One signalling question.

    Parameters
    ----------
    id : str
        Number in the tool.
    text : str
        The question, in short words of our own.
    only_if : tuple of str
        Asked when one of these conditions holds; always, when empty.
    """

    id: str
    text: str
    only_if: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgementRule:
    """A judgement and the conditions that must all hold for it."""

    when: tuple[str, ...]
    judgement: str


@dataclass(frozen=True, slots=True)
class BiasDomain:
    """One way in which a result can be led astray.

    Parameters
    ----------
    id, title : str
        Number and name.
    questions : tuple of Question
        In order.
    parts : tuple of tuple of JudgementRule
        In each part the first rule that holds decides; the domain takes the worst part.
    """

    id: str
    title: str
    questions: tuple[Question, ...]
    parts: tuple[tuple[JudgementRule, ...], ...]


@dataclass(frozen=True, slots=True)
class BiasInstrument:
    """A questionnaire with its algorithm.

    Parameters
    ----------
    name, version, source, applies_to : str
        Which tool, which edition, where published, for which studies.
    levels : tuple of str
        Judgements from best to worst.
    no_information : str
        Name of the judgement that cannot be made; empty where the tool has none.
    overall_note : str
        How the overall judgement is reached.
    domains : tuple of BiasDomain
        In order.
    """

    name: str
    version: str
    source: str
    applies_to: str
    levels: tuple[str, ...]
    no_information: str
    overall_note: str
    domains: tuple[BiasDomain, ...]


@dataclass(frozen=True, slots=True)
class BiasAnswer:
    """An answer and why it was given.

    Parameters
    ----------
    answer : {"Y", "PY", "PN", "N", "NI"}
        Yes, probably yes, probably no, no, no information.
    reason : str
        What in the report supports it.
    """

    answer: AnswerCode
    reason: str


@dataclass(frozen=True, slots=True)
class DomainJudgement:
    """The judgement of one domain with the answers it rests on.

    Parameters
    ----------
    id, title, judgement : str
        Domain and its judgement.
    answers : tuple of (question id, question, answer, reason)
        In order, only the questions asked.
    """

    id: str
    title: str
    judgement: str
    answers: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, slots=True)
class BiasJudgement:
    """The judgement of one study.

    Parameters
    ----------
    study, instrument, version : str
        What was judged, with what.
    domains : tuple of DomainJudgement
        In order.
    overall : str
        Worst domain, by the tool's rule.
    """

    study: str
    instrument: str
    version: str
    domains: tuple[DomainJudgement, ...]
    overall: str


@cache
def load_instrument(name: str) -> BiasInstrument:
    """Load a questionnaire of the package: ``rob2`` or ``robins_i_v1``.

    Examples
    --------
    >>> [domain.title for domain in load_instrument("rob2").domains][0]
    'randomisation'
    """
    if name not in INSTRUMENTS:
        raise InputError(f"name must be one of {', '.join(INSTRUMENTS)}, got {name!r}")
    text = (resources.files("anagen.evidence") / "instruments" / f"{name}.toml").read_text(encoding="utf-8")
    return parse_instrument(tomllib.loads(text))


def parse_instrument(data: Mapping[str, Any]) -> BiasInstrument:
    """Build a questionnaire from its parsed TOML."""
    domains = tuple(
        BiasDomain(
            domain["id"],
            domain["title"],
            tuple(Question(q["id"], q["text"], tuple(q.get("only_if", ()))) for q in domain["questions"]),
            tuple(tuple(JudgementRule(tuple(r["when"]), r["judgement"]) for r in part) for part in domain["parts"]),
        )
        for domain in data["domains"]
    )
    plain = {name: data[name] for name in ("name", "version", "source", "applies_to", "no_information", "overall_note")}
    return BiasInstrument(levels=tuple(data["levels"]), domains=domains, **plain)


def judge_bias(study: str, instrument: BiasInstrument, answers: Mapping[str, BiasAnswer]) -> BiasJudgement:
    """Judge a study by an instrument's algorithm.

    Parameters
    ----------
    study : str
        Name, for print.
    instrument : BiasInstrument
        From `load_instrument`.
    answers : mapping of question id to BiasAnswer
        Every question that the earlier answers call for, each with its reason.

    Returns
    -------
    BiasJudgement

    Raises
    ------
    InputFaults
        Naming every question without an answer, without a reason, with an unknown answer, and every answer to a
        question that does not exist.
    """
    asked = {d.id: tuple(q for q in d.questions if _is_asked(q, answers)) for d in instrument.domains}
    _check_answers(study, instrument, asked, answers)
    domains = tuple(
        DomainJudgement(
            domain.id,
            domain.title,
            judge_domain(instrument, domain, answers),
            tuple((q.id, q.text, answers[q.id].answer, answers[q.id].reason) for q in asked[domain.id]),
        )
        for domain in instrument.domains
    )
    overall = _worst(instrument, [domain.judgement for domain in domains])
    return BiasJudgement(study, instrument.name, instrument.version, domains, overall)


def judge_domain(instrument: BiasInstrument, domain: BiasDomain, answers: Mapping[str, BiasAnswer]) -> str:
    """Judge one domain; InputError when no rule holds."""
    found = []
    for part in domain.parts:
        holding = [rule.judgement for rule in part if all(_holds(condition, answers) for condition in rule.when)]
        if not holding:
            raise InputError(f"{instrument.name}, domain {domain.id}: the answers reach no judgement")
        found.append(holding[0])
    return _worst(instrument, found)


def _worst(instrument: BiasInstrument, judgements: Sequence[str]) -> str:
    known = [judgement for judgement in judgements if judgement != instrument.no_information]
    worst = max((instrument.levels.index(judgement) for judgement in known), default=0)
    if len(known) < len(judgements) and worst < 2:  # worse than moderate is known whatever is missing
        return instrument.no_information
    return instrument.levels[worst]


def _is_asked(question: Question, answers: Mapping[str, BiasAnswer]) -> bool:
    return not question.only_if or any(_holds(condition, answers) for condition in question.only_if)


def _holds(condition: str, answers: Mapping[str, BiasAnswer]) -> bool:
    """Whether ``"2.3 yes|unknown"`` holds; never for a question without an answer."""
    question, classes = condition.split(" ", 1)
    answer = answers.get(question)
    return answer is not None and CLASS_OF.get(answer.answer) in classes.split("|")


def _check_answers(
    study: str,
    instrument: BiasInstrument,
    asked: Mapping[str, tuple[Question, ...]],
    answers: Mapping[str, BiasAnswer],
) -> None:
    known = {q.id for domain in instrument.domains for q in domain.questions}
    codes = ", ".join(CLASS_OF)
    faults = [
        Fault(study, f"{instrument.name} has no question {question}", "take it out", column=question)
        for question in answers
        if question not in known
    ]
    for questions in asked.values():
        for question in questions:
            answer = answers.get(question.id)
            if answer is None:
                faults.append(Fault(study, f"not answered: {question.text}", f"answer {codes}", column=question.id))
            elif answer.answer not in CLASS_OF:
                faults.append(Fault(study, f"answers are {codes}", "use one", column=question.id, value=answer.answer))
            elif not answer.reason.strip():
                faults.append(Fault(study, "an answer without a reason", "say why", column=question.id))
    if faults:
        raise InputFaults(faults)
