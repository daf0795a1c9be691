"""Random photographs of clipped and unclipped scalp hair, with what a network shall answer at every pixel.

Everything is drawn wide on purpose: colours, light, blur, glare, scales, furrows, shadows under the skin, hairs that
lie on one another. A network that has seen this whole spread takes one camera's photographs for just another draw.
Nothing here is cut out of a photograph.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

from anagen.hair.contrast import skin_ratio
from anagen.hair.net import PITCH_UM
from anagen.synthetic.scalp import HAIR_ABSORPTION_PER_UM, HAIR_RGB, SKIN_RGB, grow_scalp, photograph_scalp

STRIDE = 2
"""Pixels of input for one of output."""
REACH = 110.0
"""Ends farther than this many output pixels (1.3 mm) are not asked for."""
UNIT = 16.0
"""Output pixels that an answer of 1 stands for."""
MARGIN = 24
HOUSE_SHARE = 0.3
"""Scenes drawn by `anagen.synthetic.scalp`, an independent renderer, for breadth."""
THIN_UM = 34.0
THIN_WEIGHT = 2.5
"""Hairs thinner than this cover so few pixels that these count for more: nearly half of the hairs missed are
thin."""


@dataclass
class Bars:
    """Hairs of one scene, in order of drawing: the last lies on top. Pixels of the input, (row, col)."""

    root: np.ndarray
    tip: np.ndarray
    sagitta: np.ndarray
    half: np.ndarray
    weight: np.ndarray
    rooted: np.ndarray


def draw_example(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """One example: input, shape (3, size, size), float32; answers, shape (11, size / 2, size / 2), float32.

    Answers: how central the pixel is in the hair on top (0 to 1), its root's and its tip's offset (rows, columns, in
    units of 16 output pixels), log of the half-width in output pixels; then the weights of the first, of root, of tip;
    then a spot at each root and at each tip.
    """
    image, bars = draw_any_scene(rng, size)
    return to_input(image, PITCH_UM), answers(bars, size)


def draw_any_scene(rng: np.random.Generator, size: int) -> tuple[np.ndarray, Bars]:
    """Draw one scene of this file's renderer or, now and then, of the package's own."""
    return _draw_house_scene(rng, size) if rng.random() < HOUSE_SHARE else draw_scene(rng, size)


def to_input(image: np.ndarray, um_per_px: float) -> np.ndarray:
    """Relative brightness over local skin, shape (3, H, W)."""
    return np.ascontiguousarray(skin_ratio(image, um_per_px).transpose(2, 0, 1))


def answers(bars: Bars, size: int) -> np.ndarray:
    """Give what the network shall say at every pixel, and how much each answer counts."""
    side = size // STRIDE
    out = np.zeros((11, side, side), dtype=np.float32)
    out[6] = 1.0
    _paint(out, bars.root, bars.tip, bars.sagitta, bars.half, bars.weight, bars.rooted)
    return out


@njit(cache=True)
def _paint(out, root, tip, sagitta, half, weight, rooted):
    n = len(half)
    side = out.shape[1]
    for i in range(n):
        # pixel centres of the output lie at input (2 x + 0.5)
        r_0, c_0 = (root[i, 0] - 0.5) / 2, (root[i, 1] - 0.5) / 2
        r_1, c_1 = (tip[i, 0] - 0.5) / 2, (tip[i, 1] - 0.5) / 2
        bow, wide = sagitta[i] / 2, half[i] / 2
        body = max(wide, 0.8)
        soft = max(0.45 * wide, 0.6)
        d_r, d_c = r_1 - r_0, c_1 - c_0
        length = math.sqrt(d_r * d_r + d_c * d_c)
        if length < 1e-6:
            continue
        a_r, a_c = d_r / length, d_c / length
        pad = abs(bow) + body + 2
        if rooted[i] and weight[i] > 0:
            _spot(out[9], r_0, c_0)
            _spot(out[10], r_1, c_1)
        for row in range(max(int(min(r_0, r_1) - pad), 0), min(int(max(r_0, r_1) + pad) + 2, side)):
            for col in range(max(int(min(c_0, c_1) - pad), 0), min(int(max(c_0, c_1) + pad) + 2, side)):
                along = (row - r_0) * a_r + (col - c_0) * a_c
                if along < -0.5 or along > length + 0.5:
                    continue
                t = min(max(along / length, 0.0), 1.0)
                u = -(row - r_0) * a_c + (col - c_0) * a_r - 4 * bow * t * (1 - t)
                if abs(u) > body:
                    continue
                out[6, row, col] = weight[i]
                if rooted[i] == 0:
                    out[0, row, col] = 0.0
                    out[6, row, col] = 0.3 * weight[i]
                    out[7, row, col] = 0.0
                    out[8, row, col] = 0.0
                    continue
                out[0, row, col] = math.exp(-0.5 * (u / soft) ** 2)
                out[1, row, col] = (r_0 - row) / UNIT
                out[2, row, col] = (c_0 - col) / UNIT
                out[3, row, col] = (r_1 - row) / UNIT
                out[4, row, col] = (c_1 - col) / UNIT
                out[5, row, col] = math.log(max(wide, 0.5))
                vote = weight[i] * (0.15 + out[0, row, col])
                far = math.sqrt((r_0 - row) ** 2 + (c_0 - col) ** 2)
                out[7, row, col] = vote if far < REACH and _lies_in(r_0, c_0, side) else 0.0
                far = math.sqrt((r_1 - row) ** 2 + (c_1 - col) ** 2)
                out[8, row, col] = vote if far < REACH and _lies_in(r_1, c_1, side) else 0.0


@njit(cache=True)
def _lies_in(row, col, side):
    """Whether an end is in the picture: nobody can tell where a hair ends beyond its edge."""
    return -3 < row < side + 2 and -3 < col < side + 2


@njit(cache=True)
def _spot(out, at_r, at_c):
    side = out.shape[0]
    for row in range(max(int(at_r) - 5, 0), min(int(at_r) + 7, side)):
        for col in range(max(int(at_c) - 5, 0), min(int(at_c) + 7, side)):
            value = math.exp(-0.5 * ((row - at_r) ** 2 + (col - at_c) ** 2) / 1.6**2)
            out[row, col] = max(out[row, col], value)


# --- scenes of the house's own renderer ------------------------------------------------------------------------------


def _draw_house_scene(rng: np.random.Generator, size: int) -> tuple[np.ndarray, Bars]:
    side_mm = size * PITCH_UM / 1000
    colour = str(rng.choice(["black", "dark-brown", "brown", "red", "blond", "grey", "white"]))
    skin = int(rng.integers(1, 7))
    while colour in {"grey", "blond", "red", "brown"} and _blends(colour, skin):
        skin = int(rng.integers(1, 7))
    scalp = grow_scalp(
        rng,
        density_per_cm2=float(rng.uniform(30, 320)),
        width_mm=side_mm + 0.6,
        height_mm=side_mm + 0.6,
        fitzpatrick=skin,
        hair_colour=colour,
        terminal_um=(float(rng.uniform(55, 95)), float(rng.uniform(6, 16))),
        vellus_share=float(rng.uniform(0, 0.4)),
        fan_deg=float(rng.uniform(3, 14)),
        ostium_um=float(rng.uniform(30, 110)),
        n_naevi=int(rng.integers(0, 3)),
        n_vessels=int(rng.integers(0, 4)),
    )
    native = float(rng.uniform(3.5, 8.0))
    shape = (round(size * PITCH_UM / native), round(size * PITCH_UM / native))
    photo = photograph_scalp(
        scalp,
        rng,
        um_per_px=native,
        shape=shape,
        clip_length_um=float(rng.uniform(350, 900)),
        blur_sigma_px=float(rng.uniform(4, 14) / native) + 0.3,
        noise=float(rng.uniform(0.5, 4)),
        glare=float(rng.choice([0.0, 0.3, 0.8])),
        illumination=float(rng.uniform(0, 0.3)),
        n_bubbles=int(rng.random() < 0.1),
        n_clippings=int(rng.integers(0, 2)),
        jpeg_quality=int(rng.integers(70, 96)) if rng.random() < 0.5 else None,
    )
    image = cv2.resize(
        photo.image, (size, size), interpolation=cv2.INTER_AREA if native < PITCH_UM else cv2.INTER_CUBIC
    )
    grow = size / shape[0]
    hairs = photo.truth
    paths = [(hair.path_px + 0.5) * grow - 0.5 for hair in hairs]
    root = np.array([p[0] for p in paths]).reshape(-1, 2)
    tip = np.array([p[-1] for p in paths]).reshape(-1, 2)
    chord = tip - root
    length = np.maximum(np.hypot(chord[:, 0], chord[:, 1]), 1e-6) if paths else np.zeros(0)
    sagitta = np.array(
        [
            float((-(p[len(p) // 2] - p[0])[0] * c[1] + (p[len(p) // 2] - p[0])[1] * c[0]) / n)
            for p, c, n in zip(paths, chord, length, strict=True)
        ]
    )
    half = np.array([hair.diameter_um / 2 / PITCH_UM for hair in hairs])
    seen = np.array([_house_visibility(h.diameter_um, colour, skin) for h in hairs])
    weight = np.where(half < THIN_UM / 2 / PITCH_UM, THIN_WEIGHT, 1.0) * (seen > 0.06)
    return image, Bars(root, tip, sagitta, half, weight, np.ones(len(hairs)))


def _blends(colour: str, skin: int) -> bool:
    return _house_visibility(80.0, colour, skin) < 0.10


def _house_visibility(diameter_um: float, colour: str, skin: int) -> float:
    opacity = 1 - math.exp(-HAIR_ABSORPTION_PER_UM[colour] * diameter_um * 0.8)
    apart = np.abs(np.array(HAIR_RGB[colour], float) - np.array(SKIN_RGB[skin], float)) / np.array(SKIN_RGB[skin])
    return float(opacity * apart.max() * min(1.0, diameter_um / 22.0))


# --- scenes of clipped hair as microscopes see it --------------------------------------------------------------------


def draw_scene(rng: np.random.Generator, size: int) -> tuple[np.ndarray, Bars]:
    """One photograph, shape (size, size, 3), uint8, at the pitch, and its hairs."""
    full = size + 2 * MARGIN
    blur_um = float(rng.choice([rng.uniform(3, 9), rng.uniform(8, 20), rng.uniform(16, 32)], p=[0.42, 0.42, 0.16]))
    skin_rgb = _skin_colour(rng)
    image = _skin(rng, full, skin_rgb)
    bars, looks = _plant(rng, full, skin_rgb, blur_um)
    image *= _under_skin(rng, full, bars, looks)
    image *= _drop_shadows(rng, full, bars)
    _web(rng, image, bars, looks)
    grain = _noise(rng, full, 3.0)
    for i in range(len(bars.half)):
        _draw_bar(
            image,
            bars.root[i],
            bars.tip[i],
            bars.sagitta[i],
            bars.half[i],
            looks[i],
            grain,
            int(rng.integers(1 << 30)),
        )
    _soil(rng, image, bars, looks)
    _cover_roots(rng, image, bars, skin_rgb)
    _strew(rng, image)
    image = _camera(rng, _defocus(rng, image), blur_um)
    image = image[MARGIN : MARGIN + size, MARGIN : MARGIN + size]
    bars.root = bars.root - MARGIN
    bars.tip = bars.tip - MARGIN
    return np.ascontiguousarray(image), bars


def _skin_colour(rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.45:
        grey = rng.uniform(0.40, 0.75)
        base = grey * np.array([1.05, 1.0, 0.92])
    else:
        kind = rng.uniform(1, 6)
        low, high = math.floor(kind), min(math.floor(kind) + 1, 6)
        part = kind - low
        base = ((1 - part) * np.array(SKIN_RGB[low]) + part * np.array(SKIN_RGB[high])) / 255
    return np.clip(base * np.exp(rng.normal(0, 0.06, 3)) * math.exp(rng.normal(0, 0.08)), 0.05, 0.97)


def _noise(rng: np.random.Generator, size: int, sigma: float, stretch: float = 1.0, angle: float = 0.0) -> np.ndarray:
    """Smooth noise of standard deviation 1; `stretch` longer along `angle` (degrees)."""
    step = max(1, int(sigma / 1.5))
    n = size // step + 4
    if stretch == 1.0:
        field = cv2.GaussianBlur(rng.standard_normal((n, n), dtype=np.float32), (0, 0), max(sigma / step, 0.3))
        field = cv2.resize(field, (size, size), interpolation=cv2.INTER_CUBIC)
    else:
        wide = int(1.5 * n)
        field = cv2.GaussianBlur(
            rng.standard_normal((wide, wide), dtype=np.float32),
            (0, 0),
            sigmaX=sigma * stretch / step,
            sigmaY=max(sigma / step, 0.3),
        )
        turn = cv2.getRotationMatrix2D((wide / 2, wide / 2), angle, step)
        turn[:, 2] += size / 2 - wide / 2
        field = cv2.warpAffine(field, turn, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(field / max(float(field.std()), 1e-6), dtype=np.float32)


def _skin(rng: np.random.Generator, size: int, rgb: np.ndarray) -> np.ndarray:
    relief = np.zeros((size, size), dtype=np.float32)
    for sigma_um in (200.0, 80.0, 30.0, 12.0):
        relief += np.float32(rng.uniform(0, 0.05)) * _noise(rng, size, sigma_um / PITCH_UM)
    for _ in range(int(rng.integers(0, 4))):  # furrows and wrinkles
        fold = _noise(rng, size, rng.uniform(8, 30) / PITCH_UM, rng.uniform(3, 10), rng.uniform(0, 180))
        amount = rng.uniform(0, 0.07)
        relief -= np.float32(amount) * (np.abs(fold) < 0.25 if rng.random() < 0.4 else np.clip(fold, -1, 2.5))
    tint = _noise(rng, size, rng.uniform(60, 300) / PITCH_UM)[:, :, None] * rng.normal(0, 0.025, 3).astype(np.float32)
    image = np.asarray(rgb, dtype=np.float32) * (1 + relief[:, :, None]) * (1 + tint)
    _draw_lines(rng, image)
    if rng.random() < 0.5:
        _draw_vessels(rng, image)
    if rng.random() < 0.85:
        image += _glints(rng, size)
    rows, cols = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    for k in range(3):
        a, b = rng.normal(0, 0.05, 2)
        image[:, :, k] *= 1 + a * rows + b * cols
    a, b, c = rng.normal(0, 0.08, 3)
    image *= (1 + a * rows + b * cols - abs(c) * (rows**2 + cols**2))[:, :, None]
    return np.maximum(image, 0.01)


def _draw_lines(rng: np.random.Generator, image: np.ndarray) -> None:
    """Fine lines of the skin's own: creases, fibres, down."""
    size = image.shape[0]
    layer = np.zeros((size, size), dtype=np.float32)
    main = rng.uniform(0, 2 * np.pi)
    for _ in range(int(rng.integers(0, 60))):
        n = int(rng.integers(6, 30))
        walk = np.cumsum(rng.normal(0, 0.12, n)) + (
            main + rng.normal(0, 0.5) if rng.random() < 0.6 else rng.uniform(0, 7)
        )
        line = np.cumsum(np.stack([np.cos(walk), np.sin(walk)], axis=1) * 7, axis=0) + rng.random(2) * size
        points = np.rint(line[:, ::-1] * 8).astype(np.int32)
        one = np.float32(rng.normal(0, 0.09))
        cv2.polylines(
            layer,
            [points[:, None]],
            isClosed=False,
            color=float(one),
            thickness=int(rng.integers(1, 3)),
            lineType=cv2.LINE_AA,
            shift=3,
        )
    layer = cv2.GaussianBlur(layer, (0, 0), float(rng.uniform(0.5, 1.5)))
    image *= (1 + layer)[:, :, None]


