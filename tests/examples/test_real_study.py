"""The example study of real files: it is written whole, and nothing in it needs mending."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from examples.real_study import build_real_study, find_unmarked, stitch_field
from tests.workflows.fakes import CountingProgress

from anagen.errors import InputError
from anagen.formats import open_movie, read_image
from anagen.formats.tables import read_table
from anagen.study import load_study
from anagen.wiring import make_run_ports
from anagen.workflows.check import check_study
from anagen.workflows.run import run_study


def test_the_real_study_has_nothing_to_mend(tmp_path: Path, shared: Callable[[str], Path]):
    data = shared("fdu/images").parents[1]
    counts = build_real_study(data, tmp_path / "real", n_participants=2, most_frames=5)
    assert counts == {"photographs": 6, "movies": 2, "exports": 3}
    report = check_study(tmp_path / "real", read_table=read_table, read_image=read_image, open_movie=open_movie)
    assert [str(finding) for finding in report.faults] == []
    study = load_study(tmp_path / "real", read_table=read_table)
    assert "No change over time can be read" in study.protocol.notes
    assert not study.adverse_events_collected
    assert len(study.images) == 6


def test_a_run_on_the_real_study_ends_with_a_report(tmp_path: Path, shared: Callable[[str], Path]):
    folder = tmp_path / "real"
    build_real_study(shared("fdu/images").parents[1], folder, n_participants=2)
    summary = run_study(folder, make_run_ports(jobs=1, scheduler=None, progress=CountingProgress()))
    assert summary.n_files == 8
    report = summary.report.read_text(encoding="utf-8")
    assert "No change over time can be read from this study" in report
    assert "S01" in report or "screen failure" in report.casefold()
    lots = pl.read_csv(summary.report.parent / "tables" / "lots-size-and-concentration.csv")
    beads = lots.filter(pl.col("lot") == "princeton-1")["D50, nm (95 %)"][0]
    assert float(beads.split()[0]) == pytest.approx(1000, rel=0.08)  # 1.0 um beads, well apart: never too dense
    again = run_study(folder, make_run_ports(jobs=1, scheduler=None, progress=CountingProgress()))
    assert again.n_measured == 0


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [
        ("230219_A010", 0.0, 0.0),  # no overlay at all
        ("220106_A207", 0.03, 0.05),  # banner, bar, strip
        ("220128_B558", 0.04, 0.10),  # banner, bar, circle, radius, small text box
        ("220207_A039", 0.05, 0.13),  # the same with a large text box
    ],
)
def test_what_is_burned_in_is_masked(shared: Callable[[str], Path], field: str, least: float, most: float):
    pixels = stitch_field(shared("fdu/images"), field)
    unmarked = find_unmarked(pixels)
    assert pixels.shape == (2048, 2560, 3)
    assert least <= 1 - unmarked.mean() <= most
    red = (pixels[..., 0].astype(int) - pixels[..., 1:].max(axis=2) > 90) & (pixels[..., 0] > 150)
    assert not (red & unmarked).any()


def test_nothing_is_overwritten_and_a_wrong_folder_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="holds no fdu/images"):
        build_real_study(tmp_path, tmp_path / "out")
    (tmp_path / "fdu" / "images").mkdir(parents=True)
    with pytest.raises(InputError, match="is not empty"):
        build_real_study(tmp_path, tmp_path)
    with pytest.raises(InputError, match="2 to 30"):
        build_real_study(tmp_path, tmp_path / "out", n_participants=1)
    with pytest.raises(InputError, match="0 fields, 18 are needed"):
        build_real_study(tmp_path, tmp_path / "out")


def test_a_mask_is_the_same_for_the_same_pixels():
    pixels = np.full((2048, 2560, 3), 128, dtype=np.uint8)
    pixels[:, ::2] = 90
    assert find_unmarked(pixels).all()
