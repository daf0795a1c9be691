"""Scalp image to hairs, density and diameters; the same hairs between visits."""

from anagen.hair.measure import ALGORITHM, VERSION, measure_hairs
from anagen.hair.measurement import Hair, HairMeasurement
from anagen.hair.region import Region

__all__ = ["ALGORITHM", "VERSION", "Hair", "HairMeasurement", "Region", "measure_hairs"]
