"""A lot measured elsewhere: what an instrument's own program exported, kept as exported and read by one convention."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy import stats

from anagen.errors import InputError
from anagen.records import Estimate, Flag
from anagen.vesicles.distribution import BinnedSizes, Weighting, average_sizes
from anagen.vesicles.lot import LotRecord

PRINTED_STATISTICS: Final = ("mean_nm", "sd_nm", "mode_nm", "d10_nm", "d50_nm", "d90_nm")
"""What a vendor may print beside a distribution, by the names of `BinnedSizes`."""
_SIZES: Final = ("d10_nm", "d50_nm", "d90_nm", "mode_nm", "mean_nm", "sd_nm")


@dataclass(frozen=True, eq=False)
class VendorRun:
    """One movie (NanoSight) or one filling of the cell (ZetaView).

    Parameters
    ----------
    name : str
        Of the movie.
    sizes : tuple of BinnedSizes
        One per weighting, by the vendor's convention; empty when the run failed.
    concentration_per_ml : float
        Particles/mL as exported; NaN when the run failed.
    n_tracks : float
        Tracks behind the distribution; NaN when not exported.
    particles_per_frame : float
        NaN when not exported.
    printed : mapping of str to str
        The vendor's own statistics as printed, for example ``number.d50_nm``.
    """

    name: str
    sizes: tuple[BinnedSizes, ...]
    concentration_per_ml: float
    n_tracks: float = math.nan
    particles_per_frame: float = math.nan
    printed: Mapping[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether it holds no distribution."""
        return not any(sizes.total > 0 for sizes in self.sizes)

    def weighted_by(self, weighting: Weighting) -> BinnedSizes:
        """Give the exported distribution of this weighting.

        Raises
        ------
        InputError
            When the export has none.
        """
        for sizes in self.sizes:
            if sizes.weighting == weighting:
                return sizes
        raise InputError(f"run {self.name} has no {weighting} distribution: export it, or reweight the number one")

    def disagreements(self) -> tuple[str, ...]:
        """Name each printed statistic that the distribution does not reproduce to its last printed digit."""
        found = []
        for name, text in self.printed.items():
            weighting, statistic = name.split(".")
            matching = [sizes for sizes in self.sizes if sizes.weighting == weighting and sizes.total > 0]
            if matching and not _prints_as(getattr(matching[0], statistic), text):
                found.append(f"{name}: printed {text}, from the bins {getattr(matching[0], statistic):.3f}")
        return tuple(found)


