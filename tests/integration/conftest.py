"""One stack for the session; services in role `all`, each under a prefix of its own."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
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


@dataclass
class Pool:
    """Services by their settings: to start one takes 7 s."""

    stack: StackState
    folders: pytest.TempPathFactory
    running: ExitStack
    started: dict[str, Service] = field(default_factory=dict)

    def service(self, settings: Mapping[str, str]) -> Service:
        """The service with these settings, started if nobody asked for it before."""
        key = repr(sorted(settings.items()))
        if key not in self.started:
            new = Service(self.stack, self.folders.mktemp("shared"), settings=settings)
            self.started[key] = self.running.enter_context(new)
        return self.started[key]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this module's processes keep their data and logs."""
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="session")
def pool(stack: StackState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """The services that modules share."""
    with ExitStack() as running:
        yield Pool(stack, tmp_path_factory, running)


@pytest.fixture(scope="module")
def service(
    stack: StackState, folder: Path, pool: Pool, request: pytest.FixtureRequest
) -> Iterator[Service]:
    """The service of this module, with its `SETTINGS` where it has some.

    Its own where the module says `OWN_SERVICE`, since it ends it or looks at all that is in it.
    """
    settings = getattr(request.module, "SETTINGS", {})
    if not getattr(request.module, "OWN_SERVICE", False):
        yield pool.service(settings)
        return
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
