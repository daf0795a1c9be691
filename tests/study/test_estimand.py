"""The five attributes say what the protocol says, for each design."""

import pytest
from tests.study.small_study import PROTOCOL

from anagen.errors import InputFaults
from anagen.study.estimand import state_estimand
from anagen.study.protocol import Protocol

ARMS = '[[arms]]\nname = "exosome"\n'
TWO_ARMS = ARMS + 'description = "once"\n[[arms]]\nname = "sham"\ncontrol = true\n'


def parallel(extra=""):
    return PROTOCOL.replace(ARMS, TWO_ARMS).replace('kind = "single-arm"', 'kind = "parallel"', 1) + extra


def state(text):
    protocol = Protocol.from_toml(text)
    return state_estimand(protocol, protocol.outcomes[0])


def test_a_single_arm_is_compared_with_nothing():
    found = state(PROTOCOL)
    assert found.population == "male, 22 to 65 years old, Norwood-Hamilton stage III to VI"
    assert found.treatment == "exosome, compared with nothing: the same people before treatment. Given: exosomes"
    assert found.variable == "density (hairs/cm2): change from baseline to week 4"
    assert found.summary == "mean change within people"
    assert "[[intercurrent_events]]" in found.intercurrent_events[0]


def test_arms_are_compared_with_each_other():
    found = state(parallel())
    assert found.treatment.startswith("exosome (once) against sham")
    assert found.summary == "difference between arms in mean change, adjusted for the baseline"


def test_intercurrent_events_are_printed_with_their_strategy():
    events = '[[intercurrent_events]]\nevent = "stops early"\nstrategy = "treatment-policy"\n'
    assert state(PROTOCOL + events).intercurrent_events == (
        "stops early: treatment policy: what is measured afterwards counts as it is",
    )
    with pytest.raises(InputFaults, match="strategy"):
        state(PROTOCOL + events.replace("treatment-policy", "per-protocol"))


@pytest.mark.parametrize("text", [PROTOCOL, parallel().replace("control = true", "control = false")])
def test_a_plan_that_takes_missing_values_from_a_control_needs_one(text):
    with pytest.raises(InputFaults, match="missing visits can be taken from a reference arm only"):
        Protocol.from_toml(text + '[analysis]\nmissing_data = "jump-to-reference"\n')
    assert Protocol.from_toml(parallel('[analysis]\nmissing_data = "jump-to-reference"\n'))
