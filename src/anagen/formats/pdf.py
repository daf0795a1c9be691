"""Print a page to PDF with the browser of this machine; without one, say so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

BROWSERS: Final = (
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "chrome",
    "microsoft-edge",
    "msedge",
)
TIME_LIMIT_S: Final = 180
_DATES = re.compile(rb"/(CreationDate|ModDate) \(D:[^)]*\)")


def find_browser() -> str | None:
    """Find a browser that prints without a screen: Chromium, Chrome or Edge on the path; None where there is none."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def print_pdf(page: Path, pdf: Path) -> str:
    """Print an HTML file to a PDF file.

    The dates that the browser stamps are blanked, so that the same page gives the same bytes with the same browser.

    Parameters
    ----------
    page, pdf : Path
        The HTML file, and what is written; nothing is written when it fails.

    Returns
    -------
    str
        Empty when it is done; else why not, in one line with the way out.
    """
    browser = find_browser()
    if browser is None:
        return "no Chromium, Chrome or Edge was found: install one, or print report.html from any browser"
    with tempfile.TemporaryDirectory(prefix="anagen-pdf-") as folder:
        made = Path(folder) / "page.pdf"
        try:
            done = subprocess.run(  # noqa: S603 - the program comes from BROWSERS, the page from this run
                [browser, *_options(folder), f"--print-to-pdf={made}", page.resolve().as_uri()],
                capture_output=True,
                text=True,
                timeout=TIME_LIMIT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{Path(browser).name} could not print it ({error}): print report.html from any browser"
        if not made.exists() or not made.read_bytes().startswith(b"%PDF"):
            said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            return f"{Path(browser).name} could not print it ({said}): print report.html from any browser"
        half = pdf.with_suffix(".pdf.part")
        half.write_bytes(_blank_dates(made.read_bytes()))
        half.replace(pdf)
    return ""


def _options(folder: str) -> list[str]:
    options = [
        "--headless",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-extensions",
        "--no-pdf-header-footer",
        f"--user-data-dir={folder}/profile",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--no-sandbox")  # Chromium refuses to start its sandbox for the superuser, as in containers
    return options


def _blank_dates(pdf: bytes) -> bytes:
    """Keep every byte at its place: the file's own table of places stays right."""
    return _DATES.sub(lambda found: re.sub(rb"\d", b"0", found.group(0)), pdf)
