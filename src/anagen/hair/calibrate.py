"""Micrometres per pixel: from a photographed ruler or stage micrometer, or from what the file says of itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.ndimage import gaussian_filter

from anagen.errors import InputError, NotEnoughDataError
from anagen.units import UM_PER_CM

MIN_TICKS = 6
MIN_PERIOD_PX = 4.0
MIN_PEAK_RATIO = 8.0
"""How far the ticks' peak must stand above the median of the spectrum around it; noise and hair reach 4 to 6."""

UM_PER_INCH = 25400.0
SCREEN_DPI = (72.0, 96.0)
"""What programs write when they know nothing: no scale (JFIF 1.02 and EXIF 2.3 name 72 dpi as the default)."""

PLAUSIBLE_UM_PER_PX = (0.1, 60.0)


@dataclass(frozen=True, slots=True)
class ScaleCalibration:
    """A scale and where it came from.

    Parameters
    ----------
    um_per_px : float
        Micrometres that one pixel spans.
    um_per_px_sd : float
        Standard uncertainty of reading the image or file; not that of the ruler itself. NaN from metadata.
    source : {"ruler", "metadata"}
        As a measurement records it.
    period_px : float
        Distance between ticks; NaN from metadata.
    angle_deg : float
        Direction along which the ticks repeat, from the row axis, -90 to 90; NaN from metadata.
    n_ticks : int
        Ticks across the ruler's extent; 0 from metadata.
    detail : str
        What was read, for the record.
    """

    um_per_px: float
    um_per_px_sd: float
    source: Literal["ruler", "metadata"]
    period_px: float = math.nan
    angle_deg: float = math.nan
    n_ticks: int = 0
    detail: str = ""


def calibrate_from_ruler(image: np.ndarray, *, tick_um: float) -> ScaleCalibration:
    """Read the scale from an image of a ruler or stage micrometer.

    The windowed power spectrum of the image peaks at the ticks' frequency and its harmonics. The peak is found to
    the nearest bin on the harmonic sum, then refined by maximising the Fourier transform off the grid; the phase of
    the ticks in strips along the ruler gives the period once more by a straight line, and its residual the
    uncertainty.

    Parameters
    ----------
    image : ndarray, shape (H, W) or (H, W, 3)
        The ruler fills a good part of it, at any angle.
    tick_um : float
        Distance between two neighbouring ticks, the shortest ones drawn: 1000 for millimetres, 10 or 100 for
        a stage micrometer.

    Returns
    -------
    ScaleCalibration

    Raises
    ------
    InputError
        For a distance that is not above 0 or an image of another shape.
    NotEnoughDataError
        Where no evenly spaced ticks stand out, or fewer than six of them.
    """
    if not (tick_um > 0 and math.isfinite(tick_um)):
        raise InputError(f"tick_um must be above 0, got {tick_um}: give the micrometres between neighbouring ticks")
    grey = _flatten(image)
    frequency = _refine(grey, _find_frequency(grey))
    period, sd, n_ticks = _fit_phase(grey, frequency)
    if n_ticks < MIN_TICKS:
        raise NotEnoughDataError(
            f"only {n_ticks} ticks in the image, at least {MIN_TICKS} are needed: show more of the ruler"
        )
    angle = math.degrees(math.atan2(frequency[1], frequency[0]))
    return ScaleCalibration(
        um_per_px=tick_um / period,
        um_per_px_sd=tick_um / period**2 * sd,
        source="ruler",
        period_px=period,
        angle_deg=(angle + 90) % 180 - 90,
        n_ticks=n_ticks,
        detail=f"{n_ticks} ticks of {tick_um:g} um, {period:.3f} px apart",
    )


