"""What every test may use; and the rule that a skip must be announced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# Machines differ in speed and a test must not fail by chance: no deadline, the same examples each time.
settings.register_profile("anagen", deadline=None, derandomize=True)
settings.load_profile("anagen")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
ANNOUNCED = "reference data not beside the repository"


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """Path of a file of the reference data; the test skips, and says so, where it is absent."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"{ANNOUNCED}: {name}")
        return path

    return find


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """A skip for any other reason is a failure: nothing goes untested in silence."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and not hasattr(report, "wasxfail") and ANNOUNCED not in str(report.longrepr):
        report.outcome = "failed"
