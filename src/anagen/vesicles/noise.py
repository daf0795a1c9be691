"""Localisation noise: found once from all tracks together, as a function of how sharp and bright a spot is."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from anagen.vesicles.diffusion import StepSpectra, log_likelihood

N_GRID = 40
EM_ROUNDS = 12
STEPS_USED = 20_000


def pooled_noise(
    spectra: StepSpectra, sharpness_px2: np.ndarray, *, blur: float, max_step_px: float, typical_px2: float
) -> tuple[float, float]:
    """Find a and b of localisation variance = a + b (width / SNR)^2 by maximum likelihood over many tracks.

    Each track alone says little about its noise; knowing it from all tracks together takes the spread of a diffusion
    coefficient from sqrt(3/N) to sqrt(1/N). Background-limited photon noise alone gives b = 2.

    Parameters
    ----------
    spectra : StepSpectra
        All tracks.
    sharpness_px2 : ndarray, shape (n_tracks,)
        Mean of (spot width / signal-to-noise ratio)^2 along each track.
    blur, max_step_px : float
        As in `log_likelihood`.
    typical_px2 : float
        Typical step variance along an axis; the search starts and is scaled by it.

    Returns
    -------
    a, b : float
        Both at least 0; a in px2.
    """
    lengths = np.diff(spectra.start)
    order = np.argsort(-lengths, kind="stable")
    chosen = np.sort(order[np.cumsum(lengths[order]) <= max(STEPS_USED, lengths[order[0]])])
    few = _take(spectra, chosen)
    weight = sharpness_px2[chosen]
    diffusion = typical_px2 / 2.0 * np.geomspace(0.05, 8.0, N_GRID)

    def cost(log_ab: np.ndarray) -> float:
        a, b = np.exp(np.clip(log_ab, -12.0, 8.0))
        values = log_likelihood(few, diffusion, a + b * weight, blur=blur, max_step_px=max_step_px)
        top = values.max(axis=1, keepdims=True)
        like = np.exp(values - top)
        share = np.full(N_GRID, 1.0 / N_GRID)
        for _ in range(EM_ROUNDS):
            share = share * (like.T @ (1.0 / (like @ share))) / len(like)
        return -float(np.sum(top[:, 0] + np.log(like @ share)))

    start = np.log([max(0.005 * typical_px2, 1e-3), 2.0])
    found = minimize(cost, start, method="Nelder-Mead", options={"maxfev": 60, "xatol": 0.05, "fatol": 0.1})
    a, b = np.exp(np.clip(found.x, -12.0, 8.0))
    return float(a), float(b)


def _take(spectra: StepSpectra, tracks: np.ndarray) -> StepSpectra:
    lengths = np.diff(spectra.start)[tracks]
    begins = spectra.start[:-1][tracks]
    start = np.concatenate([[0], np.cumsum(lengths)])
    index = np.repeat(begins - start[:-1], lengths) + np.arange(start[-1])
    return StepSpectra(start, spectra.power_px2[index], spectra.cosine[index])
