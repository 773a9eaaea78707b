"""A master's HTTP side on a real aiohttp server, with tiny fakes of all that lies below it."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse, FormData, web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, generate_latest

from tests.unit.web.fakes import (
    CATALOG,
    LIMITS,
    FakeBlobs,
    FakeBoard,
    FakeCache,
    FakeLog,
    FakeOwners,
    FakeQueue,
    FakeShelf,
    FakeVectors,
    FakeWorkers,
)
from web.assembly import WebParts, mount, server_options
from web.limits import WebLimits


@dataclass
class Answer:
    """An answer, read whole."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return orjson.loads(self.raw)


class Site:
    """One master on a port of its own."""

    def __init__(self, limits: WebLimits, api_key: str | None) -> None:
        self.board = FakeBoard()
        self.log = FakeLog(self.board)
        self.owners = FakeOwners()
        self.cache = FakeCache()
        self.vectors = FakeVectors()
        self.workers = FakeWorkers()
        self.shelf = FakeShelf()
        self.queue = FakeQueue()
        self.blobs = FakeBlobs()
        self.registry = CollectorRegistry()
        self.parts = WebParts(
            log=self.log,
            board=self.board,
            owners=self.owners,
            cache=self.cache,
            vectors=self.vectors,
            blobs=self.blobs,
            asker=self.workers,
            dead_letters=self.shelf,
            queue=self.queue,
            workers=self.workers,
            readiness=self.workers,
            catalog=CATALOG,
            limits=limits,
            api_key=api_key,
        )
        options = server_options(api_key=api_key, limits=limits, registry=self.registry)
        self.app = web.Application(**options)  # type: ignore[arg-type]
        mount(self.app, self.parts)
        self.client: TestClient[web.Request, web.Application] = TestClient(TestServer(self.app))

    @property
    def url(self) -> str:
        return str(self.client.make_url("")).rstrip("/")

    async def get(self, path: str, **kwargs: Any) -> Answer:
        return await self._answer(await self.client.get(path, **kwargs))

    async def post(self, path: str, body: object = None, **kwargs: Any) -> Answer:
        data = io.BytesIO(body if isinstance(body, bytes) else orjson.dumps(body))
        return await self._answer(await self.client.post(path, data=data, **kwargs))

    async def upload(self, *files: tuple[str, bytes], task: object = None, **more: Any) -> Answer:
        """Upload files by their names, with the fields of their tasks."""
        form = FormData(quote_fields=False)  # names as curl sends them
        for name, content in files:
            form.add_field("file", io.BytesIO(content), filename=name)
        if task is not None:
            form.add_field("task", orjson.dumps(task).decode(), content_type="application/json")
        return await self._answer(await self.client.post("/tasks/upload", data=form, **more))

    async def delete(self, path: str, **kwargs: Any) -> Answer:
        return await self._answer(await self.client.delete(path, **kwargs))

    async def _answer(self, response: ClientResponse) -> Answer:
        return Answer(response.status, response.headers, await response.read())

    async def submit(self, text: str = "a text", **fields: Any) -> Any:
        """Submit one text and return its id."""
        body = {"task_type": "text_vectorization", "data": text, **fields}
        return (await self.post("/tasks/submit", body)).body["task_id"]

    async def submit_texts(self, *texts: str, **fields: Any) -> Any:
        body = {"task_type": "batch_vectorization", "data": list(texts), **fields}
        return (await self.post("/tasks/submit", body)).body["task_id"]

    async def until(self, condition: Callable[[], object]) -> None:
        """Give other tasks two seconds to make `condition` true."""
        for _ in range(200):
            if condition():
                return
            await asyncio.sleep(0.01)
        raise TimeoutError

    def figures(self) -> str:
        return generate_latest(self.registry).decode()


MakeSite = Callable[..., Awaitable[Site]]


@pytest.fixture
async def make_site() -> AsyncIterator[MakeSite]:
    sites: list[Site] = []

    async def make(limits: WebLimits = LIMITS, api_key: str | None = None) -> Site:
        site = Site(limits, api_key)
        await site.client.start_server()
        sites.append(site)
        return site

    yield make
    for site in sites:
        await site.client.close()


@pytest.fixture
async def site(make_site: MakeSite) -> Site:
    return await make_site()
