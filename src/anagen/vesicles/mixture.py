"""Finds the smooth mixture of sizes under which all tracks together are most likely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline

SCALES = (3.0, 0.4, 0.28, 0.2, 0.14, 0.1, 0.07, 0.05)
"""A wave of the log density of height 1 and of this width, in log diameter, costs one unit of log-likelihood; the first
leaves nothing but log-normals."""
COST_OF_A_WAVE = 1.66
"""Half the integral of the squared third derivative of exp(-x^2 / 2), 15 sqrt(pi) / 16."""
NARROWEST = 0.015
"""Spread of log diameter; one this narrow costs half a unit of log-likelihood, one twice as narrow eight."""
COST_OF_A_PARAMETER = 2.0
"""Log-likelihood that an effective parameter must earn. Akaike's 1 holds for independent tracks; those of one particle
that leaves and comes back share their size, and with 1 the scatter of D50 between movies was a third larger."""
KNOT_STEP = 0.05
MAX_STEPS = 40
LARGEST_CHANGE = 2.0
CONVERGED = 0.05
DRAW_ROUNDS = 4
N_LENGTH_CLASSES = 6
TRACKS_AT_A_TIME = 4096
LENGTH_SMOOTHING = 0.25
"""The chance of a length class changes with size over about this change of log diameter, no faster."""


@dataclass(frozen=True, eq=False)
class LengthClasses:
    """Tracks sorted by length, in classes that hold about equally many frames.

    Parameters
    ----------
    n_frames : ndarray, shape (n_tracks,)
        Rising.
    ends : ndarray of int, shape (n_classes + 1,)
        Tracks of class c are ``ends[c]:ends[c + 1]``.
    """

    n_frames: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, n_frames: np.ndarray) -> LengthClasses:
        """Cut sorted lengths into classes."""
        frames = np.cumsum(n_frames)
        limits = n_frames[np.searchsorted(frames, frames[-1] * np.arange(1, N_LENGTH_CLASSES) / N_LENGTH_CLASSES)]
        inner = np.searchsorted(n_frames, limits, "right")
        return cls(n_frames.astype(float), np.unique(np.concatenate([[0], inner, [len(n_frames)]])))

    @property
    def rows(self) -> list[slice]:
        """Tracks of each class."""
        return [slice(a, b) for a, b in zip(self.ends[:-1], self.ends[1:], strict=True)]


@dataclass(frozen=True, eq=False)
class Mixture:
    """Shares of sizes among the tracks.

    Parameters
    ----------
    share : ndarray, shape (n,)
        From all tracks.
    drawn : ndarray, shape (n_resamples, n)
        From each draw of the tracks.
    lengths : ndarray, shape (n_classes, n)
        Chance of each length class given the size.
    """

    share: np.ndarray
    drawn: np.ndarray
    lengths: np.ndarray


def fit_mixture(like: np.ndarray, log_d: np.ndarray, tracks: LengthClasses, draws: np.ndarray) -> Mixture:
    """Maximise the likelihood of all tracks less a penalty on the roughness of the log density.

    The penalty is the integral of the squared third derivative of the log density over log diameter: a log-normal of
    any width costs nothing, so a size standard may be as narrow as it is, and every further peak must earn its cost.
    The scale is not chosen but averaged over, each weighted by exp(log-likelihood - 2 x effective parameters): Akaike
    weights for data overdispersed by 2.

    Small particles make short tracks, and short tracks say little: with one distribution of sizes for all of them,
    they would follow the long tracks of the large particles. So the chance of a length class given the size is found
    too, as a smooth function of size.

    Parameters
    ----------
    like : ndarray, shape (n_tracks, n), float32
        Likelihood of each track at each size, up to a factor a track; tracks in order of length.
    log_d : ndarray, shape (n,)
        Log diameters, equal steps.
    tracks : LengthClasses
        Lengths of the tracks.
    draws : ndarray, shape (n_tracks, n_resamples)
        How often each draw with replacement took each track.

    Returns
    -------
    Mixture
        Shares by number of tracks.

    References
    ----------
    Silverman BW, Ann Stat 1982;10:795 (the penalty); Laird N, J Am Stat Assoc 1978;73:805 (mixing distributions);
    Burnham KP, Anderson DR, Sociol Methods Res 2004;33:261 (Akaike weights).
    """
    basis, roughness, narrowness = _log_density_basis(log_d)
    near = np.exp(-0.5 * ((log_d[:, None] - log_d) / LENGTH_SMOOTHING) ** 2)
    smoother = near / near.sum(axis=1, keepdims=True)
    at = _first_guess(like, log_d, basis)  # in waves of rising roughness
    lengths = np.full((len(tracks.rows), len(log_d)), 1.0 / len(tracks.rows))
    fits = []
    for scale in SCALES:
        cost = scale**5 / COST_OF_A_WAVE * roughness + narrowness
        # Costs span fourteen decades: in units in which each wave's cost is at most 1, the equations can be solved.
        unit = 1.0 / np.sqrt(1.0 + cost)
        penalty = np.diag(cost * unit**2)
        fit = _climb(like, tracks, basis * unit, penalty, smoother, at / unit, lengths)
        at, lengths = fit.at * unit, fit.lengths
        fits.append(_with_draws(fit, like, tracks, basis * unit, penalty, draws))
    log_weight = np.stack([one[1] for one in fits])
    weight = np.exp(log_weight - log_weight.max(axis=0))
    weight /= weight.sum(axis=0)
    shares = sum(w[:, None] * one[0] for w, one in zip(weight, fits, strict=True))
    joint = sum(w[0] * one[0][0] * one[2] for w, one in zip(weight, fits, strict=True))
    return Mixture(shares[0], shares[1:], joint / np.maximum(shares[0], 1e-300))


def expect(weight: np.ndarray, mixture: Mixture, like: np.ndarray, tracks: LengthClasses) -> np.ndarray:
    """Sum of a weight of each track over the sizes that it may have, shape (n,)."""
    found = np.zeros(len(mixture.share))
    for rows, lengths in zip(tracks.rows, mixture.lengths, strict=True):
        prior = lengths * mixture.share
        found += prior * (like[rows].T @ (weight[rows] / _chance(like[rows], prior)).astype(np.float32))
    return found


@dataclass(frozen=True, eq=False)
class _Fit:
    """Coefficients of the log density at one scale, and what the tracks say around them."""

    at: np.ndarray
    lengths: np.ndarray
    log_chance: np.ndarray
    scores: np.ndarray


def _log_density_basis(log_d: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cubic splines on equal knots as waves: a constant, a slope, a parabola, and ever rougher ones.

    Also the integral of the squared third derivative of each, and the cost of a parabola of `NARROWEST` standard
    deviation, 1/2: tracks cannot tell a narrower spread from none, and without a cost it would be taken for none. The
    height of the constant says nothing and is held at 0.
    """
    n_pieces = max(4, round((log_d[-1] - log_d[0]) / KNOT_STEP))
    step = (log_d[-1] - log_d[0]) / n_pieces
    knots = log_d[0] + step * np.arange(-3, n_pieces + 4)
    inside = np.clip(log_d, knots[3], knots[-4] - 1e-9)
    basis = BSpline.design_matrix(inside, knots, 3).toarray()
    third = np.diff(np.eye(basis.shape[1]), 3, axis=0)
    roughness, waves = np.linalg.eigh(third.T @ third)
    parabolas, scale = np.linalg.qr(
        np.vander(step * (np.arange(basis.shape[1]) - 0.5 * basis.shape[1]), 3, increasing=True)
    )
    waves[:, :3], roughness[:3] = parabolas, 0.0
    narrowness = np.zeros_like(roughness)
    narrowness[0] = 1.0
    narrowness[2] = (2.0 * NARROWEST**2 / scale[2, 2]) ** 2
    return basis @ waves, roughness / step**5, narrowness


