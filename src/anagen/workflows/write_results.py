"""Write what a run found: the pages, every table as CSV, every figure as SVG and PNG, the numbers as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from anagen.errors import StoreError
from anagen.evidence.verdict import Verdict
from anagen.hair import Hair
from anagen.records import Provenance, to_json
from anagen.report.content import ReportContent
from anagen.report.html import render_patient_page, render_report
from anagen.report.patient_figure import draw_plain_change
from anagen.report.svg import SvgFigure
from anagen.workflows.analyse import OutcomeAnalysis
from anagen.workflows.results import StudyResults

TABLES, FIGURES = "tables", "figures"
"""Folders inside the results: each file is named after the section that shows it."""


def write_results(out: Path, results: StudyResults, verdict: Verdict, content: ReportContent) -> None:
    """Write everything of a run but its PDF.

    Parameters
    ----------
    out : Path
        The results folder.
    results, verdict, content
        What was found, what may be said of it, and the report.

    Raises
    ------
    StoreError
        When a file cannot be written; the last report stays readable.
    """
    out.mkdir(exist_ok=True)
    _write_shown(out, content)
    _write_tables(out, results)
    _write(out / "results.json", json.dumps(_as_json(results, to_json(verdict)), indent=1, ensure_ascii=False) + "\n")
    _write(out / "patient.html", render_patient_page(content, _plain_figure(results)))
    _write(out / "report.html", render_report(content))


def _write_shown(out: Path, content: ReportContent) -> None:
    """Give every table and figure of the report a file of its own, and take away those of an earlier run."""
    written: set[Path] = set()
    for folder in (TABLES, FIGURES):
        (out / folder).mkdir(exist_ok=True)
    for section in content.sections:
        for caption, table in section.tables.items():
            path = out / TABLES / f"{section.id}-{_slug(caption)}.csv"
            if path in written:  # long captions that begin alike
                path = path.with_stem(f"{path.stem}-{len(written)}")
            _write(path, table.write_csv())
            written.add(path)
        for figure in section.figures:
            path = out / FIGURES / f"{section.id}-{figure.name}"
            _write(path.with_suffix(".svg"), figure.as_file())
            _write(path.with_suffix(".png"), figure.png)
            written |= {path.with_suffix(".svg"), path.with_suffix(".png")}
    for folder, kinds in ((TABLES, {".csv"}), (FIGURES, {".svg", ".png"})):
        for path in (out / folder).iterdir():
            if path.suffix in kinds and path not in written:
                path.unlink()


def _slug(caption: str) -> str:
    words = re.findall(r"[a-z0-9]+", caption.casefold())
    return "-".join(words)[:60].rstrip("-")


def _plain_figure(results: StudyResults) -> SvgFigure | None:
    primary = next((a for a in results.analyses if a.outcome.primary and a.outcome.kind == "density"), None)
    if primary is None or not primary.main_comparisons:
        return None
    return draw_plain_change(
        primary.main_comparisons[-1].estimate,
        noticeable=primary.outcome.smallest_important_difference,
        compared=results.study.protocol.design.kind != "single-arm",
    )


def _write_tables(out: Path, results: StudyResults) -> None:
    """Everything a statistician would take further, as CSV."""
    for analysis in results.analyses:
        _write(out / f"values-{_slug(analysis.outcome.name)}.csv", analysis.values.write_csv())
    _write(out / "estimates.csv", _estimates_table(results.analyses).write_csv())
    hairs = [
        (m.image.participant, m.image.visit, m.image.file, *_hair_cells(h, m.hairs.diameter_common_sd))
        for m in results.images
        if m.hairs is not None
        for h in m.hairs.hairs
    ]
    columns = ["participant", "visit", "file", "number", "root_row_px", "root_col_px", "tip_row_px", "tip_col_px"]
    columns += ["length_um", "diameter_um", "diameter_sd_um", "diameter_common_sd_um"]
    columns += ["confidence", "follicular_unit", "flags"]
    if hairs:
        _write(out / "hairs.csv", pl.DataFrame(hairs, schema=columns, orient="row").write_csv())


def _hair_cells(one: Hair, common_sd: float) -> tuple[object, ...]:
    ends = (*map(float, one.root_px), *map(float, one.tip_px))
    sizes = (one.length_um, one.diameter_um, one.diameter_sd_um, common_sd * one.diameter_um)
    return (one.number, *ends, *sizes, one.confidence, one.unit, " ".join(one.flags))


def _estimates_table(analyses: Sequence[OutcomeAnalysis]) -> pl.DataFrame:
    rows = [
        {
            "outcome": analysis.outcome.name,
            "visit": comparison.visit,
            "comparison": comparison.label,
            "role": comparison.role,
            "estimate": comparison.estimate.value,
            "ci_low": comparison.estimate.ci_low,
            "ci_high": comparison.estimate.ci_high,
            "unit": comparison.estimate.unit,
            "n": comparison.estimate.n,
            "p_value": comparison.estimate.p_value,
            "p_adjusted": comparison.p_adjusted,
            "method": comparison.estimate.method,
        }
        for analysis in analyses
        for comparison in analysis.comparisons
    ]
    return pl.DataFrame(rows)


def _as_json(results: StudyResults, verdict: object) -> dict[str, object]:
    return {
        "study": results.study.protocol.title,
        "estimates": _estimates_table(results.analyses).to_dicts(),
        "verdict": verdict,
        "findings": [str(finding) for finding in results.study.findings],
        "measurements": [_provenance_json(name, provenance) for name, provenance in results.provenance],
    }


def _provenance_json(name: str, provenance: Provenance) -> dict[str, object]:
    return {"input": name, **to_json(provenance)}


def _write(path: Path, content: str | bytes) -> None:
    """Write whole or not at all, so that a stop leaves the last report readable."""
    half = path.with_suffix(path.suffix + ".part")
    try:
        half.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        half.replace(path)
    except OSError as error:
        raise StoreError(
            f"{path} could not be written ({error.strerror}): free space or close the program that holds it"
        ) from error
