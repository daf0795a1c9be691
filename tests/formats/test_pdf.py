"""Printing by the browser that is there; where there is none, the reason and the way out."""

from anagen.formats.pdf import _blank_dates, find_browser, print_pdf

PAGE = "<!doctype html><html lang='en'><title>t</title><h1>Report</h1><p>One page.</p></html>"


def test_prints_the_same_bytes_twice_or_says_why_not(tmp_path):
    page = tmp_path / "report.html"
    page.write_text(PAGE)
    made = []
    for name in ("a.pdf", "b.pdf"):
        why_not = print_pdf(page, tmp_path / name)
        if find_browser() is None:
            assert "install one" in why_not
            assert not (tmp_path / name).exists()
            return
        assert why_not == ""
        made.append((tmp_path / name).read_bytes())
    assert made[0].startswith(b"%PDF")
    assert made[0] == made[1]


def test_a_browser_that_fails_leaves_no_file_and_a_reason(tmp_path, monkeypatch):
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho 'no display' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("anagen.formats.pdf.BROWSERS", ("chromium",))
    (tmp_path / "report.html").write_text(PAGE)
    assert "no display" in print_pdf(tmp_path / "report.html", tmp_path / "report.pdf")
    assert not (tmp_path / "report.pdf").exists()


def test_dates_are_blanked_in_place():
    pdf = b"/CreationDate (D:20260101120000+00'00')\n/ModDate (D:20260101120000+00'00')"
    blank = _blank_dates(pdf)
    assert len(blank) == len(pdf)
    assert b"2026" not in blank
