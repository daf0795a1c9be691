import math

import numpy as np
import pytest

from anagen.errors import InputError
from anagen.hair.measurement import Hair, HairMeasurement
from anagen.hair.region import Region
from anagen.records import Flag, from_json, to_json


def test_a_record_survives_its_json():
    hair = Hair(1, np.array([[1.25, 2.0], [3.0, 0.1]]), 12.0, math.nan, math.nan, 0.9, flags=("diameter-unresolved",))
    flag = Flag("out-of-focus", "warning", "blur 4 px", value=4.0)
    before = HairMeasurement((hair,), 0.5, 5.5, (10, 20), Region.circle(5, 5, 4), flags=(flag,))
    after = from_json(HairMeasurement, to_json(before))
    assert after.region == before.region
    assert after.flags == (flag,)
    assert np.array_equal(after.hairs[0].path_px, hair.path_px)
    assert math.isnan(after.hairs[0].diameter_um)
    assert to_json(after) == to_json(before)


def test_refuses_another_record():
    with pytest.raises(InputError, match="not a Flag"):
        from_json(Flag, {"wavelength": 3})
