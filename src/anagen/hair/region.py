"""The part of an image in which hairs are counted: a hair belongs where its root lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from anagen.errors import InputError


@dataclass(frozen=True, slots=True)
class Region:
    """A circle, rectangle, polygon or mask in pixels; build it with the class methods.

    Parameters
    ----------
    kind : {"circle", "rectangle", "polygon", "mask"}
        Which shape `points` describes.
    points : tuple of tuple of float
        (row, col) pairs: centre and (radius, radius) for a circle; the two corners of a rectangle; the vertices of
        a polygon; for a mask the (row, col) run starts and (row, col) run ends, two tuples a run.
    """

    kind: Literal["circle", "rectangle", "polygon", "mask"]
    points: tuple[tuple[float, float], ...]

    @classmethod
    def circle(cls, row: float, col: float, radius_px: float) -> Region:
        """Disc of `radius_px` > 0 pixels around (`row`, `col`)."""
        if not radius_px > 0:
            raise InputError(f"radius_px must be above 0, got {radius_px}: give the radius in pixels")
        return cls("circle", ((float(row), float(col)), (float(radius_px), float(radius_px))))

    @classmethod
    def rectangle(cls, row_0: float, col_0: float, row_1: float, col_1: float) -> Region:
        """Half-open rectangle: rows `row_0` <= row < `row_1`, the same for columns."""
        if not (row_1 > row_0 and col_1 > col_0):
            raise InputError(
                f"a rectangle needs row_1 > row_0 and col_1 > col_0, got {(row_0, col_0, row_1, col_1)}: "
                "swap its corners"
            )
        return cls("rectangle", ((float(row_0), float(col_0)), (float(row_1), float(col_1))))

    @classmethod
    def polygon(cls, vertices: np.ndarray) -> Region:
        """Inside of a simple polygon; `vertices` has shape (n, 2), n >= 3, (row, col)."""
        corners = np.asarray(vertices, dtype=float)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
            raise InputError(f"a polygon needs vertices of shape (n >= 3, 2), got {corners.shape}")
        return cls("polygon", tuple((float(r), float(c)) for r, c in corners))

    @classmethod
    def mask(cls, mask: np.ndarray) -> Region:
        """Where a boolean array of the image's shape (H, W) is True, kept as runs along the rows."""
        inside = np.asarray(mask, dtype=bool)
        if inside.ndim != 2:
            raise InputError(f"a mask needs shape (H, W), got {inside.shape}")
        padded = np.zeros((inside.shape[0], inside.shape[1] + 2), dtype=np.int8)
        padded[:, 1:-1] = inside
        step = np.diff(padded, axis=1)
        starts, ends = np.argwhere(step == 1), np.argwhere(step == -1)
        runs = np.stack([starts, ends], axis=1).reshape(-1, 2)
        return cls("mask", tuple((float(r), float(c)) for r, c in runs))

    def to_mask(self, shape: tuple[int, int]) -> np.ndarray:
        """Boolean array of `shape` (H, W), True where the pixel's centre lies inside."""
        rows, cols = np.mgrid[: shape[0], : shape[1]]
        if self.kind == "mask":
            inside = np.zeros(shape, dtype=bool)
            for (row, start), (_, end) in zip(self.points[::2], self.points[1::2], strict=True):
                inside[int(row), int(start) : int(end)] = True
            return inside
        return self.contains(np.stack([rows, cols], axis=-1))

    def contains(self, points: np.ndarray) -> np.ndarray:
        """For `points` of shape (..., 2), (row, col): boolean array of shape (...)."""
        at = np.asarray(points, dtype=float)
        row, col = at[..., 0], at[..., 1]
        if self.kind == "circle":
            (row_0, col_0), (radius, _) = self.points
            return np.asarray((row - row_0) ** 2 + (col - col_0) ** 2 <= radius**2)
        if self.kind == "rectangle":
            (row_0, col_0), (row_1, col_1) = self.points
            return np.asarray((row >= row_0) & (row < row_1) & (col >= col_0) & (col < col_1))
        if self.kind == "mask":
            return self._contains_by_runs(row, col)
        inside = np.zeros(row.shape, dtype=bool)
        corners = np.asarray(self.points)
        for (r_0, c_0), (r_1, c_1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            crosses = (r_0 > row) != (r_1 > row)
            with np.errstate(divide="ignore", invalid="ignore"):
                at_col = c_0 + (row - r_0) * (c_1 - c_0) / (r_1 - r_0)
            inside ^= crosses & (col < at_col)
        return inside

    def _contains_by_runs(self, row: np.ndarray, col: np.ndarray) -> np.ndarray:
        pixel_row, pixel_col = np.floor(row + 0.5), np.floor(col + 0.5)
        inside = np.zeros(np.shape(row), dtype=bool)
        for (run_row, start), (_, end) in zip(self.points[::2], self.points[1::2], strict=True):
            inside |= (pixel_row == run_row) & (pixel_col >= start) & (pixel_col < end)
        return inside
