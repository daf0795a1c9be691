"""Instrument to scores to reliability."""

from anagen.surveys.instrument import (
    Band,
    Instrument,
    Item,
    Response,
    Scoring,
    list_instruments,
    load_instrument,
    parse_instrument,
)
from anagen.surveys.reliability import Omega, analyse_items, arrange_points, estimate_alpha, estimate_omega
from anagen.surveys.score import check_responses, score_survey

__all__ = [
    "Band",
    "Instrument",
    "Item",
    "Omega",
    "Response",
    "Scoring",
    "analyse_items",
    "arrange_points",
    "check_responses",
    "estimate_alpha",
    "estimate_omega",
    "list_instruments",
    "load_instrument",
    "parse_instrument",
    "score_survey",
]
