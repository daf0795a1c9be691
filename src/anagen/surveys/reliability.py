"""Do the items of a survey measure one thing, and how exactly: alpha, omega and what each item adds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy import optimize, stats

from anagen.errors import ConvergenceError, InputError, NotEnoughDataError
from anagen.records import Estimate, Flag
from anagen.surveys.instrument import Instrument
from anagen.surveys.score import check_responses

HEYWOOD_SHARE: Final = 1e-3
"""Smallest share of an item's variance left to error: a fit that wants less is a Heywood case and is flagged."""


AlphaInterval = Literal["feldt", "duhachek"]


@dataclass(frozen=True, slots=True)
class Omega:
    """McDonald's omega of a one-factor model.

    Parameters
    ----------
    estimate : Estimate
        Share of the variance of the summed score that the factor explains.
    of_observed_variance : float
        The factor's variance over the observed variance of the sum instead of the model's; alike when one factor fits.
    variance_extracted : float
        Average share of an item's variance that the factor explains.
    loadings, error_variances : ndarray, shape (n_items,)
        Of the one-factor model, in the units of the items.
    discrepancy : float
        Chi-square of the model's fit, (n - 1) times the discrepancy.
    df : int
        Its degrees of freedom, 0 with 3 items.
    flags : tuple of Flag
        ``heywood``, ``poor-fit``, ``mixed-signs``.
    """

    estimate: Estimate
    of_observed_variance: float
    variance_extracted: float
    loadings: np.ndarray
    error_variances: np.ndarray
    discrepancy: float
    df: int
    flags: tuple[Flag, ...]


def arrange_points(instrument: Instrument, responses: Any, *, visit: str, scale: str = "total") -> pl.DataFrame:
    """Lay the answers of one visit out as one row a person and one column an item, reversed items turned.

    Parameters
    ----------
    instrument : Instrument
        The instrument asked.
    responses : table
        As for `score_survey`.
    visit : str
        Which visit: reliability is that of one occasion.
    scale : str
        ``total`` or a subscale.

    Returns
    -------
    DataFrame
        participant and one column an item of the scale; null where not answered.
    """
    if scale not in instrument.scales:
        raise InputError(f"scale must be one of {', '.join(instrument.scales)}, got {scale!r}")
    answers = check_responses(instrument, responses).filter(pl.col("visit") == visit)
    if not answers.height:
        raise NotEnoughDataError(f"nobody answered {instrument.name} at {visit!r}: check the visit's name")
    wide = answers.pivot("item", index="participant", values="points")
    ids = [item.id for item in instrument.scales[scale]]
    return wide.select(
        "participant", *(pl.col(id_) if id_ in wide.columns else pl.lit(None, pl.Int64).alias(id_) for id_ in ids)
    )


def estimate_alpha(
    points: ArrayLike, *, standardised: bool = False, interval: AlphaInterval = "feldt", level: float = 0.95
) -> Estimate:
    """Cronbach's alpha: reliability of the summed score if all items carry the same true score.

    Parameters
    ----------
    points : array_like, shape (n_people, n_items)
        Answers after reversal; people with a missing answer (NaN) are left out.
    standardised : bool
        Whether each item is brought to a variance of 1 first.
    interval : {"feldt", "duhachek"}
        ``feldt``: F distribution, takes items as parallel and normal. ``duhachek``: large-sample standard error for
        normal items of any covariance, normal interval.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        alpha = k/(k-1) (1 - trace C / sum C), C the covariance (correlation) of the items.

    Raises
    ------
    NotEnoughDataError
        With fewer than 2 items or 3 complete people, or when nobody differs.

    References
    ----------
    Cronbach (1951), Psychometrika 16:297; Feldt (1965), Psychometrika 30:357; Duhachek, Iacobucci (2004),
    J Appl Psychol 89:792.

    Examples
    --------
    >>> round(estimate_alpha([[1, 2], [2, 2], [3, 4], [4, 5], [5, 4]]).value, 4)
    0.8974
    """
    x = _complete(points, 2)
    n = len(x)
    cov = np.corrcoef(x, rowvar=False) if standardised else np.cov(x, rowvar=False)
    value = _alpha(cov)
    ends = {"feldt": _feldt_interval, "duhachek": _duhachek_interval}.get(interval)
    if ends is None:
        raise InputError(f"interval must be one of {', '.join(get_args(AlphaInterval))}, got {interval!r}")
    low, high = ends(value, cov, n, level)
    name = "Cronbach's alpha of standardised items" if standardised else "Cronbach's alpha"
    return Estimate(value, "1", low, high, n, f"{name}; {interval.capitalize()} interval", level)


