"""Diameters on photographs of a planted scalp, their centre lines known to half a pixel; and on bars drawn another way.

python -m benchmarks.hair_diameter [--seeds N] [--first S]         about a minute on one core
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from anagen.hair import Hair, HairMeasurement, cumulative_thickness, fit_diameters
from anagen.synthetic.scalp import grow_scalp, photograph_scalp
from anagen.units import UM_PER_MM

FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "black on III": ({}, {}),
    "black on III, no glare": ({}, {"glare": 0.0}),
    "black on III, wet": ({}, {"glare": 1.0}),
    "black on III, 3 um": ({}, {"um_per_px": 3.0, "shape": (1536, 2048)}),
    "black on III, 2.76 um, blur 3.9": ({}, {"um_per_px": 2.756, "shape": (1536, 2048), "blur_sigma_px": 3.9}),
    "brown on II, JPEG 85": ({"hair_colour": "brown", "fitzpatrick": 2}, {"jpeg_quality": 85}),
    "black on VI": ({"fitzpatrick": 6}, {}),
    "white on VI": ({"hair_colour": "white", "fitzpatrick": 6}, {}),
    "blond on I": ({"hair_colour": "blond", "fitzpatrick": 1}, {}),
    "red on II, 4 um, blur 2, JPEG 90": (
        {"hair_colour": "red", "fitzpatrick": 2},
        {"um_per_px": 4.0, "blur_sigma_px": 2.0, "jpeg_quality": 90},
    ),
    "grey on IV, 300 per cm2": ({"hair_colour": "grey", "fitzpatrick": 4, "density_per_cm2": 300.0}, {}),
    "dark brown on IV, 7 um, glare 0.6": (
        {"hair_colour": "dark-brown", "fitzpatrick": 4},
        {"um_per_px": 7.0, "glare": 0.6, "shape": (730, 910)},
    ),
}
ROUGH_PX = 2.0


@dataclass(frozen=True)
class Cylinders:
    """How the second renderer draws: light in linear units, Beer-Lambert in every channel, oversampled 4 times.

    A share `halo` of the light is blurred `wider` times as much (negative: taken off, as a camera sharpens); `even`
    blurs by a disc.
    """

    hair: tuple[float, float, float] = (0.02, 0.015, 0.012)
    absorption_per_um: tuple[float, float, float] = (0.06, 0.08, 0.10)
    skin: tuple[float, float, float] = (0.62, 0.40, 0.28)
    flat: float = 1.0
    halo: float = 0.0
    wider: float = 3.0
    even: bool = False
    gamma: float = 2.2
    glare: float = 0.0
    glare_at: float = 0.2
    shadow: float = 0.0
    jpeg_quality: int | None = 92
    um_per_px: float = 4.0
    sigma_px: float = 1.4


DRAWN: dict[str, Cylinders] = {
    "cylinders in linear light, sRGB": Cylinders(),
    "sRGB, halo, JPEG 80": Cylinders(halo=0.2, jpeg_quality=80),
    "sRGB, sharpened": Cylinders(halo=-0.3, wider=2.0),
    "linear camera, no JPEG": Cylinders(gamma=1.0, jpeg_quality=None),
    "linear camera, halo": Cylinders(gamma=1.0, jpeg_quality=None, halo=0.2),
    "linear camera, sharpened": Cylinders(gamma=1.0, jpeg_quality=None, halo=-0.3, wider=2.0),
    "sRGB, out of focus (disc)": Cylinders(even=True),
    "linear camera, out of focus (disc)": Cylinders(gamma=1.0, jpeg_quality=None, even=True),
    "sRGB, oval 1:0.6, shadow": Cylinders(flat=0.6, shadow=0.12),
    "sRGB, glare beside the middle": Cylinders(glare=0.12),
    "fair cylinders on fair skin": Cylinders(
        hair=(0.45, 0.30, 0.14), absorption_per_um=(0.02, 0.03, 0.05), skin=(0.80, 0.60, 0.50), glare=0.15
    ),
    "flat opaque bars, linear camera": Cylinders(absorption_per_um=(2.0, 2.0, 2.0), gamma=1.0, jpeg_quality=None),
    "brown cylinders, sRGB": Cylinders(hair=(0.10, 0.06, 0.03), absorption_per_um=(0.016, 0.026, 0.050), glare=0.1),
}
"""The last one's absorption is that of brown hair's melanin in a shaft of 70 um (d'Eon et al. 2011, CGF 30:1181)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first", type=int, default=100)
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    print(f"seeds {seeds[0]} to {seeds[-1]}; hairs >= 30 um and >= 4 px; error in um")
    print(
        "field | n | bias | sd | beyond 15 um | bias, sd without | covered | mean sd given | unresolved | sums covered"
        " | ms a hair"
    )
    measure(_planted(seeds[0], *FIELDS["black on III"]))
    every = [
        report(name, [measure(_planted(seed, grow, photo)) for seed in seeds]) for name, (grow, photo) in FIELDS.items()
    ]
    every.append(
        report("black on III, paths good to 2 px", [measure(_roughen(_planted(seed, {}, {}), seed)) for seed in seeds])
    )
    report("all photographs of the scalp", [row for rows in every for row in rows])
    for name, how in DRAWN.items():
        report(name, [measure(draw_cylinders(np.random.default_rng(seed), how)) for seed in seeds])
    told = functools.partial(fit_diameters, gamma=2.2)
    how = DRAWN["brown cylinders, sRGB"]
    report(
        "the same, told that gamma is 2.2",
        [measure(draw_cylinders(np.random.default_rng(seed), how), told) for seed in seeds],
    )


@dataclass(frozen=True)
class Field:
    """A photograph, its paths and the truth."""

    image: np.ndarray
    paths: list[np.ndarray]
    diameter_um: np.ndarray
    um_per_px: float


@dataclass(frozen=True)
class Measured:
    """What came of it, hairs of at least 30 um and 4 px only."""

    error_um: np.ndarray
    sd_um: np.ndarray
    sum_covered: bool
    """Whether the interval of cumulative thickness holds the sum of the true diameters that are resolved."""
    ms_per_hair: float


def measure(field: Field, fit: Callable[..., Any] = fit_diameters) -> Measured:
    begin = time.process_time()
    found = fit(field.image, field.paths, um_per_px=field.um_per_px)
    spent = time.process_time() - begin
    keep = (field.diameter_um >= 30) & (field.diameter_um >= 4 * field.um_per_px)
    error, sd = found.diameter_um - field.diameter_um, found.diameter_sd_um
    known = np.isfinite(error)
    hairs = tuple(
        Hair(k, field.paths[k], math.nan, float(found.diameter_um[k]), float(sd[k]), 1.0) for k in np.flatnonzero(known)
    )
    on_1_cm2 = HairMeasurement(hairs, 1.0, field.um_per_px, field.image.shape[:2], diameter_common_sd=found.common_sd)
    total = cumulative_thickness(on_1_cm2)
    covered = total.ci_low <= field.diameter_um[known].sum() / UM_PER_MM <= total.ci_high
    return Measured(error[keep], sd[keep], covered, 1000 * spent / len(field.paths))


def report(name: str, rows: list[Measured]) -> list[Measured]:
    e, s = (np.concatenate([getattr(row, key) for row in rows]) for key in ("error_um", "sd_um"))
    ok = np.isfinite(e)
    gross = np.abs(e[ok]) > 15
    core = e[ok][~gross]
    print(
        f"{name:34s} | {ok.sum():4d} | {e[ok].mean():6.2f} | {e[ok].std():5.2f} | {100 * gross.mean():4.1f} % |"
        f" {core.mean():5.2f}, {core.std():4.2f} | {100 * np.mean(np.abs(e[ok]) < 1.96 * s[ok]):5.1f} % |"
        f" {np.sqrt(np.mean(s[ok] ** 2)):4.2f} |"
        f" {100 * np.mean(~ok):4.1f} % | {sum(row.sum_covered for row in rows)} of {len(rows)} |"
        f" {np.mean([row.ms_per_hair for row in rows]):4.1f}",
        flush=True,
    )
    return rows


def _planted(seed: int, grow: dict[str, Any], photo: dict[str, Any]) -> Field:
    rng = np.random.default_rng(seed)
    seen = photograph_scalp(grow_scalp(rng, **grow), rng, **photo)
    paths = [hair.path_px + rng.normal(0, 0.5, 2) for hair in seen.truth]
    return Field(seen.image, paths, np.array([hair.diameter_um for hair in seen.truth]), seen.um_per_px)


def _roughen(field: Field, seed: int) -> Field:
    """Paths that wander up to 2 px from the hair, and begin up to 60 um before or after the root."""
    rng = np.random.default_rng(seed)
    paths = []
    for path in field.paths:
        tangent = (path[1] - path[0]) / np.hypot(*(path[1] - path[0]))
        step = float(np.hypot(*(path[1] - path[0])))
        root = path[0] + tangent * np.clip(rng.uniform(-60, 60) / field.um_per_px, -np.inf, 0.9 * step)
        moved = np.vstack([root, path[1:]])
        along = np.linspace(0, 1, len(moved))[:, None]
        wander = ROUGH_PX / 2 * (np.sin(6 * along + rng.uniform(0, 6)) + rng.choice([-1, 1]))
        paths.append(moved + wander * np.array([-tangent[1], tangent[0]]))
    return dataclasses.replace(field, paths=paths)


def draw_cylinders(rng: np.random.Generator, how: Cylinders, n: int = 48, size: int = 900) -> Field:
    """Straight hairs on a grid, two in each third cell; every pixel is the mean of 4 x 4 points."""
    fine = 4
    pitch = how.um_per_px / fine
    shape = (size * fine, size * fine)
    rows, cols = (a.astype(np.float32) for a in np.ogrid[: shape[0], : shape[1]])
    light = np.array(how.skin, dtype=np.float32) * np.ones((*shape, 1), dtype=np.float32)
    light *= 1 + 0.1 * ((rows + cols) / (2 * shape[0]) - 0.5)[:, :, None]
    side = int(np.ceil(np.sqrt(n)))
    cell = shape[0] / side
    paths, diameters = [], []
    for k in range(n):
        centre = (np.array(divmod(k, side)) + 0.5) * cell
        angle = rng.uniform(0, 2 * np.pi)
        for twin in range(1 + (k % 3 == 0)):
            along = np.array([np.cos(angle), np.sin(angle)])
            across = np.array([-along[1], along[0]])
            diameter = float(np.clip(rng.normal(72, 18), 20, 120))
            middle = centre + twin * across * (rng.uniform(85, 110) / pitch)
            length = 460.0 / pitch
            _draw_cylinder(light, middle, along, length, diameter / pitch, pitch, how)
            s = np.linspace(-length / 2, length / 2, 20)[:, None]
            paths.append(((middle + s * along + 0.5) / fine - 0.5) + rng.normal(0, 0.5, 2))
            diameters.append(diameter)
            angle += rng.normal(0, 0.06)
    seen = _defocus(light, how.sigma_px * fine) if how.even else cv2.GaussianBlur(light, (0, 0), how.sigma_px * fine)
    if how.halo:
        wide = cv2.GaussianBlur(light, (0, 0), how.wider * how.sigma_px * fine)
        seen = (1 - how.halo) * seen + how.halo * wide
    seen = cv2.resize(seen, (size, size), interpolation=cv2.INTER_AREA)
    grey = 255 * np.clip(seen, 1e-4, 1) ** (1 / how.gamma) + rng.normal(0, 2, seen.shape)
    image = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    if how.jpeg_quality is not None:
        _, packed = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, how.jpeg_quality])
        image = np.ascontiguousarray(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))[:, :, ::-1])
    return Field(image, paths, np.array(diameters), how.um_per_px)


