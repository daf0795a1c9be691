import math

import numpy as np
import pytest

from anagen.errors import InputError
from anagen.hair.measurement import Hair, HairMeasurement
from anagen.hair.thickness import count_terminal, cumulative_thickness, terminal_density, vellus_density
from anagen.records import Flag


def field(diameters, sd=2.0, **more):
    path = np.array([[0.0, 0.0], [0.0, 9.0]])
    hairs = [Hair(k, path, 45.0, d, math.nan if math.isnan(d) else sd, 1.0) for k, d in enumerate(diameters, start=1)]
    return HairMeasurement(tuple(hairs), 0.5, 5.0, (10, 10), **more)


def test_far_from_the_cut_off_it_is_a_plain_count():
    found = count_terminal(field([20.0, 70.0, 80.0]), cut_off_um=40)
    assert found.value == pytest.approx(2.0)
    assert found.ci_low == pytest.approx(2.0)
    assert terminal_density(field([20.0, 70.0, 80.0]), cut_off_um=40).value == pytest.approx(4.0)


def test_a_hair_at_the_cut_off_counts_half_and_says_so():
    found = count_terminal(field([40.0] * 16), cut_off_um=40)
    assert found.value == pytest.approx(8.0)
    assert (found.ci_low, found.ci_high) == pytest.approx((8 - 1.96 * 2, 8 + 1.96 * 2), abs=0.01)


def test_terminal_and_vellus_add_to_all():
    measured = field([25.0, 39.0, 41.0, 60.0, math.nan])
    both = terminal_density(measured, cut_off_um=40).value + vellus_density(measured, cut_off_um=40).value
    assert both == pytest.approx(measured.density_per_cm2)


def test_unresolved_hairs_widen_the_interval():
    sure, unsure = (count_terminal(field(d), cut_off_um=40) for d in ([60.0] * 5, [60.0] * 5 + [math.nan]))
    assert unsure.ci_high - unsure.ci_low > sure.ci_high - sure.ci_low
    assert unsure.ci_low <= 5.0 <= 6.0 <= unsure.ci_high + 1e-9


def test_the_interval_covers_the_true_count():
    rng = np.random.default_rng(1)
    hits = []
    for _ in range(300):
        true = rng.normal(42, 12, 60)
        found = count_terminal(field(true + rng.normal(0, 3, 60), sd=3.0), cut_off_um=40)
        hits.append(found.ci_low <= (true > 40).sum() <= found.ci_high)
    assert np.mean(hits) > 0.92


def test_cumulative_thickness_is_the_sum_of_diameters_over_the_area():
    found = cumulative_thickness(field([50.0, 70.0]))
    assert found.value == pytest.approx(0.12 / 0.5)
    assert found.ci_high - found.value == pytest.approx(1.96 * math.sqrt(8) / 1000 / 0.5, rel=1e-3)
    assert cumulative_thickness(field([])).value == 0.0


def test_refused_and_wrong_input():
    refused = field([50.0], flags=(Flag("out-of-focus", "refused", "blur 9 px"),))
    assert math.isnan(count_terminal(refused, cut_off_um=40).value)
    assert math.isnan(cumulative_thickness(field([math.nan])).value)
    with pytest.raises(InputError, match="cut_off_um must be above 0"):
        count_terminal(field([50.0]), cut_off_um=0)


def test_what_all_diameters_share_is_not_averaged_out():
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(300):
        true = rng.normal(60, 12, 80)
        together = 1 + 0.03 * rng.normal()
        seen = (true + rng.normal(0, 2, 80)) * together
        measured = field(seen, sd=math.hypot(2.0, 0.03 * 60), diameter_common_sd=0.03)
        thick, terminal = cumulative_thickness(measured), count_terminal(measured, cut_off_um=60)
        covered.append(
            (
                thick.ci_low <= true.sum() / 1000 / 0.5 <= thick.ci_high,
                terminal.ci_low <= (true > 60).sum() <= terminal.ci_high,
            )
        )
    assert np.all((np.mean(covered, axis=0) > 0.92) & (np.mean(covered, axis=0) < 0.99))
    alone = cumulative_thickness(field(seen, sd=math.hypot(2.0, 0.03 * 60)))
    assert thick.ci_high - thick.ci_low > 4 * (alone.ci_high - alone.ci_low)
