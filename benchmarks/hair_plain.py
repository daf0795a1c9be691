"""How counting fares on photographs it was not made with: hairs painted plainly, by nothing that `anagen` shares.

``python -m benchmarks.hair_plain [--seeds N]``: flat bars that bend a little, in units whose roots scatter over 45 um
and whose directions differ by 9 degrees, on skin of smooth relief. Each row shows one sign of the root only. Openings
are so crowded that a third of the hairs lie mostly under others: what nobody can see is asked for as well.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import cv2
import numpy as np
from benchmarks.hair import _hits, score_inside

from anagen.hair import HairMeasurement, Region, measure_hairs

UM_PER_PX = 5.0
SHAPE = (800, 1000)
EDGE_PX = 60
UNIT_SHARES = (0.5, 0.38, 0.12)
SIGNS = {
    "no sign but the V": {},
    "tips taper": {"taper": 0.75},
    "dark openings": {"opening": 0.35},
    "roots under skin": {"fade_um": 120.0},
}
TONES = {
    "black on I": ((28, 24, 24), (240, 210, 195), 0.080),
    "black on III": ((28, 24, 24), (205, 165, 140), 0.080),
    "brown on I": ((88, 60, 44), (240, 210, 195), 0.055),
    "brown on III": ((88, 60, 44), (205, 165, 140), 0.055),
    "black on V": ((28, 24, 24), (130, 92, 72), 0.080),
    "grey on III": ((190, 188, 186), (205, 165, 140), 0.035),
    "blond on V": ((190, 160, 110), (130, 92, 72), 0.035),
    "grey on V": ((190, 188, 186), (130, 92, 72), 0.035),
    "blond on I": ((190, 160, 110), (240, 210, 195), 0.035),
    "blond on VI": ((190, 160, 110), (82, 60, 50), 0.035),
}
DENSITIES = (60, 180, 300)


@dataclass(frozen=True)
class Painting:
    """An image, and the roots (row, col) and diameters of its hairs."""

    image: np.ndarray
    root: np.ndarray
    diameter_um: np.ndarray


def paint(
    rng: np.random.Generator,
    tone: tuple[tuple[int, ...], tuple[int, ...], float],
    density_per_cm2: float,
    *,
    taper: float = 0.0,
    opening: float = 0.0,
    fade_um: float = 0.0,
) -> Painting:
    """Paint one field: `taper` of the width is lost towards the tip, openings are darker by exp(-`opening`)."""
    hair, skin, absorption = tone
    light = np.array(skin, dtype=np.float32) * _relief(rng)[:, :, None]
    root, way, length, bend, diameter = _plant(rng, density_per_cm2)
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    if opening:
        spots = np.zeros(SHAPE, dtype=np.float32)
        for row, col in root:
            cv2.circle(spots, (round(float(col)), round(float(row))), 9, 1.0, -1, cv2.LINE_AA)
        light *= np.exp(-opening * cv2.GaussianBlur(spots, (0, 0), 3))[:, :, None]
    along = np.stack([np.cos(way), np.sin(way)], axis=1)
    tip = root + along * length[:, None]
    for i in range(len(root)):
        reach = diameter[i] / UM_PER_PX + abs(bend[i]) * length[i] + 2
        low = np.maximum(np.floor(np.minimum(root[i], tip[i]) - reach), 0).astype(int)
        high = np.minimum(np.ceil(np.maximum(root[i], tip[i]) + reach), SHAPE).astype(int)
        if np.any(high <= low):
            continue
        here = np.s_[low[0] : high[0], low[1] : high[1]]
        d_row, d_col = rows[here] - root[i, 0], cols[here] - root[i, 1]
        t = (d_row * along[i, 0] + d_col * along[i, 1]) / length[i]
        off = d_col * along[i, 0] - d_row * along[i, 1] - 4 * bend[i] * length[i] * t * (1 - t)
        half = diameter[i] / UM_PER_PX / 2 * (1 - taper * np.clip(2 * t - 1, 0, 1))
        # the share of a pixel that the bar covers, also where it is narrower than a pixel
        cover = np.clip(np.minimum(half - np.abs(off) + 0.5, 2 * half), 0, 1)
        cover *= np.clip(np.minimum(t, 1 - t) * length[i] + 0.5, 0, 1)
        if fade_um:
            cover *= np.clip(0.15 + t * length[i] * UM_PER_PX / fade_um, 0, 1)
        cover *= 1 - np.exp(-absorption * 0.85 * diameter[i])
        colour = np.array(hair, dtype=np.float32) * np.exp(rng.normal(0, 0.08))
        light[here] = light[here] * (1 - cover[:, :, None]) + colour * cover[:, :, None]
    light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.9, 1.8)) + rng.normal(0, 2, light.shape)
    return Painting(np.clip(np.round(light), 0, 255).astype(np.uint8), root, diameter)


def _relief(rng: np.random.Generator) -> np.ndarray:
    ground = np.ones(SHAPE, dtype=np.float32)
    for sigma, share in ((3, 0.012), (12, 0.02), (60, 0.03)):
        noise = cv2.GaussianBlur(rng.standard_normal(SHAPE).astype(np.float32), (0, 0), sigma)
        ground += share * noise / noise.std()
    rows, cols = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j].astype(np.float32)
    return np.asarray(ground * (1 - 0.12 * (rows**2 + cols**2)))


def _plant(rng: np.random.Generator, density_per_cm2: float) -> tuple[np.ndarray, ...]:
    """Roots and lengths in pixels, directions, sagitta over length, diameters in um: over the frame and beyond.

    In the order root, direction, length, sagitta, diameter.
    """
    beyond = 60
    size = np.array(SHAPE) + 2 * beyond
    n = round(density_per_cm2 * float(np.prod(size)) * UM_PER_PX**2 / 1e8)
    main, turn = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.3, 2)
    root, way = [], []
    while len(root) < n:
        centre = rng.random(2) * size - beyond
        lean = main + turn @ (centre / SHAPE - 0.5) + rng.normal(0, 0.2)
        for _ in range(int(rng.choice(len(UNIT_SHARES), p=UNIT_SHARES)) + 1):
            root.append(centre + rng.normal(0, 45 / UM_PER_PX, 2))
            way.append(lean + rng.normal(0, 0.16))
    thin = rng.random(len(root)) < 0.12
    diameter = np.where(thin, rng.uniform(14, 30, len(root)), np.clip(rng.normal(75, 14, len(root)), 32, 120))
    length = rng.normal(550, 50, len(root)) * np.where(thin, 0.9, 1) / UM_PER_PX
    return np.array(root), np.array(way), length, rng.normal(0, 0.03, len(root)), diameter


def score(field: Painting, found: HairMeasurement) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Hits, true ones, found ones: of roots, and of either end."""
    inner = Region.rectangle(EDGE_PX, EDGE_PX, SHAPE[0] - EDGE_PX, SHAPE[1] - EDGE_PX)
    first = np.array([hair.path_px[0] for hair in found.hairs]).reshape(-1, 2)
    last = np.array([hair.path_px[-1] for hair in found.hairs]).reshape(-1, 2)
    gaps = [np.hypot(*(end[:, None] - field.root[None]).transpose(2, 0, 1)).min(axis=1) for end in (first, last)]
    turned = (gaps[1] < 100 / UM_PER_PX) & (gaps[0] > 100 / UM_PER_PX)
    rows = []
    for roots in (first, np.where(turned[:, None], last, first)):
        inside = inner.contains(field.root), inner.contains(roots)
        n_hit, _, n_false = score_inside(field.root, roots, inside[0], inside[1], UM_PER_PX)
        rows.append((n_hit, int(inside[0].sum()), n_hit + n_false))
    return rows[0], rows[1]


