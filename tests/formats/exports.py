"""Small exports in the form of NanoSight and ZetaView, written for the tests; every number in them is arithmetic."""

from __future__ import annotations

import numpy as np

CENTRES = np.arange(1000) + 0.5


def nanosight_counts(n_movies=2):
    """Triangles around 100, 110, ... nm; integers, so that printing loses nothing."""
    return np.stack([np.maximum(0, 20 - np.abs(CENTRES - 100.5 - 10 * k)) * 1000 for k in range(n_movies)], axis=1)


def nanosight_summary(
    *, version="3.4", n_movies=2, weightings=("Number",), dilution="Not recorded", single=False, separator=",",
    decimal=".", averages=True, failed=None, rounded=None,
):  # fmt: skip
    """Text of an ExperimentSummary (or of a single summary) whose statistics are those of its bins."""
    counts = nanosight_counts(n_movies)
    if failed is not None:
        counts[:, failed] = np.nan
    names = [f"lot A 2024-01-02 10-00-0{k}" for k in range(n_movies)]

    def row(label, values, *, tail=("", "")):
        cells = [label, *values, *(tail if averages else ())]
        return (
            separator.join([str(cell).replace(".", decimal) if _is_number(cell) else str(cell) for cell in cells])
            + separator
        )

    def each(value):
        return [value] * n_movies

    title = "NTA Single Analysis Summary File" if single else "NTA Experiment Summary File"
    lines = [
        title + separator,
        f"Created with NTA {version} Build {version}.003{separator}",
        separator,
        f"[Experiment Details]{separator}{separator}",
        f"Experiment Name{separator}lot A 2024-01-02 10-00-00.nano{separator}",
        f"Time Captured{separator}10:00:00  02/01/2024{separator}",
        f"Sample Description{separator}lot A{separator}",
        f"Diluent{separator}PBS{separator}",
        row("Filename:", names),
        "",
        f"[Conditions]{separator * 3}",
        row("Temperature/C", each("22.000")),
        row("Viscosity/cP", each("0.952941")),
        row("Frame rate/fps", each("24.982500")),
        "",
        f"[Results]{separator * 3}Average{separator}Standard Error{separator}",
        row("Dilution factor (concentrations adjusted for this factor)", each(dilution)),
        row("Concentration (Particles / ml)", [f"{total:.2e}" for total in counts.sum(axis=0)]),
        row("Particles per frame", each("20.5")),
        "",
        "[Concentration Warnings]",
        row("Noise level", each("No")),
        row("Particles per frame", each("OK")),
        "[Data Included]" + separator,
        *[f"Size distribution - {weighting} weighting - With Percentiles{separator}" for weighting in weightings],
        separator,
        f"[Size Data]{separator}{separator}",
        f"Analysis Method{separator}FTLA{separator}",
    ]
    for weighting in weightings:
        power = {"Number": 0, "Surface Area": 2, "Volume": 3}[weighting]
        amounts = counts * CENTRES[:, None] ** power
        lines += _nanosight_block(weighting, amounts, names, row, version, rounded)
    return "\r\n".join(lines) + "\r\n"


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _nanosight_block(weighting, amounts, names, row, version, rounded):
    statistics = [_nanosight_statistics(amounts[:, k], version) for k in range(len(names))]
    lines = [
        row("Weighting", [weighting], tail=()),
        row("Filename", names, tail=("Average", "Standard Error")),
        *[row(label, [one[label] for one in statistics]) for label in ("Mean", "Mode", "SD", "D10", "D50", "D90")],
        row("Valid Tracks", ["250.0"] * len(names)),
        "Graph Data,",
        row("Bin centre (nm)", ["Concentration (particles / ml)"] * len(names), tail=("Concentration average", "SE")),
    ]
    form = "{:.0f}" if rounded is None else rounded
    lines += [
        row(f"{centre:.1f}", ["" if np.isnan(a) else form.format(a) for a in amounts[k]], tail=("0", "0"))
        for k, centre in enumerate(CENTRES)
    ]
    lines += ["", row("Percentile", ["Size (nm)"] * len(names))]
    return lines + [row(str(percent), ["100.0"] * len(names)) for percent in range(101)]


