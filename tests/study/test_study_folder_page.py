"""docs/study-folder.md names every column and key, and its example rows are sound."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from anagen.study import protocol
from anagen.study.tables import COLUMNS

PAGE = (Path(__file__).parents[2] / "docs" / "study-folder.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")}


@pytest.mark.parametrize("name", COLUMNS)
def test_the_page_names_every_column_and_no_other(name: str):
    named = re.findall(r"^\| ([a-z_0-9]+) \|", SECTIONS[name], flags=re.MULTILINE)
    assert [column for column in named if column != "column"] == [
        *COLUMNS[name].required,
        *COLUMNS[name].optional,
    ]


@pytest.mark.parametrize("name", COLUMNS)
def test_the_example_row_has_columns_of_the_table(name: str):
    header = next(line.strip() for line in SECTIONS[name].splitlines() if line.startswith("    "))
    assert set(COLUMNS[name].required) <= set(header.split(",")) <= set(COLUMNS[name].all)


def test_the_page_names_every_key_of_the_protocol():
    words = set(re.findall(r"[a-z_]+", SECTIONS["protocol.toml"]))
    models = [m for m in vars(protocol).values() if isinstance(m, type) and issubclass(m, BaseModel)]
    keys = {key for model in models for key in model.model_fields}
    assert keys <= words
