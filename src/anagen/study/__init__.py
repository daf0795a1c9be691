"""The plan and the people: protocol, eligibility, visits, the study folder's tables."""

from anagen.study.eligibility import criteria_failed
from anagen.study.findings import Finding
from anagen.study.folder import Reading, Study, load_study, read_study
from anagen.study.protocol import Protocol
from anagen.study.records import (
    AdverseEvent,
    Density,
    Lot,
    Movie,
    Participant,
    ScalpImage,
    SurveyAnswer,
)

__all__ = [
    "AdverseEvent",
    "Density",
    "Finding",
    "Lot",
    "Movie",
    "Participant",
    "Protocol",
    "Reading",
    "ScalpImage",
    "Study",
    "SurveyAnswer",
    "criteria_failed",
    "load_study",
    "read_study",
]
