"""risk_of_bias.toml and lot_records.toml: read when sound, every fault named when not."""

from importlib import resources

import pytest
from tests.study.small_study import read, write_study

GOOD_BIAS = (resources.files("anagen.workflows") / "templates" / "example-risk_of_bias.toml").read_text(
    encoding="utf-8"
)


def faults(folder, **files):
    write_study(folder)
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    reading = read(folder)
    return reading.study, " | ".join(str(f.fault) for f in reading.findings if f.effect == "stop")


def test_a_judgement_comes_with_its_domains_and_certainty(tmp_path):
    study, said = faults(tmp_path, risk_of_bias=GOOD_BIAS)
    assert not said
    assert study.bias.judgement.overall == "critical"
    assert len(study.bias.judgement.domains) == 7
    assert study.bias.certainty == "very low"


def test_without_the_files_nothing_is_judged_or_known(tmp_path):
    study, _ = faults(tmp_path)
    assert study.bias is None
    assert study.lot_records == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD_BIAS.replace("robins_i_v1", "robins_ii"), "names no questionnaire"),
        (GOOD_BIAS.replace('judged_by = "the authors of the example"', ""), "nobody signs"),
        (GOOD_BIAS.replace('"7.3" = ["N", "no subgroup is reported"]', ""), "not answered"),
        (GOOD_BIAS.replace('["N", "no subgroup is reported"]', '["maybe", "x"]'), "answers are Y, PY, PN, N, NI"),
        (GOOD_BIAS.replace('["N", "no subgroup is reported"]', '"N"'), "a code and a reason"),
        (GOOD_BIAS.replace('certainty = "very low"', 'certainty = "certain"'), "unknown certainty"),
        (GOOD_BIAS.replace("certainty_reason", "because"), "a certainty without its reason"),
        ("instrument = ", "cannot be read"),
    ],
)
def test_each_fault_of_a_judgement_is_named(tmp_path, text, message):
    study, said = faults(tmp_path, risk_of_bias=text)
    assert study is None
    assert "risk_of_bias.toml" in said
    assert message in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[L2]\nsource = "cells"', "this lot is not in lots.csv"),
        ('[L1]\nsorce = "cells"', "Did you mean 'source'?"),
        ('[L1]\nsource = ["cells"]', "must be text or a number"),
        ('L1 = "cells"', "a lot is a section"),
        ("[L1", "cannot be read"),
    ],
)
def test_each_fault_of_a_lot_record_is_named(tmp_path, text, message):
    _, said = faults(tmp_path, lot_records=text)
    assert "lot_records.toml" in said
    assert message in said


def test_what_the_laboratory_knows_is_kept(tmp_path):
    study, _ = faults(tmp_path, lot_records='[L1]\nsource = "cells"\nph = 7.4')
    assert study.lot_records == {"L1": {"source": "cells", "ph": "7.4"}}
