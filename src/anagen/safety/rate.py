"""Events per time at risk, for people who were followed for different times."""

from __future__ import annotations

import math

from scipy import stats

from anagen.errors import InputError
from anagen.records import Estimate


def estimate_event_rate(
    n_events: int, exposure_person_years: float, *, n_people: int, per_person_years: float = 1.0, level: float = 0.95
) -> Estimate:
    """Estimate the rate of events per time at risk, with Garwood's exact interval of a Poisson count.

    Events are taken as independent with a constant rate. Count each person once, with the time until the first event
    as exposure, where one person's events come in series.

    Parameters
    ----------
    n_events : int
        0 or more.
    exposure_person_years : float
        Summed time at risk, above 0.
    n_people : int
        People who contributed the time.
    per_person_years : float
        Unit of the result: 1 or 100 person-years.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    Estimate
        In events per `per_person_years` person-years.

    References
    ----------
    Garwood (1936), Biometrika 28:437.

    Examples
    --------
    >>> rate = estimate_event_rate(0, 6.9, n_people=30)
    >>> round(rate.ci_high, 4)
    0.5346
    """
    if n_events != int(n_events) or n_events < 0:
        raise InputError(f"n_events must be a whole number from 0, got {n_events}: count the events")
    if not (exposure_person_years > 0 and math.isfinite(exposure_person_years)):
        raise InputError(
            f"exposure_person_years must be above 0, got {exposure_person_years}: sum each person's time at risk"
        )
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, got {level}: give a proportion, not a percentage")
    tail = (1 - level) / 2
    low = 0.0 if n_events == 0 else float(stats.gamma.ppf(tail, n_events))
    high = float(stats.gamma.isf(tail, n_events + 1))
    scale = per_person_years / exposure_person_years
    unit = f"events/{per_person_years:g} person-years" if per_person_years != 1 else "events/person-year"
    return Estimate(n_events * scale, unit, low * scale, high * scale, n_people, "exact Poisson (Garwood)", level)
