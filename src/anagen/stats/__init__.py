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
    estimate_mean,
    estimate_split_scalp,
)
from anagen.stats.covariance import FALLBACK_ORDER, STRUCTURES
from anagen.stats.effect_size import (
    StandardisedChange,
    small_sample_factor,
    standardise_by_baseline_sd,
    standardise_by_change_sd,
)
from anagen.stats.impute_analysis import ImputedAnalysis, analyse_imputed, find_tipping_point
from anagen.stats.impute_pool import Pooled, pool_jackknife, pool_rubin
from anagen.stats.impute_strategies import STRATEGIES
from anagen.stats.mmrm import Attempt, MmrmFit, fit_mmrm
from anagen.stats.multiplicity import adjust_p, adjust_p_graph
from anagen.stats.ordinal import OrdinalFit, fit_proportional_odds
from anagen.stats.planning import (
    SampleSize,
    SimulatedPower,
    SimulationTask,
    TrialPlan,
    find_sample_size,
    list_simulation_tasks,
    power_by_formula,
    simulate_power,
    simulate_trials,
    summarise_simulation,
)
from anagen.stats.regression_to_mean import adjust_change_for_regression, expected_regression
from anagen.stats.sample_size import (
    n_ancova,
    n_one_group,
    n_two_groups,
    power_ancova,
    power_one_group,
    power_two_groups,
    split_scalp_sd,
)
from anagen.stats.sign_test import SignTest, sign_test
from anagen.stats.signed_rank import SignedRankTest, signed_rank_test
from anagen.stats.tipping import TippingPoint
from anagen.stats.tipping_one_arm import find_tipping_change

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
    "SampleSize",
    "SignTest",
    "SignedRankTest",
    "SimulatedPower",
    "SimulationTask",
    "SplitScalpDifference",
    "StandardisedChange",
    "TippingPoint",
    "TrialPlan",
    "WithinPatientChange",
    "adjust_change_for_regression",
    "adjust_p",
    "adjust_p_graph",
    "analyse_imputed",
    "compare_methods",
    "estimate_ancova",
    "estimate_change",
    "estimate_icc",
    "estimate_mean",
    "estimate_retest",
    "estimate_split_scalp",
    "estimate_within_cv",
    "estimate_within_sd",
    "expected_regression",
    "find_sample_size",
    "find_tipping_change",
    "find_tipping_point",
    "fit_mmrm",
    "fit_proportional_odds",
    "list_simulation_tasks",
    "n_ancova",
    "n_one_group",
    "n_two_groups",
    "pool_jackknife",
    "pool_rubin",
    "power_ancova",
    "power_by_formula",
    "power_one_group",
    "power_two_groups",
    "sign_test",
    "signed_rank_test",
    "simulate_power",
    "simulate_trials",
    "small_sample_factor",
    "split_scalp_sd",
    "standardise_by_baseline_sd",
    "standardise_by_change_sd",
    "summarise_simulation",
]
