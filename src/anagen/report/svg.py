"""Draw with matplotlib, hand out SVG that fits into a page: same bytes every time, in the page's own ink."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK: Final = "#010203"
"""Stands for the page's text colour while matplotlib draws; becomes `currentColor`, so figures follow a dark page."""
BLUE: Final = "#2f6fb3"
ORANGE: Final = "#d9741a"
GREY: Final = "#8a8f98"
TEAL: Final = "#1b8a7a"
DIVERGING: Final = ("#b2473a", "#e3a08f", "#c9c9c6", "#8fbcd8", "#2f6fb3")
"""Dissatisfied to satisfied; tells apart in the common colour-vision deficiencies and in grey print."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "anagen",
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


@dataclass(frozen=True)
class SvgFigure:
    """A figure for the page.

    Parameters
    ----------
    name : str
        Kebab-case; file name and id prefix.
    caption : str
        What it shows and how, one or two sentences.
    alt : str
        What a person who cannot see it must know: the finding in words.
    svg : str
        One `<svg>` element.
    png : bytes
        The same picture on white, 200 dots per inch, for a slide or a manuscript.
    """

    name: str
    caption: str
    alt: str
    svg: str
    png: bytes = b""

    def as_file(self) -> str:
        """Give the SVG as a file that stands alone: black ink, a font of its own."""
        return self.svg.replace("<svg ", '<svg font-family="DejaVu Sans, Helvetica, Arial, sans-serif" ', 1) + "\n"


@contextmanager
def drawing(width_in: float = 5.0, height_in: float = 3.2) -> Iterator[tuple[Figure, Axes]]:
    """Open a figure of the house style with one pair of axes."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasSVG(figure)
        yield figure, figure.add_subplot()


def to_svg(figure: Figure, *, name: str, caption: str, alt: str) -> SvgFigure:
    """Turn a drawn figure (inside its `drawing` block) into one SVG element."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(id="|url\(#|xlink:href="#)', rf"\g<1>{name}-", text)
    text = re.sub(r"font: ([\d.]+px) 'DejaVu Sans'(?:, [^;\"]*)?", r"font-size: \1", text)
    text = text.replace(INK, "currentColor")
    text = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', _opening(alt), text, count=1)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=200, facecolor="white", metadata={"Software": None})
    return SvgFigure(name, caption, alt, text.strip(), picture.getvalue())


def _opening(alt: str) -> str:
    label = escape(alt, quote=True).replace("\\", r"\\")
    return (
        r'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" \1 role="img" '
        rf'aria-label="{label}">'
    )
