"""Who may enter the study, and the criteria that a person fails."""

from __future__ import annotations

from anagen.study.norwood_hamilton import NORWOOD_HAMILTON
from anagen.study.protocol import Eligibility
from anagen.study.records import Participant


def criteria_failed(participant: Participant, eligibility: Eligibility) -> tuple[str, ...]:
    """Every criterion that a person does not meet, in words; empty when eligible.

    Parameters
    ----------
    participant : Participant
        A value that is None fails the criterion that asks for it.
    eligibility : Eligibility
        The criteria of the protocol.

    Returns
    -------
    tuple of str
        For example ``('age must be 22 to 65 years, is 70',)``.
    """
    failed = []
    if eligibility.sex and participant.sex not in eligibility.sex:
        failed.append(f"sex must be {' or '.join(eligibility.sex)}, is {participant.sex or 'not given'}")
    if eligibility.age_years is not None:
        low, high = eligibility.age_years
        age = participant.age_years
        if age is None or not low <= age < high + 1:  # a person is 65 until the 66th birthday
            is_age = "not given" if age is None else f"{age:g}"
            failed.append(f"age must be {low:g} to {high:g} years, is {is_age}")
    if eligibility.norwood_hamilton is not None:
        mildest, worst = eligibility.norwood_hamilton
        stage = participant.norwood_hamilton
        if stage is None or not _order(mildest) <= _order(stage) <= _order(_last_variant(worst)):
            failed.append(f"Norwood-Hamilton must be {mildest} to {worst}, is {stage or 'not given'}")
    return tuple(failed)


def _order(stage: str) -> int:
    return NORWOOD_HAMILTON.index(stage)


def _last_variant(stage: str) -> str:
    """Find the worst variant of a stage named without one: a range that ends at V includes Va."""
    return max((s for s in NORWOOD_HAMILTON if s.rstrip("av") == stage), key=_order, default=stage)
