"""Diameters on photographs of a planted scalp, their centre lines known to half a pixel.

python -m benchmarks.hair_diameter         about two minutes on one core
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from anagen.hair.diameter import fit_diameters
from anagen.synthetic.scalp import grow_scalp, photograph_scalp

FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "black on III": ({}, {}),
    "black on III, no glare": ({}, {"glare": 0.0}),
    "black on III, wet": ({}, {"glare": 1.0}),
    "black on III, 3 um per px": ({}, {"um_per_px": 3.0, "shape": (1536, 2048)}),
    "black on III, 2.76 um, blur 3.9": ({}, {"um_per_px": 2.756, "shape": (1536, 2048), "blur_sigma_px": 3.9}),
    "brown on II, JPEG 85": ({"hair_colour": "brown", "fitzpatrick": 2}, {"jpeg_quality": 85}),
    "black on VI": ({"fitzpatrick": 6}, {}),
    "white on VI": ({"hair_colour": "white", "fitzpatrick": 6}, {}),
    "blond on I": ({"hair_colour": "blond", "fitzpatrick": 1}, {}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print("hairs >= 30 um and >= 4 px; bias, median and sd of the error in um; interval coverage; unresolved; seconds")
    for name, (grow, photo) in FIELDS.items():
        error, sd, true, seconds = [], [], [], []
        for seed in range(options.seeds):
            rng = np.random.default_rng(seed + 100)
            seen = photograph_scalp(grow_scalp(rng, **grow), rng, **photo)
            paths = [hair.path_px + rng.normal(0, 0.5, 2) for hair in seen.truth]
            planted = np.array([hair.diameter_um for hair in seen.truth])
            begin = time.process_time()
            fit = fit_diameters(seen.image, paths, um_per_px=seen.um_per_px)
            seconds.append(time.process_time() - begin)
            keep = (planted >= 30) & (planted >= 4 * seen.um_per_px)
            error.append((fit.diameter_um - planted)[keep])
            sd.append(fit.diameter_sd_um[keep])
            true.append(planted[keep])
        e, s = np.concatenate(error), np.concatenate(sd)
        ok = np.isfinite(e)
        gross = np.abs(e[ok]) > 15
        core = e[ok][~gross]
        print(
            f"{name:32s} n {ok.sum():4d} bias {e[ok].mean():7.2f} median {np.median(e[ok]):6.2f} sd {e[ok].std():6.2f}"
            f" | without the {100 * gross.mean():4.1f} % beyond 15 um: bias {core.mean():5.2f} sd {core.std():4.2f}"
            f" | covered {100 * np.mean(np.abs(e[ok]) < 1.96 * s[ok]):5.1f} % unresolved {100 * np.mean(~ok):4.1f} %"
            f" {np.mean(seconds):5.2f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
