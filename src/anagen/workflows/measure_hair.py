"""Count and measure the hairs of single photographs, outside any study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anagen.errors import AnagenError
from anagen.hair import HairMeasurement, Region, measure_hairs
from anagen.report.overlay import draw_hairs
from anagen.workflows.ports import Progress, ReadImage


@dataclass(frozen=True, eq=False)
class PhotoResult:
    """One photograph and what became of it.

    Parameters
    ----------
    file : Path
        As given.
    hairs : HairMeasurement or None
        None when the file could not be measured.
    failure : str
        Why, in one line.
    overlay : Path or None
        Where the picture with the hairs was written.
    """

    file: Path
    hairs: HairMeasurement | None
    failure: str = ""
    overlay: Path | None = None


def measure_photos(
    files: Sequence[Path],
    *,
    um_per_px: float,
    gamma: float | None,
    region: Region | None,
    overlay_folder: Path | None,
    read_image: ReadImage,
    write_image: Callable[[Path, np.ndarray], None],
    progress: Progress,
) -> list[PhotoResult]:
    """Measure each photograph; one that fails does not stop the others.

    Parameters
    ----------
    files : sequence of Path
        Photographs.
    um_per_px : float
        Scale of all of them, above 0.
    gamma : float or None
        Transfer curve of all of them, as `measure_hairs` takes it.
    region : Region or None
        Where hairs count; None for everywhere.
    overlay_folder : Path or None
        Where to write the pictures with the hairs drawn; None for nowhere.
    read_image, write_image, progress
        From `anagen.formats.images` and the edge.
    """
    results = []
    progress.start("Measuring", len(files))
    try:
        for file in files:
            results.append(_measure_photo(file, um_per_px, gamma, region, overlay_folder, read_image, write_image))
            progress.step()
    finally:
        progress.finish()
    return results


def _measure_photo(
    file: Path,
    um_per_px: float,
    gamma: float | None,
    region: Region | None,
    overlay_folder: Path | None,
    read_image: ReadImage,
    write_image: Callable[[Path, np.ndarray], None],
) -> PhotoResult:
    try:
        pixels = read_image(file).pixels
        hairs = measure_hairs(pixels, um_per_px=um_per_px, gamma=gamma, region=region)
        if overlay_folder is None:
            return PhotoResult(file, hairs)
        overlay_folder.mkdir(parents=True, exist_ok=True)
        overlay = overlay_folder / f"{file.stem}-hairs.png"
        write_image(overlay, draw_hairs(pixels, hairs))
    except AnagenError as error:
        return PhotoResult(file, None, " ".join(str(error).split()))
    return PhotoResult(file, hairs, overlay=overlay)
