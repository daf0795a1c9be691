"""Two visits with hairs removed and added in known number: error of the change, wrong sites accepted.

python -m benchmarks.hair_match            roots with planted errors; about two minutes on one core
python -m benchmarks.hair_match --pairs 40 --wrong 300
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import numpy as np

from anagen.hair.match import VisitMatch, match_visits
from anagen.hair.measurement import Hair, HairMeasurement
from anagen.synthetic.scalp import Scalp, grow_scalp

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--wrong", type=int, default=100)
    options = parser.parse_args()
    rows: list[tuple[str, dict[str, Any]]] = [
        ("perfect roots", {"jitter_um": 0.0, "missed": 0.0, "extra": 0.0}),
        ("jitter 15 um", {"jitter_um": 15.0, "missed": 0.0, "extra": 0.0}),
        ("jitter, 3 % missed, 3 % extra", {"jitter_um": 15.0, "missed": 0.03, "extra": 0.03}),
        ("jitter, 5 % missed, 5 % extra", {"jitter_um": 15.0, "missed": 0.05, "extra": 0.05}),
    ]
    print("turned to 20 degrees, scale and stretch to 5 %, shift to 0.8 mm; 8 % of hairs removed, 5 % added")
    print("error: of the change, % of the count; covered: by its interval; wrong: share of pairs that join two hairs")
    for density in (60, 150, 300):
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
