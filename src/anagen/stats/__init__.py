"""The analysis a trial statistician would sign."""

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
from anagen.stats.mmrm import Attempt, MmrmFit, fit_mmrm
from anagen.stats.multiplicity import adjust_p, adjust_p_graph
from anagen.stats.signed_rank import SignedRankTest, signed_rank_test

__all__ = [
    "FALLBACK_ORDER",
    "STRUCTURES",
    "AncovaDifference",
    "Attempt",
    "MmrmFit",
    "SignedRankTest",
    "SplitScalpDifference",
    "StandardisedChange",
    "WithinPatientChange",
    "adjust_p",
    "adjust_p_graph",
    "estimate_ancova",
    "estimate_change",
    "estimate_split_scalp",
    "fit_mmrm",
    "signed_rank_test",
    "small_sample_factor",
    "standardise_by_baseline_sd",
    "standardise_by_change_sd",
]
