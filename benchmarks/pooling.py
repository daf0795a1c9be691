"""Pooling: agreement with metafor, coverage of its intervals, and speed as a ratio to a peer. `make bench-pooling`."""

from __future__ import annotations

import importlib
import importlib.util
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from anagen.evidence.pool import pool_effects

EXPECTED = Path(__file__).resolve().parents[2] / "shared" / "data" / "stats" / "meta_expected.json"
METHODS = ("DL", "REML", "ML", "PM", "HE", "SJ", "EB", "HS")
N_META = 2000
DESIGNS = {
    "5 studies, equal variances": [1.0] * 5,
    "5 studies, variances 0.6 to 1.4": [0.6, 0.8, 1.0, 1.2, 1.4],
    "5 studies, variances 0.2 to 4": [0.2, 0.5, 1.0, 2.0, 4.0],
    "3 studies, equal variances": [1.0] * 3,
    "12 studies, variances 0.2 to 4": list(np.geomspace(0.2, 4.0, 12)),
}


def main() -> None:
    """Print the three tables of docs/methods/pooling.md."""
    print_agreement()
    print_coverage()
    print_speed()


def print_agreement() -> None:
    """Largest difference to metafor 5.1.12 over estimate, error, interval, tau2 on the BCG trials."""
    if not EXPECTED.exists():
        print("agreement with metafor: reference data not beside the repository\n")
        return
    bcg = json.loads(EXPECTED.read_text())["bcg_RR"]
    print("| method | largest difference to metafor | of tau2 |\n|---|---|---|")
    for method in METHODS:
        worst = worst_tau2 = 0.0
        for test, scaled in (("z", False), ("knha", True)):
            fit = bcg["fits"][f"{method}_{test}"]
            p = pool_effects(bcg["yi"], bcg["vi"], method=method, knapp_hartung=scaled)
            pairs = [
                (p.estimate, fit["beta"]),
                (p.std_error, fit["se"]),
                (p.ci_low, fit["ci"][0]),
                (p.ci_high, fit["ci"][1]),
            ]
            pairs += [(p.prediction_low, fit["pi"][0]), (p.prediction_high, fit["pi"][1])]
            worst = max([worst, *(abs(a - b) for a, b in pairs)])
            worst_tau2 = max(worst_tau2, abs(p.tau2 - fit["tau2"]))
        print(f"| {method} | {worst:.0e} | {worst_tau2:.0e} |")
    print()


def print_coverage() -> None:
    """Coverage of the 95 % interval of the mean and of the prediction interval; tau2 = 1."""
    print(f"| design ({N_META} simulated) | Knapp-Hartung | normal | adhoc | prediction |\n|---|---|---|---|---|")
    for name, variances in DESIGNS.items():
        rng, v = np.random.default_rng(11), np.array(variances)
        hits = np.zeros(4)
        for _ in range(N_META):
            y, new = rng.normal(0, np.sqrt(1.0 + v)), rng.normal(0, 1.0)
            for place, scaled in enumerate((True, False, "adhoc")):
                p = pool_effects(y, v, knapp_hartung=scaled, method="reml")
                hits[place] += p.ci_low <= 0 <= p.ci_high
                if scaled is True:
                    hits[3] += p.prediction_low <= new <= p.prediction_high
        print(f"| {name} | " + " | ".join(f"{100 * hit / N_META:.1f} %" for hit in hits) + " |")
    print()


def print_speed() -> None:
    """Time a call as a ratio to statsmodels (DerSimonian-Laird, no prediction or tau2 interval there)."""
    if importlib.util.find_spec("statsmodels") is None:
        print("speed: statsmodels is not installed (make bench-pooling installs it)")
        return
    peer = importlib.import_module("statsmodels.stats.meta_analysis").combine_effects
    rng = np.random.default_rng(1)
    print("| studies | statsmodels, ms | here, ms (with tau2 interval and prediction) | ratio |\n|---|---|---|---|")
    for k in (5, 13, 100, 2000):
        v = rng.uniform(0.1, 2.0, k)
        y = rng.normal(0, np.sqrt(1 + v))
        theirs = _time(lambda y=y, v=v: peer(y, v, method_re="dl"))
        ours = _time(lambda y=y, v=v: pool_effects(y, v, method="dl"))
        print(f"| {k} | {1e3 * theirs:.2f} | {1e3 * ours:.2f} | {theirs / ours:.2f} |")


def _time(call: Callable[[], object], *, repeats: int = 30) -> float:
    call()
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return float(np.median(found))


if __name__ == "__main__":
    main()
