"""A small sound study folder on disk, and ways to spoil it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from anagen.formats.tables import read_table
from anagen.study.findings import Finding
from anagen.study.folder import Reading, read_study

TODAY = dt.date(2026, 6, 1)

PROTOCOL = """\
title = "A small study"
question = "Does density change?"

[design]
kind = "single-arm"

[[arms]]
name = "exosome"

[eligibility]
sex = "male"
age_years = [22, 65]
norwood_hamilton = ["III", "VI"]

[[visits]]
name = "baseline"
week = 0
days_before = 7
days_after = 0

[[visits]]
name = "week 4"
week = 4
days_before = 3
days_after = 7

[[outcomes]]
name = "density"
kind = "density"
unit = "hairs/cm2"
primary = true
baseline = "baseline"
visits = ["week 4"]

[[outcomes]]
name = "satisfaction"
kind = "survey"
unit = "points"
baseline = "baseline"
visits = ["week 4"]
instrument = "satisfaction-5"

[[instruments]]
name = "satisfaction-5"
visits = ["baseline", "week 4"]

[treatment]
product = "exosomes"
lots = ["L1"]
"""
PARTICIPANTS = """\
participant,site,arm,sex,age,norwood_hamilton,enrolled_on,status
P01,A,exosome,male,41,III,2026-01-05,enrolled
P02,A,exosome,male,52,III vertex,2026-01-06,enrolled
P03,A,,female,30,III,,screen-failure
"""
IMAGES = """\
participant,visit,scalp_site,replicate,file,um_per_px,taken_on
P01,baseline,target,1,images/P01_0.png,5.5,2026-01-05
P01,week 4,target,1,images/P01_4.png,5.5,2026-02-02
P02,baseline,target,1,images/P02_0.png,5.5,2026-01-06
P02,week 4,target,1,images/P02_4.png,5.5,2026-02-03
"""
LOTS = "lot,product,role,export_file\nL1,exosomes,product,\n"
MOVIES = """\
lot,dilution,replicate,file,um_per_px,frames_per_s,exposure_ms,temperature_c
L1,1000,1,movies/L1.tif,0.166,30,16.7,25
"""
ANSWERS = "participant,visit,instrument,item,response\n" + "".join(
    f"{participant},{visit},satisfaction-5,{item},{number + 1}\n"
    for participant in ("P01", "P02")
    for visit in ("baseline", "week 4")
    for number, item in enumerate(("thickness", "shedding", "appearance", "burden", "again"))
)
EVENTS = """\
participant,onset,term,grade,serious,related,outcome
P01,2026-01-06,scalp tenderness,1,no,probable,recovered
"""
TABLES = {
    "participants.csv": PARTICIPANTS,
    "images.csv": IMAGES,
    "lots.csv": LOTS,
    "movies.csv": MOVIES,
    "survey.csv": ANSWERS,
    "adverse_events.csv": EVENTS,
}


def write_study(folder: Path, **changed: str | None) -> Path:
    """Write the sound study; ``images="..."`` puts another text into images.csv, None leaves it away."""
    texts = {"protocol.toml": PROTOCOL, **TABLES}
    for name, text in changed.items():
        texts["protocol.toml" if name == "protocol" else f"{name}.csv"] = text
    for name, text in texts.items():
        if text is not None:
            (folder / name).write_text(text, encoding="utf-8")
    for name in ("P01_0", "P01_4", "P02_0", "P02_4"):
        (folder / "images").mkdir(exist_ok=True)
        (folder / "images" / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + name.encode())
    (folder / "movies").mkdir(exist_ok=True)
    (folder / "movies" / "L1.tif").write_bytes(b"II*\x00")
    return folder


def read(folder: Path) -> Reading:
    return read_study(folder, read_table=read_table, today=TODAY)


def spoil(folder: Path, **changed: str | None) -> list[Finding]:
    """Findings of the small study with the given texts, what is always found (the screen failure) left away."""
    return [finding for finding in read(write_study(folder, **changed)).findings if finding.code != "screen-failure"]
