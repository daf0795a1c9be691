"""Find the covariance that makes the data most likely: Fisher scoring to come near, Newton steps to arrive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anagen.errors import ConvergenceError
from anagen.stats.covariance import Derivatives, Structure
from anagen.stats.likelihood import Evaluation, Slopes, SufficientData, differentiate, evaluate

Floats = NDArray[np.float64]

N_FISHER_STEPS = 3
"""Expected information has no negative curvature far from the optimum; three steps sufficed on every data set tried."""

NEAR = 1e-2
"""Newton decrement, in units of the deviance, below which Newton steps beat Fisher steps; at 1, more were needed."""

NEARLY_THERE = 1e-7
"""Newton decrement, in units of the deviance, below which one more full step squares the error away."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """Where the iteration came to rest.

    Parameters
    ----------
    theta : ndarray, shape (k,)
        Covariance parameters.
    sigma : Derivatives
        The covariance there.
    at : Evaluation
        The likelihood there.
    slopes : Slopes
        Its derivatives there.
    n_iterations : int
        Steps taken.
    decrement : float
        What a further Newton step would still gain, in units of the deviance.
    """

    theta: Floats
    sigma: Derivatives
    at: Evaluation
    slopes: Slopes
    n_iterations: int
    decrement: float


def maximise_likelihood(
    data: SufficientData, structure: Structure, near: Floats, *, restricted: bool, max_iterations: int = 100
) -> Optimum:
    """Maximise the (restricted) likelihood over the parameters of a covariance structure.

    Parameters
    ----------
    data : SufficientData
        The data.
    structure : Structure
        Which covariances are allowed.
    near : ndarray, shape (m, m)
        Positive definite matrix to start near.
    restricted : bool
        REML if true, ML if not.
    max_iterations : int
        Give up after this many steps.

    Returns
    -------
    Optimum

    Raises
    ------
    ConvergenceError
        When the steps run out, the covariance tends to a singular one, or the likelihood is flat.
    """
    theta = structure.start(near)
    sigma = structure.derivatives(theta)
    at = evaluate(data, sigma.sigma, restricted=restricted)
    if at is None:
        raise ConvergenceError(f"{structure.name}: no positive definite covariance to start from")
    slopes = differentiate(data, at, sigma, restricted=restricted)
    for iteration in range(1, max_iterations + 1):
        chosen = _choose_step(slopes, fisher=iteration <= N_FISHER_STEPS)
        if chosen is None:
            break
        step, decrement, is_newton = chosen
        found = _search_line(data, structure, theta, at, step, decrement, restricted=restricted)
        if found is None:
            break
        theta, sigma, at = found
        slopes = differentiate(data, at, sigma, restricted=restricted)
        if is_newton and decrement < NEARLY_THERE:
            return _check_optimum(structure, theta, sigma, at, slopes, iteration)
    return _check_optimum(structure, theta, sigma, at, slopes, max_iterations)


def _choose_step(slopes: Slopes, *, fisher: bool) -> tuple[Floats, float, bool] | None:
    """Newton where the deviance curves upwards and the end is near or Fisher's steps are done; Fisher's step else."""
    newton = _solve_positive(slopes.observed, slopes.gradient)
    if newton is not None:
        decrement = 0.5 * float(newton @ slopes.gradient)
        if not fisher or decrement < NEAR:
            return -0.5 * newton, decrement, True
    scoring = _solve_positive(slopes.expected, slopes.gradient)
    if scoring is None:
        return None
    return -0.5 * scoring, 0.5 * float(scoring @ slopes.gradient), False


def _solve_positive(matrix: Floats, vector: Floats) -> Floats | None:
    """Solve after scaling to unit diagonal; None unless positive definite well beyond rounding."""
    diagonal = np.diag(matrix)
    if not np.all(np.isfinite(matrix)) or np.any(diagonal <= 0):
        return None
    scale = 1.0 / np.sqrt(diagonal)
    try:
        lower = np.linalg.cholesky(matrix * scale[:, None] * scale[None, :])
    except np.linalg.LinAlgError:
        return None
    if np.diag(lower).min() < 1e-7:
        return None
    half = np.linalg.solve(lower, scale * vector)
    solved: Floats = scale * np.linalg.solve(lower.T, half)
    return solved


def _search_line(
    data: SufficientData,
    structure: Structure,
    theta: Floats,
    at: Evaluation,
    step: Floats,
    decrement: float,
    *,
    restricted: bool,
) -> tuple[Floats, Derivatives, Evaluation] | None:
    """Halve the step until the deviance falls; a step too small to be seen in the deviance is taken whole."""
    slack = 1e-9 * max(1.0, abs(at.deviance)) * 1e-3
    length = 1.0
    for _ in range(40):
        trial = theta + length * step
        sigma = structure.derivatives(trial)
        reached = evaluate(data, sigma.sigma, restricted=restricted)
        if reached is not None and reached.deviance <= at.deviance - 1e-4 * length * decrement + slack:
            return trial, sigma, reached
        length *= 0.5
    return None


def _check_optimum(
    structure: Structure, theta: Floats, sigma: Derivatives, at: Evaluation, slopes: Slopes, n_iterations: int
) -> Optimum:
    eigenvalues = np.linalg.eigvalsh(_as_correlation(sigma.sigma))
    newton = _solve_positive(slopes.observed, slopes.gradient)
    if eigenvalues[0] < 1e-10 or (newton is None and eigenvalues[0] < 1e-3):
        raise ConvergenceError(
            f"{structure.name}: the likelihood grows towards a singular covariance and has no maximum (too few people"
            f" for so many parameters; smallest eigenvalue of the correlation matrix {eigenvalues[0]:.2g})"
        )
    if newton is None:
        raise ConvergenceError(
            f"{structure.name}: the likelihood is flat or has no maximum inside the positive definite covariances:"
            " some of its parameters are not estimable from these data"
        )
    decrement = 0.5 * float(newton @ slopes.gradient)
    if decrement > NEARLY_THERE:
        raise ConvergenceError(
            f"{structure.name}: not converged after {n_iterations} steps (decrement {decrement:.2g})"
        )
    return Optimum(theta, sigma, at, slopes, n_iterations, decrement)


def _as_correlation(sigma: Floats) -> Floats:
    scale = 1.0 / np.sqrt(np.diag(sigma))
    correlation: Floats = sigma * np.outer(scale, scale)
    return correlation
