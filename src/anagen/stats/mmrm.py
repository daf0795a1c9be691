"""Fit the mixed model for repeated measures, the usual primary analysis of a trial with several visits.

Each person's responses are multivariate normal: a linear model for their means, a covariance between visits that is
estimated rather than assumed. People with missing visits stay in; that is right when what is missing depends only on
what was seen (missing at random).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy import special

from anagen.errors import ConvergenceError, InputError, NotEnoughDataError
from anagen.records import Flag
from anagen.stats import ls_means as means
from anagen.stats import predict, type3
from anagen.stats.covariance import FALLBACK_ORDER, STRUCTURES, Structure, covariance_structure, stack_groups
from anagen.stats.design import Design, read_design
from anagen.stats.kenward_roger import kenward_roger_covariance, kenward_roger_scale
from anagen.stats.likelihood import SufficientData, gather_patterns
from anagen.stats.maximise import Optimum, maximise_likelihood
from anagen.stats.r_parameters import weighted_curvature
from anagen.stats.sandwich import RobustCovariance, Sandwich, sandwich_covariance
from anagen.stats.satterthwaite import satterthwaite_denominator, satterthwaite_df

Floats = NDArray[np.float64]
Method = Literal["reml", "ml"]
DegreesOfFreedom = Literal["kenward-roger", "kenward-roger-linear", "kenward-roger-r", "satterthwaite", "residual"]
Information = Literal["observed", "expected"]
StandardErrors = Literal["model", "sandwich", "sandwich-bias-reduced", "sandwich-jackknife"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One covariance structure that was tried.

    Parameters
    ----------
    covariance : str
        Its name.
    outcome : str
        ``fitted``, or why not.
    """

    covariance: str
    outcome: str


