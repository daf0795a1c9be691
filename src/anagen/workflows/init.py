"""Write a new study folder to fill in: a commented protocol, tables with their first lines, folders for the files."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from anagen.errors import InputError
from anagen.study.tables import COLUMNS

OPTIONAL_TABLES = ("measurements.csv",)
"""Not written: densities measured elsewhere are the exception."""
SHELVES = ("images", "movies", "lots")


def init_study(folder: Path) -> tuple[Path, ...]:
    """Write the template of a study into a new or empty folder.

    Parameters
    ----------
    folder : Path
        Made where it does not exist.

    Returns
    -------
    tuple of Path
        What was written, in the order in which to fill it in.

    Raises
    ------
    InputError
        When something is there already; nothing is touched then.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: give a new folder")
    present = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if present:
        shown = ", ".join(present[:5]) + (" ..." if len(present) > 5 else "")
        raise InputError(f"{folder} is not empty (it holds {shown}): give a new folder, so that nothing is overwritten")
    for shelf in SHELVES:
        (folder / shelf).mkdir(parents=True)
    template = resources.files("anagen.workflows") / "templates" / "new-study"
    texts = {name: (template / name).read_text(encoding="utf-8") for name in ("protocol.toml", "README.txt")}
    texts |= {name: ",".join(c.all) + "\n" for name, c in COLUMNS.items() if name not in OPTIONAL_TABLES}
    return tuple(_write(folder / name, text) for name, text in texts.items())


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="\n")
    return path
