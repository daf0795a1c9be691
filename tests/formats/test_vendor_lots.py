"""Any export is told apart by its content, not its name."""

import pytest
from tests.formats.exports import nanosight_summary, zetaview_size

from anagen.errors import InputError
from anagen.formats.vendor_lots import read_vendor_lot


@pytest.mark.parametrize(("text", "instrument"), [(nanosight_summary(), "NanoSight"), (zetaview_size(), "ZetaView")])
def test_the_content_says_whose_it_is(tmp_path, text, instrument):
    (tmp_path / "lot.dat").write_bytes(text.encode("latin-1"))
    assert read_vendor_lot(tmp_path / "lot.dat").instrument == instrument


@pytest.mark.parametrize(("text", "what"), [
    ("Use\tPosition\tMean Int.\n", "table of positions, which holds no size distribution"),
    ("Particle ID,Included in distribution?\n", "list of tracks, which holds no concentration"),
    ("[Filenames]\na.avi\n[CaptureSettings]\n", r"\.nano file, which holds no results"),
    ("lot,dilution\n", "is no export of NanoSight or ZetaView; give NanoSight's"),
])  # fmt: skip
def test_other_files_are_named(tmp_path, text, what):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=what):
        read_vendor_lot(tmp_path / "a.csv")
