"""The plan of the trial: what protocol.toml may say, and what is wrong with one that says something else."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from anagen.errors import Fault, InputFaults
from anagen.study.norwood_hamilton import NORWOOD_HAMILTON, parse_stage

Item = TypeVar("Item")


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _as_stage(value: Any) -> Any:
    stage = parse_stage(value) if isinstance(value, str) else None
    if stage is None:
        raise ValueError("must be one of " + ", ".join(NORWOOD_HAMILTON))
    return stage


def _as_text_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else _as_tuple(value)


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_as_text_list)]
Stage = Annotated[str, BeforeValidator(_as_stage)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Section(BaseModel):
    """A section of protocol.toml: no unknown key, no guessed type, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Design(_Section):
    """How the comparison is made."""

    kind: Literal["single-arm", "parallel", "split-scalp"]
    randomised: bool = False
    blinding: Literal["open", "assessor", "single", "double"] = "open"


class Arm(_Section):
    """One treatment group; in a split-scalp study the scalp sites that get the treatment."""

    name: Name
    description: str = ""
    control: bool = False
    scalp_sites: Names = ()


class Eligibility(_Section):
    """Who may enter; what is left out is not asked. `other` is text that no table can check."""

    sex: Annotated[tuple[Literal["male", "female"], ...], BeforeValidator(_as_text_list)] = ()
    age_years: Annotated[tuple[float, float], BeforeValidator(_as_tuple)] | None = None
    norwood_hamilton: Annotated[tuple[Stage, Stage], BeforeValidator(_as_tuple)] | None = None
    other: Names = ()


class Visit(_Section):
    """A planned visit, counted from the day of enrolment, and how many days early or late it may be."""

    name: Name
    week: Annotated[float, Field(ge=-52, le=1040)]
    days_before: Annotated[int, Field(ge=0, le=365)]
    days_after: Annotated[int, Field(ge=0, le=365)]


class Outcome(_Section):
    """One thing that the study compares between visits.

    `kind` says where its numbers come from: ``density`` (hairs/cm2), ``diameter`` (um), ``thickness`` (cumulative hair
    thickness, mm/cm2) from the images, ``survey`` from the instrument named.
    """

    name: Name
    kind: Literal["density", "diameter", "thickness", "survey"]
    unit: Name
    baseline: Name
    visits: Annotated[tuple[Name, ...], BeforeValidator(_as_text_list), Field(min_length=1)]
    primary: bool = False
    label: str = ""
    instrument: Name | None = None
    better: Literal["higher", "lower"] = "higher"
    smallest_important_difference: Positive | None = None
    smallest_important_difference_source: str = ""


class InstrumentUse(_Section):
    """A survey and the visits at which it is asked.

    `file` names its TOML inside the study folder; without it the instrument is one that comes with the package.
    """

    name: Name
    visits: Annotated[tuple[Name, ...], BeforeValidator(_as_text_list), Field(min_length=1)]
    file: Name | None = None


class Treatment(_Section):
    """What was given."""

    product: Name
    dose: str = ""
    route: str = ""
    schedule: str = ""
    lots: Names = ()


class AnalysisPlan(_Section):
    """How the outcomes are compared, fixed before the data are seen."""

    model: Literal["mmrm", "paired"] = "mmrm"
    covariance: Literal["us", "toep", "toeph", "ar1", "ar1h", "cs", "csh", "ad", "adh"] = "us"
    degrees_of_freedom: Literal["kenward-roger", "kenward-roger-linear", "satterthwaite", "residual"] = "kenward-roger"
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    multiplicity: Literal["holm", "hochberg", "hommel", "fixed-sequence", "none"] = "holm"
    missing_data: Literal["mar", "jump-to-reference", "copy-reference", "copy-increments", "last-mean"] = "mar"
    outside_window: Literal["keep", "exclude"] = "keep"


class IntercurrentEvent(_Section):
    """What may happen after enrolment that changes what an outcome means, and how the question deals with it.

    The five strategies are those of ICH E9(R1), section A.3.2.
    """

    event: Sentence
    strategy: Literal["treatment-policy", "hypothetical", "composite", "while-on-treatment", "principal-stratum"]


class Reporting(_Section):
    """What a reader of the report must be told and no table holds; each is printed as it stands."""

    background: str = ""
    setting: str = ""
    patient_involvement: str = ""
    protocol_changes: str = ""
    sample_size: str = ""
    interim_analyses: str = ""
    randomisation: str = ""
    allocation_concealment: str = ""
    implementation: str = ""
    blinding_method: str = ""
    concomitant_care: str = ""
    end_of_trial: str = ""
    generalisability: str = ""
    protocol_access: str = ""
    data_sharing: str = ""
    funding: str = ""
    conflicts_of_interest: str = ""


