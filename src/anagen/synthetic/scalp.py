"""A patch of scalp whose every hair is known, and photographs of it: the truth that hair counting is tested on.

A `Scalp` lives in micrometres, so the same skin can be photographed at several visits, turned, stretched, clipped to
another length, with hairs removed, added or grown. Nothing here is fitted to one camera: hairs are absorbing (or, for
fair and grey hair, scattering) cylinders on skin of uneven colour, seen through a Gaussian point-spread function.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numba import njit

from anagen.errors import InputError
from anagen.units import MM2_PER_CM2, UM2_PER_CM2, UM_PER_MM

HairColour = Literal["black", "dark-brown", "brown", "red", "blond", "grey", "white"]

SKIN_RGB: Final = {
    1: (236, 205, 190),
    2: (224, 188, 166),
    3: (206, 166, 138),
    4: (172, 128, 100),
    5: (128, 90, 68),
    6: (84, 60, 48),
}
"""Typical sRGB of skin by Fitzpatrick type, I lightest to VI darkest: own choice, each darker than the one before."""

HAIR_RGB: Final = {
    "black": (26, 22, 24),
    "dark-brown": (48, 34, 28),
    "brown": (82, 56, 40),
    "red": (138, 74, 40),
    "blond": (196, 164, 116),
    "grey": (186, 184, 182),
    "white": (236, 234, 230),
}
HAIR_ABSORPTION_PER_UM: Final = {
    "black": 0.080,
    "dark-brown": 0.070,
    "brown": 0.055,
    "red": 0.045,
    "blond": 0.035,
    "grey": 0.035,
    "white": 0.045,
}
"""Opacity of a chord of x um is 1 - exp(-a x): 30 um of black hair pass 9 %, of blond hair 35 %."""

UNIT_SIZE_SHARES: Final = (0.46, 0.42, 0.11, 0.01)
"""Follicular units of 1, 2, 3, 4 hairs: shares found in phototrichograms with single linkage at 250 um."""

TEXTURE_UM: Final = 20.0
"""Pitch of the skin's own texture."""


@dataclass(frozen=True, eq=False)
class PlantedHair:
    """One hair as it stands in the skin.

    Parameters
    ----------
    number : int
        Its name for life: kept through every visit and photograph.
    root_um : ndarray, shape (2,)
        Where it leaves the skin, (row, col) in scalp coordinates.
    direction_rad : float
        Of growth at the root: 0 along rows (down), pi/2 along columns (right).
    length_um : float
        Projected length along the path.
    curvature_per_um : float
        Signed, constant along the hair.
    diameter_um : float
        Projected diameter.
    colour : str
        A key of `HAIR_RGB`.
    unit : int
        Number of its follicular unit, from 1.
    growth_um_per_day : float
        0 for a hair that rests (telogen).
    """

    number: int
    root_um: np.ndarray
    direction_rad: float
    length_um: float
    curvature_per_um: float
    diameter_um: float
    colour: HairColour
    unit: int
    growth_um_per_day: float

    def path_um(self, step_um: float = 25.0) -> np.ndarray:
        """Points of the arc, shape (n >= 2, 2), root first, at most `step_um` apart."""
        n = max(2, math.ceil(self.length_um / step_um) + 1)
        along = np.linspace(0.0, self.length_um, n)
        bend = self.curvature_per_um * along
        # chord of a circular arc: sinc form, exact also for a straight hair
        chord = along * np.sinc(bend / (2 * np.pi))
        angle = self.direction_rad + bend / 2
        return np.asarray(self.root_um + np.stack([chord * np.cos(angle), chord * np.sin(angle)], axis=1))


