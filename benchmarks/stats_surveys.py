"""How honest the intervals of survey answers are, in small studies: `make bench-stats_surveys`.

Simulates five-point answers of 10 to 60 people at two visits (proportional odds, people differing by a normal level)
and prints, for each size: how often the fit is refused, the bias of the log odds ratio, and how often its interval
covers the truth. Then the same for omega's interval with normal and with five-point answers.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter

import numpy as np
import polars as pl

from anagen.errors import AnagenError
from anagen.stats import fit_proportional_odds
from anagen.surveys import estimate_omega

LOG_ODDS_RATIO = 1.0
SUBJECT_SD = 1.5
THRESHOLDS = np.array([-2.0, -0.7, 0.7, 2.0])
LOADINGS = np.array([0.8, 0.7, 0.6, 0.7, 0.5])
CUTS = np.array([-1.5, -0.5, 0.5, 1.5])


def simulate_answers(rng: np.random.Generator, n: int) -> pl.DataFrame:
    person, visit = np.repeat(np.arange(n), 2), np.tile([0, 1], n)
    level = LOG_ODDS_RATIO * visit + SUBJECT_SD * rng.standard_normal(n)[person] + rng.logistic(size=2 * n)
    return pl.DataFrame({"person": person, "visit": visit, "answer": 1 + np.searchsorted(THRESHOLDS, level)})


def check_odds_ratios(n_repeats: int) -> None:
    print(f"log odds ratio {LOG_ODDS_RATIO}, SD of people {SUBJECT_SD}, five answers, two visits, {n_repeats} repeats")
    print("| people | refused | flagged | median error | coverage of 95 % intervals | Monte-Carlo error |")
    print("|---|---|---|---|---|---|")
    for n in (10, 20, 30, 60):
        rng = np.random.default_rng(1000 + n)
        errors, covered, refused, flagged = [], [], Counter[str](), 0
        for _ in range(n_repeats):
            try:
                found = fit_proportional_odds(
                    simulate_answers(rng, n), response="answer", fixed="visit", subject="person"
                )
            except AnagenError as error:
                refused[type(error).__name__] += 1
                continue
            row = found.coefficients.row(0, named=True)
            errors.append(row["estimate"] - LOG_ODDS_RATIO)
            covered.append(row["ci_low"] <= LOG_ODDS_RATIO <= row["ci_high"])
            flagged += bool(found.flags)
        noise = math.sqrt(0.95 * 0.05 / len(covered))
        why = ", ".join(f"{count} {name}" for name, count in refused.items()) or "0"
        print(
            f"| {n} | {why} | {flagged} | {np.median(errors):+.3f} | {np.mean(covered):.3f} | {noise:.3f} |", flush=True
        )


def check_omega(n_repeats: int) -> None:
    truth = LOADINGS.sum() ** 2 / (LOADINGS.sum() ** 2 + (1 - LOADINGS**2).sum())
    print(f"\nomega of normal answers {truth:.4f}; of five-point answers, that of 400,000 people; {n_repeats} repeats")
    print("| answers | people | refused | bias | coverage of 95 % intervals | Monte-Carlo error |")
    print("|---|---|---|---|---|---|")
    for kind in ("normal", "five-point"):
        target = truth if kind == "normal" else _omega_of(np.random.default_rng(1), 400_000, kind)
        for n in (30, 60, 150):
            rng = np.random.default_rng(2000 + n)
            values, covered, refused = [], [], 0
            for _ in range(n_repeats):
                try:
                    found = estimate_omega(_draw_items(rng, n, kind)).estimate
                except AnagenError:
                    refused += 1
                    continue
                values.append(found.value)
                covered.append(found.ci_low <= target <= found.ci_high)
            noise = math.sqrt(0.95 * 0.05 / len(covered))
            print(
                f"| {kind} | {n} | {refused} | {np.mean(values) - target:+.4f} | {np.mean(covered):.3f} "
                f"| {noise:.3f} |",
                flush=True,
            )


def _draw_items(rng: np.random.Generator, n: int, kind: str) -> np.ndarray:
    x = rng.standard_normal((n, 1)) * LOADINGS + rng.standard_normal((n, 5)) * np.sqrt(1 - LOADINGS**2)
    return x if kind == "normal" else 1.0 + np.searchsorted(CUTS, x)


def _omega_of(rng: np.random.Generator, n: int, kind: str) -> float:
    return estimate_omega(_draw_items(rng, n, kind)).estimate.value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1000)
    n_repeats = parser.parse_args().repeats
    check_odds_ratios(n_repeats)
    check_omega(n_repeats)


if __name__ == "__main__":
    main()
