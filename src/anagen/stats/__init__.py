"""The analysis a trial statistician would sign."""

from anagen.stats.agreement import (
    BlandAltman,
    RetestReliability,
    compare_methods,
    estimate_icc,
    estimate_retest,
    estimate_within_cv,
    estimate_within_sd,
)
from anagen.stats.change import (
    AncovaDifference,
    SplitScalpDifference,
    WithinPatientChange,
    estimate_ancova,
    estimate_change,
    estimate_split_scalp,
)
from anagen.stats.covariance import FALLBACK_ORDER, STRUCTURES
from anagen.stats.effect_size import (
    StandardisedChange,
    small_sample_factor,
    standardise_by_baseline_sd,
    standardise_by_change_sd,
)
from anagen.stats.impute_analysis import ImputedAnalysis, TippingPoint, analyse_imputed, find_tipping_point
from anagen.stats.impute_pool import Pooled, pool_jackknife, pool_rubin
from anagen.stats.impute_strategies import STRATEGIES
from anagen.stats.mmrm import Attempt, MmrmFit, fit_mmrm
from anagen.stats.multiplicity import adjust_p, adjust_p_graph
from anagen.stats.ordinal import OrdinalFit, fit_proportional_odds
from anagen.stats.regression_to_mean import adjust_change_for_regression, expected_regression
from anagen.stats.signed_rank import SignedRankTest, signed_rank_test

__all__ = [
    "FALLBACK_ORDER",
    "STRATEGIES",
    "STRUCTURES",
    "AncovaDifference",
    "Attempt",
    "BlandAltman",
    "ImputedAnalysis",
    "MmrmFit",
    "OrdinalFit",
    "Pooled",
    "RetestReliability",
    "SignedRankTest",
    "SplitScalpDifference",
    "StandardisedChange",
    "TippingPoint",
    "WithinPatientChange",
    "adjust_change_for_regression",
    "adjust_p",
    "adjust_p_graph",
    "analyse_imputed",
    "compare_methods",
    "estimate_ancova",
    "estimate_change",
    "estimate_icc",
    "estimate_retest",
    "estimate_split_scalp",
    "estimate_within_cv",
    "estimate_within_sd",
    "expected_regression",
    "find_tipping_point",
    "fit_mmrm",
    "fit_proportional_odds",
    "pool_jackknife",
    "pool_rubin",
    "signed_rank_test",
    "small_sample_factor",
    "standardise_by_baseline_sd",
    "standardise_by_change_sd",
]
