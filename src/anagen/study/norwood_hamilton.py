"""The stages of male-pattern hair loss after Norwood and Hamilton, and the ways people write them."""

from __future__ import annotations

import re
from typing import Final

NORWOOD_HAMILTON: Final = ("I", "II", "IIa", "III", "IIIa", "IIIv", "IV", "IVa", "V", "Va", "VI", "VII")
"""Stages from mildest to worst, variants after their stage (Norwood 1975, South Med J 68:1359)."""

_ARABIC: Final = {"1": "I", "2": "II", "3": "III", "4": "IV", "5": "V", "6": "VI", "7": "VII"}


def parse_stage(text: str) -> str | None:
    """Find the stage that a text names; None where it names none.

    Parameters
    ----------
    text : str
        ``III``, ``3``, ``iii vertex``, ``Norwood IIIv``, ``type IVa``, ...

    Returns
    -------
    str or None
        One of `NORWOOD_HAMILTON`.

    Examples
    --------
    >>> parse_stage("III vertex"), parse_stage("5a"), parse_stage("VIII")
    ('IIIv', 'Va', None)
    """
    plain = re.sub(r"norwood|hamilton|stage|grade|type|[\s\-_.]", "", text.casefold()).replace("vertex", "w")
    # a trailing v is "vertex" only after III: iv and v are stages of their own
    plain = re.sub(r"^(iii|3)v$", r"\1w", plain)
    match = re.fullmatch(r"([ivx]+|[1-7])([aw]?)", plain)
    if not match:
        return None
    numeral, variant = match.groups()
    stage = _ARABIC.get(numeral, numeral.upper()) + variant.replace("w", "v")
    return stage if stage in NORWOOD_HAMILTON else None
