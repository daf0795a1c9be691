"""Set what a study showed into the sections of its report."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import polars as pl

from anagen import __version__
from anagen.errors import InputError, NotEnoughDataError
from anagen.evidence.verdict import TrialFacts, Verdict
from anagen.hair import HairMeasurement, cumulative_thickness, summarise_units, terminal_density, vellus_density
from anagen.records import Estimate, Flag
from anagen.report.content import Answer, ExampleImage, FlowStep, KeyNumber, ReportContent, Section
from anagen.report.figures import (
    draw_changes,
    draw_density_over_time,
    draw_measured_against_planted,
    draw_satisfaction,
    draw_sizes,
)
from anagen.report.no_drug_figure import draw_without_drug
from anagen.report.svg import SvgFigure
from anagen.report.vesicle_figures import draw_jumps, draw_vendor_lot
from anagen.report.wording import NOT_GIVEN, print_estimate, print_interval, print_large, print_number, print_p
from anagen.study.folder import Study
from anagen.surveys.instrument import Instrument
from anagen.surveys.reliability import arrange_points, estimate_alpha
from anagen.workflows.analyse import OutcomeAnalysis
from anagen.workflows.collect import MeasuredImage, MeasuredMovie, read_value
from anagen.workflows.comparison import Comparison
from anagen.workflows.compose_plan import (
    lot_tables,
    section_about,
    section_bias,
    section_checklist,
    section_estimand,
    section_missing,
)
from anagen.workflows.follow import FollowedHairs, note_curves
from anagen.workflows.results import LotExport, StudyResults, SurveyResults

DESIGN_WORDS = {
    "single-arm": "Single arm, before and after: there is no comparison group",
    "parallel": "Parallel groups",
    "split-scalp": "Split scalp: each participant is his own control",
}
NO_DRUG_INTRO = (
    "Published groups that got no active drug changed too. The figure shows how often a study of this size and design "
    "would report p < 0.05 if the treatment itself did nothing."
)
PROVENANCE_INTRO = (
    "A measurement is the result of the named algorithm, version and parameters on the file of that SHA-256; estimates "
    "rest on the measurements listed here and on the tables of the study folder."
)
TERMINAL_UM = 40.0
"""Cut-off between vellus and terminal hair of most trials' programs (Hoffmann 2001)."""
EVERY_PHOTOGRAPH, EVERY_MEASUREMENT = "Every photograph", "Every measurement"
DrawExample = Callable[[MeasuredImage], ExampleImage | None]


def compose_report(
    results: StudyResults, facts: TrialFacts, verdict: Verdict, draw_example: DrawExample
) -> ReportContent:
    """Fill the report of a study.

    Parameters
    ----------
    results : StudyResults
        Everything that `run_study` found.
    facts, verdict : TrialFacts, Verdict
        What was done and found, and what may be said of it.
    draw_example : callable
        Gives the picture of one measured photograph with its hairs drawn on it, or None when it cannot.

    Returns
    -------
    ReportContent
    """
    study = results.study
    candidates = [
        section_estimand(study),
        section_about(study),
        _section_people(study),
        _section_density(results),
        _section_images(results, draw_example),
        _section_lots(results),
        _section_satisfaction(results),
        _section_harms(results),
        _section_estimates(results),
        section_missing(results),
        section_bias(study),
        _section_no_drug(facts),
        _section_left_out(results),
        _section_provenance(results),
    ]
    sections = [section for section in candidates if section is not None]
    sections.insert(-1, section_checklist(study, sections))
    return ReportContent(
        title=study.protocol.title,
        question=study.protocol.question,
        design=_describe_design(study),
        banner=_banner(results),
        answer=_answer(verdict),
        key_numbers=_key_numbers(results),
        flow=_flow(results),
        sections=tuple(sections),
        software=f"Made by Anagen {__version__} from the study folder's own files; every number's origin is listed "
        "under Provenance.",
    )