def _first_guess(like: np.ndarray, log_d: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Log-normal as wide as the tracks' single answers."""
    seen = (like.T @ (1.0 / like.sum(axis=1))).astype(float) / len(like)
    mean = float(seen @ log_d)
    variance = float(seen @ (log_d - mean) ** 2)
    return np.asarray(np.linalg.lstsq(basis, -0.5 * (log_d - mean) ** 2 / variance, rcond=None)[0])


def _share(basis: np.ndarray, at: np.ndarray) -> np.ndarray:
    log_density = basis @ at
    share = np.exp(log_density - log_density.max(axis=0))
    return np.asarray(share / share.sum(axis=0))


def _chance(like: np.ndarray, prior: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(like @ prior.astype(np.float32), 1e-30), dtype=float)


def _look(
    like: np.ndarray, tracks: LengthClasses, basis: np.ndarray, at: np.ndarray, lengths: np.ndarray
) -> tuple[_Fit, np.ndarray]:
    """Log-likelihood and its derivative for each track, and the tracks expected of each size and length class."""
    share = _share(basis, at)
    log_chance = np.empty(len(like))
    scores = np.empty((len(like), basis.shape[1]), np.float32)
    found = np.empty_like(lengths)
    for c, rows in enumerate(tracks.rows):
        prior = lengths[c] * share
        chance = _chance(like[rows], prior)
        log_chance[rows] = np.log(chance)
        scores[rows] = (like[rows] @ (prior[:, None] * basis).astype(np.float32)) / chance[:, None]
        found[c] = prior * (like[rows].T @ (1.0 / chance).astype(np.float32))
    scores -= (share @ basis).astype(np.float32)
    return _Fit(at, lengths, log_chance, scores), found


def _climb(
    like: np.ndarray,
    tracks: LengthClasses,
    basis: np.ndarray,
    penalty: np.ndarray,
    smoother: np.ndarray,
    at: np.ndarray,
    lengths: np.ndarray,
) -> _Fit:
    """Newton steps with the tracks' own scores as information, halved where they lead down."""
    for _ in range(MAX_STEPS):
        fit, found = _look(like, tracks, basis, at, lengths)
        slope = fit.scores.sum(axis=0, dtype=float) - penalty @ at
        step = np.linalg.solve(_information(fit, penalty), slope)
        gain = float(step @ slope)
        stretch = float(_stretch(_share(basis, at), basis @ step))
        now = float(fit.log_chance.sum()) - 0.5 * float(at @ penalty @ at)
        for _ in range(6):
            tried = at + stretch * step
            prior = _share(basis, tried)
            value = -0.5 * float(tried @ penalty @ tried) + sum(
                float(np.sum(np.log(_chance(like[rows], (lengths[c] * prior))), dtype=float))
                for c, rows in enumerate(tracks.rows)
            )
            if value > now - 1e-3:
                break
            stretch *= 0.5
        at = tried
        likely = found @ smoother.T
        lengths = likely / np.maximum(likely.sum(axis=0), 1e-300)
        if gain < CONVERGED:
            break
    return _look(like, tracks, basis, at, lengths)[0]


def _stretch(share: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Part of a step that changes the log density by no more than `LARGEST_CHANGE` where there is any."""
    spread = np.max(np.abs(change - share @ change)[share > 1e-3 * share.max()], axis=0)
    return np.asarray(np.minimum(1.0, LARGEST_CHANGE / np.maximum(spread, 1e-9)))


def _information(fit: _Fit, penalty: np.ndarray) -> np.ndarray:
    information = _sum_products(fit.scores, fit.scores)
    ridge = 1e-6 * np.trace(information) / len(information)
    return np.asarray(information + penalty + ridge * np.eye(len(information)))


def _sum_products(scores: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Products summed over the tracks, in double precision: in single, the last digit moved D50 by a percent.

    A part of the tracks at a time, so that no second copy of all scores is held.
    """
    total = np.zeros((scores.shape[1], other.shape[1]))
    for first in range(0, len(scores), TRACKS_AT_A_TIME):
        part = slice(first, first + TRACKS_AT_A_TIME)
        total += scores[part].astype(float).T @ other[part].astype(float)
    return total


def _with_draws(
    fit: _Fit,
    like: np.ndarray,
    tracks: LengthClasses,
    basis: np.ndarray,
    penalty: np.ndarray,
    draws: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares of all tracks and of each draw, shape (1 + n_resamples, n), and the log weight of each.

    The draws climb from the fit of all tracks, with its information: one step alone leaves out half of their spread
    where the width of a narrow peak is in doubt.
    """
    inverse = np.linalg.inv(_information(fit, penalty))
    n_parameters = float(np.sum(inverse * _sum_products(fit.scores, fit.scores)))
    at = np.repeat(fit.at[:, None], draws.shape[1], axis=1)
    for round_left in reversed(range(DRAW_ROUNDS + 1)):
        share = _share(basis, at)
        found = np.zeros_like(share)
        log_likelihood = np.zeros(draws.shape[1])
        for c, rows in enumerate(tracks.rows):
            prior = fit.lengths[c][:, None] * share
            chance = _chance(like[rows], prior)
            found += prior * (like[rows].T @ (draws[rows] / chance).astype(np.float32))
            log_likelihood += np.sum(draws[rows] * np.log(chance), axis=0)
        if round_left:
            step = inverse @ (basis.T @ (found - draws.sum(axis=0) * share) - penalty @ at)
            at = at + np.stack([s * _stretch(p, basis @ s) for s, p in zip(step.T, share.T, strict=True)], axis=1)
    shares = np.concatenate([_share(basis, fit.at)[None], share.T])
    log_weight = np.concatenate([[fit.log_chance.sum()], log_likelihood]) - COST_OF_A_PARAMETER * n_parameters
    return shares, log_weight, fit.lengths
