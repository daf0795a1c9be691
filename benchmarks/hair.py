"""How well hairs are counted: synthetic fields of known truth, real fields where they lie beside the repository, time.

``python -m benchmarks.hair [--every N] [--out DIR]``: every Nth real field of the dates kept aside; overlays of the
three worst go to DIR (default ``out/``, not in version control).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import f as f_distribution

from anagen.hair import HairMeasurement, Region, measure_hairs
from anagen.report.overlay import draw_hairs
from anagen.synthetic.scalp import SKIN_RGB, ScalpPhoto, grow_scalp, photograph_scalp

FDU = Path(__file__).resolve().parents[2] / "shared" / "data" / "fdu"
FDU_UM_PER_PX = 2.756
TOLERANCE_UM = 100.0
INSIDE_UM = 250.0
TILE = (1024, 1280)
CLASSES = ("premium", "single", "undersize", "abnormal")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--every", type=int, default=1)
    options.add_argument("--out", type=Path, default=Path("out"))
    options.add_argument("--field", type=Path, help="time one photograph, at the scale of the real fields")
    chosen = options.parse_args()
    if chosen.field is not None:
        time_one_field(chosen.field)
        return
    chosen.out.mkdir(exist_ok=True)
    benchmark_synthetic()
    benchmark_long()
    if FDU.exists():
        benchmark_fdu(chosen.every, chosen.out)
    else:
        print("FDU fields: not beside the repository, left out")
    benchmark_speed()


def benchmark_synthetic() -> None:
    print("synthetic fields, no scalp twice, 5 um per px, all skin types, 60 to 300 hairs per cm2")
    every = []
    for turn, colour in enumerate(("black", "dark-brown", "brown", "red", "blond", "grey")):
        rows = [
            _synthetic_field(20000 * turn + 100 * skin + k, skin, colour, density)
            for skin in SKIN_RGB
            for k, density in enumerate((60, 180, 300))
        ]
        every += rows
        _print_both(colour, rows)
    _print_both("all", every)


def _print_both(what: str, rows: list[tuple[int, int, int, int]]) -> None:
    hits = [(hit, true, hit + false) for hit, true, false, _ in rows]
    counts = [(hit, true, inside) for hit, true, _, inside in rows]
    print(f"  {what:<11}", _hits(hits), "", _agreement(counts))


def _synthetic_field(seed: int, skin: int, colour: str, density: float) -> tuple[int, int, int, int]:
    """Count hits, true roots inside, false ones, and all that were found inside."""
    rng = np.random.default_rng(seed)
    scalp = grow_scalp(rng, density_per_cm2=density, fitzpatrick=skin, hair_colour=colour)
    photo = photograph_scalp(scalp, rng, um_per_px=5.0, shape=(900, 1100))
    return _score_field(photo, measure_hairs(photo.image, um_per_px=5.0), Region.rectangle(60, 60, 840, 1040), 5.0)


def _score_field(
    photo: ScalpPhoto, found: HairMeasurement, region: Region, um_per_px: float
) -> tuple[int, int, int, int]:
    """Hits, true roots inside, false ones, all found inside."""
    truth = np.array([hair.root_px for hair in photo.truth]).reshape(-1, 2)
    roots = _roots(found)
    inside = region.contains(truth), region.contains(roots)
    n_hit, _, n_false = score_inside(truth, roots, inside[0], inside[1], um_per_px)
    return n_hit, int(inside[0].sum()), n_false, int(inside[1].sum())


def benchmark_long() -> None:
    print("synthetic fields of hair that is not clipped, 6 um per px, black to brown, skin I to IV")
    for length_mm, densities in ((2.0, (60, 120, 180)), (4.0, (40, 80, 120)), (8.0, (30, 60, 90))):
        for density in densities:
            rows, covered = [], []
            for k, (skin, colour) in enumerate(((1, "black"), (2, "brown"), (3, "dark-brown"), (4, "black"))):
                rng = np.random.default_rng(700 + k)
                scalp = grow_scalp(
                    rng,
                    density_per_cm2=density,
                    fitzpatrick=skin,
                    hair_colour=colour,
                    length_um=(1000 * length_mm, 250 * length_mm),
                    width_mm=9,
                    height_mm=8,
                )
                photo = photograph_scalp(scalp, rng, um_per_px=6.0, shape=(900, 1150), clip_length_um=None)
                found = measure_hairs(photo.image, um_per_px=6.0)
                covered += [flag.value for flag in found.flags if flag.code == "long-hair"]
                if not found.refused:
                    rows.append(_score_field(photo, found, Region.rectangle(60, 60, 840, 1090), 6.0))
            told = f"  {length_mm:g} mm, {density:3d} per cm2: {100 * np.mean(covered):.0f} % covered"
            told += f", {4 - len(rows)} of 4 refused"
            hits = [(hit, true, hit + false) for hit, true, false, _ in rows]
            share = sum(row[2] for row in hits) / max(sum(row[1] for row in hits), 1)
            print(told + (f"  {_hits(hits)}  found {100 * share:.0f} % of the roots" if rows else ""))


def benchmark_fdu(every: int, out: Path) -> None:
    held = kept_aside()[::every]
    print(f"FDU, {len(held)} fields of the dates kept aside, roots > 0.25 mm inside a tile, overlays masked")
    rows, alone, worst, recall, of = [], [], [], Counter[str](), Counter[str]()
    for name in held:
        image, vectors, classes = read_field(name)
        found = measure_hairs(image, um_per_px=FDU_UM_PER_PX)
        masked = overlay_mask(image, name)
        roots = _roots(found)
        inside = [_inside(vectors[:, 0], masked), _inside(roots, masked)]
        n_hit, hit, n_false = score_inside(vectors[:, 0], roots, inside[0], inside[1], FDU_UM_PER_PX)
        rows.append((n_hit, int(inside[0].sum()), n_hit + n_false))
        alone.append(_score(vectors[inside[0], 0], roots[inside[1]], FDU_UM_PER_PX)[:3])
        of.update(np.asarray(classes)[inside[0]].tolist())
        recall.update(np.asarray(classes)[inside[0] & hit].tolist())
        worst.append((2 * n_hit / max(rows[-1][1] + rows[-1][2], 1), name, draw_hairs(image, found)))
        worst = sorted(worst, key=lambda item: item[0])[:3]
    print("  hairs      ", _hits(rows))
    print("  inside only", _line(alone))
    for kind in CLASSES:
        print(f"  {kind:<11} recall {recall[kind]}/{of[kind]} = {recall[kind] / max(of[kind], 1):.3f}")
    for f1, name, drawn in worst:
        cv2.imwrite(str(out / f"worst_{name}.png"), drawn[:, :, ::-1])
        print(f"  worst: {name} F1 {f1:.3f} -> {out / f'worst_{name}.png'}")


def benchmark_speed() -> None:
    rng = np.random.default_rng(1)
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for shape in ((1024, 1280), (2048, 2560)):
            scalp = grow_scalp(rng, density_per_cm2=125)
            photo = photograph_scalp(scalp, rng, um_per_px=2.756, shape=shape)
            cv2.imwrite(f"{folder}/field.png", photo.image[:, :, ::-1])
            # a process of its own, so that nothing but the measurement takes memory
            run = [sys.executable, "-m", "benchmarks.hair", "--field", f"{folder}/field.png"]
            told = subprocess.run(run, check=True, capture_output=True, text=True).stdout
            seconds, peak = (float(word) for word in told.split())
            times.append(seconds)
            print(f"{shape[1]} x {shape[0]}: {seconds:.2f} s of processor time, warm; peak memory {peak:.0f} MB")
    print(f"4 times the pixels take {times[1] / times[0]:.1f} times as long")


def time_one_field(path: Path) -> None:
    """Print the processor time of a second measurement, and the peak memory of the process after the first, in MB."""
    cv2.setNumThreads(1)
    image = np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1])
    measure_hairs(image, um_per_px=FDU_UM_PER_PX)
    # of this process alone: what getrusage says starts from its parent's
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    start = time.process_time()
    measure_hairs(image, um_per_px=FDU_UM_PER_PX)
    print(time.process_time() - start, peak)


def score_inside(
    truth: np.ndarray, found: np.ndarray, truth_inside: np.ndarray, found_inside: np.ndarray, um_per_px: float
) -> tuple[int, np.ndarray, int]:
    """Hits among the true roots inside, which true roots were hit, and how many roots found inside are false.

    Every true root may be paired, also one that lies just outside what is scored: its partner just inside is neither a
    hit nor false. The partner of a true root inside may lie just outside.
    """
    apart = np.hypot(*(truth[:, None] - found[None]).transpose(2, 0, 1)) * um_per_px
    # pairs of true roots inside first
    cost = np.where(apart <= TOLERANCE_UM, apart - 1e4 * truth_inside[:, None], 1e6)
    one, other = linear_sum_assignment(cost)
    near = apart[one, other] <= TOLERANCE_UM
    hit, paired = np.zeros(len(truth), dtype=bool), np.zeros(len(found), dtype=bool)
    hit[one[near]], paired[other[near]] = True, True
    return int(np.sum(hit & truth_inside)), hit, int(np.sum(found_inside & ~paired))


def _line(rows: list[tuple[int, int, int]]) -> str:
    return f"{_hits(rows)}  {_agreement(rows)}"


def _hits(rows: list[tuple[int, int, int]]) -> str:
    hit, truth, found = np.array(rows, dtype=float).T
    return (
        f"F1 {2 * hit.sum() / (truth.sum() + found.sum()):.3f}  precision {hit.sum() / max(found.sum(), 1):.3f}  "
        f"recall {hit.sum() / truth.sum():.3f}"
    )


def _agreement(rows: list[tuple[int, int, int]]) -> str:
    _, truth, found = np.array(rows, dtype=float).T
    difference = found - truth
    spread = 1.96 * float(difference.std(ddof=1))
    return (
        f"MAPE {100 * np.mean(np.abs(difference) / np.maximum(truth, 1)):.1f} %  "
        f"bias {100 * (found.sum() / truth.sum() - 1):+.1f} %  Bland-Altman {difference.mean():+.1f} "
        f"[{difference.mean() - spread:.1f}, {difference.mean() + spread:.1f}]  ICC(2,1) {_icc(truth, found)}"
    )


def _icc(one: np.ndarray, other: np.ndarray) -> str:
    """Two-way random, absolute agreement, with its 95 % interval (McGraw and Wong 1996, table 7)."""
    x = np.stack([one, other], axis=1)
    n, k = x.shape
    rows = k * ((x.mean(axis=1) - x.mean()) ** 2).sum() / (n - 1)
    columns = n * ((x.mean(axis=0) - x.mean()) ** 2).sum() / (k - 1)
    rest = x - x.mean(axis=1, keepdims=True) - x.mean(axis=0) + x.mean()
    error = max((rest**2).sum() / ((n - 1) * (k - 1)), 1e-9)
    icc = (rows - error) / (rows + (k - 1) * error + k / n * (columns - error))
    a, b = k * icc / (n * (1 - icc)), 1 + k * icc * (n - 1) / (n * (1 - icc))
    df = (a * columns + b * error) ** 2 / ((a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1)))
    up, down = f_distribution.ppf(0.975, n - 1, df), f_distribution.ppf(0.975, df, n - 1)
    shared = k * columns + (k * n - k - n) * error
    low = n * (rows - up * error) / (up * shared + n * rows)
    high = n * (down * rows - error) / (shared + n * down * rows)
    return f"{icc:.2f} [{low:.2f}, {high:.2f}]"


def _score(truth: np.ndarray, found: np.ndarray, um_per_px: float) -> tuple[int, int, int, np.ndarray]:
    """Hits of a one-to-one match within the tolerance, number true, number found, which true ones were hit."""
    hit = np.zeros(len(truth), dtype=bool)
    apart = np.hypot(*(truth[:, None] - found[None]).transpose(2, 0, 1)) * um_per_px
    one, other = linear_sum_assignment(np.where(apart <= TOLERANCE_UM, apart, 1e6))
    hit[one[apart[one, other] <= TOLERANCE_UM]] = True
    return int(hit.sum()), len(truth), len(found), hit


def _roots(found: HairMeasurement) -> np.ndarray:
    return np.array([hair.root_px for hair in found.hairs]).reshape(-1, 2)


def kept_aside() -> list[str]:
    """Every second date of 2022 and the second half of the 2023 batch.

    No constant was chosen on them; one, 220128_B568, was looked at while the first tracer was written.
    """
    names = sorted({path.name[:-6] for path in (FDU / "images").glob("*_1.jpg")})
    dates = sorted({name[:6] for name in names if not name.startswith("23")})
    return [n for n in names if (n[:6] in dates[1::2] if not n.startswith("23") else int(n.split("_A")[1]) >= 11)]


def read_field(name: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Four tiles as one image; root-to-tip vectors, shape (n, 2, 2); classes."""
    image = np.zeros((2 * TILE[0], 2 * TILE[1], 3), dtype=np.uint8)
    vectors, classes = [], []
    for tile in range(4):
        row, col = (tile // 2) * TILE[0], (tile % 2) * TILE[1]
        pixels = cv2.imread(str(FDU / "images" / f"{name}_{tile + 1}.jpg"))
        image[row : row + TILE[0], col : col + TILE[1]] = pixels[:, :, ::-1]
        for item in ET.parse(FDU / "annotations" / f"{name}_{tile + 1}.xml").getroot().findall("object"):
            x_0, y_0, x_1, y_1 = (float(item.findtext(f"bndbox/{k}", "0")) for k in ("xmin", "ymin", "xmax", "ymax"))
            vectors.append([[y_0 + row, x_0 + col], [y_1 + row, x_1 + col]])
            classes.append(item.findtext("class", ""))
    return image, np.array(vectors), classes


def overlay_mask(image: np.ndarray, name: str) -> np.ndarray:
    """Banner, circle, radius, text box, scale bar and bottom strip of the viewer."""
    mask = np.zeros(image.shape[:2], dtype=np.uint8)
    mask[2010:] = 1
    if name.startswith("23"):
        return mask > 0
    red, green, blue = (image[:, :, k].astype(int) for k in range(3))
    mask |= cv2.dilate(((red - green > 90) & (red - blue > 90)).astype(np.uint8), np.ones((9, 9)))
    ink = ((blue - red > 120) & (blue - green > 120)).astype(np.uint8)
    ink[:60] = 0
    rows, cols = np.nonzero(cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((2, 2))))
    if len(rows) > 200:
        (top, bottom), (left, right) = np.percentile(rows, [0.5, 99.5]), np.percentile(cols, [0.5, 99.5])
        mask[int(top) - 20 : int(bottom) + 25, max(int(left) - 20, 0) : int(right) + 40] = 1
    mask[:60] = 1
    mask[1560:1960, 20:60] = 1
    mask[1930:1970, 20:560] = 1
    return mask > 0


def _inside(roots: np.ndarray, masked: np.ndarray) -> np.ndarray:
    margin = INSIDE_UM / FDU_UM_PER_PX
    row, col = roots[:, 0] % TILE[0], roots[:, 1] % TILE[1]
    near = np.clip(np.rint(roots).astype(int), 0, np.array(masked.shape) - 1)
    inside = (row > margin) & (row < TILE[0] - margin) & (col > margin) & (col < TILE[1] - margin)
    return inside & ~masked[near[:, 0], near[:, 1]]


if __name__ == "__main__":
    main()
