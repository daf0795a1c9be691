"""The analysis a trial statistician would sign."""

from anagen.stats.covariance import FALLBACK_ORDER, STRUCTURES
from anagen.stats.impute_analysis import ImputedAnalysis, TippingPoint, analyse_imputed, find_tipping_point
from anagen.stats.impute_pool import Pooled, pool_jackknife, pool_rubin
from anagen.stats.impute_strategies import STRATEGIES
from anagen.stats.mmrm import Attempt, MmrmFit, fit_mmrm

__all__ = [
    "FALLBACK_ORDER",
    "STRATEGIES",
    "STRUCTURES",
    "Attempt",
    "ImputedAnalysis",
    "MmrmFit",
    "Pooled",
    "TippingPoint",
    "analyse_imputed",
    "find_tipping_point",
    "fit_mmrm",
    "pool_jackknife",
    "pool_rubin",
]
