"""A whole single-arm trial with a planted truth: people, densities, answers, events, lots."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from anagen.errors import InputError

WEEKS: Final = {"baseline": 0, "week 4": 4, "week 12": 12}
"""The source study's visits (Ersan et al. 2024, doi 10.1007/s00266-024-04332-3, abstract)."""
STAGES: Final = ("III", "III vertex", "IV", "V", "VI")
ITEMS: Final = ("thickness", "shedding", "appearance", "burden", "again")
"""Items of the instrument `satisfaction-5`."""


@dataclass(frozen=True, eq=False)
class PlantedVisit:
    """What is true of one participant's scalp at one visit, and how it was photographed.

    Parameters
    ----------
    participant, visit : str
        Who and when.
    taken_on : date
        Day of the photograph.
    density_per_cm2 : float
        The density to plant.
    blur_um : float
        Standard deviation of the lens blur; above 40 the photo is a bad one on purpose.
    """

    participant: str
    visit: str
    taken_on: dt.date
    density_per_cm2: float
    blur_um: float


@dataclass(frozen=True, eq=False)
class PlantedLot:
    """What is true of one lot of vesicles.

    Parameters
    ----------
    lot : str
        Its name.
    median_nm, geometric_sd : float
        Of the log-normal distribution of diameters.
    """

    lot: str
    median_nm: float
    geometric_sd: float


@dataclass(frozen=True, eq=False)
class SyntheticTrial:
    """The tables of a trial and the truth behind them.

    Parameters
    ----------
    participants, survey, adverse_events : polars.DataFrame
        With the columns of the study folder's tables of those names.
    visits : tuple of PlantedVisit
        Photographs that were taken; a missed visit has none.
    lots : tuple of PlantedLot
        In the order of their names.
    mean_change : dict
        Visit to the planted mean change of density among the enrolled, hairs/cm2.
    """

    participants: pl.DataFrame
    survey: pl.DataFrame
    adverse_events: pl.DataFrame
    visits: tuple[PlantedVisit, ...]
    lots: tuple[PlantedLot, ...]
    mean_change: dict[str, float]


def simulate_trial(
    rng: np.random.Generator,
    *,
    n_enrolled: int = 30,
    mean_change: tuple[float, float] = (3.0, 7.0),
    sd_change: tuple[float, float] = (6.0, 9.0),
) -> SyntheticTrial:
    """Plant a trial of the source study's design: one arm, three visits, two lots, satisfaction at weeks 4 and 12.

    Every path of a real study is walked: screen failures (one a criterion), a missed visit, a visit outside its
    window, a blurred photograph, an unanswered item and an adverse event. The planted change is what such a scalp may
    show with no drug at all; it says nothing about any product.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of chance.
    n_enrolled : int
        People enrolled, at least 4.
    mean_change, sd_change : tuple of float
        Mean and between-person SD of the change of density from baseline to week 4 and to week 12, hairs/cm2.

    Returns
    -------
    SyntheticTrial

    Examples
    --------
    >>> trial = simulate_trial(np.random.default_rng(1))
    >>> trial.participants["status"].value_counts().sort("status")["count"].to_list()
    [30, 3]
    """
    if n_enrolled < 4:
        raise InputError(f"n_enrolled must be at least 4 so that every path is walked, got {n_enrolled}")
    participants = _simulate_people(rng, n_enrolled)
    enrolled = participants.filter(pl.col("status") == "enrolled")
    densities = _simulate_densities(rng, n_enrolled, mean_change, sd_change)
    return SyntheticTrial(
        participants=participants,
        survey=_simulate_answers(rng, enrolled["participant"].to_list()),
        adverse_events=_plant_events(enrolled),
        visits=_plan_visits(rng, enrolled, densities),
        lots=(PlantedLot("EXO-A", 120.0, 1.30), PlantedLot("EXO-B", 140.0, 1.22)),
        mean_change={
            visit: float((densities[:, k] - densities[:, 0]).mean()) for k, visit in enumerate(WEEKS) if k > 0
        },
    )