def errors_um(field: Painting, found: HairMeasurement) -> list[tuple[float, float]]:
    """Error of the diameter and its stated standard deviation: resolved hairs of 30 um and more, no other root near."""
    rows = []
    for hair in found.hairs:
        apart = np.hypot(*(field.root - hair.root_px).T) * UM_PER_PX
        near = int(np.argmin(apart))
        alone = np.sort(apart)[1:2].min(initial=np.inf) > 150
        if apart[near] < 60 and alone and field.diameter_um[near] >= 30 and np.isfinite(hair.diameter_um):
            rows.append((hair.diameter_um - field.diameter_um[near], hair.diameter_sd_um))
    return rows


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seeds", type=int, default=1, help="fields of each tone and density")
    chosen = options.parse_args()
    for sign, how in SIGNS.items():
        rows, ends, errors, refused = [], [], [], 0
        for t, tone in enumerate(TONES.values()):
            for d, density in enumerate(DENSITIES):
                for k in range(chosen.seeds):
                    field = paint(np.random.default_rng([t, d, k]), tone, density, **how)
                    found = measure_hairs(field.image, um_per_px=UM_PER_PX)
                    if found.refused:
                        refused += 1
                        continue
                    one, other = score(field, found)
                    rows.append(one)
                    ends.append(other)
                    errors += [] if "taper" in how else errors_um(field, found)
        print(f"{sign:<18} {_hits(rows)}  {refused} refused;  either end {_hits(ends)}")
        if errors:
            error, spread = np.array(errors).T
            print(
                f"{'':<18} diameter of {len(error)} hairs that stand alone: median error {np.median(error):+.1f} um, "
                f"half within {np.median(np.abs(error - np.median(error))):.1f} um of it, "
                f"interval covers {100 * np.mean(np.abs(error) < 1.96 * spread):.0f} %"
            )


if __name__ == "__main__":
    main()
