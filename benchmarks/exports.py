"""Count how many of the statistics that vendors print their exported bins reproduce, to the last printed digit.

    python -m benchmarks.exports [FOLDER...]

Without folders: the reference data beside the repository, else the two bead exports in tests/data.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from anagen.errors import InputError
from anagen.formats.vendor_lots import read_vendor_lot
from anagen.vesicles.vendor import VendorLot

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass
class Tally:
    """What was found in the exports of one program version."""

    n_files: int = 0
    n_runs: int = 0
    n_failed: int = 0
    n_printed: int = 0
    n_differ: int = 0
    n_totals: int = 0
    n_totals_differ: int = 0


def main(folders: list[Path]) -> None:
    tallies: dict[str, Tally] = defaultdict(Tally)
    other = 0
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in (".csv", ".txt")):
        try:
            lot = read_vendor_lot(path)
        except InputError as error:
            other += 1
            print(f"not a lot: {str(error).removeprefix(str(path) + ': ')}  [{path.name}]")
            continue
        _count(tallies[_version(lot)], lot)
    print()
    print("| program | files | runs | failed runs | printed statistics | not reproduced | totals | not reproduced |")
    print("|---|---|---|---|---|---|---|---|")
    for version, found in sorted(tallies.items()):
        print(
            f"| {version} | {found.n_files} | {found.n_runs} | {found.n_failed} | {found.n_printed} | {found.n_differ} "
            f"| {found.n_totals} | {found.n_totals_differ} |"
        )
    print(f"\n{other} other files, each refused by name")


def _count(tally: Tally, lot: VendorLot) -> None:
    tally.n_files += 1
    tally.n_runs += len(lot.runs)
    tally.n_failed += sum(run.failed for run in lot.runs)
    for run in lot.good_runs:
        tally.n_printed += len(run.printed)
        tally.n_differ += len(run.disagreements())
        total = run.weighted_by("number").total
        # NanoSight prints the concentration with three digits, ZetaView the number of traces.
        same = (
            f"{total:.2e}" == f"{run.concentration_per_ml:.2e}"
            if lot.instrument == "NanoSight"
            else total == run.n_tracks
        )
        tally.n_totals += 1
        tally.n_totals_differ += not same


def _version(lot: VendorLot) -> str:
    software = lot.record.values["software"]
    number = next(word for word in software.replace("(", " ").replace(")", " ").split() if word[0].isdigit())
    return f"{lot.instrument} {'.'.join(number.split('.')[:2])}"


def _default_folders() -> list[Path]:
    beside = REPOSITORY.parent / "shared" / "data" / "vesicles"
    return [beside / "nanosight", beside / "zetaview"] if beside.exists() else [REPOSITORY / "tests" / "data"]


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or _default_folders())
