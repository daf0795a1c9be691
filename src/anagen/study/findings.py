"""What a look at a study folder found: what stops a run, what is left out of it, what a reader must know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from anagen.errors import Fault

Effect = Literal["stop", "exclude", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in a study folder, and what it does to a run.

    Parameters
    ----------
    effect : {"stop", "exclude", "note"}
        ``stop``: no run before it is mended. ``exclude``: the run goes on without what `fault` names.
        ``note``: kept, but a reader must know.
    code : str
        Stable kebab-case name, for example ``outside-window``.
    fault : Fault
        Place, rule, value and way out.
    expected : bool
        True when it belongs to an orderly trial (a screen failure, a missed visit) and asks for no mending.
    participant, visit : str or None
        Whom and which visit it concerns.
    """

    effect: Effect
    code: str
    fault: Fault
    expected: bool = False
    participant: str | None = None
    visit: str | None = None

    def __str__(self) -> str:
        return str(self.fault)