def _nanosight_statistics(amount, version):
    if np.isnan(amount).any():
        return dict.fromkeys(("Mean", "Mode", "SD", "D10", "D50", "D90"), "")
    share = np.concatenate([[0], np.cumsum(amount)]) / amount.sum()
    filled = np.flatnonzero(amount)
    keep = slice(filled[0], filled[-1] + 2)  # a rising part, so that np.interp inverts it
    shift = 1.0 if version == "3.2" else 0.0
    mean = np.average(CENTRES, weights=amount)
    top = amount.argmax()
    parabola = np.polyfit([-1, 0, 1], amount[top - 1 : top + 2] / amount[top], 2)
    numbers = {
        "Mean": mean,
        "SD": np.sqrt(np.average((CENTRES - mean) ** 2, weights=amount)),
        "Mode": CENTRES[top] - parabola[1] / (2 * parabola[0]),
    } | {f"D{p}": np.interp(p / 100, share[keep], np.arange(1001.0)[keep]) - shift for p in (10, 50, 90)}
    return {label: f"{value:.1f}" for label, value in numbers.items()}


def zetaview_size(*, version="8.06.01", decimal=".", failed=False, newline="\n", factor="1.000000", drift="ok"):
    """Text of a ZetaView size file: traces at 97.5, 102.5 and 107.5 nm, 10, 20 and 10 of them."""
    centres = 2.5 + 5.0 * np.arange(1200)
    number = np.zeros(1200)
    if not failed:
        number[19:22] = (10, 20, 10)

    def n(text):
        return text.replace(".", decimal)

    head = [
        "Original File:\tZ:\\data\\lot_B_size_488.avi\tSection:\t" + n("0.09999") + " [0]",
        "Operator:\tAdmin",
        "Experiment:\t20240102_0001",
        "ZetaView S/N:\t99-0001",
        f"Software:\tZetaView (version {version})\tAnalyze:\t{version}",
        "Sample:\tlot B",
        "Electrolyte:\tPBS",
        "pH:\t" + n("7.000000") + "\tentered",
        "Conductivity: " + n("65.000000") + "\tsensed",
        "Temperature:\t" + n("25.130000") + "\tsensed",
        "Viscosity:\t" + n("0.897194"),
        "Date:\t2024-01-02",
        "Time:\t10:28:05",
        'Remarks:\ta lone " quote',
        f"Particle Drift Check Result:\t{drift}",
        "Cell Check Result:\tVery Good",
        "Type of Measurement:\tSize Distribution",
        "Positions:\t11",
        "\t".join(
            [
                f"Number of Traces:\t{0 if failed else 40}\t(at {n('0.099990')})",
                f"Average Number of Particles:\t{n('0.000000' if failed else '20.000000')}",
                f"Dilution::\t{n('500.000000')}",
            ]
        ),
        f"Concentration Correction Factor:\t{n(factor)}",
        f"Camera:\tFpSec 30 #Cycles 3 FRate {n('30.000000')}",
        f"Shutter:\t{n('100.000000')}",
        "Camera Trigger Duration µs:\tShutter Duration",
        "Filter Wavelength nm:\tScatter",
        f"Micrometer per Pixel:\t{n('0.713000')}",
        f"Results (Pos {n('0.099993')}):",
        f"Median Number (D50):\t{n('0.000000' if failed else '100.000000')}",
        "Size Distribution",
        "Size / nm\tNumber\tConcentration / cm-3\tVolume / nm^3\tArea / nm^2",
    ]
    end = ["-1.000E+0\t-1.000E+0\t-1.000E+0\t-1.000E+0\t0.000E+0"]
    rows = [] if failed else [_zetaview_row(c, k) for c, k in zip(centres, number, strict=True)]
    logarithmic = [] if failed else [_zetaview_row(4.683 * 1.0368**k, 40.0 * (k == 85)) for k in range(200)]
    return newline.join(head + [n(line) for line in rows + end + logarithmic]) + newline


def _zetaview_row(size, number):
    values = (size, number, number * 2.5e5, number * np.pi / 6 * size**3, number * np.pi * size**2)
    return "\t".join(_labview(value) for value in values)


def _labview(value):
    mantissa, exponent = f"{value:.3E}".split("E")
    return f"{mantissa}E{int(exponent):+d}"