def _banner(results: StudyResults) -> str:
    parts = []
    if results.planted is not None:
        parts.append(
            "Synthetic study: every image, movie and answer was generated with a known truth, to show what the "
            "software does. It says nothing about any product."
        )
    if results.study.protocol.notes:
        parts.append(results.study.protocol.notes)
    return " ".join(parts)


def _describe_design(study: Study) -> str:
    design = study.protocol.design
    weeks = ", ".join(f"{visit.name} (week {visit.week:g})" for visit in study.protocol.visits)
    parts = [
        DESIGN_WORDS[design.kind],
        "randomised" if design.randomised else "not randomised",
        f"blinding: {design.blinding}",
    ]
    return "; ".join(parts) + f". Visits: {weeks}."


def _answer(verdict: Verdict) -> Answer:
    professional = [s.text for s in verdict.for_audience("professional") if s.topic != "next"]
    following = [s.text for s in verdict.for_audience("professional") if s.topic == "next"]
    return Answer(
        headline=professional[0],
        shows=(*professional[1:],),
        cannot_show=verdict.cannot_show,
        next_study=tuple(following),
        patient=tuple(s.text for s in verdict.for_audience("patient")),
        rules=f"Anagen's verdict rules, version {verdict.rules_version}",
    )


def _key_numbers(results: StudyResults) -> tuple[KeyNumber, ...]:
    numbers = []
    for analysis in results.analyses:
        last = analysis.main_comparisons[-1] if analysis.main_comparisons else None
        if last is not None:
            numbers.append(_key_comparison(analysis, last))
    harms = results.harms
    if harms is not None:
        numbers.append(
            KeyNumber(
                "People with an adverse event",
                f"{harms.n_with_event} of {harms.n_treated}",
                f"exact 95 % interval {100 * harms.rate.ci_low:.1f} to {100 * harms.rate.ci_high:.1f} %",
            )
        )
    return tuple(numbers[:4])


def _key_comparison(analysis: OutcomeAnalysis, comparison: Comparison) -> KeyNumber:
    estimate = comparison.estimate
    sign = "+" if estimate.value > 0 else ""
    unit = "" if estimate.unit == "1" else f" {estimate.unit}"
    return KeyNumber(
        f"{analysis.label}: {comparison.label}",
        f"{sign}{print_number(estimate.value)}{unit}",
        f"95 % interval {print_interval(estimate.ci_low, estimate.ci_high)}; n = {estimate.n}; {estimate.method}",
    )


def _flow(results: StudyResults) -> tuple[FlowStep, ...]:
    study = results.study
    failures = [p for p in study.participants if p.status == "screen-failure"]
    reasons = Counter(
        finding.fault.rule for finding in study.findings if finding.code == "screen-failure" and finding.participant
    )
    steps = [
        FlowStep(
            "Assessed for eligibility",
            len(study.participants),
            tuple(f"{n} not enrolled: {reason}" for reason, n in reasons.items())
            or ((f"{len(failures)} not enrolled",) if failures else ()),
        ),
        FlowStep(
            "Allotted at random" if study.protocol.design.randomised else "Enrolled",
            len(study.enrolled),
            _ineligible(study),
            _by_arm(study, {p.participant for p in study.enrolled}),
        ),
        FlowStep(
            "In the analysis",
            len(study.eligible),
            _withdrawn(study),
            _by_arm(study, {p.participant for p in study.eligible}),
        ),
    ]
    photographed = study.protocol.visits_of("density")
    steps += [_flow_of_visit(results, visit.name) for visit in study.protocol.visits if visit.name in photographed]
    return tuple(steps)


def _flow_of_visit(results: StudyResults, visit: str) -> FlowStep:
    at_visit = [m for m in results.images if m.image.visit == visit]
    elsewhere = {d.participant for d in results.study.densities if d.visit == visit}
    counted = {m.image.participant for m in at_visit if m.usable} | elsewhere
    seen = {m.image.participant for m in at_visit} | elsewhere
    missed = {p.participant for p in results.study.eligible} - seen
    losses = []
    if missed:
        losses.append(f"{len(missed)} without a measurement{_print_arms(results.study, missed)}")
    if refused := seen - counted:
        losses.append(f"{len(refused)} whose photograph could not be counted{_print_arms(results.study, refused)}")
    return FlowStep(f"Density at {visit}", len(counted), tuple(losses), _by_arm(results.study, counted))


