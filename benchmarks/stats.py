"""How fast and how honest the MMRM is: `make bench-stats`, or `python -m benchmarks.stats [--shared DIR] [--out DIR]`.

Times are of one core (set OMP_NUM_THREADS=1), warm, the best of several, wall clock and processor; where the machine is
busy with other work only the processor time says something. Peers run in the same process order on the same data.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import matplotlib as mpl
import numpy as np
import polars as pl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib import ticker

from anagen.stats import fit_mmrm
from anagen.stats.design import read_design
from anagen.stats.ls_means import contrast_rows
from anagen.stats.mmrm import fit_design

ROOT = Path(__file__).resolve().parents[1]
FEV = {"response": "FEV1", "subject": "USUBJID", "visit": "AVISIT"}
FEV_FORMULA = "RACE + SEX + ARMCD * AVISIT"
BCVA = {"response": "BCVA_CHG", "subject": "USUBJID", "visit": "AVISIT", "fixed": "BCVA_BL + RACE + ARMCD * AVISIT"}
N_WORKERS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--out", type=Path, default=ROOT / "out")
    parser.add_argument("--part", choices=("speed", "growth", "trials", "error"), action="append")
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument(
        "--repeats", type=int, default=4_000, help="simulated trials for each size, for the error rates"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    parts = options.part or ["speed", "growth", "trials", "error"]
    results: dict[str, object] = {}
    if "speed" in parts:
        results["speed"] = time_known_data(options.shared)
    if "growth" in parts:
        results["growth"] = time_growth(options.out)
    if "trials" in parts:
        results["trials"] = time_simulated_trials(options.trials)
    if "error" in parts:
        results["error"] = check_error_rates(options.repeats)
    (options.out / "bench-stats.json").write_text(json.dumps(results, indent=1))


def best_time(run: Callable[[], object], *, n_runs: int) -> tuple[float, float]:
    """Best wall and processor time in seconds, after one warm-up."""
    run()
    wall, processor = [], []
    for _ in range(n_runs):
        w, p = time.perf_counter(), time.process_time()
        run()
        wall.append(time.perf_counter() - w)
        processor.append(time.process_time() - p)
    return min(wall), min(processor)


def time_known_data(shared: Path) -> dict[str, float]:
    fev = pl.read_csv(ROOT / "tests" / "data" / "fev_data.csv", null_values="NA")
    times: dict[str, float] = {}

    def fit_fev() -> object:
        return fit_mmrm(fev, fixed=FEV_FORMULA, **FEV).coefficients

    wall, processor = best_time(fit_fev, n_runs=40)
    times["fev us+KR"] = wall
    print(f"FEV, 197 x 4, us + Kenward-Roger     {wall * 1e3:8.1f} ms wall, {processor * 1e3:.1f} ms processor")
    peer = time_statsmodels(fev)
    if peer is not None:
        times["statsmodels MixedLM"] = peer
        print(f"  statsmodels MixedLM nearest model  {peer:8.2f} s   ({peer / wall:.0f} times as long)")
    r_time = time_gls()
    if r_time is not None:
        times["nlme::gls"] = r_time
        print(f"  R nlme::gls, no Kenward-Roger      {r_time:8.2f} s   ({r_time / wall:.0f} times as long)")
    path = shared / "stats" / "bcva_data.csv"
    if path.exists():
        bcva = pl.read_csv(path, null_values="NA")
        wall, processor = best_time(lambda: fit_mmrm(bcva, **BCVA).coefficients, n_runs=5)
        times["bcva us+KR"] = wall
        print(f"BCVA, 1000 x 10, us + Kenward-Roger  {wall * 1e3:8.1f} ms wall, {processor * 1e3:.1f} ms processor")
    else:
        print(f"BCVA: {path.name} is not beside the repository")
    return times


def time_statsmodels(fev: pl.DataFrame) -> float | None:
    """Fit the nearest model statsmodels has: a random effect for each visit, and a residual variance too many."""
    try:
        import statsmodels.formula.api as smf  # noqa: PLC0415 - a peer, installed for benchmarks only
    except ImportError:
        print("  statsmodels is not installed")
        return None
    frame = fev.drop_nulls("FEV1").select("FEV1", "RACE", "SEX", "ARMCD", "AVISIT", "USUBJID").to_dict(as_series=False)
    import pandas as pd  # noqa: PLC0415 - as above

    model = smf.mixedlm(
        "FEV1 ~ RACE + SEX + ARMCD * AVISIT", pd.DataFrame(frame), groups="USUBJID", re_formula="0 + C(AVISIT)"
    )
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = model.fit(reml=True)
    seconds = time.perf_counter() - start
    print(f"  statsmodels: -2 log-likelihood {-2 * fit.llf:.3f}, converged {fit.converged}, {len(caught)} warnings")
    return seconds


def time_gls() -> float | None:
    """R's nlme::gls with the same covariance, three runs in one R, where R is installed."""
    if shutil.which("Rscript") is None:
        print("  R is not installed")
        return None
    script = """
    suppressMessages(library(nlme))
    d <- read.csv(commandArgs(TRUE)[1]); d <- d[!is.na(d$FEV1), ]
    d$v <- as.integer(factor(d$AVISIT))
    f <- function() gls(FEV1 ~ RACE + SEX + ARMCD * AVISIT, d, correlation = corSymm(form = ~ v | USUBJID),
      weights = varIdent(form = ~ 1 | AVISIT), method = "REML")
    t <- min(sapply(1:3, function(i) system.time(m <<- f())[["elapsed"]]))
    cat(t, format(-2 * as.numeric(logLik(m)), digits = 12))
    """
    path = ROOT / "tests" / "data" / "fev_data.csv"
    done = subprocess.run(["Rscript", "-e", script, str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"  R: {done.stderr.strip().splitlines()[-1] if done.stderr else 'failed'}")
        return None
    seconds, deviance = done.stdout.split()
    print(f"  R nlme::gls: -2 log-likelihood {deviance}")
    return float(seconds)


def simulate_table(n: int, m: int, rng: np.random.Generator) -> pl.DataFrame:
    """Two arms, a baseline, correlation 0.7 ^ lag, 15 % of visits missing by drop-out."""
    base = rng.normal(size=n)
    y = np.empty((n, m))
    y[:, 0] = rng.normal(size=n)
    for k in range(1, m):
        y[:, k] = 0.7 * y[:, k - 1] + np.sqrt(1 - 0.49) * rng.normal(size=n)
    y += 0.5 * base[:, None]
    last = np.where(rng.random(n) < 0.3, rng.integers(1, m + 1, n), m)
    y[np.arange(m) >= last[:, None]] = np.nan
    return pl.DataFrame(
        {
            "who": np.repeat(np.arange(n), m),
            "visit": np.tile(np.arange(m), n),
            "arm": np.repeat(np.arange(n) % 2, m),
            "base": np.repeat(base, m),
            "y": y.ravel(),
        }
    ).with_columns(pl.col("y").fill_nan(None))


def time_growth(out: Path) -> dict[str, list[tuple[int, float]]]:
    rng = np.random.default_rng(20)
    model = {"response": "y", "subject": "who", "visit": "visit", "fixed": "base + C(arm) * C(visit)"}
    by_subjects, by_visits = [], []
    for n in (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000):
        table = simulate_table(n, 4, rng)
        by_subjects.append((n, best_time(lambda t=table: fit_mmrm(t, **model).coefficients, n_runs=3)[1]))
        print(f"{n:7d} subjects x  4 visits   {by_subjects[-1][1]:8.3f} s")
    for m in (2, 4, 6, 8, 10, 12, 16, 20):
        table = simulate_table(1_000, m, rng)
        by_visits.append((m, best_time(lambda t=table: fit_mmrm(t, **model).coefficients, n_runs=3)[1]))
        print(f"   1000 subjects x {m:2d} visits   {by_visits[-1][1]:8.3f} s")
    n, t = np.array(by_subjects[2:]).T
    slope = np.polyfit(np.log(n), np.log(t), 1)[0]
    print(f"time grows as subjects to the power {slope:.2f} from {n[0]:.0f} to {n[-1]:.0f}")
    plot_growth(by_subjects, by_visits, out)
    return {"subjects": by_subjects, "visits": by_visits}


def plot_growth(by_subjects: list[tuple[int, float]], by_visits: list[tuple[int, float]], out: Path) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
    for axis, points, label in zip(
        axes, (by_subjects, by_visits), ("subjects (4 visits)", "visits (1,000 subjects)"), strict=True
    ):
        x, y = np.array(points).T
        axis.loglog(x, y, "o-", color="#1f5a7a")
        if axis is axes[0]:
            axis.loglog(x, y[-1] * x / x[-1], "--", color="0.6", label="proportional")
        else:
            axis.set_xticks(x, [f"{value:g}" for value in x])
            axis.xaxis.set_minor_locator(ticker.NullLocator())
        axis.set_xlabel(label)
        axis.grid(visible=True, which="major", color="0.9")
    axes[0].set_ylabel("seconds, one core: table to\ncoefficients, us + Kenward-Roger")
    axes[0].legend(frameon=False)
    for kind in ("svg", "png"):
        figure.savefig(out / f"mmrm-growth.{kind}", dpi=150, metadata={"Date": None} if kind == "svg" else None)
    plt.close(figure)


def plan_trial(n: int):
    table = simulate_table(n, 3, np.random.default_rng(0)).with_columns(y=pl.lit(0.5) + pl.col("base"))
    design = read_design(table, response="y", fixed="base * C(visit) + C(arm) * C(visit)", subject="who", visit="visit")
    return design, contrast_rows(design, "arm", ["visit"])[1]


def analyse_trials(n: int, n_trials: int, seed: np.random.SeedSequence, effect: float = 0.0) -> np.ndarray:
    """Estimate and p of the last visit, and p of the joint test, of each trial; drop-out depends on what was seen."""
    rng = np.random.default_rng(seed)
    design, L = plan_trial(n)
    base, arm = design.numbers["base"].reshape(n, 3)[:, 0], design.codes["arm"].reshape(n, 3)[:, 0]
    spread = np.array([1.0, 1.2, 1.4])
    lag = np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
    root = np.linalg.cholesky(0.7**lag * np.outer(spread, spread))
    rows = []
    for _ in range(n_trials):
        y = rng.standard_normal((n, 3)) @ root.T + 0.5 * base[:, None] + effect * arm[:, None] * [0.3, 0.7, 1.0]
        for k in (1, 2):  # about 15 % of all values, more often after a low one
            risk = 1 / (1 + np.exp(1.75 + 0.7 * np.nan_to_num(y[:, k - 1])))
            gone = np.isnan(y[:, k - 1]) | (rng.random(n) < risk)
            y[gone, k] = np.nan
        fit = fit_design(design.with_response(y.ravel()))
        last = fit.estimate(L).row(-1, named=True)
        missing = np.isnan(y).mean()
        covered = last["ci_low"] <= effect <= last["ci_high"]
        rows.append((last["p_value"], covered, fit.test(L)["p_value"][0], missing, len(fit.attempts) > 1))
    return np.array(rows, dtype=float)


def spread_trials(n: int, n_trials: int, seed: int, effect: float) -> np.ndarray:
    """Run the same trials for any number of workers: one seed for each block of 100."""
    n_blocks = max(1, n_trials // 100)
    seeds = np.random.SeedSequence(seed).spawn(n_blocks)
    size = n_trials // n_blocks
    # spawned, not forked: polars and BLAS have started threads by now, whose locks a forked child never gets
    with ProcessPoolExecutor(N_WORKERS, mp_context=get_context("spawn")) as pool:
        blocks = pool.map(analyse_trials, [n] * n_blocks, [size] * n_blocks, seeds, [effect] * n_blocks)
        return np.concatenate(list(blocks))


def time_simulated_trials(n_trials: int) -> float:
    start = time.perf_counter()
    rows = spread_trials(200, n_trials, 1, 0.0)
    seconds = time.perf_counter() - start
    per_trial = time_one_trial()
    print(
        f"{len(rows)} trials of 2 x 100 people, 3 visits, MMRM + Kenward-Roger: {seconds:.1f} s wall,"
        f" {N_WORKERS} cores ({per_trial * 1e3:.1f} ms processor a trial, {rows[:, 3].mean():.0%} missing)"
    )
    return seconds


def time_one_trial() -> float:
    start = time.process_time()
    analyse_trials(200, 200, np.random.SeedSequence(3))
    return (time.process_time() - start) / 200


def check_error_rates(n_repeats: int) -> list[dict[str, float]]:
    print("people  missing  type I (last visit)  type I (3-df F)  coverage (effect 0.5)  one MC standard error")
    found = []
    for n in (20, 50, 100, 200):
        null, shifted = spread_trials(n, n_repeats, 10 + n, 0.0), spread_trials(n, n_repeats, 20 + n, 0.5)
        error = np.sqrt(0.05 * 0.95 / len(null))
        row = {
            "n": n,
            "missing": null[:, 3].mean(),
            "type1": (null[:, 0] < 0.05).mean(),
            "type1_joint": (null[:, 2] < 0.05).mean(),
            "coverage": shifted[:, 1].mean(),
            "fallbacks": null[:, 4].mean(),
            "mc_error": error,
        }
        found.append({name: float(value) for name, value in row.items()})
        print(
            f"{n:6d}  {row['missing']:7.1%}  {row['type1']:19.2%}  {row['type1_joint']:15.2%}  {row['coverage']:21.2%}"
            f"  {error:.2%}   us fell back in {row['fallbacks']:.2%}"
        )
    return found


if __name__ == "__main__":
    main()