def estimate_omega(points: ArrayLike, *, level: float = 0.95) -> Omega:
    """McDonald's omega: reliability of the summed score when items may carry the true score unequally.

    A one-factor model is fitted by maximum likelihood; omega = (sum l)^2 / ((sum l)^2 + sum theta). The interval is
    distribution-free: the delta method with the fourth moments of the answers, on the scale of log(1 - omega).

    Parameters
    ----------
    points : array_like, shape (n_people, n_items)
        Answers after reversal, at least 3 items; people with a missing answer (NaN) are left out.
    level : float
        Confidence level.

    Returns
    -------
    Omega

    Raises
    ------
    NotEnoughDataError
        With fewer than 3 items, or not more complete people than items, or an item that nobody answers differently.

    References
    ----------
    McDonald (1999), Test Theory, ch. 6; Maydeu-Olivares, Coffman, Hartmann (2007), Psychol Methods 12:157.
    """
    x = _complete(points, 3)
    n, k = x.shape
    if n <= k:
        raise NotEnoughDataError(f"omega of {k} items needs more than {k} complete people, got {n}")
    cov = np.cov(x, rowvar=False)
    loadings, errors, discrepancy = _fit_one_factor(cov)
    value = _omega(loadings, errors)
    std_error = _omega_std_error(x, cov)
    reach = float(stats.norm.isf((1 - level) / 2)) * std_error / (1 - value)
    low, high = 1 - (1 - value) * math.exp(reach), 1 - (1 - value) * math.exp(-reach)
    method = "McDonald's omega, one factor by ML; distribution-free delta interval"
    df = k * (k - 3) // 2
    chi2 = (n - 1) * discrepancy
    return Omega(
        estimate=Estimate(value, "1", low, high, n, method, level),
        of_observed_variance=float(loadings.sum()) ** 2 / float(cov.sum()),
        variance_extracted=float(np.sum(loadings**2) / np.sum(loadings**2 + errors)),
        loadings=loadings,
        error_variances=errors,
        discrepancy=chi2,
        df=df,
        flags=_omega_flags(loadings, errors, cov, chi2, df),
    )


def analyse_items(points: ArrayLike, names: list[str] | None = None) -> pl.DataFrame:
    """Describe what each item adds to the score.

    Parameters
    ----------
    points : array_like, shape (n_people, n_items)
        Answers after reversal; people with a missing answer (NaN) are left out.
    names : list of str or None
        Names of the items; 1, 2, ... when None.

    Returns
    -------
    DataFrame
        item, n, mean, sd, lowest_share and highest_share (people at the lowest and highest answer given), item_rest_r
        (correlation with the sum of the others), alpha_without (alpha when it is dropped; NaN with 2 items).
    """
    x = _complete(points, 2)
    n, k = x.shape
    labels = [str(number + 1) for number in range(k)] if names is None else list(names)
    if len(labels) != k:
        raise InputError(f"names must give one name for each of the {k} items, got {len(labels)}")
    cov, total = np.cov(x, rowvar=False), x.sum(axis=1)
    keep = [np.delete(np.arange(k), j) for j in range(k)]
    return pl.DataFrame(
        {
            "item": labels,
            "n": [n] * k,
            "mean": x.mean(axis=0),
            "sd": x.std(axis=0, ddof=1),
            "lowest_share": (x == x.min()).mean(axis=0),
            "highest_share": (x == x.max()).mean(axis=0),
            "item_rest_r": [_correlation(x[:, j], total - x[:, j]) for j in range(k)],
            "alpha_without": [_alpha(cov[np.ix_(j, j)]) if k > 2 else math.nan for j in keep],
        }
    )