def _by_arm(study: Study, people: set[str]) -> tuple[tuple[str, int], ...]:
    """Count people by arm in parallel groups; there CONSORT wants every box for each group."""
    if study.protocol.design.kind != "parallel":
        return ()
    arm_of = {p.participant: p.arm for p in study.participants}
    return tuple((arm.name, sum(arm_of.get(name) == arm.name for name in people)) for arm in study.protocol.arms)


def _print_arms(study: Study, people: set[str]) -> str:
    parts = [f"{arm} {n}" for arm, n in _by_arm(study, people) if n]
    return f" ({', '.join(parts)})" if parts else ""


def _ineligible(study: Study) -> tuple[str, ...]:
    return tuple(str(f.fault.rule) for f in study.left_out if f.code == "ineligible" and f.participant)


def _withdrawn(study: Study) -> tuple[str, ...]:
    gone = [p for p in study.eligible if p.withdrawn_on is not None]
    return tuple(f"{p.participant} withdrew: {p.withdrawal_reason or 'no reason given'}" for p in gone)


def _section_people(study: Study) -> Section:
    arms = sorted({p.arm or "all" for p in study.eligible})
    rows: list[dict[str, str]] = [
        {"": "people"} | {a: str(sum((p.arm or "all") == a for p in study.eligible)) for a in arms}
    ]

    def add(label: str, cell: Callable[[list[object]], str], attribute: str) -> None:
        row = {"": label}
        for arm in arms:
            known = [getattr(p, attribute) for p in study.eligible if (p.arm or "all") == arm]
            row[arm] = cell([value for value in known if value is not None])
        rows.append(row)

    add("age, years: mean (SD); range", _mean_sd_range, "age_years")
    add("sex: n", _counts, "sex")
    add("Norwood-Hamilton stage: n", _counts, "norwood_hamilton")
    if any(p.fitzpatrick is not None for p in study.eligible):
        add("Fitzpatrick skin type: n", _counts, "fitzpatrick")
    if any(p.lot is not None for p in study.eligible):
        add("lot received: n", _counts, "lot")
    add("month enrolled: n", _count_months, "enrolled_on")
    return Section(
        "people", "Who took part", tables={"Table 1. Participants in the analysis at enrolment": pl.DataFrame(rows)}
    )


def _mean_sd_range(values: Sequence[object]) -> str:
    numbers = np.asarray(values, dtype=float)
    if len(numbers) < 2:
        return NOT_GIVEN
    return f"{numbers.mean():.1f} ({numbers.std(ddof=1):.1f}); {numbers.min():g} to {numbers.max():g}"


def _counts(values: Sequence[object]) -> str:
    return ", ".join(f"{value}: {n}" for value, n in sorted(Counter(values).items(), key=str)) or NOT_GIVEN


def _count_months(days: Sequence[object]) -> str:
    """Seasons move hair counts: the months of enrolment belong into every report."""
    months = Counter((day.month, f"{day:%B}") for day in days if isinstance(day, dt.date))
    return ", ".join(f"{name}: {n}" for (_, name), n in sorted(months.items())) or NOT_GIVEN


def _section_density(results: StudyResults) -> Section | None:
    analysis = next((a for a in results.analyses if a.outcome.kind == "density"), None)
    if analysis is None or analysis.values.is_empty():
        return None
    unit = analysis.outcome.unit
    figures: list[SvgFigure] = [
        draw_density_over_time(analysis.values.rename({"value": "density"}), analysis.means, unit=unit)
    ]
    sid = analysis.outcome.smallest_important_difference
    changes = _individual_changes(analysis)
    if changes.height > 1:
        figures.append(draw_changes(changes, unit=unit, sid=sid))
    tables = {"Mean density of those measured at each visit": _table_of_means(analysis)}
    if results.followed:
        tables["The same hairs, found again one by one"] = _table_of_followed(analysis, results.followed)
        followed = _followed_changes(analysis, results.followed)
        if followed.height > 1:
            figures.append(draw_changes(followed, unit=unit, sid=sid, name="waterfall-followed"))
    notes = [*analysis.notes, *note_curves(results.followed)]
    if results.planted is not None and results.planted.densities.height > 1:
        figures.append(draw_measured_against_planted(results.planted.densities, unit=unit))
        tables["Measured beside planted change from baseline"] = _table_of_planted(results, analysis)
    return Section("density", "Hair density over time", tables=tables, figures=tuple(figures), notes=tuple(notes))