@dataclass(frozen=True, eq=False)
class Scalp:
    """A rectangle of skin with its hairs; scalp coordinates start at its upper left corner.

    Parameters
    ----------
    hairs : tuple of PlantedHair
        In order of number.
    width_um, height_um : float
        Extent along columns and rows.
    fitzpatrick : int
        1 to 6.
    skin_rgb : ndarray, shape (3,)
        0 to 255.
    texture : ndarray, shape (rows, cols, 3), float32
        What multiplies the skin's colour, on a grid of `TEXTURE_UM`: relief, naevi, vessels.
    """

    hairs: tuple[PlantedHair, ...]
    width_um: float
    height_um: float
    fitzpatrick: int
    skin_rgb: np.ndarray
    texture: np.ndarray

    @property
    def density_per_cm2(self) -> float:
        """Hairs per cm2 of the whole patch."""
        return len(self.hairs) / (self.width_um * self.height_um / UM2_PER_CM2)

    def without(self, numbers: Iterable[int]) -> Scalp:
        """Let the hairs of these numbers fall out of the same skin."""
        gone = set(numbers)
        return dataclasses.replace(self, hairs=tuple(hair for hair in self.hairs if hair.number not in gone))

    def with_hairs(self, hairs: Iterable[PlantedHair]) -> Scalp:
        """Plant more hairs in the same skin; their numbers must be new."""
        added = tuple(hairs)
        taken = {hair.number for hair in self.hairs}
        clash = sorted(hair.number for hair in added if hair.number in taken)
        if clash:
            raise InputError(f"hairs must bear new numbers, got {clash} twice: renumber them")
        return dataclasses.replace(self, hairs=self.hairs + added)

    def clipped(self, length_um: float) -> Scalp:
        """Cut every hair to at most `length_um` > 0."""
        if not length_um > 0:
            raise InputError(f"length_um must be above 0, got {length_um}: a shaved hair cannot be photographed")
        cut = (dataclasses.replace(hair, length_um=min(hair.length_um, length_um)) for hair in self.hairs)
        return dataclasses.replace(self, hairs=tuple(cut))

    def grown(self, days: float) -> Scalp:
        """Let `days` >= 0 pass: every growing hair lengthens by its own rate."""
        later = (
            dataclasses.replace(hair, length_um=hair.length_um + days * hair.growth_um_per_day) for hair in self.hairs
        )
        return dataclasses.replace(self, hairs=tuple(later))


@dataclass(frozen=True, eq=False)
class PhotographedHair:
    """What is true of one hair in one photograph; pixel coordinates are (row, col), root first."""

    number: int
    path_px: np.ndarray
    diameter_um: float
    length_um: float
    unit: int

    @property
    def root_px(self) -> np.ndarray:
        """Where it leaves the skin; may lie outside the image."""
        return np.asarray(self.path_px[0])

    @property
    def tip_px(self) -> np.ndarray:
        """Its free end."""
        return np.asarray(self.path_px[-1])


@dataclass(frozen=True, eq=False)
class ScalpPhoto:
    """An image and its truth.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        RGB.
    truth : tuple of PhotographedHair
        Every hair of which some part lies in the image, with the number it has in the Scalp.
    um_per_px : float
        The scale the photographer believes.
    scalp_to_px : ndarray, shape (2, 3)
        px = A[:, :2] @ um + A[:, 2].
    blur_sigma_px : float
        Of the point-spread function.
    """

    image: np.ndarray
    truth: tuple[PhotographedHair, ...]
    um_per_px: float
    scalp_to_px: np.ndarray
    blur_sigma_px: float


