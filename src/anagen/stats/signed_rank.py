"""Did people change, without taking the changes as normal: exact signed-rank test, median shift, rank-biserial."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from anagen.errors import InputError, NotEnoughDataError
from anagen.records import Estimate, Flag

MAX_EXACT_N: Final = 500
"""Above this many changes the normal approximation is used: its error in p is then below 1e-4 (tests)."""
TIE_DIGITS: Final = 10
"""Digits of the largest change within which changes are equal: 0.3 - 0.1 and 0.2 are the same change."""
MAX_WALSH_N: Final = 10_000
"""Above this the n (n + 1) / 2 pairwise means do not fit in a laptop's memory."""

Zeros = Literal["wilcox", "pratt"]
Distribution = Literal["auto", "exact", "normal", "normal-corrected"]


@dataclass(frozen=True, slots=True)
class SignedRankTest:
    """Wilcoxon's signed-rank test and the estimates that belong to it.

    Parameters
    ----------
    n, n_zero, n_missing : int
        Changes measured; those that are 0 among them; people without a change.
    w_plus, w_minus : float
        Sums of the mid-ranks of the positive and of the negative changes.
    z : float
        (w_plus - its mean) / its standard deviation, given the ranks; NaN when nobody changed.
    p_value : float
        Two-sided, of the hypothesis that the changes are symmetric about 0.
    method : str
        ``exact`` or ``normal``, and the treatment of zeros.
    shift : Estimate
        Hodges-Lehmann estimate (median of pairwise means of all changes) with its distribution-free interval.
    rank_biserial : Estimate
        (w_plus - w_minus) / (w_plus + w_minus), -1 to 1.
    flags : tuple of Flag
        ``few-changes`` where so few people changed that no interval or no small p-value is possible;
        ``no-rank-biserial-interval`` where fewer than 3 changed or all in one direction.
    """

    n: int
    n_zero: int
    n_missing: int
    w_plus: float
    w_minus: float
    z: float
    p_value: float
    method: str
    shift: Estimate
    rank_biserial: Estimate
    flags: tuple[Flag, ...]


