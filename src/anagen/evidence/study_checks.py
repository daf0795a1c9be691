"""Numbers that no study can have: found and named, per study, before anything is pooled."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from scipy import stats

from anagen.errors import Fault

P_TOLERANCE: Final = 0.15
"""A p-value may differ by this relative amount from the one its interval implies, beyond rounding: a t and a normal
quantile at 20 degrees of freedom differ by less."""
CHECK: Final = "compare with the paper; leave the study out if it stands there"


@dataclass(frozen=True, slots=True)
class ReportedStudy:
    """What a paper prints of one comparison; None where it prints nothing.

    Parameters
    ----------
    study : str
        Name.
    row : int or None
        Line of the table as a spreadsheet shows it.
    effect, std_error, ci_low, ci_high, level, p_value : float or None
        Of the comparison; p_value as an equality.
    mean1, sd1, n1, mean2, sd2, n2 : float or None
        Of the two groups; a single group fills the first.
    events1, events2 : float or None
        People with an event.
    n_total : float or None
        People in the study.
    log_scale : bool
        Whether the effect is a ratio: its interval is then symmetric on the log scale.
    """

    study: str
    row: int | None = None
    effect: float | None = None
    std_error: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    level: float = 0.95
    p_value: float | None = None
    mean1: float | None = None
    sd1: float | None = None
    n1: float | None = None
    mean2: float | None = None
    sd2: float | None = None
    n2: float | None = None
    events1: float | None = None
    events2: float | None = None
    n_total: float | None = None
    log_scale: bool = False


def check_reported(studies: Sequence[ReportedStudy], *, file: str = "effects") -> tuple[Fault, ...]:
    """Name every impossible number of every study.

    Parameters
    ----------
    studies : sequence of ReportedStudy
        What the papers print.
    file : str
        Name of the table, for the message.

    Returns
    -------
    tuple of Fault
        Empty when nothing is impossible. A number can be wrong without being impossible.

    Examples
    --------
    >>> [fault.column for fault in check_reported([ReportedStudy("A 2020", sd1=0.0, n1=10, n2=12, n_total=20)])]
    ['sd1', 'n_total']
    """
    return tuple(
        Fault(file, f"{study.study}: {rule}", CHECK, study.row, column, value)
        for study in studies
        for column, value, rule in _faults(study)
    )


def _faults(s: ReportedStudy) -> Iterator[tuple[str, str, str]]:
    yield from _spread_faults(s)
    yield from _count_faults(s)
    yield from _interval_faults(s)


def _spread_faults(s: ReportedStudy) -> Iterator[tuple[str, str, str]]:
    for name in ("sd1", "sd2", "std_error"):
        value = getattr(s, name)
        if value is not None and not (value > 0 and math.isfinite(value)):
            word = "standard error" if name == "std_error" else "standard deviation"
            yield name, f"{value:g}", f"a {word} must be above 0: people differ"
    if s.p_value is not None and not 0 <= s.p_value <= 1:
        yield "p_value", f"{s.p_value:g}", "a p-value must lie between 0 and 1"


def _count_faults(s: ReportedStudy) -> Iterator[tuple[str, str, str]]:
    for name in ("n1", "n2", "n_total", "events1", "events2"):
        value = getattr(s, name)
        least = 0 if name.startswith("events") else 1
        if value is not None and (value != round(value) or value < least):
            yield name, f"{value:g}", f"people are counted: a whole number of at least {least}"
    if s.n1 is not None and s.n2 is not None and s.n_total is not None and s.n1 + s.n2 != s.n_total:
        yield "n_total", f"{s.n_total:g}", f"the groups add up to {s.n1 + s.n2:g}, not to the total"
    for events, n in (("events1", "n1"), ("events2", "n2")):
        some, people = getattr(s, events), getattr(s, n)
        if some is not None and people is not None and some > people:
            yield events, f"{some:g}", f"more people with an event than the {people:g} in the group"


def _interval_faults(s: ReportedStudy) -> Iterator[tuple[str, str, str]]:
    if s.ci_low is None or s.ci_high is None:
        return
    if s.ci_low > s.ci_high:
        yield "ci_low", f"{s.ci_low:g}", f"the lower end lies above the upper end {s.ci_high:g}"
        return
    if s.ci_low == s.ci_high:
        yield "ci_low", f"{s.ci_low:g}", "the interval has no width"
        return
    if s.effect is None:
        return
    if not s.ci_low <= s.effect <= s.ci_high:
        yield "effect", f"{s.effect:g}", f"the interval {s.ci_low:g} to {s.ci_high:g} excludes its estimate"
        return
    if s.log_scale and s.ci_low <= 0:
        yield "ci_low", f"{s.ci_low:g}", "a ratio and its interval lie above 0"
        return
    if s.p_value is not None and 0 <= s.p_value <= 1:
        low, high = _implied_p(s)
        if not low * (1 - P_TOLERANCE) <= s.p_value + _half_unit(s.p_value) or not (
            s.p_value - _half_unit(s.p_value) <= high * (1 + P_TOLERANCE)
        ):
            implied = f"p between {low:.2g} and {high:.2g}, rounding allowed for"
            yield "p_value", f"{s.p_value:g}", f"the interval {s.ci_low:g} to {s.ci_high:g} implies {implied}"


def _implied_p(s: ReportedStudy) -> tuple[float, float]:
    """Smallest and largest p that the effect and its interval allow, given how they were rounded."""
    effect, low, high = (float(value) for value in (s.effect, s.ci_low, s.ci_high) if value is not None)
    half_effect, half_end = _half_unit(effect), max(_half_unit(low), _half_unit(high))
    sizes = [effect - half_effect, effect + half_effect]
    widths = [(low + half_end, high - half_end), (low - half_end, high + half_end)]
    if s.log_scale:
        tiny = 1e-12
        sizes = [math.log(max(value, tiny)) for value in sizes]
        widths = [(math.log(max(a, tiny)), math.log(max(b, tiny))) for a, b in widths]
    smallest = 0.0 if sizes[0] <= 0 <= sizes[1] else min(abs(size) for size in sizes)
    largest = max(abs(size) for size in sizes)
    narrow, wide = ((b - a) / 2 for a, b in widths)
    n = (s.n1 or 0) + (s.n2 or 0)
    df = n - (2 if s.n2 else 1)
    found = []
    for size, width in ((smallest, wide), (largest, narrow)):
        for use_t in {False, df >= 2}:
            tail = (1 - s.level) / 2
            quantile = float(stats.t.isf(tail, df) if use_t else stats.norm.isf(tail))
            statistic = quantile * size / width if width > 0 else math.inf
            found.append(2 * float(stats.t.sf(statistic, df) if use_t else stats.norm.sf(statistic)))
    return min(found), max(found)


def _half_unit(value: float) -> float:
    """Half of the last printed decimal of a number: 0.05 for 14.7."""
    if value == 0 or not math.isfinite(value):
        return 0.05 if value == 0 else 0.0
    text = f"{value:.10g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        decimals = len(mantissa.partition(".")[2]) - int(exponent)
    else:
        decimals = len(text.partition(".")[2])
    return 0.5 * 10.0**-decimals
