"""Tests of whole terms (treatment, visit, their interaction), however the factors are coded: type III."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anagen.errors import InputError
from anagen.stats.design import Design

Floats = NDArray[np.float64]
Coding = Literal["marginal", "as-coded"]


def term_rows(design: Design, coding: Coding = "marginal") -> dict[str, Floats]:
    """Give, for each term of the formula, the combinations of the coefficients that its type III test sets to zero.

    Under ``marginal`` (SAS, type III in its usual sense) a main effect is a difference of means over equally weighted
    levels of the other factors, with numeric variables at zero: the coefficients that sum-to-zero coding would have.
    Under ``as-coded`` it is the term's own coefficients; with treatment coding and an interaction present, that is the
    effect at the reference level (what R's car::Anova reports for contr.treatment).

    Parameters
    ----------
    design : Design
        The data as the model saw them.
    coding : {"marginal", "as-coded"}
        What a term means.

    Returns
    -------
    dict of str to ndarray
        Name of each term but the intercept, with rows of shape (n_rows, p).

    Raises
    ------
    InputError
        For an unknown coding.
    """
    p = len(design.names)
    own = {name: np.eye(p)[list(columns)] for name, columns in design.terms.items() if name != "1" and columns}
    if coding == "as-coded":
        return own
    if coding != "marginal":
        raise InputError(f"coding must be marginal or as-coded; got {coding!r}")
    means, columns = design.sum_coded()
    # X_treatment b = X_sum c for every row, so c = (X_sum^+ X_treatment) b.
    turn = np.asarray(np.linalg.lstsq(means, design.X, rcond=None)[0], dtype=np.float64)
    turn[np.abs(turn) < 1e-9] = 0.0
    return {name: turn[list(columns[name])] for name in own}
