"""Fields of hairs without an image: roots in clusters, photographed by a turned, scaled, stretching camera."""

import numpy as np

from anagen.hair.measurement import Hair, HairMeasurement

UM_PER_PX = 5.0


def plant_roots(rng, *, density_per_cm2=150, side_um=8000.0):
    """Hairs in units of 1 to 3: rows of (row, col, direction, diameter), in um and radians."""
    n = round(density_per_cm2 * (side_um / 1e4) ** 2)
    rows = []
    while len(rows) < n:
        centre = rng.uniform(0, side_um, 2)
        rows.extend(
            (*(centre + rng.normal(0, 45, 2)), rng.normal(0.5, 0.3), np.exp(rng.normal(4.2, 0.3)))
            for _ in range(rng.choice([1, 2, 3], p=[0.46, 0.42, 0.12]))
        )
    return np.array(rows[:n])


def see(roots, rng, *, rotation_deg=0.0, scale=1.0, stretch=0.0, bend_um=0.0, shift_um=(0.0, 0.0), jitter_um=0.0,
        missed=0.0, extra=0.0, length_um=500.0, shape=(1024, 1280), diameter_sd_um=2.0):  # fmt: skip
    """Measurement of the hairs whose root falls into the image, and which row each hair is (-1: an invented one)."""
    centre = np.array([4000.0, 4000.0])
    turn = np.radians(rotation_deg)
    linear = (
        scale
        * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        @ np.diag([1 + stretch, 1 / (1 + stretch)])
    )
    at = roots[:, :2] - centre - np.array(shift_um)
    at = at + bend_um * np.stack([np.sin(at[:, 1] / 2000), np.cos(at[:, 0] / 2500)], axis=1)
    px = at @ linear.T / UM_PER_PX + np.array(shape) / 2
    px = px + rng.normal(0, jitter_um / UM_PER_PX, px.shape)
    inside = (px >= 0).all(axis=1) & (px < np.array(shape)).all(axis=1)
    which = np.flatnonzero(inside & (rng.random(len(px)) >= missed))
    n_extra = rng.binomial(len(which), extra) if extra else 0
    hairs = []
    spots = [(px[k], roots[k, 2] + turn, roots[k, 3]) for k in which]
    spots += [(rng.uniform(0, shape), rng.normal(0.5, 0.3), 60.0) for _ in range(n_extra)]
    for number, (root, angle, diameter) in enumerate(spots, start=1):
        tip = root + length_um / UM_PER_PX * np.array([np.cos(angle), np.sin(angle)])
        path = root + np.linspace(0, 1, 10)[:, None] * (tip - root)
        hairs.append(Hair(number, path, length_um, diameter + rng.normal(0, diameter_sd_um), diameter_sd_um, 0.95))
    area = shape[0] * shape[1] * UM_PER_PX**2 / 1e8
    return HairMeasurement(tuple(hairs), area, UM_PER_PX, shape), np.concatenate([which, np.full(n_extra, -1)])