def _draw_vessels(rng: np.random.Generator, image: np.ndarray) -> None:
    size = image.shape[0]
    layer = np.zeros((size, size), dtype=np.float32)
    for _ in range(int(rng.integers(1, 7))):
        n = int(rng.integers(10, 50))
        walk = np.cumsum(rng.normal(0, 0.35, n)) + rng.uniform(0, 7)
        line = np.cumsum(np.stack([np.cos(walk), np.sin(walk)], axis=1) * 6, axis=0) + rng.random(2) * size
        points = np.rint(line[:, ::-1] * 8).astype(np.int32)
        cv2.polylines(
            layer,
            [points[:, None]],
            isClosed=False,
            color=1.0,
            thickness=int(rng.integers(1, 4)),
            lineType=cv2.LINE_AA,
            shift=3,
        )
    layer = cv2.GaussianBlur(layer, (0, 0), float(rng.uniform(1.0, 3.5))) * np.float32(rng.uniform(0.05, 0.35))
    image *= 1 - layer[:, :, None] * np.array([0.25, 1.0, 0.85], dtype=np.float32)


def _glints(rng: np.random.Generator, size: int) -> np.ndarray:
    """Specular texture of moist or greasy skin: streaks and specks, bluish white, gathered in places."""
    where = np.clip(0.5 + 0.8 * _noise(rng, size, rng.uniform(100, 500) / PITCH_UM) + rng.normal(0, 0.5), 0, 2)
    total = np.zeros((size, size), dtype=np.float32)
    for _ in range(int(rng.integers(1, 4))):
        grain = _noise(rng, size, rng.uniform(4, 16) / PITCH_UM, rng.uniform(1.01, 5), rng.uniform(0, 180))
        total += np.clip(grain - rng.uniform(0.3, 2.2), 0, 2.5) * np.float32(rng.uniform(0.02, 0.25))
    colour = np.array([0.85, 0.92, 1.0], dtype=np.float32) if rng.random() < 0.7 else np.ones(3, dtype=np.float32)
    return np.asarray((total * where)[:, :, None] * colour * np.float32(rng.uniform(0.2, 1.0)), dtype=np.float32)


