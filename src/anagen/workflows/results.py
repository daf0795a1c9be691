"""Everything that a run found, before it is put into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from anagen.records import Estimate, Provenance
from anagen.safety.proportion import EventProportion
from anagen.study.folder import Study
from anagen.study.records import Lot
from anagen.surveys.instrument import Instrument
from anagen.vesicles.lot import LotRecord
from anagen.vesicles.vendor import VendorLot
from anagen.workflows.analyse import OutcomeAnalysis
from anagen.workflows.collect import MeasuredImage, MeasuredMovie
from anagen.workflows.follow import FollowedHairs
from anagen.workflows.missing import MissingValues


@dataclass(frozen=True, eq=False)
class SurveyResults:
    """One instrument's answers and scores.

    Parameters
    ----------
    instrument : Instrument
        What was asked.
    answers, scores : polars.DataFrame
        participant, visit, item, response; and the output of `anagen.surveys.score_survey`.
    notes : tuple of str
        What a reader must know.
    """

    instrument: Instrument
    answers: pl.DataFrame
    scores: pl.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class LotExport:
    """A lot that was measured elsewhere.

    Parameters
    ----------
    lot : Lot
        Its row in lots.csv.
    export : VendorLot or None
        What its export file says; None when it could not be read.
    estimates : mapping of str to Estimate
        Sizes and undiluted concentration, from `VendorLot.estimates`.
    failure : str
        Why, in one line.
    """

    lot: Lot
    export: VendorLot | None
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True, eq=False)
class Planted:
    """The truth of a synthetic study.

    Parameters
    ----------
    densities : polars.DataFrame
        participant, visit, measured, planted; one row a counted photograph.
    mean_change : dict
        Visit to the mean planted change from baseline among those analysed.
    lots : dict
        Lot to planted median diameter, nm.
    """

    densities: pl.DataFrame
    mean_change: Mapping[str, float]
    lots: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class StudyResults:
    """What `run_study` found.

    Parameters
    ----------
    study : Study
        The folder.
    images, movies : tuple
        Each file and what became of it.
    followed : tuple of FollowedHairs
        The same hairs at baseline and later.
    lot_exports : tuple of LotExport
        Lots measured elsewhere.
    analyses : tuple of OutcomeAnalysis
        In the order of the protocol's outcomes.
    surveys : tuple of SurveyResults
        One an instrument.
    harms : EventProportion or None
        People with any adverse event; None when events were not collected.
    harm_tables, harm_notes
        As printed.
    analysis_notes : tuple of str
        How the estimates were made.
    planted : Planted or None
        For synthetic studies only.
    provenance : tuple of (name, Provenance)
        Of every measurement.
    lot_records : mapping of lot to LotRecord
        What is known of each lot, and what is not.
    missing : MissingValues or None
        How far the primary outcome's answer leans on values that nobody measured.
    """

    study: Study
    images: tuple[MeasuredImage, ...]
    movies: tuple[MeasuredMovie, ...]
    followed: tuple[FollowedHairs, ...]
    lot_exports: tuple[LotExport, ...]
    analyses: tuple[OutcomeAnalysis, ...]
    surveys: tuple[SurveyResults, ...]
    harms: EventProportion | None
    harm_tables: Mapping[str, pl.DataFrame]
    harm_notes: tuple[str, ...]
    analysis_notes: tuple[str, ...]
    planted: Planted | None
    provenance: tuple[tuple[str, Provenance], ...]
    lot_records: Mapping[str, LotRecord] = field(default_factory=dict)
    missing: MissingValues | None = None
