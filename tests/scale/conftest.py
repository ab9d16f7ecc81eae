"""What all tests with Ray share."""

import pytest

from nlp_service.scale.cluster import stay_on_loopback, tell_nobody


@pytest.fixture(scope="session", autouse=True)
def _one_token() -> None:
    """Ray keeps the first token that a process has: no test may take it away with the rest of its environment."""
    tell_nobody()
    stay_on_loopback()
