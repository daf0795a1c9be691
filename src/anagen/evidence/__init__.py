"""Pooling of published studies, risk of bias, certainty, and what a trial allows one to say."""

from anagen.evidence.answer import EvidenceAnswer, answer_question
from anagen.evidence.bias import BiasAnswer, BiasJudgement, judge_bias, load_instrument
from anagen.evidence.certainty import Finding, GradedCertainty, GradeDomain, grade_certainty, summarise_findings
from anagen.evidence.library import LIBRARY_VERSION, load_library
from anagen.evidence.meta_regression import MetaRegression, fit_meta_regression
from anagen.evidence.no_effect import (
    PUBLISHED_NATURAL_CHANGES,
    NaturalChange,
    probability_of_significance,
    smallest_significant_change,
)
from anagen.evidence.pool import PooledEffect, pool_effects
from anagen.evidence.pool_events import PooledProportion, pool_events
from anagen.evidence.sensitivity import cumulate, leave_one_out, measure_influence, pool_all_subsets
from anagen.evidence.settling_trial import SettlingTrial, n_per_group, size_settling_trial
from anagen.evidence.small_study_effects import begg_test, egger_test, fit_selection_model, trim_and_fill
from anagen.evidence.study_checks import ReportedStudy, check_reported
from anagen.evidence.subgroups import Subgroups, pool_subgroups
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
    "LIBRARY_VERSION",
    "PUBLISHED_NATURAL_CHANGES",
    "RULES",
    "RULES_VERSION",
    "ArmFacts",
    "BiasAnswer",
    "BiasJudgement",
    "EvidenceAnswer",
    "Finding",
    "GradeDomain",
    "GradedCertainty",
    "HarmFacts",
    "MetaRegression",
    "NaturalChange",
    "OutcomeFacts",
    "PooledEffect",
    "PooledProportion",
    "ReportedStudy",
    "SatisfactionFacts",
    "SettlingTrial",
    "Statement",
    "Subgroups",
    "TrialFacts",
    "Verdict",
    "answer_question",
    "begg_test",
    "check_reported",
    "cumulate",
    "egger_test",
    "fit_meta_regression",
    "fit_selection_model",
    "give_verdict",
    "grade_certainty",
    "judge_bias",
    "leave_one_out",
    "load_instrument",
    "load_library",
    "measure_influence",
    "n_per_group",
    "pool_all_subsets",
    "pool_effects",
    "pool_events",
    "pool_subgroups",
    "probability_of_significance",
    "size_settling_trial",
    "smallest_significant_change",
    "summarise_findings",
    "trim_and_fill",
]