def _simulate_people(rng: np.random.Generator, n_enrolled: int) -> pl.DataFrame:
    first_day = dt.date(2025, 1, 13)
    rows: list[dict[str, object]] = [
        {
            "participant": f"P{number:02d}",
            "status": "enrolled",
            "site": "Site 1",
            "arm": "exosome",
            "sex": "male",
            "age": int(rng.integers(22, 66)),
            "norwood_hamilton": str(rng.choice(STAGES)),
            "fitzpatrick": int(rng.integers(1, 7)),
            "enrolled_on": (first_day + dt.timedelta(days=int(rng.integers(0, 180)))).isoformat(),
            "lot": "EXO-A" if number % 2 else "EXO-B",
        }
        for number in range(1, n_enrolled + 1)
    ]
    failures = [("female", 34, "IV"), ("male", 19, "III"), ("male", 41, "II")]
    rows += [
        {
            "participant": f"S{number:02d}",
            "status": "screen-failure",
            "site": "Site 1",
            "arm": None,
            "sex": sex,
            "age": age,
            "norwood_hamilton": stage,
            "fitzpatrick": None,
            "enrolled_on": None,
            "lot": None,
        }
        for number, (sex, age, stage) in enumerate(failures, start=1)
    ]
    return pl.DataFrame(rows)


def _simulate_densities(
    rng: np.random.Generator, n: int, mean_change: tuple[float, float], sd_change: tuple[float, float]
) -> np.ndarray:
    """Shape (n, 3): baseline, week 4, week 12; the two changes share a person's tendency (correlation 0.6)."""
    baseline = np.clip(rng.normal(145.0, 32.0, n), 75.0, 230.0)
    tendency = rng.multivariate_normal([0.0, 0.0], [[1.0, 0.6], [0.6, 1.0]], size=n)
    change = np.asarray(mean_change) + np.asarray(sd_change) * tendency
    return np.column_stack([baseline, np.maximum(baseline[:, None] + change, 20.0)])


def _plan_visits(rng: np.random.Generator, enrolled: pl.DataFrame, densities: np.ndarray) -> tuple[PlantedVisit, ...]:
    n = enrolled.height
    missed, blurred, late = (n // 3, "week 12"), (n // 2, "week 4"), (2 * n // 3, "week 12")
    visits = []
    for person, row in enumerate(enrolled.iter_rows(named=True)):
        for column, (visit, week) in enumerate(WEEKS.items()):
            day = dt.date.fromisoformat(row["enrolled_on"]) + dt.timedelta(weeks=week)
            day += dt.timedelta(days=int(rng.integers(-3, 4)) if week else 0)
            blur = float(rng.uniform(5.0, 9.0))
            if (person, visit) == missed:
                continue
            if (person, visit) == blurred:
                blur = 80.0
            if (person, visit) == late:
                day += dt.timedelta(days=21)
            visits.append(PlantedVisit(row["participant"], visit, day, float(densities[person, column]), blur))
    return tuple(visits)


def _simulate_answers(rng: np.random.Generator, people: list[str]) -> pl.DataFrame:
    """Five items of 1 to 5 from one latent satisfaction a person, a little higher at week 12 than at week 4."""
    cuts = np.array([-1.6, -0.7, 0.3, 1.3])
    latent = rng.normal(0.0, 0.8, len(people))
    difficulty = rng.normal(0.0, 0.25, len(ITEMS))
    rows = []
    for person, feeling in zip(people, latent, strict=True):
        for visit, shift in (("week 4", 0.2), ("week 12", 0.5)):
            for item, hardness in zip(ITEMS, difficulty, strict=True):
                level = feeling + shift - hardness + rng.normal(0.0, 0.7)
                rows.append((person, visit, "satisfaction-5", item, int(np.searchsorted(cuts, level)) + 1))
    unanswered, missed = 7, (people[len(people) // 3], "week 12")
    table = pl.DataFrame(rows, schema=["participant", "visit", "instrument", "item", "response"], orient="row")
    table = table.filter(~((pl.col("participant") == missed[0]) & (pl.col("visit") == missed[1])))
    return table.with_columns(
        response=pl.when(pl.int_range(pl.len()) == unanswered).then(None).otherwise(pl.col("response"))
    )


def _plant_events(enrolled: pl.DataFrame) -> pl.DataFrame:
    person = enrolled.row(enrolled.height // 4, named=True)
    onset = dt.date.fromisoformat(person["enrolled_on"]) + dt.timedelta(days=2)
    return pl.DataFrame(
        [
            {
                "participant": person["participant"],
                "onset": onset.isoformat(),
                "term": "injection site pain",
                "grade": 1,
                "serious": "no",
                "related": "probable",
                "outcome": "recovered",
            }
        ]
    )
