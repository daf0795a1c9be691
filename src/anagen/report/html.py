"""Set a report as one HTML file that needs nothing else: styles and figures inside, no script, no network."""

from __future__ import annotations

import base64
from importlib import resources

import jinja2
import polars as pl

from anagen.report.content import ExampleImage, ReportContent
from anagen.report.svg import SvgFigure


def render_report(content: ReportContent) -> str:
    """Give the HTML of a report.

    Parameters
    ----------
    content : ReportContent
        What it shows.

    Returns
    -------
    str
        A whole document; the same content gives the same bytes.
    """
    return _environment().get_template("report.html.j2").render(c=content, css=_read_template("report.css"))


def render_patient_page(content: ReportContent, figure: SvgFigure | None) -> str:
    """Give the HTML of the page for people who took part: the verdict's plain words and one picture.

    Parameters
    ----------
    content : ReportContent
        Of the report.
    figure : SvgFigure or None
        From `draw_plain_change`.
    """
    template = _environment().get_template("patient.html.j2")
    return template.render(c=content, figure=figure, css=_read_template("report.css"))


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = _to_data_uri
    environment.filters["numeric"] = _is_numeric
    return environment


def _read_template(name: str) -> str:
    return resources.files("anagen.report").joinpath("templates", name).read_text(encoding="utf-8")


def _to_data_uri(image: ExampleImage) -> str:
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"


def _is_numeric(table: pl.DataFrame) -> dict[str, bool]:
    """Which columns to set flush right: those whose printed cells mostly begin with a digit or sign."""
    marks = set("0123456789+−<–")
    return {
        name: sum(bool(str(value)) and str(value)[0] in marks for value in table[name]) * 2 > max(table.height, 1)
        for name in table.columns
    }
