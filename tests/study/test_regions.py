"""Regions as typed into images.csv."""

from __future__ import annotations

import numpy as np
import pytest

from anagen.errors import InputError
from anagen.hair.region import Region
from anagen.study.regions import join_region_and_mask, parse_region


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("circle:10,20,5", Region.circle(10, 20, 5)),
        ("Circle: 10; 20; 5.5", Region.circle(10, 20, 5.5)),
        ("rect:0,0,10,20", Region.rectangle(0, 0, 10, 20)),
        ("rectangle:0 0 10 20", Region.rectangle(0, 0, 10, 20)),
        ("polygon:0,0,0,9,9,0", Region.polygon(np.array([[0, 0], [0, 9], [9, 0]]))),
    ],
)
def test_regions_are_read(text: str, region: Region):
    assert parse_region(text) == region


@pytest.mark.parametrize(
    "text", ["10,20,5", "circle:1,2", "circle:a,b,c", "oval:1,2,3", "circle:1,2,nan", "circle:1,2,0"]
)
def test_other_texts_are_refused_with_the_form(text: str):
    with pytest.raises(InputError, match="pixels"):
        parse_region(text)


def test_hairs_count_where_region_and_mask_both_allow():
    mask = np.ones((10, 10), dtype=bool)
    mask[:, 5:] = False
    joined = join_region_and_mask(Region.rectangle(2, 0, 8, 10), mask).to_mask((10, 10))
    assert joined.sum() == 6 * 5
    assert np.array_equal(join_region_and_mask(None, mask).to_mask((10, 10)), mask)
