"""Imputation under stated assumptions: rbmi's numbers, the laws each strategy must keep, Rubin's rules."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from anagen.errors import InputError
from anagen.stats import analyse_imputed, find_tipping_point, fit_mmrm, pool_rubin
from anagen.stats.impute import fit_imputation_model, impute_means, read_imputation_data
from anagen.stats.impute_analysis import _prepare
from anagen.stats.impute_pool import pool_jackknife
from anagen.stats.impute_strategies import STRATEGIES, Course, assume_course

NAMES = {"response": "y", "subject": "id", "visit": "visit", "arm": "arm", "reference": "sham"}
FORMULA = "base * visit + arm * visit"


def simulate_trial(n=44, seed=1, effect=4.0):
    rng = np.random.default_rng(seed)
    arm = np.repeat(["sham", "active"], n // 2)
    base = rng.normal(0, 1, n)
    S = 4 * 0.6 ** np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
    Y = rng.multivariate_normal(np.zeros(3), S, n) + base[:, None]
    Y += np.where(arm == "active", effect, 0)[:, None] * [0.3, 0.7, 1.0]
    last = rng.choice([1, 2, 3], n, p=[0.15, 0.15, 0.7])
    Y[np.arange(3) >= last[:, None]] = np.nan
    return pl.DataFrame(
        {
            "id": np.repeat(np.arange(n), 3),
            "arm": np.repeat(arm, 3),
            "base": np.repeat(base, 3),
            "visit": ["v1", "v2", "v3"] * n,
            "y": Y.ravel(),
        }
    ).with_columns(pl.col("y").fill_nan(None), pl.col("arm").cast(pl.Enum(["sham", "active"])))


@pytest.fixture(scope="module")
def trial():
    return simulate_trial()


# rbmi


def read_antidepressant(shared):
    table = pl.read_csv(shared("stats/antidepressant_data.csv"), null_values="NA")
    events = pl.read_csv(shared("stats/antidepressant_ice.csv")).drop("strategy")
    names = {"response": "CHANGE", "subject": "PATIENT", "visit": "VISIT", "arm": "THERAPY", "reference": "PLACEBO"}
    text = pl.col("VISIT").cast(pl.String)
    options = {**names, "fixed": "BASVAL * VISIT + THERAPY * VISIT"}
    return table.with_columns(text), {**options, "events": events.with_columns(text)}


def rbmi_rows(expected, quantity, visit):
    name = {"DRUG": "lsm_ref", "PLACEBO": "lsm_alt", "DRUG - PLACEBO": "trt"}[quantity]
    row = next(row for row in expected if row["parameter"] == f"{name}_{visit}")
    return row | {"est": row["est"] * (-1 if name == "trt" else 1)}


@pytest.mark.parametrize(("key", "strategy"), [("MAR", "mar"), ("JR", "jump-to-reference")])
def test_conditional_means_are_those_of_rbmi_at_its_covariance(shared, key, strategy):
    # rbmi fits with mmrm's default tolerance, so its covariance is 1e-4 from the optimum. At that covariance, the
    # imputations and estimates agree to the digits it prints.
    expected = json.loads(shared("stats/rbmi_expected.json").read_text())
    table, options = read_antidepressant(shared)
    data = read_imputation_data(table, strategy=strategy, **options)
    sigma = np.array(expected["mmrm_sigma"]["DRUG"])
    beta = np.array(expected["mmrm_beta"])
    fit = fit_imputation_model(data)
    # the expected order is intercept, therapy, visits, baseline, ...; ours has baseline, visits, therapy
    ours = beta[[0, 5, 2, 3, 4, 1, 6, 7, 8, 9, 10, 11]]
    assert fit.beta == pytest.approx(ours, rel=1e-4)
    y = impute_means(data, ours, {0: sigma, 1: sigma})
    sums = {(row["THERAPY"], row["VISIT"]): row["CHANGE"] for row in expected[f"{key}_imputed_sum"]}
    for (arm, visit), value in sums.items():
        mean = y[data.arm == data.arms.index(arm), data.design.visit.levels.index(visit)].mean()
        assert mean == pytest.approx(value, rel=1e-9)
    comparison = _prepare(data, "THERAPY + BASVAL", "THERAPY", "PLACEBO")
    estimates = comparison.analyse(y)[0].reshape(4, 3)
    for row, visit in zip(estimates, "4567", strict=True):
        for value, quantity in zip(row, comparison.quantities, strict=True):
            assert value == pytest.approx(rbmi_rows(expected[key], quantity, visit)["est"], rel=1e-8)


def test_jackknife_is_that_of_rbmi(shared):
    # 5e-5: each of rbmi's 172 leave-one-out fits stops at mmrm's default tolerance
    expected = json.loads(shared("stats/rbmi_expected.json").read_text())["JR"]
    table, options = read_antidepressant(shared)
    result = analyse_imputed(table, strategy="jump-to-reference", analysis="THERAPY + BASVAL", **options)
    assert result.n_imputed == 80
    for row in result.table.rows(named=True):
        theirs = rbmi_rows(expected, row["quantity"], row["VISIT"])
        assert row["estimate"] == pytest.approx(theirs["est"], rel=5e-5)
        assert row["std_error"] == pytest.approx(theirs["se"], rel=5e-5)


# Laws


def test_conditional_means_under_mar_give_the_mmrm_estimates(trial):
    # the fitted means are a fixed point of the EM algorithm, and equal regressors make its M-step least squares a visit
    data = read_imputation_data(trial, fixed=FORMULA, strategy="mar", **NAMES)
    fit = fit_imputation_model(data)
    y = impute_means(data, fit.beta, {0: fit.covariance, 1: fit.covariance})
    estimates = _prepare(data, "arm + base", "arm", "sham").analyse(y)[0].reshape(3, 3)[:, 2]
    mmrm = fit_mmrm(trial, response="y", fixed=FORMULA, subject="id", visit="visit")
    assert estimates == pytest.approx(mmrm.contrasts(of="arm", by="visit")["estimate"].to_numpy(), rel=1e-7)


@pytest.mark.parametrize("strategy", STRATEGIES[:4])
def test_with_equal_arms_every_reference_strategy_is_mar(strategy):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(4, 4))
    own = Course(rng.normal(size=(5, 4)), A @ A.T + np.eye(4))
    course = assume_course(strategy, own, own, 2)
    assert course.mean == pytest.approx(own.mean)
    assert course.sigma == pytest.approx(own.sigma)


def test_each_strategy_has_the_mean_it_promises():
    own = Course(np.array([[1.0, 2, 3, 4]]), np.eye(4))
    reference = Course(np.array([[0.0, 0.5, 1, 1.5]]), 2 * np.eye(4))
    means = {name: assume_course(name, own, reference, 2).mean[0].tolist() for name in STRATEGIES}
    assert means == {
        "mar": [1, 2, 3, 4],
        "jump-to-reference": [1, 2, 1, 1.5],
        "copy-reference": [0, 0.5, 1, 1.5],
        "copy-increments": [1, 2, 2.5, 3],
        "last-mean-carried-forward": [1, 2, 2, 2],
    }
    assert assume_course("copy-increments", own, reference, 0).mean[0].tolist() == [0, 0.5, 1, 1.5]
    assert assume_course("jump-to-reference", own, reference, 4) is own


def test_each_strategy_gives_the_means_of_rbmis_worked_example():
    # three visits, the event after the first, as printed in rbmi's own tests of its strategies (test-strategies.R)
    own, reference = Course(np.array([[1.0, 3, 5]]), np.eye(3)), Course(np.array([[2.0, 6, 10]]), np.eye(3))
    expected = {
        "jump-to-reference": [1, 6, 10],
        "copy-increments": [1, 5, 9],
        "last-mean-carried-forward": [1, 1, 1],
    }
    for strategy, mean in expected.items():
        course = assume_course(strategy, own, reference, 1)
        assert course.mean[0].tolist() == mean
        assert course.sigma == pytest.approx(np.eye(3))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_imputed_means_are_those_of_a_second_derivation_person_by_person(shared, strategy):
    # written from the text of Carpenter, Roger and Kenward (2013), one person at a time, with plain conditioning
    table, options = read_antidepressant(shared)
    data = read_imputation_data(table, strategy=strategy, **options)
    fit = fit_imputation_model(data)
    y = impute_means(data, fit.beta, {0: fit.covariance, 1: fit.covariance})
    S, visits = fit.covariance, ["4", "5", "6", "7"]
    n_visits = len(visits)
    seen = {(row["PATIENT"], row["VISIT"]): row["CHANGE"] for row in table.rows(named=True)}
    events = {row["PATIENT"]: visits.index(row["VISIT"]) for row in options["events"].rows(named=True)}

    def mean_of(therapy, base):
        visit = np.eye(n_visits)[:, 1:]
        drug = float(therapy == data.arms[1])
        # intercept, baseline, visits, therapy, baseline:visit, visit:therapy
        X = np.column_stack([np.ones(4), np.full(4, base), visit, np.full(4, drug), visit * base, visit * drug])
        return X @ fit.beta

    for row, imputed in zip(data.people.rows(named=True), y, strict=True):
        person = row["PATIENT"]
        own, placebo = (mean_of(therapy, row["BASVAL"]) for therapy in (row["THERAPY"], "PLACEBO"))
        t = events.get(person, n_visits)
        mean = own.copy()
        if strategy == "copy-reference" and t < n_visits:
            mean = placebo
        elif t < n_visits and strategy != "mar":
            after = {
                "jump-to-reference": placebo[t:],
                "copy-increments": own[max(t - 1, 0)] + placebo[t:] - placebo[max(t - 1, 0)] if t else placebo,
                "last-mean-carried-forward": np.full(n_visits - t, own[t - 1]) if t else own,
            }
            mean[t:] = after[strategy]
        value = np.array([seen.get((person, visit)) for visit in visits], dtype=float)
        gone = np.isnan(value)
        if gone.any():
            weight = np.linalg.solve(S[np.ix_(~gone, ~gone)], S[np.ix_(~gone, gone)])
            value[gone] = mean[gone] + (value[~gone] - mean[~gone]) @ weight
        assert imputed == pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("event", [1, 2, 3])
def test_joined_covariances_are_positive_definite_and_regress_as_the_reference(event):
    rng = np.random.default_rng(event)
    A, B = rng.normal(size=(2, 4, 4))
    own, reference = A @ A.T + np.eye(4), B @ B.T + np.eye(4)
    S = assume_course("jump-to-reference", Course(np.zeros((1, 4)), own), Course(np.zeros((1, 4)), reference), event)
    past, later = slice(None, event), slice(event, None)
    assert np.linalg.eigvalsh(S.sigma)[0] > 0
    assert S.sigma[past, past] == pytest.approx(own[past, past])
    regression = [np.linalg.solve(M[past, past], M[past, later]) for M in (S.sigma, reference)]
    assert regression[0] == pytest.approx(regression[1])


def test_jump_to_reference_shrinks_the_effect_and_delta_shifts_it(trial):
    kept = {"fixed": FORMULA, "analysis": "arm + base", **NAMES}
    mar, j2r = (analyse_imputed(trial, strategy=name, **kept).table for name in ("mar", "jump-to-reference"))
    assert 0 < j2r["estimate"][-1] < mar["estimate"][-1]
    shifted = analyse_imputed(trial, strategy="mar", delta={"active": -2.0}, **kept)
    assert shifted.table["estimate"][-1] < mar["estimate"][-1]
    assert shifted.table["estimate"][2] == pytest.approx(mar["estimate"][2])
    assert "delta active -2" in shifted.description


def test_the_tipping_point_is_where_p_crosses(trial):
    options = {"fixed": FORMULA, "analysis": "arm + base", "strategy": "mar", **NAMES}
    tipping = find_tipping_point(trial, at_visit="v3", deltas=np.linspace(-30, 0, 7), shifted_arm="active", **options)
    assert tipping.p_value == pytest.approx(0.05, abs=1e-8)
    there = analyse_imputed(trial, delta={"active": tipping.delta}, **options).table.row(-1, named=True)
    assert there["p_value"] == pytest.approx(0.05, abs=1e-6)
    assert tipping.curve.height == 7


@pytest.mark.parametrize("uncertainty", ["bayes", "bootstrap"])
def test_draws_under_mar_centre_on_the_mmrm(trial, uncertainty):
    # 40 draws: the Monte-Carlo error of the mean is about sqrt(B / 40), a tenth of the standard error
    mmrm = fit_mmrm(trial, response="y", fixed=FORMULA, subject="id", visit="visit").contrasts(of="arm", by="visit")
    result = analyse_imputed(
        trial,
        fixed=FORMULA,
        analysis="arm + base",
        strategy="mar",
        uncertainty=uncertainty,
        n_imputations=40,
        rng=np.random.default_rng(2),
        **NAMES,
    )
    row, exact = result.table.row(-1, named=True), mmrm.row(-1, named=True)
    assert row["estimate"] == pytest.approx(exact["estimate"], abs=0.25 * exact["std_error"])
    assert row["std_error"] == pytest.approx(exact["std_error"], rel=0.15)
    assert row["df"] < 41


def test_the_same_seed_gives_the_same_bytes(trial):
    options = {"fixed": FORMULA, "analysis": "arm + base", "uncertainty": "bootstrap", "n_imputations": 3, **NAMES}
    a, b = (analyse_imputed(trial, rng=np.random.default_rng(7), **options).table for _ in range(2))
    assert a.equals(b)


def test_each_arm_may_have_its_own_covariance(trial):
    data = read_imputation_data(trial, fixed=FORMULA, group_covariance=True, **NAMES)
    assert set(fit_imputation_model(data).covariances) == {"sham", "active"}


def test_rubin_without_missing_information_is_the_complete_analysis():
    pooled = pool_rubin([2.0, 2.0, 2.0], [0.25] * 3, df_complete=20)
    assert pooled.std_error.item() == pytest.approx(0.5)
    assert pooled.df.item() == pytest.approx(21 / 23 * 20)


def test_jackknife_of_a_mean_is_its_standard_error():
    x = np.array([1.0, 4, 2, 8, 5])
    left = [np.delete(x, k).mean() for k in range(5)]
    assert pool_jackknife(x.mean(), left).std_error.item() == pytest.approx(x.std(ddof=1) / np.sqrt(5))


# Refusals


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": "placebo"}, "reference = 'placebo' is no level of 'arm'"),
        ({"fixed": "base * visit"}, "arm = 'arm' must stand in the formula"),
        ({"strategy": "locf"}, "strategy must be one of mar"),
        ({"uncertainty": "bayes"}, "pass rng="),
        ({"uncertainty": "none"}, "uncertainty must be one of"),
        ({"delta": {"drug": 1.0}}, "'drug' is no arm"),
        ({"events": pl.DataFrame({"id": [999], "visit": ["v2"]})}, "events: subject 999"),
        ({"analysis": "arm + base + I(2 * base)"}, "collinear"),
    ],
)
def test_refuses_what_is_wrong_in_the_call(trial, changes, message):
    options = {"fixed": FORMULA, "analysis": "arm + base", **NAMES} | changes
    with pytest.raises(InputError, match=message):
        analyse_imputed(trial, **options)


def test_refuses_a_covariate_that_changes_within_a_person(trial):
    table = trial.with_columns(base=pl.col("base") + pl.int_range(pl.len()))
    with pytest.raises(InputError, match="base changes over time in subject 0"):
        analyse_imputed(table, fixed=FORMULA, analysis="arm + base", **NAMES)
