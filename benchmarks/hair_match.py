"""Two visits with hairs removed and added in known number: error of the change, wrong sites accepted.

python -m benchmarks.hair_match            about nine minutes on one core
python -m benchmarks.hair_match --pairs 40 --wrong 300 --photographs 4
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import numpy as np

from anagen.hair.match import MARGIN_UM, VisitMatch, match_visits
from anagen.hair.measure import measure_hairs
from anagen.hair.measurement import Hair, HairMeasurement
from anagen.synthetic.scalp import HairColour, Scalp, ScalpPhoto, grow_scalp, photograph_scalp

UM_PER_PX = 5.0
SHAPE = (1080, 1360)
FIELD = {"width_mm": 9.0, "height_mm": 8.0, "n_naevi": 0, "n_vessels": 0}


def look(
    scalp: Scalp, rng: np.random.Generator, camera: np.ndarray, noise: dict[str, float]
) -> tuple[HairMeasurement, list[int]]:
    """Measure the hairs whose root the camera sees, with jitter, misses and extras; each hair's planted number."""
    hairs, names = [], []
    for planted in scalp.hairs:
        path = planted.path_um() @ camera[:, :2].T + camera[:, 2]
        path = path + rng.normal(0, noise["jitter_um"] / UM_PER_PX, 2)
        if not (0 <= path[0, 0] < SHAPE[0] and 0 <= path[0, 1] < SHAPE[1]) or rng.random() < noise["missed"]:
            continue
        names.append(planted.number)
        hairs.append(Hair(len(names), path, planted.length_um, planted.diameter_um + rng.normal(0, 2.0), 2.0, 0.95))
    for _ in range(rng.binomial(len(names), noise["extra"])):
        names.append(-1)
        path = rng.uniform((0, 0), SHAPE) + np.array([[0.0, 0.0], [60.0, 0.0]])
        hairs.append(Hair(len(names), path, 300.0, 50.0, 2.0, 0.6))
    return HairMeasurement(tuple(hairs), SHAPE[0] * SHAPE[1] * UM_PER_PX**2 / 1e8, UM_PER_PX, SHAPE), names


def aim(rng: np.random.Generator, scalp: Scalp, *, turned: bool) -> np.ndarray:
    """Camera over the patch; the second one is turned to 20 degrees, scaled and stretched to 5 %, shifted to 0.8 mm."""
    turn = np.radians(rng.uniform(-20, 20)) if turned else 0.0
    stretch, scale = (1 + rng.uniform(-0.05, 0.05, 2)) if turned else (1.0, 1.0)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = scale * rotation @ np.diag([stretch, 1 / stretch]) / UM_PER_PX
    centre = np.array([scalp.height_um, scalp.width_um]) / 2 + (rng.uniform(-800, 800, 2) if turned else 0)
    return np.concatenate([linear, (np.array(SHAPE) / 2 - linear @ centre)[:, None]], axis=1)


def compare(seed: int, density: float, noise: dict[str, float]) -> tuple[VisitMatch, float, float, float]:
    """One pair of visits: the match, the error of its change in % of the count, share of wrong pairs, seconds."""
    rng = np.random.default_rng(seed)
    scalp = grow_scalp(rng, density_per_cm2=density, **FIELD)
    n = len(scalp.hairs)
    gone = set(rng.choice(np.arange(1, n + 1), round(0.08 * n), replace=False).tolist())
    donors = grow_scalp(rng, density_per_cm2=density, **FIELD).hairs[: round(0.05 * n)]
    added = [replace(hair, number=n + k) for k, hair in enumerate(donors, start=1)]
    later = scalp.without(gone).with_hairs(added)
    before, names_1 = look(scalp, rng, aim(rng, scalp, turned=False), noise)
    after, names_2 = look(later, rng, aim(rng, scalp, turned=True), noise)
    begin = time.process_time()
    match = match_visits(before, after)
    seconds = time.process_time() - begin
    if match.refused:
        return match, np.nan, np.nan, seconds
    seen_1 = [names_1[k - 1] for k in (*match.lost, *(pair.before for pair in match.pairs))]
    seen_2 = [names_2[k - 1] for k in (*match.new, *(pair.after for pair in match.pairs))]
    true = sum(name > n for name in seen_2) - sum(name in gone for name in seen_1)
    wrong = np.mean([names_1[pair.before - 1] != names_2[pair.after - 1] for pair in match.pairs])
    return match, 100 * (match.change.value - true) / match.n_before, 100 * float(wrong), seconds