def signed_rank_test(
    changes: ArrayLike,
    *,
    zeros: Zeros = "wilcox",
    distribution: Distribution = "auto",
    unit: str = "1",
    level: float = 0.95,
) -> SignedRankTest:
    """Test whether changes are symmetric about 0, and estimate their centre.

    Given the sizes of the changes, under the hypothesis each sign is a fair coin: the distribution of `w_plus` is the
    convolution of the two-point distributions of the mid-ranks, exact under ties and zeros alike.

    Parameters
    ----------
    changes : array_like, shape (n,)
        One change a person; NaN where not measured.
    zeros : {"wilcox", "pratt"}
        ``wilcox`` leaves the zeros out before ranking; ``pratt`` ranks them, then leaves their ranks out.
    distribution : {"auto", "exact", "normal", "normal-corrected"}
        ``auto`` is exact up to `MAX_EXACT_N` people who changed. The normal ones, with the ties' own variance and with
        or without a continuity correction, are there to compare with other programs.
    unit : str
        Unit of the changes as printed.
    level : float
        Confidence level of both intervals.

    Returns
    -------
    SignedRankTest
        With `p_value` 1 when nobody changed.

    Raises
    ------
    InputError
        When a change is infinite or there are more than `MAX_WALSH_N`.
    NotEnoughDataError
        When there is no change at all to look at.

    References
    ----------
    Pratt (1959), J Am Stat Assoc 54:655; Hollander, Wolfe, Chicken (2014), Nonparametric Statistical Methods, sec. 3.1
    to 3.3; Noether (1967), J Am Stat Assoc 62:184: under ties the closed interval covers at least as often as stated.

    Examples
    --------
    >>> test = signed_rank_test([1, 1, 2, 3, -1, 0])
    >>> test.p_value, test.shift.value
    (0.25, 1.0)
    """
    measured, n_missing = _check(changes, zeros, level)
    if distribution not in get_args(Distribution):
        raise InputError(f"distribution must be one of {', '.join(get_args(Distribution))}, got {distribution!r}")
    ranks, signs = _signed_ranks(measured, zeros)
    w_plus, w_minus = float(ranks[signs > 0].sum()), float(ranks[signs < 0].sum())
    n, n_changed = len(measured), int(np.count_nonzero(signs))
    exact = distribution == "exact" or (distribution == "auto" and n_changed <= MAX_EXACT_N)
    changed = ranks[signs != 0]
    corrected = distribution == "normal-corrected"
    p_value = _exact_p(changed, w_plus) if exact else _normal_p(changed, w_plus, 0.5 if corrected else 0.0)
    shift = _median_shift(measured, unit, level)
    flags = []
    if math.isnan(shift.ci_low):
        message = f"{n} changes allow no interval of level {level:g}"
        flags.append(Flag("few-changes", "warning", message, "Observe more people", float(n)))
    elif 2.0 ** (1 - n_changed) > 1 - level:
        message = f"only {n_changed} people changed: no p-value can fall below {2.0 ** (1 - n_changed):g}"
        flags.append(Flag("few-changes", "warning", message, "Observe more people", float(n_changed)))
    biserial = _rank_biserial(ranks, signs, n, level, p_value)
    if math.isnan(biserial.ci_low):
        message = f"{n_changed} people changed{', all in one direction' if abs(biserial.value) == 1 else ''}"
        advice = "Give the rank-biserial without an interval; use the shift"
        flags.append(Flag("no-rank-biserial-interval", "note", message, advice, float(n_changed)))
    return SignedRankTest(
        n=n,
        n_zero=n - n_changed,
        n_missing=n_missing,
        w_plus=w_plus,
        w_minus=w_minus,
        z=_z(changed, w_plus),
        p_value=p_value,
        method=f"signed rank, {'exact' if exact else distribution.replace('auto', 'normal')}, zeros {zeros}",
        shift=shift,
        rank_biserial=biserial,
        flags=tuple(flags),
    )


def _check(changes: ArrayLike, zeros: str, level: float) -> tuple[np.ndarray, int]:
    values = np.asarray(changes, dtype=float)
    if values.ndim != 1 or np.isinf(values).any():
        raise InputError(f"changes needs one finite value a person (NaN: not measured), got shape {values.shape}")
    if zeros not in get_args(Zeros):
        raise InputError(f'zeros must be "wilcox" or "pratt", got {zeros!r}: choose how to treat no change')
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, got {level}: give a proportion, not a percentage")
    measured = values[~np.isnan(values)]
    if not len(measured):
        raise NotEnoughDataError("nobody has a change: both visits are needed of at least one person")
    if len(measured) > MAX_WALSH_N:
        raise InputError(f"more than {MAX_WALSH_N} changes ({len(measured)}): use estimate_change")
    return measured, int(np.isnan(values).sum())


def _signed_ranks(measured: np.ndarray, zeros: Zeros) -> tuple[np.ndarray, np.ndarray]:
    """Mid-ranks of the absolute changes and their signs; what differs by rounding alone is tied."""
    largest = float(np.abs(measured).max())
    rounded = np.round(measured / largest, TIE_DIGITS) if largest > 0 else measured
    kept = rounded[rounded != 0] if zeros == "wilcox" else rounded
    return stats.rankdata(np.abs(kept)), np.sign(kept)


def _exact_p(ranks: np.ndarray, w_plus: float) -> float:
    probabilities = _sign_flip_distribution(np.rint(2 * ranks).astype(int))
    # The distribution is symmetric, so the two-sided p doubles the tail that W lies in.
    at = round(2 * w_plus)
    at = min(at, len(probabilities) - 1 - at)
    return min(1.0, 2 * float(probabilities[: at + 1].sum()))


