"""Where a file that a table names lies, and that it lies inside the study folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from anagen.study.protocol import did_you_mean


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the study folder, or why there is none.

    Parameters
    ----------
    path : str or None
        Inside the folder, with forward slashes.
    rule, way_out : str
        Empty with a path.
    outside : bool
        Whether the text names a place outside the folder.
    """

    path: str | None
    rule: str = ""
    way_out: str = ""
    outside: bool = False


def find_inside(folder: Path, text: str, shelf: str) -> Found:
    """Find the file or folder that a cell names, looked for in the study folder and then in its `shelf`.

    Parameters
    ----------
    folder : Path
        The study folder.
    text : str
        ``images/P01.png`` or ``P01.png``; backslashes are read as slashes.
    shelf : str
        Folder where such files usually lie: ``images``, ``movies``, ``lots``.

    Returns
    -------
    Found
        A link that leads out of the folder counts as outside.
    """
    plain = text.replace("\\", "/")
    if plain.startswith(("/", "~")) or re.match(r"[A-Za-z]:", plain) or ".." in plain.split("/") or "\0" in plain:
        return Found(
            None, "must be a path inside the study folder", f"copy the file into {shelf}/ and name it", outside=True
        )
    root = folder.resolve()
    for candidate in (root / plain, root / shelf / plain):
        try:
            if not candidate.exists():
                continue
            real = candidate.resolve()
        except (OSError, ValueError):  # a name that the file system cannot hold
            continue
        if not real.is_relative_to(root):
            return Found(
                None,
                "is a link to a place outside the study folder",
                f"copy the file itself into {shelf}/",
                outside=True,
            )
        return Found(candidate.relative_to(root).as_posix())
    return Found(None, "there is no such file", _where_it_may_be(root, plain, shelf))


def _where_it_may_be(root: Path, plain: str, shelf: str) -> str:
    place = root / shelf
    names = sorted(p.name for p in place.iterdir()) if place.is_dir() else []
    hint = did_you_mean(plain.rsplit("/", 1)[-1], names) if names else ""
    return (
        f"{hint} Spelling, case and ending count"
        if hint.startswith("did")
        else f"put it into {shelf}/, or delete the row"
    )
