"""Pooling against R's metafor on simulated data sets; needs Rscript with metafor. `make bench-pooling_metafor`."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from anagen.errors import AnagenError
from anagen.evidence.meta_regression import fit_meta_regression
from anagen.evidence.pool import pool_effects

N_SETS = 120
SEED = 5
R_CODE = """
suppressMessages(library(metafor)); options(warn = -1)
folder <- commandArgs(TRUE)[1]; d <- read.csv(file.path(folder, "sets.csv")); out <- list()
tight <- list(threshold = 1e-13, maxiter = 20000, tau2.max = 1e8)
add <- function(s, m, t, r, j, q) out[[length(out) + 1]] <<- data.frame(set = s, m = m, t = t, b = r$beta[j],
  se = r$se[j], lo = r$ci.lb[j], hi = r$ci.ub[j], p = r$pval[j], tau2 = r$tau2, I2 = r$I2 / 100, Q = r$QE, Qp = q)
for (s in unique(d$set)) { x <- d[d$set == s, ]
  for (m in c("EE", "DL", "REML", "ML", "HE", "SJ", "EB", "HS")) for (t in c("z", "knha")) {
    r <- tryCatch(rma(yi, vi, data = x, method = m, test = t, control = tight), error = function(e) NULL)
    if (!is.null(r)) add(s, m, t, r, 1, r$QEp) }
  r <- tryCatch(rma(yi, vi, mods = ~ x1 + x2, data = x, test = "knha", control = tight), error = function(e) NULL)
  if (!is.null(r) && nrow(x) > 4) add(s, "regression", "knha", r, 2, r$QMp) }
cat(as.character(packageVersion("metafor")), "\\n")
write.csv(do.call(rbind, out), file.path(folder, "fits.csv"), row.names = FALSE)
"""


def main() -> None:
    """Print for each estimator the number of fits compared and the largest difference."""
    if shutil.which("Rscript") is None:
        print("Rscript with metafor is needed for this comparison")
        return
    sets = simulate_sets()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sets.write_csv(folder / "sets.csv", float_precision=17)
        (folder / "fit.R").write_text(R_CODE)
        done = subprocess.run(["Rscript", folder / "fit.R", folder], check=True, capture_output=True, text=True)
        fits = pl.read_csv(folder / "fits.csv")
        sets = pl.read_csv(folder / "sets.csv")
    worst: dict[str, tuple[int, float]] = {}
    for fit in fits.iter_rows(named=True):
        found = _fit_here(sets.filter(set=fit["set"]), fit)
        if found is None:
            continue
        gap = max(abs(value - fit[key]) / max(1.0, abs(fit[key])) for key, value in found.items())
        n, largest = worst.get(fit["m"], (0, 0.0))
        worst[fit["m"]] = (n + 1, max(largest, gap))
    print(f"metafor {done.stdout.strip()}, {N_SETS} simulated sets of 2 to 24 studies")
    print("| method | fits | largest difference |\n|---|---|---|")
    for method, (n, largest) in worst.items():
        print(f"| {method} | {n} | {largest:.0e} |")


def simulate_sets() -> pl.DataFrame:
    """Simulate sets of studies with tau from 0 to 3 and variances over three orders of magnitude."""
    rng = np.random.default_rng(SEED)
    parts = []
    for number in range(N_SETS):
        k = int(rng.integers(2, 25))
        v = np.exp(rng.normal(-1, 1.2, k))
        y = rng.normal(rng.normal(), np.sqrt(v + rng.choice([0.0, 0.3, 1.0, 3.0]) ** 2))
        x1, x2 = rng.normal(size=k), rng.integers(0, 2, k)
        parts.append(pl.DataFrame({"set": [number] * k, "yi": y, "vi": v, "x1": x1, "x2": x2}))
    return pl.concat(parts)


def _fit_here(x: pl.DataFrame, fit: dict) -> dict[str, float] | None:
    y, v = x["yi"].to_numpy(), x["vi"].to_numpy()
    if fit["m"] == "regression":
        try:
            f = fit_meta_regression(y, v, x.select("x1", "x2").to_numpy())
        except AnagenError:
            return None  # metafor drops a column that repeats another, we refuse it
        row = f.coefficients.row(1, named=True)
        found = {"b": row["estimate"], "se": row["std_error"], "lo": row["ci_low"], "hi": row["ci_high"]}
        return found | {"p": row["p_value"], "tau2": f.tau2, "I2": f.i2 / 100, "Q": f.q, "Qp": f.moderator_p_value}
    p = pool_effects(y, v, method=fit["m"], knapp_hartung=fit["t"] == "knha")
    found = {"b": p.estimate, "se": p.std_error, "lo": p.ci_low, "hi": p.ci_high, "p": p.p_value}
    return found | {"tau2": p.tau2, "I2": p.i2 / 100, "Q": p.q, "Qp": p.q_p_value}


if __name__ == "__main__":
    main()