class FollowUp(_Section):
    """How long each participant is watched for adverse events."""

    weeks: Positive
    note: str = ""


class Protocol(_Section):
    """Everything protocol.toml says.

    `date_order` says how dates of the form 3/4/2026 in the tables are read; ``iso`` refuses them.
    """

    title: Sentence
    question: Sentence
    registration: str = ""
    notes: str = ""
    date_order: Literal["iso", "day-first", "month-first"] = "iso"
    design: Design
    arms: Annotated[tuple[Arm, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    eligibility: Eligibility = Eligibility()
    visits: Annotated[tuple[Visit, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    outcomes: Annotated[tuple[Outcome, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    instruments: Annotated[tuple[InstrumentUse, ...], BeforeValidator(_as_tuple)] = ()
    treatment: Treatment | None = None
    analysis: AnalysisPlan = AnalysisPlan()
    follow_up: FollowUp | None = None
    intercurrent_events: Annotated[tuple[IntercurrentEvent, ...], BeforeValidator(_as_tuple)] = ()
    reporting: Reporting = Reporting()

    @classmethod
    def from_toml(cls, text: str, *, file: str = "protocol.toml") -> Self:
        """Build the plan from the text of a protocol.toml.

        Parameters
        ----------
        text : str
            The file's text.
        file : str
            How the file is called in messages.

        Returns
        -------
        Protocol
            The plan, consistent within itself.

        Raises
        ------
        InputFaults
            Every fault that could be found, each with the line of its key.
        """
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputFaults([_syntax_fault(str(error), file)]) from error
        try:
            protocol = cls.model_validate(data)
        except ValidationError as error:
            raise InputFaults([_key_fault(cls, dict(e), text, file) for e in error.errors()]) from error
        faults = [
            _plan_fault(place, value, rule, way_out, text, file) for place, value, rule, way_out in _clashes(protocol)
        ]
        if faults:
            raise InputFaults(faults)
        return protocol

    def visit(self, name: str) -> Visit:
        """Find the visit of that name; KeyError where there is none."""
        return _named(self.visits, name)

    def outcome(self, name: str) -> Outcome:
        """Find the outcome of that name; KeyError where there is none."""
        return _named(self.outcomes, name)

    def arm_of_site(self, scalp_site: str) -> str | None:
        """Name of the arm whose treatment a scalp site gets in a split-scalp study; None where no arm names it."""
        return next((arm.name for arm in self.arms if scalp_site in arm.scalp_sites), None)

    @property
    def primary_outcomes(self) -> tuple[Outcome, ...]:
        """The outcomes that decide; at least one."""
        return tuple(outcome for outcome in self.outcomes if outcome.primary)

    def visits_of(self, kind: str) -> tuple[str, ...]:
        """Names of the visits at which outcomes of one kind are measured, baselines included, in order of week."""
        wanted = {
            name for outcome in self.outcomes if outcome.kind == kind for name in (outcome.baseline, *outcome.visits)
        }
        return tuple(v.name for v in sorted(self.visits, key=lambda v: v.week) if v.name in wanted)


def mend_enough(text: str) -> Protocol | None:
    """Build a plan from a faulty protocol.toml without its faulty keys, good enough to check the tables against.

    Parameters
    ----------
    text : str
        The file's text, which `Protocol.from_toml` refused.

    Returns
    -------
    Protocol or None
        None when a key that the plan cannot do without is faulty. Nothing may be analysed by it.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    for _ in range(3):  # what is taken away in one round may be missing in the next
        try:
            return Protocol.model_validate(data)
        except ValidationError as error:
            for fault in error.errors():
                place = _place_of(dict(fault))
                if fault["type"] == "missing":
                    _fill(data, place)
                else:
                    _remove(data, place)
    return None


FILLERS = {"title": "-", "question": "-", "unit": "-", "product": "-", "days_before": 365, "days_after": 365}
"""What stands in for keys that decide nothing about the tables; windows open wide, so that nobody is called late."""


def _fill(data: Any, place: tuple[int | str, ...]) -> None:
    if place[-1] not in FILLERS:
        return
    for part in place[:-1]:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return  # a fault before it took the place away
    data[place[-1]] = FILLERS[str(place[-1])]


def _remove(data: Any, place: tuple[int | str, ...]) -> None:
    """Take away what stands at a place: the key itself, or the whole key whose list holds it."""
    keys = [part for part in place if isinstance(part, str)]
    for part in place:
        last_key = bool(keys) and part == keys[-1]
        if isinstance(data, dict) and last_key:
            data.pop(part, None)
            return
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return


def _named(items: Sequence[Item], name: str) -> Item:
    for item in items:
        if getattr(item, "name", None) == name:
            return item
    raise KeyError(name)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """``did you mean 'visits'?`` or the list of what is known.

    Examples
    --------
    >>> did_you_mean("vists", ["visits", "arms"])
    "did you mean 'visits'?"
    >>> did_you_mean("x", ["visits", "arms"])
    'known: visits, arms.'
    """
    return _nearest(word, tuple(known))


@lru_cache(maxsize=10_000)  # one misspelt participant stands in many rows, and each search takes milliseconds
def _nearest(word: str, known: tuple[str, ...]) -> str:
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else ".")
    return f"known: {shown}" if known else "none is known."


def _syntax_fault(message: str, file: str) -> Fault:
    line = re.search(r"\(at line (\d+)", message)
    return Fault(
        file,
        f"this is not TOML: {message}",
        'look at that line: text stands in "quotes", a list in [brackets], one key a line',
        row=int(line.group(1)) if line else None,
    )


def _key_fault(model: type[BaseModel], error: dict[str, Any], text: str, file: str) -> Fault:
    place = _place_of(error)
    key, kind = str(place[-1]), error["type"]
    value = None if kind == "missing" else _short(error["input"])
    if kind == "extra_forbidden":
        known = list(_section_at(model, place[:-1]).model_fields)
        rule, way_out = f"unknown key {key!r}", did_you_mean(key, known) + " Else delete the line"
    elif kind == "missing":
        rule, way_out = "this key is required", f"add {key} = ...; `anagen init` writes a complete example"
    else:
        rule = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        way_out = "change the value"
    return Fault(file, rule, way_out, row=line_of_key(text, place), column=_dotted(place), value=value)


def _place_of(error: dict[str, Any]) -> tuple[int | str, ...]:
    """Keys and list indices that lead to a faulty value, without pydantic's names of its own steps."""
    return tuple(part for part in error["loc"] if isinstance(part, int) or not part.startswith(("function-", "tuple[")))


def _section_at(model: type[BaseModel], place: Sequence[int | str]) -> type[BaseModel]:
    for part in place:
        if isinstance(part, int) or part not in model.model_fields:
            continue
        inner = next(_models_in(model.model_fields[part].annotation), None)
        if inner is not None:
            model = inner
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)


def _plan_fault(place: tuple[int | str, ...], value: object, rule: str, way_out: str, text: str, file: str) -> Fault:
    shown = None if value is None else _short(value)
    return Fault(file, rule, way_out, row=line_of_key(text, place), column=_dotted(place), value=shown)


def _short(value: object) -> str:
    shown = value if isinstance(value, str) else repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _dotted(place: Sequence[int | str]) -> str:
    """``outcomes[2].unit``, counted from 1 as a reader counts."""
    dotted = ""
    for part in place:
        dotted += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return dotted.lstrip(".")


def line_of_key(text: str, place: Sequence[int | str]) -> int | None:
    r"""Line (from 1) on which a key of a TOML text stands; that of its section where the key is absent.

    Sections written ``[name]`` and ``[[name]]`` are followed; keys inside inline tables give their line's start.

    Examples
    --------
    >>> line_of_key("title = 'x'\n[[arms]]\nname = 'a'\n[[arms]]\nname = 'b'", ("arms", 1, "name"))
    5
    """
    section: tuple[int | str, ...] = ()
    seen: dict[str, int] = {}
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*(\[\[?)\s*([\w.\-\"' ]+?)\s*\]\]?\s*(#.*)?$", line)
        if header:
            name = header.group(2).strip("\"' ")
            section = tuple(name.split("."))
            if header.group(1) == "[[":
                seen[name] = seen.get(name, -1) + 1
                section = (*section, seen[name])
            path: tuple[int | str, ...] = section
        else:
            key = re.match(r"\s*[\"']?([\w\-]+)[\"']?\s*=", line)
            if not key:
                continue
            path = (*section, key.group(1))
        n_shared = min(len(place), len(path))
        if tuple(place[:n_shared]) == path[:n_shared] and (best is None or n_shared > best[0]):
            best = (n_shared, number)
    return best[1] if best else None


Clash = tuple[tuple[int | str, ...], object, str, str]


def _clashes(protocol: Protocol) -> Iterator[Clash]:
    """List what each key allows but the plan as a whole does not."""
    for section in ("arms", "visits", "outcomes", "instruments"):
        yield from _same_names(section, [item.name for item in getattr(protocol, section)])
    yield from _clashes_of_design(protocol)
    yield from _clashes_of_eligibility(protocol.eligibility)
    yield from _clashes_of_outcomes(protocol)
    known = [visit.name for visit in protocol.visits]
    for index, instrument in enumerate(protocol.instruments):
        yield from _unknown_visits(("instruments", index, "visits"), instrument.visits, known)


def _same_names(section: str, names: Sequence[str]) -> Iterator[Clash]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield (section, index, "name"), name, "this name is already taken", "give each a name of its own"


def _clashes_of_design(protocol: Protocol) -> Iterator[Clash]:
    kind, n_arms = protocol.design.kind, len(protocol.arms)
    if kind == "single-arm" and n_arms != 1:
        yield (
            ("arms",),
            None,
            f"a single-arm study has one arm, this one has {n_arms}",
            ('delete the others, or set design.kind = "parallel"'),
        )
    if kind != "single-arm" and n_arms < 2:
        yield (
            ("arms",),
            None,
            f"a {kind} study has at least two arms, this one has {n_arms}",
            ('add [[arms]], or set design.kind = "single-arm"'),
        )
    if kind == "split-scalp":
        for index, arm in enumerate(protocol.arms):
            if not arm.scalp_sites:
                yield (
                    ("arms", index, "scalp_sites"),
                    None,
                    "a split-scalp arm names the scalp sites that it treats",
                    ('add scalp_sites = ["left"]'),
                )

    plan = protocol.analysis.missing_data
    if plan != "mar" and not (kind == "parallel" and any(arm.control for arm in protocol.arms)):
        yield (
            ("analysis", "missing_data"),
            plan,
            "missing visits can be taken from a reference arm only where parallel groups have a control",
            ('write missing_data = "mar" (the report adds a tipping point), or give the control arm control = true'),
        )


def _clashes_of_eligibility(eligibility: Eligibility) -> Iterator[Clash]:
    ages, stages = eligibility.age_years, eligibility.norwood_hamilton
    if ages is not None and not 0 <= ages[0] <= ages[1] <= 120:
        yield ("eligibility", "age_years"), ages, "must be [lowest, highest] within 0 to 120 years", "write [22, 65]"
    if stages is not None and NORWOOD_HAMILTON.index(stages[0]) > NORWOOD_HAMILTON.index(stages[1]):
        yield ("eligibility", "norwood_hamilton"), stages, "must be [mildest, worst]", "swap the two"


def _clashes_of_outcomes(protocol: Protocol) -> Iterator[Clash]:
    known = [visit.name for visit in protocol.visits]
    weeks = {visit.name: visit.week for visit in protocol.visits}
    instruments = [use.name for use in protocol.instruments]
    if not protocol.primary_outcomes:
        yield ("outcomes",), None, "no outcome is primary", "add primary = true to the one that answers the question"
    for index, outcome in enumerate(protocol.outcomes):
        place = ("outcomes", index)
        yield from _unknown_visits((*place, "baseline"), (outcome.baseline,), known)
        yield from _unknown_visits((*place, "visits"), outcome.visits, known)
        for name in outcome.visits:
            if outcome.baseline in weeks and name in weeks and weeks[name] <= weeks[outcome.baseline]:
                yield (
                    (*place, "visits"),
                    name,
                    f"must come after the baseline visit {outcome.baseline!r}",
                    ("list only the visits that are compared with the baseline"),
                )
        if outcome.kind == "survey" and outcome.instrument not in instruments:
            yield (
                (*place, "instrument"),
                outcome.instrument,
                "a survey outcome names an instrument of [[instruments]]",
                (did_you_mean(outcome.instrument or "", instruments)),
            )
        if outcome.kind in UNIT_OF_KIND and outcome.unit != UNIT_OF_KIND[outcome.kind]:
            yield (
                (*place, "unit"),
                outcome.unit,
                f"{outcome.kind} is measured in {UNIT_OF_KIND[outcome.kind]}",
                (f'write unit = "{UNIT_OF_KIND[outcome.kind]}"'),
            )
        if outcome.smallest_important_difference and not outcome.smallest_important_difference_source.strip():
            yield (
                (*place, "smallest_important_difference"),
                outcome.smallest_important_difference,
                ("a smallest important difference needs its source"),
                "add smallest_important_difference_source: a paper, a patient survey, or who decided it and when",
            )


UNIT_OF_KIND = {"density": "hairs/cm2", "diameter": "um", "thickness": "mm/cm2"}


def _unknown_visits(place: tuple[int | str, ...], names: Sequence[str], known: Sequence[str]) -> Iterator[Clash]:
    for name in names:
        if name not in known:
            yield place, name, "this visit is not in [[visits]]", did_you_mean(name, known)
