"""One comparison of one outcome, and the part it plays in the plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from anagen.records import Estimate

MAIN: Final = "planned"
SENSITIVITY: Final = "sensitivity"


@dataclass(frozen=True)
class Comparison:
    """One comparison of one outcome.

    Parameters
    ----------
    visit : str
        The later visit.
    label : str
        As printed, for example ``baseline to week 12``.
    estimate : Estimate
        Change or difference of changes, with its p-value.
    role : str
        ``planned`` or ``sensitivity``.
    p_adjusted : float or None
        Adjusted over all planned comparisons of the study; None for a sensitivity analysis.
    """

    visit: str
    label: str
    estimate: Estimate
    role: str
    p_adjusted: float | None = None
