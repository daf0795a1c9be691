"""Technical scatter is told from biological; blanks are taken away; beads pass or fail."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from anagen.errors import InputError
from anagen.vesicles import check_beads, measure_movie, subtract_blank, summarize_replicates

from .conftest import HOW


def test_components_by_hand():
    # within: ((1^2 + 1^2) + (1^2 + 1^2)) / 2 = 2; between: var(101, 111) = 50, less 2 / 2 -> 49
    s = summarize_replicates([100.0, 102.0, 110.0, 112.0], ["a", "a", "b", "b"])
    assert (s.technical_sd, s.biological_sd, s.sd) == pytest.approx((math.sqrt(2), 7.0, math.sqrt(50)))
    assert s.ci_high - s.mean == pytest.approx(12.7062 * math.sqrt(50) / math.sqrt(2), rel=1e-4)


def test_variances_are_recovered():
    rng = np.random.default_rng(1)
    values = 100.0 + np.repeat(8.0 * rng.standard_normal(400), 3) + 3.0 * rng.standard_normal(1200)
    s = summarize_replicates(values, np.repeat(np.arange(400).astype(str), 3))
    assert s.technical_sd == pytest.approx(3.0, rel=0.1)
    assert s.biological_sd == pytest.approx(8.0, rel=0.12)


def test_one_preparation_has_no_interval():
    s = summarize_replicates([100.0, 104.0], ["a", "a"])
    assert math.isnan(s.ci_low)
    assert math.isnan(s.biological_sd)
    assert s.technical_cv == pytest.approx(math.sqrt(8) / 102)


def test_refusal():
    with pytest.raises(InputError, match="finite"):
        summarize_replicates([1.0, math.nan], ["a", "b"])


def test_blank():
    left, (low, high) = subtract_blank(5e8, (4e8, 6e8), 2e8, (1e8, 3e8))
    assert left == 3e8
    assert (low, high) == pytest.approx((3e8 - math.sqrt(2) * 1e8, 3e8 + math.sqrt(2) * 1e8))


def test_bead_check(beads):
    measured = measure_movie(beads.movie[:150], **HOW)
    assert check_beads(measured, certified_nm=measured.sizes.d50_nm * 1.03).passed
    assert not check_beads(measured, certified_nm=measured.sizes.d50_nm * 1.2).passed
    assert replace(measured).sizes is measured.sizes
