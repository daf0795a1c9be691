"""Several movies of one sample, or several samples: mean, scatter and where the scatter comes from; blanks; beads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from anagen.errors import InputError
from anagen.vesicles.measurement import VesicleMeasurement


@dataclass(frozen=True)
class ReplicateSummary:
    """One quantity over replicates.

    Parameters
    ----------
    mean, ci_low, ci_high : float
        Mean of the biological replicates' means, and its 95 % interval; NaN ends with one replicate.
    sd, cv : float
        Standard deviation between biological replicates as measured, and over the mean; NaN with one.
    technical_sd, technical_cv : float
        Within a biological replicate (repeated movies), pooled; NaN without repeats.
    biological_sd, biological_cv : float
        Between biological replicates, less what the technical scatter explains; at least 0.
    n_biological, n_technical : int
        Replicates, and movies in all.
    """

    mean: float
    ci_low: float
    ci_high: float
    sd: float
    cv: float
    technical_sd: float
    technical_cv: float
    biological_sd: float
    biological_cv: float
    n_biological: int
    n_technical: int


def summarize_replicates(values: Sequence[float], biological: Sequence[str]) -> ReplicateSummary:
    """Tell technical from biological scatter by a one-way analysis of variance.

    Movies of one preparation share everything but chance and the instrument; they are not independent samples, so
    the mean's interval rests on the preparations (Student's t with one degree of freedom less than their number).

    Parameters
    ----------
    values : sequence of float
        One value a movie, for example D50 or concentration; all finite.
    biological : sequence of str
        The preparation that each movie shows.

    Returns
    -------
    ReplicateSummary
        Mean, scatter and its parts.

    Raises
    ------
    InputError
        When there is no value, one is not finite or the two differ in length.

    Examples
    --------
    >>> s = summarize_replicates([100.0, 102.0, 110.0, 112.0], ["a", "a", "b", "b"])
    >>> s.mean, round(s.technical_sd, 3), round(s.biological_sd, 3)
    (106.0, 1.414, 7.0)
    """
    data = np.asarray(values, float)
    if data.size == 0 or data.size != len(biological) or not np.all(np.isfinite(data)):
        raise InputError(
            f"values must be finite and as many as biological, got {data.size} and {len(biological)}: leave out movies "
            "that were refused"
        )
    names = sorted(set(biological))
    groups = [data[[name == one for name in biological]] for one in names]
    means = np.array([group.mean() for group in groups])
    sizes = np.array([group.size for group in groups])
    n, k = data.size, len(groups)
    mean = float(means.mean())
    sd = float(means.std(ddof=1)) if k > 1 else math.nan
    within = sum(float(np.sum((group - group.mean()) ** 2)) for group in groups)
    technical = math.sqrt(within / (n - k)) if n > k else math.nan
    share = (technical**2 if n > k else 0.0) * float(np.mean(1.0 / sizes))
    between = math.sqrt(max(sd**2 - share, 0.0)) if k > 1 else math.nan
    half = float(student.ppf(0.975, k - 1)) * sd / math.sqrt(k) if k > 1 else math.nan
    return ReplicateSummary(
        mean, mean - half, mean + half, sd, sd / mean, technical, technical / mean, between, between / mean, k, n
    )


def subtract_blank(
    sample_per_ml: float, sample_interval: tuple[float, float], blank_per_ml: float, blank_interval: tuple[float, float]
) -> tuple[float, tuple[float, float]]:
    """Concentration less that of the diluent alone, both measured at the same settings and dilution.

    The interval joins the distances of both ends (MOVER, Zou and Donner 2008). A difference below zero stays below
    zero: it says that the sample is not told from its diluent.

    Examples
    --------
    >>> subtract_blank(5e8, (4e8, 6e8), 1e8, (1e8, 1e8))
    (400000000.0, (300000000.0, 500000000.0))
    """
    low = math.hypot(sample_per_ml - sample_interval[0], blank_interval[1] - blank_per_ml)
    high = math.hypot(sample_interval[1] - sample_per_ml, blank_per_ml - blank_interval[0])
    left = sample_per_ml - blank_per_ml
    return left, (left - low, left + high)


@dataclass(frozen=True)
class SuitabilityCheck:
    """Whether a bead standard came out as certified.

    Parameters
    ----------
    certified_nm, certified_uncertainty_nm : float
        Mode or mean diameter of the certificate and its expanded uncertainty (k = 2).
    measured_nm, measured_interval_nm : float, (float, float)
        D50 found and its 95 % interval.
    deviation : float
        Measured over certified, less 1.
    tolerance : float
        Largest deviation allowed.
    passed : bool
        Whether the deviation is within the tolerance and the certificate's uncertainty, joined in quadrature.
    """

    certified_nm: float
    certified_uncertainty_nm: float
    measured_nm: float
    measured_interval_nm: tuple[float, float]
    deviation: float
    tolerance: float
    passed: bool


def check_beads(
    beads: VesicleMeasurement,
    *,
    certified_nm: float,
    certified_uncertainty_nm: float = 0.0,
    tolerance: float = 0.05,
) -> SuitabilityCheck:
    """System suitability: the D50 of a bead standard against its certificate.

    Parameters
    ----------
    beads : VesicleMeasurement
        Of the standard, on the day and with the settings of the samples.
    certified_nm, certified_uncertainty_nm : float
        From the certificate; hydrodynamic diameters are some nm above those of electron microscopy.
    tolerance : float
        Largest relative deviation, beside the certificate's own uncertainty. Laboratories agree within 5 % (CV) on
        monodisperse beads (ASME J Micro Nano-Manuf 2017;5:041002).

    Returns
    -------
    SuitabilityCheck
        To be stored with the lot.
    """
    if not certified_nm > 0.0:
        raise InputError(f"certified_nm must be positive, got {certified_nm}")
    measured = beads.sizes.d50_nm
    deviation = measured / certified_nm - 1.0
    allowed = math.hypot(tolerance, certified_uncertainty_nm / certified_nm)
    return SuitabilityCheck(
        certified_nm,
        certified_uncertainty_nm,
        measured,
        beads.sizes.intervals["d50_nm"],
        deviation,
        tolerance,
        not beads.refused and abs(deviation) <= allowed,
    )