def _complete(points: ArrayLike, min_items: int) -> np.ndarray:
    x: np.ndarray = np.asarray(points, dtype=float)
    if x.ndim != 2 or np.isinf(x).any():
        raise InputError(f"points must have shape (n_people, n_items) and finite values, got shape {x.shape}")
    x = x[~np.isnan(x).any(axis=1)]
    if x.shape[1] < min_items or len(x) < 3:
        raise NotEnoughDataError(
            f"this needs at least {min_items} items and 3 people who answered all, got {x.shape[1]} and {len(x)}"
        )
    if (np.ptp(x, axis=0) == 0).any() or np.ptp(x.sum(axis=1)) == 0:
        raise NotEnoughDataError("everybody gave the same answer to an item, or has the same sum: drop that item")
    return x


def _alpha(cov: np.ndarray) -> float:
    k = len(cov)
    return float(k / (k - 1) * (1 - np.trace(cov) / cov.sum()))


def _feldt_interval(alpha: float, cov: np.ndarray, n: int, level: float) -> tuple[float, float]:
    tail, df_people, df_error = (1 - level) / 2, n - 1, (n - 1) * (len(cov) - 1)
    low = 1 - (1 - alpha) * float(stats.f.isf(tail, df_people, df_error))
    return low, 1 - (1 - alpha) * float(stats.f.ppf(tail, df_people, df_error))


def _duhachek_interval(alpha: float, cov: np.ndarray, n: int, level: float) -> tuple[float, float]:
    """Build the normal interval from the standard error of equation 1 of Duhachek and Iacobucci (2004)."""
    k, total, trace = len(cov), float(cov.sum()), float(np.trace(cov))
    square = cov @ cov
    spread = total * (float(np.trace(square)) + trace**2) - 2 * trace * float(square.sum())
    std_error = math.sqrt(2 * k**2 / ((k - 1) ** 2 * total**3) * spread / n)
    reach = float(stats.norm.isf((1 - level) / 2)) * std_error
    return alpha - reach, alpha + reach


def _omega(loadings: np.ndarray, errors: np.ndarray) -> float:
    true = float(loadings.sum()) ** 2
    return true / (true + float(errors.sum()))


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1]) if np.ptp(x) > 0 and np.ptp(y) > 0 else math.nan


def _fit_one_factor(cov: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """One factor by maximum likelihood: Joreskog (1967), Psychometrika 32:443, concentrated over the loadings.

    Given error variances psi, the loadings follow from the largest root of psi^-1/2 C psi^-1/2; what is left is a
    function of log psi, whose gradient is closed. The correlation matrix is fitted, so that units do not matter.
    """
    sd = np.sqrt(np.diag(cov))
    r = cov / np.outer(sd, sd)

    def negative(log_psi: np.ndarray) -> tuple[float, np.ndarray]:
        loadings, psi, roots = _loadings_given_errors(r, log_psi)
        rest = roots[:-1] if roots[-1] > 1 else roots
        inverse = np.linalg.inv(np.outer(loadings, loadings) + np.diag(psi))
        gradient = psi * np.diag(inverse - inverse @ r @ inverse)
        return float(np.sum(rest - np.log(rest) - 1)), gradient

    start = np.log(np.clip(1 / np.diag(np.linalg.inv(r + 1e-8 * np.eye(len(r)))), HEYWOOD_SHARE, 1.0) * 0.9)
    bounds = [(math.log(HEYWOOD_SHARE), 0.0)] * len(r)
    fit = optimize.minimize(
        negative, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-16, "gtol": 1e-11}
    )
    log_psi = _polish(negative, fit.x, bounds[0])
    loadings, psi, _ = _loadings_given_errors(r, log_psi)
    loadings = loadings if loadings.sum() >= 0 else -loadings
    value, gradient = negative(log_psi)
    inside = (log_psi > bounds[0][0] + 1e-9) & (log_psi < bounds[0][1] - 1e-9)
    if np.abs(gradient[inside]).max(initial=0.0) > 1e-6:
        raise ConvergenceError(f"the one-factor model did not settle (gradient {np.abs(gradient[inside]).max():.1e})")
    return loadings * sd, psi * sd**2, value


