"""Any instrument's export of a vesicle lot: tell whose it is, and read it."""

from __future__ import annotations

from pathlib import Path

from anagen.errors import InputError
from anagen.formats.nanosight import EXPERIMENT_TITLE, SINGLE_TITLE, read_nanosight_summary
from anagen.formats.vendor_text import read_text
from anagen.formats.zetaview import read_zetaview_size
from anagen.vesicles.vendor import VendorLot


def read_vendor_lot(path: str | Path) -> VendorLot:
    """Read a NanoSight summary or a ZetaView size distribution, told apart by content.

    Parameters
    ----------
    path : str or Path
        ``...ExperimentSummary.csv``, ``..._Summary.csv`` or ``..._size_....txt``.

    Returns
    -------
    VendorLot

    Raises
    ------
    InputError
        When it is neither, or cut off.
    """
    path = Path(path)
    text, _ = read_text(path, "an export of NanoSight or ZetaView")
    head = text[:4000]
    if EXPERIMENT_TITLE in head or SINGLE_TITLE in head:
        return read_nanosight_summary(path)
    if "ZetaView" in head:
        return read_zetaview_size(path)
    raise InputError(
        f"{path}: {_name_other(head)}; give NanoSight's ExperimentSummary.csv or ZetaView's _size_ text file"
    )


def _name_other(head: str) -> str:
    first = head.partition("\n")[0]
    if first.startswith("Use\tPosition"):
        return "is ZetaView's table of positions, which holds no size distribution"
    if "Included in distribution?" in first:
        return "is NanoSight's list of tracks, which holds no concentration"
    if "[CaptureSettings]" in head:
        return "is a NanoSight .nano file, which holds no results"
    return "is no export of NanoSight or ZetaView"
