"""The pixels beside a hair's centre line, as cross profiles averaged over short segments.

Raw pixels are used, never interpolated ones: interpolation blurs by an amount that depends on where the hair falls
on the grid. A square pixel seen along any direction has the variance 1/12 px2, so its integration is part of the
blur that the profile fit estimates. The pixels of all hairs are gathered once; every pass bins them anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from anagen.errors import InputError

BIN_PX, BIN_UM = 0.5, 2.5
"""Width of a bin across the hair, whichever is more. The mean distance of its pixels is kept, so that what the bin adds
to the blur is at most a twelfth of its square (a tenth of the variance that the sharpest lens adds), and that is
estimated with it."""

NEIGHBOUR_ERROR = 0.08
"""How far the depth of a neighbour that is taken off may be wrong, as a part of it: weighs such pixels down."""

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
        How many there are; one from which a neighbour was taken off counts less than 1.
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


@dataclass(frozen=True, slots=True, eq=False)
class HairPixels:
    """The pixels on both sides of every hair of one image, an entry for each pixel and hair.

    Parameters
    ----------
    start : ndarray of int64, shape (n_hairs + 1,)
        Entries of hair k are ``start[k]`` to ``start[k + 1]``.
    step : ndarray of int32, shape (n,)
        On the normal of which step of the lines, counted through all hairs, the pixel lies.
    across_px : ndarray of float32, shape (n,)
        Signed distance from the line.
    value : ndarray of float32, shape (n,)
        Grey value, 0 to 1; NaN where the pixel is clipped.
    other : ndarray of int32, shape (n,)
        Entry of the same pixel for the nearest other hair within reach; -1 where there is none.
    """

    start: np.ndarray
    step: np.ndarray
    across_px: np.ndarray
    value: np.ndarray
    other: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class KnownHairs:
    """What an earlier pass knows of every hair, to take it off its neighbours' flanks.

    Parameters
    ----------
    offset_px, depth : ndarray of float32, shape (n_steps,)
        Shift of the line and depth of the hair in light, at each step of all lines; NaN where the depth is unknown.
    width_px : ndarray, shape (n_hairs,)
        Widths.
    sigma_px : ndarray, shape (n_hairs,)
        Blurs.
    table : ndarray, shape (n_hairs, n)
        Blurred profile at distance 0 to `reach_px`, 1 deep before blur.
    reach_px : float
        Where the tables end.
    hair_of_step : ndarray of int32, shape (n_steps,)
        Which hair a step belongs to.
    gamma : float
        Light is the grey value to this power.
    noise : float
        Standard deviation of a pixel, in grey values.
    """

    offset_px: np.ndarray
    depth: np.ndarray
    width_px: np.ndarray
    sigma_px: np.ndarray
    table: np.ndarray
    reach_px: float
    hair_of_step: np.ndarray
    gamma: float
    noise: float


def gather_pixels(
    image: np.ndarray, weights: np.ndarray, points: np.ndarray, first_step: np.ndarray, reach_px: float
) -> HairPixels:
    """Find the pixels within reach of every line, on the normals of its steps.

    Parameters
    ----------
    image : ndarray, uint8 or float32, shape (H, W, C)
        Channels.
    weights : ndarray, shape (C,)
        What each adds to the grey value, so that white is 1.
    points : ndarray, shape (n, 2)
        All lines one after another, in steps of at most about 1 px.
    first_step : ndarray of int64, shape (n_hairs + 1,)
        Where each line begins: line k has the steps ``first_step[k]`` to ``first_step[k + 1]`` and one point more, so
        its points begin at ``first_step[k] + k``.
    reach_px : float
        How far to either side.

    Returns
    -------
    HairPixels
    """
    clipped = 254.0 if image.dtype == np.uint8 else 254 / 255
    nothing_i, nothing_f = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32)
    start = np.zeros(len(first_step), dtype=np.int64)
    _gather(image, weights, points, first_step, reach_px, clipped, start, nothing_i, nothing_i, nothing_f, nothing_f)
    n = int(start[-1])
    pixel, step = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    across, value = np.empty(n, dtype=np.float32), np.empty(n, dtype=np.float32)
    _gather(image, weights, points, first_step, reach_px, clipped, start, pixel, step, across, value)
    nearest = np.full(image.shape[0] * image.shape[1], -1, dtype=np.int32)
    second = nearest.copy()
    other = np.empty(n, dtype=np.int32)
    _meet(start, pixel, across, nearest, second, other)
    return HairPixels(start, step, across, value, other)


@numba.njit(cache=True)
def _gather(image, weights, points, first_step, reach, clipped, start, pixel, step, across, value):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Walk along the normal of each step; with empty arrays only count."""
    height, width, n_channels = image.shape
    fill = len(pixel) > 0
    at = 0
    for hair in range(len(first_step) - 1):
        start[hair] = at
        for k in range(first_step[hair], first_step[hair + 1]):
            row, col = points[k + hair, 0], points[k + hair, 1]
            d_row, d_col = points[k + hair + 1, 0] - row, points[k + hair + 1, 1] - col
            length = np.sqrt(d_row * d_row + d_col * d_col)
            if length < 1e-9:
                continue
            t_row, t_col = d_row / length, d_col / length
            row, col = row + 0.5 * d_row, col + 0.5 * d_col
            # the axis along which the normal runs most
            upright = abs(t_col) > abs(t_row)
            t_main, t_side = (t_row, t_col) if upright else (t_col, t_row)
            main, side = (row, col) if upright else (col, row)
            n_main, n_side = (height, width) if upright else (width, height)
            extent = reach * abs(t_side) + 0.5 * length * abs(t_main)
            half = 0.5 * length / abs(t_side)
            for i in range(max(int(np.ceil(main - extent)), 0), min(int(np.floor(main + extent)), n_main - 1) + 1):
                middle = side - (i - main) * t_main / t_side
                for j in range(max(int(np.ceil(middle - half)), 0), min(int(np.ceil(middle + half)), n_side)):
                    r, c = (i, j) if upright else (j, i)
                    distance = (c - col) * t_row - (r - row) * t_col
                    if abs(distance) > reach:
                        continue
                    if fill:
                        pixel[at], step[at], across[at] = r * width + c, k, distance
                        grey, bright = 0.0, True
                        for channel in range(n_channels):
                            grey += weights[channel] * image[r, c, channel]
                            bright = bright and image[r, c, channel] >= clipped
                        value[at] = np.nan if bright else grey
                    at += 1
    start[len(first_step) - 1] = at


