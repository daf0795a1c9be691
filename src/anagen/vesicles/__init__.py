"""Movie of Brownian motion to spots, tracks, diffusion, sizes and concentration; lots."""

from anagen.vesicles.measure import measure_movie
from anagen.vesicles.measurement import ALGORITHM, VERSION, Jumps, Tracks, VesicleMeasurement
from anagen.vesicles.sizes import SizeDistribution
from anagen.vesicles.water import stokes_einstein_diameter_nm, water_viscosity_mpa_s

__all__ = [
    "ALGORITHM",
    "VERSION",
    "Jumps",
    "SizeDistribution",
    "Tracks",
    "VesicleMeasurement",
    "measure_movie",
    "stokes_einstein_diameter_nm",
    "water_viscosity_mpa_s",
]
