"""What a person's later course would have been after leaving treatment: one assumption about missing data per function.

Each gives the mean and covariance over all visits from which the missing ones are imputed, given what was seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Strategy = Literal["mar", "jump-to-reference", "copy-reference", "copy-increments", "last-mean-carried-forward"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


class Course(NamedTuple):
    """Expected course of people, and the covariance about it.

    Parameters
    ----------
    mean : ndarray, shape (n, m)
        One row a person, one column a visit.
    sigma : ndarray, shape (m, m)
        Covariance between visits.
    """

    mean: Floats
    sigma: Floats


def assume_course(strategy: Strategy, own: Course, reference: Course, event: int) -> Course:
    """Give the course under a strategy for people whose event comes just before visit `event`.

    Parameters
    ----------
    strategy : str
        ``mar``: as others of the own arm with the same past. ``jump-to-reference``: from the event on, the mean of the
        reference arm. ``copy-reference``: the reference arm at all visits, so that a better past still helps.
        ``copy-increments``: changes from the last visit before the event as in the reference arm.
        ``last-mean-carried-forward``: the own arm's mean stays where it was.
    own, reference : Course
        Under the own and the reference arm, with the same covariates.
    event : int
        Index of the first visit after the event; m where there is none.

    Returns
    -------
    Course

    References
    ----------
    Carpenter JR, Roger JH, Kenward MG. Analysis of longitudinal trials with protocol deviation. J Biopharm Stat
    2013;23:1352, section 3. With no visit before the event, the last two begin from the reference and the own mean.
    """
    if event >= own.mean.shape[1]:
        return own
    return _STRATEGIES[strategy](own, reference, event)


def _missing_at_random(own: Course, _reference: Course, _event: int) -> Course:
    return own


def _jump_to_reference(own: Course, reference: Course, event: int) -> Course:
    mean = np.concatenate([own.mean[:, :event], reference.mean[:, event:]], axis=1)
    return Course(mean, _join_covariances(own.sigma, reference.sigma, event))


def _copy_reference(_own: Course, reference: Course, _event: int) -> Course:
    return reference


def _copy_increments(own: Course, reference: Course, event: int) -> Course:
    if event == 0:
        return reference
    last = event - 1
    increments = reference.mean[:, event:] - reference.mean[:, last : last + 1]
    mean = np.concatenate([own.mean[:, :event], own.mean[:, last : last + 1] + increments], axis=1)
    return Course(mean, _join_covariances(own.sigma, reference.sigma, event))


def _carry_last_mean(own: Course, _reference: Course, event: int) -> Course:
    if event == 0:
        return own
    mean = own.mean.copy()
    mean[:, event:] = own.mean[:, event - 1 : event]
    return Course(mean, own.sigma)


_STRATEGIES: dict[str, Callable[[Course, Course, int], Course]] = {
    "mar": _missing_at_random,
    "jump-to-reference": _jump_to_reference,
    "copy-reference": _copy_reference,
    "copy-increments": _copy_increments,
    "last-mean-carried-forward": _carry_last_mean,
}


def _join_covariances(own: Floats, reference: Floats, event: int) -> Floats:
    """Own covariance before the event; later visits regress on earlier ones as in the reference arm."""
    if event == 0:
        return reference
    past, later = slice(None, event), slice(event, None)
    slopes = np.linalg.solve(reference[past, past], reference[past, later]).T
    joined = np.empty_like(own)
    joined[past, past] = own[past, past]
    joined[later, past] = slopes @ own[past, past]
    joined[past, later] = joined[later, past].T
    joined[later, later] = reference[later, later] - slopes @ (reference[past, past] - own[past, past]) @ slopes.T
    return joined
