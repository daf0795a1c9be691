"""The pixels beside a hair's centre line, as cross profiles averaged over short segments.

Raw pixels are used, never interpolated ones: interpolation blurs by an amount that depends on where the hair falls
on the grid. A square pixel seen along any direction has the variance 1/12 px2, so its integration is part of the
blur that the profile fit estimates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from anagen.errors import InputError

BIN_PX = 0.5
"""Width of a bin across the hair. The mean distance of its pixels is kept, so that what the bin adds to the blur is
at most 0.5^2 / 12 = 0.02 px2, and that is estimated with it."""

FREE, SHARED = -1, -2


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Binned cross profiles of one hair.

    Parameters
    ----------
    segment : ndarray of int, shape (n,)
        Which segment along the hair each bin belongs to, 0-based, non-decreasing.
    distance_px : ndarray, shape (n,)
        Mean signed distance of the bin's pixels from the centre line.
    value : ndarray, shape (n,)
        Their mean grey value.
    n_pixels : ndarray, shape (n,)
        How many there are.
    n_segments : int
        Number of segments along the hair.
    """

    segment: np.ndarray
    distance_px: np.ndarray
    value: np.ndarray
    n_pixels: np.ndarray
    n_segments: int


def resample_path(path_px: np.ndarray, *, step_px: float = 1.0, smooth_px: float = 2.0) -> np.ndarray:
    """Centre line at equal steps of arc length, smoothed by a Gaussian along the line.

    Parameters
    ----------
    path_px : ndarray, shape (n >= 2, 2)
        (row, col), root first.
    step_px : float
        Distance between points.
    smooth_px : float
        Standard deviation of the smoothing along the line, in px; the ends stay where they are.

    Returns
    -------
    ndarray, shape (m, 2)

    Examples
    --------
    >>> resample_path(np.array([[0.0, 0.0], [0.0, 4.0]]))[:, 1]
    array([0., 1., 2., 3., 4.])
    """
    path = np.asarray(path_px, dtype=float)
    if path.ndim != 2 or path.shape[1] != 2 or len(path) < 2 or not np.isfinite(path).all():
        raise InputError(f"a path needs finite points of shape (n >= 2, 2), got {path.shape}: give (row, col) pairs")
    at = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    n_steps = max(round(at[-1] / step_px), 1)
    even = np.linspace(0.0, at[-1], n_steps + 1)
    line = np.stack([np.interp(even, at, path[:, axis]) for axis in (0, 1)], axis=1)
    return _smooth(line, smooth_px / step_px) if smooth_px > 0 else line