LOOK = 17
"""Numbers that say how one hair looks: see `_look`."""


def _look(rng: np.random.Generator, colour: np.ndarray, pigment: float, wet: float) -> np.ndarray:
    """Draw how one hair looks.

    Colour (3), absorption per um, side light, texture, glare strength, place, width, break-up, cut slope, fade of
    the root (um), taper, roundness of the tip, speckles, rim darkness, raggedness of the edges.
    """
    return np.array(
        [
            *colour, pigment, rng.normal(0, 0.15), rng.uniform(0, 0.35),
            max(wet, 0.2) * rng.uniform(0, 0.9) * (rng.random() < 0.7), rng.uniform(-0.6, 0.6),
            rng.uniform(0.06, 0.35), rng.uniform(-1.5, 1.5), rng.normal(0, 0.5),
            rng.uniform(0, 60) + (rng.random() < 0.25) * rng.uniform(0, 90), rng.normal(0, 0.12),
            rng.uniform(0, 1), rng.uniform(0, 1) * wet, rng.uniform(0, 0.3),
            rng.uniform(0, 0.08) * (0.3 + wet),
        ]
    )  # fmt: skip


def _hair_colours(rng: np.random.Generator, skin: np.ndarray) -> tuple[np.ndarray, float]:
    """Scene's hair colour (3,) and pigment (absorption per um)."""
    kind = rng.random()
    light = float(skin.mean())
    if kind < 0.62 and light > 0.3:
        return np.array([0.09, 0.08, 0.08]) * rng.uniform(0.5, 2.2), float(np.exp(rng.uniform(-3.3, -1.9)))
    if kind < 0.82 and light > 0.4:
        base = np.array([0.36, 0.25, 0.17]) * rng.uniform(0.5, 1.5)
        return base * np.exp(rng.normal(0, 0.08, 3)), float(np.exp(rng.uniform(-3.8, -2.4)))
    names = [n for n in HAIR_RGB if np.max(np.abs(np.array(HAIR_RGB[n]) / 255 - skin) / skin) > 0.25]
    name = str(rng.choice(names)) if names else "black"
    return np.array(HAIR_RGB[name]) / 255 * np.exp(rng.normal(0, 0.08, 3)), HAIR_ABSORPTION_PER_UM[name]