def _defocus(light: np.ndarray, sigma: float) -> np.ndarray:
    """Blur by an even disc of the same variance as a Gaussian."""
    reach = int(np.ceil(2 * sigma))
    rows, cols = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    disc = (np.hypot(rows, cols) <= 2 * sigma).astype(np.float32)
    return np.asarray(cv2.filter2D(light, -1, disc / disc.sum()))


def _draw_cylinder(
    light: np.ndarray, middle: np.ndarray, along: np.ndarray, length: float, diameter: float, pitch: float,
    how: Cylinders,
) -> None:  # fmt: skip
    """Transmit through the chord of an ellipse, add the hair's own light and a glare line."""
    reach = int(length / 2 + 3 * diameter)
    low = np.maximum(middle.astype(int) - reach, 0)
    high = np.minimum(middle.astype(int) + reach, light.shape[:2])
    box = light[low[0] : high[0], low[1] : high[1]]
    rows, cols = np.ogrid[low[0] : high[0], low[1] : high[1]]
    r, c = rows - middle[0], cols - middle[1]
    s, t = r * along[0] + c * along[1], c * along[0] - r * along[1]
    u = 2 * t / diameter
    ends = (np.abs(s) < length / 2).astype(np.float32)
    chord_um = how.flat * diameter * pitch * np.sqrt(np.clip(1 - u**2, 0, None)) * ends
    if how.shadow:
        box *= (1 - how.shadow * ends * np.exp(-0.5 * ((t - 0.8 * diameter) / (0.5 * diameter)) ** 2))[:, :, None]
    glare = how.glare * np.exp(-0.5 * ((u / 2 - how.glare_at / 2) / 0.06) ** 2) * (chord_um > 0)
    for channel in range(3):
        through = np.exp(-how.absorption_per_um[channel] * chord_um)
        box[:, :, channel] = through * box[:, :, channel] + (1 - through) * how.hair[channel] + glare


if __name__ == "__main__":
    main()
