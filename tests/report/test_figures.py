import re
import xml.etree.ElementTree as ET

import numpy as np
import polars as pl
import pytest

from anagen.report import figures


def density():
    rng = np.random.default_rng(1)
    rows = [
        {"participant": f"P{p}", "arm": "exosome", "week": week, "density": 140 + 10 * rng.normal()}
        for p in range(5)
        for week in (0.0, 4.0, 12.0)
    ]
    means = [
        {"arm": "exosome", "week": week, "estimate": 140.0 + week, "ci_low": 130.0, "ci_high": 155.0}
        for week in (0.0, 4.0, 12.0)
    ]
    return figures.draw_density_over_time(pl.DataFrame(rows), pl.DataFrame(means))


def changes():
    table = pl.DataFrame({"participant": list("abc"), "change": [3.0, -2.0, 12.5], "sd": [1.0, 1.0, 1.0]})
    return figures.draw_changes(table, unit="hairs/cm2", sid=10.0)


def planted():
    return figures.draw_measured_against_planted(
        pl.DataFrame({"measured": [100.0, 121.0, 139.0], "planted": [101.0, 120.0, 140.0]}), unit="hairs/cm2"
    )


def satisfaction():
    return figures.draw_satisfaction({"thickness": {"week 4": [0.1, 0.2, 0.3, 0.3, 0.1]}}, ["1", "2", "3", "4", "5"])


def sizes():
    diameter = np.linspace(10, 500, 200)
    curve = np.exp(-0.5 * ((diameter - 120) / 25) ** 2)
    return figures.draw_sizes({"EXO-A": {"diameter_nm": diameter, "density": curve}})


@pytest.mark.parametrize("draw", [density, changes, planted, satisfaction, sizes])
def test_a_figure_is_one_labelled_svg_with_the_same_bytes_each_time(draw):
    figure = draw()
    root = ET.fromstring(figure.svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == figure.alt
    assert "currentColor" in figure.svg
    assert draw().svg == figure.svg
    ids = re.findall(r'\bid="([^"]+)"', figure.svg)
    assert all(name.startswith(figure.name) for name in ids)


def test_the_alt_text_says_what_the_picture_shows():
    assert "week 12: 152.0 (130.0 to 155.0)" in density().alt
    assert changes().alt.startswith("2 of 3 participants rose, 1 fell; from -2.0 to 12.5")
    assert "EXO-A peaks at 12" in sizes().alt
    assert "40 % positive" in satisfaction().alt
