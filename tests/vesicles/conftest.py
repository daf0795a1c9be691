"""Movies that several tests measure, made once."""

from __future__ import annotations

import numpy as np
import pytest

from anagen.synthetic.movies import Optics, SimulatedMovie, bead_sizes, simulate_movie

HOW = {"um_per_px": 0.166, "frames_per_s": 30.0, "exposure_s": 0.015, "temperature_c": 25.0, "viscosity_mpa_s": 0.89}


@pytest.fixture(scope="session")
def beads() -> SimulatedMovie:
    """100 nm beads, 400 small frames, about 25 spots each."""
    return simulate_movie(
        np.random.default_rng(11),
        sizes_nm=bead_sizes(100.0),
        n_particles=80,
        n_frames=400,
        shape=(240, 320),
        optics=Optics(brightness=120.0),
        drift_px_per_frame=(0.3, -0.2),
    )
