"""The one place where adapters are built and handed to workflows."""

from __future__ import annotations

from pathlib import Path

from anagen.formats import open_movie, read_image
from anagen.formats.tables import read_table
from anagen.study import Study, load_study
from anagen.workflows.check import CheckReport, check_study


def check_folder(folder: Path) -> CheckReport:
    """Look at a study folder with the readers of this machine."""
    return check_study(folder, read_table=read_table, read_image=read_image, open_movie=open_movie)


def load_folder(folder: Path) -> Study:
    """Read a study folder for an analysis; InputFaults with everything that must be mended first."""
    return load_study(folder, read_table=read_table)
