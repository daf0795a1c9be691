"""SHA-256 of what the user gave, so that every number can be traced to its input's bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path


def hash_file(path: Path) -> str:
    """Hash a file's bytes; of a folder, its files' names and hashes in the order of the names.

    Parameters
    ----------
    path : Path
        A file, or a folder of frames.

    Returns
    -------
    str
        SHA-256, hexadecimal.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(p for p in path.iterdir() if p.is_file()):
            digest.update(f"{file.name}\0{hash_file(file)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