def _individual_changes(analysis: OutcomeAnalysis) -> pl.DataFrame:
    last = analysis.outcome.visits[-1]
    first = analysis.values.filter(pl.col("visit") == analysis.outcome.baseline).select(
        "participant", "arm", first="value"
    )
    final = analysis.values.filter(pl.col("visit") == last).select("participant", "arm", final="value")
    joined = first.join(final, on=["participant", "arm"]).with_columns(change=pl.col("final") - pl.col("first"))
    return joined.select("participant", "change", sd=pl.lit(float("nan")))


def _followed_changes(analysis: OutcomeAnalysis, followed: Sequence[FollowedHairs]) -> pl.DataFrame:
    """Change of followed hairs at the last visit, with the measurement error of each."""
    rows = [
        (f.participant, f.match.change_per_cm2.value, _sd_of(f.match.change_per_cm2))
        for f in followed
        if f.match is not None and not f.match.refused and f.visit == analysis.outcome.visits[-1]
    ]
    return pl.DataFrame(rows, schema=["participant", "change", "sd"], orient="row")


def _sd_of(estimate: Estimate) -> float:
    return (estimate.ci_high - estimate.ci_low) / (2 * 1.96)


def _table_of_followed(analysis: OutcomeAnalysis, followed: Sequence[FollowedHairs]) -> pl.DataFrame:
    rows = []
    for visit in analysis.outcome.visits:
        at_visit = [f for f in followed if f.visit == visit]
        matches = [f.match for f in at_visit if f.match is not None and not f.match.refused]
        rows.append(
            {
                "visit": visit,
                "sites followed": str(len(matches)),
                "not shown to be the same site": str(len(at_visit) - len(matches)),
                "hairs found again": str(sum(len(m.pairs) for m in matches)),
                "thickened": str(sum(pair.state == "thickened" for m in matches for pair in m.pairs)),
                "thinned": str(sum(pair.state == "thinned" for m in matches for pair in m.pairs)),
                "lost": str(sum(len(m.lost) for m in matches)),
                "new": str(sum(len(m.new) for m in matches)),
                "traced once, seen twice": str(sum(len(m.overlooked) for m in matches)),
                "not decided": str(sum(len(m.indeterminate) for m in matches)),
            }
        )
    return pl.DataFrame(rows)


def _table_of_means(analysis: OutcomeAnalysis) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "arm": row["arm"],
                "visit": row["visit"],
                "n": str(row["n"]),
                "mean": print_number(row["estimate"]),
                "95 % interval": print_interval(row["ci_low"], row["ci_high"]),
            }
            for row in analysis.means.iter_rows(named=True)
        ]
    )


def _table_of_planted(results: StudyResults, analysis: OutcomeAnalysis) -> pl.DataFrame:
    planted = results.planted
    assert planted is not None
    rows = []
    for comparison in analysis.main_comparisons:
        truth = planted.mean_change.get(comparison.visit)
        inside = truth is not None and comparison.estimate.ci_low <= truth <= comparison.estimate.ci_high
        rows.append(
            {
                "visit": comparison.visit,
                "measured change": print_estimate(comparison.estimate),
                "planted change": print_number(truth),
                "interval holds the truth": "yes" if inside else "no",
            }
        )
    return pl.DataFrame(rows)


