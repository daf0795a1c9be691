import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagen.errors import InputError, InputFaults
from anagen.surveys import load_instrument, score_survey

HAIR = load_instrument("satisfaction-5")
LIFE = load_instrument("scalp-life-10")
CARE = load_instrument("care-experience-12")


def answers(instrument, values, participant="P1", visit="week-12"):
    ids = [item.id for item in instrument.items]
    return pl.DataFrame(
        {"participant": participant, "visit": visit, "item": ids[: len(values)], "response": list(values)},
        schema_overrides={"response": pl.Int64},
    )


def test_a_complete_sum_is_the_sum():
    row = score_survey(HAIR, answers(HAIR, [1, 2, 3, 4, 5])).row(0, named=True)
    assert (row["score"], row["n_items_answered"], row["status"]) == (15.0, 5, "complete")


def test_reversed_items_are_turned_and_subscales_come_after_the_total():
    agree = score_survey(CARE, answers(CARE, [5] * 12))
    assert agree["scale"].to_list() == ["total", "overall", "skill", "manner", "talk", "access", "cost"]
    assert agree["score"].to_list() == [3.0] * 7
    best = [1 if item.reverse else 5 for item in CARE.items]
    assert score_survey(CARE, answers(CARE, best))["score"].to_list() == [5.0] * 7


def test_missing_answers_follow_the_stated_rule():
    pro_rated = score_survey(HAIR, answers(HAIR, [4, 4, None, 4, 4])).row(0, named=True)
    assert (pro_rated["score"], pro_rated["n_items_answered"], pro_rated["status"]) == (20.0, 4, "pro-rated")
    too_few = score_survey(HAIR, answers(HAIR, [4, 4, None, None, 4])).row(0, named=True)
    assert (too_few["score"], too_few["n_items_answered"], too_few["status"]) == (None, 3, "too-few-answers")
    absent = score_survey(HAIR, answers(HAIR, [4, 4, 4, 4])).row(0, named=True)
    assert absent["score"] == 20.0
    nobody = score_survey(HAIR, answers(HAIR, [None] * 5)).row(0, named=True)
    assert (nobody["score"], nobody["n_items_answered"]) == (None, 0)


@settings(max_examples=40)
@given(st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=10, max_size=10), st.randoms())
def test_scores_stay_in_range_whatever_the_order_and_types(values, random):
    table = answers(LIFE, values)
    scored = score_survey(LIFE, table)
    total = scored["score"][0]
    assert total is None or LIFE.scoring.low <= total <= LIFE.scoring.high
    if None not in values:
        assert total == sum(values)
    order = list(range(10))
    random.shuffle(order)
    assert score_survey(LIFE, table[order].with_columns(pl.col("response").cast(pl.String))).equals(scored)


def test_people_visits_and_instruments_are_kept_apart():
    table = pl.concat(
        [
            answers(HAIR, [v] * 5, person, visit)
            for v, person, visit in [(2, "P2", "w4"), (1, "P1", "w4"), (5, "P2", "w12")]
        ]
    ).with_columns(pl.lit("satisfaction-5").alias("instrument"))
    other = answers(LIFE, [3] * 10, "P2", "w4").with_columns(pl.lit("scalp-life-10").alias("instrument"))
    scored = score_survey(HAIR, pl.concat([table, other]))
    assert scored.select("participant", "visit", "score").rows() == [
        ("P2", "w4", 10),
        ("P1", "w4", 5),
        ("P2", "w12", 25),
    ]


def test_no_answers_give_an_empty_table():
    assert score_survey(HAIR, answers(HAIR, [])).height == 0


def test_every_fault_is_named_at_once():
    table = answers(HAIR, [1, 2, 3, 4, 9]).with_columns(pl.col("response").cast(pl.String))
    extra = pl.DataFrame(
        {
            "participant": ["P1", "", "P1"],
            "visit": ["week-12"] * 3,
            "item": ["thickness", "again", "smell"],
            "response": ["2", "two", "1"],
        }
    )
    with pytest.raises(InputFaults) as caught:
        score_survey(HAIR, pl.concat([table, extra]))
    places = [(fault.row, fault.column) for fault in caught.value.faults]
    assert places == [(6, "response"), (7, "item"), (8, "participant"), (8, "response"), (9, "item")]


def test_refuses_a_table_without_its_columns():
    with pytest.raises(InputError, match="missing: response"):
        score_survey(HAIR, answers(HAIR, [1]).drop("response"))
    with pytest.raises(InputFaults, match="does not offer this answer"):
        score_survey(HAIR, answers(HAIR, [1]).with_columns(response=pl.lit(np.inf)))
