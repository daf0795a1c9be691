"""What a laboratory knows of its lots and no measurement can: lot_records.toml, one section a lot."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path

from anagen.errors import Fault, InputFaults
from anagen.study.protocol import did_you_mean
from anagen.vesicles.lot import LOT_FIELDS

LOT_RECORDS = "lot_records.toml"


def read_lot_records(folder: Path, lots: Collection[str]) -> Mapping[str, Mapping[str, str]]:
    """Read lot_records.toml: lot to field to text; empty where the folder has none.

    Parameters
    ----------
    folder : Path
        The study folder.
    lots : collection of str
        The lots of lots.csv.

    Raises
    ------
    InputFaults
        Naming every lot and field that does not exist, and every value that is not text or a number.
    """
    path = folder / LOT_RECORDS
    if not path.exists():
        return {}
    try:
        data = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputFaults([Fault(LOT_RECORDS, f"cannot be read: {error}", "write it as UTF-8 TOML")]) from error
    fields = [each.name for each in LOT_FIELDS]
    faults = []
    for lot, said in data.items():
        if lot not in lots:
            faults.append(
                Fault(LOT_RECORDS, "this lot is not in lots.csv", did_you_mean(lot, sorted(lots)), column=lot)
            )
        elif not isinstance(said, dict):
            faults.append(
                Fault(LOT_RECORDS, "a lot is a section", f'write [{lot}] and lines such as source = "..."', column=lot)
            )
        else:
            faults += [
                Fault(
                    LOT_RECORDS, "a lot's record has no such field", did_you_mean(name, fields), column=f"{lot}.{name}"
                )
                for name in said
                if name not in fields
            ]
            faults += [
                Fault(LOT_RECORDS, "must be text or a number", "put it in quotes", column=f"{lot}.{name}")
                for name, value in said.items()
                if not isinstance(value, str | int | float)
            ]
    if faults:
        raise InputFaults(faults)
    return {lot: {name: str(value) for name, value in said.items()} for lot, said in data.items()}
