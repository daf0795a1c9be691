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
from anagen.surveys.score import check_responses, score_survey

__all__ = [
    "Band",
    "Instrument",
    "Item",
    "Response",
    "Scoring",
    "check_responses",
    "list_instruments",
    "load_instrument",
    "parse_instrument",
    "score_survey",
]
