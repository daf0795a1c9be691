"""A lot record says what it knows and names what it does not."""

import pytest

from anagen.errors import InputError
from anagen.records import from_json, to_json
from anagen.vesicles.lot import LOT_FIELDS, LotRecord


def test_an_empty_record_misses_everything():
    assert LotRecord().missing() == LOT_FIELDS
    assert LotRecord().table()["value"].null_count() == len(LOT_FIELDS)


def test_what_is_said_is_no_longer_missing_and_blank_says_nothing():
    record = LotRecord({"diluent": "PBS", "blank": " "}).add(ev_track_id="EV000001")
    missing = {each.name for each in record.missing()}
    assert missing.isdisjoint({"diluent", "ev_track_id"})
    assert "blank" in missing
    assert {each.asked_by for each in record.missing("EV-TRACK")} == {"EV-TRACK"}


def test_names_are_unique_and_unknown_ones_refused():
    names = [each.name for each in LOT_FIELDS]
    assert len(set(names)) == len(names)
    with pytest.raises(InputError, match="no field colour"):
        LotRecord({"colour": "blue"})


def test_the_record_survives_its_json():
    record = LotRecord({"diluent": "PBS"})
    assert from_json(LotRecord, to_json(record)) == record
