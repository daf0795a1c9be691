"""Kenward-Roger and Satterthwaite against pbkrtest and lmerTest, where a random intercept is compound symmetry."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from anagen.stats import fit_mmrm


@pytest.fixture
def expected(shared):
    return json.loads(shared("stats/misc_expected.json").read_text())["lmer"]


def fit_sleep(shared, **options):
    table = pl.read_csv(shared("stats/sleepstudy_unbalanced.csv"))
    return fit_mmrm(
        table, response="Reaction", fixed="Days", subject="Subject", visit="Days", covariance="cs", **options
    )


def test_expected_information_is_pbkrtest(shared, expected):
    # 1e-6: lme4's optimum has that many digits; pbkrtest uses expected information
    e = expected["sleepstudy_unb_int"]
    fit = fit_sleep(shared, information="expected")
    assert fit.deviance == pytest.approx(e["reml"], rel=1e-9)
    for ours, theirs in zip(fit.coefficients.rows(named=True), e["kenward_roger"], strict=True):
        assert ours["std_error"] == pytest.approx(theirs["Std. Error"], rel=1e-6)
        assert ours["df"] == pytest.approx(theirs["df"], rel=1e-6)
    assert fit.beta_covariance == pytest.approx(np.array(e["vcov_adj"]), rel=1e-6)


def test_observed_information_is_lmertest_satterthwaite(shared, expected):
    # 1e-4: lmerTest takes numeric derivatives
    fit = fit_sleep(shared, df="satterthwaite")
    for ours, theirs in zip(
        fit.coefficients.rows(named=True), expected["sleepstudy_unb_int"]["satterthwaite"], strict=True
    ):
        assert ours["std_error"] == pytest.approx(theirs["Std. Error"], rel=1e-6)
        assert ours["df"] == pytest.approx(theirs["df"], rel=1e-4)


def test_balanced_data_have_the_f_tests_of_the_textbook(shared, expected):
    table = pl.read_csv(shared("stats/orthodont.csv")).with_columns(pl.col("Sex").cast(pl.Enum(["Male", "Female"])))
    fit = fit_mmrm(table, response="distance", fixed="Sex * C(age)", subject="Subject", visit="age", covariance="cs")
    for ours, theirs in zip(fit.type3().rows(named=True), expected["orthodont_cs"]["anova_kr"], strict=True):
        assert ours["num_df"] == theirs["NumDF"]
        assert ours["den_df"] == pytest.approx(theirs["DenDF"], rel=1e-6)
        assert ours["p_value"] == pytest.approx(theirs["Pr(>F)"], rel=1e-5)
        assert ours["statistic"] == pytest.approx(theirs["F value"], rel=1e-6)
    for ours, theirs in zip(fit.coefficients["std_error"], expected["orthodont_cs"]["kenward_roger"], strict=True):
        assert ours == pytest.approx(theirs["Std. Error"], rel=1e-6)
