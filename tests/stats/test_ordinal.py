import json
import math

import numpy as np
import polars as pl
import pytest
from scipy import special, stats

from anagen.errors import ConvergenceError, InputError, NotEnoughDataError
from anagen.stats import fit_proportional_odds
from anagen.stats.ordinal import _log_likelihood, _read_answers

CUTS = np.array([-2.0, -0.5, 0.5, 2.0])


def simulate_answers(rng, n, effect=0.8, subject_sd=1.5, visits=2):
    person = np.repeat(np.arange(n), visits)
    visit = np.tile(np.arange(visits), n)
    latent = effect * visit + subject_sd * rng.normal(size=n)[person] + rng.logistic(size=n * visits)
    return pl.DataFrame({"person": person, "visit": visit, "answer": np.digitize(latent, CUTS) + 1})


def fit(table, **options):
    return fit_proportional_odds(table, response="answer", fixed="visit", subject="person", **options)


def test_a_planted_odds_ratio_is_recovered():
    found = fit(simulate_answers(np.random.default_rng(1), 400))
    assert found.coefficients["estimate"][0] == pytest.approx(0.8, abs=0.2)
    assert found.subject_sd == pytest.approx(1.5, abs=0.3)
    assert found.thresholds["estimate"].to_numpy() == pytest.approx(CUTS, abs=0.3)
    assert found.subject_sd_ci_low < 1.5 < found.subject_sd_ci_high
    assert found.odds_ratios["odds_ratio"][0] == pytest.approx(math.exp(found.coefficients["estimate"][0]))


def test_reversed_answers_turn_the_effect():
    table = simulate_answers(np.random.default_rng(2), 60)
    forth, back = fit(table), fit(table.with_columns(answer=6 - pl.col("answer")))
    assert back.coefficients["estimate"][0] == pytest.approx(-forth.coefficients["estimate"][0], rel=1e-5)
    assert back.subject_sd == pytest.approx(forth.subject_sd, rel=1e-5)
    assert back.log_likelihood == pytest.approx(forth.log_likelihood, abs=1e-9)


def test_row_order_and_scale_of_a_covariate_do_not_matter():
    table = simulate_answers(np.random.default_rng(3), 60)
    found = fit(table)
    moved = fit(table.sample(fraction=1.0, shuffle=True, seed=1).with_columns(visit=pl.col("visit") * 10 + 4))
    assert moved.coefficients["estimate"][0] == pytest.approx(found.coefficients["estimate"][0] / 10, rel=1e-5)
    assert moved.coefficients["p_value"][0] == pytest.approx(found.coefficients["p_value"][0], rel=1e-4)


def test_quadrature_is_the_integral():
    table = simulate_answers(np.random.default_rng(4), 40, subject_sd=6.0)
    answers, *_ = _read_answers(table, "answer", "visit", "person")
    psi = np.array([-7.0, 1.0, 1.5, 1.4, 0.7, math.log(6.0)])
    ends = np.concatenate([[-np.inf, -7.0], -7.0 + np.cumsum(np.exp(psi[1:4])), [np.inf]])
    u = np.linspace(-9, 9, 20_001)  # the trapezoid rule of a smooth function that vanishes at both ends
    eta = 0.7 * answers.X[:, :1] + 6.0 * u
    each = special.expit(ends[answers.category + 1, None] - eta) - special.expit(ends[answers.category, None] - eta)
    integrals = np.trapezoid(each[::2] * each[1::2] * stats.norm.pdf(u), u, axis=1)
    exact = np.log(integrals).sum()
    assert _log_likelihood(psi, answers, special.roots_hermite(25)) == pytest.approx(exact, abs=5e-4)
    assert _log_likelihood(psi, answers, special.roots_hermite(81)) == pytest.approx(exact, abs=1e-6)


def test_people_who_do_not_differ_are_said_so():
    rng = np.random.default_rng(6)
    table = simulate_answers(rng, 60, subject_sd=0.0).with_columns(person=pl.int_range(120))
    found = fit(table)  # one answer a person: nothing is known about their levels
    assert np.isfinite(found.coefficients["std_error"][0])
    opposite = pl.DataFrame(
        {"person": np.repeat(np.arange(40), 2), "visit": [0, 1] * 40, "answer": [1, 3, 3, 1, 2, 2, 2, 2] * 10}
    )
    still = fit(opposite)
    assert [flag.code for flag in still.flags] == ["no-person-variance"]
    assert still.subject_sd == 0
    assert still.coefficients["estimate"][0] == pytest.approx(0, abs=1e-6)


def test_agrees_with_r_ordinal_clmm(shared):
    table = pl.read_csv(shared("stats/satisfaction_long.csv"))
    expected = json.loads(shared("stats/misc_expected.json").read_text())["clmm"]
    found = fit_proportional_odds(table, response="y", fixed="C(wk)", subject="id", n_quadrature=expected["nAGQ"])
    both = pl.concat([found.thresholds, found.coefficients])
    # clmm finds each person's mode only to a gradient of 1e-4: its optimum has a log-likelihood 1.6e-6 below ours.
    # Six-digit agreement of the estimates is what that leaves; standard errors come from its numerical Hessian.
    assert found.log_likelihood == pytest.approx(expected["logLik"], abs=3e-6)
    assert found.log_likelihood > expected["logLik"]
    assert both["estimate"].to_list() == pytest.approx([row["Estimate"] for row in expected["coef"]], rel=1e-5)
    assert both["std_error"].to_list() == pytest.approx([row["Std. Error"] for row in expected["coef"]], rel=3e-5)
    assert found.subject_sd == pytest.approx(expected["sd_id"], rel=3e-6)


def test_wine_as_in_the_vignette_of_r_ordinal(shared):
    wine = pl.read_csv(shared("stats/wine.csv"))
    found = fit_proportional_odds(wine, response="rating", fixed="temp + contact", subject="judge", n_quadrature=10)
    # Printed to four digits there (clmm, nAGQ = 10).
    assert found.coefficients["estimate"].to_list() == pytest.approx([3.0619, 1.8334], abs=2e-4)
    assert found.thresholds["estimate"].to_list() == pytest.approx([-1.6235, 1.5128, 4.2271, 6.0862], abs=3e-4)
    assert found.log_likelihood == pytest.approx(-81.53, abs=5e-3)


def test_refuses_what_has_no_answer():
    table = simulate_answers(np.random.default_rng(7), 20)
    with pytest.raises(ConvergenceError, match="separates the answers"):
        fit(table.with_columns(answer=1 + pl.col("visit")))
    with pytest.raises(InputError, match="the table has no column week"):
        fit_proportional_odds(table, response="answer", fixed="week", subject="person")
    with pytest.raises(NotEnoughDataError, match="2 kinds of answer"):
        fit(table.with_columns(answer=pl.lit(3)))
    with pytest.raises(NotEnoughDataError, match="determine one another"):
        fit(table.with_columns(visit=pl.lit(1)))
    with pytest.raises(InputError, match="is not a formula"):
        fit_proportional_odds(table, response="answer", fixed="visit +* 2", subject="person")
    with pytest.raises(InputError, match="n_quadrature must be at least 1"):
        fit(table, n_quadrature=0)
    assert fit(table.with_columns(answer=pl.when(pl.col("person") == 3).then(None).otherwise("answer"))).n_dropped == 2
