from dataclasses import replace

import numpy as np
import pytest
from tests.hair.points import plant_roots, see

from anagen.errors import InputError
from anagen.hair.match import match_visits
from anagen.hair.measurement import Hair, HairMeasurement
from anagen.records import Flag, from_json, to_json
from anagen.synthetic.scalp import grow_scalp, photograph_scalp


def numbers_of(measurement, which):
    return {hair.number: int(row) for hair, row in zip(measurement.hairs, which, strict=True)}


@pytest.fixture(scope="module")
def roots():
    return plant_roots(np.random.default_rng(1))


@pytest.mark.parametrize(
    "camera",
    [
        {},
        {"rotation_deg": 20.0, "scale": 1.05},
        {"rotation_deg": -20.0, "stretch": 0.05, "bend_um": 60.0},
        {"rotation_deg": 8.0, "shift_um": (1500.0, -1200.0), "length_um": 900.0},
    ],
    ids=["same", "turned and scaled", "stretched and bent", "half the field, longer hair"],
)
def test_follows_every_hair_and_counts_the_planted_change(roots, camera):
    rng = np.random.default_rng(2)
    before, who_before = see(roots, rng)
    gone = rng.choice(who_before, 6, replace=False)
    kept = np.setdiff1d(np.arange(len(roots)), gone)
    after, who_after = see(roots[kept], rng, **camera)
    match = match_visits(before, after)
    first, second = numbers_of(before, who_before), numbers_of(after, kept[who_after])
    assert not match.refused
    assert all(first[pair.before] == second[pair.after] for pair in match.pairs)
    assert {first[number] for number in match.lost} <= set(gone.tolist())
    assert match.new == ()
    assert match.change.value == -len(match.lost)
    assert match.change_per_cm2.value == pytest.approx(match.change.value / match.shared_area_cm2)


def test_recovers_the_camera(roots):
    rng = np.random.default_rng(3)
    match = match_visits(see(roots, rng)[0], see(roots, rng, rotation_deg=12.0, scale=1.03, jitter_um=10.0)[0])
    assert match.rotation_deg == pytest.approx(12.0, abs=0.5)
    assert match.scale == pytest.approx(1.03, abs=0.005)
    assert match.residual_um < 30
    middle = np.array([2560.0, 3200.0])
    assert np.allclose(match.warp.apply(middle), middle, atol=25)


def test_swapping_the_visits_swaps_lost_and_new(roots):
    rng = np.random.default_rng(4)
    before, after = see(roots, rng)[0], see(roots[10:], rng, rotation_deg=5.0, missed=0.05)[0]
    there, back = match_visits(before, after), match_visits(after, before)
    assert there.change.value == -back.change.value
    assert (there.lost, there.new) == (back.new, back.lost)


def test_shared_area_is_the_overlap_less_its_margin(roots):
    rng = np.random.default_rng(5)
    match = match_visits(see(roots, rng)[0], see(roots, rng, shift_um=(0.0, 1400.0))[0], margin_um=100.0)
    assert match.shared_area_cm2 == pytest.approx((5120 - 200) * (6400 - 1400 - 200) / 1e8, rel=0.02)
    assert "small-overlap" not in {flag.code for flag in match.flags}


def test_thickening_needs_more_than_its_error(roots):
    rng = np.random.default_rng(6)
    before = see(roots, rng)[0]
    thicker = roots.copy()
    thicker[:, 3] *= 1.3
    match = match_visits(before, see(thicker, rng)[0])
    unclear = match_visits(before, see(thicker, rng, diameter_sd_um=25.0)[0])
    assert np.mean([pair.state == "thickened" for pair in match.pairs]) > 0.95
    assert np.mean([pair.state == "thickened" for pair in unclear.pairs]) < 0.3
    assert all(pair.state == "persisted" for pair in match_visits(before, before).pairs)


def test_visits_read_under_two_transfer_curves_are_flagged(roots):
    before, after = (see(roots, np.random.default_rng(seed))[0] for seed in (6, 7))
    linear, srgb = (replace(field, gamma=gamma) for field, gamma in ((before, 1.0), (after, 2.2)))
    assert [flag.code for flag in match_visits(linear, srgb).flags] == ["transfer-curves-differ"]
    assert match_visits(linear, replace(after, gamma=1.0)).flags == ()
    assert match_visits(before, srgb).flags == ()  # not known of one


def test_refuses_another_site(roots):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        other = plant_roots(np.random.default_rng(1000 + seed))
        match = match_visits(see(roots, rng)[0], see(other, rng)[0])
        assert match.refused
        assert match.flags[0].code == "not-the-same-site"
        assert np.isnan(match.change.value)


def test_refuses_what_holds_too_little(roots):
    rng = np.random.default_rng(7)
    before = see(roots, rng)[0]
    empty = HairMeasurement((), 0.3, 5.0, (1024, 1280))
    blurred = HairMeasurement((), 0.3, 5.0, (1024, 1280), flags=(Flag("out-of-focus", "refused", "blur 9 px"),))
    assert match_visits(before, empty).refused
    assert match_visits(before, blurred).flags[0].code == "field-refused"
    with pytest.raises(InputError, match="margin_um must be at least 0, got -1"):
        match_visits(before, before, margin_um=-1)
    with pytest.raises(InputError, match="error_rate"):
        match_visits(before, before, error_rate=1.0)