def _section_images(results: StudyResults, draw_example: DrawExample) -> Section | None:
    if not results.images:
        return None
    return Section(
        "images",
        "What was counted",
        intro=("The same participant at each visit; every counted hair is drawn from root (dot) to tip.",),
        images=tuple(image for m in _pick_examples(results) if (image := draw_example(m)) is not None),
        tables={
            "Hairs at each visit: mean (SD) over photographs": _table_of_hairs(results),
            EVERY_PHOTOGRAPH: _table_of_images(results.images),
        },
        folded=(EVERY_PHOTOGRAPH,),
    )


def _table_of_hairs(results: StudyResults) -> pl.DataFrame:
    rows = []
    for visit in results.study.protocol.visits:
        at_visit = [m.hairs for m in results.images if m.usable and m.hairs is not None and m.image.visit == visit.name]
        if at_visit:
            rows.append({"visit": visit.name, "photographs": str(len(at_visit))} | _describe_hairs(at_visit))
    return pl.DataFrame(rows)


def _describe_hairs(fields: Sequence[HairMeasurement]) -> dict[str, str]:
    units = [summarise_units(field) for field in fields if field.n_hairs]
    return {
        "hairs/cm²": _mean_sd([field.density_per_cm2 for field in fields]),
        "diameter, µm": _mean_sd([read_value(field, "diameter") for field in fields]),
        "terminal (> 40 µm)/cm²": _mean_sd([terminal_density(f, cut_off_um=TERMINAL_UM).value for f in fields]),
        "vellus (≤ 40 µm)/cm²": _mean_sd([vellus_density(f, cut_off_um=TERMINAL_UM).value for f in fields]),
        "cumulative thickness, mm/cm²": _mean_sd([cumulative_thickness(field).value for field in fields], 2),
        "hairs per follicular unit": _mean_sd([unit.hairs_per_unit for unit in units], 2),
    }


def _mean_sd(values: Sequence[float], digits: int = 1) -> str:
    known = np.array([value for value in values if math.isfinite(value)])
    if len(known) < 2:
        return NOT_GIVEN
    return f"{print_number(float(known.mean()), digits)} ({print_number(float(known.std(ddof=1)), digits)})"


def _pick_examples(results: StudyResults) -> Iterable[MeasuredImage]:
    """Pick the participant of median density among those counted at most visits, and one refused photograph."""
    by_person: dict[str, list[MeasuredImage]] = {}
    for measured in results.images:
        if measured.usable:
            by_person.setdefault(measured.image.participant, []).append(measured)
    if by_person:
        most = max(len(images) for images in by_person.values())
        full = {p: images for p, images in by_person.items() if len(images) == most}
        density = {p: _first_density(images) for p, images in full.items()}
        middle = float(np.median(list(density.values())))
        chosen = min(sorted(full), key=lambda p: abs(density[p] - middle))
        yield from full[chosen][:4]
    yield from [m for m in results.images if m.hairs is not None and m.hairs.refused][:1]


def _first_density(images: Sequence[MeasuredImage]) -> float:
    hairs = images[0].hairs
    return math.nan if hairs is None else hairs.density_per_cm2


def _table_of_images(images: Sequence[MeasuredImage]) -> pl.DataFrame:
    return pl.DataFrame([_row_of_image(measured) for measured in images])


def _row_of_image(measured: MeasuredImage) -> dict[str, str]:
    hairs = measured.hairs
    return {
        "participant": measured.image.participant,
        "visit": measured.image.visit,
        "file": measured.image.file,
        "hairs": NOT_GIVEN if hairs is None or hairs.refused else str(hairs.n_hairs),
        "area, cm²": NOT_GIVEN if hairs is None else print_number(hairs.area_cm2, 3),
        "density, hairs/cm²": NOT_GIVEN if hairs is None else print_number(hairs.density_per_cm2),
        "mean diameter, µm": NOT_GIVEN if hairs is None else _print_mean_diameter(hairs),
        "remarks": measured.failure or _print_flags(hairs.flags if hairs else ()),
    }


