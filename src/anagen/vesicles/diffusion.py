"""Diffusion of one track: the exact likelihood of its steps, with motion blur, localisation noise and search radius."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.fft import dst


@dataclass(frozen=True, eq=False)
class StepSpectra:
    """Tracks in the form in which their likelihood is cheap.

    Parameters
    ----------
    start : ndarray of int, shape (n_tracks + 1,)
        Values of track i are ``start[i]:start[i + 1]``; their number is its number of steps.
    power_px2 : ndarray, shape (n_steps,)
        Squared sine transform of the steps, summed over both axes.
    cosine : ndarray, shape (n_steps,)
        cos(k pi / (N + 1)), k = 1..N.
    room_px : ndarray, shape (n_steps, 2, 2)
        How far each step could go before it left the frame, (row, col) x (down, up); infinite without a frame.
    """

    start: np.ndarray
    power_px2: np.ndarray
    cosine: np.ndarray
    room_px: np.ndarray


def blur_coefficient(exposure_s: float, frame_s: float) -> float:
    """R of a shutter open for part of each frame: exposure / (6 frame time), at most 1/6 (Berglund 2010)."""
    return exposure_s / (6.0 * frame_s)


def step_spectra(step_px: np.ndarray, start: np.ndarray, room_px: np.ndarray | None = None) -> StepSpectra:
    """Sine transform of each track's steps.

    The steps of a track have a tridiagonal Toeplitz covariance, which the sine transform of type I diagonalises.

    Parameters
    ----------
    step_px : ndarray, shape (n_steps, 2)
        Steps without drift, track after track.
    start : ndarray of int, shape (n_tracks + 1,)
        Where each track begins.
    room_px : ndarray, shape (n_steps, 2, 2), optional
        How far each step could go before it left the frame.

    Returns
    -------
    StepSpectra
        For `log_likelihood`.
    """
    power = np.empty(len(step_px))
    cosine = np.empty(len(step_px))
    lengths = np.diff(start)
    for n in np.unique(lengths):
        if n == 0:
            continue
        which = start[:-1][lengths == n][:, None] + np.arange(n)
        transformed = dst(step_px[which], type=1, axis=1, norm="ortho")
        power[which] = np.sum(transformed**2, axis=2)
        cosine[which] = np.cos(np.arange(1, n + 1) * np.pi / (n + 1))
    room_px = np.full((len(step_px), 2, 2), np.inf) if room_px is None else room_px
    return StepSpectra(np.asarray(start), power, cosine, np.asarray(room_px, float))


def log_likelihood(
    spectra: StepSpectra,
    diffusion_px2: np.ndarray,
    noise_px2: np.ndarray,
    *,
    blur: float,
    max_step_px: float = np.inf,
) -> np.ndarray:
    """Log-likelihood of every track for every diffusion coefficient.

    With D in px2 per frame, localisation variance s2 and blur coefficient R, the steps of one axis have variance
    2 D (1 - 2 R) + 2 s2 and covariance 2 R D - s2 with the next step; the sine transform turns this into
    independent values of variance 2 D (1 - 2 R) + 2 s2 + 2 (2 R D - s2) cos(k pi / (N + 1)). Steps longer than the
    search radius were never linked and steps out of the frame were never seen, so each step's density is divided by the
    chance of a step within both, 1 - exp(-r^2 / (2 v)) and Phi(up / sqrt v) - Phi(-down / sqrt v) along each axis.

    Parameters
    ----------
    spectra : StepSpectra
        Of n_tracks tracks.
    diffusion_px2 : ndarray, shape (n_grid,)
        D times the frame time in px2.
    noise_px2 : ndarray, shape (n_tracks,)
        Localisation variance along one axis.
    blur : float
        From `blur_coefficient`, 0 to 1/6.
    max_step_px : float
        Search radius of the linking.

    Returns
    -------
    ndarray, shape (n_tracks, n_grid)
        Natural logarithms.

    References
    ----------
    Berglund AJ, Phys Rev E 2010;82:011917, equations 13 to 17.
    """
    return np.asarray(
        _likelihood(
            spectra.start,
            spectra.power_px2,
            spectra.cosine,
            spectra.room_px,
            np.asarray(diffusion_px2, float),
            np.asarray(noise_px2, float),
            float(blur),
            float(max_step_px),
        )
    )


TRACKS_AT_ONCE = 4096


def relative_likelihood(
    spectra: StepSpectra,
    diffusion_px2: np.ndarray,
    noise_px2: np.ndarray,
    *,
    blur: float,
    max_step_px: float = np.inf,
) -> np.ndarray:
    """Likelihood of every track for every diffusion coefficient over the track's largest, shape (n_tracks, n_grid).

    The arguments are those of `log_likelihood`; it is found in pieces and kept as float32, so that a long movie fits
    in memory.
    """
    out = np.empty((len(spectra.start) - 1, len(diffusion_px2)), np.float32)
    for first in range(0, len(out), TRACKS_AT_ONCE):
        start = spectra.start[first : first + TRACKS_AT_ONCE + 1]
        piece = StepSpectra(start, spectra.power_px2, spectra.cosine, spectra.room_px)
        noise = noise_px2[first : first + TRACKS_AT_ONCE]
        values = log_likelihood(piece, diffusion_px2, noise, blur=blur, max_step_px=max_step_px)
        out[first : first + TRACKS_AT_ONCE] = np.exp(values - values.max(axis=1, keepdims=True))
    return out


def sum_over_sizes(likelihood: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Multiply in double precision a piece at a time, so that a long movie's likelihoods are not held in it.

    Parameters
    ----------
    likelihood : ndarray, shape (n_tracks, n), float32
    weight : ndarray, shape (n,) or (n, k)

    Returns
    -------
    ndarray, shape (n_tracks,) or (n_tracks, k)
    """
    firsts = range(0, len(likelihood), TRACKS_AT_ONCE)
    return np.concatenate([likelihood[first : first + TRACKS_AT_ONCE] @ weight for first in firsts])