def _plant(rng: np.random.Generator, size: int, skin: np.ndarray, blur_um: float) -> tuple[Bars, np.ndarray]:
    side_um = size * PITCH_UM
    density = rng.uniform(50, 400) if rng.random() < 0.96 else 0.0
    n_units = max(0, int(rng.poisson(density * side_um**2 / 1e8 / 1.8)))
    centres = _spread(rng, n_units, side_um)
    long_hair = rng.random() < 0.10
    clip = math.exp(rng.uniform(math.log(220), math.log(950)))
    typical = rng.uniform(46, 124)
    fan = math.radians(rng.uniform(2, 14))
    main, turn = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.25, 2)
    crowd = rng.uniform(0.3, 1.7)
    colour, pigment = _hair_colours(rng, skin)
    thin_share = rng.uniform(0, 0.35)
    stagger = rng.uniform(20, 110)
    shares = np.array([0.40, 0.37, 0.18, 0.05]) if rng.random() < 0.7 else np.array([0.25, 0.40, 0.25, 0.10])
    wet = float(rng.choice([0.0, 0.3, 1.0]))
    root, tip, bow, half, looks, weight, rooted = [], [], [], [], [], [], []
    for centre in centres:
        n = int(rng.choice(4, p=shares)) + 1
        lean = main + float(turn @ (centre / side_um - 0.5)) + rng.normal(0, math.radians(9))
        across = np.array([-math.sin(lean), math.cos(lean)])
        ahead = np.array([math.cos(lean), math.sin(lean)])
        places = (np.arange(n) - (n - 1) / 2) + rng.normal(0, 0.25, n)
        gap = crowd * typical * rng.uniform(0.5, 1.3)
        closing = rng.normal(0, 1.0)
        unit_clip = clip * rng.uniform(0.8, 1.25)
        for place in rng.permutation(places):
            thin = rng.random() < thin_share
            wide = rng.uniform(14, 46) if thin else np.clip(rng.normal(typical, 0.13 * typical), 30, 165)
            at = centre + place * gap * across + rng.normal(0, stagger) * ahead
            way = lean + place * closing * fan + rng.normal(0, fan / 2)
            length = unit_clip * (rng.uniform(0.6, 1.15) if n > 1 else rng.normal(1, 0.1))
            if rng.random() < 0.03:
                length = rng.uniform(60, 160)
            if long_hair:
                length = rng.uniform(900, 4500)
            length = max(length, 50.0 + 0.4 * wide)
            bend = rng.normal(0, 0.025) if not long_hair else rng.normal(0, 0.10)
            dark = colour * np.exp(rng.normal(0, 0.12)) * np.exp(rng.normal(0, 0.03, 3))
            gum = pigment * np.exp(rng.normal(0, 0.25))
            if rng.random() < 0.06:
                dark, gum = np.clip(dark * 2.2 + 0.12, 0, 1), gum * 0.4
            opacity = 1 - math.exp(-gum * 0.85 * wide)
            apart = float(np.max(np.abs(dark - skin) / skin)) * opacity
            seen = apart * min(1.0, wide / (2.5 * blur_um + 6))
            root.append(at / PITCH_UM)
            tip.append((at + length * np.array([math.cos(way), math.sin(way)])) / PITCH_UM)
            bow.append(bend * length / PITCH_UM)
            half.append(wide / 2 / PITCH_UM)
            looks.append(_look(rng, dark, gum, wet))
            weight.append(1.0 if seen > 0.13 else 0.0)
            rooted.append(1)
    for _ in range(int(rng.poisson(0.8)) if rng.random() < 0.6 else 0):  # lone thin hairs, often paler and bent
        at, way = rng.random(2) * side_um, main + rng.normal(0, 0.5)
        length, wide = rng.uniform(130, 800), rng.uniform(14, 42)
        dark = np.clip(colour * rng.uniform(0.8, 2.0) + rng.uniform(0, 0.12), 0, 1)
        gum = pigment * np.exp(rng.normal(-0.1, 0.3))
        opacity = 1 - math.exp(-gum * 0.85 * wide)
        seen = float(np.max(np.abs(dark - skin) / skin)) * opacity * min(1.0, wide / (2.5 * blur_um + 6))
        root.append(at / PITCH_UM)
        tip.append((at + length * np.array([math.cos(way), math.sin(way)])) / PITCH_UM)
        bow.append(rng.normal(0, 0.05) * length / PITCH_UM)
        half.append(wide / 2 / PITCH_UM)
        looks.append(_look(rng, dark, gum, wet))
        weight.append(1.0 if seen > 0.08 else 0.0)
        rooted.append(1)
    if not long_hair:
        for _ in range(int(rng.poisson(0.7))):
            at, way = rng.random(2) * side_um, main + math.pi / 2 + rng.uniform(-0.8, 0.8)
            length, wide = rng.uniform(50, 260), rng.uniform(15, 90)
            root.append(at / PITCH_UM)
            tip.append((at + length * np.array([math.cos(way), math.sin(way)])) / PITCH_UM)
            bow.append(0.0)
            half.append(wide / 2 / PITCH_UM)
            looks.append(_look(rng, colour, pigment, wet))
            weight.append(1.0)
            rooted.append(0)
    bars = Bars(
        np.array(root).reshape(-1, 2), np.array(tip).reshape(-1, 2), np.array(bow), np.array(half), np.array(weight),
        np.array(rooted),
    )  # fmt: skip
    bars.weight[bars.half < THIN_UM / 2 / PITCH_UM] *= THIN_WEIGHT
    _hide_covered(bars)
    return bars, np.array(looks).reshape(-1, LOOK)


