"""Each guideline's items name sections that reports have and keys that protocols know."""

import pytest

from anagen.errors import InputError
from anagen.report.checklist import CHECKLISTS, fill_checklist, load_checklist
from anagen.study.protocol import Protocol, Reporting

SECTIONS = {
    *("top", "answer", "flow", "estimand", "about", "people", "density", "images", "lots", "satisfaction", "harms"),
    *("estimates", "missing", "bias", "no-drug", "left-out", "provenance"),
}


@pytest.mark.parametrize("name", CHECKLISTS)
def test_items_lead_to_sections_and_keys_that_exist(name):
    checklist = load_checklist(name)
    assert len(checklist.items) >= 22
    for item in checklist.items:
        assert set(item.sections) <= SECTIONS, item.topic
        for key in item.keys:
            first, _, second = key.partition(".")
            if key == "risk_of_bias.toml":
                continue
            assert first in Protocol.model_fields, key
            assert first != "reporting" or second in Reporting.model_fields, key


def test_consort_2025_has_its_thirty_items():
    numbers = [item.number.rstrip("abcd") for item in load_checklist("consort2025").items]
    assert sorted(set(map(int, numbers))) == list(range(1, 31))


def test_an_item_is_reported_missing_or_not_there():
    checklist = load_checklist("trend")
    titles = {"estimates": "Estimates", "about": "About this study", "top": "Head of this page"}
    table = fill_checklist(checklist, titles, lambda key: key == "reporting.background")
    status = dict(zip(table["topic"], table["status"], strict=True))
    assert status["Background"] == "reported"
    assert status["Harms"] == "missing: add follow_up to protocol.toml"
    assert status["All evidence"] == "missing: add risk_of_bias.toml to the study folder"
    assert status["Flow"] == "not in this report"
    assert status["Title and summary"] == "read and judge"
    assert dict(zip(table["topic"], table["where"], strict=True))["Statistical methods"] == "Estimates"


def test_every_key_of_reporting_is_asked_for_by_an_item():
    asked = {key.partition(".")[2] for name in CHECKLISTS for item in load_checklist(name).items for key in item.keys}
    assert set(Reporting.model_fields) <= asked


def test_an_unknown_guideline_is_refused():
    with pytest.raises(InputError, match="consort2025, trend"):
        load_checklist("consort2010")
