import numpy as np
import polars as pl
import pytest

from anagen.errors import InputError
from anagen.synthetic.trial import simulate_trial


def test_walks_every_path():
    trial = simulate_trial(np.random.default_rng(3))
    assert trial.participants.filter(pl.col("status") == "screen-failure").height == 3
    assert len(trial.visits) == 30 * 3 - 1
    assert sum(visit.blur_um > 40 for visit in trial.visits) == 1
    assert trial.survey["response"].null_count() == 1
    assert trial.adverse_events.height == 1


def test_plants_the_change_asked_for():
    trial = simulate_trial(np.random.default_rng(3), n_enrolled=4000, mean_change=(5.0, 12.0))
    assert trial.mean_change["week 4"] == pytest.approx(5.0, abs=4 * 6 / np.sqrt(4000))
    assert trial.mean_change["week 12"] == pytest.approx(12.0, abs=4 * 9 / np.sqrt(4000))


def test_same_seed_same_trial():
    first, second = (simulate_trial(np.random.default_rng(5)) for _ in range(2))
    assert first.participants.equals(second.participants)
    assert first.survey.equals(second.survey)
    assert [v.density_per_cm2 for v in first.visits] == [v.density_per_cm2 for v in second.visits]


def test_refuses_too_few_people():
    with pytest.raises(InputError, match="at least 4"):
        simulate_trial(np.random.default_rng(1), n_enrolled=2)
