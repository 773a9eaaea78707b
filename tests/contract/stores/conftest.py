"""Real Weaviate and Redis for the contracts of their stores."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from models.vectors import Space
from scripts.stack import StackState, start_stack, stop_stack
from stores.memory import MemoryStore
from stores.weaviate import WeaviateStore
from stores.weaviate_options import WeaviateOptions

Store = MemoryStore | WeaviateStore


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackState]:
    """Weaviate and Redis on free ports, for this session."""
    directory = tmp_path_factory.mktemp("stores-stack")
    yield start_stack(directory, ephemeral=True, services=("redis", "weaviate"))
    stop_stack(directory)


@pytest.fixture
def weaviate_options(servers: StackState) -> WeaviateOptions:
    settings = servers.settings
    return WeaviateOptions(
        url=settings["database.weaviate_url"], grpc_url=settings["database.weaviate_grpc_url"]
    )


@pytest.fixture
async def weaviate_store(weaviate_options: WeaviateOptions) -> AsyncIterator[WeaviateStore]:
    store = WeaviateStore(weaviate_options)
    yield store
    await store.close()


@pytest.fixture(params=["memory", pytest.param("weaviate", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest) -> Store:
    """Each store that keeps what it is given."""
    if request.param == "memory":
        return MemoryStore()
    store: WeaviateStore = request.getfixturevalue("weaviate_store")
    return store


@pytest.fixture
def space() -> Space:
    """A collection that no other test has."""
    return Space(tenant="default", collection=f"books{uuid4().hex}", fingerprint="f1")
