import pytest

from anagen.errors import InputError, InputFaults
from anagen.surveys import list_instruments, load_instrument, parse_instrument

SMALL = """
name = "two"
version = "1"
title = "Two questions"
language = "en"
source = "test"
instructions = "Answer."
recall = "today"
timing = ["baseline"]
[scoring]
method = "sum"
low = 0
high = 4
min_answered = 2
missing = "none"
better = "higher"
[[scoring.bands]]
low = 0
high = 2
label = "poor"
[[responses]]
value = 0
label = "no"
[[responses]]
value = 2
label = "yes"
[[items]]
id = "a"
text = "A?"
[[items]]
id = "b"
text = "B?"
reverse = true
"""


def test_every_instrument_of_the_package_reads_and_its_name_is_its_file():
    assert [load_instrument(name).name for name in list_instruments()] == list(list_instruments())
    five = load_instrument("satisfaction-5")
    assert len(five.items) == 5
    assert [response.value for response in five.responses] == [1, 2, 3, 4, 5]
    assert len(load_instrument("scalp-life-10").items) == 10
    assert set(load_instrument("care-experience-12").scales) == {
        "total", "overall", "skill", "manner", "talk", "access", "cost",
    }  # fmt: skip


def test_parses_what_is_written():
    two = parse_instrument(SMALL)
    assert two.item("b").reverse
    assert two.scoring.bands[0].label == "poor"
    assert (two.scoring.low, two.scoring.high) == (0.0, 4.0)


def test_every_fault_is_named_at_once():
    text = SMALL.replace('version = "1"', 'verison = "1"').replace('method = "sum"', 'method = "product"')
    text = text.replace('id = "b"', "id = 3")
    with pytest.raises(InputFaults) as caught:
        parse_instrument(text, file="two.toml")
    columns = {fault.column for fault in caught.value.faults}
    assert columns == {"version", "verison", "scoring.method", "items[2].id"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("high = 4", "high = 5", "give a sum from 0 to 4"),
        ('id = "b"', 'id = "a"', "each item id stands once"),
        ("value = 2", "value = 0", "two different answers"),
        ("min_answered = 2", "min_answered = 3", "min_answered lies between 1 and 2"),
        ('name = "two"', "name = two", "not valid TOML"),
        ("[scoring]", "[score]", "scoring.method is missing"),
        ("[[items]]", "[[questions]]", "items is a list of tables"),
        ("low = 0\nhigh = 2", "low = 3\nhigh = 2", "a band lies inside"),
    ],
)
def test_refuses_what_makes_no_sense(old, new, message):
    with pytest.raises(InputFaults, match=message):
        parse_instrument(SMALL.replace(old, new))


def test_refuses_an_unknown_name():
    with pytest.raises(InputError, match="choose among care-experience-12, satisfaction-5"):
        load_instrument("dlqi")
    with pytest.raises(InputError, match="has no item 'x'"):
        load_instrument("satisfaction-5").item("x")
