"""The picture of one photograph with its counted hairs drawn on it, for the report."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from anagen.errors import AnagenError
from anagen.report.content import ExampleImage
from anagen.report.overlay import draw_hairs
from anagen.study.folder import Study
from anagen.workflows.collect import MeasuredImage
from anagen.workflows.ports import ReadImage

PAGE_WIDTH_PX = 720
"""Twice the width at which the page shows it, for sharp screens."""


def draw_example(
    study: Study,
    measured: MeasuredImage,
    *,
    read_image: ReadImage,
    encode_jpeg: Callable[[np.ndarray], tuple[str, bytes]],
) -> ExampleImage | None:
    """Draw the hairs of one photograph on it; None where there is nothing to draw.

    Parameters
    ----------
    study : Study
        Whose folder holds the file.
    measured : MeasuredImage
        The photograph and its measurement.
    read_image, encode_jpeg : callable
        From `anagen.formats.images`.
    """
    hairs = measured.hairs
    if hairs is None:
        return None
    try:
        pixels = read_image(study.folder / measured.image.file).pixels
    except AnagenError:
        return None  # it could be read when it was measured; a report does not fail for a picture
    if hairs.refused:
        found = "not counted: " + "; ".join(flag.message for flag in hairs.flags if flag.severity == "refused")
    else:
        found = f"{hairs.n_hairs} hairs in {hairs.area_cm2:.3f} cm², {hairs.density_per_cm2:.1f} hairs/cm²"
    who = f"{measured.image.participant}, {measured.image.visit}"
    return ExampleImage(
        f"{who}: {found}",
        f"Scalp photograph of {who} with the traced hairs; {found}.",
        *encode_jpeg(draw_hairs(pixels, hairs, width_px=PAGE_WIDTH_PX, line_px=2, numbers=False)),
    )
