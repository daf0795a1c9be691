"""The MMRM against SAS PROC MIXED, R's mmrm, the paired t-test and its own laws; and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from anagen.errors import ConvergenceError, InputError, NotEnoughDataError
from anagen.stats import STRUCTURES, fit_mmrm
from anagen.stats.design import read_design
from anagen.stats.likelihood import differentiate, evaluate
from anagen.stats.ls_means import contrast_rows
from anagen.stats.mmrm import fit_design

DATA = Path(__file__).resolve().parents[1] / "data"
FULL = "RACE + SEX + ARMCD * AVISIT"
FORMULAS = {"simple": "ARMCD", "full": FULL}
METHODS = {
    "Asymptotic": "satterthwaite",
    "Kenward-Roger": "kenward-roger-r",
    "Kenward-Roger-Linear": "kenward-roger-linear",
}


@pytest.fixture(scope="module")
def fev():
    table = pl.read_csv(DATA / "fev_data.csv", null_values="NA")
    return table.with_columns(pl.col("SEX").cast(pl.Enum(["Male", "Female"])))


def fit_fev(fev, fixed=FULL, **options):
    return fit_mmrm(fev, response="FEV1", fixed=fixed, subject="USUBJID", visit="AVISIT", **options)


def close(ours, theirs, rel, scale=0.0):
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    return np.all(np.abs(ours - theirs) <= rel * np.maximum(np.abs(theirs), scale))


# Known answers


def paired_table(n=14, seed=5):
    pairs = np.random.default_rng(seed).normal(90, 12, (n, 1)) + np.random.default_rng(seed + 1).normal(0, 5, (n, 2))
    pairs[:, 1] += 4
    return pairs, pl.DataFrame({"who": np.repeat(np.arange(n), 2), "when": ["a", "b"] * n, "y": pairs.ravel()})


@pytest.mark.parametrize("df", ["kenward-roger", "kenward-roger-linear", "satterthwaite"])
@pytest.mark.parametrize("covariance", ["us", "toep", "cs"])
def test_two_complete_visits_are_the_paired_t_test(df, covariance):
    pairs, table = paired_table()
    paired = stats.ttest_rel(pairs[:, 1], pairs[:, 0])
    fit = fit_mmrm(table, response="y", fixed="when", subject="who", visit="when", df=df, covariance=covariance)
    change = fit.coefficients.row(1, named=True)
    assert change["statistic"] == pytest.approx(paired.statistic, rel=1e-10)
    assert change["df"] == pytest.approx(13, rel=1e-10)
    assert change["p_value"] == pytest.approx(paired.pvalue, rel=1e-9)


def test_sleep_data_of_r_are_the_paired_t_test(shared):
    # R's mmrm with its default Kenward-Roger gives .33855 here (openpharma/mmrm issue 510); the t-test has .38896.
    table = pl.read_csv(shared("stats/sleep.csv")).with_columns(pl.col("group", "ID").cast(pl.String))
    expected = json.loads(shared("stats/misc_expected.json").read_text())["sleep"]["paired_t"]
    row = fit_mmrm(table, response="extra", fixed="group", subject="ID", visit="group").coefficients.row(1, named=True)
    for ours, theirs in (("estimate", "est"), ("std_error", "se"), ("statistic", "t"), ("df", "df"), ("p_value", "p")):
        assert row[ours] == pytest.approx(expected[theirs], rel=1e-9)
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(expected["ci"], rel=1e-9)
    as_r = fit_mmrm(table, response="extra", fixed="group", subject="ID", visit="group", df="kenward-roger-r")
    assert as_r.coefficients["std_error"][1] == pytest.approx(0.338551036458444, rel=1e-5)  # mmrm's default optimum


def test_one_visit_is_the_two_sample_t_test():
    rng = np.random.default_rng(2)
    y = rng.normal(size=25)
    arm = np.repeat(["a", "b"], [12, 13])
    table = pl.DataFrame({"id": np.arange(25), "v": ["x"] * 25, "arm": arm, "y": y})
    row = fit_mmrm(table, response="y", fixed="arm", subject="id", visit="v").coefficients.row(1, named=True)
    t = stats.ttest_ind(y[12:], y[:12])
    assert [row["statistic"], row["df"], row["p_value"]] == pytest.approx([t.statistic, 23, t.pvalue], rel=1e-9)


def test_complete_data_time_effect_is_hotelling_t2():
    # Kenward-Roger was made exact for Hotelling's T2 (1997, section 3).
    rng = np.random.default_rng(8)
    n, m = 12, 4
    Y = rng.normal(size=(n, m)) @ rng.normal(size=(m, m)) + [0, 0.3, 0.5, 0.2]
    names = [f"v{k}" for k in range(m)]
    table = pl.DataFrame({"id": np.repeat(np.arange(n), m), "v": names * n, "y": Y.ravel()})
    fit = fit_mmrm(table, response="y", fixed="v", subject="id", visit="v")
    D = Y[:, 1:] - Y[:, :1]
    T2 = n * D.mean(0) @ np.linalg.solve(np.cov(D.T), D.mean(0))
    F = T2 * (n - m + 1) / ((n - 1) * (m - 1))
    row = fit.test(np.eye(m)[1:]).row(0, named=True)
    assert [row["statistic"], row["num_df"], row["den_df"]] == pytest.approx([F, m - 1, n - m + 1], rel=1e-8)


# SAS


def sas_rows(name):
    return pl.read_csv(DATA / name, infer_schema_length=None).rows(named=True)


@pytest.mark.parametrize("row", sas_rows("sas_kr_expected.csv"), ids=lambda row: f"{row['cov']}-{row['ddfm']}")
def test_agrees_with_sas_kenward_roger(fev, row):
    # 5e-4: SAS stops at a relative change of 1e-8 of its criterion; its deviance is up to 1.3e-5 above the optimum, and
    # its standard errors and degrees of freedom are off accordingly (us df 160.7333, the optimum has 160.6906).
    df = {"kr": "kenward-roger", "kr(linear)": "kenward-roger-linear"}[row["ddfm"]]
    fit = fit_fev(fev, "ARMCD", covariance=row["cov"], df=df)
    ours = fit.coefficients.row(1, named=True)
    for name, theirs in (("estimate", "estimate"), ("std_error", "stderr"), ("df", "df"), ("statistic", "t")):
        assert ours[name] == pytest.approx(row[theirs], rel=5e-4)
    assert [ours["ci_low"], ours["ci_high"]] == pytest.approx([row["lower"], row["upper"]], rel=5e-4)
    assert row["m2_res_loglik"] - 2e-5 <= fit.deviance <= row["m2_res_loglik"] + 1e-8


def sas_id(row):
    return "-".join(str(row[name]) for name in ("covariance", "method", "quantity", "file"))


@pytest.mark.parametrize("row", sas_rows("sas_mixed_expected.csv"), ids=sas_id)
def test_agrees_with_other_sas_output(fev, row):
    # 5e-4 as above; values printed to 4 decimals carry up to 1.5e-4 of rounding.
    fit = fit_fev(
        fev,
        row["model"],
        covariance=row["covariance"],
        method=row["method"],
        df=row["df_method"],
        std_errors=row["std_errors"],
        weights=row["weights"] or None,
        group=row["group"] or None,
    )
    last = len(fit.design.names) - 1
    ours = {
        "deviance": fit.deviance,
        "variance": fit.beta_covariance[last, last],
        **fit.coefficients.row(last, named=True),
    }[row["quantity"]]
    if row["quantity"] == "deviance":
        assert row["value"] - 5e-5 <= ours <= row["value"] + 1e-4
    else:
        assert ours == pytest.approx(row["value"], rel=5e-4)


def test_satterthwaite_of_the_sandwich_agrees_with_r_mmrm(fev):
    # tests/testthat/test-satterthwaite.R of mmrm: printed to 5 decimals, df to a whole number
    fit = fit_fev(fev, "RACE + SEX", df="satterthwaite", std_errors="sandwich")
    row = fit.coefficients.row(0, named=True)
    assert row["estimate"] == pytest.approx(40.94273, rel=1e-5)  # at mmrm's looser default optimum
    assert row["std_error"] == pytest.approx(0.68615, rel=1e-5)
    assert round(row["df"]) == 58


# R's mmrm


def r_entries():
    for model in FORMULAS:
        for structure in ("us", "toeph", "ar1", "cs"):
            for method in ("REML", "ML"):
                yield from ((model, structure, method, df) for df in METHODS if method == "REML" or df == "Asymptotic")


@pytest.mark.parametrize(("model", "structure", "method", "df"), list(r_entries()))
def test_agrees_with_r_mmrm(fev, shared, model, structure, method, df):
    # 1e-6: mmrm was run at a relative tolerance of 1e-15. An estimate near zero is compared on the scale of its
    # standard error, a covariance on the scale of its two standard deviations: that far the optimiser's digits reach.
    expected = json.loads(shared("stats/mmrm_fev_expected.json").read_text())["fev"][f"{model}|{structure}|{method}"]
    fit = fit_fev(fev, FORMULAS[model], covariance=structure, method=method.lower(), df=METHODS[df])
    assert fit.deviance == pytest.approx(expected["deviance"], rel=1e-9)
    spread = np.sqrt(np.diag(fit.covariance))
    assert close(fit.covariance, expected["cov"], 1e-6, np.outer(spread, spread))
    # mmrm counts covariance parameters only, also under ML, where the coefficients are estimated by it too
    counted = 0 if method == "REML" else len(fit.design.names)
    assert fit.aic - 2 * counted == pytest.approx(expected["AIC"], rel=1e-9)
    assert fit.bic - np.log(197) * counted == pytest.approx(expected["BIC"], rel=1e-9)
    rows = expected[df]["coef"]
    errors = np.array([row["Std. Error"] for row in rows])
    ours = fit.coefficients
    assert close(ours["estimate"], [row["Estimate"] for row in rows], 1e-6, 10 * errors)
    assert close(ours["std_error"], errors, 1e-6)
    assert close(ours["df"], [row["df"] for row in rows], 1e-6)
    assert close(ours["statistic"], [row["t value"] for row in rows], 1e-6, 1.0)
    assert close(ours["p_value"], [row["Pr(>|t|)"] for row in rows], 1e-5, 1e-3)
    assert close(fit.beta_covariance, expected[df]["vcov"], 1e-6, np.outer(errors, errors))
    if model == "full":
        check_means_of_r(fit, expected[df])


def check_means_of_r(fit, expected):
    names = {"estimate": "estimate", "std_error": "SE", "df": "df", "ci_low": "lower.CL", "ci_high": "upper.CL"}
    names |= {"statistic": "t.ratio"}
    for table, rows, key in (
        (fit.ls_means(["ARMCD", "AVISIT"]), expected["emmeans"], ["ARMCD", "AVISIT"]),
        (fit.contrasts(of="ARMCD", by="AVISIT"), expected["contrasts"], ["AVISIT"]),
    ):
        theirs = {tuple(row[name] for name in key): row for row in rows}
        for ours in table.rows(named=True):
            row = theirs[tuple(ours[name] for name in key)]
            row.setdefault("estimate", row.get("emmean"))
            assert all(close(ours[name], row[other], 1e-6, 1.0) for name, other in names.items())
            assert close(ours["p_value"], row["p.value"], 1e-5, 1e-3)
    for row in fit.type3(coding="as-coded").rows(named=True):
        theirs = next(other for other in expected["type3"] if other["term"] == row["term"])
        assert row["num_df"] == theirs["Df"]
        chi_square = row["statistic"] * row["num_df"] / row["scale"]
        assert close(chi_square, theirs["Chisq"], 1e-6, 1.0)
    place = [k for k, name in enumerate(fit.design.names) if name.startswith("ARMCD[T.TRT]")]
    joint = fit.test(np.eye(len(fit.design.names))[place]).row(0, named=True)
    theirs = [expected["md_arm"][name] for name in ("num_df", "denom_df", "f_stat", "p_val")]
    assert close([joint["num_df"], joint["den_df"], joint["statistic"]], theirs[:3], 1e-6)
    assert close(joint["p_value"], theirs[3], 1e-5)


def test_bcva_reaches_the_optimum_r_stops_short_of(shared):
    # R mmrm at its default tolerance: 32071.029766767
    table = pl.read_csv(shared("stats/bcva_data.csv"), null_values="NA")
    fit = fit_mmrm(
        table, response="BCVA_CHG", fixed="BCVA_BL + RACE + ARMCD * AVISIT", subject="USUBJID", visit="AVISIT"
    )
    assert fit.deviance == pytest.approx(32071.029737729, abs=2e-8)
    assert len(fit.optimum.theta) == 55


# Laws


@pytest.mark.parametrize("covariance", STRUCTURES)
def test_gradient_and_information_are_derivatives_of_the_deviance(fev, covariance):
    for method in ("reml", "ml"):
        fit = fit_fev(fev, covariance=covariance, method=method, df="satterthwaite")
        restricted = method == "reml"
        k = len(fit.optimum.theta)
        assert np.abs(fit.optimum.slopes.gradient * np.sqrt(np.diag(fit.theta_covariance))).max() < 1e-6
        step = 1e-3 * np.sqrt(np.diag(fit.theta_covariance))

        def slope(theta, fit=fit, restricted=restricted):
            sigma = fit.structure.derivatives(theta)
            at = evaluate(fit.data, sigma.sigma, restricted=restricted)
            return differentiate(fit.data, at, sigma, restricted=restricted).gradient

        theta = fit.optimum.theta
        numeric = np.array([(slope(theta + e) - slope(theta - e)) / (2 * step[i]) for i, e in enumerate(np.diag(step))])
        scale = np.sqrt(np.diag(numeric))
        error = (2 * fit.optimum.slopes.observed - numeric) / np.outer(scale, scale)
        assert np.abs(error).max() < 1e-5, (covariance, method, k)


@settings(max_examples=12, deadline=None)
@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-1e3, 1e3))
def test_a_change_of_unit_changes_no_conclusion(scale, shift):
    _, table = paired_table()
    table = table.with_columns(x=pl.Series(np.random.default_rng(0).normal(size=table.height)))
    moved = table.with_columns(y=pl.col("y") * scale + shift, x=pl.col("x") / scale)
    a, b = (
        fit_mmrm(t, response="y", fixed="when + x", subject="who", visit="when").coefficients for t in (table, moved)
    )
    assert b["statistic"].to_numpy()[1:] == pytest.approx(a["statistic"].to_numpy()[1:], rel=1e-6)
    assert b["df"].to_numpy()[1:] == pytest.approx(a["df"].to_numpy()[1:], rel=1e-6)


def test_rows_may_come_in_any_order(fev):
    a = fit_fev(fev)
    b = fit_fev(fev.sample(fraction=1.0, shuffle=True, seed=3))
    assert b.deviance == pytest.approx(a.deviance, rel=1e-12)
    assert b.coefficients["std_error"].to_numpy() == pytest.approx(a.coefficients["std_error"].to_numpy(), rel=1e-8)


def test_pandas_and_polars_give_the_same(fev):
    frame = pd.DataFrame({name: fev[name].to_list() for name in fev.columns})
    frame["SEX"] = pd.Categorical(frame["SEX"], ["Male", "Female"])
    assert fit_fev(frame).coefficients.equals(fit_fev(fev).coefficients)


def test_groups_with_one_covariance_each_are_separate_fits(fev):
    fit = fit_fev(fev, "0 + ARMCD:AVISIT", group="ARMCD", df="satterthwaite")
    alone = [fit_fev(fev.filter(pl.col("ARMCD") == arm), "0 + AVISIT", df="satterthwaite") for arm in ("PBO", "TRT")]
    assert fit.deviance == pytest.approx(sum(one.deviance for one in alone), rel=1e-10)
    assert fit.covariances["TRT"] == pytest.approx(alone[1].covariance, rel=1e-6, abs=1e-6)
    with pytest.raises(InputError, match="covariances"):
        _ = fit.covariance


def test_equal_weights_change_only_the_covariance(fev):
    plain, weighted = fit_fev(fev), fit_fev(fev.with_columns(w=pl.lit(4.0)), weights="w")
    assert weighted.covariance == pytest.approx(4 * plain.covariance, rel=1e-6)
    assert weighted.coefficients["std_error"].to_numpy() == pytest.approx(
        plain.coefficients["std_error"].to_numpy(), rel=1e-7
    )


def test_expected_information_is_named_and_differs(fev):
    # notes of the validation page: observed df 160.69 with SE .66130; expected df 170.92 with SE .65362
    fit = fit_fev(fev, "ARMCD", information="expected")
    row = fit.coefficients.row(1, named=True)
    assert "expected information" in fit.description
    assert [row["std_error"], row["df"]] == pytest.approx([0.65362, 170.92], rel=1e-4)


def test_prediction_given_the_past_is_conditional_normal(fev):
    fit = fit_fev(fev)
    table = fev.head(4)
    got = fit.predict_missing(table)
    mean, y = fit.predict(table)["estimate"].to_numpy(), table["FEV1"].to_numpy()
    seen, S = np.isfinite(y), fit.covariance
    expected = mean[~seen] + S[np.ix_(~seen, seen)] @ np.linalg.solve(S[np.ix_(seen, seen)], (y - mean)[seen])
    assert got["estimate"].to_numpy()[~seen] == pytest.approx(expected)
    assert got["std_dev"].to_numpy()[seen] == pytest.approx(0)


def test_one_row_is_predicted(fev):
    row = fit_fev(fev).predict(fev.head(1)).row(0, named=True)
    assert row["ci_low"] < row["estimate"] < row["ci_high"]


# Documented fall-backs


def test_collinear_columns_are_left_out_and_reported(fev):
    fit = fit_fev(fev.with_columns(twice=2 * pl.col("FEV1_BL")), "ARMCD * AVISIT + FEV1_BL + twice")
    plain = fit_fev(fev, "ARMCD * AVISIT + FEV1_BL")
    row = fit.coefficients.filter(pl.col("term") == "twice").row(0, named=True)
    assert np.isnan(row["estimate"])
    assert fit.deviance == pytest.approx(plain.deviance, rel=1e-10)
    assert [flag.code for flag in fit.flags] == ["collinear-columns", "rows-dropped"]
    means = fit.ls_means("ARMCD")
    assert means["estimate"].to_numpy() == pytest.approx(plain.ls_means("ARMCD")["estimate"].to_numpy(), rel=1e-9)


def test_an_empty_cell_is_not_estimable_and_the_rest_is(fev):
    table = fev.filter(~((pl.col("ARMCD") == "TRT") & (pl.col("AVISIT") == "VIS3")))
    fit = fit_fev(table)
    means = fit.ls_means(["ARMCD", "AVISIT"])
    lost = means.filter(pl.col("estimate").is_nan()).select("ARMCD", "AVISIT").rows()
    assert lost == [("TRT", "VIS3")]
    assert "collinear-columns" in [flag.code for flag in fit.flags]


def test_us_that_cannot_be_estimated_falls_back_in_the_fixed_order():
    rng = np.random.default_rng(4)
    table = pl.DataFrame({"id": np.repeat(np.arange(6), 6), "v": list("abcdef") * 6, "y": rng.normal(size=36)})
    fit = fit_mmrm(table, response="y", fixed="v", subject="id", visit="v")
    assert fit.attempts[0].covariance == "us"
    assert "needs more than 6 subjects" in fit.attempts[0].outcome
    assert fit.attempts[-1].outcome == "fitted"
    assert any(flag.code == "covariance-fallback" for flag in fit.flags)
    with pytest.raises(ConvergenceError, match="us: us over 6 visits needs more than 6 subjects"):
        fit_mmrm(table, response="y", fixed="v", subject="id", visit="v", fallback=())


def test_visits_never_seen_together_make_us_fall_back(fev):
    early = pl.col("USUBJID").str.slice(2).cast(pl.Int64) % 2 == 0
    table = fev.filter((early & pl.col("AVISIT").is_in(["VIS1", "VIS2"])) | (~early & (pl.col("AVISIT") > "VIS2")))
    fit = fit_fev(table)
    assert "no subject was seen at the visits of: covariance VIS1, VIS3" in fit.attempts[0].outcome


def test_a_visit_seen_once_is_reported(fev):
    keep = (pl.col("AVISIT") != "VIS4") | (pl.col("USUBJID") == "PT2")
    fit = fit_fev(fev.filter(keep), "AVISIT")
    assert fit.attempts[0].covariance == "us"
    assert len(fit.attempts) > 1
    assert any(flag.code == "covariance-fallback" for flag in fit.flags)


def test_a_level_without_rows_is_dropped_and_reported(fev):
    arms = pl.Enum(["PBO", "TRT", "HIGH"])
    lost = pl.when(pl.col("RACE") == "Asian").then(None).otherwise("FEV1").alias("FEV1")
    fit = fit_fev(fev.with_columns(pl.col("ARMCD").cast(arms), lost))
    assert fit.design.factors["RACE"] == ("Black or African American", "White")
    flag = next(flag for flag in fit.flags if flag.code == "unused-levels")
    assert flag.message == "ARMCD: no usable row has HIGH"


@pytest.mark.slow
def test_type_one_error_holds_in_a_small_trial():
    # 1500 trials of 2 x 10 people, drop-out that depends on what was seen; 1.7 % is three Monte-Carlo standard errors
    rng = np.random.default_rng(11)
    n, m, n_trials = 20, 3, 1500
    table = pl.DataFrame(
        {"id": np.repeat(np.arange(n), m), "v": ["a", "b", "c"] * n, "arm": np.repeat(np.arange(n) % 2 == 1, m)}
    ).with_columns(y=pl.lit(1.0) + pl.int_range(pl.len()) % 7)
    design = read_design(table, response="y", fixed="arm * v", subject="id", visit="v")
    _, L = contrast_rows(design, "arm", ["v"])
    root = np.linalg.cholesky(0.7 ** np.abs(np.subtract.outer(np.arange(m), np.arange(m))))
    rejected = []
    for _ in range(n_trials):
        y = rng.standard_normal((n, m)) @ root.T
        for k in (1, 2):
            risk = 1 / (1 + np.exp(1.75 + 0.7 * np.nan_to_num(y[:, k - 1])))
            y[np.isnan(y[:, k - 1]) | (rng.random(n) < risk), k] = np.nan
        fit = fit_design(design.with_response(y.ravel()))
        rejected.append((fit.estimate(L)["p_value"][-1] < 0.05, fit.test(L)["p_value"][0] < 0.05))
    assert np.mean(rejected, axis=0) == pytest.approx([0.05, 0.05], abs=0.017)


def test_visits_sort_by_their_numbers():
    rng = np.random.default_rng(1)
    table = pl.DataFrame(
        {"id": np.repeat(np.arange(20), 3), "v": ["week 4", "week 12", "week 24"] * 20, "y": rng.normal(size=60)}
    )
    fit = fit_mmrm(table, response="y", fixed="v", subject="id", visit="v", covariance="ar1")
    assert fit.visits == ("week 4", "week 12", "week 24")
    assert fit.flags[0].code == "visit-order"


# Refusals


def bad(fev, **changes):
    options = {"response": "FEV1", "fixed": "ARMCD", "subject": "USUBJID", "visit": "AVISIT"} | changes
    return fit_mmrm(fev, **options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fixed": "NOSUCH"}, "'NOSUCH' names no column of the table; it has USUBJID"),
        ({"response": "Y"}, "response = 'Y' names no column"),
        ({"fixed": "FEV1 ~ ARMCD"}, "right-hand side only"),
        ({"fixed": "ARMCD * * SEX"}, "is not a formula"),
        ({"fixed": "ARMCD + FEV1"}, "uses the response"),
        ({"response": "SEX"}, "must hold numbers"),
        ({"covariance": "ar2"}, "covariance must be one of us, toep"),
        ({"method": "mle"}, "method must be one of reml, ml"),
        ({"df": "kr"}, "df must be one of kenward-roger"),
        ({"method": "ml"}, "use method='reml'"),
        ({"std_errors": "sandwich"}, "use 'satterthwaite'"),
        ({"df": "kenward-roger-r", "group": "ARMCD"}, "for one covariance only"),
        ({"level": 95}, "level must lie between 0 and 1"),
        ({"fixed": "np.log(FEV1_BL - 30)"}, "is not finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in log:RuntimeWarning")
def test_refuses_what_is_wrong_in_the_call(fev, changes, message):
    with pytest.raises(InputError, match=message.replace("*", r"\*")):
        bad(fev, **changes)


def test_refuses_infinities_duplicates_and_weights(fev):
    with pytest.raises(InputError, match="1 values are infinite"):
        bad(fev.with_columns(FEV1=pl.when(pl.int_range(pl.len()) == 1).then(np.inf).otherwise("FEV1")))
    with pytest.raises(InputError, match="1 rows repeat one, the first for subject 'PT1' at visit 'VIS2'"):
        bad(pl.concat([fev, fev[1:2]]))
    with pytest.raises(InputError, match="must be positive; the smallest is -1"):
        bad(fev.with_columns(w=pl.lit(-1.0)), weights="w")
    with pytest.raises(InputError, match="must be a data frame"):
        bad([1, 2, 3])


def test_refuses_data_that_allow_no_answer(fev):
    with pytest.raises(NotEnoughDataError, match="1 subject has usable rows"):
        bad(fev.filter(pl.col("USUBJID") == "PT2"), fixed="1")
    with pytest.raises(NotEnoughDataError, match="the response is constant"):
        bad(fev.with_columns(FEV1=pl.lit(5.0)))
    with pytest.raises(NotEnoughDataError, match="no row of 800 has every value"):
        bad(fev.with_columns(FEV1=pl.lit(None, dtype=pl.Float64)))
    with pytest.raises(NotEnoughDataError, match="fitted exactly"):
        bad(fev.with_columns(copy=pl.col("FEV1")), fixed="copy")


def test_contrasts_that_make_no_sense_are_refused(fev):
    fit = fit_fev(fev)
    with pytest.raises(InputError, match="one column for each of the 11 coefficients"):
        fit.test([1, 0])
    with pytest.raises(InputError, match="every row is zero"):
        fit.test(np.zeros((2, 11)))
    with pytest.raises(InputError, match="is no categorical variable"):
        fit.ls_means("FEV1_BL")
    with pytest.raises(InputError, match="is no level of 'ARMCD'"):
        fit.contrasts(of="ARMCD", reference="SHAM")
