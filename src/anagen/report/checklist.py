"""A reporting guideline's items, each with where the report answers it or what the study folder does not say."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, Literal

import polars as pl

from anagen.errors import InputError

CHECKLISTS: Final = ("consort2025", "trend")
Status = Literal["reported", "read and judge", "not in this report", "missing"]


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """One item.

    Parameters
    ----------
    number, topic, asks : str
        As printed; `asks` in our own words.
    sections : tuple of str
        Anchors of the report that answer it.
    keys : tuple of str
        Dotted keys of protocol.toml, or files of the study folder, without which it is not answered.
    by_hand : bool
        Only a reader can judge it.
    """

    number: str
    topic: str
    asks: str
    sections: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Checklist:
    """A guideline.

    Parameters
    ----------
    name, source : str
        As printed.
    items : tuple of ChecklistItem
        In order.
    """

    name: str
    source: str
    items: tuple[ChecklistItem, ...]


@cache
def load_checklist(name: str) -> Checklist:
    """Load a guideline of the package: ``consort2025`` or ``trend``.

    Examples
    --------
    >>> load_checklist("consort2025").items[-1].topic
    'Limitations'
    """
    if name not in CHECKLISTS:
        raise InputError(f"name must be one of {', '.join(CHECKLISTS)}, got {name!r}")
    text = (resources.files("anagen.report") / "checklists" / f"{name}.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    items = tuple(
        ChecklistItem(
            item["number"],
            item["topic"],
            item["asks"],
            tuple(item.get("sections", ())),
            tuple(item.get("keys", ())),
            bool(item.get("by_hand", False)),
        )
        for item in data["items"]
    )
    return Checklist(data["name"], data["source"], items)


def fill_checklist(checklist: Checklist, titles: Mapping[str, str], is_said: Callable[[str], bool]) -> pl.DataFrame:
    """Say for each item where the report answers it, or what is missing.

    Parameters
    ----------
    checklist : Checklist
        From `load_checklist`.
    titles : mapping
        Anchor to title of each section that the report has.
    is_said : callable
        Dotted key of protocol.toml, or name of a file, to whether the study folder says it.

    Returns
    -------
    polars.DataFrame
        item, topic, asks, where, status; `where` lists titles of sections, parted by ``; ``.
    """
    rows = []
    for item in checklist.items:
        there = [titles[anchor] for anchor in item.sections if anchor in titles]
        unsaid = [key for key in item.keys if not is_said(key)]
        rows.append((item.number, item.topic, item.asks, "; ".join(there), _judge(item, there, unsaid)))
    return pl.DataFrame(rows, schema=["item", "topic", "asks", "where", "status"], orient="row")


def _judge(item: ChecklistItem, there: list[str], unsaid: list[str]) -> str:
    files = [key for key in unsaid if key.endswith(".toml")]
    keys = [key for key in unsaid if key not in files]
    ways = [f"{', '.join(keys)} to protocol.toml"] * bool(keys) + [f"{', '.join(files)} to the study folder"] * bool(
        files
    )
    if ways:
        return f"missing: add {' and '.join(ways)}"
    if not there:
        return "not in this report"
    return "read and judge" if item.by_hand else "reported"
