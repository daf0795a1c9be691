"""Fields of straight hairs whose profile is arithmetic: a bar convolved with a Gaussian, averaged over each pixel."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr


@dataclass(frozen=True)
class BarField:
    image: np.ndarray
    paths: list
    diameter_um: np.ndarray


def bar_field(
    rng, *, um_per_px, sigma_px, noise, diameters_um=(20, 110), n_side=6, cell_px=110, hair=0.15, skin=0.65, gamma=1.0,
    glare=0.0, length_px=80, halo=0.0, wider=3.0, disc=0.0, shadow=0.0,
):  # fmt: skip
    """`n_side` squared hairs, one to a cell, at any angle; centre lines are given with an error of about 0.7 px.

    A share `halo` of the blur is `wider` times broader; negative for a sharpened image. Across the hair a share `disc`
    of it is that of an even disc. A soft shadow takes a share `shadow` of the skin's light on one side.
    """
    size = n_side * cell_px
    light = np.full((size, size), float(skin))
    paths, diameters = [], []
    sub = (np.arange(3) - 1) / 3
    for cell in range(n_side**2):
        centre = (np.array(divmod(cell, n_side)) + 0.5) * cell_px
        angle, diameter = rng.uniform(0, 2 * np.pi), rng.uniform(*diameters_um)
        along = np.array([np.sin(angle), np.cos(angle)])
        row_0, col_0 = (centre - cell_px / 2).astype(int)
        rows, cols = np.mgrid[row_0 : row_0 + cell_px, col_0 : col_0 + cell_px].astype(float)
        cover = np.zeros(rows.shape)
        r, c = rows - centre[0], cols - centre[1]
        s, t = r * along[0] + c * along[1], c * along[0] - r * along[1]
        width = diameter / um_per_px
        dim = shadow * skin * (np.abs(s) < length_px / 2) * np.exp(-0.5 * ((t - 0.65 * width) / (0.4 * width)) ** 2)
        for d_row in sub:
            for d_col in sub:
                r, c = rows + d_row - centre[0], cols + d_col - centre[1]
                s, t = r * along[0] + c * along[1], c * along[0] - r * along[1]
                half = diameter / um_per_px / 2
                parts = ((1 - halo - disc, sigma_px, ndtr), (halo, wider * sigma_px, ndtr), (disc, sigma_px, _disc))
                for share, sigma, below in parts:
                    ends = ndtr((s + length_px / 2) / sigma) - ndtr((s - length_px / 2) / sigma)
                    bar = below((t + half) / sigma) - below((t - half) / sigma)
                    shine = below((t + 0.2 * half) / sigma) - below((t - 0.2 * half) / sigma)
                    cover += share * ends * (bar - glare * shine) / 9
        light[row_0 : row_0 + cell_px, col_0 : col_0 + cell_px] += (hair - skin + dim) * cover - dim
        s = np.linspace(-length_px / 2, length_px / 2, 40)[:, None]
        wobble = rng.normal(0, 0.5, 2) + 0.5 * np.sin(s / 12 + rng.uniform(0, 6)) * np.array([along[1], -along[0]])
        paths.append(centre + s * along + wobble)
        diameters.append(diameter)
    grey = np.clip(light, 1e-4, 1) ** (1 / gamma) + rng.normal(0, noise, light.shape)
    image = np.clip(np.round(grey * 255), 0, 255).astype(np.uint8)
    return BarField(np.repeat(image[:, :, None], 3, axis=2), paths, np.array(diameters))


def _disc(z):
    """Share of an even disc of standard deviation 1 (radius 2) that lies below z along a line."""
    q = np.clip(z / 2, -1, 1)
    return 0.5 + (q * np.sqrt(1 - q**2) + np.arcsin(q)) / np.pi
