"""Draws of the imputation model's parameters: a Gibbs sampler (Bayes), or refits to resampled people (bootstrap)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from anagen.errors import ConvergenceError
from anagen.stats.impute import ImputationData, arm_covariances, fit_imputation_model
from anagen.stats.likelihood import Evaluation, evaluate, gather_patterns
from anagen.stats.mmrm import MmrmFit

Floats = NDArray[np.float64]


class Parameters(NamedTuple):
    """One draw: coefficients, and the covariance of each arm by its index."""

    beta: Floats
    sigmas: Mapping[int, Floats]


def draw_posterior(
    data: ImputationData,
    fit: MmrmFit,
    *,
    n_draws: int,
    rng: np.random.Generator,
    n_burn_in: int = 200,
    n_between: int = 20,
) -> Iterator[Parameters]:
    """Draw from the posterior under flat coefficients and Jeffreys' prior |Sigma|^-(m + 1)/2.

    Data augmentation: coefficients given Sigma from what was seen, missing values of the people in the model given
    both, Sigma given the completed residuals from an inverse Wishart. Begins at the REML fit.

    Parameters
    ----------
    data : ImputationData
        The trial.
    fit : MmrmFit
        Its imputation model, unstructured.
    n_draws : int
        How many.
    rng : numpy.random.Generator
        Source of randomness.
    n_burn_in, n_between : int
        Sweeps before the first draw and from one to the next.

    Returns
    -------
    iterator of Parameters

    References
    ----------
    Schafer JL. Analysis of incomplete multivariate data. 1997, section 5.4. Tanner MA, Wong WH. J Am Stat Assoc
    1987;82:528.
    """
    d = data.design
    m, n_groups = len(d.visit.levels), len(d.group.levels)
    X = d.X[:, d.kept]
    slots = d.group.codes * m + d.visit.codes
    seen = gather_patterns(X, d.y, d.subject.codes, slots, m * n_groups, d.weights, np.eye(X.shape[1]))
    full = _rows_of_model(data)
    group = np.zeros(len(full.y), dtype=int)
    group[d.subject.codes] = d.group.codes
    sigma = fit.optimum.sigma.sigma.copy()
    for sweep in range(n_burn_in + (n_draws - 1) * n_between + 1):
        at = evaluate(seen, sigma, restricted=True)
        if at is None:
            raise ConvergenceError(
                f"sweep {sweep}: the drawn covariance is not positive definite: too few people a visit"
            )
        beta = _draw_normal(at, rng)
        residual = full.y - full.X @ beta
        for g in range(n_groups):
            own, block = group == g, slice(g * m, (g + 1) * m)
            residual[own] = _fill_residuals(residual[own], sigma[block, block], rng)
            sigma[block, block] = _draw_inverse_wishart(residual[own].T @ residual[own], int(own.sum()), rng)
        if sweep >= n_burn_in and (sweep - n_burn_in) % n_between == 0:
            coefficients = np.full(d.X.shape[1], np.nan)
            coefficients[d.kept] = beta
            blocks = [sigma[g * m : (g + 1) * m, g * m : (g + 1) * m].copy() for g in range(n_groups)]
            by_name = dict(zip(d.group.levels, blocks, strict=True))
            yield Parameters(coefficients, {k: by_name.get(name, blocks[0]) for k, name in enumerate(data.arms)})


def draw_bootstrap(
    data: ImputationData, *, n_draws: int, rng: np.random.Generator, covariance: str = "us"
) -> Iterator[Parameters]:
    """Refit the imputation model to people drawn with replacement within each arm.

    Parameters
    ----------
    data : ImputationData
        The trial.
    n_draws : int
        How many.
    rng : numpy.random.Generator
        Source of randomness.
    covariance : str
        Structure of the covariance.

    Returns
    -------
    iterator of Parameters
    """
    by_arm = [np.flatnonzero(data.arm == k) for k in range(len(data.arms))]
    for _ in range(n_draws):
        people = np.concatenate([rng.choice(arm, len(arm)) for arm in by_arm])
        sample = data.keep(people)
        fit = fit_imputation_model(sample, covariance=covariance)
        yield Parameters(fit.beta, arm_covariances(sample, fit))


class _ModelRows(NamedTuple):
    y: Floats  # (n, m), NaN where not used by the model
    X: Floats  # (n, m, p_kept)


def _rows_of_model(data: ImputationData) -> _ModelRows:
    m = data.y.shape[1]
    before = np.arange(m)[None, :] < data.event[:, None]
    used = np.isfinite(data.y) & (before | (data.strategy == "mar")[:, None])
    rows = used.any(axis=1)
    y = np.where(used, data.y, np.nan)[rows]
    return _ModelRows(y, data.own[rows][:, :, data.design.kept])


def _draw_normal(at: Evaluation, rng: np.random.Generator) -> Floats:
    drawn: Floats = at.beta + np.linalg.cholesky(at.phi) @ rng.standard_normal(len(at.beta))
    return drawn


def _fill_residuals(residual: Floats, sigma: Floats, rng: np.random.Generator) -> Floats:
    filled = residual.copy()
    gaps = np.isnan(residual)
    noise = rng.standard_normal(residual.shape)
    patterns, member = np.unique(gaps, axis=0, return_inverse=True)
    for k, gap in enumerate(patterns):
        if not gap.any():
            continue
        rows = np.flatnonzero(member.ravel() == k)
        seen = ~gap
        slopes = np.linalg.solve(sigma[np.ix_(seen, seen)], sigma[np.ix_(seen, gap)]).T
        spread = sigma[np.ix_(gap, gap)] - slopes @ sigma[np.ix_(seen, gap)]
        root = np.linalg.cholesky(0.5 * (spread + spread.T))
        filled[np.ix_(rows, gap)] = residual[np.ix_(rows, seen)] @ slopes.T + noise[np.ix_(rows, gap)] @ root.T
    return filled


def _draw_inverse_wishart(scatter: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Draw by Bartlett's decomposition of the Wishart distribution of the inverse."""
    m = len(scatter)
    lower = np.linalg.cholesky(scatter)
    bartlett = np.tril(rng.standard_normal((m, m)), -1)
    bartlett[np.diag_indices(m)] = np.sqrt(rng.chisquare(n - np.arange(m)))
    # inverse = L^-T B B' L^-1, so Sigma = (L B^-T)(L B^-T)'
    half = linalg.solve_triangular(bartlett, lower.T, lower=True).T
    return np.asarray(half @ half.T, dtype=np.float64)
