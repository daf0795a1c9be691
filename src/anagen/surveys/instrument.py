"""A questionnaire as data: its items, the answers offered, how it is scored and when it is asked."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Literal

from anagen.errors import Fault, InputError, InputFaults

TOTAL: Final = "total"
"""Name of the score over all items."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question.

    Parameters
    ----------
    id : str
        Short name, unique in the instrument; the `item` column of survey.csv.
    text : str
        What the patient reads.
    reverse : bool
        Whether the answer is turned round (highest becomes lowest) before scoring.
    subscale : str or None
        Part of the instrument to which it belongs, if it has parts.
    """

    id: str
    text: str
    reverse: bool = False
    subscale: str | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """One answer offered: the number that is recorded and the words the patient reads."""

    value: int
    label: str


@dataclass(frozen=True, slots=True)
class Band:
    """A range of scores with its meaning, both ends included."""

    low: float
    high: float
    label: str


@dataclass(frozen=True, slots=True)
class Scoring:
    """How the answers become a score.

    Parameters
    ----------
    method : {"sum", "mean"}
        Of the answers, after reversal.
    low, high : float
        Lowest and highest possible score of all items.
    min_answered : int
        Items that must be answered for a score; with fewer it is missing.
    missing : {"pro-rate", "none"}
        ``pro-rate`` puts the person's own mean in the place of an unanswered item; ``none`` gives a score only to
        those who answered everything.
    better : {"higher", "lower"}
        Which direction is good for the patient.
    bands : tuple of Band
        Meaning of ranges of the score, possibly none.
    """

    method: Literal["sum", "mean"]
    low: float
    high: float
    min_answered: int
    missing: Literal["pro-rate", "none"]
    better: Literal["higher", "lower"]
    bands: tuple[Band, ...] = ()


@dataclass(frozen=True, slots=True)
class Instrument:
    """A questionnaire.

    Parameters
    ----------
    name : str
        Stable name; the `instrument` column of survey.csv.
    version : str
        Changes whenever a word or the scoring does: scores of two versions are not compared unasked.
    title, language, source, instructions : str
        As shown; `source` says who wrote it and under which licence.
    recall : str
        Period the questions look back on, for example "the last 7 days".
    timing : tuple of str
        When it is asked, in words, for example "baseline".
    responses : tuple of Response
        The answers offered, the same for each item.
    items : tuple of Item
        In the order asked.
    scoring : Scoring
    """

    name: str
    version: str
    title: str
    language: str
    source: str
    instructions: str
    recall: str
    timing: tuple[str, ...]
    responses: tuple[Response, ...]
    items: tuple[Item, ...]
    scoring: Scoring

    def item(self, id: str) -> Item:  # noqa: A002 - it is the field's own name in the TOML file
        """Return the item of this id."""
        for item in self.items:
            if item.id == id:
                return item
        raise InputError(f"{self.name} has no item {id!r}: it has {', '.join(item.id for item in self.items)}")

    @property
    def scales(self) -> dict[str, tuple[Item, ...]]:
        """Items of each score: ``total`` and each subscale, in the order of the items."""
        parts: dict[str, list[Item]] = {TOTAL: list(self.items)}
        for item in self.items:
            if item.subscale is not None:
                parts.setdefault(item.subscale, []).append(item)
        return {name: tuple(items) for name, items in parts.items()}


def list_instruments() -> tuple[str, ...]:
    """Names of the instruments that come with the package, sorted.

    Examples
    --------
    >>> "satisfaction-5" in list_instruments()
    True
    """
    folder = resources.files("anagen.surveys") / "instruments"
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


def load_instrument(name: str) -> Instrument:
    """Read one of the instruments that come with the package.

    Parameters
    ----------
    name : str
        One of `list_instruments`.

    Returns
    -------
    Instrument

    Examples
    --------
    >>> [item.id for item in load_instrument("satisfaction-5").items]
    ['thickness', 'shedding', 'appearance', 'burden', 'again']
    """
    if name not in list_instruments():
        raise InputError(f"there is no instrument {name!r}: choose among {', '.join(list_instruments())}")
    file = resources.files("anagen.surveys") / "instruments" / f"{name}.toml"
    return parse_instrument(file.read_text(encoding="utf-8"), file=f"{name}.toml")


def parse_instrument(text: str, *, file: str = "instrument.toml") -> Instrument:
    """Build an instrument from the text of its TOML file; every fault is raised at once.

    Parameters
    ----------
    text : str
        TOML with name, version, title, instructions, recall, timing, the tables [scoring] and [[responses]], [[items]].
    file : str
        Name to print in faults.

    Returns
    -------
    Instrument

    Raises
    ------
    InputFaults
        When a key is missing or wrong, an id or value comes twice, or the stated range is not the one that the items
        and answers give.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputFaults([Fault(file, f"not valid TOML: {error}", "Mend the line named")]) from error
    faults = _check_keys(data, file)
    if faults:
        raise InputFaults(faults)
    instrument = _build(data)
    faults = _check_sense(instrument, file)
    if faults:
        raise InputFaults(faults)
    return instrument


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


