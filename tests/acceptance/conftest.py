"""A stack for all acceptance tests, and a fleet of processes under a prefix of its own for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack import StackState, start_stack, stop_stack
from tests.harness import stack
from tests.harness.fleet import Fleet

__all__ = ["stack"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is an acceptance test, and may take its time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.acceptance)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(600))


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[StackState]:
    """A stack for one test, which may stop, kill and restart it."""
    directory = tmp_path / "stack"
    yield start_stack(directory, ephemeral=True)
    stop_stack(directory)


@pytest.fixture
def fleet(stack: StackState, tmp_path: Path) -> Iterator[Fleet]:
    """Processes on the shared stack; all of them are ended with the test."""
    fleet = Fleet(stack, tmp_path)
    yield fleet
    fleet.end()


@pytest.fixture
def own_fleet(own_stack: StackState, tmp_path: Path) -> Iterator[Fleet]:
    """Processes on a stack of their own."""
    fleet = Fleet(own_stack, tmp_path)
    yield fleet
    fleet.end()
