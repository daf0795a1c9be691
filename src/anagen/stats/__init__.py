"""The analysis a trial statistician would sign."""

from anagen.stats.covariance import FALLBACK_ORDER, STRUCTURES
from anagen.stats.mmrm import Attempt, MmrmFit, fit_mmrm

__all__ = ["FALLBACK_ORDER", "STRUCTURES", "Attempt", "MmrmFit", "fit_mmrm"]
