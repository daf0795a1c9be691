"""Pooling of published studies, risk of bias, certainty, and what a trial allows one to say."""

from anagen.evidence.meta_regression import MetaRegression, fit_meta_regression
from anagen.evidence.no_effect import (
    PUBLISHED_NATURAL_CHANGES,
    NaturalChange,
    probability_of_significance,
    smallest_significant_change,
)
from anagen.evidence.pool import PooledEffect, pool_effects
from anagen.evidence.settling_trial import SettlingTrial, n_per_group, size_settling_trial
from anagen.evidence.verdict import (
    ArmFacts,
    HarmFacts,
    OutcomeFacts,
    SatisfactionFacts,
    Statement,
    TrialFacts,
    Verdict,
    give_verdict,
)
from anagen.evidence.verdict_rules import RULES, RULES_VERSION

__all__ = [
    "PUBLISHED_NATURAL_CHANGES",
    "RULES",
    "RULES_VERSION",
    "ArmFacts",
    "HarmFacts",
    "MetaRegression",
    "NaturalChange",
    "OutcomeFacts",
    "PooledEffect",
    "SatisfactionFacts",
    "SettlingTrial",
    "Statement",
    "TrialFacts",
    "Verdict",
    "fit_meta_regression",
    "give_verdict",
    "n_per_group",
    "pool_effects",
    "probability_of_significance",
    "size_settling_trial",
    "smallest_significant_change",
]
