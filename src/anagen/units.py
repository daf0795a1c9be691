"""Factors between the units that appear in names (`_um`, `_cm2`, `_nm`, `_ml`)."""

from typing import Final

UM_PER_MM: Final = 1e3
UM_PER_CM: Final = 1e4
UM2_PER_CM2: Final = 1e8
MM2_PER_CM2: Final = 1e2
UM3_PER_ML: Final = 1e12
NM_PER_UM: Final = 1e3
KELVIN_AT_0_C: Final = 273.15
"""0 degrees Celsius in kelvin, by definition of the Celsius scale (SI brochure, 9th edition, 2.3.1)."""
BOLTZMANN_J_PER_K: Final = 1.380649e-23
"""Boltzmann constant in J/K, exact since 2019 (SI brochure, 9th edition, 2.2)."""
