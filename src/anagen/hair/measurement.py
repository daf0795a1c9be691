"""What is known about the hairs of one image."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from anagen.hair.region import Region
from anagen.records import Flag


@dataclass(frozen=True, eq=False)
class Hair:
    """One hair shaft.

    Parameters
    ----------
    number : int
        1-based, the number drawn on the overlay; stable within a measurement.
    path_px : ndarray, shape (n, 2)
        Sub-pixel centre line, (row, col), root first.
    length_um : float
        Along the path.
    diameter_um : float
        Projected diameter; NaN where the optics cannot say.
    diameter_sd_um : float
        Standard uncertainty of `diameter_um`; NaN with it.
    confidence : float
        0 to 1: how sure the tracer is that this is one hair.
    unit : int
        1-based number of the follicular unit it belongs to; 0 before units are formed.
    source : str
        ``automatic`` or the name of the reviewer who drew it.
    flags : tuple of str
        ``diameter-unresolved``, ``cut-by-edge``, ...
    """

    number: int
    path_px: np.ndarray
    length_um: float
    diameter_um: float
    diameter_sd_um: float
    confidence: float
    unit: int = 0
    source: str = "automatic"
    flags: tuple[str, ...] = ()

    @property
    def root_px(self) -> np.ndarray:
        """Where it leaves the skin, (row, col)."""
        return np.asarray(self.path_px[0])

    @property
    def tip_px(self) -> np.ndarray:
        """Its free end, (row, col)."""
        return np.asarray(self.path_px[-1])


@dataclass(frozen=True, eq=False)
class HairMeasurement:
    """All hairs whose root lies in one region of one image.

    Parameters
    ----------
    hairs : tuple of Hair
        Numbered from 1.
    area_cm2 : float
        Area of the region, less what is masked.
    um_per_px : float
        Scale.
    scale_source : str
        ``given``, ``ruler``, ``metadata``.
    image_shape : tuple of int
        (H, W).
    region : Region or None
        None for the whole image.
    blur_sigma_px : float
        Standard deviation of the image's own blur; NaN where it could not be estimated.
    gamma : float
        Transfer curve under which diameters were measured: light is the grey value to this power. NaN without hairs.
    gamma_source : str
        ``given`` or ``estimated``.
    diameter_common_sd : float
        Standard uncertainty over the diameter that all hairs of the image share; it is part of each `diameter_sd_um`,
        and no number of hairs averages it out.
    flags : tuple of Flag
        What a reader must know; one of severity ``refused`` means that the field could not be counted.
    """

    hairs: tuple[Hair, ...]
    area_cm2: float
    um_per_px: float
    image_shape: tuple[int, int]
    region: Region | None = None
    scale_source: str = "given"
    blur_sigma_px: float = math.nan
    gamma: float = math.nan
    gamma_source: str = "estimated"
    diameter_common_sd: float = 0.0
    flags: tuple[Flag, ...] = field(default_factory=tuple)

    @property
    def refused(self) -> bool:
        """Whether the field could not be counted; every number is then NaN."""
        return any(flag.severity == "refused" for flag in self.flags)

    @property
    def n_hairs(self) -> int:
        """Number of hairs whose root lies in the region."""
        return len(self.hairs)

    @property
    def density_per_cm2(self) -> float:
        """Hairs per cm2; NaN when refused."""
        return math.nan if self.refused else self.n_hairs / self.area_cm2