def grow_scalp(
    rng: np.random.Generator,
    *,
    density_per_cm2: float = 150.0,
    width_mm: float = 7.5,
    height_mm: float = 6.0,
    fitzpatrick: int = 3,
    hair_colour: HairColour = "black",
    other_colours: float = 0.0,
    terminal_um: tuple[float, float] = (78.0, 14.0),
    vellus_um: tuple[float, float] = (24.0, 5.0),
    vellus_share: float = 0.12,
    length_um: tuple[float, float] = (900.0, 250.0),
    unit_shares: tuple[float, ...] = UNIT_SIZE_SHARES,
    ostium_um: float = 70.0,
    fan_deg: float = 7.0,
    curl_per_mm: float = 0.25,
    anagen_share: float = 0.85,
    growth_um_per_day: tuple[float, float] = (320.0, 50.0),
    n_naevi: int = 3,
    n_vessels: int = 6,
) -> Scalp:
    """Plant hairs in follicular units over a rectangle of skin.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all randomness.
    density_per_cm2 : float
        Hairs per cm2, 0 to 600; the number planted is the nearest integer.
    width_mm, height_mm : float
        Extent along columns and rows.
    fitzpatrick : int
        Skin type, 1 to 6.
    hair_colour : str
        A key of `HAIR_RGB`.
    other_colours : float
        Share of hairs of which the colour is grey instead.
    terminal_um, vellus_um : tuple of float
        Mean and standard deviation of the diameters of the two kinds.
    vellus_share : float
        Share of vellus hairs.
    length_um : tuple of float
        Mean and standard deviation of the length before clipping.
    unit_shares : tuple of float
        Shares of follicular units with 1, 2, ... hairs.
    ostium_um : float
        Distance between neighbouring roots of one unit.
    fan_deg : float
        Standard deviation of directions within one unit: small makes narrow Vs and touching hairs.
    curl_per_mm : float
        Standard deviation of the curvature.
    anagen_share : float
        Share of hairs that grow.
    growth_um_per_day : tuple of float
        Mean and standard deviation of the growth of those.
    n_naevi, n_vessels : int
        Dark spots and red lines in the skin.

    Returns
    -------
    Scalp

    Examples
    --------
    >>> scalp = grow_scalp(np.random.default_rng(1), density_per_cm2=200, width_mm=5, height_mm=4)
    >>> len(scalp.hairs)
    40
    """
    if fitzpatrick not in SKIN_RGB:
        raise InputError(f"fitzpatrick must be 1 to 6, got {fitzpatrick}: I is 1, VI is 6")
    if not 0 <= density_per_cm2 <= 600:
        raise InputError(f"density_per_cm2 must be 0 to 600, got {density_per_cm2}: no scalp bears more")
    width_um, height_um = width_mm * UM_PER_MM, height_mm * UM_PER_MM
    n_hairs = round(density_per_cm2 * width_mm * height_mm / MM2_PER_CM2)
    sizes = _draw_unit_sizes(rng, n_hairs, unit_shares)
    centres = _place_units(rng, len(sizes), width_um, height_um)
    parting = _direction_field(rng, width_um, height_um)
    hairs: list[PlantedHair] = []
    for unit, (size, centre) in enumerate(zip(sizes, centres, strict=True), start=1):
        towards = parting(centre) + rng.normal(0, math.radians(8))
        across = np.array([-math.sin(towards), math.cos(towards)])
        places = (np.arange(size) - (size - 1) / 2) * ostium_um
        fan = np.sort(rng.normal(0, math.radians(fan_deg), size))
        for place, spread in zip(places, fan, strict=True):
            vellus = rng.random() < vellus_share
            mean, sd = vellus_um if vellus else terminal_um
            grows = rng.random() < anagen_share
            hairs.append(
                PlantedHair(
                    number=len(hairs) + 1,
                    root_um=centre + place * across + rng.normal(0, ostium_um / 4, 2),
                    direction_rad=float(towards + spread),
                    length_um=float(max(150.0, rng.normal(*length_um)) * (0.6 if vellus else 1.0)),
                    curvature_per_um=float(rng.normal(0, curl_per_mm) / UM_PER_MM),
                    diameter_um=float(np.clip(rng.normal(mean, sd), 10.0, 140.0)),
                    colour="grey" if rng.random() < other_colours else hair_colour,
                    unit=unit,
                    growth_um_per_day=float(max(100.0, rng.normal(*growth_um_per_day))) if grows else 0.0,
                )
            )
    texture = _grow_texture(rng, width_um, height_um, n_naevi=n_naevi, n_vessels=n_vessels)
    skin = np.asarray(SKIN_RGB[fitzpatrick]) * (1 + rng.normal(0, 0.03, 3))
    return Scalp(tuple(hairs), width_um, height_um, fitzpatrick, np.clip(skin, 20, 245), texture)