def _hide_covered(bars: Bars) -> None:
    """Ask for no hair of which hardly anything is seen."""
    n = len(bars.half)
    if n == 0:
        return
    low = np.minimum(bars.root, bars.tip).min(axis=0) - 30
    high = np.maximum(bars.root, bars.tip).max(axis=0) + 30
    shape = np.ceil(np.minimum(high - low, 4000) / 2).astype(int)
    top = np.full(tuple(shape), -1, dtype=np.int32)
    area = np.zeros(n)
    for i in range(n):
        a, b = (bars.root[i] - low) / 2, (bars.tip[i] - low) / 2
        mask = np.zeros(tuple(shape), dtype=np.uint8)
        cv2.line(mask, (int(a[1]), int(a[0])), (int(b[1]), int(b[0])), 1, max(1, round(float(bars.half[i]))))
        area[i] = max(int(mask.sum()), 1)
        top[mask > 0] = i
    left = np.bincount(top[top >= 0], minlength=n)
    bars.weight = np.where((left / area < 0.15) & (bars.rooted > 0), 0.0, bars.weight)


def _spread(rng: np.random.Generator, n: int, side: float) -> np.ndarray:
    centres = np.empty((n, 2))
    apart = 0.5 * side / math.sqrt(max(n, 1))
    for i in range(n):
        gap = apart
        while True:
            at = rng.random(2) * side
            if i == 0 or np.min(np.hypot(*(centres[:i] - at).T)) >= gap:
                break
            gap *= 0.97
        centres[i] = at
    return centres


def _under_skin(rng: np.random.Generator, size: int, bars: Bars, looks: np.ndarray) -> np.ndarray:
    """Give the share of light that buried shafts leave: they look broader, weaker and bluer the deeper they lie."""
    near = np.zeros((size, size), dtype=np.float32)
    deep = np.zeros((size, size), dtype=np.float32)
    strength = rng.uniform(0.2, 2.6) if rng.random() < 0.85 else 0.0
    scene_length = rng.uniform(60, 480)
    for i in range(len(bars.half)):
        if not bars.rooted[i]:
            continue
        chord = bars.tip[i] - bars.root[i]
        way = math.atan2(chord[1], chord[0]) + rng.normal(0, 0.15)
        length = scene_length * rng.uniform(0.5, 1.4) / PITCH_UM
        back = -np.array([math.cos(way), math.sin(way)])
        grip = float(1 - np.exp(-looks[i, 3] * 2 * bars.half[i] * PITCH_UM)) * (1 - float(looks[i, :3].mean()))
        thick = max(1, round(2 * bars.half[i] * rng.uniform(0.6, 1.2)))
        steps = 4
        for k in range(steps):
            a = bars.root[i] + back * length * k / steps - back * 2
            b = bars.root[i] + back * length * (k + 1) / steps
            layer = near if k < 2 else deep
            worth = grip * (1 - k / steps) * rng.uniform(0.6, 1.0)
            cv2.line(
                layer, (round(a[1] * 8), round(a[0] * 8)), (round(b[1] * 8), round(b[0] * 8)), float(worth),
                thick + k, cv2.LINE_AA, 3,
            )  # fmt: skip
    near = cv2.GaussianBlur(near, (0, 0), rng.uniform(4, 26) / PITCH_UM)
    deep = cv2.GaussianBlur(deep, (0, 0), rng.uniform(25, 70) / PITCH_UM)
    dark = (
        np.float32(strength)
        * (np.float32(rng.uniform(0.3, 1.0)) * near + np.float32(rng.uniform(0.4, 1.0)) * deep)[:, :, None]
    )
    tone = np.array([1.0, 0.8, 0.62]) * np.exp(rng.normal(0, 0.12, 3))
    return np.asarray(np.exp(-dark * tone.astype(np.float32)), dtype=np.float32)


