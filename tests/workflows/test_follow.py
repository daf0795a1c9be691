"""The same hairs from visit to visit, kept in the store and put beside the counts."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from tests.workflows.fakes import CountingProgress, MemoryStore

from anagen.compute.serial import SerialRunner
from anagen.hair import Hair, HairMeasurement
from anagen.records import Provenance
from anagen.study.protocol import Outcome
from anagen.study.records import ScalpImage
from anagen.workflows.collect import MeasuredImage
from anagen.workflows.follow import changes_by_participant, follow_hairs, note_curves

DENSITY = Outcome(
    name="density", kind="density", unit="hairs/cm2", baseline="baseline", visits=("week 12",), primary=True
)


def measured(participant, visit, roots_um):
    hairs = tuple(
        Hair(n, np.array([root, root + np.array([0.0, 80.0])]) / 6.0, 480.0, 70.0, 3.0, 0.95)
        for n, root in enumerate(roots_um, start=1)
    )
    field = HairMeasurement(hairs, 0.324, 6.0, (900, 1000))
    image = ScalpImage(participant, visit, f"{participant}-{visit}.png", 6.0, 2, taken_on=dt.date(2025, 1, 1))
    return MeasuredImage(image, Provenance(f"{participant}{visit}", "hair-trace", "1", {}), field)


def follow(images, store):
    return follow_hairs(images, DENSITY, store=store, runner=SerialRunner(), progress=CountingProgress())


def test_counts_what_was_lost_and_new_once():
    rng = np.random.default_rng(3)
    roots = rng.uniform([400, 400], [5000, 5600], (60, 2))
    later = np.concatenate([roots[3:], rng.uniform([500, 500], [4900, 5500], (5, 2))]) + rng.normal(0, 5, (62, 2))
    store = MemoryStore()
    images = [measured("P1", "baseline", roots), measured("P1", "week 12", later)]
    (found,) = follow(images, store)
    assert not found.match.refused
    assert found.match.change.value == pytest.approx(2, abs=1)
    assert changes_by_participant([found], "week 12")["P1"] == found.match.change_per_cm2.value
    assert len(store.kept) == 1
    follow(images, store)
    assert len(store.kept) == 1


def test_pairs_read_under_two_transfer_curves_are_counted():
    roots = np.random.default_rng(6).uniform([400, 400], [5000, 5600], (60, 2))
    people = [(name, roots + 10 * k) for k, name in enumerate(("P1", "P2"))]
    images = [measured(name, visit, at) for name, at in people for visit in ("baseline", "week 12")]
    images = [
        replace(
            m, hairs=replace(m.hairs, gamma=2.2 if (m.image.participant, m.image.visit) == ("P2", "week 12") else 1.0)
        )
        for m in images
    ]
    followed = follow(images, MemoryStore())
    assert [note[:17] for note in note_curves(followed)] == ["in 1 of 2 pairs o"]
    assert note_curves(followed[:1]) == ()


def test_another_site_is_not_followed():
    rng = np.random.default_rng(4)
    fields = [rng.uniform([400, 400], [5000, 5600], (60, 2)) for _ in range(2)]
    (found,) = follow([measured("P1", "baseline", fields[0]), measured("P1", "week 12", fields[1])], MemoryStore())
    assert found.match.refused
    assert changes_by_participant([found], "week 12") == {}


def test_a_participant_without_baseline_is_passed_over():
    roots = np.random.default_rng(5).uniform([400, 400], [5000, 5600], (40, 2))
    assert follow([measured("P1", "week 12", roots)], MemoryStore()) == ()
