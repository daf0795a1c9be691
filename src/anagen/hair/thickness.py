"""Terminal and vellus hairs, and how much hair there is altogether, with the error of the diameters carried through."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from anagen.errors import InputError
from anagen.hair.measurement import HairMeasurement
from anagen.records import Estimate
from anagen.units import UM_PER_MM

TERMINAL_CUT_OFFS_UM = (30.0, 40.0)
"""Thicker than 40 um is terminal in TrichoScan; trials of the drugs count non-vellus hairs from 30 um on. Both are
reported."""

Z = 1.959963984540054

SHARED, _WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
SHARED_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
"""Gauss-Hermite points of a standard normal."""


def count_terminal(measurement: HairMeasurement, *, cut_off_um: float) -> Estimate:
    """Count the hairs thicker than `cut_off_um`, each by its probability.

    A hair of diameter d and standard uncertainty s counts Phi((d - c) / s); an unresolved one counts as the share
    among the others, held between 0 and 1 by the interval. The interval covers the diameters' errors, those that all
    hairs of an image share together, not which hairs the field holds.

    Parameters
    ----------
    measurement : HairMeasurement
        Hairs with diameters.
    cut_off_um : float
        Above 0; 30 and 40 are usual.

    Returns
    -------
    Estimate
        In hairs. NaN for a refused field, or one without a resolved hair.
    """
    if not cut_off_um > 0:
        raise InputError(f"cut_off_um must be above 0, got {cut_off_um}: 30 and 40 um are usual")
    method = f"probability-weighted, terminal above {cut_off_um:g} um"
    diameter, own_sd, n_unresolved = _diameters(measurement)
    n = len(diameter) + n_unresolved
    if measurement.refused or (n and len(diameter) == 0):
        return Estimate(math.nan, "hairs", math.nan, math.nan, n, method)
    # given what all share, hairs are independent: the variance is the mean of theirs and that of their means
    together = 1 + measurement.diameter_common_sd * SHARED[:, None]
    p = ndtr((diameter * together - cut_off_um) / np.maximum(own_sd, 1e-9))
    resolved = float(SHARED_WEIGHTS @ p.sum(axis=1))
    variance = float(SHARED_WEIGHTS @ ((p * (1 - p)).sum(axis=1) + (p.sum(axis=1) - resolved) ** 2))
    share = resolved / len(diameter) if len(diameter) else 0.0
    value = resolved + n_unresolved * share
    half = Z * math.sqrt(variance + n_unresolved * share * (1 - share))
    low = resolved - half if n_unresolved else value - half
    high = min(value + half + n_unresolved * (1 - share), float(n))
    return Estimate(value, "hairs", max(low, 0.0), high, n, method)


def terminal_density(measurement: HairMeasurement, *, cut_off_um: float) -> Estimate:
    """Terminal hairs per cm2."""
    return _per_cm2(count_terminal(measurement, cut_off_um=cut_off_um), measurement.area_cm2, 1.0)


def vellus_density(measurement: HairMeasurement, *, cut_off_um: float) -> Estimate:
    """Hairs of at most `cut_off_um` per cm2: all hairs less the terminal ones."""
    terminal = count_terminal(measurement, cut_off_um=cut_off_um)
    n = terminal.n
    vellus = Estimate(
        n - terminal.value, "hairs", n - terminal.ci_high, n - terminal.ci_low, n,
        terminal.method.replace("terminal above", "vellus up to"),
    )  # fmt: skip
    return _per_cm2(vellus, measurement.area_cm2, 1.0)


def cumulative_thickness(measurement: HairMeasurement) -> Estimate:
    """Sum of all diameters over the area, mm/cm2.

    Unresolved hairs are thin ones for the most part: they count half the smallest resolved decile, from nothing to
    all of it, evenly. Diameters share a systematic error of the scale, which is not in this interval; what they share
    by the image's transfer curve and the model is.

    Parameters
    ----------
    measurement : HairMeasurement
        Hairs with diameters.

    Returns
    -------
    Estimate
        mm/cm2; NaN for a refused field or one without a resolved hair.
    """
    method = "sum of projected diameters"
    diameter, own_sd, n_unresolved = _diameters(measurement)
    n = len(diameter) + n_unresolved
    if measurement.refused or (n and len(diameter) == 0):
        return Estimate(math.nan, "mm/cm2", math.nan, math.nan, n, method)
    thin = float(np.quantile(diameter, 0.1)) if n else 0.0
    value = float(diameter.sum()) + n_unresolved * thin / 2
    # Half from unresolved hairs: uniform on 0 to `thin`, and wholly shared between them (the cause is one image).
    shared = measurement.diameter_common_sd * float(diameter.sum())
    half = Z * math.hypot(float(np.sqrt((own_sd**2).sum())), shared, n_unresolved * thin / math.sqrt(12))
    return _per_cm2(
        Estimate(value, "um", max(value - half, 0.0), value + half, n, method), measurement.area_cm2, UM_PER_MM
    )


def _diameters(measurement: HairMeasurement) -> tuple[np.ndarray, np.ndarray, int]:
    """Give the resolved diameters, each one's own standard uncertainty, and how many are not resolved."""
    diameter = np.array([hair.diameter_um for hair in measurement.hairs], dtype=float)
    sd = np.array([hair.diameter_sd_um for hair in measurement.hairs], dtype=float)
    known = np.isfinite(diameter)
    diameter, sd = diameter[known], np.nan_to_num(sd[known])
    own_sd = np.sqrt(np.maximum(sd**2 - (measurement.diameter_common_sd * diameter) ** 2, 0.0))
    return diameter, own_sd, int((~known).sum())


def _per_cm2(total: Estimate, area_cm2: float, divisor: float) -> Estimate:
    factor = 1 / (divisor * area_cm2)
    unit = "hairs/cm2" if divisor == 1.0 else "mm/cm2"
    return Estimate(
        total.value * factor, unit, total.ci_low * factor, total.ci_high * factor, total.n, total.method, total.level
    )
