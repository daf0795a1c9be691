"""From the tracks' likelihoods to the distribution of sizes that made them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from anagen.vesicles.mixture import LengthClasses, expect, fit_mixture

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
    too_fast_share : float
        Part left out as it would be smaller than the smallest size that could be followed.
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
    too_fast_share: float = 0.0


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
    likelihood: np.ndarray,
    n_frames: np.ndarray,
    *,
    rng: np.random.Generator,
    n_resamples: int = 30,
    unit: np.ndarray | None = None,
    n_independent: float | None = None,
    relative_systematic: float = 0.0,
    smallest_nm: float = 0.0,
    diameter_nm: np.ndarray = GRID_NM,
) -> SizeDistribution:
    """Distribution of sizes whose tracks would look like those seen, with what chance leaves open.

    A track of a few steps gives a broad likelihood of its size; a histogram of single-track sizes is the true
    distribution widened by it. Instead that smooth mixture of sizes is found under which all tracks together are most
    likely (`fit_mixture`), and found anew for `n_resamples` draws of the tracks with replacement.

    Parameters
    ----------
    likelihood : ndarray, shape (n_tracks, n), float32
        Of each track at each diameter, over the largest of the track.
    n_frames : ndarray of int, shape (n_tracks,)
        Frames of each track: the number of particles of a size in view is counted by time.
    rng : numpy.random.Generator
        For the resampling.
    n_resamples : int
        Draws.
    unit : ndarray of int, shape (n_tracks,), optional
        Tracks with the same number are drawn together.
    n_independent : float, optional
        Independent particles seen; the intervals of the suspension widen to this number.
    relative_systematic : float
        Standard uncertainty common to all sizes (temperature, scale), added in quadrature.
    smallest_nm : float
        Smallest size that could be followed. What little seems smaller, up to `MOST_TOO_FAST`, is leaps to a wrong
        particle or to noise, and left out.
    diameter_nm : ndarray, shape (n,)
        Diameters; equal steps in the logarithm.

    Returns
    -------
    SizeDistribution
        With 95 % intervals.

    References
    ----------
    Laird N, J Am Stat Assoc 1978;73:805 (maximum likelihood of a mixing distribution); Walker JG, Meas Sci Technol
    2012;23:065605 (the same idea for NTA).
    """
    if np.any(np.diff(n_frames) < 0):
        order = np.argsort(n_frames, kind="stable")
        likelihood, n_frames = likelihood[order], n_frames[order]
        unit = order if unit is None else unit[order]
    useful = np.nonzero(likelihood.sum(axis=0) > 1e-4 * len(likelihood) / len(diameter_nm))[0]
    inside = slice(useful[0], useful[-1] + 1)
    tracks = LengthClasses.of(n_frames)
    group = np.arange(len(n_frames)) if unit is None else unit
    like = likelihood[:, inside]
    n_groups = int(group.max()) + 1
    picks = rng.integers(n_groups, size=(n_resamples, n_groups))
    draws = np.stack([np.bincount(pick, minlength=n_groups)[group] for pick in picks], axis=1).astype(float)
    mixture = fit_mixture(like, np.log(diameter_nm[inside]), tracks, draws)
    mean_frames = expect(tracks.n_frames, mixture, like, tracks) / np.maximum(
        expect(np.ones(len(like)), mixture, like, tracks), 1e-30
    )
    by_time = mean_frames / _kept_share(mean_frames, tracks.n_frames[0])
    found = np.concatenate([mixture.share[None], mixture.drawn]) * by_time
    shares = np.zeros((1 + n_resamples, len(diameter_nm)))
    shares[:, inside] = found / found.sum(axis=1, keepdims=True)
    too_fast = float(shares[0, diameter_nm < smallest_nm].sum())
    if 0.0 < too_fast < MOST_TOO_FAST:
        shares[:, diameter_nm < smallest_nm] = 0.0
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-30)
    else:
        too_fast = 0.0
    _trim(shares)
    sizes = _describe(shares[0], shares[1:], diameter_nm, n_independent, relative_systematic)
    return replace(sizes, too_fast_share=too_fast)


def _kept_share(mean_frames: np.ndarray, min_frames: float) -> np.ndarray:
    """Share of the frames in view that lie in tracks of at least `min_frames`, from the mean length of those.

    A track that goes on with chance q a frame has the mean length m = min + q / (1 - q) once it has reached min, and
    the share of frames in such tracks is q^(min - 1) (min - (min - 1) q).
    """
    beyond = np.maximum(mean_frames - min_frames, 0.5)
    go_on = beyond / (1.0 + beyond)
    return np.asarray(go_on ** (min_frames - 1.0) * (min_frames - (min_frames - 1.0) * go_on))


MOST_TOO_FAST = 0.05
"""Where more seems too fast to be followed, it may be real particles."""
TRIM = 1e-3
"""Less than this share at either end is dropped: it is the doubt about single short tracks, spread over decades."""


def _trim(shares: np.ndarray) -> None:
    cumulative = np.cumsum(shares[0])
    tail = (cumulative < TRIM) | (cumulative > 1.0 - TRIM)
    if not np.all(tail[shares[0] > 0.0]):
        shares[:, tail] = 0.0


LOG_WIDTH_OF_80_PERCENT = 2.563
"""D10 and D90 of a log-normal lie this many of its log standard deviations apart."""


def _describe(
    share: np.ndarray,
    drawn_shares: np.ndarray,
    diameter_nm: np.ndarray,
    n_independent: float | None,
    relative_systematic: float,
) -> SizeDistribution:
    values = summarize_shares(share, diameter_nm)
    each = [summarize_shares(one, diameter_nm) for one in drawn_shares]
    spread = math.log(values["d90_nm"] / values["d10_nm"]) / LOG_WIDTH_OF_80_PERCENT
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
    low, high = np.quantile(drawn_shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0) / width
    return SizeDistribution(
        diameter_nm=diameter_nm,
        density=share / width,
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
