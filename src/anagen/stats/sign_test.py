"""How many people improved and how many worsened, and could that be chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from anagen.errors import InputError, NotEnoughDataError
from anagen.records import Estimate


@dataclass(frozen=True, slots=True)
class SignTest:
    """Counts of directions of change.

    Parameters
    ----------
    n_up, n_down, n_zero, n_missing : int
        People whose change is above 0, below 0, 0, and not known.
    share_up : Estimate
        n_up over those who changed, with its Clopper-Pearson interval; the p-value is the exact two-sided one of a
        share of one half. NaN and p = 1 when nobody changed.
    """

    n_up: int
    n_down: int
    n_zero: int
    n_missing: int
    share_up: Estimate


def sign_test(changes: ArrayLike, *, level: float = 0.95) -> SignTest:
    """Count who went up and who went down, and test whether both are as likely.

    Parameters
    ----------
    changes : array_like, shape (n,)
        One change a person; NaN where not measured.
    level : float
        Confidence level.

    Returns
    -------
    SignTest

    Raises
    ------
    InputError
        When a change is infinite.
    NotEnoughDataError
        When there is no change at all to look at.

    References
    ----------
    Hollander, Wolfe, Chicken (2014), Nonparametric Statistical Methods, sec. 3.4.

    Examples
    --------
    >>> sign_test([2, 1, 3, -1, 0]).share_up.p_value
    0.625
    """
    values = np.asarray(changes, dtype=float)
    if values.ndim != 1 or np.isinf(values).any():
        raise InputError(f"changes needs one finite value a person (NaN: not measured), got shape {values.shape}")
    measured = values[~np.isnan(values)]
    if not len(measured):
        raise NotEnoughDataError("nobody has a change: both visits are needed of at least one person")
    n_up, n_down = int((measured > 0).sum()), int((measured < 0).sum())
    n = n_up + n_down
    method = "share of those who changed, Clopper-Pearson; exact sign test"
    if n == 0:
        share = Estimate(np.nan, "1", np.nan, np.nan, 0, method, level, 1.0)
    else:
        test = stats.binomtest(n_up, n)
        ends = test.proportion_ci(confidence_level=level, method="exact")
        share = Estimate(n_up / n, "1", float(ends.low), float(ends.high), n, method, level, float(test.pvalue))
    return SignTest(n_up, n_down, len(measured) - n, int(np.isnan(values).sum()), share)
