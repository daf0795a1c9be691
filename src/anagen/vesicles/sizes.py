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
    likelihood: np.ndarray,
    n_frames: np.ndarray,
    *,
    rng: np.random.Generator,
    n_resamples: int = 30,
    n_rounds: int = 60,
    unit: np.ndarray | None = None,
    n_independent: float | None = None,
    relative_systematic: float = 0.0,
    diameter_nm: np.ndarray = GRID_NM,
) -> SizeDistribution:
    """Distribution of sizes whose tracks would look like those seen, with what chance leaves open.

    A track of a few steps gives a broad likelihood of its size; a histogram of single-track sizes is the true
    distribution widened by it. Expectation maximisation finds the mixture of sizes under which all tracks together are
    most likely. It is built of log-normal humps, the widest that predict tracks left out as well as any.
    It is found anew for `n_resamples` draws of the tracks with replacement and averaged.

    Parameters
    ----------
    likelihood : ndarray, shape (n_tracks, n), float32
        Of each track at each diameter, over the largest of the track.
    n_frames : ndarray of int, shape (n_tracks,)
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
    Sci Technol 2012;23:065605 (the same idea for NTA); Varadhan R, Roland C, Scand J Stat 2008;35:335 (the leaps,
    scheme S3); Efron B, J Am Stat Assoc 2014;109:991 (bagging smooths).
    """
    order = np.argsort(n_frames, kind="stable")
    useful = np.nonzero(likelihood.sum(axis=0) > 1e-4 * len(likelihood) / len(diameter_nm))[0]
    inside = slice(useful[0], useful[-1] + 1)
    tracks = _LengthClasses.of(n_frames[order])
    group = order if unit is None else unit[order]
    like = np.ascontiguousarray(likelihood[order, inside], np.float32)
    log_d = np.log(diameter_nm[inside])
    repeats = max(1.0, len(like) / n_independent) if n_independent else 1.0
    kernel = _choose_width(like, log_d, tracks, group, n_rounds, repeats, rng)
    blurred = np.ascontiguousarray(like @ kernel.T.astype(np.float32))
    centre = kernel @ log_d
    n_groups = int(group.max()) + 1
    picks = rng.integers(n_groups, size=(n_resamples, n_groups))
    drawn = np.stack([np.bincount(pick, minlength=n_groups)[group] for pick in picks], axis=1).astype(np.float32)
    joint = _mixture(blurred, centre, tracks, drawn, 2 * n_rounds)
    frames = _expect(joint, blurred, tracks.ends, drawn * tracks.n_frames[:, None]).sum(axis=0)
    begun = _expect(joint, blurred, tracks.ends, drawn).sum(axis=0)
    found = (frames / _kept_share(frames / np.maximum(begun, 1e-30), tracks.n_frames[0])).T @ kernel
    shares = np.zeros((n_resamples, len(diameter_nm)))
    shares[:, inside] = found / found.sum(axis=1, keepdims=True)
    _trim(shares)
    return _describe(shares, diameter_nm, n_independent, relative_systematic)


WIDTHS = (0.015, 0.03, 0.06, 0.1, 0.16, 0.25)
"""Standard deviations, in log diameter, of the humps that a distribution may be built of."""
N_FOLDS = 4
LIKELY = 1.5
"""Humps are as good as the best when these are less than 1.5 times as likely, by independent particles."""
N_LENGTH_CLASSES = 6
LENGTH_SMOOTHING = 0.25
"""The chance of a length class changes with size over about this change of log diameter, no faster."""


@dataclass(frozen=True, eq=False)
class _LengthClasses:
    """Tracks sorted by length, in classes that hold about equally many frames."""

    n_frames: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, n_frames: np.ndarray) -> _LengthClasses:
        frames = np.cumsum(n_frames)
        limits = n_frames[np.searchsorted(frames, frames[-1] * np.arange(1, N_LENGTH_CLASSES) / N_LENGTH_CLASSES)]
        inner = np.searchsorted(n_frames, limits, "right")
        return cls(n_frames.astype(float), np.unique(np.concatenate([[0], inner, [len(n_frames)]])))


def _kept_share(mean_frames: np.ndarray, min_frames: float) -> np.ndarray:
    """Share of the frames in view that lie in tracks of at least `min_frames`, from the mean length of those.

    A track that goes on with chance q a frame has the mean length m = min + q / (1 - q) once it has reached min, and
    the share of frames in such tracks is q^(min - 1) (min - (min - 1) q).
    """
    beyond = np.maximum(mean_frames - min_frames, 0.5)
    go_on = beyond / (1.0 + beyond)
    return np.asarray(go_on ** (min_frames - 1.0) * (min_frames - (min_frames - 1.0) * go_on))


