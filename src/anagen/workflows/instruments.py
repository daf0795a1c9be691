"""Find the questionnaire that a protocol names: in the study folder, or among those of the package."""

from __future__ import annotations

from pathlib import Path

from anagen.study.folder import Study
from anagen.study.protocol import InstrumentUse
from anagen.surveys import Instrument, load_instrument, parse_instrument


def read_instrument(use: InstrumentUse, folder: Path) -> Instrument:
    """Load the instrument of one entry of the protocol."""
    if use.file is None:
        return load_instrument(use.name)
    return parse_instrument((folder / use.file).read_text(encoding="utf-8"), file=use.file)


def read_instrument_of(study: Study, name: str) -> Instrument:
    """Load an instrument of a study by its name."""
    return read_instrument(next(use for use in study.protocol.instruments if use.name == name), study.folder)
