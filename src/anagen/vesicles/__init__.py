"""Movie of Brownian motion to spots, tracks, diffusion, sizes and concentration; lots."""

from anagen.vesicles.concentration import DetectionVolume, calibrate_volume
from anagen.vesicles.measure import measure_movie
from anagen.vesicles.measurement import ALGORITHM, VERSION, Jumps, Tracks, VesicleMeasurement
from anagen.vesicles.replicates import (
    ReplicateSummary,
    SuitabilityCheck,
    check_beads,
    subtract_blank,
    summarize_replicates,
)
from anagen.vesicles.sizes import SizeDistribution
from anagen.vesicles.water import stokes_einstein_diameter_nm, water_viscosity_mpa_s

__all__ = [
    "ALGORITHM",
    "VERSION",
    "DetectionVolume",
    "Jumps",
    "ReplicateSummary",
    "SizeDistribution",
    "SuitabilityCheck",
    "Tracks",
    "VesicleMeasurement",
    "calibrate_volume",
    "check_beads",
    "measure_movie",
    "stokes_einstein_diameter_nm",
    "subtract_blank",
    "summarize_replicates",
    "water_viscosity_mpa_s",
]