def photograph_scalp(
    scalp: Scalp,
    rng: np.random.Generator,
    *,
    um_per_px: float = 5.0,
    shape: tuple[int, int] = (1024, 1280),
    centre_um: tuple[float, float] | None = None,
    rotation_deg: float = 0.0,
    scale: float = 1.0,
    stretch: float = 1.0,
    clip_length_um: float | None = 550.0,
    blur_sigma_px: float = 1.2,
    noise: float = 2.0,
    glare: float = 0.3,
    n_bubbles: int = 0,
    n_ink: int = 0,
    n_clippings: int = 0,
    illumination: float = 0.15,
    jpeg_quality: int | None = None,
) -> ScalpPhoto:
    """Photograph a scalp from above.

    Parameters
    ----------
    scalp : Scalp
        What is photographed.
    rng : numpy.random.Generator
        For glare, noise and where the overlays fall.
    um_per_px : float
        Nominal scale of the camera.
    shape : tuple of int
        (H, W) of the image.
    centre_um : tuple of float or None
        Scalp point at the image's centre, (row, col); None for the middle of the patch.
    rotation_deg : float
        Turn of the camera.
    scale : float
        True over nominal magnification.
    stretch : float
        Stretch of the skin along the rows; columns shrink by its inverse.
    clip_length_um : float or None
        Hairs are cut to this length first, each within 5 %; None leaves them.
    blur_sigma_px : float
        Standard deviation of the point-spread function, at least 0.3.
    noise : float
        Standard deviation of the sensor's noise, in grey levels.
    glare : float
        0 none, 1 wet: amount of specular specks and of the bright line along each hair.
    n_bubbles, n_ink, n_clippings : int
        Air bubbles, ink dots, loose pieces of cut hair (rootless: not in the truth).
    illumination : float
        Relative fall-off of the light over the image.
    jpeg_quality : int or None
        Compress and decompress; None keeps the pixels.

    Returns
    -------
    ScalpPhoto

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> photo = photograph_scalp(grow_scalp(rng, width_mm=3, height_mm=3), rng, shape=(400, 400))
    >>> photo.image.shape, photo.image.dtype
    ((400, 400, 3), dtype('uint8'))
    """
    if not um_per_px > 0:
        raise InputError(f"um_per_px must be above 0, got {um_per_px}: micrometres per pixel")
    if not blur_sigma_px >= 0.3:
        raise InputError(f"blur_sigma_px must be at least 0.3, got {blur_sigma_px}: a sensor pixel alone blurs by 0.29")
    centre = np.array(centre_um if centre_um is not None else (scalp.height_um / 2, scalp.width_um / 2), dtype=float)
    to_px = _camera(centre, um_per_px / scale, rotation_deg, stretch, shape)
    image = _lay_skin(scalp, to_px, shape)
    pieces = _loose_clippings(scalp, rng, n_clippings)
    truth = []
    for hair in _cut(scalp.hairs, rng, clip_length_um):
        seen = _draw_hair(image, hair, to_px, um_per_px / scale, glare, rooted=True)
        if seen is not None:
            truth.append(seen)
    for piece in pieces:
        _draw_hair(image, piece, to_px, um_per_px / scale, glare, rooted=False)
    _draw_ink(image, rng, n_ink, um_per_px)
    _draw_bubbles(image, rng, n_bubbles, um_per_px)
    _draw_specks(image, rng, glare, um_per_px)
    image *= _light(rng, shape, illumination)[:, :, None]
    image = cv2.GaussianBlur(image, (0, 0), blur_sigma_px, borderType=cv2.BORDER_REFLECT)
    image += rng.standard_normal(image.shape, dtype=np.float32) * np.float32(noise)
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    if jpeg_quality is not None:
        _, packed = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
        pixels = np.ascontiguousarray(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))[:, :, ::-1])
    return ScalpPhoto(pixels, tuple(truth), um_per_px, to_px, blur_sigma_px)