def _smooth(line: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian along the line; point reflection at the ends keeps them and their direction."""
    reach = min(int(np.ceil(3 * sigma)), len(line) - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    before = 2 * line[0] - line[reach:0:-1]
    after = 2 * line[-1] - line[-2 : -reach - 2 : -1]
    padded = np.concatenate([before, line, after])
    return np.stack([np.convolve(padded[:, axis], kernel / kernel.sum(), "valid") for axis in (0, 1)], axis=1)


def paint_owners(shape: tuple[int, int], lines: list[np.ndarray], radius_px: np.ndarray) -> np.ndarray:
    """Say which hair's tube covers each pixel.

    Parameters
    ----------
    shape : tuple of int
        (H, W).
    lines : list of ndarray, shape (m, 2)
        Centre lines in steps of at most about 1 px.
    radius_px : ndarray, shape (len(lines),)
        Half-width of each tube.

    Returns
    -------
    ndarray of int32, shape (H, W)
        The hair's index; -1 where there is none, -2 where there are several.
    """
    owner = np.full(shape, FREE, dtype=np.int32)
    for index, (line, radius) in enumerate(zip(lines, radius_px, strict=True)):
        _paint(owner, line, float(radius), index)
    return owner


@numba.njit(cache=True)
def _paint(owner, line, radius, index):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    height, width = owner.shape
    for k in range(len(line)):
        row, col = line[k, 0], line[k, 1]
        for r in range(max(int(np.ceil(row - radius)), 0), min(int(row + radius), height - 1) + 1):
            reach2 = radius * radius - (r - row) ** 2
            if reach2 < 0.0:
                continue
            reach = np.sqrt(reach2)
            for c in range(max(int(np.ceil(col - reach)), 0), min(int(col + reach), width - 1) + 1):
                was = owner[r, c]
                if was == FREE:
                    owner[r, c] = index
                elif was != index:
                    owner[r, c] = SHARED


def collect_strip(
    grey: np.ndarray,
    owner: np.ndarray,
    line_px: np.ndarray,
    index: int,
    *,
    half_width_px: float,
    segment_px: float,
    offset_px: np.ndarray | None = None,
    saturated_above: float = 1.0,
) -> Strip:
    """Average the pixels beside a line over short segments and narrow bins.

    Parameters
    ----------
    grey : ndarray, shape (H, W)
        Grey values, 0 to 1.
    owner : ndarray of int, shape (H, W)
        From `paint_owners`; only pixels that are free or this hair's own are used.
    line_px : ndarray, shape (m, 2)
        Centre line of the part to measure.
    index : int
        This hair in `owner`.
    half_width_px : float
        How far to either side.
    segment_px : float
        Length of a segment; the line is cut into equal segments of about this length.
    offset_px : ndarray, shape (m - 1,), optional
        Shift of the centre line along its normal, one for each step, from an earlier fit.
    saturated_above : float
        Grey values from here on are left out.

    Returns
    -------
    Strip
    """
    n_steps = len(line_px) - 1
    n_segments = max(round(n_steps / max(segment_px, 1.0)), 1)
    offset = np.zeros(n_steps) if offset_px is None else np.asarray(offset_px, dtype=float)
    n_bins = int(np.ceil(2 * half_width_px / BIN_PX))
    sums = np.zeros((n_segments, n_bins, 3))
    _accumulate(sums, grey, owner, line_px, offset, index, half_width_px, saturated_above)
    count = sums[:, :, 0]
    segment, bins = np.nonzero(count)
    n_pixels = count[segment, bins]
    return Strip(
        segment=segment,
        distance_px=sums[segment, bins, 1] / n_pixels,
        value=sums[segment, bins, 2] / n_pixels,
        n_pixels=n_pixels,
        n_segments=n_segments,
    )


@numba.njit(cache=True)
def _accumulate(sums, grey, owner, line, offset, index, half_width, saturated):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Add each pixel to the bin of the step of the line on whose normal it lies."""
    height, width = grey.shape
    n_segments, n_bins = sums.shape[0], sums.shape[1]
    n_steps = len(line) - 1
    for k in range(n_steps):
        d_row, d_col = line[k + 1, 0] - line[k, 0], line[k + 1, 1] - line[k, 1]
        step = np.sqrt(d_row * d_row + d_col * d_col)
        if step < 1e-9:
            continue
        t_row, t_col = d_row / step, d_col / step
        mid_row, mid_col = 0.5 * (line[k, 0] + line[k + 1, 0]), 0.5 * (line[k, 1] + line[k + 1, 1])
        segment = k * n_segments // n_steps
        reach_row, reach_col = half_width * abs(t_col) + 1.0, half_width * abs(t_row) + 1.0
        for r in range(max(int(mid_row - reach_row), 0), min(int(mid_row + reach_row) + 1, height - 1) + 1):
            for c in range(max(int(mid_col - reach_col), 0), min(int(mid_col + reach_col) + 1, width - 1) + 1):
                along = (r - mid_row) * t_row + (c - mid_col) * t_col
                if along < -0.5 * step or along >= 0.5 * step:
                    continue
                across = (c - mid_col) * t_row - (r - mid_row) * t_col - offset[k]
                at = int(np.floor((across + half_width) / BIN_PX))
                if at < 0 or at >= n_bins or grey[r, c] >= saturated:
                    continue
                if owner[r, c] != FREE and owner[r, c] != index:
                    continue
                sums[segment, at, 0] += 1.0
                sums[segment, at, 1] += across
                sums[segment, at, 2] += grey[r, c]
