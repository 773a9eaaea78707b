"""One stack for the session, one service in role `all` per module, under a prefix of its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from scripts.stack import StackState
from tests.harness import Client, Log, Service, fresh_collection, stack

__all__ = ["stack"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is an integration test."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this module's processes keep their data and logs."""
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def service(stack: StackState, folder: Path, request: pytest.FixtureRequest) -> Iterator[Service]:
    """The service of this module; its `SETTINGS`, where it has some, are set."""
    settings = getattr(request.module, "SETTINGS", {})
    with Service(stack, folder, settings=settings) as service:
        yield service


@pytest.fixture
async def client(service: Service) -> AsyncIterator[Client]:
    async with Client(service.url) as client:
        yield client


@pytest.fixture
def log(stack: StackState, service: Service) -> Log:
    return Log(stack, service.prefix)


@pytest.fixture
def collection() -> str:
    return fresh_collection()