def _draw_unit_sizes(rng: np.random.Generator, n_hairs: int, shares: tuple[float, ...]) -> list[int]:
    p = np.asarray(shares, dtype=float)
    sizes: list[int] = []
    left = n_hairs
    while left > 0:
        size = min(int(rng.choice(len(p), p=p / p.sum())) + 1, left)
        sizes.append(size)
        left -= size
    return sizes


def _place_units(rng: np.random.Generator, n: int, width_um: float, height_um: float) -> np.ndarray:
    """Hard-core point process: units keep their distance, less so the denser they stand."""
    apart = 0.55 * math.sqrt(width_um * height_um / max(n, 1))
    centres = np.empty((n, 2))
    for i in range(n):
        gap = apart
        while True:
            at = rng.random(2) * (height_um, width_um)
            if i == 0 or np.min(np.hypot(*(centres[:i] - at).T)) >= gap:
                break
            gap *= 0.98
        centres[i] = at
    return centres


class _DirectionField:
    """Smoothly turning direction of growth."""

    def __init__(self, main: float, turn: np.ndarray, extent: np.ndarray) -> None:
        self.main, self.turn, self.extent = main, turn, extent

    def __call__(self, at_um: np.ndarray) -> float:
        return float(self.main + self.turn @ (at_um / self.extent - 0.5))


def _direction_field(rng: np.random.Generator, width_um: float, height_um: float) -> _DirectionField:
    turn = rng.normal(0, math.radians(20), 2)
    return _DirectionField(rng.uniform(0, 2 * np.pi), turn, np.array([height_um, width_um]))


def _grow_texture(
    rng: np.random.Generator, width_um: float, height_um: float, *, n_naevi: int, n_vessels: int
) -> np.ndarray:
    shape = (int(height_um / TEXTURE_UM) + 2, int(width_um / TEXTURE_UM) + 2)
    texture = np.ones((*shape, 3), dtype=np.float32)
    for sigma_um, amount in ((600.0, 0.05), (150.0, 0.03), (40.0, 0.03)):
        layer = cv2.GaussianBlur(rng.standard_normal(shape, dtype=np.float32), (0, 0), sigma_um / TEXTURE_UM)
        texture += (amount * layer / max(float(layer.std()), 1e-6))[:, :, None]
    rows, cols = np.mgrid[: shape[0], : shape[1]].astype(np.float32) * np.float32(TEXTURE_UM)
    for _ in range(n_naevi):
        at, size = rng.random(2) * (height_um, width_um), rng.uniform(60, 200)
        spot = np.exp(-0.5 * ((rows - at[0]) ** 2 + (cols - at[1]) ** 2) / size**2)
        texture -= rng.uniform(0.08, 0.25) * spot[:, :, None] * np.array([0.7, 1.0, 1.1], dtype=np.float32)
    vessels = np.zeros(shape, dtype=np.float32)
    for _ in range(n_vessels):
        walk = np.cumsum(rng.normal(0, 0.35, 40)) + rng.uniform(0, 2 * np.pi)
        line = np.cumsum(np.stack([np.cos(walk), np.sin(walk)], axis=1) * 3, axis=0) + rng.random(2) * shape
        points = np.rint(line[:, ::-1] * 8).astype(np.int32)
        cv2.polylines(vessels, [points[:, None]], isClosed=False, color=1.0, thickness=1, lineType=cv2.LINE_AA, shift=3)
    vessels = cv2.GaussianBlur(vessels, (0, 0), 1.2)
    texture -= 0.18 * vessels[:, :, None] * np.array([0.25, 1.0, 0.9], dtype=np.float32)
    return texture


def _camera(
    centre: np.ndarray, um_per_px: float, rotation_deg: float, stretch: float, shape: tuple[int, int]
) -> np.ndarray:
    turn = math.radians(rotation_deg)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    linear = rotation @ np.diag([stretch, 1 / stretch]) / um_per_px
    middle = (np.array(shape) - 1) / 2
    return np.concatenate([linear, (middle - linear @ centre)[:, None]], axis=1)


