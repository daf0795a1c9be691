"""Find the scale of a photograph: from the ruler in it, or from what the file states."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

import numpy as np

from anagen.errors import NotEnoughDataError
from anagen.hair.calibrate import ScaleCalibration, calibrate_from_ruler


class PhotoWithScale(Protocol):
    """What a reader knows of a photograph."""

    @property
    def pixels(self) -> np.ndarray:
        """RGB or grey."""

    @property
    def um_per_px(self) -> float:
        """Scale that the file states, or NaN."""

    @property
    def scale_source(self) -> str:
        """Which tag said so."""


class ReadPhotoWithScale(Protocol):
    """Reads one photograph; NaN where it states no scale."""

    def __call__(self, path: Path, /) -> PhotoWithScale:
        """Read `path`."""


def calibrate_photo(file: Path, *, tick_um: float | None, read_image: ReadPhotoWithScale) -> ScaleCalibration:
    """Read the scale of `file`.

    Parameters
    ----------
    file : Path
        A photograph; of a ruler or stage micrometer when `tick_um` is given.
    tick_um : float or None
        Distance between neighbouring ticks; None to ask the file itself.
    read_image
        From `anagen.formats.images`.

    Returns
    -------
    ScaleCalibration

    Raises
    ------
    NotEnoughDataError
        When the ruler has too few ticks, or the file states no scale of the skin (a screen's default is none).
    """
    image = read_image(file)
    if tick_um is not None:
        return calibrate_from_ruler(image.pixels, tick_um=tick_um)
    if not math.isfinite(image.um_per_px):
        raise NotEnoughDataError(
            f"{file}: states no scale: photograph a ruler at the same magnification and give the distance of its ticks "
            "with --tick-um"
        )
    return ScaleCalibration(image.um_per_px, math.nan, "metadata", detail=image.scale_source)