def calibrate_from_metadata(tags: Mapping[str, Any]) -> ScaleCalibration:
    """Read the scale from the resolution that a file states.

    Parameters
    ----------
    tags : mapping
        ``XResolution``, ``YResolution`` (numbers or (numerator, denominator)) and ``ResolutionUnit`` (2 inch, 3 cm),
        as in TIFF 6.0 and EXIF 2.3; or ``PhysicalSizeX``, ``PhysicalSizeY`` in um, as in OME-TIFF.

    Returns
    -------
    ScaleCalibration

    Raises
    ------
    NotEnoughDataError
        Where there is no resolution, no unit, a screen default (72 or 96 dpi), pixels that are not square, or a scale
        no scalp photograph has.

    Examples
    --------
    >>> calibrate_from_metadata({"XResolution": 2000, "YResolution": 2000, "ResolutionUnit": 3}).um_per_px
    5.0
    """
    way_out = "photograph a ruler at the same magnification, or give um_per_px"
    if "PhysicalSizeX" in tags:
        x, y = _number(tags["PhysicalSizeX"]), _number(tags.get("PhysicalSizeY", tags["PhysicalSizeX"]))
        detail = f"PhysicalSizeX {x:g} um"
    else:
        if "XResolution" not in tags or tags.get("ResolutionUnit") not in (2, 3):
            raise NotEnoughDataError(f"the file states no resolution with a unit of length: {way_out}")
        unit_um = UM_PER_INCH if tags["ResolutionUnit"] == 2 else UM_PER_CM
        x_resolution = _number(tags["XResolution"])
        y_resolution = _number(tags.get("YResolution", tags["XResolution"]))
        if not (x_resolution > 0 and y_resolution > 0):
            raise NotEnoughDataError(f"the file states a resolution of {x_resolution:g}: {way_out}")
        if any(abs(x_resolution * UM_PER_INCH / unit_um - dpi) < 0.5 for dpi in SCREEN_DPI):
            raise NotEnoughDataError(f"the file states a screen's default, {x_resolution:g} px, not a scale: {way_out}")
        x, y = unit_um / x_resolution, unit_um / y_resolution
        detail = f"XResolution {x_resolution:g} per {'inch' if tags['ResolutionUnit'] == 2 else 'cm'}"
    if not (x > 0 and abs(x - y) <= 0.01 * x):
        raise NotEnoughDataError(f"pixels must be square, got {x:g} by {y:g} um: {way_out}")
    low, high = PLAUSIBLE_UM_PER_PX
    if not low <= x <= high:
        raise NotEnoughDataError(f"{x:g} um per px is not a scalp photograph's scale ({low:g} to {high:g}): {way_out}")
    return ScaleCalibration(x, math.nan, "metadata", detail=detail)


def _number(value: Any) -> float:
    """Turn a tag into a number; a fraction comes as a pair."""
    if isinstance(value, tuple | list) and len(value) == 2:
        return float(value[0]) / float(value[1]) if value[1] else math.nan
    return float(value)


def _flatten(image: np.ndarray) -> np.ndarray:
    """Grey values less their slow part, and their contrast evened out."""
    pixels = np.asarray(image, dtype=float)
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        pixels = pixels.mean(axis=2)
    if pixels.ndim != 2 or min(pixels.shape) < 32 or not np.isfinite(pixels).all():
        raise InputError(
            f"image must be of shape (H, W) or (H, W, 3) with at least 32 px a side, got {np.shape(image)}"
        )
    broad = max(min(pixels.shape) / 8, 8.0)
    flat = pixels - gaussian_filter(pixels, broad)
    return np.asarray(flat - flat.mean())


def _find_frequency(grey: np.ndarray) -> np.ndarray:
    """Cycles per px (row, column) of the ticks: the lowest strong peak of the harmonic product."""
    height, width = grey.shape
    window = np.hanning(height)[:, None] * np.hanning(width)[None, :]
    n_row, n_col = (2 ** math.ceil(math.log2(n)) for n in grey.shape)
    power = np.abs(np.fft.rfft2(grey * window, (n_row, n_col))) ** 2
    f_row, f_col = np.fft.fftfreq(n_row)[:, None], np.fft.rfftfreq(n_col)[None, :]
    radius = np.hypot(f_row, f_col)
    lowest = 3.0 / max(grey.shape)
    allowed = (radius > lowest) & (radius < 1 / MIN_PERIOD_PX)
    # Amplitude times radius: the spectrum of skin and shading falls as 1 / radius.
    strength = np.sqrt(power) * radius * allowed
    if not strength.any():
        raise NotEnoughDataError("the image holds no structure: photograph a ruler in focus")
    row, col = np.unravel_index(int(np.argmax(strength)), strength.shape)
    best = strength[row, col]
    typical = float(np.median(strength[allowed]))
    if best < MIN_PEAK_RATIO * typical:
        raise NotEnoughDataError(
            f"no evenly spaced ticks stand out (peak {best / typical:.1f} times the median, {MIN_PEAK_RATIO:g} needed):"
            " photograph the ruler in focus, filling the frame"
        )
    peak = np.array([float(f_row[row, 0]), float(f_col[0, col])])
    return _lowest_harmonic(strength, peak, n_row, n_col, typical)


