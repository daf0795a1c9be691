"""What would have happened without the drug: how often a study calls a treatment that does nothing a success.

A study without a comparison group tests whether the outcome changed, not whether the treatment changed it. Published
control groups changed too. This module turns those changes into the probability of p < 0.05 with no specific effect.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from scipy import stats

from anagen.errors import InputError, NotEnoughDataError
from anagen.stats.noncentral_t import noncentral_t_cdf


@dataclass(frozen=True, slots=True)
class NaturalChange:
    """The change of one published group that got no active drug.

    Parameters
    ----------
    study : str
        Author and year.
    treatment : str
        What the group got: vehicle, saline injections, microneedling alone.
    mean_change : float
        Mean change from baseline, in `unit`.
    change_sd : float
        Standard deviation between people of that change, in `unit`.
    weeks : float
        Length of follow-up.
    n : int
        People in the group.
    source : str
        doi or PMID.
    unit : str
        ``hairs/cm2`` unless said.
    sd_assumed : bool
        True where the paper gives no standard deviation of change and `change_sd` is our assumption.
    """

    study: str
    treatment: str
    mean_change: float
    change_sd: float
    weeks: float
    n: int
    source: str
    unit: str = "hairs/cm2"
    sd_assumed: bool = False


PUBLISHED_NATURAL_CHANGES: Final = (
    NaturalChange("Olsen 2002", "vehicle", 3.9, 21.7, 48.0, 78, "doi 10.1067/mjd.2002.124088"),
    NaturalChange("Olsen 2007", "vehicle foam", 4.7, 19.7, 16.0, 172, "review table PMC6691938, T2"),
    NaturalChange("Shapiro 2020", "saline injections", 15.68, 22.0, 22.0, 35, "PMID 32653577", sd_assumed=True),
    NaturalChange("Shapiro 2020", "saline injections", 15.68, 30.0, 22.0, 35, "PMID 32653577", sd_assumed=True),
)
"""Control groups in hairs/cm2 whose change was read. Shapiro's abstract gives no SD of change: 22 is the middle of
Olsen's range (19.7 to 25.4), 30 a cautious one."""


def probability_of_significance(
    n: int, mean_change: float, change_sd: float, *, alpha: float = 0.05, two_sided: bool = False
) -> float:
    """Probability that a paired t-test of `n` people gives p < alpha for a rise.

    With d = mean_change / change_sd the test statistic follows a noncentral t with n - 1 degrees of freedom and
    noncentrality d sqrt(n). The test itself is two-sided; counted is a significant rise, or either direction with
    `two_sided`. Expected regression to the mean is
    `anagen.stats.expected_regression`.

    Parameters
    ----------
    n : int
        People, at least 2.
    mean_change : float
        True mean change from baseline with no specific effect.
    change_sd : float
        Standard deviation between people of the change, above 0, in the same unit.
    alpha : float
        Level of the two-sided test, between 0 and 1.
    two_sided : bool
        Count a significant fall as well.

    Returns
    -------
    float
        Between 0 and 1.

    References
    ----------
    Cohen J. Statistical power analysis for the behavioral sciences, 2nd ed., 1988, section 2.5.

    Examples
    --------
    >>> round(probability_of_significance(30, 3.9, 21.7), 2)
    0.16
    >>> round(probability_of_significance(30, 15.68, 30.0), 2)
    0.79
    """
    _check_design(n, mean_change, change_sd, alpha)
    df = n - 1
    critical = float(stats.t.isf(alpha / 2, df))
    shift = mean_change / change_sd * math.sqrt(n)
    rise = 1 - noncentral_t_cdf(critical, df, shift)
    return rise + noncentral_t_cdf(-critical, df, shift) if two_sided else rise


def smallest_significant_change(n: int, change_sd: float, *, alpha: float = 0.05) -> float:
    """Smallest observed mean change that reaches p = alpha in a paired t-test.

    Parameters
    ----------
    n : int
        People, at least 2.
    change_sd : float
        Observed standard deviation of the change, above 0.
    alpha : float
        Level of the two-sided test.

    Returns
    -------
    float
        In the unit of `change_sd`.

    Examples
    --------
    >>> round(smallest_significant_change(30, 22.0), 1)
    8.2
    """
    _check_design(n, 0.0, change_sd, alpha)
    return float(stats.t.isf(alpha / 2, n - 1)) * change_sd / math.sqrt(n)


def _check_design(n: int, mean_change: float, change_sd: float, alpha: float) -> None:
    if n < 2:
        raise NotEnoughDataError(f"a t-test needs at least 2 people, got n = {n}")
    if not (change_sd > 0 and math.isfinite(change_sd)):
        raise InputError(f"change_sd must be above 0 and finite, got {change_sd}")
    if not math.isfinite(mean_change):
        raise InputError(f"mean_change must be finite, got {mean_change}")
    if not 0 < alpha < 1:
        raise InputError(f"alpha must be between 0 and 1, got {alpha}")
