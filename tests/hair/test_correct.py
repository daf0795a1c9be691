import numpy as np
import pytest

from anagen.errors import InputError
from anagen.hair.correct import CorrectedMeasurement, Edit, correct_measurement
from anagen.hair.measurement import Hair, HairMeasurement
from anagen.hair.region import Region
from anagen.records import from_json, to_json

WHO = {"reviewer": "R. Reader", "made_on": "2026-01-05T10:00:00Z", "reason": "two hairs in one ostium"}
LINE = np.array([[10.0, 10.0], [10.0, 30.0]])


def shifted(row, col):
    return LINE + np.array([row, col])


@pytest.fixture
def field():
    hairs = tuple(Hair(k, shifted(0, 25.0 * k), 100.0, 50.0 + k, 2.0, 0.9) for k in (1, 2, 3))
    return HairMeasurement(hairs, 0.5, 5.0, (100, 200), Region.rectangle(0, 0, 100, 200))


def test_each_action_does_what_it_says(field):
    edits = [
        Edit("add", **WHO, paths_px=(shifted(50, 0),)),
        Edit("delete", **WHO, numbers=(1,)),
        Edit("split", **WHO, numbers=(2,), paths_px=(LINE, shifted(5, 0))),
        Edit("reclass", **WHO, numbers=(3,), hair_class="vellus"),
        Edit("join", **WHO, numbers=(5, 6)),
    ]
    both = correct_measurement(field, edits)
    hairs = {hair.number: hair for hair in both.corrected.hairs}
    assert both.automatic is field
    assert [hair.number for hair in field.hairs] == [1, 2, 3]
    assert sorted(hairs) == [3, 4, 7]
    assert (hairs[4].source, hairs[4].length_um) == ("R. Reader", 100.0)
    assert "class-vellus" in hairs[3].flags
    assert hairs[3].diameter_um == 53.0
    assert len(hairs[7].path_px) == 4


def test_no_edits_change_nothing(field):
    assert to_json(correct_measurement(field, []).corrected) == to_json(field)


def test_joining_keeps_the_diameter(field):
    joined = correct_measurement(field, [Edit("join", **WHO, numbers=(1, 3))]).corrected.hairs[-1]
    assert (joined.number, joined.diameter_um) == (4, 52.0)
    assert joined.diameter_sd_um == pytest.approx(2 / np.sqrt(2))


def test_a_hair_added_outside_the_region_is_not_counted(field):
    assert correct_measurement(field, [Edit("add", **WHO, paths_px=(shifted(-60, 0),))]).corrected.n_hairs == 3


def test_survives_its_json(field):
    both = correct_measurement(field, [Edit("add", **WHO, paths_px=(LINE,))])
    assert to_json(from_json(CorrectedMeasurement, to_json(both))) == to_json(both)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Edit("delete", **WHO, numbers=(9,)), r"edit 1 \(delete\): no hair 9 .* numbers from 1 to 3"),
        (Edit("delete", **WHO), "takes not 0 hairs"),
        (Edit("split", **WHO, numbers=(1,), paths_px=(LINE,)), "2 or more paths"),
        (Edit("join", **WHO, numbers=(1, 1)), "name one hair twice"),
        (Edit("reclass", **WHO, numbers=(1,), hair_class="thick"), "reclass: hairs and one of terminal"),
        (Edit("add", "", "2026-01-05", "missed", paths_px=(LINE,)), "reviewer is empty"),
        (Edit("add", **WHO, paths_px=(np.zeros((1, 2)),)), "finite points"),
        (Edit("paint", **WHO), "action must be one of add"),
    ],
)
def test_refuses_an_edit_that_cannot_be_applied(field, edit, message):
    with pytest.raises(InputError, match=message):
        correct_measurement(field, [edit])