def _print_mean_diameter(hairs: HairMeasurement) -> str:
    resolved = [hair.diameter_um for hair in hairs.hairs if math.isfinite(hair.diameter_um)]
    return print_number(float(np.mean(resolved))) if resolved else NOT_GIVEN


def _print_flags(flags: Iterable[Flag]) -> str:
    return "; ".join(f"{flag.message}" for flag in flags)


def _section_lots(results: StudyResults) -> Section | None:
    movies = [m for m in results.movies if m.vesicles is not None and not m.vesicles.refused]
    exports = [e.export for e in results.lot_exports if e.export is not None and e.export.good_runs]
    rows = [*(_row_of_movie(m) for m in results.movies), *(_row_of_export(e) for e in results.lot_exports)]
    if not rows:
        return None
    curves = {f"{m.movie.lot}, movie {m.movie.replicate}": _curve(m) for m in movies}
    figures = [draw_sizes(curves)] if curves else []
    seen: set[str] = set()
    for measured in movies:
        if measured.movie.lot not in seen and measured.vesicles is not None:
            seen.add(measured.movie.lot)
            figures.append(draw_jumps(measured.vesicles, name=f"jumps-{len(seen)}"))
    figures += [draw_vendor_lot(export, name=f"export-{number}") for number, export in enumerate(exports, start=1)]
    notes = []
    if results.planted is not None and results.planted.lots:
        planted = "; ".join(f"{lot}: median {median:g} nm" for lot, median in results.planted.lots.items())
        notes.append(f"Planted number-weighted sizes: {planted}.")
    tables = {"Size and concentration": pl.DataFrame(rows)}
    remarks = _remarks_on_lots(results)
    if remarks:
        tables["Remarks"] = pl.DataFrame(remarks)
    records = lot_tables(results)
    lacking = [f"{lot}: {len(record.missing())}" for lot, record in results.lot_records.items()]
    intro = (
        (
            f"Fields of each lot's record that nobody filled in: {'; '.join(lacking)}. lot_records.toml takes what the "
            "laboratory knows."
        ),
    )
    return Section(
        "lots",
        "Vesicle lots",
        intro=intro if lacking else (),
        figures=tuple(figures),
        tables=tables | dict(records),
        notes=tuple(notes),
        folded=tuple(records),
    )


def _remarks_on_lots(results: StudyResults) -> list[dict[str, str]]:
    remarks = []
    for measured in results.movies:
        said = measured.failure or _print_flags(measured.vesicles.flags if measured.vesicles else ())
        remarks.append({"lot": measured.movie.lot, "file": measured.movie.file, "remark": said})
    for exported in results.lot_exports:
        said = exported.failure or _print_flags(exported.export.flags if exported.export else ())
        remarks.append({"lot": exported.lot.lot, "file": exported.lot.export_file or "", "remark": said})
    return [remark for remark in remarks if remark["remark"]]


def _curve(measured: MeasuredMovie) -> dict[str, np.ndarray]:
    assert measured.vesicles is not None
    sizes = measured.vesicles.sizes
    return {
        name: np.asarray(getattr(sizes, name)) for name in ("diameter_nm", "density", "density_low", "density_high")
    }


def _row_of_movie(measured: MeasuredMovie) -> dict[str, str]:
    record = measured.vesicles
    row = {"lot": measured.movie.lot, "file": measured.movie.file, "tracks": NOT_GIVEN}
    row |= dict.fromkeys(("D10, nm", "D50, nm (95 %)", "D90, nm", "mode, nm", "per mL, undiluted"), NOT_GIVEN)
    if record is not None:
        row["tracks"] = str(record.n_tracks)
        if not record.refused:
            sizes = record.sizes
            low, high = sizes.intervals["d50_nm"]
            row["D10, nm"] = print_number(sizes.d10_nm)
            row["D50, nm (95 %)"] = f"{print_number(sizes.d50_nm)} ({print_interval(low, high)})"
            row["D90, nm"] = print_number(sizes.d90_nm)
            row["mode, nm"] = print_number(sizes.mode_nm)
        row["per mL, undiluted"] = print_large(record.concentration_per_ml)
    return row


