"""A reviewer's corrections, kept as data: what was changed, by whom, when and why, beside the automatic result."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from anagen.errors import InputError
from anagen.hair.measurement import Hair, HairMeasurement

Action = Literal["add", "delete", "split", "join", "reclass"]
ACTIONS = ("add", "delete", "split", "join", "reclass")
REVIEWED = "reviewed"
CLASSES = ("terminal", "vellus", "intermediate")


@dataclass(frozen=True, eq=False)
class Edit:
    """One change to one field.

    Parameters
    ----------
    action : {"add", "delete", "split", "join", "reclass"}
        ``add``: a hair along `paths_px[0]`. ``delete``: the hairs in `numbers`. ``split``: the one hair in `numbers`
        becomes one hair for each of `paths_px`. ``join``: the hairs in `numbers`, in order from root to tip, become
        one, along `paths_px[0]` if given. ``reclass``: the hairs in `numbers` bear `hair_class`.
    numbers : tuple of int
        Hairs of the measurement as it stands when the edit is applied.
    paths_px : tuple of ndarray
        Centre lines (row, col), root first, each of shape (n >= 2, 2).
    hair_class : str
        ``terminal``, ``vellus`` or ``intermediate``, for ``reclass``.
    reviewer : str
        Who; never empty.
    made_on : str
        When, ISO 8601.
    reason : str
        Why; never empty.
    """

    action: Action
    reviewer: str
    made_on: str
    reason: str
    numbers: tuple[int, ...] = ()
    paths_px: tuple[np.ndarray, ...] = ()
    hair_class: str = ""


@dataclass(frozen=True, eq=False)
class CorrectedMeasurement:
    """Both results of one field.

    Parameters
    ----------
    automatic : HairMeasurement
        As the algorithm left it.
    edits : tuple of Edit
        In the order they were applied.
    corrected : HairMeasurement
        `automatic` after `edits`.
    """

    automatic: HairMeasurement
    edits: tuple[Edit, ...]
    corrected: HairMeasurement


def correct_measurement(automatic: HairMeasurement, edits: tuple[Edit, ...] | list[Edit]) -> CorrectedMeasurement:
    """Apply edits in order; `automatic` is not changed.

    New hairs take numbers after the largest one ever used, so that a number always names the same hair.

    Parameters
    ----------
    automatic : HairMeasurement
        A field that was counted.
    edits : sequence of Edit
        May be empty.

    Returns
    -------
    CorrectedMeasurement

    Raises
    ------
    InputError
        For a hair that is not there, an edit without who, when or why, paths or numbers that the action does not take.
    """
    hairs = {hair.number: hair for hair in automatic.hairs}
    last = max(hairs, default=0)
    for place, edit in enumerate(edits, start=1):
        _check(edit, hairs, place)
        new = _new_hairs(edit, hairs, automatic.um_per_px, last)
        if edit.action == "reclass":
            hairs.update({number: _reclass(hairs[number], edit.hair_class) for number in edit.numbers})
        else:
            for number in edit.numbers:
                del hairs[number]
            hairs.update({hair.number: hair for hair in new})
            last += len(new)
    region = automatic.region
    kept = [hair for hair in hairs.values() if region is None or bool(region.contains(hair.root_px))]
    corrected = replace(automatic, hairs=tuple(sorted(kept, key=lambda hair: hair.number)))
    return CorrectedMeasurement(automatic, tuple(edits), corrected)


def _check(edit: Edit, hairs: dict[int, Hair], place: int) -> None:
    where = f"edit {place} ({edit.action})"
    if edit.action not in ACTIONS:
        raise InputError(f"{where}: action must be one of {', '.join(ACTIONS)}")
    for name in ("reviewer", "made_on", "reason"):
        if not getattr(edit, name).strip():
            raise InputError(f"{where}: {name} is empty; a correction says who, when and why")
    unknown = sorted(set(edit.numbers) - hairs.keys())
    if unknown:
        raise InputError(f"{where}: no hair {unknown[0]} in this measurement; it has {_ranges(hairs)}")
    if len(set(edit.numbers)) != len(edit.numbers):
        raise InputError(f"{where}: hair numbers {edit.numbers} name one hair twice")
    n, n_paths = len(edit.numbers), len(edit.paths_px)
    allowed = {
        "add": n == 0 and n_paths == 1,
        "delete": n >= 1 and n_paths == 0,
        "split": n == 1 and n_paths >= 2,
        "join": n >= 2 and n_paths <= 1,
        "reclass": n >= 1 and n_paths == 0 and edit.hair_class in CLASSES,
    }
    if not allowed[edit.action]:
        raise InputError(
            f"{where}: takes not {n} hairs, {n_paths} paths and class {edit.hair_class!r}; add: 1 path; delete: hairs; "
            f"split: 1 hair, 2 or more paths; join: 2 or more hairs; reclass: hairs and one of {', '.join(CLASSES)}"
        )
    for path in edit.paths_px:
        if np.ndim(path) != 2 or np.shape(path)[1] != 2 or len(path) < 2 or not np.isfinite(path).all():
            raise InputError(f"{where}: a path needs finite points of shape (n >= 2, 2), got {np.shape(path)}")


def _ranges(hairs: dict[int, Hair]) -> str:
    return f"numbers from {min(hairs)} to {max(hairs)}" if hairs else "none"


def _new_hairs(edit: Edit, hairs: dict[int, Hair], um_per_px: float, last: int) -> list[Hair]:
    """Hairs drawn by the reviewer; a split or joined hair keeps what is known of its diameter."""
    old = [hairs[number] for number in edit.numbers]
    paths = list(edit.paths_px)
    if edit.action == "join" and not paths:
        paths = [np.concatenate([hair.path_px for hair in old])]
    if edit.action not in ("add", "split", "join"):
        return []
    diameter, sd = _mean_diameter(old) if edit.action == "join" else (math.nan, math.nan)
    flags = (REVIEWED,) if math.isfinite(diameter) else (REVIEWED, "diameter-unresolved")
    return [
        Hair(
            last + k,
            np.asarray(path, dtype=float),
            _length(path) * um_per_px,
            diameter,
            sd,
            1.0,
            0,
            edit.reviewer,
            flags,
        )
        for k, path in enumerate(paths, start=1)
    ]


def _length(path: np.ndarray) -> float:
    return float(np.hypot(*np.diff(np.asarray(path, dtype=float), axis=0).T).sum())


def _mean_diameter(hairs: list[Hair]) -> tuple[float, float]:
    known = [hair for hair in hairs if math.isfinite(hair.diameter_um)]
    if not known:
        return math.nan, math.nan
    weight = np.array([hair.length_um for hair in known])
    weight = weight / weight.sum()
    diameter = np.array([hair.diameter_um for hair in known])
    sd = np.array([hair.diameter_sd_um for hair in known])
    return float(weight @ diameter), float(np.sqrt(weight**2 @ sd**2))


def _reclass(hair: Hair, hair_class: str) -> Hair:
    kept = tuple(flag for flag in hair.flags if not flag.startswith("class-") and flag != REVIEWED)
    return replace(hair, flags=(*kept, f"class-{hair_class}", REVIEWED))