Check = tuple[Callable[[Any], bool], str]
_TEXT: Final[Check] = (_is_text, "text")
_NUMBER: Final[Check] = (_is_number, "a number")
_WHOLE: Final[Check] = (_is_whole, "a whole number")
_FLAG: Final[Check] = (lambda value: isinstance(value, bool), "true or false")
_HEAD: Final[dict[str, Check]] = {
    **dict.fromkeys(("name", "version", "title", "language", "source", "instructions", "recall"), _TEXT),
    "timing": (lambda value: isinstance(value, list) and all(map(_is_text, value)), "a list of texts"),
}
_SCORING: Final[dict[str, Check]] = {
    "method": (lambda value: value in ("sum", "mean"), '"sum" or "mean"'),
    "low": _NUMBER,
    "high": _NUMBER,
    "min_answered": _WHOLE,
    "missing": (lambda value: value in ("pro-rate", "none"), '"pro-rate" or "none"'),
    "better": (lambda value: value in ("higher", "lower"), '"higher" or "lower"'),
}
_RESPONSE: Final[dict[str, Check]] = {"value": _WHOLE, "label": _TEXT}
_ITEM: Final[dict[str, Check]] = {"id": _TEXT, "text": _TEXT}
_ITEM_OPTIONS: Final[dict[str, Check]] = {"reverse": _FLAG, "subscale": _TEXT}
_BAND: Final[dict[str, Check]] = {"low": _NUMBER, "high": _NUMBER, "label": _TEXT}


def _check_keys(data: Mapping[str, Any], file: str) -> list[Fault]:
    faults = _check_table(data, _HEAD, {}, ("scoring", "responses", "items"), "", file)
    scoring = data.get("scoring")
    if isinstance(scoring, Mapping):
        faults += _check_table(scoring, _SCORING, {}, ("bands",), "scoring.", file)
        faults += _check_list(scoring.get("bands", []), _BAND, {}, "scoring.bands", file)
    else:
        faults.append(Fault(file, "an instrument says how it is scored", "Add the table [scoring]", column="scoring"))
    faults += _check_list(data.get("responses"), _RESPONSE, {}, "responses", file)
    return faults + _check_list(data.get("items"), _ITEM, _ITEM_OPTIONS, "items", file)


def _check_list(
    tables: Any, required: dict[str, Check], optional: dict[str, Check], place: str, file: str
) -> list[Fault]:
    if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
        return [Fault(file, f"{place} is a list of tables", f"Write one [[{place}]] each", column=place)]
    return [
        fault
        for number, table in enumerate(tables, start=1)
        for fault in _check_table(table, required, optional, (), f"{place}[{number}].", file)
    ]


def _check_table(
    table: Mapping[str, Any],
    required: dict[str, Check],
    optional: dict[str, Check],
    nested: tuple[str, ...],
    place: str,
    file: str,
) -> list[Fault]:
    faults = [
        Fault(file, f"{place}{key} is missing", f"Add {key}: {what}", column=place + key)
        for key, (_, what) in required.items()
        if key not in table
    ]
    for key, value in table.items():
        if key in nested:
            continue
        check = required.get(key) or optional.get(key)
        if check is None:
            allowed = ", ".join([*required, *optional, *nested])
            faults.append(Fault(file, f"{key} means nothing here", f"Use {allowed}", column=place + key))
        elif not check[0](value):
            faults.append(Fault(file, f"{key} must be {check[1]}", "Correct it", None, place + key, str(value)))
    return faults


def _build(data: Mapping[str, Any]) -> Instrument:
    scoring = data["scoring"]
    bands = tuple(Band(float(band["low"]), float(band["high"]), band["label"]) for band in scoring.get("bands", []))
    return Instrument(
        **{key: data[key] for key in _HEAD if key != "timing"},
        timing=tuple(data["timing"]),
        responses=tuple(Response(one["value"], one["label"]) for one in data["responses"]),
        items=tuple(Item(**item) for item in data["items"]),
        scoring=Scoring(
            method=scoring["method"],
            low=float(scoring["low"]),
            high=float(scoring["high"]),
            min_answered=scoring["min_answered"],
            missing=scoring["missing"],
            better=scoring["better"],
            bands=bands,
        ),
    )


def _check_sense(instrument: Instrument, file: str) -> list[Fault]:
    items, values = instrument.items, [response.value for response in instrument.responses]
    faults = []
    if not items or len(set(values)) < 2:
        return [Fault(file, "an instrument has an item and two different answers", "Add [[items]] and [[responses]]")]
    for name, entries in (
        ("item id", [item.id for item in items]),
        ("response value", [str(value) for value in values]),
    ):
        twice = sorted({entry for entry in entries if entries.count(entry) > 1})
        if twice:
            faults.append(Fault(file, f"each {name} stands once", "Rename one of them", value=", ".join(twice)))
    if any(item.subscale == TOTAL for item in items):
        faults.append(Fault(file, f"{TOTAL} is the name of the score of all items", "Rename the subscale"))
    if not 1 <= instrument.scoring.min_answered <= len(items):
        faults.append(
            Fault(file, f"min_answered lies between 1 and {len(items)}", "Correct it", None, "scoring.min_answered")
        )
    low, high = instrument.scoring.low, instrument.scoring.high
    faults += [
        Fault(file, f"a band lies inside {low:g} to {high:g}, low before high", "Correct it", column="scoring.bands")
        for band in instrument.scoring.bands
        if not low <= band.low <= band.high <= high
    ]
    factor = len(items) if instrument.scoring.method == "sum" else 1
    expected = (min(values) * factor, max(values) * factor)
    if (low, high) != expected:
        rule = f"{len(items)} items scored {min(values)} to {max(values)} give a {instrument.scoring.method} from "
        faults.append(
            Fault(
                file,
                f"{rule}{expected[0]} to {expected[1]}",
                "Correct low and high",
                None,
                "scoring",
                f"{low:g} to {high:g}",
            )
        )
    return faults