@dataclass(frozen=True, eq=False)
class VendorLot:
    """Every run of one export, with the record of how it was made.

    Parameters
    ----------
    instrument : str
        ``NanoSight`` or ``ZetaView``.
    kind : str
        Which export of it.
    runs : tuple of VendorRun
        Technical replicates.
    record : LotRecord
        Settings, as exported.
    sha256 : str
        Of the file.
    dilution : float
        As recorded by the instrument; NaN where it was not.
    dilution_applied : bool
        Whether `VendorRun.concentration_per_ml` already includes it.
    settings : mapping of str to str
        Every setting, verbatim, by ``Section/Name``; several runs separated by ``; ``.
    flags : tuple of Flag
        What a reader must know; conventions are flags of severity ``note``.
    """

    instrument: str
    kind: str
    runs: tuple[VendorRun, ...]
    record: LotRecord
    sha256: str
    dilution: float
    dilution_applied: bool
    settings: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()

    @property
    def good_runs(self) -> tuple[VendorRun, ...]:
        """Runs that hold a distribution."""
        return tuple(run for run in self.runs if not run.failed)

    @property
    def sizes(self) -> BinnedSizes:
        """Number distribution averaged over the good runs, in the vendor's convention.

        Raises
        ------
        InputError
            When every run failed.
        """
        if not self.good_runs:
            raise InputError("every run of this export failed: measure the lot again")
        return average_sizes([run.weighted_by("number") for run in self.good_runs])

    def estimates(self, dilution: float | None = None) -> dict[str, Estimate]:
        """Sizes read at the bins' upper edges, and the concentration of the undiluted lot, each with its interval.

        From several runs: mean and t interval over runs, which holds what changes between movies of one filling and
        nothing else (no lot-to-lot, operator or calibration share). From one run: percentiles with the interval of
        order statistics over its tracks; no interval for the rest.

        Parameters
        ----------
        dilution : float, optional
            Overrides what the instrument recorded, for example from the laboratory book.

        Returns
        -------
        dict
            Keys d10_nm, d50_nm, d90_nm, mode_nm, mean_nm, sd_nm, concentration_per_ml; empty when every run failed.

        Raises
        ------
        InputError
            When `dilution` is below 1, or contradicts a dilution that the export has already applied.
        """
        if not self.good_runs:
            return {}
        found = {name: self._size(name) for name in _SIZES}
        found["concentration_per_ml"] = self._concentration(dilution)
        return found

    def _size(self, name: str) -> Estimate:
        read = [run.weighted_by("number").read_as("upper-edge") for run in self.good_runs]
        values = np.array([getattr(sizes, name) for sizes in read])
        if len(values) > 1:
            return _mean_with_interval(values, "nm")
        low, high = math.nan, math.nan
        n_tracks = self.good_runs[0].n_tracks
        if name in ("d10_nm", "d50_nm", "d90_nm") and n_tracks > 1:
            low, high = _order_statistics_interval(read[0], float(name[1:3]), round(n_tracks))
        return Estimate(float(values[0]), "nm", low, high, round(np.nan_to_num(n_tracks)), "one run; order statistics")

    def _concentration(self, dilution: float | None) -> Estimate:
        factor = self._factor(dilution)
        values = factor * np.array([run.concentration_per_ml for run in self.good_runs])
        known = self.dilution_applied or dilution is not None or not math.isnan(self.dilution)
        of = "" if known else "; of the sample as measured, its dilution is not recorded"
        if len(values) > 1:
            found = _mean_with_interval(values, "particles/mL")
            return dataclasses.replace(found, method=found.method + of)
        method = f"one run; no interval can be given{of}"
        return Estimate(float(values[0]), "particles/mL", math.nan, math.nan, 1, method)

    def _factor(self, dilution: float | None) -> float:
        if dilution is not None and not dilution >= 1:
            raise InputError(f"dilution must be at least 1 (undiluted), got {dilution}: give the factor, 500 for 1:500")
        if not self.dilution_applied:
            recorded = 1.0 if math.isnan(self.dilution) else self.dilution
            return recorded if dilution is None else dilution
        if dilution is not None and not math.isclose(dilution, self.dilution, rel_tol=0.01):
            raise InputError(
                f"dilution is {dilution:g}, but the export has already applied {self.dilution:g}: correct one of them"
            )
        return 1.0


def _mean_with_interval(values: np.ndarray, unit: str) -> Estimate:
    n = len(values)
    mean, half = float(values.mean()), float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / math.sqrt(n))
    return Estimate(mean, unit, mean - half, mean + half, n, f"mean of {n} runs, t interval between runs")


def _order_statistics_interval(sizes: BinnedSizes, percent: float, n: int) -> tuple[float, float]:
    """Interval of a percentile from n independent tracks: ranks by the binomial (Conover 1999, section 3.2)."""
    low, high = (float(stats.binom.ppf(tail, n, percent / 100)) for tail in (0.025, 0.975))
    ranks = 100 * np.clip([low / n, (high + 1) / n], 0, 1)
    return sizes.percentile_nm(float(ranks[0])), sizes.percentile_nm(float(ranks[1]))


def _prints_as(value: float, text: str) -> bool:
    """Whether `value` rounds to the printed `text` (ties either way: the bins are themselves rounded)."""
    digits = len(text.split("e", maxsplit=1)[0].partition(".")[2])
    exponent = int(text.lower().partition("e")[2] or 0)
    return abs(value - float(text)) <= 0.5 * 10.0 ** (exponent - digits) * (1 + 1e-6)