@numba.njit(cache=True)
def _meet(start, pixel, across, nearest, second, other):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """For each entry find the nearest other hair's entry of the same pixel."""
    n_hairs = len(start) - 1
    hair_of = np.empty(len(pixel), dtype=np.int32)
    for hair in range(n_hairs):
        for e in range(start[hair], start[hair + 1]):
            hair_of[e] = hair
            p, d = pixel[e], abs(across[e])
            one, two = nearest[p], second[p]
            if one < 0:
                nearest[p] = e
            elif hair_of[one] == hair:
                if d < abs(across[one]):
                    nearest[p] = e
            elif d < abs(across[one]):
                nearest[p], second[p] = e, one
            elif two < 0 or d < abs(across[two]):
                second[p] = e
    for e in range(len(pixel)):
        one = nearest[pixel[e]]
        other[e] = one if hair_of[one] != hair_of[e] else second[pixel[e]]


def measure_gaps(
    pixels: HairPixels, hair_of_step: np.ndarray, steps: np.ndarray, n_segments: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How far from each segment's centre line the nearest other line runs.

    Parameters
    ----------
    pixels : HairPixels
        Of the image.
    hair_of_step : ndarray of int32, shape (n_steps,)
        Which hair a step belongs to.
    steps : ndarray, shape (n_hairs, 2)
        First and last step of the part to measure.
    n_segments : ndarray, shape (n_hairs,)
        It is cut into so many equal segments.

    Returns
    -------
    apart_px : ndarray, shape (n_hairs, n_segments.max())
        Mean over the segment; infinite where no line is within reach.
    whose : ndarray of int64, same shape
        Index of that other hair, -1 where there is none.
    """
    apart = np.full((len(steps), int(n_segments.max())), np.inf)
    whose = np.full(apart.shape, -1, dtype=np.int64)
    _gaps(apart, whose, pixels.start, pixels.step, pixels.across_px, pixels.other, hair_of_step, steps, n_segments)
    return apart, whose


@numba.njit(cache=True)
def _gaps(apart, whose, start, step, across, other, hair_of_step, steps, n_segments):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    for hair in range(len(steps)):
        low, high = steps[hair, 0], steps[hair, 1]
        total, count = np.zeros(n_segments[hair]), np.zeros(n_segments[hair])
        core = np.zeros(n_segments[hair])
        for e in range(start[hair], start[hair + 1]):
            k = step[e]
            if k < low or k >= high or abs(across[e]) > 0.75:
                continue
            s = (k - low) * n_segments[hair] // (high - low)
            core[s] += 1.0
            o = other[e]
            if o >= 0:
                total[s] += abs(across[o])
                count[s] += 1.0
                whose[hair, s] = hair_of_step[step[o]]
        for s in range(n_segments[hair]):
            if count[s] > 0.5 * core[s]:
                apart[hair, s] = total[s] / count[s]
            else:
                whose[hair, s] = -1


def bin_pixels(
    pixels: HairPixels,
    known: KnownHairs,
    index: int,
    *,
    steps: tuple[int, int],
    n_segments: int,
    half_width_px: float,
    bin_px: float,
    hide_px: float | None = None,
) -> Strip:
    """Average one hair's pixels over segments and narrow bins, its neighbours taken off or left out.

    Parameters
    ----------
    pixels : HairPixels
        Of the image.
    known : KnownHairs
        What is known of every hair.
    index : int
        Which hair.
    steps : tuple of int
        First and last (exclusive) step of the part to measure.
    n_segments : int
        It is cut into so many equal segments.
    half_width_px : float
        How far to either side.
    bin_px : float
        Width of a bin.
    hide_px : float, optional
        If given, pixels nearer than this to a neighbour's edge are left out, and nothing is taken off.

    Returns
    -------
    Strip

    Notes
    -----
    The depths of hairs that lie beside each other add; where they overlap they do not, and the pixels about the overlap
    are left out.
    """
    n_bins = int(np.ceil(2 * half_width_px / bin_px))
    sums = np.zeros((n_segments, n_bins, 3))
    _bin(
        sums,
        (pixels.step, pixels.across_px, pixels.value, pixels.other),
        (known.offset_px, known.depth, known.hair_of_step),
        (known.width_px, known.sigma_px, known.table, float(known.reach_px)),
        index,
        (
            int(pixels.start[index]),
            int(pixels.start[index + 1]),
            steps[0],
            steps[1],
            float(half_width_px),
            float(bin_px),
        ),
        float(known.gamma),
        float(known.noise),
        -1.0 if hide_px is None else float(hide_px),
    )
    weight = sums[:, :, 0]
    segment, bins = np.nonzero(weight > 0.01)
    n_pixels = weight[segment, bins]
    return Strip(
        segment=segment,
        distance_px=sums[segment, bins, 1] / n_pixels,
        value=sums[segment, bins, 2] / n_pixels,
        n_pixels=n_pixels,
        n_segments=n_segments,
    )


@numba.njit(cache=True, error_model="numpy")
def _bin(sums, pixels, of_steps, of_hairs, index, where, gamma, noise, hide):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    step, across, value, other = pixels
    offset, depth, hair_of_step = of_steps
    width, sigma, table, reach = of_hairs
    first, last, step_0, step_1, half_width, bin_px = where
    n_segments, n_bins = sums.shape[0], sums.shape[1]
    n_steps = step_1 - step_0
    per_px = (table.shape[1] - 1) / reach
    for e in range(first, last):
        k = step[e]
        if k < step_0 or k >= step_1 or np.isnan(value[e]):
            continue
        t = across[e] - offset[k]
        at = int(np.floor((t + half_width) / bin_px))
        if at < 0 or at >= n_bins:
            continue
        grey, weight = value[e], 1.0
        o = other[e]
        if o >= 0:
            j = hair_of_step[step[o]]
            beside = abs(across[o] - offset[step[o]])
            if hide >= 0.0:
                if beside < abs(t) or beside < 0.5 * width[j] + hide:
                    continue
            elif beside < 0.5 * width[j] + 4.0 * sigma[j]:
                if np.isnan(depth[step[o]]):
                    continue
                # hairs overlap here: their depths do not add
                gap = abs(t) + beside - 0.5 * (width[j] + width[index])
                if gap < 0.2 * sigma[j] and abs(t) < 0.5 * width[index] + 2.0 * sigma[j]:
                    continue
                place = beside * per_px
                low = int(place)
                if low < table.shape[1] - 1:
                    share = table[j, low] + (place - low) * (table[j, low + 1] - table[j, low])
                    take = depth[step[o]] * share
                    if gamma == 1.0:
                        grey -= take
                    else:
                        grey = max(grey**gamma - take, 1e-4) ** (1.0 / gamma)
                    weight = 1.0 / (1.0 + (NEIGHBOUR_ERROR * take / noise) ** 2)
        segment = (k - step_0) * n_segments // n_steps
        sums[segment, at, 0] += weight
        sums[segment, at, 1] += weight * t
        sums[segment, at, 2] += weight * grey