def _drop_shadows(rng: np.random.Generator, size: int, bars: Bars) -> np.ndarray:
    layer = np.zeros((size, size), dtype=np.float32)
    if rng.random() < 0.5:
        shift = rng.normal(0, 4 if rng.random() < 0.6 else 9, 2)
        for i in range(len(bars.half)):
            a, b = bars.root[i], bars.tip[i] + shift
            cv2.line(layer, (round(a[1] * 8), round(a[0] * 8)), (round(b[1] * 8), round(b[0] * 8)), 1.0,
                     max(1, round(2 * float(bars.half[i]))), cv2.LINE_AA, 3)  # fmt: skip
        layer = cv2.GaussianBlur(layer, (0, 0), rng.uniform(8, 40) / PITCH_UM) * np.float32(rng.uniform(0, 0.45))
    # skin around an opening is often browner, redder or paler
    halo = np.zeros((size, size), dtype=np.float32)
    if rng.random() < 0.5:
        for i in range(len(bars.half)):
            if bars.rooted[i] and rng.random() < 0.6:
                at = bars.root[i]
                cv2.circle(halo, (round(at[1]), round(at[0])), int(rng.integers(6, 26)), float(rng.normal(0, 0.3)), -1)
        halo = cv2.GaussianBlur(halo, (0, 0), rng.uniform(20, 60) / PITCH_UM)
    tone = np.array([0.4, 0.8, 1.2], dtype=np.float32)
    return np.clip((1 - layer)[:, :, None] * (1 - 0.6 * halo[:, :, None] * tone), 0.2, 1.6)


@njit(cache=True)
def _draw_bar(image, root, tip, bow, half, look, grain, seed):
    """Blend one hair: chord absorption, side light, broken glare, an oblique cut, a root that fades into the skin."""
    size = image.shape[0]
    d_r, d_c = tip[0] - root[0], tip[1] - root[1]
    length = math.sqrt(d_r * d_r + d_c * d_c)
    a_r, a_c = d_r / length, d_c / length
    slope, fade, taper, rounding = look[10], look[11] / PITCH_UM, look[12], look[13]
    pad = abs(bow) + 1.3 * half + 3
    off = seed % (size * size)
    for row in range(max(int(min(root[0], tip[0]) - pad), 0), min(int(max(root[0], tip[0]) + pad) + 2, size)):
        for col in range(max(int(min(root[1], tip[1]) - pad), 0), min(int(max(root[1], tip[1]) + pad) + 2, size)):
            along = (row - root[0]) * a_r + (col - root[1]) * a_c
            t = min(max(along / length, 0.0), 1.0)
            u = -(row - root[0]) * a_c + (col - root[1]) * a_r - 4 * bow * t * (1 - t)
            ragged = look[16] * grain[(seed + (57 if u > 0 else 0)) % size, int(along + size) % size]
            wide = half * (1 + taper * (t - 0.5)) * (1 + ragged)
            side = min(max(wide - abs(u) + 0.5, 0.0), 1.0, 2 * wide)
            if side <= 0:
                continue
            v = max(-1.0, min(1.0, u / max(wide, 0.3)))
            end = length - slope * u - rounding * wide * 0.5 * v * v
            tail = min(max(end - along + 0.5, 0.0), 1.0)
            head = min(max((along + 0.5 * fade + 0.5) / (fade + 1.0), 0.0), 1.0)
            if tail <= 0 or head <= 0:
                continue
            chord = 2 * half * PITCH_UM * math.sqrt(max(1 - 0.92 * v * v, 0.0))
            alpha = (1 - math.exp(-look[3] * chord)) * side * tail * head
            # the same noise field, read elsewhere for each hair, streaked along it
            s = (int(along * 0.5) * 131 + int(v * 3 + 3) * 17 + off) % (size * size)
            g = grain[s // size, s % size]
            g_2 = grain[(row + seed) % size, (col + seed // 7) % size]
            rim = 1 - look[15] * v * v
            shade = (1 + look[4] * v) * (1 + look[5] * 0.4 * g_2) * rim
            line = 0.0
            if look[6] > 0:
                on = min(max(0.5 + g_2 + look[9], 0.0), 1.0)
                line = look[6] * on * math.exp(-0.5 * ((v - look[7]) / look[8]) ** 2)
            if look[14] > 0 and g > 2.0:
                line += 0.5 * look[14]
            for k in range(3):
                tone = look[k] * shade + line * 0.7
                image[row, col, k] += alpha * (tone - image[row, col, k])


def _web(rng: np.random.Generator, image: np.ndarray, bars: Bars, looks: np.ndarray) -> None:
    """Fill the wedge between hairs of one opening, which grease, dye and shadow make as dark as the hairs: no hair."""
    if rng.random() > 0.5:
        return
    size, n = image.shape[0], len(bars.half)
    share, thick = rng.uniform(0.2, 1.0), rng.uniform(0.3, 0.98)
    chord = bars.tip - bars.root
    way = np.arctan2(chord[:, 1], chord[:, 0]) if n else np.zeros(0)
    for i in range(n):
        for j in range(i + 1, n):
            near = np.hypot(*(bars.root[i] - bars.root[j])) < 2.2 * (bars.half[i] + bars.half[j])
            if not near or abs(np.angle(np.exp(1j * (way[i] - way[j])))) > 0.5 or rng.random() > share:
                continue
            first, last = np.sort(rng.uniform(-0.1, 0.9, 2)) if rng.random() < 0.4 else (-0.1, rng.uniform(0.1, 0.95))
            reach = min(np.hypot(*chord[i]), np.hypot(*chord[j]))
            unit = [chord[k] / max(float(np.hypot(*chord[k])), 1e-6) for k in (i, j)]
            ends = [bars.root[k] + u * reach * f for k, u in zip((i, j), unit, strict=True) for f in (first, last)]
            hollow = (ends[1] + ends[3]) / 2 - (unit[0] + unit[1]) / 2 * rng.uniform(0, 0.5) * reach * (last - first)
            mask = np.zeros((size, size), dtype=np.float32)
            outline = np.stack([ends[0], ends[1], hollow, ends[3], ends[2]])
            cv2.fillPoly(mask, [np.rint(outline[:, ::-1] * 8).astype(np.int32)[:, None]], 1.0, cv2.LINE_AA, 3)
            mask = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.4, 2.5))) * np.float32(thick)
            tone = looks[i, :3].astype(np.float32) * np.float32(rng.uniform(0.6, 1.8))
            image += mask[:, :, None] * (tone - image)


