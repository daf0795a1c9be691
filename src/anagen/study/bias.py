"""The risk of bias that somebody judged in a study, read from its risk_of_bias.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from anagen.errors import Fault, InputFaults
from anagen.evidence.bias import INSTRUMENTS, BiasAnswer, BiasJudgement, judge_bias, load_instrument

RISK_OF_BIAS = "risk_of_bias.toml"
CERTAINTIES = ("high", "moderate", "low", "very low")
KEYS = ("instrument", "judged_by", "answers", "certainty", "certainty_reason")
Certainty = Literal["high", "moderate", "low", "very low"]


@dataclass(frozen=True, slots=True)
class StudyBias:
    """What was judged, by whom.

    Parameters
    ----------
    judgement : BiasJudgement
        Every domain with its answers and reasons.
    instrument : str
        Name of the questionnaire in the package.
    judged_by : str
        Who answered.
    certainty : str or None
        GRADE certainty of the study's answer, where judged.
    certainty_reason : str
        Why.
    """

    judgement: BiasJudgement
    instrument: str
    judged_by: str
    certainty: Certainty | None = None
    certainty_reason: str = ""


def read_bias(folder: Path) -> StudyBias | None:
    """Read and judge risk_of_bias.toml; None where the folder has none.

    Raises
    ------
    InputFaults
        Naming every key and answer that is wrong or missing.
    """
    path = folder / RISK_OF_BIAS
    if not path.exists():
        return None
    try:
        data = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputFaults([Fault(RISK_OF_BIAS, f"cannot be read: {error}", "write it as UTF-8 TOML")]) from error
    faults = list(_faults(data))
    if faults:
        raise InputFaults(faults)
    answers = {question: BiasAnswer(str(a[0]), str(a[1])) for question, a in data["answers"].items()}  # type: ignore[arg-type]
    return StudyBias(
        judgement=judge_bias(RISK_OF_BIAS, load_instrument(data["instrument"]), answers),
        instrument=data["instrument"],
        judged_by=str(data["judged_by"]),
        certainty=data.get("certainty"),
        certainty_reason=str(data.get("certainty_reason", "")),
    )


def _faults(data: Mapping[str, Any]) -> list[Fault]:
    found = [
        Fault(RISK_OF_BIAS, f"unknown key {key!r}", f"use {', '.join(KEYS)}", column=key)
        for key in data
        if key not in KEYS
    ]
    if data.get("instrument") not in INSTRUMENTS:
        way_out = f"write one of {', '.join(INSTRUMENTS)}: rob2 for randomised trials, robins_i_v1 for others"
        found.append(Fault(RISK_OF_BIAS, "names no questionnaire", way_out, column="instrument"))
    if not str(data.get("judged_by", "")).strip():
        found.append(Fault(RISK_OF_BIAS, "nobody signs the judgement", 'add judged_by = "..."', column="judged_by"))
    answers = data.get("answers")
    if not isinstance(answers, dict) or not all(isinstance(a, list) and len(a) == 2 for a in answers.values()):
        way_out = 'write [answers] with lines such as "1.1" = ["Y", "the reason"]'
        found.append(Fault(RISK_OF_BIAS, "an answer is a code and a reason", way_out, column="answers"))
    if "certainty" in data and data["certainty"] not in CERTAINTIES:
        found.append(
            Fault(RISK_OF_BIAS, "unknown certainty", f"write one of {', '.join(CERTAINTIES)}", column="certainty")
        )
    if "certainty" in data and not str(data.get("certainty_reason", "")).strip():
        found.append(
            Fault(RISK_OF_BIAS, "a certainty without its reason", "add certainty_reason", column="certainty_reason")
        )
    return found
