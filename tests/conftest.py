"""Settings for all tests; asyncio debug mode, time limits and warnings are set in pyproject.toml."""

from pathlib import Path

import pytest
from hypothesis import settings

INTEGRATION = Path(__file__).parent / "integration"

# No test asserts a time, not even hypothesis' 200 ms per example: debug mode and coverage are slow.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in tests/integration, so that `-m "not integration"` leaves all of it out."""
    for item in items:
        if item.path.is_relative_to(INTEGRATION):
            item.add_marker(pytest.mark.integration)
