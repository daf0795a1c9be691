"""A size distribution in bins, as instruments export it, and its D-values by the convention that each one uses.

Programs agree on bins and disagree on where in a bin its content is counted: at its upper edge, its centre or its
lower edge. A D50 moves by up to one bin with that choice, so a distribution carries its convention, reproduces the
vendor's own number by it, and can be read by another.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from anagen.errors import InputError

CountedAt = Literal["upper-edge", "centre", "lower-edge"]
Weighting = Literal["number", "surface", "volume"]

_POWER: Final = {"number": 0, "surface": 2, "volume": 3}
_FRACTION_UP: Final = {"upper-edge": 1.0, "centre": 0.5, "lower-edge": 0.0}


@dataclass(frozen=True, eq=False)
class BinnedSizes:
    """How much of a sample lies in each size class.

    Parameters
    ----------
    edge_nm : ndarray, shape (n + 1,)
        Edges of the bins, rising.
    amount : ndarray, shape (n,)
        Content of each bin, in `unit`; not divided by the bin's width.
    weighting : {"number", "surface", "volume"}
        What is counted: particles, their surface, or their volume.
    unit : str
        Of `amount`: ``particles/mL``, ``traces``, ...
    counted_at : {"upper-edge", "centre", "lower-edge"}
        Where in a bin the cumulative distribution has taken in its content. ``upper-edge`` is the only one without
        a shift: it spreads the content evenly over the bin.
    sd_of : {"population", "sample"}
        ``sample`` divides by the total minus one (counts only).
    largest_nm : float
        Percentiles above are printed as this (an instrument's display limit).

    Examples
    --------
    >>> sizes = BinnedSizes(np.array([0.0, 10.0, 20.0]), np.array([1.0, 1.0]), "number", "traces")
    >>> float(sizes.d50_nm), float(sizes.read_as("centre").d50_nm)
    (10.0, 5.0)
    """

    edge_nm: np.ndarray
    amount: np.ndarray
    weighting: Weighting
    unit: str
    counted_at: CountedAt = "upper-edge"
    sd_of: Literal["population", "sample"] = "population"
    largest_nm: float = math.inf

    def __post_init__(self) -> None:
        _check_bins(self.edge_nm, self.amount)

    @property
    def centre_nm(self) -> np.ndarray:
        """Middle of each bin, shape (n,)."""
        return np.asarray((self.edge_nm[:-1] + self.edge_nm[1:]) / 2)

    @property
    def total(self) -> float:
        """Sum over all bins, in `unit`."""
        return float(self.amount.sum())

    @property
    def density_per_nm(self) -> np.ndarray:
        """Share per nm, shape (n,); integrates to one. NaN where the distribution is empty."""
        if self.total == 0:
            return np.full(self.amount.shape, math.nan)
        return np.asarray(self.amount / self.total / np.diff(self.edge_nm))

    @property
    def mean_nm(self) -> float:
        """Mean of the bin centres, weighted by content; NaN where empty."""
        return float(np.average(self.centre_nm, weights=self.amount)) if self.total else math.nan

    @property
    def sd_nm(self) -> float:
        """Standard deviation of the bin centres, weighted by content."""
        divisor = self.total - (self.sd_of == "sample")
        if self.total == 0 or divisor <= 0:
            return math.nan
        return math.sqrt(float(self.amount @ (self.centre_nm - self.mean_nm) ** 2) / divisor)

    @property
    def mode_nm(self) -> float:
        """Top of the parabola through the fullest bin and its neighbours; nothing lies beyond the range."""
        if self.total == 0:
            return math.nan
        top = int(self.amount.argmax())
        padded = np.concatenate([[0.0], self.amount, [0.0]])
        before, at, after = (float(value) for value in padded[top : top + 3])
        bend = before - 2 * at + after
        shift = 0.5 * (before - after) / bend if bend else 0.0
        return float(self.centre_nm[top] + shift * (self.edge_nm[top + 1] - self.edge_nm[top]))

    def percentile_nm(self, percent: float) -> float:
        """Size below which `percent` of the content lies, by this distribution's own convention.

        Raises
        ------
        InputError
            When `percent` is not between 0 and 100.
        """
        if self.total == 0:
            return math.nan
        return min(percentile_of_bins(self.edge_nm, self.amount, percent, counted_at=self.counted_at), self.largest_nm)

    @property
    def d10_nm(self) -> float:
        """10 % lie below."""
        return self.percentile_nm(10)

    @property
    def d50_nm(self) -> float:
        """The median."""
        return self.percentile_nm(50)

    @property
    def d90_nm(self) -> float:
        """90 % lie below."""
        return self.percentile_nm(90)

    @property
    def span(self) -> float:
        """(D90 - D10) / D50."""
        return (self.d90_nm - self.d10_nm) / self.d50_nm

    def read_as(self, counted_at: CountedAt) -> BinnedSizes:
        """Give the same bins read by another convention, without the vendor's display limit."""
        return dataclasses.replace(self, counted_at=counted_at, largest_nm=math.inf)

    def reweight(self, weighting: Weighting) -> BinnedSizes:
        """Turn particles into surface or volume, or back, taking each bin at its centre (spheres)."""
        power = _POWER[weighting] - _POWER[self.weighting]
        factor = {0: 1.0, 2: math.pi, 3: math.pi / 6}
        scale = factor[_POWER[weighting]] / factor[_POWER[self.weighting]]
        unit = {"number": "particles", "surface": "nm2", "volume": "nm3"}[weighting]
        return dataclasses.replace(
            self,
            amount=self.amount * scale * self.centre_nm**power,
            weighting=weighting,
            unit=unit + ("/mL" if self.unit.endswith("/mL") else ""),
            sd_of="population",
        )

    def scale(self, factor: float) -> BinnedSizes:
        """Multiply the content, for example by a dilution."""
        return dataclasses.replace(self, amount=self.amount * factor, sd_of="population")


def percentile_of_bins(
    edge: ArrayLike, amount: ArrayLike, percent: float, *, counted_at: CountedAt = "upper-edge"
) -> float:
    """Read a percentile from bins by linear interpolation of the cumulative content.

    Parameters
    ----------
    edge : array_like, shape (n + 1,)
        Edges of the bins, in any unit.
    amount : array_like, shape (n,)
        Content of each, not negative, not all zero.
    percent : float
        0 to 100. At 0 the place where content begins.
    counted_at : {"upper-edge", "centre", "lower-edge"}
        Where a bin's whole content counts as passed.

    Returns
    -------
    float
        In the unit of `edge`.

    Raises
    ------
    InputError
        When `percent` is outside 0 to 100.

    Examples
    --------
    >>> percentile_of_bins([0, 1, 2, 3], [0, 2, 2], 75)
    2.5
    """
    if not 0 <= percent <= 100:
        raise InputError(f"percent must be between 0 and 100, got {percent}: give a percentage")
    edges, amounts = np.asarray(edge, dtype=float), np.asarray(amount, dtype=float)
    share = np.concatenate([[0.0], np.cumsum(amounts)])
    share /= share[-1]
    target = percent / 100
    upper = int(np.searchsorted(share, target, side="left")) if target > 0 else int(np.argmax(share > 0))
    lower = upper - 1
    place = edges[lower] + (target - share[lower]) / (share[upper] - share[lower]) * (edges[upper] - edges[lower])
    back = (1 - _FRACTION_UP[counted_at]) * (edges[upper] - edges[lower])
    return float(place - back)


def average_sizes(distributions: Sequence[BinnedSizes]) -> BinnedSizes:
    """Average distributions on the same bins, bin by bin, as NanoSight's column ``Average`` does.

    Raises
    ------
    InputError
        When there are none, or their bins or weightings differ.
    """
    if not distributions:
        raise InputError("distributions must not be empty: give at least one")
    first = distributions[0]
    for other in distributions[1:]:
        if other.weighting != first.weighting or not np.array_equal(other.edge_nm, first.edge_nm):
            raise InputError("distributions must have the same bins and weighting: average exports of one program only")
    amount = np.mean([each.amount for each in distributions], axis=0)
    return dataclasses.replace(first, amount=amount)


def edges_of_centres(centre: ArrayLike) -> np.ndarray:
    """Recover the edges of bins of equal width (or equal ratio) from their centres, shape (n,) to (n + 1,).

    Raises
    ------
    InputError
        When there are fewer than two centres, or they do not rise evenly.
    """
    centres = np.asarray(centre, dtype=float)
    if len(centres) < 2 or (np.diff(centres) <= 0).any():
        raise InputError("bin centres must be at least two, rising: the distribution's table is incomplete")
    steps = np.diff(centres)
    # Exports print centres with 4 to 6 digits: an even grid may look uneven in the last one.
    width = (centres[-1] - centres[0]) / (len(centres) - 1)
    if np.abs(steps - width).max() <= max(1e-6 * width, 2 * 10.0 ** (math.floor(math.log10(centres[-1])) - 3)):
        width = _round_width(width)
        return np.asarray(centres[0] - width / 2 + width * np.arange(len(centres) + 1))
    raise InputError(f"bin centres must rise evenly, got steps from {steps.min():g} to {steps.max():g}: export again")


def _round_width(width: float) -> float:
    return float(f"{width:.3g}")


def _check_bins(edge: np.ndarray, amount: np.ndarray) -> None:
    if edge.ndim != 1 or amount.shape != (len(edge) - 1,):
        raise InputError(f"edge_nm must have one value more than amount, got {edge.shape} and {amount.shape}")
    if not (np.diff(edge) > 0).all():
        raise InputError("edge_nm must rise: sort the bins")
    if not (np.isfinite(amount).all() and (amount >= 0).all()):
        raise InputError("amount must be finite and not negative: a bin holds something or nothing")