def test_a_match_survives_its_json(roots):
    rng = np.random.default_rng(8)
    match = match_visits(see(roots, rng)[0], see(roots, rng, rotation_deg=3.0)[0])
    assert to_json(from_json(type(match), to_json(match))) == to_json(match)


@pytest.fixture(scope="module")
def photographs():
    """Two visits of one site: 8 hairs removed, the rest clipped anew, turned by 10 degrees."""
    rng = np.random.default_rng(21)
    scalp = grow_scalp(rng, density_per_cm2=120, width_mm=8.0, height_mm=7.0, vellus_share=0.0, n_naevi=0, n_vessels=0)
    near = [hair.number for hair in scalp.hairs if np.hypot(*(hair.root_um - [3500, 4000])) < 1900]
    gone = set(rng.choice(near, 8, replace=False).tolist())
    first = photograph_scalp(scalp, rng, shape=(1000, 1100))
    second = photograph_scalp(
        scalp.without(gone), rng, shape=(1000, 1100), rotation_deg=10.0, scale=1.03, clip_length_um=700.0
    )
    return first, second, gone


def seen(photo, skip=()):
    """Measure the planted hairs themselves, some of them missed; and the planted number of each hair."""
    kept = [hair for hair in photo.truth if hair.number not in skip and (hair.root_px >= 0).all()
            and (hair.root_px < photo.image.shape[:2]).all()]  # fmt: skip
    hairs = tuple(
        Hair(n, hair.path_px, hair.length_um, hair.diameter_um, 2.0, 0.95) for n, hair in enumerate(kept, start=1)
    )
    shape = photo.image.shape[:2]
    return HairMeasurement(hairs, shape[0] * shape[1] * 25 / 1e8, 5.0, shape), {
        n: hair.number for n, hair in enumerate(kept, start=1)
    }


def test_a_hair_that_a_trace_missed_is_no_change(photographs):
    first, second, gone = photographs
    both = sorted({hair.number for hair in first.truth} & {hair.number for hair in second.truth})
    rng = np.random.default_rng(22)
    missed = rng.choice(both, 12, replace=False).tolist()
    before, name_1 = seen(first, missed[:6])
    after, name_2 = seen(second, missed[6:])
    blind = match_visits(before, after)
    match = match_visits(before, after, images=(first.image, second.image))
    assert blind.new
    assert match.new == ()
    traced_once = {look.number for look in match.looks if look.visit == "before" and not look.touching}
    assert {name_1[k] for k in match.lost} <= gone
    inside = {name_1[pair.before] for pair in match.pairs} | {name_1[k] for k in traced_once}
    assert match.change.ci_low < -len(gone & inside) < match.change.ci_high
    assert {name_2[look.number] for look in match.overlooked if look.visit == "after"} <= set(missed)


def test_a_hair_lost_beside_one_that_touches_it_is_found(photographs):
    first, second, gone = photographs
    scalp_pairs = [
        (a.number, b.number) for a in first.truth for b in first.truth
        if a.number in gone and b.number not in gone and a.unit == b.unit
    ]  # fmt: skip
    before, name = seen(first, [lost for lost, _ in scalp_pairs])
    match = match_visits(before, seen(second)[0], images=(first.image, second.image))
    found = {name[look.number] for look in match.looks if look.touching and look.verdict == "absent"}
    assert all(number in {stays for _, stays in scalp_pairs} for number in found)


def test_a_hair_that_others_cover_up_to_the_frame_leaves_the_change_a_number(photographs):
    first, second, gone = photographs
    before, name = seen(first)
    # all hairs grow downwards: the frame ends across a removed one, whose part inside is traced twice
    cut = next(hair for hair in before.hairs if name[hair.number] in gone and hair.root_px[0] > 550)
    edge = round(float(cut.path_px[int(0.45 * len(cut.path_px)), 0]))
    inside = replace(cut, number=1000, path_px=cut.path_px[cut.path_px[:, 0] < edge + 4])
    hairs = (*(hair for hair in before.hairs if hair.root_px[0] < edge - 0.5), inside)
    width = first.image.shape[1]
    before = replace(before, hairs=hairs, area_cm2=edge * width * 25 / 1e8, image_shape=(edge, width))
    match = match_visits(before, seen(second)[0], images=(first.image[:edge], second.image))
    assert cut.number in {look.number for look in match.looks if look.visit == "before"}
    assert all(np.isfinite(look.presence) for look in match.looks)
    assert match.change.ci_low < match.change.value < match.change.ci_high


def test_looks_survive_their_json_and_bad_images_are_refused(photographs):
    first, second, _ = photographs
    before, after = seen(first)[0], seen(second)[0]
    match = match_visits(before, after, images=(first.image, second.image))
    assert to_json(from_json(type(match), to_json(match))) == to_json(match)
    with pytest.raises(InputError, match="images must be uint8 of the shape"):
        match_visits(before, after, images=(first.image[:10], second.image))
