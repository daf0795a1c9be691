"""Adverse events to rates and exact bounds."""

from anagen.safety.proportion import (
    EventProportion,
    clopper_pearson,
    estimate_event_proportion,
    n_to_see_one_event,
    probability_of_missing,
    rule_of_three,
)
from anagen.safety.rate import estimate_event_rate
from anagen.safety.tabulate import check_adverse_events, tabulate_adverse_events

__all__ = [
    "EventProportion",
    "check_adverse_events",
    "clopper_pearson",
    "estimate_event_proportion",
    "estimate_event_rate",
    "n_to_see_one_event",
    "probability_of_missing",
    "rule_of_three",
    "tabulate_adverse_events",
]