def _sign_flip_distribution(doubled_ranks: np.ndarray) -> np.ndarray:
    """P(sum of the doubled ranks with a positive sign = k) for k = 0 ... their total, each sign a fair coin."""
    probabilities = np.zeros(int(doubled_ranks.sum()) + 1)
    probabilities[0] = 1.0
    reached = 0
    for rank in np.sort(doubled_ranks):
        shifted = probabilities[: reached + 1].copy()
        probabilities[: reached + 1] *= 0.5
        probabilities[rank : rank + reached + 1] += 0.5 * shifted
        reached += int(rank)
    return probabilities


def _z(ranks: np.ndarray, w_plus: float, correction: float = 0.0) -> float:
    if not len(ranks):
        return math.nan
    distance = w_plus - float(ranks.sum()) / 2
    distance = math.copysign(max(abs(distance) - correction, 0.0), distance)
    return distance / math.sqrt(float(np.sum(ranks**2)) / 4)


def _normal_p(ranks: np.ndarray, w_plus: float, correction: float = 0.0) -> float:
    return float(2 * stats.norm.sf(abs(_z(ranks, w_plus, correction)))) if len(ranks) else 1.0


def _median_shift(measured: np.ndarray, unit: str, level: float) -> Estimate:
    n = len(measured)
    rows, cols = np.triu_indices(n)
    pairwise = np.sort((measured[rows] + measured[cols]) / 2)
    tail = _interval_rank(n, (1 - level) / 2)
    low, high = (float(pairwise[tail - 1]), float(pairwise[-tail])) if tail else (math.nan, math.nan)
    return Estimate(float(np.median(pairwise)), unit, low, high, n, "Hodges-Lehmann, distribution-free", level)


def _interval_rank(n: int, tail: float) -> int:
    """Largest k with P(W <= k - 1) <= tail without ties: the k-th pairwise mean from each end bounds the shift."""
    if n > MAX_EXACT_N:
        mean, sd = n * (n + 1) / 4, math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return int(mean - float(stats.norm.isf(tail)) * sd)
    cumulative = np.cumsum(_sign_flip_distribution(np.arange(1, n + 1)))
    return int(np.searchsorted(cumulative, tail * (1 + 1e-12), side="right"))


def _rank_biserial(ranks: np.ndarray, signs: np.ndarray, n: int, level: float, p_value: float) -> Estimate:
    """Kerby's simple difference, with an interval on Fisher's z scale from the jackknife over people.

    The usual interval takes the variance of W in n people when nothing changes; with zeros or a clear effect it covers
    54 to 85 % instead of 95 (docs/methods/signed_rank.md). The jackknife does not suppose either.
    """
    method = "matched-pairs rank-biserial, jackknife on Fisher's z"
    n_changed = int(np.count_nonzero(signs))
    r = float(ranks @ signs / ranks[signs != 0].sum()) if n_changed else math.nan
    if n_changed < 3 or abs(r) == 1:
        return Estimate(r, "1", math.nan, math.nan, n, method, level, p_value)
    without = np.append(_rank_biserial_without_each(ranks, signs), np.full(n - len(ranks), r))
    error = math.sqrt((n - 1) / n * float(np.sum((without - without.mean()) ** 2))) / (1 - r**2)
    reach = float(stats.t.isf((1 - level) / 2, n_changed - 1)) * error
    low, high = math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)
    return Estimate(r, "1", low, high, n, method, level, p_value)


def _rank_biserial_without_each(ranks: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Rank-biserial without person i, for each i: larger changes fall by one rank, equal ones by a half."""
    _, group = np.unique(ranks, return_inverse=True)
    changed = (signs != 0).astype(float)

    def fall(values: np.ndarray) -> np.ndarray:
        within = np.bincount(group, weights=values)
        larger = within.sum() - np.cumsum(within)
        return np.asarray(larger[group] + (within[group] - values) / 2)

    difference = ranks @ signs - ranks * signs - fall(signs)
    total = ranks @ changed - ranks * changed - fall(changed)
    return np.asarray(difference / total)
