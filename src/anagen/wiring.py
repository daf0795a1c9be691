"""The one place where adapters are built and handed to workflows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from anagen.compute.dask import DaskRunner
from anagen.compute.processes import ProcessRunner
from anagen.compute.serial import SerialRunner
from anagen.formats.hashes import hash_file
from anagen.formats.images import encode_jpeg, read_image, write_image
from anagen.formats.movies import open_movie, write_movie
from anagen.formats.pdf import print_pdf
from anagen.formats.tables import read_table
from anagen.formats.vendor_lots import read_vendor_lot
from anagen.hair import Region
from anagen.hair.calibrate import ScaleCalibration
from anagen.store.measurements import MeasurementStore
from anagen.workflows import calibrate, measure_hair, measure_vesicles
from anagen.workflows.check import CheckReport, check_study
from anagen.workflows.draw_example import draw_example
from anagen.workflows.measure import explain_lost_worker, measure_file
from anagen.workflows.measure_controls import ControlFiles
from anagen.workflows.measure_hair import PhotoResult
from anagen.workflows.measure_vesicles import MovieResults
from anagen.workflows.ports import Progress, Runner
from anagen.workflows.run import RunPorts
from anagen.workflows.write_example import ExamplePorts, render_example


def check_folder(folder: Path) -> CheckReport:
    """Look at a study folder with the readers of this machine."""
    return check_study(
        folder, read_table=read_table, read_image=read_image, open_movie=open_movie, read_export=read_vendor_lot
    )


def make_run_ports(*, jobs: int, scheduler: str | None, progress: Progress, pdf: bool = False) -> RunPorts:
    """Build what `run_study` needs; with `pdf` the report is printed by the browser of this machine."""
    return RunPorts(
        read_table=read_table,
        hash_file=hash_file,
        measure_file=partial(measure_file, read_image=read_image, open_movie=open_movie),
        runner=make_runner(jobs, scheduler, on_lost=explain_lost_worker),
        progress=progress,
        open_store=MeasurementStore,
        read_image=read_image,
        draw_example=partial(draw_example, read_image=read_image, encode_jpeg=encode_jpeg),
        read_vendor_lot=read_vendor_lot,
        print_pdf=print_pdf if pdf else _print_nothing,
    )


def _print_nothing(page: Path, pdf: Path) -> str:
    return f"{pdf.name} was not asked for beside {page.name}"


def make_example_ports(*, jobs: int, progress: Progress) -> ExamplePorts:
    """Build what `write_example_study` needs."""
    render = partial(render_example, write_image=write_image, write_movie=write_movie)
    return ExamplePorts(render=render, runner=make_runner(jobs, None), progress=progress)


def make_runner(jobs: int, scheduler: str | None, *, on_lost: Callable[[object], object] | None = None) -> Runner:
    """Choose who does the work: this process, several of them, or a cluster."""
    if scheduler is not None:
        return DaskRunner(scheduler)
    return SerialRunner() if jobs == 1 else ProcessRunner(jobs, on_lost=on_lost)


def calibrate_photo(file: Path, *, tick_um: float | None) -> ScaleCalibration:
    """Find a photograph's scale with the reader of this machine."""
    return calibrate.calibrate_photo(file, tick_um=tick_um, read_image=read_image)


def measure_photos(
    files: Sequence[Path],
    *,
    um_per_px: float,
    gamma: float | None,
    region: Region | None,
    overlay_folder: Path | None,
    progress: Progress,
) -> list[PhotoResult]:
    """Measure single photographs with the adapters of this machine."""
    return measure_hair.measure_photos(
        files,
        um_per_px=um_per_px,
        gamma=gamma,
        region=region,
        overlay_folder=overlay_folder,
        read_image=read_image,
        write_image=write_image,
        progress=progress,
    )


def measure_movies(
    files: Sequence[Path],
    *,
    settings: dict[str, Any],
    figure_folder: Path | None,
    controls: ControlFiles,
    preparations: Sequence[str],
    progress: Progress,
) -> MovieResults:
    """Measure single movies with the adapters of this machine."""
    return measure_vesicles.measure_movies(
        files,
        settings=settings,
        figure_folder=figure_folder,
        open_movie=open_movie,
        progress=progress,
        controls=controls,
        preparations=preparations,
    )