def _lay_skin(scalp: Scalp, to_px: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    # warpAffine works in (x, y): swap the axes of the map
    linear = to_px[::-1, :2][:, ::-1] * TEXTURE_UM
    forward = np.concatenate([linear, to_px[::-1, 2:]], axis=1)
    texture = cv2.warpAffine(
        scalp.texture, forward, (shape[1], shape[0]), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(texture * scalp.skin_rgb.astype(np.float32), dtype=np.float32)


def _cut(
    hairs: tuple[PlantedHair, ...], rng: np.random.Generator, clip_length_um: float | None
) -> tuple[PlantedHair, ...]:
    if clip_length_um is None:
        return hairs
    limits = clip_length_um * rng.normal(1, 0.05, len(hairs))
    return tuple(
        dataclasses.replace(hair, length_um=float(min(hair.length_um, max(limit, 50.0))))
        for hair, limit in zip(hairs, limits, strict=True)
    )


def _loose_clippings(scalp: Scalp, rng: np.random.Generator, n: int) -> list[PlantedHair]:
    pieces = []
    for _ in range(n if scalp.hairs else 0):
        like = scalp.hairs[int(rng.integers(len(scalp.hairs)))]
        pieces.append(
            dataclasses.replace(
                like,
                number=0,
                root_um=rng.random(2) * (scalp.height_um, scalp.width_um),
                direction_rad=float(rng.uniform(0, 2 * np.pi)),
                length_um=float(rng.uniform(60, 200)),
            )
        )
    return pieces


def _draw_hair(
    image: np.ndarray, hair: PlantedHair, to_px: np.ndarray, um_per_px: float, glare: float, *, rooted: bool
) -> PhotographedHair | None:
    path = hair.path_um() @ to_px[:, :2].T + to_px[:, 2]
    radius = hair.diameter_um / um_per_px / 2
    buried = 180.0 / um_per_px if rooted else 0.0
    pad = radius + 2 + buried
    low = np.maximum(np.floor(path.min(axis=0) - pad), 0).astype(int)
    high = np.minimum(np.ceil(path.max(axis=0) + pad) + 1, image.shape[:2]).astype(int)
    if np.any(high <= low):
        return None
    box = image[low[0] : high[0], low[1] : high[1]]
    _shade_cylinder(
        box,
        path - low,
        radius,
        np.asarray(HAIR_RGB[hair.colour], dtype=np.float64),
        HAIR_ABSORPTION_PER_UM[hair.colour] * um_per_px,
        glare,
        buried,
    )
    inside = np.all((path > -0.5) & (path < np.array(image.shape[:2]) - 0.5), axis=1)
    if not inside.any():
        return None
    return PhotographedHair(hair.number, path, hair.diameter_um, hair.length_um, hair.unit)


@njit(cache=True)  # pragma: no cover - compiled
def _shade_cylinder(  # noqa: C901, PLR0912  one compiled loop over pixels: calls would hide the geometry
    box: np.ndarray,
    path: np.ndarray,
    radius: float,
    colour: np.ndarray,
    absorption_per_px: float,
    glare: float,
    buried: float,
) -> None:
    """Blend one hair into `box`: chord absorption, light from above, a bright line along its middle."""
    n = len(path)
    for row in range(box.shape[0]):
        for col in range(box.shape[1]):
            nearest, ahead = 1e18, 0.0
            for i in range(n - 1):
                a_r, a_c = path[i, 0], path[i, 1]
                d_r, d_c = path[i + 1, 0] - a_r, path[i + 1, 1] - a_c
                size2 = d_r * d_r + d_c * d_c
                t = ((row - a_r) * d_r + (col - a_c) * d_c) / size2
                size = np.sqrt(size2)
                over = 0.0
                if t < 0:
                    over = -t * size if i == 0 else 0.0
                    if i > 0:
                        t = 0.0
                elif t > 1:
                    over = -(t - 1) * size if i == n - 2 else 0.0
                    if i < n - 2:
                        t = 1.0
                off_r, off_c = row - a_r - t * d_r, col - a_c - t * d_c
                off2 = off_r * off_r + off_c * off_c
                rank = off2 + over * over
                if rank < nearest:
                    nearest, ahead = rank, over
                    across = np.sqrt(off2)
            # `ahead` > 0: behind the root by so many pixels; < 0: beyond the tip
            overlap = min(across + 0.5, radius) - max(across - 0.5, -radius)
            if overlap <= 0:
                continue
            end = min(max(0.5 + ahead, 0.0), 1.0) if ahead < 0 else 1.0
            depth = 0.0
            if ahead > 0:
                if buried <= 0:
                    end = min(max(0.5 - ahead, 0.0), 1.0)
                else:
                    depth = ahead / buried
            if end <= 0 or depth >= 1:
                continue
            u = min(across / radius, 0.98)
            chord = 2 * radius * np.sqrt(1 - u * u)
            alpha = (1 - np.exp(-absorption_per_px * max(chord, 0.3 * radius) * 1.0)) * min(overlap, 1.0) * end
            # seen through the skin: fading fast, and bluish as light scatters less at long wavelengths
            alpha *= (1 - depth) ** 2 * (0.55 if depth > 0 else 1.0)
            line = glare * 70.0 * np.exp(-0.5 * ((u - 0.15) / 0.12) ** 2) * (1 if depth == 0.0 else 0)
            for k in range(3):
                shade = colour[k] * (1.05 - 0.25 * u * u) + line
                if depth > 0:
                    shade = 0.6 * shade + 0.4 * (95.0 + 15.0 * k)
                    shade = min(shade, max(box[row, col, k], colour[k]))
                box[row, col, k] += alpha * (shade - box[row, col, k])


def _draw_ink(image: np.ndarray, rng: np.random.Generator, n: int, um_per_px: float) -> None:
    for _ in range(n):
        at, radius = rng.random(2) * image.shape[:2], rng.uniform(150, 350) / um_per_px
        mask = np.zeros(image.shape[:2], dtype=np.float32)
        centre = (round(float(at[1]) * 8), round(float(at[0]) * 8))
        cv2.circle(mask, centre, round(radius * 8), 1.0, -1, cv2.LINE_AA, 3)
        image += 0.8 * mask[:, :, None] * (np.array([60, 40, 130], dtype=np.float32) - image)


def _draw_bubbles(image: np.ndarray, rng: np.random.Generator, n: int, um_per_px: float) -> None:
    for _ in range(n):
        at, radius = rng.random(2) * image.shape[:2], rng.uniform(100, 500) / um_per_px
        rows, cols = np.ogrid[: image.shape[0], : image.shape[1]]
        off = (np.hypot(rows - at[0], cols - at[1]) - radius) * um_per_px
        rim = np.exp(-0.5 * (off / 15) ** 2) - 0.6 * np.exp(-0.5 * ((off + 35) / 18) ** 2)
        image += np.asarray(60 * rim, dtype=np.float32)[:, :, None]


def _draw_specks(image: np.ndarray, rng: np.random.Generator, glare: float, um_per_px: float) -> None:
    """Small specular highlights of moist skin, gathered in patches."""
    shape = image.shape[:2]
    if glare <= 0:
        return
    coarse = max(2, round(300 / um_per_px))
    small = rng.standard_normal((shape[0] // coarse + 3, shape[1] // coarse + 3), dtype=np.float32)
    patches = cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    grain = cv2.GaussianBlur(rng.standard_normal(shape, dtype=np.float32), (0, 0), max(0.6, 9 / um_per_px))
    grain /= max(float(grain.std()), 1e-6)
    specks = np.clip(grain + 0.7 * patches - 2.6 + 1.2 * glare, 0, 1.5) * glare * 110
    image += specks[:, :, None] * np.array([0.95, 0.97, 1.0], dtype=np.float32)


def _light(rng: np.random.Generator, shape: tuple[int, int], illumination: float) -> np.ndarray:
    rows, cols = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    tilt = rng.uniform(0, 2 * np.pi)
    slope = math.cos(tilt) * rows + math.sin(tilt) * cols
    return np.asarray(1 + illumination * (0.5 * slope - 0.5 * (rows**2 + cols**2) / 2), dtype=np.float32)
