"""What an unseen response would be, given the responses of the same person that were seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anagen.errors import InputError
from anagen.stats.design import Design, read_table

Floats = NDArray[np.float64]


def conditional_means(design: Design, beta: Floats, covariances: Mapping[Any, Floats], table: object) -> pl.DataFrame:
    """Give E(y_missing | y_seen) = X_m b + S_mo S_oo^-1 (y_o - X_o b) for each row, and the spread about it.

    Parameters
    ----------
    design : Design
        What the model was fitted to.
    beta : ndarray, shape (p,)
        Its coefficients; NaN, for a column left out, counts as zero.
    covariances : mapping of group to ndarray of shape (m, m)
        Its covariance between visits, by group.
    table : object
        Rows with subject, visit, the variables of the formula, and the response where it was seen.

    Returns
    -------
    polars.DataFrame
        estimate, std_dev, in the order of the table.

    Raises
    ------
    InputError
        For a visit, or a group, that the fit did not see.
    """
    frame = read_table(table)
    roles = design.roles
    mean = design.read_rows(frame) @ np.nan_to_num(beta)
    y = np.array([np.nan if v is None else float(v) for v in frame[roles.response].to_list()])
    visit = _places(frame[roles.visit].to_list(), design.visit.levels, "visit")
    group = np.zeros(frame.height, dtype=int)
    if roles.group is not None:
        group = _places(frame[roles.group].to_list(), design.group.levels, "group")
    root = np.ones(frame.height)
    if roles.weights is not None:
        root = np.sqrt(frame[roles.weights].cast(pl.Float64).to_numpy())
    sigma = list(covariances.values())
    estimate, spread = y.copy(), np.zeros(frame.height)
    who = np.unique(np.array([str(v) for v in frame[roles.subject].to_list()]), return_inverse=True)[1]
    for person in range(int(who.max()) + 1):
        rows = np.flatnonzero(who == person)
        seen, missing = rows[np.isfinite(y[rows])], rows[np.isnan(y[rows])]
        if not len(missing):
            continue
        S = sigma[group[rows[0]]]
        across = S[np.ix_(visit[missing], visit[seen])] / np.outer(root[missing], root[seen])
        within = S[np.ix_(visit[seen], visit[seen])] / np.outer(root[seen], root[seen])
        slopes = np.linalg.solve(within, across.T).T
        estimate[missing] = mean[missing] + slopes @ (y[seen] - mean[seen])
        own = np.diag(S)[visit[missing]] / root[missing] ** 2
        spread[missing] = np.sqrt(np.maximum(own - np.einsum("ij,ij->i", slopes, across), 0.0))
    return pl.DataFrame({"estimate": estimate, "std_dev": spread})


def _places(values: Sequence[Any], levels: Sequence[Any], what: str) -> NDArray[np.intp]:
    place = {level: k for k, level in enumerate(levels)}
    unknown = [value for value in values if value not in place]
    if unknown:
        raise InputError(f"{what} {unknown[0]!r} was not in the fit, which has {', '.join(map(str, levels))}")
    return np.fromiter((place[value] for value in values), np.intp, len(values))
