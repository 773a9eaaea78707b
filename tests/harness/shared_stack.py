"""The stack of a test session: Kafka, Redis and Weaviate on free ports; a missing server fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack import StackState, start_stack, stop_stack

#: Each conftest that imports the fixture has a fixture of its own to pytest; the stack is one.
_running: list[StackState] = []


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackState]:
    """One ephemeral stack for the whole session; who stops a server of it starts it again."""
    if not _running:
        directory: Path = tmp_path_factory.mktemp("stack")
        _running.append(start_stack(directory, ephemeral=True))
    yield _running[0]
    stop_stack(_running[0].directory)
