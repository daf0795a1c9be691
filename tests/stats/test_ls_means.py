"""LS means: arithmetic on a small unbalanced table, weights as in emmeans."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from anagen.errors import InputError
from anagen.stats import fit_mmrm
from anagen.stats.ls_means import mean_rows


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(3)
    n = 40
    arm = np.repeat(["a", "b"], [25, 15])
    site = np.where(rng.random(n) < 0.3, "s1", "s2")
    age = rng.normal(40, 10, n)
    table = pl.DataFrame(
        {
            "id": np.repeat(np.arange(n), 2),
            "arm": np.repeat(arm, 2),
            "site": np.repeat(site, 2),
            "age": np.repeat(age, 2),
            "visit": ["v1", "v2"] * n,
            "y": rng.normal(size=2 * n),
        }
    )
    return fit_mmrm(table, response="y", fixed="arm * visit + site + age", subject="id", visit="visit")


def beta(fit, name):
    return fit.beta[fit.design.names.index(name)]


def test_equal_weights_and_the_mean_of_numbers(fit):
    mean = fit.ls_means(["arm", "visit"]).row(0, named=True)
    age = fit.design.numbers["age"].mean()
    by_hand = beta(fit, "Intercept") + 0.5 * beta(fit, "site[T.s2]") + age * beta(fit, "age")
    assert (mean["arm"], mean["visit"]) == ("a", "v1")
    assert mean["estimate"] == pytest.approx(by_hand)


@pytest.mark.parametrize("weights", ["proportional", "outer"])
def test_proportional_weights_are_the_frequencies(fit, weights):
    share = (fit.design.codes["site"] == 1).mean()
    equal = fit.ls_means(["arm", "visit"])["estimate"][0]
    weighted = fit.ls_means(["arm", "visit"], weights=weights)["estimate"][0]
    assert weighted - equal == pytest.approx((share - 0.5) * beta(fit, "site[T.s2]"))


def test_cell_weights_are_those_of_each_cell(fit):
    codes = fit.design.codes
    share = (codes["site"] == 1)[codes["arm"] == 0].mean()
    equal = fit.ls_means("arm")["estimate"][0]
    by_cell = fit.ls_means("arm", weights="cells")["estimate"][0]
    assert by_cell - equal == pytest.approx((share - 0.5) * beta(fit, "site[T.s2]"))


def test_at_moves_a_number_and_picks_a_level(fit):
    moved = fit.ls_means("arm", at={"age": 0.0, "visit": "v2", "site": "s1"})["estimate"]
    by_hand = beta(fit, "Intercept") + beta(fit, "visit[T.v2]")
    assert moved[0] == pytest.approx(by_hand)


def test_contrasts_are_differences_of_means(fit):
    means = {row[:2]: row[2] for row in fit.ls_means(["arm", "visit"]).rows()}
    contrast = fit.contrasts(of="arm", by="visit").row(1, named=True)
    assert contrast["contrast"] == "b - a"
    assert contrast["estimate"] == pytest.approx(means["b", "v2"] - means["a", "v2"])
    reverse = fit.contrasts(of="arm", by="visit", reference="b").row(1, named=True)
    assert reverse["estimate"] == pytest.approx(-contrast["estimate"])


def test_all_pairs_are_every_later_against_every_earlier(fit):
    assert fit.contrasts(of="visit", by="arm", kind="pairwise")["contrast"].to_list() == ["v2 - v1"] * 2


def test_one_overall_mean(fit):
    _, L = mean_rows(fit.design, [])
    assert L.shape == (1, len(fit.design.names))


def test_unknown_names_and_levels_are_refused(fit):
    with pytest.raises(InputError, match="no level 's9'"):
        fit.ls_means("arm", at={"site": "s9"})
    with pytest.raises(InputError, match="is no variable of the formula"):
        fit.ls_means("arm", at={"sex": "f"})
    with pytest.raises(InputError, match="weights must be one of equal"):
        fit.ls_means("arm", weights="flat")
    with pytest.raises(InputError, match="kind must be one of"):
        fit.contrasts(of="arm", kind="dunnett")