def _soil(rng: np.random.Generator, image: np.ndarray, bars: Bars, looks: np.ndarray) -> None:
    """Stick lumps of dye, dust and scale to the shafts, darker or paler than they are."""
    if rng.random() > 0.45:
        return
    share, dark, wide = rng.uniform(0.1, 0.9), rng.uniform(0, 1), rng.uniform(0.2, 0.9)
    for i in range(len(bars.half)):
        chord = bars.tip[i] - bars.root[i]
        length = max(float(np.hypot(*chord)), 1e-6)
        ahead = chord / length
        across = np.array([-ahead[1], ahead[0]])
        for _ in range(int(rng.poisson(share * length / 12))):
            t = rng.uniform(0, 1)
            at = (
                bars.root[i]
                + t * chord
                + across * (rng.uniform(-1.2, 1.2) * bars.half[i] + 4 * bars.sagitta[i] * t * (1 - t))
            )
            axes = (
                max(1, round(float(bars.half[i]) * wide * rng.uniform(0.3, 1.3))),
                max(1, round(float(bars.half[i]) * wide * rng.uniform(0.2, 0.7))),
            )
            tone = looks[i, :3] * rng.uniform(0.4, 1.5) if rng.random() < dark else np.full(3, rng.uniform(0.25, 0.7))
            lean = math.degrees(math.atan2(ahead[0], ahead[1])) + rng.normal(0, 40)
            cv2.ellipse(
                image, (round(at[1]), round(at[0])), axes, lean, 0, 360, [float(x) for x in tone], -1, cv2.LINE_AA
            )


def _cover_roots(rng: np.random.Generator, image: np.ndarray, bars: Bars, skin: np.ndarray) -> None:
    """Cuffs, scales and sebum on some roots, flakes elsewhere."""
    size = image.shape[0]
    share = rng.uniform(0, 0.5) if rng.random() < 0.6 else 0.0
    places = [bars.root[i] + rng.normal(0, 5, 2) for i in range(len(bars.half)) if rng.random() < share]
    places += [rng.random(2) * size for _ in range(int(rng.poisson(1.5)))]
    mask = np.zeros((size, size), dtype=np.float32)
    for at in places:
        n = int(rng.integers(4, 9))
        angles = np.sort(rng.uniform(0, 2 * np.pi, n))
        radius = rng.uniform(12, 70) / PITCH_UM * rng.uniform(0.4, 1.0, n)
        points = at + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, None]
        cv2.fillPoly(mask, [np.rint(points[:, ::-1] * 8).astype(np.int32)[:, None]], float(rng.uniform(0.1, 0.8)),
                     cv2.LINE_AA, 3)  # fmt: skip
    crusted = rng.uniform(0, 0.5) if rng.random() < 0.4 else 0.0
    for i in range(len(bars.half)):  # a sheath or crust along the first part of the shaft
        if bars.rooted[i] and rng.random() < crusted:
            chord = bars.tip[i] - bars.root[i]
            length = max(float(np.hypot(*chord)), 1e-6)
            ahead, n = chord / length, int(rng.integers(2, 7))
            reach = min(rng.uniform(40, 220) / PITCH_UM, 0.6 * length)
            for _ in range(n):
                at = bars.root[i] + ahead * rng.uniform(-0.1, 1) * reach + rng.normal(0, 0.5, 2) * bars.half[i]
                axes = (int(rng.integers(2, 3 + int(0.4 * reach))), max(1, int(bars.half[i] * rng.uniform(0.3, 1.2))))
                lean = math.degrees(math.atan2(ahead[0], ahead[1])) + rng.normal(0, 15)
                cv2.ellipse(mask, (round(at[1]), round(at[0])), axes, lean, 0, 360, float(rng.uniform(0.2, 0.85)), -1,
                            cv2.LINE_AA)  # fmt: skip
    for i in range(len(bars.half)):  # a bright crescent of lifted skin
        if bars.rooted[i] and rng.random() < 0.5 * share:
            at, spread = bars.root[i], int(rng.integers(5, 16))
            turn = float(rng.uniform(0, 360))
            cv2.ellipse(
                mask,
                (round(at[1]), round(at[0])),
                (spread, max(2, int(spread * rng.uniform(0.4, 1)))),
                turn,
                0,
                float(rng.uniform(90, 300)),
                float(rng.uniform(0.05, 0.4)),
                int(rng.integers(1, 3)),
                cv2.LINE_AA,
            )
    mask = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.4, 1.5)))[:, :, None]
    _ring_openings(rng, image, bars)
    bright = np.asarray(np.clip(skin * rng.uniform(0.9, 1.7), 0, 1) * np.array([1.0, 1.0, 1.02]), dtype=np.float32)
    speckle = 1 + 0.15 * _noise(rng, size, 2.0)[:, :, None]
    image += mask * (bright * speckle - image)