def _row_of_export(exported: LotExport) -> dict[str, str]:
    row = {"lot": exported.lot.lot, "file": exported.lot.export_file or "", "tracks": NOT_GIVEN}
    row |= dict.fromkeys(("D10, nm", "D50, nm (95 %)", "D90, nm", "mode, nm", "per mL, undiluted"), NOT_GIVEN)
    if exported.export is not None:
        found = exported.estimates
        n_tracks = float(np.nansum([run.n_tracks for run in exported.export.good_runs]))
        row["tracks"] = print_number(n_tracks, 0)
        for column, name in (("D10, nm", "d10_nm"), ("D90, nm", "d90_nm"), ("mode, nm", "mode_nm")):
            row[column] = print_number(found[name].value) if name in found else NOT_GIVEN
        if "d50_nm" in found:
            d50 = found["d50_nm"]
            row["D50, nm (95 %)"] = f"{print_number(d50.value)} ({print_interval(d50.ci_low, d50.ci_high)})"
            row["per mL, undiluted"] = print_large(found["concentration_per_ml"].value)
    return row


def _section_satisfaction(results: StudyResults) -> Section | None:
    if not results.surveys:
        return None
    figures, tables = [], {}
    for survey in results.surveys:
        instrument = survey.instrument
        shares = _shares(instrument, survey.answers)
        if shares:
            labels = [response.label for response in instrument.responses]
            figures.append(draw_satisfaction(shares, labels, name=f"survey-{instrument.name}"))
        tables[f"{instrument.title}: scores"] = _table_of_scores(survey)
        tables[f"{instrument.title}: items"] = pl.DataFrame(
            [{"item": item.id, "sentence": item.text} for item in instrument.items]
        )
    return Section(
        "satisfaction",
        "Satisfaction",
        figures=tuple(figures),
        tables=tables,
        notes=tuple(note for survey in results.surveys for note in survey.notes),
    )


def _shares(instrument: Instrument, answers: pl.DataFrame) -> dict[str, dict[str, list[float]]]:
    shares: dict[str, dict[str, list[float]]] = {}
    for item in instrument.items:
        visits: dict[str, list[float]] = {}
        for (visit,), given in answers.filter((pl.col("item") == item.id) & pl.col("response").is_not_null()).group_by(
            "visit", maintain_order=True
        ):
            counts = Counter(given["response"].to_list())
            visits[str(visit)] = [counts[response.value] / given.height for response in instrument.responses]
        if visits:
            shares[item.id] = visits
    return shares


def _table_of_scores(survey: SurveyResults) -> pl.DataFrame:
    rows = []
    totals = survey.scores.filter(pl.col("scale") == "total")
    for (visit,), group in totals.group_by("visit", maintain_order=True):
        known = group["score"].drop_nulls().to_numpy()
        rows.append(
            {
                "visit": str(visit),
                "forms": str(group.height),
                "scored": str(len(known)),
                "mean (SD)": f"{known.mean():.2f} ({known.std(ddof=1):.2f})" if len(known) > 1 else NOT_GIVEN,
                "median": print_number(float(np.median(known))) if len(known) else NOT_GIVEN,
                "Cronbach's alpha (95 %)": _print_alpha(survey, str(visit)),
            }
        )
    return pl.DataFrame(rows)


def _print_alpha(survey: SurveyResults, visit: str) -> str:
    items = [item.id for item in survey.instrument.items]
    try:
        points = arrange_points(survey.instrument, survey.answers, visit=visit).select(items)
        alpha = estimate_alpha(points.to_numpy())
    except (NotEnoughDataError, InputError):
        return NOT_GIVEN  # too few people, or all answered alike: reliability is not defined there
    return f"{print_number(alpha.value, 2)} ({print_interval(alpha.ci_low, alpha.ci_high, 2)})"


