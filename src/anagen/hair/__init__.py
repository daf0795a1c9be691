"""Scalp image to hairs, density and diameters; the same hairs between visits."""

from anagen.hair.anagen import AnagenMeasurement, measure_anagen
from anagen.hair.calibrate import ScaleCalibration, calibrate_from_ruler
from anagen.hair.correct import CorrectedMeasurement, Edit, correct_measurement
from anagen.hair.diameter import DiameterFit, fit_diameters
from anagen.hair.match import HairPair, VisitMatch, match_visits
from anagen.hair.measure import ALGORITHM, VERSION, measure_hairs
from anagen.hair.measurement import Hair, HairMeasurement
from anagen.hair.region import Region
from anagen.hair.second_look import SecondLook
from anagen.hair.thickness import count_terminal, cumulative_thickness, terminal_density, vellus_density
from anagen.hair.units import UnitSummary, form_units, summarise_units, unit_sensitivity

__all__ = [
    "ALGORITHM",
    "VERSION",
    "AnagenMeasurement",
    "CorrectedMeasurement",
    "DiameterFit",
    "Edit",
    "Hair",
    "HairMeasurement",
    "HairPair",
    "Region",
    "ScaleCalibration",
    "SecondLook",
    "UnitSummary",
    "VisitMatch",
    "calibrate_from_ruler",
    "correct_measurement",
    "count_terminal",
    "cumulative_thickness",
    "fit_diameters",
    "form_units",
    "match_visits",
    "measure_anagen",
    "measure_hairs",
    "summarise_units",
    "terminal_density",
    "unit_sensitivity",
    "vellus_density",
]
