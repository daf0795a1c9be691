"""Walk a study once: check, measure what is new, score, tabulate, analyse, give the verdict, write the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from anagen.errors import AnagenError
from anagen.evidence.verdict import give_verdict
from anagen.report.content import ExampleImage
from anagen.safety import EventProportion, estimate_event_proportion, tabulate_adverse_events
from anagen.study.folder import Study, load_study
from anagen.study.raw_table import ReadTable
from anagen.study.records import Lot, Participant
from anagen.surveys import score_survey
from anagen.vesicles.vendor import VendorLot
from anagen.workflows.analyse import OutcomeAnalysis, adjust_comparisons, analyse_outcome
from anagen.workflows.collect import (
    MeasuredImage,
    MeasuredMovie,
    join_images,
    join_movies,
    list_image_tasks,
    list_movie_tasks,
    tabulate_scores,
    tabulate_values,
)
from anagen.workflows.compose import compose_report
from anagen.workflows.facts import gather_facts
from anagen.workflows.follow import FollowedHairs, add_followed, follow_hairs
from anagen.workflows.lot_records import record_lots
from anagen.workflows.measure import measure_files
from anagen.workflows.missing import MissingValues, examine_missing
from anagen.workflows.ports import HashFile, MeasureFile, MeasurementStore, Progress, ReadImage, Runner
from anagen.workflows.results import LotExport, Planted, StudyResults, SurveyResults
from anagen.workflows.write_results import write_results

MISSING_WORDS = {
    "mar": "missing at random",
    "jump-to-reference": "from the control arm after people left (jump to reference)",
    "copy-reference": "as if treated like the control arm throughout (copy reference)",
    "copy-increments": "with the control arm's later changes (copy increments in reference)",
    "last-mean": "at the arm's own mean of the last visit seen (last mean carried forward)",
}
RESULTS = "results"
"""Folder inside the study folder that a run writes; everything in it can be made again."""


@dataclass(frozen=True)
class RunPorts:
    """What a run needs from outside.

    Parameters
    ----------
    read_table
        See `anagen.study.folder.load_study`.
    hash_file, measure_file, runner, progress
        See `anagen.workflows.ports`.
    open_store : callable
        Path to MeasurementStore.
    read_image : callable
        Reads a photograph; for hairs that are looked for again at the other visit.
    draw_example : callable
        (study, measured photograph) to a picture with its hairs, or None.
    read_vendor_lot : callable
        Path of a vendor's export to what it says.
    print_pdf : callable
        HTML file, PDF file to write: prints it and gives an empty text, or the reason why not.
    """

    read_table: ReadTable
    hash_file: HashFile
    measure_file: MeasureFile
    runner: Runner
    progress: Progress
    open_store: Callable[[Path], MeasurementStore]
    read_image: ReadImage
    draw_example: Callable[[Study, MeasuredImage], ExampleImage | None]
    read_vendor_lot: Callable[[Path], VendorLot]
    print_pdf: Callable[[Path, Path], str]


@dataclass(frozen=True)
class RunSummary:
    """What a run did, for the command line.

    Parameters
    ----------
    report : Path
        The HTML file.
    n_files, n_measured, n_failed : int
        Files named by the study; measured in this run; without a measurement.
    headline : str
        The verdict's first sentence.
    left_out : int
        Findings that leave something out of the analysis.
    no_pdf : str
        Why there is no report.pdf beside the report; empty where there is one.
    """

    report: Path
    n_files: int
    n_measured: int
    n_failed: int
    headline: str
    left_out: int
    no_pdf: str


def run_study(folder: Path, ports: RunPorts) -> RunSummary:
    """Run a study folder from its files to its report.

    Parameters
    ----------
    folder : Path
        The study folder; `results` inside it is written.
    ports : RunPorts
        From `anagen.wiring`.

    Returns
    -------
    RunSummary

    Raises
    ------
    InputFaults
        Everything that must be mended first. Nothing measured before is lost.
    """
    study = load_study(folder, read_table=ports.read_table)
    with closing(ports.open_store(study.folder / RESULTS / "measurements.sqlite")) as store:
        images, movies, n_measured = _measure(study, store, ports)
        followed = _follow(study, images, store, ports)
    results = _analyse(study, images, movies, followed, ports)
    facts = gather_facts(results)
    verdict = give_verdict(facts)
    content = compose_report(results, facts, verdict, lambda measured: ports.draw_example(study, measured))
    out = folder / RESULTS
    write_results(out, results, verdict, content)
    no_pdf = _print(out, ports)
    return RunSummary(
        report=out / "report.html",
        no_pdf=no_pdf,
        n_files=len(images) + len(movies),
        n_measured=n_measured,
        n_failed=sum(bool(m.failure) for m in images) + sum(bool(m.failure) for m in movies),
        headline=content.answer.headline,
        left_out=len(study.left_out),
    )


def _print(out: Path, ports: RunPorts) -> str:
    pdf = out / "report.pdf"
    pdf.unlink(missing_ok=True)  # that of an earlier run would say something else than the page beside it
    return ports.print_pdf(out / "report.html", pdf)


def _measure(
    study: Study, store: MeasurementStore, ports: RunPorts
) -> tuple[tuple[MeasuredImage, ...], tuple[MeasuredMovie, ...], int]:
    image_tasks = list_image_tasks(study, ports.hash_file)
    movie_tasks = list_movie_tasks(study, ports.hash_file)
    outcomes, n_measured = measure_files(
        # movies take longest: they go first so that no worker ends with one alone
        [*movie_tasks, *image_tasks],
        measure=ports.measure_file,
        store=store,
        runner=ports.runner,
        progress=ports.progress,
    )
    n_movies = len(movie_tasks)
    images = join_images(study, image_tasks, outcomes[n_movies:])
    return images, join_movies(study, movie_tasks, outcomes[:n_movies]), n_measured


def _follow(
    study: Study, images: Sequence[MeasuredImage], store: MeasurementStore, ports: RunPorts
) -> tuple[FollowedHairs, ...]:
    density = next((outcome for outcome in study.protocol.outcomes if outcome.kind == "density"), None)
    if density is None or not images:
        return ()
    return follow_hairs(
        images,
        density,
        store=store,
        runner=ports.runner,
        progress=ports.progress,
        folder=study.folder,
        read_image=ports.read_image,
    )


def _analyse(
    study: Study,
    images: tuple[MeasuredImage, ...],
    movies: tuple[MeasuredMovie, ...],
    followed: tuple[FollowedHairs, ...],
    ports: RunPorts,
) -> StudyResults:
    surveys = _score(study)
    scores = {survey.instrument.name: survey.scores for survey in surveys}
    analyses = []
    for outcome in sorted(study.protocol.outcomes, key=lambda o: not o.primary):
        if outcome.kind == "survey":
            known = scores.get(outcome.instrument or "")
            values = tabulate_values(study, (), "none") if known is None else tabulate_scores(study, known)
        else:
            values = tabulate_values(study, images, outcome.kind)
        analysis = analyse_outcome(study.protocol, outcome, values)
        if outcome.kind == "density" and study.protocol.design.kind == "single-arm":
            analysis = add_followed(analysis, followed)
        analyses.append(analysis)
    harms, harm_tables, harm_notes = _tabulate_harms(study)
    exports = tuple(_read_export(study, lot, ports) for lot in study.lots if lot.export_file)
    return StudyResults(
        study=study,
        images=images,
        movies=movies,
        followed=followed,
        lot_exports=exports,
        analyses=adjust_comparisons(analyses, study.protocol.analysis.multiplicity),
        surveys=surveys,
        harms=harms,
        harm_tables=harm_tables,
        harm_notes=harm_notes,
        analysis_notes=_describe_plan(study),
        planted=_read_planted(study, images),
        provenance=(
            *((m.image.file, m.provenance) for m in images),
            *((m.movie.file, m.provenance) for m in movies),
            *((f"{f.participant}, {f.visit}: hairs followed", f.provenance) for f in followed),
        ),
        lot_records=record_lots(study, movies, exports),
        missing=_examine_missing(study, analyses),
    )


def _examine_missing(study: Study, analyses: Sequence[OutcomeAnalysis]) -> MissingValues | None:
    primary = next((a for a in analyses if a.outcome.primary and a.outcome.kind != "survey"), None)
    return None if primary is None else examine_missing(study.protocol, primary.outcome, primary.values)


def _read_export(study: Study, lot: Lot, ports: RunPorts) -> LotExport:
    try:
        export = ports.read_vendor_lot(study.folder / str(lot.export_file))
        return LotExport(lot, export, export.estimates(lot.dilution))
    except AnagenError as error:
        text = " ".join(str(error).split()).replace(f"{study.folder}/", "")
        return LotExport(lot, None, failure=text)


def _score(study: Study) -> tuple[SurveyResults, ...]:
    surveys = []
    for use in study.protocol.instruments:
        rows = [(a.participant, a.visit, a.item, a.response) for a in study.answers if a.instrument == use.name]
        if not rows:
            continue
        schema = {"participant": pl.String, "visit": pl.String, "item": pl.String, "response": pl.Int64}
        answers = pl.DataFrame(rows, schema=schema, orient="row")
        week = {visit.name: visit.week for visit in study.protocol.visits}
        answers = answers.sort(pl.col("visit").replace_strict(week), maintain_order=True)
        instrument = study.instruments[use.name]
        scores = score_survey(instrument, answers)
        surveys.append(SurveyResults(instrument, answers, scores, _describe_scores(scores)))
    return tuple(surveys)


def _describe_scores(scores: pl.DataFrame) -> tuple[str, ...]:
    status = Counter(scores.filter(pl.col("scale") == "total")["status"].to_list())
    said = ", ".join(f"{n} {name}" for name, n in sorted(status.items()))
    return (f"Forms: {said}.",)


def _tabulate_harms(study: Study) -> tuple[EventProportion | None, Mapping[str, pl.DataFrame], tuple[str, ...]]:
    """Count harm among the treated; in parallel groups each arm has tables of its own."""
    if not study.adverse_events_collected or not study.treated:
        return None, {}, ()
    tables: dict[str, pl.DataFrame] = {}
    notes = []
    for group, people in _groups_of_harm(study):
        names = {person.participant for person in people}
        tables |= _tables_of_harm(study, names, group)
        if group and people:
            hurt = len({e.participant for e in study.adverse_events if e.participant in names})
            found = estimate_event_proportion(hurt, len(people))
            notes.append(
                f"{group}: {hurt} of {len(people)} people with an event, {100 * found.rate.value:.1f} %, exact 95 % "
                f"interval {100 * found.rate.ci_low:.1f} to {100 * found.rate.ci_high:.1f} %."
            )
    treated = {person.participant for person in study.treated}
    n_hurt = len({event.participant for event in study.adverse_events if event.participant in treated})
    weeks = study.protocol.follow_up.weeks if study.protocol.follow_up else None
    if weeks is not None:
        notes.append(f"Events were collected for {weeks:g} weeks after enrolment.")
    return estimate_event_proportion(n_hurt, len(treated)), tables, tuple(notes)


def _groups_of_harm(study: Study) -> list[tuple[str, list[Participant]]]:
    if study.protocol.design.kind != "parallel":
        return [("", list(study.enrolled))]
    return [(arm.name, [p for p in study.enrolled if p.arm == arm.name]) for arm in study.protocol.arms]


def _tables_of_harm(study: Study, names: set[str], group: str) -> dict[str, pl.DataFrame]:
    events = pl.DataFrame(
        [
            (e.participant, e.onset.isoformat(), e.term, e.grade, e.serious, e.related, e.outcome)
            for e in study.adverse_events
            if e.participant in names
        ],
        schema=["participant", "onset", "term", "grade", "serious", "related", "outcome"],
        orient="row",
    )
    if events.is_empty():
        return {}
    of_group = f"{group}: " if group else ""
    captions: dict[str, str | tuple[str, ...]] = {
        f"{of_group}people with each event, of {len(names)} people": "term",
        f"{of_group}by worst grade (CTCAE)": "worst_grade",
        f"{of_group}by relation to treatment": "related",
        f"{of_group}by grade and relation (people count in each class in which they had an event)": (
            "grade",
            "related",
        ),
    }
    return {
        caption[0].upper() + caption[1:]: _print_harms(tabulate_adverse_events(events, len(names), by=by))
        for caption, by in captions.items()
    }


def _print_harms(table: pl.DataFrame) -> pl.DataFrame:
    classes = table.columns[: table.columns.index("n_people")]
    return table.select(
        *(pl.col(name).cast(pl.String).fill_null("any").alias(name.replace("_", " ")) for name in classes),
        pl.col("n_people").cast(pl.String).alias("people"),
        pl.col("n_events").cast(pl.String).alias("events"),
        pl.col("proportion").map_elements(lambda p: f"{100 * p:.1f} %", pl.String).alias("share"),
        pl.struct("ci_low", "ci_high")
        .map_elements(lambda s: f"{100 * s['ci_low']:.1f} to {100 * s['ci_high']:.1f} %", pl.String)
        .alias("exact 95 % interval"),
    )


def _describe_plan(study: Study) -> tuple[str, ...]:
    plan = study.protocol.analysis
    model = (
        f"mixed model for repeated measures (REML, covariance {plan.covariance}, {plan.degrees_of_freedom} df)"
        if plan.model == "mmrm"
        else "paired t-test of complete pairs"
    )
    said = (
        f"As planned: {model}; p-values of all planned comparisons adjusted by {plan.multiplicity}; two-sided level "
        f"{plan.alpha:g}; missing visits: {MISSING_WORDS[plan.missing_data]}."
    )
    return (said,)


def _read_planted(study: Study, images: Sequence[MeasuredImage]) -> Planted | None:
    """Read the truth that a synthetic study carries beside its tables; real studies have none."""
    path = study.folder / "planted.csv"
    if not path.exists():
        return None
    truth = {
        (row["participant"], row["visit"]): float(row["density_per_cm2"])
        for row in pl.read_csv(path).iter_rows(named=True)
    }
    rows = [
        (m.image.participant, m.image.visit, m.hairs.density_per_cm2, truth[key])
        for m in images
        if m.usable and m.hairs is not None and (key := (m.image.participant, m.image.visit)) in truth
    ]
    schema = {"participant": pl.String, "visit": pl.String, "measured": pl.Float64, "planted": pl.Float64}
    lots = study.folder / "planted_lots.csv"
    outcome = next((o for o in study.protocol.outcomes if o.kind == "density"), None)
    people = {person.participant for person in study.eligible}
    changes: dict[str, list[float]] = {}
    for (person, visit), density in truth.items():
        if outcome and person in people and visit in outcome.visits and (person, outcome.baseline) in truth:
            changes.setdefault(visit, []).append(density - truth[person, outcome.baseline])
    return Planted(
        densities=pl.DataFrame(rows, schema=schema, orient="row"),
        mean_change={visit: sum(values) / len(values) for visit, values in changes.items()},
        lots={}
        if not lots.exists()
        else {r["lot"]: float(r["median_nm"]) for r in pl.read_csv(lots).iter_rows(named=True)},
    )
