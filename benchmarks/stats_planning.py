"""Show whether planned analyses keep their level, coverage and the formula's power, and what a trial costs.

Simulates the planned trial for several sizes with 15 % drop-out and prints power beside the formula's, coverage, the
ratio of reported to true standard error, and the processor time of one trial.
"""

from __future__ import annotations

import argparse
import math
import time

from anagen.stats import TrialPlan, power_by_formula, simulate_power

SIZES = (10, 30, 100)
"""People per group: 20, 60 and 200 in a parallel trial."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    n_trials = parser.parse_args().trials
    error = 1.96 * math.sqrt(0.95 * 0.05 / n_trials)
    print(f"{n_trials} trials each; 95 % of coverages should lie in {0.95 - error:.3f} to {0.95 + error:.3f}")
    print("| design | analysis | n per group | formula | power | coverage | se / sd | no answer | CPU ms per trial |")
    print("|---|---|---|---|---|---|---|---|---|")
    for design, analysis in (
        ("parallel", "mmrm"),
        ("parallel", "ancova"),
        ("parallel", "change"),
        ("split-scalp", "change"),
        ("single-arm", "signed-rank"),
    ):
        for n in SIZES:
            plan = TrialPlan(design, difference=10, sd_change=22, n_visits=3, dropout=0.15, analysis=analysis)
            start = time.process_time()
            found = simulate_power(plan, n, n_trials=n_trials)
            each_ms = 1e3 * (time.process_time() - start) / n_trials
            honesty = found.mean_std_error / found.sd_estimate
            print(
                f"| {design} | {analysis} | {n} | {power_by_formula(plan, n):.3f} | {found.power.value:.3f} "
                f"| {found.coverage.value:.3f} | {honesty:.3f} | {found.n_failed} | {each_ms:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
