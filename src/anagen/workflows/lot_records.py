"""The record of each lot: what its measurement knows, what lots.csv and the treatment say, and what nobody said."""

from __future__ import annotations

from collections.abc import Sequence

from anagen.study.folder import Study
from anagen.study.records import Lot
from anagen.vesicles.lot import LotRecord, record_of_movie
from anagen.workflows.collect import MeasuredMovie
from anagen.workflows.results import LotExport


def record_lots(study: Study, movies: Sequence[MeasuredMovie], exports: Sequence[LotExport]) -> dict[str, LotRecord]:
    """Fill a record for each lot of lots.csv.

    Parameters
    ----------
    study : Study
        For the rows of lots.csv, and what lot_records.toml adds.
    movies : sequence of MeasuredMovie
        Of all lots.
    exports : sequence of LotExport
        Vendors' exports, which carry a record of their own.

    Returns
    -------
    dict of str to LotRecord
    """
    return {lot.lot: _record(study, lot, movies, exports) for lot in study.lots}


def _record(study: Study, lot: Lot, movies: Sequence[MeasuredMovie], exports: Sequence[LotExport]) -> LotRecord:
    measured = [m for m in movies if m.movie.lot == lot.lot and m.vesicles is not None]
    record = LotRecord()
    for exported in exports:
        if exported.lot.lot == lot.lot and exported.export is not None:
            record = record.add(**exported.export.record.values)
    if measured and measured[0].vesicles is not None:
        record = record.add(**record_of_movie(measured[0].vesicles, n_movies=len(measured)).values)
        hashes = ", ".join(f"{m.movie.file} ({m.provenance.input_sha256[:12]})" for m in measured)
        record = record.add(raw_data=hashes)
    record = record.add(sample=f"{lot.lot} ({lot.product})" if lot.product else lot.lot)
    return record.add(**study.lot_records.get(lot.lot, {}))
