"""From the tracks' likelihoods to the distribution of sizes that made them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

GRID_NM = np.geomspace(10.0, 3000.0, 461)
"""Diameters at which a distribution is given: steps of 1.24 %, finer than the spread of any size standard."""
PERCENTILES = (10.0, 50.0, 90.0)
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class SizeDistribution:
    """Distribution of diameters in view, by number: every particle counts for the time that it was seen.

    Parameters
    ----------
    diameter_nm : ndarray, shape (n,)
        Centres of bins of equal width in log diameter.
    density : ndarray, shape (n,)
        Per nm; it integrates to 1.
    density_low, density_high : ndarray, shape (n,)
        Pointwise interval.
    mode_nm, mean_nm, sd_nm, d10_nm, d50_nm, d90_nm : float
        Peak, mean, standard deviation and percentiles of the density.
    span : float
        (D90 - D10) / D50.
    intervals : mapping of str to (float, float)
        Two-sided 95 % intervals of mode_nm, mean_nm, sd_nm, d10_nm, d50_nm, d90_nm and span, for the suspension
        from which the particles in view are a sample.
    weighting : str
        How tracks are weighted.
    """

    diameter_nm: np.ndarray
    density: np.ndarray
    density_low: np.ndarray
    density_high: np.ndarray
    mode_nm: float
    mean_nm: float
    sd_nm: float
    d10_nm: float
    d50_nm: float
    d90_nm: float
    span: float
    intervals: Mapping[str, tuple[float, float]]
    weighting: str = "number, by frames in view"


def bin_edges_nm(diameter_nm: np.ndarray) -> np.ndarray:
    """Edges of bins of equal width in log diameter, half a step around each centre."""
    half = 0.5 * (math.log(diameter_nm[-1]) - math.log(diameter_nm[0])) / (len(diameter_nm) - 1)
    return np.asarray(np.concatenate([[diameter_nm[0] * math.exp(-half)], diameter_nm * math.exp(half)]))


def summarize_shares(share: np.ndarray, diameter_nm: np.ndarray = GRID_NM) -> dict[str, float]:
    """Mode, mean, SD, percentiles and span of shares per bin.

    Percentiles interpolate the cumulative share at the upper edges of the bins; the mode is the vertex of the parabola
    through the three highest points of the density per nm.

    Examples
    --------
    >>> share = np.zeros(461); share[200] = 1.0
    >>> found = summarize_shares(share)
    >>> bool(abs(found["d50_nm"] / GRID_NM[200] - 1.0) < 1e-3)
    True
    """
    share = share / share.sum()
    edges = bin_edges_nm(diameter_nm)
    cumulative = np.concatenate([[0.0], np.cumsum(share)])
    cumulative += np.linspace(0.0, 1e-12, len(cumulative))  # strictly rising, so that it can be inverted
    d10, d50, d90 = np.exp(np.interp(np.array(PERCENTILES) / 100.0, cumulative, np.log(edges)))
    mean = float(np.sum(share * diameter_nm))
    sd = math.sqrt(max(float(np.sum(share * (diameter_nm - mean) ** 2)), 0.0))
    return {
        "mode_nm": _vertex(share / np.diff(edges), diameter_nm),
        "mean_nm": mean,
        "sd_nm": sd,
        "d10_nm": float(d10),
        "d50_nm": float(d50),
        "d90_nm": float(d90),
        "span": float((d90 - d10) / d50),
    }


def _vertex(density: np.ndarray, diameter_nm: np.ndarray) -> float:
    k = int(np.clip(np.argmax(density), 1, len(density) - 2))
    left, top, right = density[k - 1 : k + 2]
    bend = left - 2.0 * top + right
    shift = 0.0 if bend >= 0.0 else 0.5 * (left - right) / bend
    step = math.log(diameter_nm[1] / diameter_nm[0])
    return float(diameter_nm[k] * math.exp(float(np.clip(shift, -0.5, 0.5)) * step))


def deconvolve_sizes(
    log_likelihood: np.ndarray,
    weight: np.ndarray,
    *,
    rng: np.random.Generator,
    n_resamples: int = 60,
    n_rounds: int = 60,
    unit: np.ndarray | None = None,
    n_independent: float | None = None,
    relative_systematic: float = 0.0,
    diameter_nm: np.ndarray = GRID_NM,
) -> SizeDistribution:
    """Distribution of sizes whose tracks would look like those seen, with what chance leaves open.

    A track of a few steps gives a broad likelihood of its size; a histogram of single-track sizes is the true
    distribution widened by it. Expectation maximisation finds the mixture of sizes under which all tracks together are
    most likely. It is spiky where data cannot tell, so it is found anew for `n_resamples` draws of the tracks with
    replacement and averaged: as smooth as the data are uncertain, and no smoother.

    Parameters
    ----------
    log_likelihood : ndarray, shape (n_tracks, n)
        Of each track at each diameter.
    weight : ndarray, shape (n_tracks,)
        Frames of each track: the number of particles of a size in view is counted by time.
    rng : numpy.random.Generator
        For the resampling.
    n_resamples, n_rounds : int
        Draws, and rounds of expectation maximisation for each.
    unit : ndarray of int, shape (n_tracks,), optional
        Tracks with the same number are drawn together.
    n_independent : float, optional
        Independent particles seen; the intervals of the suspension widen to this number.
    relative_systematic : float
        Standard uncertainty common to all sizes (temperature, scale), added in quadrature.
    diameter_nm : ndarray, shape (n,)
        Diameters; equal steps in the logarithm.

    Returns
    -------
    SizeDistribution
        With 95 % intervals.

    References
    ----------
    Laird N, J Am Stat Assoc 1978;73:805 (nonparametric maximum likelihood of a mixing distribution); Walker JG, Meas
    Sci Technol 2012;23:065605 (the same idea for NTA); Efron B, J Am Stat Assoc 2014;109:991 (bagging smooths).
    """
    like = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    useful = np.nonzero((like * weight[:, None]).sum(axis=0) > 1e-4 * weight.sum() / len(diameter_nm))[0]
    inside = slice(useful[0], useful[-1] + 1)
    small = np.ascontiguousarray(like[:, inside], np.float32)
    unit = np.arange(len(weight)) if unit is None else unit
    n_units = int(unit.max()) + 1
    shares = np.zeros((n_resamples, len(diameter_nm)))
    for b in range(n_resamples):
        drawn = np.bincount(rng.integers(n_units, size=n_units), minlength=n_units)[unit]
        used = drawn > 0
        shares[b, inside] = _mixture(small[used], (drawn * weight)[used], n_rounds)
    return _describe(shares, diameter_nm, n_independent, relative_systematic)


def _mixture(like: np.ndarray, weight: np.ndarray, n_rounds: int) -> np.ndarray:
    share = np.full(like.shape[1], 1.0 / like.shape[1], np.float32)
    weight = (weight / weight.sum()).astype(np.float32)
    for _ in range(n_rounds):
        share *= (weight / np.maximum(like @ share, np.float32(1e-30))) @ like
    return np.asarray(share / share.sum(), float)


def _describe(
    shares: np.ndarray, diameter_nm: np.ndarray, n_independent: float | None, relative_systematic: float
) -> SizeDistribution:
    mean_share = shares.mean(axis=0)
    values = summarize_shares(mean_share, diameter_nm)
    each = [summarize_shares(share, diameter_nm) for share in shares]
    spread = values["sd_nm"] / values["mean_nm"]
    sampling = spread / math.sqrt(n_independent) if n_independent else 0.0
    factor = {"d10_nm": 1.7, "d50_nm": 1.25, "d90_nm": 1.7, "mean_nm": 1.0, "mode_nm": 1.25}
    intervals = {}
    for name, value in values.items():
        drawn = np.array([one[name] for one in each])
        relative = math.hypot(factor.get(name, 0.0) * sampling, relative_systematic if name != "span" else 0.0)
        variance = float(np.var(drawn, ddof=1)) + (relative * value) ** 2
        half = 1.96 * math.sqrt(variance)
        intervals[name] = (value - half, value + half)
    width = np.diff(bin_edges_nm(diameter_nm))
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0) / width
    return SizeDistribution(
        diameter_nm=diameter_nm,
        density=mean_share / width,
        density_low=low,
        density_high=high,
        intervals=intervals,
        mode_nm=values["mode_nm"],
        mean_nm=values["mean_nm"],
        sd_nm=values["sd_nm"],
        d10_nm=values["d10_nm"],
        d50_nm=values["d50_nm"],
        d90_nm=values["d90_nm"],
        span=values["span"],
    )