def _kernel(log_d: np.ndarray, width: float) -> np.ndarray:
    """Humps of this width, half a width apart, shape (n_humps, n); each sums to 1."""
    step = max(1, int(0.5 * width / (log_d[1] - log_d[0])))
    humps = np.exp(-0.5 * ((log_d[::step, None] - log_d) / width) ** 2)
    return np.asarray(humps / humps.sum(axis=1, keepdims=True))


def _choose_width(
    like: np.ndarray,
    log_d: np.ndarray,
    tracks: _LengthClasses,
    group: np.ndarray,
    n_rounds: int,
    repeats: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Kernel of the widest humps that predict tracks left out nearly as well as the best do.

    One particle makes several tracks (`repeats`), so log-likelihoods count that many times over, and its tracks in
    other folds favour humps as narrow as one particle.
    """
    fold = rng.permutation(np.arange(int(group.max()) + 1) % N_FOLDS)[group]
    kernels = [_kernel(log_d, width) for width in WIDTHS]
    scores = np.empty((len(WIDTHS), len(like)))
    left_out = (fold[:, None] == np.arange(N_FOLDS)).astype(np.float32)
    for score, kernel in zip(scores, kernels, strict=True):
        blurred = np.ascontiguousarray(like @ kernel.T.astype(np.float32))
        joint = _mixture(blurred, kernel @ log_d, tracks, 1.0 - left_out, n_rounds)
        for c in range(len(tracks.ends) - 1):
            rows = slice(tracks.ends[c], tracks.ends[c + 1])
            chance = blurred[rows] @ joint[c].astype(np.float32)
            score[rows] = np.sum(left_out[rows] * np.log(np.maximum(chance, np.float32(1e-30))), axis=1)
    best = int(np.argmax(scores.sum(axis=1)))
    behind = scores[best] - scores
    close = behind.sum(axis=1) <= math.log(LIKELY) * repeats
    return kernels[int(np.nonzero(close)[0].max())]


def _mixture(
    like: np.ndarray, centre: np.ndarray, tracks: _LengthClasses, drawn: np.ndarray, n_rounds: int
) -> np.ndarray:
    """Joint shares of size and length class by expectation maximisation with leaps, for many resamples at once.

    Small particles make short tracks, and short tracks say little: with one distribution of sizes for all of them, they
    would follow the long tracks of the large particles. So the chance of a length class given the size is found too,
    as a smooth function of size.

    Takes `drawn` of shape (n_tracks, n_resamples), gives shape (n_classes, n_humps, n_resamples).
    """
    kernel = np.exp(-0.5 * ((centre[:, None] - centre) / LENGTH_SMOOTHING) ** 2)
    smoother = (kernel / kernel.sum(axis=0)).T
    shape = (len(tracks.ends) - 1, like.shape[1], drawn.shape[1])
    joint = np.full(shape, 1.0 / (shape[0] * shape[1]))
    for _ in range(n_rounds // 3):
        once = _improve(joint, like, tracks.ends, drawn, smoother)
        twice = _improve(once, like, tracks.ends, drawn, smoother)
        first, bend = once - joint, twice - 2.0 * once + joint
        lengths = np.sqrt(np.sum(first**2, axis=(0, 1)) / np.maximum(np.sum(bend**2, axis=(0, 1)), 1e-300))
        stretch = np.maximum(1.0, lengths)
        leap = np.maximum(joint + 2.0 * stretch * first + stretch**2 * bend, 0.1 * twice)
        joint = _improve(leap / leap.sum(axis=(0, 1)), like, tracks.ends, drawn, smoother)
    return joint


def _improve(
    joint: np.ndarray, like: np.ndarray, ends: np.ndarray, drawn: np.ndarray, smoother: np.ndarray
) -> np.ndarray:
    """One round of expectation maximisation; the length classes of a size are smoothed over neighbouring sizes."""
    found = _expect(joint, like, ends, drawn)
    near = np.einsum("ij,cjb->cib", smoother, found, optimize=True)
    total = found.sum(axis=0)
    return np.asarray(total * near / np.maximum(near.sum(axis=0), 1e-300) / total.sum(axis=0))


def _expect(joint: np.ndarray, like: np.ndarray, ends: np.ndarray, weight: np.ndarray) -> np.ndarray:
    found = np.empty_like(joint)
    for c in range(len(ends) - 1):
        rows = slice(ends[c], ends[c + 1])
        prior = joint[c].astype(np.float32)
        chance = np.maximum(like[rows] @ prior, np.float32(1e-30))
        found[c] = prior * (like[rows].T @ (weight[rows] / chance).astype(np.float32))
    return found


TRIM = 1e-3
"""Less than this share at either end is dropped: it is the doubt about single short tracks, spread over decades."""


def _trim(shares: np.ndarray) -> None:
    cumulative = np.cumsum(shares.mean(axis=0))
    shares[:, (cumulative < TRIM) | (cumulative > 1.0 - TRIM)] = 0.0


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