def _lowest_harmonic(strength: np.ndarray, peak: np.ndarray, n_row: int, n_col: int, typical: float) -> np.ndarray:
    """Divide the peak by 2 or 3 where the fraction is a peak of its own: thin ticks have strong harmonics."""
    for divisor in (3, 2):
        base = peak / divisor
        row, col = round(base[0] * n_row) % n_row, round(base[1] * n_col)
        near = np.take(strength[:, max(col - 2, 0) : col + 3], range(row - 2, row + 3), axis=0, mode="wrap")
        if near.max() > max(0.35 * strength.max() / divisor, 0.5 * MIN_PEAK_RATIO * typical):
            return np.asarray(base)
    return peak


def _refine(grey: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Maximise the windowed transform at the base and its harmonics on ever finer grids around the start."""
    height, width = grey.shape
    windowed = grey * np.hanning(height)[:, None] * np.hanning(width)[None, :]
    rows, cols = np.arange(height), np.arange(width)
    n_harmonics = max(1, min(3, int(0.45 / float(np.hypot(*start)))))
    best, step = start, 1.0 / max(grey.shape)
    for _ in range(14):
        offsets = step * np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
        total = np.zeros((5, 5))
        for k in range(1, n_harmonics + 1):
            left = np.exp(-2j * np.pi * k * np.outer(best[0] + offsets, rows))
            right = np.exp(-2j * np.pi * k * np.outer(cols, best[1] + offsets))
            total += np.abs(left @ windowed @ right) ** 2
        a, b = np.unravel_index(int(np.argmax(total)), total.shape)
        best = best + np.array([offsets[a], offsets[b]])
        step *= 0.5
    return np.asarray(best)


def _fit_phase(grey: np.ndarray, frequency: np.ndarray) -> tuple[float, float, int]:
    """Period in px, its standard uncertainty, ticks: a line through the phase of the ticks in strips along them."""
    f = float(np.hypot(*frequency))
    rows, cols = np.mgrid[: grey.shape[0], : grey.shape[1]]
    along = (rows * frequency[0] + cols * frequency[1]) / f
    carrier = grey * np.exp(-2j * np.pi * f * along)
    n_strips = max(6, int(np.ptp(along) * f / 3))
    strip = np.minimum(((along - along.min()) / (np.ptp(along) + 1e-9) * n_strips).astype(int), n_strips - 1)
    count = np.bincount(strip.ravel(), minlength=n_strips)
    signal = np.bincount(strip.ravel(), carrier.real.ravel(), n_strips) + 1j * np.bincount(
        strip.ravel(), carrier.imag.ravel(), n_strips
    )
    place = np.bincount(strip.ravel(), along.ravel(), n_strips) / np.maximum(count, 1)
    strong = np.abs(signal) > 0.25 * np.abs(signal).max()
    if strong.sum() < 3:
        raise NotEnoughDataError("the ticks do not run through the image: show more of the ruler")
    phase = np.unwrap(np.angle(signal[strong]))
    x = place[strong]
    slope, level = np.polyfit(x, phase, 1)
    scatter = float(np.sqrt(((phase - slope * x - level) ** 2).sum() / (len(x) - 2)))
    slope_sd = scatter / float(np.sqrt(((x - x.mean()) ** 2).sum()))
    exact = f + slope / (2 * math.pi)
    return 1 / exact, slope_sd / (2 * math.pi) / exact**2, round(float(np.ptp(x)) * exact)
