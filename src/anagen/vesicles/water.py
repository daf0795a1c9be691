"""The liquid: viscosity of water, and diffusion to diameter and back."""

from __future__ import annotations

import math

import numpy as np

from anagen.errors import InputError
from anagen.units import BOLTZMANN_J_PER_K, KELVIN_AT_0_C


def water_viscosity_mpa_s(temperature_c: float) -> float:
    """Viscosity of liquid water at 0.1 MPa.

    mu = sum a_i (T / 300 K)^b_i, within 1 % of the IAPWS 2008 formulation from -20 to 110 C.

    Parameters
    ----------
    temperature_c : float
        0 to 100.

    Returns
    -------
    float
        In mPa s (cP).

    Raises
    ------
    InputError
        Outside liquid water.

    References
    ----------
    Patek J et al., J Phys Chem Ref Data 2009;38:21, equation 7 and table 7.

    Examples
    --------
    >>> round(water_viscosity_mpa_s(25.0), 3)
    0.89
    """
    if not 0.0 <= temperature_c <= 100.0:
        raise InputError(
            f"temperature_c must lie in 0 to 100 for water, got {temperature_c}: give degrees Celsius, "
            "or viscosity_mpa_s for another liquid"
        )
    ratio = (temperature_c + KELVIN_AT_0_C) / 300.0
    terms = ((280.68, -1.9), (511.45, -7.7), (61.131, -19.6), (0.45903, -40.0))
    return float(sum(a * ratio**b for a, b in terms)) * 1e-3


def size_times_diffusion(temperature_c: float, viscosity_mpa_s: float) -> float:
    """Product of diameter (nm) and diffusion (um2/s): kB T / (3 pi eta) (Stokes-Einstein, Einstein 1905).

    Examples
    --------
    >>> round(size_times_diffusion(25.0, 0.89), 1)
    490.7
    """
    kelvin = temperature_c + KELVIN_AT_0_C
    product_m3_per_s = BOLTZMANN_J_PER_K * kelvin / (3.0 * math.pi * viscosity_mpa_s * 1e-3)
    return product_m3_per_s * 1e21


def stokes_einstein_diameter_nm(
    diffusion_um2_per_s: np.ndarray | float, *, temperature_c: float, viscosity_mpa_s: float
) -> np.ndarray:
    """Hydrodynamic diameter of a sphere that diffuses freely; a negative or zero diffusion gives NaN.

    Examples
    --------
    >>> float(stokes_einstein_diameter_nm(4.908, temperature_c=25.0, viscosity_mpa_s=0.89).round(1))
    100.0
    """
    diffusion = np.asarray(diffusion_um2_per_s, float)
    product = size_times_diffusion(temperature_c, viscosity_mpa_s)
    return np.where(diffusion > 0.0, product / np.where(diffusion > 0.0, diffusion, 1.0), np.nan)
