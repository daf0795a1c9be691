from dataclasses import replace

import numpy as np
import pytest
from tests.hair.points import plant_roots, see

from anagen.errors import InputError
from anagen.hair.anagen import measure_anagen


def visits(rng, *, days=2.0, anagen_share=0.8, rate_um=320.0, length_sd=25.0, scale=1.0):
    roots = plant_roots(rng)
    before, _ = see(roots, rng)
    after, who = see(roots, rng, rotation_deg=5.0, scale=scale, jitter_um=10.0)
    grows = rng.random(len(roots)) < anagen_share
    longer = [
        replace(
            hair,
            length_um=scale * (hair.length_um + grows[k] * days * rng.normal(rate_um, 40)) + rng.normal(0, length_sd),
        )
        for hair, k in zip(after.hairs, who, strict=True)
    ]
    shorter = [replace(hair, length_um=hair.length_um + rng.normal(0, length_sd)) for hair in before.hairs]
    return replace(before, hairs=tuple(shorter)), replace(after, hairs=tuple(longer)), grows[who]


def test_recovers_the_planted_fraction_and_rate():
    before, after, grows = visits(np.random.default_rng(1), scale=1.03)
    found = measure_anagen(before, after, days=2.0)
    assert found.anagen_fraction.value == pytest.approx(grows.mean(), abs=0.05)
    assert found.growth_rate_mm_per_day.value == pytest.approx(0.32, abs=0.02)
    assert found.n_anagen + found.n_telogen + found.n_indeterminate == len(found.hairs)


def test_the_interval_covers_the_planted_share():
    hits = []
    for seed in range(25):
        before, after, _ = visits(np.random.default_rng(seed), anagen_share=0.8)
        fraction = measure_anagen(before, after, days=2.0).anagen_fraction
        hits.append(fraction.ci_low <= 0.8 <= fraction.ci_high)
    assert np.mean(hits) >= 0.88


def test_a_poor_length_is_indeterminate_not_telogen():
    before, after, _ = visits(np.random.default_rng(2), days=1.0)
    sharp, blunt = (measure_anagen(before, after, days=1.0, length_sd_um=sd) for sd in (25.0, 150.0))
    assert blunt.n_indeterminate > 0.5 * len(blunt.hairs) > sharp.n_indeterminate
    assert "anagen-indeterminate" in {flag.code for flag in blunt.flags}
    assert blunt.anagen_fraction.ci_high - blunt.anagen_fraction.ci_low > 0.5


def test_refuses_another_site_and_impossible_days():
    rng = np.random.default_rng(3)
    before, after = see(plant_roots(rng), rng)[0], see(plant_roots(rng), rng)[0]
    assert measure_anagen(before, after, days=2).refused
    with pytest.raises(InputError, match="days must lie in 1 to 4, got 30"):
        measure_anagen(before, after, days=30)
    with pytest.raises(InputError, match="must be above 0"):
        measure_anagen(before, after, days=2, length_sd_um=0)