def wrong_sites(seed: int, density: float) -> VisitMatch:
    """Two different scalps of the same kind."""
    rng = np.random.default_rng(seed)
    clean = {"jitter_um": 0.0, "missed": 0.0, "extra": 0.0}
    first, second = (grow_scalp(rng, density_per_cm2=density, **FIELD) for _ in range(2))
    return match_visits(
        look(first, rng, aim(rng, first, turned=False), clean)[0],
        look(second, rng, aim(rng, second, turned=True), clean)[0],
    )


KINDS: tuple[tuple[HairColour, int, float, float], ...] = (
    ("black", 3, 150.0, 0.3), ("black", 3, 250.0, 0.3), ("black", 3, 150.0, 0.8), ("black", 5, 150.0, 0.3),
    ("dark-brown", 2, 150.0, 0.3), ("brown", 2, 200.0, 0.3), ("red", 1, 150.0, 0.3), ("blond", 2, 150.0, 0.3),
    ("grey", 4, 150.0, 0.3),
)  # fmt: skip
"""Hair, skin type, hairs per cm2, glare."""

PHOTO_SHAPE = (1280, 1600)


def photograph_pair(
    seed: int, colour: HairColour, skin: int, density: float, glare: float, *, strangers: bool
) -> tuple[ScalpPhoto, ScalpPhoto, set[int], set[int]]:
    """Photographs of two visits, and the numbers of the hairs removed and added between them.

    Added hairs grow from openings of their own scalp and lean as their neighbours; `strangers` are hairs of another
    scalp laid over this one, which lean any way.
    """
    rng = np.random.default_rng(seed)
    patch = {"density_per_cm2": density, "width_mm": 11.0, "height_mm": 9.5}
    scalp = grow_scalp(rng, hair_colour=colour, fitzpatrick=skin, **patch)
    n = len(scalp.hairs)
    gone = set(rng.choice(np.arange(1, n + 1), round(0.08 * n), replace=False).tolist())
    if strangers:
        donors = grow_scalp(rng, hair_colour=colour, fitzpatrick=skin, **patch).hairs
        chosen = rng.choice(len(donors), round(0.05 * n), replace=False)
        earlier, later = scalp, scalp.with_hairs([replace(donors[k], number=n + i) for i, k in enumerate(chosen, 1)])
        added = set(range(n + 1, n + len(chosen) + 1))
    else:
        kept = np.array(sorted(set(range(1, n + 1)) - gone))
        added = set(rng.choice(kept, round(0.05 * n), replace=False).tolist())
        earlier, later = scalp.without(added), scalp
    first = photograph_scalp(earlier, rng, um_per_px=UM_PER_PX, shape=PHOTO_SHAPE, glare=glare)
    row, col = np.array([scalp.height_um, scalp.width_um]) / 2 + rng.uniform(-800, 800, 2)
    second = photograph_scalp(
        later.without(gone), rng, um_per_px=UM_PER_PX, shape=PHOTO_SHAPE, glare=glare,
        centre_um=(float(row), float(col)), rotation_deg=float(rng.uniform(-20, 20)),
        scale=float(rng.uniform(0.95, 1.05)), stretch=float(rng.uniform(0.97, 1.03)),
        clip_length_um=float(rng.uniform(400, 800)),
    )  # fmt: skip
    return first, second, gone, added


def true_change(match: VisitMatch, first: ScalpPhoto, second: ScalpPhoto, gone: set[int], added: set[int]) -> float:
    """Subtract lost from new, in % of the count, for planted hairs rooted in the shared area less its margin."""
    assert match.warp is not None
    before = [(hair.number, hair.root_px * UM_PER_PX) for hair in first.truth]
    after = [(hair.number, match.warp.apply(hair.root_px * UM_PER_PX)) for hair in second.truth]
    inside = [number for number, at in before if _is_shared(at, match)]
    n_lost = sum(number in gone for number in inside)
    n_new = sum(number in added and _is_shared(at, match) for number, at in after)
    return 100.0 * (n_new - n_lost) / len(inside)


def _is_shared(at_um: np.ndarray, match: VisitMatch) -> bool:
    assert match.warp is not None
    angle = np.arange(12) * np.pi / 6
    ring = at_um + MARGIN_UM * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    corner = (np.array(PHOTO_SHAPE) - 0.5) * UM_PER_PX
    return all(bool(((x >= -0.5 * UM_PER_PX) & (x < corner)).all()) for x in (ring, match.warp.invert(ring)))


