"""How far the MMRM and the imputation are from SAS and R: python -m validation.mmrm [--shared DIR].

Prints the tables of docs/methods/mmrm-validation.md: for each program and quantity, the largest relative difference
over all of its numbers. Estimates, covariances and statistics near zero are measured on the scale of their standard
error (of the two standard deviations; of one).
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl

from anagen.stats import analyse_imputed, fit_mmrm

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data"
FEV = {"response": "FEV1", "subject": "USUBJID", "visit": "AVISIT"}
FORMULAS = {"simple": "ARMCD", "full": "RACE + SEX + ARMCD * AVISIT"}
METHODS = {
    "Asymptotic": "satterthwaite",
    "Kenward-Roger": "kenward-roger-r",
    "Kenward-Roger-Linear": "kenward-roger-linear",
}
Worst = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared" / "data")
    shared = parser.parse_args().shared / "stats"
    fev = pl.read_csv(DATA / "fev_data.csv", null_values="NA").with_columns(
        pl.col("SEX").cast(pl.Enum(["Male", "Female"]))
    )
    show("R mmrm 0.3.18, fev_data, 8 models x REML/ML x 3 methods", compare_with_r(fev, shared))
    show("SAS PROC MIXED, Kenward-Roger, fev_data", compare_with_sas(fev))
    show("SAS PROC MIXED, other output", compare_with_other_sas(fev))
    show("pbkrtest (expected information), lmerTest, paired t", compare_with_lme4(shared))
    show("rbmi 1.5.2, antidepressant trial, conditional means and jackknife", compare_with_rbmi(shared))


def show(title: str, worst: Worst) -> None:
    print(f"\n{title}")
    for name, value in worst.items():
        print(f"  {name:34s} {value:.1e}")


def note(worst: Worst, name: str, ours: object, theirs: object, scale: object = 0.0) -> None:
    a, b = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    error = np.abs(a - b) / np.maximum(np.abs(b), np.asarray(scale, dtype=float))
    worst[name] = max(worst.get(name, 0.0), float(np.max(error)))


def compare_with_r(fev: pl.DataFrame, shared: Path) -> Worst:
    worst: Worst = {}
    everything = json.loads((shared / "mmrm_fev_expected.json").read_text())["fev"]
    for key, expected in everything.items():
        model, covariance, method = key.split("|")
        for df in (name for name in METHODS if name in expected):
            fit = fit_mmrm(
                fev, fixed=FORMULAS[model], covariance=covariance, method=method.lower(), df=METHODS[df], **FEV
            )
            spread = np.sqrt(np.diag(fit.covariance))
            note(worst, "deviance", fit.deviance, expected["deviance"])
            note(worst, "covariance of visits", fit.covariance, expected["cov"], np.outer(spread, spread))
            rows = expected[df]["coef"]
            errors = np.array([row["Std. Error"] for row in rows])
            ours = fit.coefficients
            note(worst, "coefficients", ours["estimate"], [row["Estimate"] for row in rows], errors)
            note(worst, f"standard errors, {METHODS[df]}", ours["std_error"], errors)
            note(worst, "degrees of freedom", ours["df"], [row["df"] for row in rows])
            note(
                worst, "covariance of coefficients", fit.beta_covariance, expected[df]["vcov"], np.outer(errors, errors)
            )
            note(worst, "p-values", ours["p_value"], [row["Pr(>|t|)"] for row in rows], 1e-3)
            if model == "full":
                compare_means(worst, fit, expected[df])
    return worst


def compare_means(worst: Worst, fit, expected) -> None:
    for what, table, key in (
        ("LS means", fit.ls_means(["ARMCD", "AVISIT"]), ["ARMCD", "AVISIT"]),
        ("contrasts", fit.contrasts(of="ARMCD", by="AVISIT"), ["AVISIT"]),
    ):
        theirs = {tuple(row[k] for k in key): row for row in expected["emmeans" if what == "LS means" else what]}
        for row in table.rows(named=True):
            other = theirs[tuple(row[k] for k in key)]
            other = other | {"estimate": other.get("estimate", other.get("emmean"))}
            for name, theirs_name in (
                ("estimate", "estimate"),
                ("std_error", "SE"),
                ("df", "df"),
                ("ci_low", "lower.CL"),
            ):
                note(worst, f"{what}, {name}", row[name], other[theirs_name], 1.0)
    for row in fit.type3(coding="as-coded").rows(named=True):
        other = next(one for one in expected["type3"] if one["term"] == row["term"])
        note(
            worst,
            "type III chi-square (as coded)",
            row["statistic"] * row["num_df"] / row["scale"],
            other["Chisq"],
            1.0,
        )
    place = [k for k, name in enumerate(fit.design.names) if name.startswith("ARMCD[T.TRT]")]
    joint = fit.test(np.eye(len(fit.design.names))[place]).row(0, named=True)
    for name, other in (("den_df", "denom_df"), ("statistic", "f_stat")):
        note(worst, f"4-df F test, {name}", joint[name], expected["md_arm"][other])


def compare_with_sas(fev: pl.DataFrame) -> Worst:
    worst: Worst = {}
    for row in pl.read_csv(DATA / "sas_kr_expected.csv").rows(named=True):
        df = {"kr": "kenward-roger", "kr(linear)": "kenward-roger-linear"}[row["ddfm"]]
        fit = fit_mmrm(fev, fixed="ARMCD", covariance=row["cov"], df=df, **FEV)
        ours = fit.coefficients.row(1, named=True)
        label = f"{row['cov']} {df}"
        note(worst, f"{label}, std_error", ours["std_error"], row["stderr"])
        note(worst, f"{label}, df", ours["df"], row["df"])
        note(worst, "estimates", ours["estimate"], row["estimate"])
        worst["SAS deviance above ours, at most"] = max(
            worst.get("SAS deviance above ours, at most", 0.0), row["m2_res_loglik"] - fit.deviance
        )
    return worst


def compare_with_other_sas(fev: pl.DataFrame) -> Worst:
    worst: Worst = defaultdict(float)
    for row in pl.read_csv(DATA / "sas_mixed_expected.csv", infer_schema_length=None).rows(named=True):
        fit = fit_mmrm(
            fev,
            fixed=row["model"],
            covariance=row["covariance"],
            method=row["method"],
            df=row["df_method"],
            std_errors=row["std_errors"],
            weights=row["weights"] or None,
            group=row["group"] or None,
            **FEV,
        )
        last = len(fit.design.names) - 1
        ours = {
            "deviance": fit.deviance,
            "variance": fit.beta_covariance[last, last],
            **fit.coefficients.row(last, named=True),
        }
        kind = "sandwich" if row["std_errors"] != "model" else "by group" if row["group"] else "one covariance"
        note(worst, f"{kind}, {row['quantity']}", ours[row["quantity"]], row["value"])
    return dict(sorted(worst.items()))


def compare_with_lme4(shared: Path) -> Worst:
    worst: Worst = {}
    expected = json.loads((shared / "misc_expected.json").read_text())
    table = pl.read_csv(shared / "sleepstudy_unbalanced.csv")
    model = {"response": "Reaction", "fixed": "Days", "subject": "Subject", "visit": "Days", "covariance": "cs"}
    theirs = expected["lmer"]["sleepstudy_unb_int"]
    for df, information, name in (
        ("kenward-roger", "expected", "kenward_roger"),
        ("satterthwaite", "observed", "satterthwaite"),
    ):
        ours = fit_mmrm(table, df=df, information=information, **model).coefficients
        note(worst, f"sleepstudy, {df}, std_error", ours["std_error"], [row["Std. Error"] for row in theirs[name]])
        note(worst, f"sleepstudy, {df}, df", ours["df"], [row["df"] for row in theirs[name]])
    teeth = pl.read_csv(shared / "orthodont.csv").with_columns(pl.col("Sex").cast(pl.Enum(["Male", "Female"])))
    fit = fit_mmrm(teeth, response="distance", fixed="Sex * C(age)", subject="Subject", visit="age", covariance="cs")
    rows = expected["lmer"]["orthodont_cs"]["anova_kr"]
    note(worst, "orthodont, type III F", fit.type3()["statistic"], [row["F value"] for row in rows])
    note(worst, "orthodont, type III den_df", fit.type3()["den_df"], [row["DenDF"] for row in rows])
    sleep = pl.read_csv(shared / "sleep.csv").with_columns(pl.col("group").cast(pl.String))
    fit = fit_mmrm(sleep, response="extra", fixed="group", subject="ID", visit="group")
    paired = expected["sleep"]["paired_t"]
    row = fit.coefficients.row(1, named=True)
    note(worst, "sleep, paired t: t", row["statistic"], paired["t"])
    note(worst, "sleep, paired t: df", row["df"], paired["df"])
    return worst


def compare_with_rbmi(shared: Path) -> Worst:
    worst: Worst = {}
    expected = json.loads((shared / "rbmi_expected.json").read_text())
    text = pl.col("VISIT").cast(pl.String)
    table = pl.read_csv(shared / "antidepressant_data.csv", null_values="NA").with_columns(text)
    events = pl.read_csv(shared / "antidepressant_ice.csv").drop("strategy").with_columns(text)
    names = {"DRUG": "lsm_ref", "PLACEBO": "lsm_alt", "DRUG - PLACEBO": "trt"}
    for key, strategy in (("MAR", "mar"), ("JR", "jump-to-reference")):
        result = analyse_imputed(
            table,
            response="CHANGE",
            fixed="BASVAL * VISIT + THERAPY * VISIT",
            subject="PATIENT",
            visit="VISIT",
            arm="THERAPY",
            reference="PLACEBO",
            analysis="THERAPY + BASVAL",
            strategy=strategy,
            events=events,
        )
        for row in result.table.rows(named=True):
            name = names[row["quantity"]]
            other = next(one for one in expected[key] if one["parameter"] == f"{name}_{row['VISIT']}")
            note(worst, f"{strategy}, estimate", row["estimate"] * (-1 if name == "trt" else 1), other["est"])
            note(worst, f"{strategy}, std_error", row["std_error"], other["se"])
    return worst


if __name__ == "__main__":
    main()
