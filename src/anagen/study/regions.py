"""The part of a photograph in which hairs are counted, as a person types it into images.csv."""

from __future__ import annotations

import math

import numpy as np

from anagen.errors import InputError
from anagen.hair.region import Region

FORMS = "circle:row,col,radius or rectangle:row,col,row,col or polygon:row,col,row,col,row,col"


def parse_region(text: str) -> Region:
    """Read the region that a cell describes, in pixels, row before column, counted from 0 at the top left.

    Parameters
    ----------
    text : str
        ``circle:row,col,radius``; ``rectangle:row,col,row,col`` (or ``rect``; upper left and lower right corner);
        ``polygon:`` and three or more ``row,col``. Spaces or semicolons may stand for the commas.

    Returns
    -------
    Region

    Raises
    ------
    InputError
        With the form expected.

    Examples
    --------
    >>> parse_region("circle:512,640,300").points
    ((512.0, 640.0), (300.0, 300.0))
    """
    kind, colon, rest = text.strip().partition(":")
    words = rest.replace(",", " ").replace(";", " ").split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if not colon or not numbers or not all(math.isfinite(number) for number in numbers):
        raise InputError(f"a region has a shape and numbers of pixels: write {FORMS}")
    kind = kind.strip().casefold()
    if kind == "circle" and len(numbers) == 3:
        return Region.circle(*numbers)
    if kind in {"rectangle", "rect"} and len(numbers) == 4:
        return Region.rectangle(*numbers)
    if kind == "polygon" and len(numbers) >= 6 and len(numbers) % 2 == 0:
        return Region.polygon(np.reshape(numbers, (-1, 2)))
    raise InputError(f"no region is called {kind!r} with {len(numbers)} numbers of pixels: write {FORMS}")


def join_region_and_mask(region: Region | None, mask: np.ndarray) -> Region:
    """Where both the region (None: everywhere) and the mask allow counting.

    Parameters
    ----------
    region : Region or None
        From `parse_region`.
    mask : ndarray of bool, shape (H, W)
        True where hairs count; of the image's own shape.

    Returns
    -------
    Region
        Of kind ``mask``.
    """
    allowed = np.asarray(mask, dtype=bool)
    if allowed.ndim != 2:
        raise InputError(f"a mask has the shape (H, W), got {allowed.shape}: save it as a grey image")
    if region is not None:
        allowed = allowed & region.to_mask((allowed.shape[0], allowed.shape[1]))
    return Region.mask(allowed)
