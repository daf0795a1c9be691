import numpy as np
import pytest

from anagen.errors import InputError, NotEnoughDataError
from anagen.hair.calibrate import calibrate_from_metadata, calibrate_from_ruler


def ruler(period_px, angle_deg, rng, *, shape=(300, 400), tick_share=0.25, noise=8.0):
    """Ticks of a quarter of the period, every tenth twice as long, along a direction from the row axis."""
    rows, cols = np.mgrid[: shape[0] * 3, : shape[1] * 3] / 3 - 1 / 3
    turn = np.radians(angle_deg)
    along = rows * np.cos(turn) + cols * np.sin(turn)
    across = -rows * np.sin(turn) + cols * np.cos(turn)
    across = across - np.median(across)
    tick = np.abs((along / period_px) % 1 - 0.5) < tick_share / 2
    long = np.abs((along / period_px / 10) % 1 - 0.05) < 0.05
    ink = tick & (np.abs(across) < np.where(long, 90, 50))
    grey = 220.0 - 170.0 * ink
    grey = grey.reshape(shape[0], 3, shape[1], 3).mean(axis=(1, 3))
    light = 1 - 0.2 * np.linspace(0, 1, shape[1])
    return np.clip(grey * light + rng.normal(0, noise, shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("angle", [0.0, 17.0, 45.0, 90.0, -60.0])
@pytest.mark.parametrize("period", [9.37, 21.8])
def test_recovers_the_planted_period_at_any_angle(period, angle):
    found = calibrate_from_ruler(ruler(period, angle, np.random.default_rng(1)), tick_um=100.0)
    assert found.um_per_px == pytest.approx(100.0 / period, rel=1e-3)
    assert abs((found.angle_deg - angle + 90) % 180 - 90) < 0.5
    assert found.source == "ruler"
    assert 0 < found.um_per_px_sd < 0.01 * found.um_per_px


def test_uncertainty_covers():
    z = []
    for seed in range(20):
        period = 14.0 + 0.13 * seed
        found = calibrate_from_ruler(ruler(period, 5.0 * seed, np.random.default_rng(seed), noise=20.0), tick_um=1000.0)
        z.append((found.period_px - period) / (found.um_per_px_sd * found.period_px**2 / 1000.0))
    assert np.mean(np.abs(z) < 2.5) >= 0.8


def test_refuses_an_image_without_ticks():
    rng = np.random.default_rng(2)
    with pytest.raises(NotEnoughDataError, match="no evenly spaced ticks"):
        calibrate_from_ruler(rng.normal(128, 20, (300, 400)), tick_um=1000)
    with pytest.raises(NotEnoughDataError, match="no structure"):
        calibrate_from_ruler(np.full((64, 64), 7.0), tick_um=1000)
    with pytest.raises(InputError, match="tick_um must be above 0"):
        calibrate_from_ruler(rng.random((64, 64)), tick_um=0)
    with pytest.raises(InputError, match="image must be of shape"):
        calibrate_from_ruler(rng.random((8, 8)), tick_um=1)


def test_metadata_gives_a_scale_only_when_it_states_one():
    assert calibrate_from_metadata({"XResolution": (50800, 10), "ResolutionUnit": 2}).um_per_px == pytest.approx(5.0)
    assert calibrate_from_metadata({"PhysicalSizeX": 5.5, "PhysicalSizeY": 5.5}).source == "metadata"


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({}, "no resolution"),
        ({"XResolution": 300, "ResolutionUnit": 1}, "unit of length"),
        ({"XResolution": 72, "YResolution": 72, "ResolutionUnit": 2}, "screen's default"),
        ({"XResolution": (28346, 1000), "ResolutionUnit": 3}, "screen's default"),
        ({"XResolution": 300, "ResolutionUnit": 2}, "not a scalp photograph's scale"),
        ({"XResolution": (0, 1), "ResolutionUnit": 2}, "resolution of 0"),
        ({"PhysicalSizeX": 5.0, "PhysicalSizeY": 6.0}, "square"),
    ],
)
def test_refuses_metadata_that_is_no_scale(tags, message):
    with pytest.raises(NotEnoughDataError, match=message):
        calibrate_from_metadata(tags)