def compare_photographs(n_seeds: int, *, strangers: bool) -> None:
    print(
        "photographs measured and matched; hair re-clipped to 0.4 to 0.8 mm, 8 % removed, 5 % added; error: % of count"
    )
    every = []
    for row, (colour, skin, density, glare) in enumerate(KINDS):
        rows = []
        for seed in range(n_seeds):
            first, second, gone, added = photograph_pair(
                5000 + 100 * row + seed, colour, skin, density, glare, strangers=strangers
            )
            visits = [measure_hairs(photo.image, um_per_px=UM_PER_PX) for photo in (first, second)]
            begin = time.process_time()
            match = match_visits(*visits, images=(first.image, second.image))
            seconds = time.process_time() - begin
            if match.refused:
                continue
            true = true_change(match, first, second, gone, added)
            error = 100 * match.change.value / match.n_before - true
            blind = match_visits(*visits)
            half = 100 * (match.change.ci_high - match.change.value) / match.n_before
            counts = 100 * (visits[1].density_per_cm2 / visits[0].density_per_cm2 - 1) - true
            rows.append(
                (counts, 100 * blind.change.value / blind.n_before - true, error, abs(error) <= half, match.n_before,
                 len(match.indeterminate), seconds)
            )  # fmt: skip
        every += rows
        print(f"{colour:>10} on {skin}, {density:.0f}/cm2, glare {glare}: {_summary(rows, n_seeds)}", flush=True)
    print(f"all: {_summary(every, n_seeds * len(KINDS))}", flush=True)


def _summary(rows: list[tuple[float, ...]], n_pairs: int) -> str:
    table = np.array(rows, dtype=float)
    counts, blind, error = (np.abs(table[:, k]).mean() for k in range(3))
    pooled = float(table[:, 2] @ table[:, 4] / table[:, 4].sum())
    median, covered, undecided = np.median(np.abs(table[:, 2])), 100 * table[:, 3].mean(), table[:, 5].mean()
    return (
        f"accepted {len(table)}/{n_pairs} |error| counts {counts:.2f}, matched {blind:.2f}, looked again {error:.2f}"
        f" (median {median:.2f}, pooled {pooled:+.2f}) covered {covered:.0f} %, {table[:, 4].mean():.0f} hairs,"
        f" {undecided:.1f} not decided, {table[:, 6].mean():.1f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--wrong", type=int, default=100)
    parser.add_argument("--photographs", type=int, default=3, help="pairs of photographs of each kind")
    parser.add_argument("--strangers", action="store_true", help="the hairs added come from another scalp")
    options = parser.parse_args()
    if options.photographs:
        compare_photographs(options.photographs, strangers=options.strangers)
    rows: list[tuple[str, dict[str, Any]]] = [
        ("perfect roots", {"jitter_um": 0.0, "missed": 0.0, "extra": 0.0}),
        ("jitter 15 um", {"jitter_um": 15.0, "missed": 0.0, "extra": 0.0}),
        ("jitter, 3 % missed, 3 % extra", {"jitter_um": 15.0, "missed": 0.03, "extra": 0.03}),
        ("jitter, 5 % missed, 5 % extra", {"jitter_um": 15.0, "missed": 0.05, "extra": 0.05}),
    ]
    print("turned to 20 degrees, scale and stretch to 5 %, shift to 0.8 mm; 8 % of hairs removed, 5 % added")
    print("error: of the change, % of the count; covered: by its interval; wrong: share of pairs that join two hairs")
    for density in (60, 150, 300) if options.pairs else ():
        for name, noise in rows:
            found = [compare(seed, density, noise) for seed in range(options.pairs)]
            good = [item for item in found if not item[0].refused]
            error = np.array([item[1] for item in good])
            half = np.array([100 * (m.change.ci_high - m.change.value) / m.n_before for m, *_ in good])
            wrong, seconds = np.mean([item[2] for item in good]), np.mean([item[3] for item in found])
            size, covered = np.abs(error), 100 * np.mean(np.abs(error) <= half)
            print(
                f"{name:30s} {density:4d}/cm2 accepted {len(good)}/{len(found)} |error| mean {size.mean():5.2f}"
                f" max {size.max():5.2f} bias {error.mean():6.2f} covered {covered:3.0f} %"
                f" wrong {wrong:5.2f} % {seconds:.2f} s",
                flush=True,
            )
        accepted = sum(not wrong_sites(10_000 + seed, density).refused for seed in range(options.wrong))
        print(f"wrong site, {density} hairs/cm2: accepted {accepted} of {options.wrong}", flush=True)


if __name__ == "__main__":
    main()
