"""Localisation noise: found once from all tracks together, from the errors of the fits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from anagen.vesicles.diffusion import StepSpectra, log_likelihood

N_GRID = 40
EM_ROUNDS = 12
STEPS_USED = 30_000
TYPICAL_FLOOR_PX2 = 0.006
TYPICAL_SLOPE = 2.0
"""True variance over that of the fit in synthetic movies of any optics, 1.6 to 2.8: the fit knows neither the path
within the exposure nor the neighbours."""
TYPICAL_LOGIT_BLUR = 4.0
"""The blur is 98 % of that of an evenly open shutter."""
PRIOR_SD = np.array([1.0, 0.15, 0.5])
"""Spread of log floor, log slope and logit of the blur over movies. The few steps that go to a wrong particle and back
look like noise, and would double the slope if it were free: sizes would be 1 to 2 % too large."""


@dataclass(frozen=True)
class PooledNoise:
    """Localisation variance = floor_px2 + slope (variance by the fit) along an axis, and the blur coefficient found."""

    floor_px2: float
    slope: float
    blur: float

    def variance_px2(self, error_px2: np.ndarray) -> np.ndarray:
        """Localisation variance of tracks whose fits have this variance on average."""
        return np.asarray(self.floor_px2 + self.slope * error_px2)


def pooled_noise(
    spectra: StepSpectra, error_px2: np.ndarray, *, blur: float, max_step_px: float, typical_px2: float
) -> PooledNoise:
    """Find localisation variance = a + b (variance of the fits) by maximum likelihood over many tracks.

    Each track alone says little about its noise; knowing it from all tracks together takes the spread of a diffusion
    coefficient from sqrt(3/N) to sqrt(1/N). A fit's own variance follows the true one over three decades, bright or
    dim, in focus or not; neighbours and smear about double it. A fit of a spot that is smeared along its path misses
    the mean place by an amount that grows with D; that acts exactly like a smaller blur coefficient, so the coefficient
    is found too, between 0 and what the exposure gives.

    Parameters
    ----------
    spectra : StepSpectra
        All tracks.
    error_px2 : ndarray, shape (n_tracks,)
        Mean variance of the place by the fits along each track.
    blur : float
        From `blur_coefficient`; the largest value possible.
    max_step_px : float
        As in `log_likelihood`.
    typical_px2 : float
        Typical step variance along an axis; the search starts and is scaled by it.

    Returns
    -------
    PooledNoise
        Noise of all tracks.
    """
    lengths = np.diff(spectra.start)
    order = np.argsort(-lengths, kind="stable")
    chosen = np.sort(order[np.cumsum(lengths[order]) <= max(STEPS_USED, lengths[order[0]])])
    few = _take(spectra, chosen)
    weight = error_px2[chosen]
    diffusion = typical_px2 / 2.0 * np.geomspace(0.05, 8.0, N_GRID)

    start = np.array([math.log(TYPICAL_FLOOR_PX2), math.log(TYPICAL_SLOPE), TYPICAL_LOGIT_BLUR])

    def noise(at: np.ndarray) -> PooledNoise:
        a, b = np.exp(np.clip(at[:2], -12.0, 8.0))
        return PooledNoise(float(a), float(b), blur / (1.0 + math.exp(-float(at[2]))))

    def cost(at: np.ndarray) -> float:
        tried = noise(at)
        values = log_likelihood(few, diffusion, tried.variance_px2(weight), blur=tried.blur, max_step_px=max_step_px)
        top = values.max(axis=1, keepdims=True)
        like = np.exp(values - top)
        share = np.full(N_GRID, 1.0 / N_GRID)
        for _ in range(EM_ROUNDS):
            share = share * (like.T @ (1.0 / (like @ share))) / len(like)
        return -float(np.sum(top[:, 0] + np.log(like @ share))) + 0.5 * float(np.sum(((at - start) / PRIOR_SD) ** 2))

    found = minimize(cost, start, method="Nelder-Mead", options={"maxfev": 90, "xatol": 0.05, "fatol": 0.1})
    return noise(found.x)


def _take(spectra: StepSpectra, tracks: np.ndarray) -> StepSpectra:
    lengths = np.diff(spectra.start)[tracks]
    begins = spectra.start[:-1][tracks]
    start = np.concatenate([[0], np.cumsum(lengths)])
    index = np.repeat(begins - start[:-1], lengths) + np.arange(start[-1])
    return StepSpectra(start, spectra.power_px2[index], spectra.cosine[index], spectra.room_px[index])