def _section_harms(results: StudyResults) -> Section:
    if results.harms is None:
        return Section(
            "harms",
            "Adverse events",
            intro=("No adverse_events.csv was given: nothing can be said about harm, not even that there was none.",),
        )
    harms = results.harms
    sentence = (
        f"{harms.n_with_event} of {harms.n_treated} treated people had at least one adverse event: "
        f"{100 * harms.rate.value:.1f} %, exact two-sided 95 % interval {100 * harms.rate.ci_low:.1f} to "
        f"{100 * harms.rate.ci_high:.1f} %; one-sided upper bound {100 * harms.upper_one_sided:.1f} %. "
        "Rates up to that bound remain possible."
    )
    return Section("harms", "Adverse events", intro=(sentence, *results.harm_notes), tables=results.harm_tables)


def _section_estimates(results: StudyResults) -> Section:
    rows = [_row_of_comparison(a, c) for a in results.analyses for c in a.comparisons]
    return Section(
        "estimates",
        "Estimates",
        intro=results.analysis_notes,
        tables={"Every comparison of the plan, with its sensitivity analyses": pl.DataFrame(rows)} if rows else {},
        notes=tuple(note for a in results.analyses if a.outcome.kind != "density" for note in a.notes),
    )


def _row_of_comparison(analysis: OutcomeAnalysis, comparison: Comparison) -> dict[str, str]:
    estimate: Estimate = comparison.estimate
    return {
        "outcome": analysis.label,
        "comparison": comparison.label,
        "n": str(estimate.n),
        "estimate": print_number(estimate.value, 2),
        "95 % interval": print_interval(estimate.ci_low, estimate.ci_high, 2),
        "unit": estimate.unit,
        "p": print_p(estimate.p_value),
        "p, adjusted": print_p(comparison.p_adjusted),
        "method": estimate.method,
        "role": comparison.role,
    }


def _section_no_drug(facts: TrialFacts) -> Section | None:
    """Only a study without a comparison group leaves this question open."""
    unit = facts.outcomes[0].change.unit
    changes = [change for change in facts.natural_changes if change.unit == unit]
    n = facts.arms[0].n_analysed
    if facts.comparator != "none" or not changes or n < 2:
        return None
    return Section(
        "no-drug",
        "What would have happened without the drug",
        intro=(NO_DRUG_INTRO,),
        figures=(draw_without_drug(n, changes),),
    )


def _section_left_out(results: StudyResults) -> Section:
    rows = [
        {
            "where": _place(finding.fault.file, finding.fault.row, finding.fault.column),
            "value": finding.fault.value or "",
            "finding": finding.fault.rule,
            "consequence": {"exclude": "left out", "note": "kept, flagged", "stop": "stops a run"}[finding.effect],
        }
        for finding in results.study.findings
    ]
    rows += [
        {
            "where": measured.image.file,
            "value": "",
            "finding": measured.why_not,
            "consequence": "left out of density",
        }
        for measured in results.images
        if not measured.usable
    ]
    rows += [
        {"where": m.movie.file, "value": "", "finding": m.failure, "consequence": "left out of lots"}
        for m in results.movies
        if m.failure
    ]
    if not rows:
        return Section("left-out", "What was left out", intro=("Nothing was left out.",))
    return Section(
        "left-out", "What was left out, and why", tables={"Findings in the study folder": pl.DataFrame(rows)}
    )


def _place(file: str, row: int | None, column: str | None) -> str:
    return file + (f", row {row}" if row is not None else "") + (f", {column}" if column else "")


def _section_provenance(results: StudyResults) -> Section:
    rows = [
        {
            "input": name,
            "SHA-256": provenance.input_sha256,
            "algorithm": f"{provenance.algorithm} {provenance.version}",
            "parameters": _print_parameters(provenance.parameters),
        }
        for name, provenance in results.provenance
    ]
    tables: Mapping[str, pl.DataFrame] = {EVERY_MEASUREMENT: pl.DataFrame(rows)} if rows else {}
    return Section(
        "provenance",
        "Provenance",
        intro=(f"Anagen {__version__}. {PROVENANCE_INTRO}",),
        tables=tables,
        folded=(EVERY_MEASUREMENT,),
    )


def _print_parameters(parameters: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in sorted(parameters.items()) if value is not None)


def _short(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
