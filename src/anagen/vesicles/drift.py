"""What all particles do together: flow, and shake from frame to frame."""

from __future__ import annotations

import math

import numpy as np
from scipy.interpolate import BSpline

FRAMES_PER_KNOT = 150
"""A drift that changes faster than in about 5 s at 30 frames/s is left in the steps as vibration."""


def smooth_drift(frame: np.ndarray, step_px: np.ndarray, variance_px2: np.ndarray, n_frames: int) -> np.ndarray:
    """Find the common motion by weighted least squares on a cubic spline with few knots.

    Subtracting the raw mean of each frame would take away 1/N of every particle's own motion; a curve of a few
    parameters over the whole movie takes away next to nothing.

    Parameters
    ----------
    frame : ndarray of int, shape (n,)
        Frame in which a step ends.
    step_px : ndarray, shape (n, 2)
        Steps, (row, col).
    variance_px2 : ndarray, shape (n,)
        Variance of each step along an axis; slow particles show the drift best.
    n_frames : int
        Frames of the movie.

    Returns
    -------
    ndarray, shape (T, 2)
        Motion from frame t - 1 to t.

    References
    ----------
    Hartman J, Kirby BJ, Phys Rev E 2017;95:033305 (dedrifting by ensemble means biases diffusion).
    """
    n_pieces = max(1, n_frames // FRAMES_PER_KNOT)
    degree = 3 if n_pieces > 1 else 0
    inner = np.linspace(0.0, n_frames, n_pieces + 1)
    knots = np.concatenate([[inner[0]] * degree, inner, [inner[-1]] * degree])
    weight = 1.0 / np.maximum(variance_px2, 1e-3)
    counts = np.bincount(frame, weights=weight, minlength=n_frames)
    used = np.nonzero(counts > 0.0)[0]
    if used.size == 0:
        return np.zeros((n_frames, 2))
    design = BSpline.design_matrix(used.astype(float), knots, degree).toarray()
    means = np.stack(
        [np.bincount(frame, weights=weight * step_px[:, axis], minlength=n_frames)[used] for axis in (0, 1)], axis=1
    )
    normal = design.T @ (design * counts[used][:, None])
    ridge = 1e-6 * np.trace(normal) / len(normal) * np.eye(len(normal))
    coefficients = np.linalg.solve(normal + ridge, design.T @ means)
    everywhere = BSpline.design_matrix(np.arange(n_frames, dtype=float), knots, degree).toarray()
    return np.asarray(everywhere @ coefficients)


def vibration_px(frame: np.ndarray, step_px: np.ndarray, variance_px2: np.ndarray) -> float:
    """Estimate the common shake of the picture, its standard deviation along one axis, beyond independent steps.

    A shake s_t adds s_t - s_(t-1) to every step that ends in frame t: the covariance of the mean steps of successive
    frames is then -var(s), less what the particles' own localisation noise adds.

    Parameters
    ----------
    frame : ndarray of int, shape (n,)
        Frame in which a step ends.
    step_px : ndarray, shape (n, 2)
        Steps without the smooth drift.
    variance_px2 : ndarray, shape (n,)
        Variance of each step along an axis.

    Returns
    -------
    float
        In px; 0 when the frames' means scatter no more than they should.
    """
    weight = 1.0 / np.maximum(variance_px2, 1e-3)
    n_frames = int(frame.max()) + 1 if frame.size else 0
    total = np.bincount(frame, weights=weight, minlength=n_frames)
    enough = total > 0.0
    if enough.sum() < 20:
        return 0.0
    excess = 0.0
    for axis in (0, 1):
        mean = np.bincount(frame, weights=weight * step_px[:, axis], minlength=n_frames)[enough] / total[enough]
        expected = 1.0 / total[enough]
        more = float(np.mean(mean**2) - np.mean(expected))
        spread = float(np.mean(mean**2)) * math.sqrt(2.0 / float(enough.sum()))
        excess += 0.5 * more if more > 4.0 * spread else 0.0
    return math.sqrt(0.5 * excess)