@dataclass(frozen=True)
class MmrmFit:
    """A fitted MMRM and the questions it answers.

    Parameters
    ----------
    design : Design
        The data as the model saw them.
    data : SufficientData
        Their cross products, in orthonormal coordinates of the design.
    basis : ndarray, shape (p_kept, p_kept)
        T with X T orthonormal.
    optimum : Optimum
        Where the likelihood is highest.
    structure : Structure
        The covariance structure that was fitted.
    method, df, information : str
        As asked of `fit_mmrm`.
    std_errors : str
        As asked of `fit_mmrm`.
    attempts : tuple of Attempt
        Structures tried, in order; the last one was fitted.
    level : float
        Confidence level of every interval.
    """

    design: Design
    data: SufficientData
    basis: Floats
    optimum: Optimum
    structure: Structure
    method: Method
    df: DegreesOfFreedom
    information: Information
    std_errors: StandardErrors
    attempts: tuple[Attempt, ...]
    level: float

    @property
    def deviance(self) -> float:
        """-2 (restricted) log-likelihood at the optimum."""
        return self.optimum.at.deviance

    @property
    def log_likelihood(self) -> float:
        """(Restricted) log-likelihood at the optimum."""
        return -0.5 * self.deviance

    @property
    def aic(self) -> float:
        """Akaike's criterion; under REML only the covariance parameters count."""
        return self.deviance + 2.0 * self._n_counted

    @property
    def bic(self) -> float:
        """Schwarz's criterion with the number of subjects; under REML only the covariance parameters count."""
        return self.deviance + float(np.log(self.n_subjects)) * self._n_counted

    @property
    def _n_counted(self) -> int:
        return len(self.optimum.theta) + (0 if self.method == "reml" else len(self.design.kept))

    @property
    def n_observations(self) -> int:
        """Responses used."""
        return len(self.design.y)

    @property
    def n_subjects(self) -> int:
        """People with at least one response used."""
        return len(self.design.subject.levels)

    @property
    def n_dropped(self) -> Mapping[str, int]:
        """Rows left out, by reason."""
        return self.design.n_dropped

    @property
    def visits(self) -> tuple[Any, ...]:
        """The visits, in the order of the rows of `covariance`."""
        return self.design.visit.levels

    @property
    def groups(self) -> tuple[Any, ...]:
        """The groups with a covariance of their own; one, ``all``, where none were asked for."""
        return self.design.group.levels

    @property
    def covariance(self) -> Floats:
        """Estimated covariance between visits, shape (n_visits, n_visits); for groups, see `covariances`."""
        if len(self.groups) > 1:
            raise InputError(f"each group has its own covariance: ask covariances[{self.groups[0]!r}]")
        return self.optimum.sigma.sigma

    @property
    def covariances(self) -> dict[Any, Floats]:
        """Estimated covariance between visits of each group."""
        m = len(self.visits)
        return {
            name: self.optimum.sigma.sigma[g * m : (g + 1) * m, g * m : (g + 1) * m]
            for g, name in enumerate(self.groups)
        }

    @property
    def description(self) -> str:
        """The model in one line, for a footnote."""
        name = {
            "kenward-roger": "Kenward-Roger",
            "kenward-roger-linear": "Kenward-Roger (linear)",
            "kenward-roger-r": "Kenward-Roger (in the parameters of R's mmrm)",
            "satterthwaite": "Satterthwaite",
            "residual": "residual",
        }[self.df]
        errors = "" if self.std_errors == "model" else f", {self.std_errors.replace('-', ' ')} standard errors"
        by = f" by {len(self.groups)} groups" if len(self.groups) > 1 else ""
        return (
            f"MMRM, {self.method.upper()}, covariance {self.structure.name}{by}, {name} degrees of freedom,"
            f" {self.information} information{errors}, {self.n_subjects} subjects, {self.n_observations} observations"
        )

    @cached_property
    def flags(self) -> tuple[Flag, ...]:
        """What a reader must know: columns and levels left out, structures that could not be fitted."""
        flags = list(self.design.flags)
        if self.design.n_dropped:
            said = ", ".join(f"{reason} {n}" for reason, n in self.design.n_dropped.items())
            total = sum(self.design.n_dropped.values())
            flags.append(Flag("rows-dropped", "note", f"{total} rows were left out: {said}", "", float(total)))
        if len(self.attempts) > 1:
            said = "; ".join(f"{attempt.covariance}: {attempt.outcome}" for attempt in self.attempts[:-1])
            flags.append(
                Flag(
                    "covariance-fallback",
                    "warning",
                    f"covariance {self.structure.name} was fitted in place of {self.attempts[0].covariance} ({said})",
                    "The order of fall-back was fixed before the data were seen; report it.",
                )
            )
        return tuple(flags)

    @cached_property
    def coefficients(self) -> pl.DataFrame:
        """One row a column of the design: term, estimate, std_error, df, statistic, p_value, ci_low, ci_high."""
        p = len(self.design.names)
        return (
            self.estimate(np.eye(p))
            .with_columns(pl.Series("term", self.design.names))
            .select("term", pl.exclude("term"))
        )

    @cached_property
    def beta(self) -> Floats:
        """Coefficients of all columns, NaN for those left out, shape (p,)."""
        beta = np.full(len(self.design.names), np.nan)
        beta[self.design.kept] = self.basis @ self.optimum.at.beta
        return beta

    @cached_property
    def beta_covariance(self) -> Floats:
        """Covariance of the coefficients behind the standard errors, NaN for columns left out."""
        p = len(self.design.names)
        full = np.full((p, p), np.nan)
        full[np.ix_(self.design.kept, self.design.kept)] = self.basis @ self._phi_used @ self.basis.T
        return full

    @cached_property
    def theta(self) -> pl.DataFrame:
        """Covariance parameters: parameter, estimate, std_error (asymptotic)."""
        return pl.DataFrame(
            {
                "parameter": self.structure.labels,
                "estimate": self.optimum.theta,
                "std_error": np.sqrt(np.diag(self.theta_covariance)),
            }
        )

    @cached_property
    def theta_covariance(self) -> Floats:
        """Covariance of the covariance parameters: the inverse of their observed (or expected) information."""
        slopes = self.optimum.slopes
        information = slopes.observed if self.information == "observed" else slopes.expected
        return np.asarray(np.linalg.inv(information), dtype=np.float64)

    @cached_property
    def _phi_used(self) -> Floats:
        at = self.optimum.at
        if self._robust is not None:
            return self._robust.covariance
        if not self.df.startswith("kenward-roger"):
            return at.phi
        sigma, W = self.optimum.sigma, self.theta_covariance
        curvature = None
        if self.df == "kenward-roger-r":
            curvature = weighted_curvature(self.structure.name, sigma, W)
        elif self.df == "kenward-roger" and sigma.second is not None:
            curvature = np.tensordot(W, sigma.second, axes=2)
        return kenward_roger_covariance(self.data, at, sigma, self.optimum.slopes.P, W, curvature)

    @cached_property
    def _robust(self) -> RobustCovariance | None:
        if self.std_errors == "model":
            return None
        people, _ = _gather(self.design, compress=False)
        kind: Sandwich = self.std_errors
        return sandwich_covariance(people.rows, people.pattern, people.seen, self.optimum.at, kind=kind)

    def estimate(self, L: ArrayLike) -> pl.DataFrame:
        """Estimate linear combinations of the coefficients, one at a time.

        Parameters
        ----------
        L : array-like, shape (n, p) or (p,)
            One row a combination, one column a column of the design.

        Returns
        -------
        polars.DataFrame
            estimate, std_error, df, statistic, p_value, ci_low, ci_high; NaN where a row is not estimable.
        """
        rows = self._check_contrasts(L)
        C, estimable = self._in_own_coordinates(rows)
        at = self.optimum.at
        value = C @ at.beta
        error = np.sqrt(np.einsum("ia,ab,ib->i", C, self._phi_used, C))
        df = self._single_df(C)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = value / error
        p_value = 2.0 * special.stdtr(df, -np.abs(t))
        margin = special.stdtrit(df, 0.5 + self.level / 2) * error
        table = {
            "estimate": value,
            "std_error": error,
            "df": df,
            "statistic": t,
            "p_value": p_value,
            "ci_low": value - margin,
            "ci_high": value + margin,
        }
        return pl.DataFrame({name: np.where(estimable, column, np.nan) for name, column in table.items()})

    def test(self, L: ArrayLike) -> pl.DataFrame:
        """Test that several combinations of the coefficients are all zero, by one F test.

        Parameters
        ----------
        L : array-like, shape (n, p) or (p,)
            One row a combination; rows that follow from the others are dropped.

        Returns
        -------
        polars.DataFrame
            One row: num_df, den_df, statistic (F, scaled under Kenward-Roger), p_value, scale.

        Raises
        ------
        InputError
            When no row says anything, or one is not estimable.
        """
        rows = self._check_contrasts(L)
        C, estimable = self._in_own_coordinates(rows)
        if not np.all(estimable):
            raise InputError("L: a row is not estimable, because it needs a column that was left out of the design")
        if not np.any(C):
            raise InputError("L holds no combination of the coefficients: every row is zero")
        den_df, scale = self._joint_df(C)
        C = _independent_rows(C)
        value = C @ self.optimum.at.beta
        wald = float(value @ np.linalg.solve(C @ self._phi_used @ C.T, value))
        F = scale * wald / len(C)
        p_value = float(special.fdtrc(len(C), den_df, F))
        return pl.DataFrame(
            {"num_df": [len(C)], "den_df": [den_df], "statistic": [F], "p_value": [p_value], "scale": [scale]}
        )

    def type3(self, *, coding: type3.Coding = "marginal") -> pl.DataFrame:
        """Test each term of the formula.

        Parameters
        ----------
        coding : {"marginal", "as-coded"}
            SAS's type III, or the term's own coefficients; see `anagen.stats.type3.term_rows`.

        Returns
        -------
        polars.DataFrame
            term, num_df, den_df, statistic (F), p_value, scale; NaN where a term is not estimable.
        """
        tables = []
        for name, rows in type3.term_rows(self.design, coding).items():
            _, estimable = self._in_own_coordinates(rows)
            if np.all(estimable):
                tables.append(self.test(rows).with_columns(pl.lit(name).alias("term")))
            else:
                missing = {"num_df": [len(rows)], "den_df": [np.nan], "statistic": [np.nan], "p_value": [np.nan]}
                tables.append(pl.DataFrame({**missing, "scale": [np.nan], "term": [name]}))
        return pl.concat(tables).select("term", pl.exclude("term"))

    def predict(self, table: object | None = None) -> pl.DataFrame:
        """Estimate the expected response of each row, and its interval for the mean.

        Parameters
        ----------
        table : object or None
            Rows with the variables of the formula; by default the rows that were fitted.

        Returns
        -------
        polars.DataFrame
            estimate, std_error, df, statistic, p_value, ci_low, ci_high.
        """
        rows = self.design.X if table is None else self.design.read_rows(table)
        return self.estimate(rows)

    def predict_missing(self, table: object) -> pl.DataFrame:
        """Predict the response of each row given the responses of the same person that were seen.

        Parameters
        ----------
        table : object
            Rows with subject, visit and the variables of the formula; the response may be missing, that is the point.

        Returns
        -------
        polars.DataFrame
            One row a row of the table: estimate (the response itself where it was seen) and std_dev (of the response
            about it, the coefficients taken as known; 0 where it was seen).
        """
        return predict.conditional_means(self.design, self.beta, self.covariances, table)

    def ls_means(
        self,
        by: str | Sequence[str],
        *,
        weights: means.Weights = "equal",
        at: Mapping[str, Any] | None = None,
    ) -> pl.DataFrame:
        """Means of the response for each combination of the given factors, the others averaged over.

        Parameters
        ----------
        by : str or sequence of str
            Categorical variables of the formula.
        weights : {"equal", "proportional", "outer", "cells"}
            How the other factors are averaged; see `anagen.stats.ls_means.mean_rows`.
        at : mapping or None
            Values of numeric variables, in place of their means; or one level, or several, of a factor.

        Returns
        -------
        polars.DataFrame
            The factors, then estimate, std_error, df, statistic, p_value, ci_low, ci_high.
        """
        cells, L = means.mean_rows(self.design, [by] if isinstance(by, str) else list(by), weights=weights, at=at)
        return pl.concat([cells, self.estimate(L)], how="horizontal")

    def contrasts(
        self,
        *,
        of: str,
        by: str | Sequence[str] | None = None,
        kind: means.Kind = "reference",
        reference: Any = None,
        weights: means.Weights = "equal",
        at: Mapping[str, Any] | None = None,
    ) -> pl.DataFrame:
        """Differences of LS means between the levels of one factor, within each combination of others.

        Parameters
        ----------
        of : str
            The factor whose levels are compared.
        by : str, sequence of str, or None
            Within which factors.
        kind : {"reference", "pairwise"}
            Every level against the reference, or every later against every earlier level.
        reference : object
            The level to compare against; the first by default.
        weights, at
            As in `ls_means`.

        Returns
        -------
        polars.DataFrame
            The factors of `by`, contrast (such as ``TRT - PBO``), estimate, std_error, df, statistic, p_value, ci_low,
            ci_high. P-values are not adjusted for multiplicity.
        """
        within = [] if by is None else [by] if isinstance(by, str) else list(by)
        cells, L = means.contrast_rows(self.design, of, within, kind=kind, reference=reference, weights=weights, at=at)
        return pl.concat([cells, self.estimate(L)], how="horizontal")

    def _check_contrasts(self, L: ArrayLike) -> Floats:
        rows = np.atleast_2d(np.asarray(L, dtype=float))
        p = len(self.design.names)
        if rows.ndim != 2 or rows.shape[1] != p:
            raise InputError(f"L needs one column for each of the {p} coefficients; its shape is {rows.shape}")
        if not np.all(np.isfinite(rows)):
            raise InputError("L must be finite")
        return rows

    def _in_own_coordinates(self, rows: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Contrasts in the orthonormal coordinates, and which of them are estimable."""
        kept = self.design.kept
        C = rows[:, kept] @ self.basis
        if len(kept) == rows.shape[1]:
            return C, np.ones(len(rows), dtype=bool)
        return C, np.max(np.abs(rows @ self._null_space), axis=1) < 1e-8 * (1.0 + np.max(np.abs(rows), axis=1))

    @cached_property
    def _null_space(self) -> Floats:
        """Directions of the coefficients that the design cannot see, shape (p, n_lost)."""
        X = self.design.X
        kept = self.design.kept
        lost = np.setdiff1d(np.arange(X.shape[1]), kept)
        directions = np.zeros((X.shape[1], len(lost)))
        directions[lost, np.arange(len(lost))] = 1.0
        directions[kept] = -np.linalg.lstsq(X[:, kept], X[:, lost], rcond=None)[0]
        scale: Floats = np.max(np.abs(directions), axis=0)
        return directions / scale

    def _single_df(self, C: Floats) -> Floats:
        if self.df == "residual":
            return np.full(len(C), float(self.n_observations - len(self.design.kept)))
        if self._robust is not None:
            return self._robust.df(C)
        at, P, W = self.optimum.at, self.optimum.slopes.P, self.theta_covariance
        turned = C @ at.phi
        variance = np.sum(turned * C, axis=1)
        gradient = np.sum((turned @ P) * turned, axis=2).T
        with np.errstate(divide="ignore", invalid="ignore"):
            df: Floats = 2.0 * variance**2 / np.sum((gradient @ W) * gradient, axis=1)
        return df

    def _joint_df(self, C: Floats) -> tuple[float, float]:
        if self.df == "residual":
            return float(self.n_observations - len(self.design.kept)), 1.0
        at, P, W = self.optimum.at, self.optimum.slopes.P, self.theta_covariance
        independent = _independent_rows(C)
        if self.df == "satterthwaite":
            return satterthwaite_denominator(C, self._phi_used, self._single_df), 1.0
        if len(independent) == 1:
            return satterthwaite_df(independent[0], at.phi, P, W), 1.0
        return kenward_roger_scale(independent, at.phi, P, W)


def fit_mmrm(
    table: object,
    *,
    response: str,
    fixed: str,
    subject: str,
    visit: str,
    covariance: str = "us",
    method: Method = "reml",
    df: DegreesOfFreedom = "kenward-roger",
    information: Information = "observed",
    group: str | None = None,
    weights: str | None = None,
    std_errors: StandardErrors = "model",
    fallback: Sequence[str] | None = None,
    level: float = 0.95,
) -> MmrmFit:
    """Fit a mixed model for repeated measures.

    Parameters
    ----------
    table : object
        One row a subject and visit; any data frame narwhals reads. Rows with missing values are left out and counted.
    response, subject, visit : str
        Names of columns. Visits are ordered as in their enum or category, else by the numbers in their names.
    fixed : str
        Right-hand side of the formula of the means, such as ``ARM * VISIT + BASELINE``.
    covariance : str
        Structure of the covariance between visits: us, toep, toeph, ar1, ar1h, cs, csh, ad, adh.
    method : {"reml", "ml"}
        Restricted or full maximum likelihood.
    df : {"kenward-roger", "kenward-roger-linear", "kenward-roger-r", "satterthwaite", "residual"}
        Degrees of freedom and, for the first three, adjusted standard errors. In SAS: ddfm=kr, kr(linear), none,
        satterthwaite, residual; ``kenward-roger-r`` repeats the default of R's mmrm, for comparison. Kenward-Roger
        needs REML.
    information : {"observed", "expected"}
        Of the covariance parameters; SAS and R's mmrm use observed, pbkrtest expected.
    group : str or None
        Column whose levels get a covariance of their own.
    weights : str or None
        Column of weights w: the covariance of a person is divided by the roots of the weights on both sides.
    std_errors : {"model", "sandwich", "sandwich-bias-reduced", "sandwich-jackknife"}
        From the model, or from each person's residuals; see `anagen.stats.sandwich`. A sandwich needs df
        "satterthwaite" or "residual".
    fallback : sequence of str or None
        Structures to try, in this order, when `covariance` cannot be estimated. None: `FALLBACK_ORDER` after ``us``, no
        other structure after any other. Empty: fail. What was tried stands in `attempts` and `flags`.
    level : float
        Level of the intervals.

    Returns
    -------
    MmrmFit

    Raises
    ------
    InputError
        For a column that does not exist, a repeated subject and visit, an infinite value, an unknown option.
    NotEnoughDataError
        When there are fewer people or observations than the model needs, or the response is fitted exactly.
    ConvergenceError
        When no structure of the order can be estimated.

    References
    ----------
    Mallinckrodt CH, et al. Recommendations for the primary analysis of continuous endpoints in longitudinal clinical
    trials. Drug Inf J 2008;42:303. Kenward MG, Roger JH. Biometrics 1997;53:983.

    Examples
    --------
    Two complete visits are the paired t-test:

    >>> import polars as pl
    >>> density = [90.0, 95.0, 88.0, 97.0, 79.0, 80.0]
    >>> hairs = pl.DataFrame({"who": [1, 1, 2, 2, 3, 3], "week": ["0", "12"] * 3, "density": density})
    >>> fit = fit_mmrm(hairs, response="density", fixed="week", subject="who", visit="week")
    >>> fit.coefficients.select("term", "estimate", "std_error", "df").row(1)
    ('week[T.12]', 5.0, 2.309..., 2.0...)
    """
    _check_options(covariance, method, df, information, std_errors, group, fallback, level)
    design = read_design(
        table, response=response, fixed=fixed, subject=subject, visit=visit, group=group, weights=weights
    )
    return fit_design(
        design,
        covariance=covariance,
        method=method,
        df=df,
        information=information,
        std_errors=std_errors,
        fallback=fallback,
        level=level,
    )


def fit_design(
    design: Design,
    *,
    covariance: str = "us",
    method: Method = "reml",
    df: DegreesOfFreedom = "kenward-roger",
    information: Information = "observed",
    std_errors: StandardErrors = "model",
    fallback: Sequence[str] | None = None,
    level: float = 0.95,
) -> MmrmFit:
    """Fit a mixed model for repeated measures to numbers already read; see `fit_mmrm`."""
    data, basis = _gather(design)
    near = _moment_covariance(design, data)
    order = [covariance, *(fallback if fallback is not None else FALLBACK_ORDER if covariance == "us" else ())]
    attempts: list[Attempt] = []
    for name in dict.fromkeys(order):
        structure = covariance_structure(name, [str(visit) for visit in design.visit.levels])
        structure = stack_groups(structure, [str(group) for group in design.group.levels])
        try:
            _check_estimable(structure, design, data)
            optimum = maximise_likelihood(data, structure, near, restricted=method == "reml")
        except ConvergenceError as error:
            attempts.append(Attempt(name, str(error)))
            continue
        attempts.append(Attempt(name, "fitted"))
        return MmrmFit(
            design, data, basis, optimum, structure, method, df, information, std_errors, tuple(attempts), level
        )
    raise ConvergenceError(
        "no covariance structure could be estimated: " + "; ".join(f"{a.covariance}: {a.outcome}" for a in attempts)
    )


def _check_options(
    covariance: str,
    method: str,
    df: str,
    information: str,
    std_errors: str,
    group: str | None,
    fallback: Sequence[str] | None,
    level: float,
) -> None:
    for name in (covariance, *(fallback or ())):
        if name not in STRUCTURES:
            raise InputError(f"covariance must be one of {', '.join(STRUCTURES)}; got {name!r}")
    for argument, value, allowed in (
        ("method", method, get_args(Method)),
        ("df", df, get_args(DegreesOfFreedom)),
        ("information", information, get_args(Information)),
        ("std_errors", std_errors, get_args(StandardErrors)),
    ):
        if value not in allowed:
            raise InputError(f"{argument} must be one of {', '.join(allowed)}; got {value!r}")
    if method == "ml" and df.startswith("kenward-roger"):
        raise InputError(f"df = {df!r} corrects restricted likelihood only: use method='reml', or df='satterthwaite'")
    if df == "kenward-roger-r" and group is not None:
        raise InputError("df = 'kenward-roger-r' repeats R's mmrm for one covariance only: use 'kenward-roger'")
    if std_errors != "model" and df.startswith("kenward-roger"):
        raise InputError(
            f"df = {df!r} corrects model standard errors: with std_errors={std_errors!r} use 'satterthwaite'"
        )
    if not 0.0 < level < 1.0:
        raise InputError(f"level must lie between 0 and 1; got {level}")


def _gather(design: Design, *, compress: bool = True) -> tuple[SufficientData, Floats]:
    n, p = len(design.y), len(design.kept)
    n_people = len(design.subject.levels)
    if n_people < 2:
        raise NotEnoughDataError(
            f"{n_people} subject has usable rows: a covariance between people's visits needs at least two"
        )
    if n <= p:
        raise NotEnoughDataError(f"{n} observations cannot estimate {p} coefficients and a covariance")
    X = design.X[:, design.kept]
    _check_group(design)
    scale = 1.0 / np.linalg.norm(X, axis=0)
    factor = np.linalg.qr(X * scale, mode="r")
    basis = scale[:, None] * np.linalg.solve(factor, np.eye(p))
    _check_residual(design, X, basis)
    m = len(design.visit.levels)
    visit = design.group.codes * m + design.visit.codes
    n_slots = m * len(design.group.levels)
    data = gather_patterns(X, design.y, design.subject.codes, visit, n_slots, design.weights, basis, compress=compress)
    return data, basis


def _check_group(design: Design) -> None:
    if len(design.group.levels) == 1:
        return
    pairs = np.unique(np.stack([design.subject.codes, design.group.codes]), axis=1)
    again = np.flatnonzero(np.diff(pairs[0]) == 0)
    if len(again):
        raise InputError(f"subject {design.subject.levels[pairs[0, again[0]]]!r} is in more than one group")


def _check_residual(design: Design, X: Floats, basis: Floats) -> None:
    q = X @ basis
    left = design.y - q @ (q.T @ design.y)
    spread = float(np.linalg.norm(design.y - design.y.mean()))
    if float(np.linalg.norm(left)) <= 1e-10 * max(float(np.linalg.norm(design.y)), spread, np.finfo(float).tiny):
        why = "is constant" if spread <= 1e-12 * float(np.linalg.norm(design.y)) else "is fitted exactly by the formula"
        raise NotEnoughDataError(f"the response {why}: nothing is left to estimate a variance from")


def _moment_covariance(design: Design, data: SufficientData) -> Floats:
    """Positive definite covariance of least squares residuals, from the pairs of visits seen together."""
    rows, n_slots = data.rows, data.seen.shape[1]
    p = data.n_columns
    gram = rows.reshape(-1, p + 1).T @ rows.reshape(-1, p + 1)
    beta = np.linalg.solve(gram[:p, :p], gram[:p, p])
    left = rows[:, :, p] - rows[:, :, :p] @ beta
    counts = (data.seen * data.n_subjects[:, None]).T.astype(float) @ data.seen
    total = float(np.vdot(left, left)) / len(design.y)
    sums = left.T @ left
    with np.errstate(divide="ignore", invalid="ignore"):
        moments = np.where(counts > 0, sums / counts, 0.0)
    variances = np.where(np.diag(moments) > 1e-6 * total, np.diag(moments), total)
    scale = np.sqrt(variances)
    correlation = np.clip(moments / np.outer(scale, scale), -0.95, 0.95)
    np.fill_diagonal(correlation, 1.0)
    smallest = float(np.linalg.eigvalsh(correlation)[0])
    if smallest < 0.05:
        keep = 0.95 / (1.0 - smallest) if smallest < 0 else 0.95
        correlation = keep * correlation + (1.0 - keep) * np.eye(n_slots)
    near: Floats = correlation * np.outer(scale, scale)
    return near


def _check_estimable(structure: Structure, design: Design, data: SufficientData) -> None:
    """Refuse a structure with a parameter that no pair of visits informs."""
    pairs = data.seen.T.astype(float) @ data.seen > 0
    derivatives = structure.derivatives(structure.start(np.eye(len(pairs)) + 0.1))
    silent = [
        label for label, D in zip(structure.labels, derivatives.first, strict=True) if not np.any((D != 0) & pairs)
    ]
    if silent:
        raise ConvergenceError(f"no subject was seen at the visits of: {', '.join(silent)}")
    m = len(design.visit.levels)
    if structure.name == "us":
        for g, group in enumerate(design.group.levels):
            n = int(data.n_subjects[data.seen[:, g * m : (g + 1) * m].any(axis=1)].sum())
            if n <= m:
                where = f" in {group}" if len(design.group.levels) > 1 else ""
                raise ConvergenceError(f"us over {m} visits needs more than {m} subjects; there are {n}{where}")


def _independent_rows(C: Floats) -> Floats:
    """Give an orthonormal basis of the row space: the F test depends on nothing else."""
    _, size, turn = np.linalg.svd(C / np.maximum(np.linalg.norm(C, axis=1), 1e-300)[:, None], full_matrices=False)
    basis: Floats = turn[size > 1e-9 * size[0]]
    return basis
