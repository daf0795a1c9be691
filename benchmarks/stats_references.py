"""Compare the tests, intervals and reliabilities of `anagen.stats`, `surveys` and `safety` with R, number by number.

    python -m benchmarks.stats_references [FOLDER]

FOLDER holds misc_expected.json, meta_expected.json and their data; when left out, the reference data beside the
repository.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from anagen.safety import clopper_pearson
from anagen.stats import (
    adjust_p,
    estimate_change,
    fit_proportional_odds,
    n_one_group,
    n_two_groups,
    sign_test,
    signed_rank_test,
    standardise_by_baseline_sd,
    standardise_by_change_sd,
)
from anagen.surveys import analyse_items, estimate_alpha, estimate_omega

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data" / "stats"
Row = tuple[str, str, Any, Any]


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else BESIDE
    misc = json.loads((folder / "misc_expected.json").read_text())
    meta = json.loads((folder / "meta_expected.json").read_text())
    print("| quantity | reference | numbers | largest relative difference |")
    print("|---|---|---|---|")
    for name, reference, found, expected in compare(folder, misc, meta):
        a, b = np.atleast_1d(np.asarray(found, float)), np.atleast_1d(np.asarray(expected, float))
        scale = np.where(b == 0, 1.0, np.abs(b))
        print(f"| {name} | {reference} | {len(a)} | {np.max(np.abs(a - b) / scale):.1e} |")


def compare(folder: Path, misc: dict[str, Any], meta: dict[str, Any]) -> Iterator[Row]:
    yield from compare_change(folder, misc, meta)
    yield from compare_signed_rank(folder, misc)
    yield from compare_ordinal(folder, misc)
    yield from compare_reliability(folder, misc)
    for sides, key in (("two", "two"), ("upper", "one_upper")):
        found = [clopper_pearson(case["x"], case["n"], sides=sides) for case in misc["clopper"]]
        yield f"Clopper-Pearson, {sides}", "R binom.test", np.ravel(found), np.ravel([c[key] for c in misc["clopper"]])
    for method in ("holm", "hochberg", "hommel", "BH", "BY", "bonferroni"):
        p = misc["padjust"]
        yield f"adjusted p, {method}", "R p.adjust", adjust_p(p["raw"], method.lower()), p[method]
    found = [n_two_groups(10, 22), n_two_groups(10, 22, power=0.8), n_one_group(0.5, 1), n_one_group(0.5, 1, power=0.8)]
    expected = [misc["power"][key] for key in ("two_sample", "two_sample_80", "paired", "paired_80")]
    yield "sample size, t-tests", "R power.t.test", found, expected


def compare_change(folder: Path, misc: dict[str, Any], meta: dict[str, Any]) -> Iterator[Row]:
    extra = pl.read_csv(folder / "sleep.csv")["extra"].to_numpy()
    change, paired = estimate_change(extra[:10], extra[10:]), misc["sleep"]["paired_t"]
    mean = change.mean_change
    found = [mean.value, change.std_error, change.t, change.df, mean.p_value, mean.ci_low, mean.ci_high]
    expected = [*(paired[key] for key in ("est", "se", "t", "df", "p")), *paired["ci"]]
    yield "mean change, SE, t, df, p, interval", "R t.test", found, expected
    smcc, smcr = [], []
    for t in meta["prepost"]["T"]:
        difference, r = t["m_post"] - t["m_pre"], t["ri"]
        sd = math.sqrt(t["sd_pre"] ** 2 + t["sd_post"] ** 2 - 2 * r * t["sd_pre"] * t["sd_post"])
        smcc.append(standardise_by_change_sd(difference, sd, t["ni"]))
        smcr.append(standardise_by_baseline_sd(difference, t["sd_pre"], r, t["ni"]))
    for name, changes in (("SMCC", smcc), ("SMCR", smcr)):
        expected = meta["prepost"]["treat"][name]
        yield f"{name}, value", "R metafor", [c.estimate.value for c in changes], expected["yi"]
        yield f"{name}, variance", "R metafor", [c.variance for c in changes], expected["vi"]


def compare_signed_rank(folder: Path, misc: dict[str, Any]) -> Iterator[Row]:
    scores = pl.read_csv(folder / "satisfaction_sim.csv")
    changes, expected = (scores["wk12"] - scores["wk4"]).to_numpy(), misc["wilcoxon"]
    found = [signed_rank_test(changes, zeros=zeros).p_value for zeros in ("wilcox", "pratt")]
    yield "signed rank, exact p", "R coin", found, [expected[key]["p"] for key in ("wilcoxon_exact", "pratt_exact")]
    normal = {"zeros": "wilcox", "distribution": "normal"}
    found = [
        signed_rank_test(changes, **normal).p_value,
        signed_rank_test(changes, **(normal | {"zeros": "pratt"})).p_value,
        signed_rank_test(changes, **(normal | {"distribution": "normal-corrected"})).p_value,
    ]
    references = [expected["wilcoxon_asym"]["p"], expected["pratt_asym"]["p"], expected["p_norm_cc"]]
    yield "signed rank, normal p (wilcox, pratt, corrected)", "R coin, wilcox.test", found, references
    yield "sign test", "R binom.test", sign_test(changes).share_up.p_value, expected["sign_p"]
    biserial = signed_rank_test(changes).rank_biserial
    yield "rank-biserial", "R effectsize", biserial.value, expected["rank_biserial"][0]["r_rank_biserial"]
    ends = [expected["rank_biserial"][0][key] for key in ("CI_low", "CI_high")]
    yield (
        "rank-biserial, interval (wider on purpose)",
        "R effectsize",
        [biserial.ci_low, biserial.ci_high],
        ends,
    )


def compare_ordinal(folder: Path, misc: dict[str, Any]) -> Iterator[Row]:
    table, expected = pl.read_csv(folder / "satisfaction_long.csv"), misc["clmm"]
    fit = fit_proportional_odds(table, response="y", fixed="C(wk)", subject="id", n_quadrature=expected["nAGQ"])
    both = pl.concat([fit.thresholds, fit.coefficients])
    yield "proportional odds, estimates", "R clmm", both["estimate"], [row["Estimate"] for row in expected["coef"]]
    yield "proportional odds, SE", "R clmm", both["std_error"], [row["Std. Error"] for row in expected["coef"]]
    yield "proportional odds, subject SD", "R clmm", fit.subject_sd, expected["sd_id"]
    yield "proportional odds, log-likelihood", "R clmm", fit.log_likelihood, expected["logLik"]
    laplace = fit_proportional_odds(table, response="y", fixed="C(wk)", subject="id", n_quadrature=1)
    yield "proportional odds, Laplace, subject SD", "R clmm", laplace.subject_sd, misc["clmm_laplace"]["sd_id"]


def compare_reliability(folder: Path, misc: dict[str, Any]) -> Iterator[Row]:
    x, expected = pl.read_csv(folder / "bfi_agree300.csv").to_numpy().astype(float), misc["reliability"]
    alpha, omega, items = estimate_alpha(x), estimate_omega(x), analyse_items(x)
    yield "alpha", "R psych", alpha.value, expected["alpha_raw"]
    yield "alpha, standardised", "R psych", estimate_alpha(x, standardised=True).value, expected["alpha_std"]
    wald = estimate_alpha(x, interval="duhachek")
    found = (wald.ci_high - wald.ci_low) / 2 / 1.959963984540054
    yield "alpha, standard error", "R psych", found, expected["duhachek"]["ase"]
    ends = [expected["feldt"][f"{end}.ci"][0]["raw_alpha"] for end in ("lower", "upper")]
    yield "alpha, Feldt interval", "R psych", [alpha.ci_low, alpha.ci_high], ends
    yield "alpha without each item", "R psych", items["alpha_without"], expected["alpha_drop"]
    yield "item-rest correlation", "R psych", items["item_rest_r"], expected["item_total_drop"]
    yield "omega, one factor by ML", "R lavaan, semTools", omega.estimate.value, expected["omega_cfa_ml"]
    rows = dict(zip(expected["semTools_rows"], expected["semTools"], strict=True))
    found = [omega.of_observed_variance, omega.variance_extracted]
    yield "omega of observed variance, variance extracted", "R semTools", found, [rows["omega3"], rows["avevar"]]
    scale = (len(x) - 1) / len(x)
    yield "loadings", "R lavaan", omega.loadings * math.sqrt(scale), expected["cfa_loadings"]
    yield "error variances", "R lavaan", omega.error_variances * scale, expected["cfa_theta"]


if __name__ == "__main__":
    main()