@njit(cache=True, fastmath=True, error_model="numpy")
def _likelihood(start, power, cosine, room, diffusion, noise, blur, reach):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    n_tracks, n_grid = start.size - 1, diffusion.size
    out = np.empty((n_tracks, n_grid))
    for i in range(n_tracks):
        n = start[i + 1] - start[i]
        nearest = np.inf
        for k in range(start[i], start[i + 1]):
            nearest = min(nearest, room[k].min())
        for g in range(n_grid):
            variance = 2.0 * diffusion[g] * (1.0 - 2.0 * blur) + 2.0 * noise[i]
            across = 2.0 * (2.0 * blur * diffusion[g] - noise[i])
            log_sum = 0.0
            product = 1.0
            chi2 = 0.0
            for k in range(start[i], start[i + 1]):
                value = variance + across * cosine[k]
                product *= value
                if product > 1e200 or product < 1e-200:
                    log_sum += np.log(product)
                    product = 1.0
                chi2 += power[k] / value
            if nearest < FAR_FROM_EDGE * np.sqrt(variance):
                product *= _chance_to_stay(room[start[i] : start[i + 1]], np.sqrt(variance))
            log_sum += np.log(product)
            # two axes share the eigenvalues: the log-determinant counts twice, halved by the 1/2 of the Gaussian
            out[i, g] = -log_sum - 0.5 * chi2 - n * np.log(1.0 - np.exp(-reach * reach / (2.0 * variance)))
    return out


FAR_FROM_EDGE = 4.0
"""In standard deviations of a step: beyond, one step in 30 000 leaves the frame."""


@njit(cache=True, error_model="numpy")
def _chance_to_stay(room, sigma):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - numba infers
    """Chance that steps of this standard deviation, from these places, all end in the frame."""
    chance = 1.0
    for k in range(room.shape[0]):
        for axis in range(2):
            for way in range(2):
                reach = room[k, axis, way] / sigma
                if reach < FAR_FROM_EDGE:
                    chance *= 0.5 + 0.5 * math.erf(max(reach, 0.0) / math.sqrt(2.0))
    return chance


def covariance_estimate(step_px: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Diffusion (px2 per frame) and its standard error by the covariance estimator, mean of both axes.

    D = <x_n^2> / 2 + <x_n x_(n+1)>: free of blur and of localisation noise, without an iteration.

    Parameters
    ----------
    step_px : ndarray, shape (n_steps, 2)
        Steps, track after track.
    start : ndarray of int, shape (n_tracks + 1,)
        Where each track begins; tracks of one step have no covariance and count <x^2> / 2 alone.

    Returns
    -------
    diffusion_px2, std_error_px2 : ndarray, shape (n_tracks,)
        The first may be negative for short tracks.

    References
    ----------
    Vestergaard CL, Blainey PC, Flyvbjerg H, Phys Rev E 2014;89:022726, equations 14 and 17.
    """
    lengths = np.diff(start)
    square = np.add.reduceat(np.mean(step_px**2, axis=1), start[:-1]) / lengths
    product = np.mean(step_px[:-1] * step_px[1:], axis=1)
    inside = np.ones(len(product), bool)
    inside[start[1:-1] - 1] = False
    sums = np.bincount(np.repeat(np.arange(len(lengths)), lengths)[:-1][inside], product[inside], len(lengths))
    diffusion = square / 2.0 + np.where(lengths > 1, sums / np.maximum(lengths - 1, 1), 0.0)
    return diffusion, np.abs(diffusion) * np.sqrt(6.0 / (2.0 * lengths) + 4.0 / (2.0 * lengths**2))


SMEAR_LAGS = 4
SMEAR_CERTAIN = 6.0
"""Standard errors by which the covariance two frames apart must exceed zero before it is believed."""


def smear_factor(step_px: np.ndarray, start: np.ndarray) -> float:
    """How much more particles diffuse than successive frames show, where the recording smears over several frames.

    Steps of free particles are uncorrelated beyond the next one. Video compression and slow cameras mix frames: part
    of a step appears late, and steps two and three frames apart correlate. The diffusion coefficient is half the sum of
    the covariances over all lags (Green-Kubo), so D = c0 / 2 + c1 + c2 + ..., of which c0 / 2 + c1 is seen without
    the factor.

    Parameters
    ----------
    step_px : ndarray, shape (n_steps, 2)
        Steps without drift, track after track.
    start : ndarray of int, shape (n_tracks + 1,)
        Where each track begins.

    Returns
    -------
    float
        1 where the covariance two frames apart is not beyond chance, else (c0 / 2 + c1 + ... + c4) / (c0 / 2 + c1).
    """
    owner = np.repeat(np.arange(len(start) - 1), np.diff(start))
    covariance, error = [float(np.mean(step_px**2))], 0.0
    for lag in range(1, SMEAR_LAGS + 1):
        same = owner[lag:] == owner[:-lag]
        products = np.mean(step_px[lag:][same] * step_px[:-lag][same], axis=1)
        if products.size < 1000:
            return 1.0
        covariance.append(float(products.mean()))
        if lag == 2:
            error = float(products.std()) / math.sqrt(products.size)
    if covariance[2] < SMEAR_CERTAIN * error or covariance[2] < covariance[4]:
        return 1.0
    seen = 0.5 * covariance[0] + covariance[1]
    return (seen + sum(max(c, 0.0) for c in covariance[2:])) / seen if seen > 0.0 else 1.0
