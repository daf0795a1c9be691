import re
from html.parser import HTMLParser

import polars as pl

from anagen.report.content import Answer, ExampleImage, FlowStep, KeyNumber, ReportContent, Section
from anagen.report.html import render_report

CONTENT = ReportContent(
    title="Trial <1>",
    question="Does it grow?",
    design="Single arm",
    banner="Synthetic study",
    answer=Answer("This study cannot say.", ("up",), ("why",), ("a sham",), ("Talk to a specialist.",), "rules 1"),
    key_numbers=(KeyNumber("Change", "+4.6 hairs/cm2", "95 % interval 1.2 to 8.0"),),
    flow=(FlowStep("Assessed", 33, ("3 not enrolled: too young",)), FlowStep("Enrolled", 30)),
    sections=(
        Section(
            "density",
            "Density",
            tables={"Means": pl.DataFrame({"visit": ["week 4"], "mean": ["150.1"]})},
            images=(ExampleImage("P01", "hairs of P01", "image/png", b"\x89PNG"),),
        ),
    ),
    software="Anagen",
)


class Outline(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]


def test_one_file_needs_nothing_else():
    html = render_report(CONTENT)
    outline = Outline()
    outline.feed(html)
    assert "script" not in outline.tags
    assert "link" not in outline.tags
    sources = [value for _, name, value in outline.attributes if name in ("src", "href")]
    assert all(value.startswith(("data:", "#")) for value in sources)
    assert not re.search(r"url\((?!#)", html)


def test_every_picture_has_words_and_every_anchor_a_place():
    html = render_report(CONTENT)
    outline = Outline()
    outline.feed(html)
    assert [value for tag, name, value in outline.attributes if tag == "img" and name == "alt"] == ["hairs of P01"]
    ids = {value for _, name, value in outline.attributes if name == "id"}
    anchors = {value[1:] for tag, name, value in outline.attributes if tag == "a" and name == "href"}
    assert anchors <= ids


def test_what_users_wrote_is_escaped():
    assert "Trial &lt;1&gt;" in render_report(CONTENT)
    assert "<1>" not in render_report(CONTENT)


def test_same_content_same_bytes():
    assert render_report(CONTENT) == render_report(CONTENT)