def _loadings_given_errors(r: np.ndarray, log_psi: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    root_psi = np.exp(log_psi / 2)
    roots, vectors = np.linalg.eigh(r / np.outer(root_psi, root_psi))
    loadings = root_psi * vectors[:, -1] * math.sqrt(max(roots[-1] - 1, 0.0))
    return loadings, root_psi**2, np.maximum(roots, 1e-12)


def _polish(negative: Any, log_psi: np.ndarray, bound: tuple[float, float]) -> np.ndarray:
    """Newton steps on the gradient (its Jacobian by central differences), for the last digits of an inner optimum."""
    x, h = log_psi.copy(), 1e-5
    for _ in range(4):
        inside = (x > bound[0] + 1e-6) & (x < bound[1] - 1e-6)
        gradient = negative(x)[1]
        if not inside.any() or np.abs(gradient[inside]).max() < 1e-14:
            break
        steps = np.eye(len(x))[inside] * h
        jacobian = np.array([(negative(x + s)[1] - negative(x - s)[1])[inside] / (2 * h) for s in steps])
        move = np.linalg.lstsq(jacobian, gradient[inside], rcond=None)[0]
        trial = x.copy()
        trial[inside] = np.clip(x[inside] - move, *bound)
        if np.abs(negative(trial)[1][inside]).max() >= np.abs(gradient[inside]).max():
            break
        x = trial
    return x


def _omega_std_error(x: np.ndarray, cov: np.ndarray) -> float:
    """Delta method over the covariances: omega's derivative by refitting, their variance by fourth moments."""
    n, k = x.shape
    centred = x - x.mean(axis=0)
    influence = np.zeros(n)
    for i in range(k):
        for j in range(i, k):
            step = np.zeros((k, k))
            h = 1e-4 * math.sqrt(cov[i, i] * cov[j, j])
            step[i, j] = step[j, i] = h
            up, down = (_omega(*_fit_one_factor(cov + sign * step)[:2]) for sign in (1, -1))
            influence += (up - down) / (2 * h) * (centred[:, i] * centred[:, j] - cov[i, j])
    return float(influence.std(ddof=1)) / math.sqrt(n)


def _omega_flags(loadings: np.ndarray, errors: np.ndarray, cov: np.ndarray, chi2: float, df: int) -> tuple[Flag, ...]:
    flags = []
    share = float((errors / np.diag(cov)).min())
    if share < 1.01 * HEYWOOD_SHARE:
        message = "the model leaves an item no error: too few people or no single factor"
        flags.append(Flag("heywood", "warning", message, "Do not interpret omega", share, HEYWOOD_SHARE))
    if (loadings < 0).any():
        message = f"{int((loadings < 0).sum())} items run against the others"
        flags.append(Flag("mixed-signs", "warning", message, "Check which items are reverse-scored"))
    if df > 0 and stats.chi2.sf(chi2, df) < 0.05:
        message = f"one factor does not describe the items (chi-square {chi2:.1f} on {df} df)"
        flags.append(Flag("poor-fit", "note", message, "Consider subscales", float(stats.chi2.sf(chi2, df)), 0.05))
    return tuple(flags)
