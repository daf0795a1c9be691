"""Follow the same hairs of each participant from baseline to each later visit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from anagen.errors import AnagenError
from anagen.hair import HairMeasurement, VisitMatch, match_visits
from anagen.hair.match import CURVES_DIFFER
from anagen.records import Provenance, from_json, to_json
from anagen.stats import estimate_change
from anagen.study.protocol import Outcome as PlannedOutcome
from anagen.workflows.analyse import MIN_PAIRS, OutcomeAnalysis
from anagen.workflows.collect import MeasuredImage
from anagen.workflows.comparison import SENSITIVITY, Comparison
from anagen.workflows.measure import measure_files
from anagen.workflows.ports import MeasurementStore, Outcome, Progress, ReadImage, Runner

ALGORITHM, VERSION = "hair-match", "3"


@dataclass(frozen=True, eq=False)
class FollowTask:
    """Two measurements of one site, and where their photographs lie; small enough to travel to any worker."""

    name: str
    before: HairMeasurement
    after: HairMeasurement
    provenance: Provenance
    paths: tuple[Path, Path] | None = None


@dataclass(frozen=True, eq=False)
class FollowedHairs:
    """The hairs of one participant's site at baseline and at one later visit.

    Parameters
    ----------
    participant, scalp_site, visit : str
        Whose, where, and the later visit.
    match : VisitMatch or None
        None when it failed.
    failure : str
        Why, in one line.
    provenance : Provenance
        Of the match; its input is the pair of measurements.
    """

    participant: str
    scalp_site: str
    visit: str
    match: VisitMatch | None
    failure: str
    provenance: Provenance

    @property
    def change_per_cm2(self) -> float:
        """New minus lost hairs over the shared area; NaN where the two images are not shown to be one site."""
        return float("nan") if self.match is None or self.match.refused else self.match.change_per_cm2.value


def follow_hairs(
    images: Sequence[MeasuredImage],
    outcome: PlannedOutcome,
    *,
    store: MeasurementStore,
    runner: Runner,
    progress: Progress,
    folder: Path | None = None,
    read_image: ReadImage | None = None,
) -> tuple[FollowedHairs, ...]:
    """Match each baseline photograph with the later ones of the same participant, site and replicate.

    Parameters
    ----------
    images : sequence of MeasuredImage
        All photographs of the study.
    outcome : PlannedOutcome
        Its baseline and visits say which pairs are followed.
    store, runner, progress
        See `anagen.workflows.ports`; a match is kept under the two measurements that it rests on.
    folder : Path, optional
        Of the study, where the photographs lie.
    read_image : callable, optional
        Reads one. With both, a hair that was traced at one visit only is looked for in the other photograph.

    Returns
    -------
    tuple of FollowedHairs
        In the order of the later photographs.
    """
    baseline = {_site(m): m for m in images if m.image.visit == outcome.baseline and m.usable}
    later = [m for m in images if m.image.visit in outcome.visits and m.usable and _site(m) in baseline]
    tasks = [_task(baseline[_site(m)], m, folder if read_image is not None else None) for m in later]
    outcomes, _ = measure_files(
        tasks,
        measure=partial(follow_pair, read_image=read_image),
        store=store,
        runner=runner,
        progress=progress,
        stage="Following hairs",
    )
    return tuple(
        FollowedHairs(
            m.image.participant,
            m.image.scalp_site,
            m.image.visit,
            None if found.record is None else from_json(VisitMatch, found.record),
            found.failure,
            task.provenance,
        )
        for m, task, found in zip(later, tasks, outcomes, strict=True)
    )


def follow_pair(task: FollowTask, *, read_image: ReadImage | None = None) -> Outcome:
    """Match one pair; runs in the workers."""
    try:
        images = None
        if task.paths is not None and read_image is not None:
            images = (read_image(task.paths[0]).pixels, read_image(task.paths[1]).pixels)
        return Outcome(to_json(match_visits(task.before, task.after, images=images)))
    except AnagenError as error:
        return Outcome(None, f"{task.name}: {' '.join(str(error).split())}")


def note_curves(followed: Sequence[FollowedHairs]) -> tuple[str, ...]:
    """Say in how many pairs thicker and thinner hairs may be the transfer curve's doing."""
    matches = [f.match for f in followed if f.match is not None and not f.match.refused]
    n = sum(any(flag.code == CURVES_DIFFER for flag in match.flags) for match in matches)
    if not n:
        return ()
    said = (
        f"in {n} of {len(matches)} pairs of photographs diameters were measured under two transfer curves: hairs may "
        "seem to have thickened or thinned together. Write the camera's gamma into the column gamma of images.csv."
    )
    return (said,)


def changes_by_participant(followed: Sequence[FollowedHairs], visit: str) -> dict[str, float]:
    """Mean change of followed hairs per cm2 of each participant at one visit."""
    found: dict[str, list[float]] = {}
    for one in followed:
        if one.visit == visit and np.isfinite(one.change_per_cm2):
            found.setdefault(one.participant, []).append(one.change_per_cm2)
    return {participant: float(np.mean(changes)) for participant, changes in found.items()}


def _site(measured: MeasuredImage) -> tuple[str, str, int]:
    return measured.image.participant, measured.image.scalp_site, measured.image.replicate


def _task(before: MeasuredImage, after: MeasuredImage, folder: Path | None) -> FollowTask:
    assert before.hairs is not None
    assert after.hairs is not None
    both = repr((before.provenance, after.provenance)).encode()
    provenance = Provenance(hashlib.sha256(both).hexdigest(), ALGORITHM, VERSION, {"images": folder is not None})
    paths = None if folder is None else (folder / before.image.file, folder / after.image.file)
    return FollowTask(f"{before.image.file} and {after.image.file}", before.hairs, after.hairs, provenance, paths)


def add_followed(analysis: OutcomeAnalysis, followed: Sequence[FollowedHairs]) -> OutcomeAnalysis:
    """Put the change of followed hairs beside the planned comparisons, as a sensitivity analysis.

    A count of each image apart carries the errors of both; a hair that is found again carries none.
    """
    comparisons = list(analysis.comparisons)
    for visit in analysis.outcome.visits:
        changes = np.array(list(changes_by_participant(followed, visit).values()))
        if len(changes) >= MIN_PAIRS:
            found = estimate_change(np.zeros(len(changes)), changes, unit=analysis.outcome.unit).mean_change
            estimate = replace(found, method="same hairs followed, t")
            comparisons.append(Comparison(visit, f"{analysis.outcome.baseline} to {visit}", estimate, SENSITIVITY))
    return replace(analysis, comparisons=tuple(comparisons))