def _ring_openings(rng: np.random.Generator, image: np.ndarray, bars: Bars) -> None:
    """Dark furrows around openings and soft folds beside them: long, faint, and no hair."""
    size = image.shape[0]
    layer = np.zeros((size, size), dtype=np.float32)
    share = rng.uniform(0, 0.7) if rng.random() < 0.5 else 0.0
    for i in range(len(bars.half)):
        if not bars.rooted[i] or rng.random() > share:
            continue
        for _ in range(int(rng.integers(1, 4))):
            at = bars.root[i] + rng.normal(0, 6, 2)
            axes = (int(rng.integers(8, 40)), int(rng.integers(5, 25)))
            turn, first = float(rng.uniform(0, 360)), float(rng.uniform(0, 360))
            cv2.ellipse(layer, (round(at[1]), round(at[0])), axes, turn, first, first + float(rng.uniform(40, 200)),
                        float(rng.uniform(0.04, 0.4)), int(rng.integers(1, 5)), cv2.LINE_AA)  # fmt: skip
    layer = cv2.GaussianBlur(layer, (0, 0), float(rng.uniform(0.8, 4.0)))
    image *= np.exp(-layer)[:, :, None]


def _defocus(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Blur one side of the scene more than the other: skin is curved and depth of field short."""
    if rng.random() > 0.35:
        return image
    size = image.shape[0]
    rows, cols = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    way = rng.uniform(0, 2 * np.pi)
    share = 1 / (1 + np.exp(-3 * (math.cos(way) * rows + math.sin(way) * cols) - rng.normal(0, 1)))
    far = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(6, 28)) / PITCH_UM)
    return np.asarray(image + share.astype(np.float32)[:, :, None] * (far - image), dtype=np.float32)


def _strew(rng: np.random.Generator, image: np.ndarray) -> None:
    """Strew what is no hair: ink, dust, bubbles, drawn lines and letters of a viewer."""
    size = image.shape[0]
    if rng.random() < 0.12:
        for _ in range(int(rng.integers(1, 4))):
            mask = np.zeros((size, size), dtype=np.float32)
            at = rng.integers(0, size, 2)
            cv2.ellipse(
                mask,
                (int(at[1]), int(at[0])),
                (int(rng.integers(2, 40)), int(rng.integers(2, 30))),
                float(rng.uniform(0, 180)),
                0,
                360,
                1.0,
                -1,
                cv2.LINE_AA,
            )
            mask = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.5, 3)))[:, :, None]
            image += mask * np.float32(rng.uniform(0.3, 0.9)) * (rng.uniform(0, 0.6, 3).astype(np.float32) - image)
    for _ in range(int(rng.poisson(1.5))):  # dust
        at = rng.integers(0, size, 2)
        cv2.circle(
            image,
            (int(at[1]), int(at[0])),
            int(rng.integers(1, 4)),
            [float(x) for x in rng.uniform(0, 0.5, 3)],
            -1,
            cv2.LINE_AA,
        )
    if rng.random() < 0.08:
        rows, cols = np.ogrid[:size, :size]
        at, radius = rng.random(2) * size, rng.uniform(15, 90)
        off = (np.hypot(rows - at[0], cols - at[1]) - radius) * PITCH_UM
        rim = 0.25 * np.exp(-0.5 * (off / 15) ** 2) - 0.15 * np.exp(-0.5 * ((off + 35) / 18) ** 2)
        image += np.asarray(rim, dtype=np.float32)[:, :, None]
    if rng.random() < 0.10:
        colour = [(0.9, 0.1, 0.1), (0.1, 0.1, 0.1), (0.1, 0.2, 0.9), (1.0, 1.0, 1.0)][int(rng.integers(4))]
        a, b = rng.integers(0, size, 2), rng.integers(0, size, 2)
        if rng.random() < 0.5:
            cv2.line(image, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), colour, 1, cv2.LINE_AA)
        else:
            cv2.circle(image, (int(a[0]), int(a[1])), int(rng.integers(50, 600)), colour, 1, cv2.LINE_AA)
        if rng.random() < 0.5:
            text = "".join(chr(int(c)) for c in rng.integers(48, 90, 6))
            mask = np.zeros((size, size), dtype=np.uint8)
            cv2.putText(mask, text, (int(b[0]), int(b[1])), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1, cv2.LINE_AA)
            image += (mask / np.float32(255))[:, :, None] * (np.array(colour, dtype=np.float32) - image)


def _camera(rng: np.random.Generator, image: np.ndarray, blur_um: float) -> np.ndarray:
    image = cv2.GaussianBlur(image, (0, 0), max(blur_um / PITCH_UM, 0.3), borderType=cv2.BORDER_REFLECT)
    if rng.random() < 0.5:  # veiling glare and another tone curve
        image = image * rng.uniform(0.8, 1.0) + rng.uniform(0, 0.08)
        image = np.clip(image, 0, 1.5) ** np.float32(rng.uniform(0.8, 1.3))
    size = image.shape[0]
    native = rng.uniform(0.7, 1.3) if rng.random() < 0.5 else 1.0
    if native < 1.0:
        image = cv2.resize(image, None, fx=native, fy=native, interpolation=cv2.INTER_AREA)
    image = image + rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(0.001, 0.018))
    if rng.random() < 0.3:
        image = image + rng.uniform(0.2, 0.8) * (image - cv2.GaussianBlur(image, (0, 0), 1.2))  # a camera that sharpens
    pixels = np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = int(rng.integers(55, 97))
        _, packed = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        pixels = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))[:, :, ::-1]
    if pixels.shape[0] != size:
        pixels = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(pixels)
