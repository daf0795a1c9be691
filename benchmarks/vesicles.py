"""Accuracy and speed of movie measurement on planted truth and on real movies, beside trackpy with a histogram.

    python -m benchmarks.vesicles                    every row; about ten minutes on one core
    python -m benchmarks.vesicles --only speed sizes
    python -m benchmarks.vesicles --movies 200       also the coverage of the intervals (about 4 s a movie)

trackpy is used where it is installed (the bench dependency group); its rows are left out elsewhere.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.spatial import cKDTree

from anagen.synthetic.movies import (
    MovieTruth,
    Optics,
    SimulatedMovie,
    bead_sizes,
    lognormal_sizes,
    mixed_sizes,
    simulate_movie,
)
from anagen.vesicles import VesicleMeasurement, calibrate_volume, measure_movie
from anagen.vesicles.diffusion import blur_coefficient, log_likelihood, relative_likelihood, step_spectra
from anagen.vesicles.link import link_spots
from anagen.vesicles.measure import find_spots, plan_linking
from anagen.vesicles.sizes import GRID_NM, SizeDistribution, bin_edges_nm, deconvolve_sizes
from anagen.vesicles.steps import track_spots
from anagen.vesicles.water import size_times_diffusion

try:
    import trackpy
except ImportError:
    trackpy = None

HOW: dict[str, Any] = {
    "um_per_px": 0.166,
    "frames_per_s": 30.0,
    "exposure_s": 0.015,
    "temperature_c": 25.0,
    "viscosity_mpa_s": 0.89,
}
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "vesicles" / "movies"
FRAMES = 1498
DRIFT = (0.1, 0.11)
N_SHORT = 750
CROWD_PER_ML = 1.6e9
RAYLEIGH = Optics(psf="airy", brightness_power=6.0, gain=1.5, read_noise=2.0)


OTHER_OPTICS: dict[str, dict[str, Any]] = {
    "log-normal 120 nm, 1.35": {"optics": RAYLEIGH},
    "wide, bright, saturated": {
        "sizes": lognormal_sizes(110.0, 1.5),
        "optics": replace(RAYLEIGH, brightness=120.0),
    },
    "16 bit, uneven light": {
        "optics": replace(RAYLEIGH, gain=4.0, read_noise=12.0, brightness=900.0, background=300.0, uneven=0.4),
        "max_value": 65535,
    },
    "dark, 100 bright pixels": {
        "optics": replace(RAYLEIGH, gain=1.0, read_noise=1.5, brightness=25.0, background=3.0),
        "bright_pixels": 100,
    },
    "shallow focus, deep light": {
        "optics": replace(RAYLEIGH, psf_sigma_px=1.2, rayleigh_um=1.0, sheet_waist_um=6.0),
    },
    "90 nm and saturated 300 nm": {
        "sizes": mixed_sizes(lognormal_sizes(90.0, 1.25), bead_sizes(300.0), shares=(20, 1)),
        "optics": replace(RAYLEIGH, brightness=60.0),
    },
}
"""Airy rings and brightness as d^6 throughout, so that particles of 70 and 300 nm differ 6000 times in brightness."""


def simulate(seed: int, sizes: Any, *, n_particles: int = 230, **more: Any) -> SimulatedMovie:
    """Make a movie of 640 x 480 with about 60 spots a frame and a slow drift."""
    settings = {"n_frames": FRAMES, "drift_px_per_frame": DRIFT} | more
    return simulate_movie(np.random.default_rng(seed), sizes_nm=sizes, n_particles=n_particles, **settings)


def row(what: str, value: str, reach: str) -> None:
    print(f"{what:58s} {value:44s} reach {reach}", flush=True)


def off(found: float, true: float) -> str:
    return f"{100.0 * (found / true - 1.0):+.1f} %"


# --- speed ---------------------------------------------------------------------------------------------------------


def detection_quality(spots: dict[int, np.ndarray], truth: MovieTruth, shape: tuple[int, int]) -> tuple[float, float]:
    """Precision against all particles with a trace of light; recall of those well seen, 5 px and more from the edge."""
    hit = found = seen = true = 0
    for t, places in spots.items():
        at, snr = truth.position_px[t], truth.spot_snr[t]
        inside = np.all((at > 5) & (at < np.array(shape) - 6), axis=1)
        hit += int(np.sum(cKDTree(at[snr > 2.5]).query(places)[0] < 3.0))
        found += len(places)
        clear = inside & (snr >= 8.0)
        seen += int(np.sum(cKDTree(places).query(at[clear])[0] < 3.0))
        true += int(clear.sum())
    return hit / found, seen / true


def bench_speed(n_frames: int) -> None:
    made = simulate(1, lognormal_sizes(120.0, 1.35), n_frames=n_frames)
    shape = made.movie.shape[1:]
    find_spots(made.movie[:30])  # compile
    begin = time.process_time()
    seen = find_spots(made.movie)
    crowd, reach = plan_linking(seen, None)
    link_spots(seen.spots, max_step_px=reach, step_variance_px2=crowd.typical_variance_px2)
    ours = time.process_time() - begin
    starts = seen.spots.start
    places = np.stack([seen.spots.row_px, seen.spots.col_px], axis=1)
    precision, recall = detection_quality(
        {t: places[starts[t] : starts[t + 1]] for t in range(0, n_frames, 10)}, made.truth, shape
    )
    row(
        f"locate + link, {n_frames} frames, one core: frames/s",
        f"{n_frames / ours:.0f}  P {precision:.4f}  R {recall:.4f}",
        "P 0.98, R 0.99",
    )
    if trackpy is None:
        return
    trackpy.quiet()
    begin = time.process_time()
    table = trackpy.batch(made.movie, 9, minmass=90, processes=1, engine="numba")
    trackpy.link(table, 13, memory=0)
    theirs = time.process_time() - begin
    grouped = {t: g[["y", "x"]].to_numpy() for t, g in table.groupby("frame") if t % 10 == 0}
    precision, recall = detection_quality(grouped, made.truth, shape)
    row(
        f"trackpy {trackpy.__version__} (diameter 9, minmass 90, numba)",
        f"{n_frames / theirs:.0f}  P {precision:.4f}  R {recall:.4f}",
        "",
    )
    row("ratio of processor time", f"{theirs / ours:.0f} x", "20 x, beyond 40 x")


# --- sizes ---------------------------------------------------------------------------------------------------------


def errors_of(sizes: SizeDistribution, truth: MovieTruth) -> np.ndarray:
    """Relative errors of D10, D50 and D90."""
    return np.array([sizes.d10_nm, sizes.d50_nm, sizes.d90_nm]) / truth.in_view_percentiles_nm() - 1.0


def three(measured: VesicleMeasurement, truth: MovieTruth) -> str:
    return "  ".join(f"{100.0 * error:+.1f} %" for error in errors_of(measured.sizes, truth))


def known_tracks(truth: MovieTruth, shape: tuple[int, int]) -> SizeDistribution:
    """Deconvolve the true places of every particle in view, linked without a mistake.

    No measurement of the same movie can do much better: what is left is the chance of the particles' own motion.
    """
    steps, room, n_frames = [], [], []
    for particle, seen in enumerate(truth.visible().T):
        turns = np.flatnonzero(np.diff(np.concatenate([[0], seen.astype(int), [0]])))
        for first, last in zip(turns[::2], turns[1::2], strict=True):
            if last - first >= 3:
                place = truth.position_px[first:last, particle].astype(float)
                moved = place[:-1] + DRIFT
                steps.append(np.diff(place, axis=0) - DRIFT)
                room.append(np.stack([moved + 0.5, np.array(shape) - 0.5 - moved], axis=2))
                n_frames.append(last - first)
    lengths = np.array(n_frames)
    spectra = step_spectra(np.concatenate(steps), np.concatenate([[0], np.cumsum(lengths - 1)]), np.concatenate(room))
    product = size_times_diffusion(HOW["temperature_c"], HOW["viscosity_mpa_s"])
    diffusion_px2 = product / GRID_NM / (HOW["um_per_px"] ** 2 * HOW["frames_per_s"])
    blur = blur_coefficient(HOW["exposure_s"], 1.0 / HOW["frames_per_s"])
    like = relative_likelihood(spectra, diffusion_px2, np.full(len(lengths), 1e-6), blur=blur)
    return deconvolve_sizes(like, lengths, rng=np.random.default_rng(1), n_resamples=2)


class Tally:
    """Errors of the movies of one kind, beside those with every track known."""

    def __init__(self) -> None:
        self.found: list[np.ndarray] = []
        self.known: list[np.ndarray] = []

    def add(self, measured: VesicleMeasurement, made: SimulatedMovie) -> None:
        """Take one movie more."""
        self.found.append(errors_of(measured.sizes, made.truth))
        self.known.append(errors_of(known_tracks(made.truth, made.movie.shape[1:]), made.truth))

    def show(self, name: str) -> None:
        """Print mean and standard deviation over the movies."""
        for what, errors in (("", self.found), (", every track known", self.known)):
            mean, sd = np.mean(errors, axis=0), np.std(errors, axis=0, ddof=1)
            within = sum(abs(error[1]) <= 0.015 for error in errors)
            said = "  ".join(f"{100 * m:+.1f} +- {100 * s:.1f} %" for m, s in zip(mean, sd, strict=True))
            row(f"  {name}{what}", f"{said}; D50 within 1.5 % in {within} of {len(errors)}", "")


def share_below(measured: VesicleMeasurement, limit_nm: float) -> float:
    share = measured.sizes.density * np.diff(bin_edges_nm(measured.sizes.diameter_nm))
    return float(share[measured.sizes.diameter_nm < limit_nm].sum())


def peaks_nm(measured: VesicleMeasurement) -> list[float]:
    density = measured.sizes.density
    top = (density[1:-1] > density[:-2]) & (density[1:-1] >= density[2:]) & (density[1:-1] > 0.15 * density.max())
    return [float(d) for d in measured.sizes.diameter_nm[1:-1][top]]


def bench_sizes(seeds: range) -> None:
    tally = Tally()
    for seed in seeds:
        made = simulate(seed, lognormal_sizes(120.0, 1.35))
        found = measure_movie(made.movie, **HOW)
        tally.add(found, made)
        row(f"log-normal 120 nm, 1.35, seed {seed}: D10 D50 D90", three(found, made.truth), "4, 1.5, 4 %")
    tally.show("log-normal")
    tally = Tally()
    for seed in seeds:
        made = simulate(seed, bead_sizes(100.0))
        found = measure_movie(made.movie, **HOW)
        tally.add(found, made)
        true = made.truth.in_view_percentiles_nm()[1]
        row(
            f"100 nm beads, 3 %, seed {seed}: D50, SD",
            f"{off(found.sizes.d50_nm, true)}  {found.sizes.sd_nm:.1f} nm",
            "1.5 %, 6 nm",
        )
    tally.show("beads")
    for seed in seeds:
        made = simulate(seed, mixed_sizes(bead_sizes(100.0), bead_sizes(130.0), shares=(1, 1)))
        found = measure_movie(made.movie, **HOW)
        weight = made.truth.visible().sum(axis=0)
        small = weight[made.truth.diameter_nm < 114].sum() / weight.sum()
        places = ", ".join(f"{p:.0f}" for p in peaks_nm(found))
        row(
            f"1:1 of 100 and 130 nm, seed {seed}: peaks; share of the small",
            f"{places} nm; {100 * share_below(found, 114.0):.0f} % (in view {100 * small:.0f} %)",
            "two, 4 %, 12 points",
        )


def add_bright_pixels(movie: np.ndarray, n: int, seed: int) -> None:
    """Let n pixels of a movie show 5 to 80 grey levels more, with their noise."""
    rng = np.random.default_rng(seed)
    row, col = rng.integers(0, movie.shape[1], n), rng.integers(0, movie.shape[2], n)
    level = rng.uniform(5.0, 80.0, n)
    bright = movie[:, row, col] + level + 0.5 * np.sqrt(level) * rng.standard_normal((len(movie), n))
    movie[:, row, col] = np.clip(bright, 0, np.iinfo(movie.dtype).max).astype(movie.dtype)


def bench_optics(seeds: range) -> None:
    for name, given in OTHER_OPTICS.items():
        settings = dict(given)
        sizes = settings.pop("sizes", lognormal_sizes(120.0, 1.35))
        n_bright = settings.pop("bright_pixels", 0)
        tally = Tally()
        for seed in seeds:
            made = simulate(seed, sizes, **settings)
            add_bright_pixels(made.movie, n_bright, seed)
            found = measure_movie(made.movie, **HOW)
            spots = find_spots(made.movie[::50]).spots
            places = np.stack([spots.row_px, spots.col_px], axis=1)
            by_frame = {50 * t: places[spots.start[t] : spots.start[t + 1]] for t in range(spots.n_frames)}
            precision, recall = detection_quality(by_frame, made.truth, made.movie.shape[1:])
            said = [flag.code for flag in found.flags if flag.severity != "note"]
            row(
                f"{name}, seed {seed}: D10 D50 D90; spots",
                f"{three(found, made.truth)}; P {precision:.3f} R {recall:.3f} {said or ''}",
                "4, 1.5, 4 %",
            )
            tally.add(found, made)
        tally.show(name)


def bench_dense() -> None:
    for times, n_particles in ((3, 700), (4, 900), (6, 1300), (10, 2300)):
        made = simulate(1, lognormal_sizes(120.0, 1.35), n_particles=n_particles, n_frames=400)
        found = measure_movie(made.movie, **HOW)
        said = [f"{flag.severity}, {flag.advice}" for flag in found.flags if flag.code == "too-dense"]
        row(f"{times} times denser (400 frames): D10 D50 D90", f"{three(found, made.truth)}; {said}", "6 % and flagged")


def bench_concentration(n_movies: int) -> None:
    """Calibrated with movies of 100 nm beads, then other samples in the same instrument, as many movies of each."""
    beads = [simulate(50 + seed, bead_sizes(100.0)) for seed in range(n_movies)]
    seen = [measure_movie(made.movie, **HOW) for made in beads]
    volume = calibrate_volume(
        float(np.mean([one.particles_in_view for one in seen])),
        known_concentration_per_ml=float(np.mean([made.truth.concentration_per_ml for made in beads])),
        brightness_over_threshold=float(np.mean([one.brightness_over_threshold for one in seen])),
    )
    for name, sizes in (
        ("200 nm", bead_sizes(200.0)),
        ("100 + 200 nm", mixed_sizes(bead_sizes(100.0), bead_sizes(200.0), shares=(1, 1))),
        ("log-normal 120 nm", lognormal_sizes(120.0, 1.35)),
    ):
        errors = []
        for seed in range(n_movies):
            made = simulate(60 + seed, sizes)
            found = measure_movie(made.movie, **HOW, detection_volume=volume)
            true = made.truth.concentration_per_ml
            constant = found.particles_in_view / volume.volume_um3 * 1e12
            errors.append((found.concentration_per_ml / true - 1.0, constant / true - 1.0))
        mean, sd = 100 * np.mean(errors, axis=0), 100 * np.std(errors, axis=0)
        row(
            f"concentration, {name}, {n_movies} movies",
            f"{mean[0]:+.1f} % (SD {sd[0]:.1f}; constant volume {mean[1]:+.1f} %)",
            "10 %",
        )


# --- diffusion -----------------------------------------------------------------------------------------------------


def bench_cramer_rao() -> None:
    """Single tracks of known noise: spread of the most likely D over the root of the inverse Fisher information."""
    rng = np.random.default_rng(2)
    diffusion, noise, blur, n_tracks = 5.0, 0.05, blur_coefficient(0.015, 1 / 30), 4000
    grid = diffusion * np.geomspace(0.2, 5.0, 1601)
    for n in (20, 60):
        variance = 2 * diffusion * (1 - 2 * blur) + 2 * noise
        across = 2 * blur * diffusion - noise
        matrix = variance * np.eye(n) + across * (np.eye(n, k=1) + np.eye(n, k=-1))
        steps = np.einsum("ij,tjk->tik", np.linalg.cholesky(matrix), rng.standard_normal((n_tracks, n, 2)))
        start = np.arange(n_tracks + 1) * n
        values = log_likelihood(
            step_spectra(steps.reshape(-1, 2), start), grid, np.full(n_tracks, noise), blur=blur, max_step_px=math.inf
        )
        estimate = grid[np.argmax(values, axis=1)]
        slope = 2 * (1 - 2 * blur) * np.eye(n) + 2 * blur * (np.eye(n, k=1) + np.eye(n, k=-1))
        inner = np.linalg.solve(matrix, slope)
        bound = 1.0 / math.sqrt(np.trace(inner @ inner))
        row(
            f"spread of D over the Cramer-Rao bound, {n} steps",
            f"{estimate.std() / bound:.3f} (bias {off(estimate.mean(), diffusion)})",
            "1.10, beyond 1.03",
        )


# --- intervals -----------------------------------------------------------------------------------------------------


def half_size(seed: int, sizes: Any = None) -> SimulatedMovie:
    return simulate_movie(
        np.random.default_rng(seed),
        sizes_nm=sizes or lognormal_sizes(120.0, 1.35),
        concentration_per_ml=CROWD_PER_ML,
        shape=(240, 320),
        n_frames=N_SHORT,
        half_depth_um=12.0,
        optics=Optics(brightness=60.0),
    )


def bench_coverage(n_movies: int) -> None:
    """Draw new particles for every movie: the intervals speak about the suspension. Short movies of half size."""
    n_calibration = 8
    in_view = concentration = 0.0
    for seed in range(n_calibration):
        made = half_size(500 + seed)
        seen = find_spots(made.movie)
        crowd, reach = plan_linking(seen, None)
        tracked = track_spots(seen.spots, crowd, max_step_px=reach, min_frames=2)
        in_view += float(len(tracked.spot)) / seen.spots.n_frames
        concentration += made.truth.concentration_per_ml
    volume = calibrate_volume(in_view, known_concentration_per_ml=concentration, relative_uncertainty=0.05)
    hits = {"D50 of the particles in view": 0, "concentration": 0}
    errors, own_d50, intervals = [], [], []
    for seed in range(n_movies):
        made = half_size(1000 + seed)
        found = measure_movie(made.movie, **HOW, detection_volume=volume)
        low, high = found.sizes.intervals["d50_nm"]
        own = made.truth.in_view_percentiles_nm()[1]
        own_d50.append(own)
        intervals.append((low, high))
        hits["D50 of the particles in view"] += low <= own <= high
        low, high = found.concentration_interval_per_ml
        hits["concentration"] += low <= CROWD_PER_ML <= high
        errors.append((found.sizes.d50_nm / own - 1.0, found.concentration_per_ml / CROWD_PER_ML - 1.0))
    suspension = np.mean(own_d50)
    hits["D50 of the suspension in view"] = sum(low <= suspension <= high for low, high in intervals)
    for name, hit in hits.items():
        row(f"95 % intervals, {n_movies} movies: {name}", f"{100 * hit / n_movies:.1f} % cover", "90 to 98 %")
    mean, sd = 100 * np.mean(errors, axis=0), 100 * np.std(errors, axis=0)
    row("  errors: D50 in view; concentration", f"{mean[0]:+.1f} +- {sd[0]:.1f} %; {mean[1]:+.1f} +- {sd[1]:.1f} %", "")


# --- real movies and memory ----------------------------------------------------------------------------------------


def read_folder(name: str) -> np.ndarray:
    files = sorted(p for p in (SHARED / name).iterdir() if p.suffix in {".png", ".jpg"})
    return np.stack([cv2.imread(str(p), cv2.IMREAD_GRAYSCALE) for p in files])


def bench_real() -> None:
    if not SHARED.exists():
        row("real movies", "reference data not beside the repository", "")
        return
    run = measure_movie(
        read_folder("princeton_run1"),
        um_per_px=0.175,
        frames_per_s=2.0,
        temperature_c=297 - 273.15,
        viscosity_mpa_s=0.9135,
    )
    row(
        "princeton_run1, 1.0 um beads: D50",
        f"{run.sizes.d50_nm:.0f} nm ({off(run.sizes.d50_nm, 1000)}), {run.n_tracks} tracks",
        "8 %",
    )
    water = measure_movie(read_folder("bulk_water"), um_per_px=100 / 285, frames_per_s=24.0, temperature_c=23.0)
    share = water.sizes.density * np.diff(bin_edges_nm(water.sizes.diameter_nm))
    product = water.tracks.diameter_nm[0] * water.tracks.diffusion_um2_per_s[0]
    four_d = 4.0 * product * float(np.sum(share / water.sizes.diameter_nm) / share.sum())
    row("bulk_water, 4D (theory 1.66 um2/s)", f"{four_d:.2f} ({off(four_d, 1.66)}), {water.n_tracks} tracks", "10 %")


def bench_memory() -> None:
    """Ten minutes at 30 frames/s, frame by frame; a short movie played over and over."""
    made = simulate(1, lognormal_sizes(120.0, 1.35), n_frames=150)

    def play() -> Iterator[np.ndarray]:
        for _ in range(60):
            yield from made.movie
            yield from made.movie[::-1]

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begin = time.process_time()
    found = measure_movie(play(), **HOW)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    row(
        f"memory for {found.n_frames} frames, {found.n_tracks} tracks",
        f"{after - before:.0f} MB more, {after:.0f} MB in all, {time.process_time() - begin:.0f} s",
        "500 MB",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ["speed", "sizes", "optics", "dense", "concentration", "cramer-rao", "real", "memory"]
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--frames", type=int, default=600, help="frames of the speed comparison")
    parser.add_argument("--seeds", type=int, default=2, help="movies of each kind")
    parser.add_argument("--first", type=int, default=1, help="seed of the first movie of each kind")
    parser.add_argument("--movies", type=int, default=0, help="movies for the coverage of the intervals")
    chosen = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cv2.setNumThreads(1)
    warnings.simplefilter("ignore")
    if "memory" in chosen.only:  # first: the peak of a process never falls
        bench_memory()
    if "speed" in chosen.only:
        bench_speed(chosen.frames)
    if "cramer-rao" in chosen.only:
        bench_cramer_rao()
    if "real" in chosen.only:
        bench_real()
    if "sizes" in chosen.only:
        bench_sizes(range(chosen.first, chosen.first + chosen.seeds))
    if "optics" in chosen.only:
        bench_optics(range(chosen.first, chosen.first + chosen.seeds))
    if "dense" in chosen.only:
        bench_dense()
    if "concentration" in chosen.only:
        bench_concentration(chosen.seeds)
    if chosen.movies:
        bench_coverage(chosen.movies)


if __name__ == "__main__":
    main()
