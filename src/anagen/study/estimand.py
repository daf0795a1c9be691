"""The question of an outcome as an estimand: who, which treatment, what is measured, what intervenes, what summary."""

from __future__ import annotations

from dataclasses import dataclass

from anagen.study.protocol import Eligibility, Outcome, Protocol

STRATEGY_WORDS = {
    "treatment-policy": "treatment policy: what is measured afterwards counts as it is",
    "hypothetical": "hypothetical: the value as if it had not happened",
    "composite": "composite: it counts as an outcome of its own",
    "while-on-treatment": "while on treatment: what was measured before it counts",
    "principal-stratum": "principal stratum: only people in whom it would not happen",
}
NOT_NAMED = (
    "None is named in protocol.toml ([[intercurrent_events]]). Everything measured was used, whatever happened before "
    "it: a treatment-policy question, in which other hair treatment or stopping early is part of the effect"
)


@dataclass(frozen=True, slots=True)
class Estimand:
    """The five attributes of ICH E9(R1), in words.

    Parameters
    ----------
    outcome : str
        Its name in the protocol.
    population, treatment, variable : str
        Who; which treatment, and against what; what is measured, and when.
    intercurrent_events : tuple of str
        Each with its strategy.
    summary : str
        The population-level summary.
    """

    outcome: str
    population: str
    treatment: str
    variable: str
    intercurrent_events: tuple[str, ...]
    summary: str


def state_estimand(protocol: Protocol, outcome: Outcome) -> Estimand:
    """Put the question of one outcome into the five attributes of an estimand.

    Parameters
    ----------
    protocol : Protocol
        The plan.
    outcome : Outcome
        One of its outcomes.

    Returns
    -------
    Estimand

    References
    ----------
    ICH E9(R1), Addendum on estimands and sensitivity analysis in clinical trials (2019), section A.3.
    """
    label = outcome.label or outcome.name
    later = " and ".join(outcome.visits)
    return Estimand(
        outcome=outcome.name,
        population=_population(protocol.eligibility),
        treatment=_treatment(protocol),
        variable=f"{label} ({outcome.unit}): change from {outcome.baseline} to {later}",
        intercurrent_events=tuple(
            f"{event.event}: {STRATEGY_WORDS[event.strategy]}" for event in protocol.intercurrent_events
        )
        or (NOT_NAMED,),
        summary=_summary(protocol),
    )


def _population(eligibility: Eligibility) -> str:
    parts = [" or ".join(eligibility.sex)] if eligibility.sex else ["people of either sex"]
    if eligibility.age_years is not None:
        parts.append(f"{eligibility.age_years[0]:g} to {eligibility.age_years[1]:g} years old")
    if eligibility.norwood_hamilton is not None:
        parts.append("Norwood-Hamilton stage " + " to ".join(eligibility.norwood_hamilton))
    return "; ".join([", ".join(parts), *eligibility.other])


def _treatment(protocol: Protocol) -> str:
    arms = [f"{arm.name} ({arm.description})" if arm.description else arm.name for arm in protocol.arms]
    given = protocol.treatment
    detail = (
        "; ".join(part for part in (given.product, given.dose, given.route, given.schedule) if part) if given else ""
    )
    against = {
        "single-arm": f"{arms[0]}, compared with nothing: the same people before treatment",
        "parallel": " against ".join(arms),
        "split-scalp": " against ".join(arms) + ", on two sites of the same scalp",
    }[protocol.design.kind]
    return f"{against}. Given: {detail}" if detail else against


def _summary(protocol: Protocol) -> str:
    return {
        "single-arm": "mean change within people",
        "parallel": "difference between arms in mean change, adjusted for the baseline",
        "split-scalp": "mean within-person difference between the sites in change",
    }[protocol.design.kind]
