"""Tiny real programs to supervise, and a small service to visit."""

import asyncio
import json
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from scripts.supervisor.children import Command

Program = Callable[[str], Command]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A Python program as a worker; it runs in the test's folder."""

    def make(source: str) -> Command:
        return Command([sys.executable, "-S", "-c", source], tmp_path)

    return make


Handler = Callable[[web.Request], Awaitable[web.Response]]

HEALTHY = {
    "status": "healthy",
    "timestamp": "2024-01-01T12:00:00Z",
    "kafka_connected": True,
    "weaviate_connected": True,
    "redis_connected": True,
    "active_workers": 2,
    "queue_size": 0,
}
METRICS = {
    "total_tasks": 1,
    "pending_tasks": 0,
    "processing_tasks": 0,
    "completed_tasks": 1,
    "failed_tasks": 0,
    "average_processing_time": 0.1,
    "total_vectors_generated": 4,
}


class FakeService:
    """Answers as the service does: each task is done at once, each bad input is refused."""

    def __init__(self) -> None:
        self.health: dict[str, Any] = dict(HEALTHY)
        self.metrics: dict[str, Any] = dict(METRICS)
        self.tasks: dict[str, dict[str, Any]] = {}
        self.keys: list[str] = []
        self.busy_answers = 0
        self.kept_items = 1

    def app(self) -> web.Application:
        app = web.Application(middlewares=[_as_problems])
        app.router.add_get("/livez", self._fixed({"status": "alive"}))
        app.router.add_get("/health", self._fixed(self.health))
        app.router.add_get("/metrics", self._fixed(self.metrics))
        app.router.add_get("/prometheus", _prometheus)
        app.router.add_post("/tasks/submit", self.submit)
        app.router.add_post("/tasks/batch", self._fixed({"results": []}))
        app.router.add_post("/tasks/upload", self.upload)
        app.router.add_post("/search", self.search)
        app.router.add_get("/tasks", self.list)
        app.router.add_get("/tasks/{id}", self.task)
        app.router.add_delete("/tasks/{id}", self.cancel)
        app.router.add_get("/tasks/{id}/result", self.result)
        return app

    @staticmethod
    def _fixed(body: object) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            return web.json_response(body)

        return answer

    async def submit(self, request: web.Request) -> web.Response:
        if self.busy_answers:
            self.busy_answers -= 1
            raise Problem(503, "busy", retry_after="0")
        task = _checked(await request.text(), request.content_type)
        self.keys.append(request.headers.get("Idempotency-Key", ""))
        name = f"task-{len(self.tasks)}"
        items = len(task["data"]) if isinstance(task["data"], list) else 1
        counts = {"total_items": items, "completed_items": items, "failed_items": 0}
        ended = {"task_id": name, "status": "completed", "progress": 1.0, "error": None, **counts}
        self.tasks[name] = {**ended, "body": task}
        return web.json_response(
            {"task_id": name, "status": "pending", "progress": 0.0}, status=202
        )

    async def upload(self, request: web.Request) -> web.Response:
        fields = await request.post()
        task, file = json.loads(str(fields["task"])), fields["file"]
        assert isinstance(file, web.FileField)
        assert task["task_type"] == "document_vectorization"
        name = f"task-{len(self.tasks)}"
        document = {"filename": file.filename, "kept_items": self.kept_items}
        self.tasks[name] = {"task_id": name, "status": "completed", "document": document}
        slot = {"index": 0, "task_id": name, "status": "pending", "filename": file.filename}
        return web.json_response({"tasks": [slot], "accepted": 1, "refused": 0}, status=202)

    async def task(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        if name not in self.tasks:
            raise Problem(404, f"no task {name}")
        return web.json_response(self.tasks[name])

    async def cancel(self, request: web.Request) -> web.Response:
        raise Problem(409, "the task is already completed")

    async def list(self, request: web.Request) -> web.Response:
        if request.query.get("page") == "0":
            raise Problem(422, "page: must be at least 1")
        shown = list(self.tasks.values())[: int(request.query.get("page_size", "100"))]
        page = {"tasks": shown, "total": len(self.tasks), "page": 1, "page_size": 100}
        return web.json_response(page)

    async def result(self, request: web.Request) -> web.Response:
        item = {"vector": [0.0, 1.0], "place": {"headings": ["A"]}}
        return web.json_response({"dimension": 2, "items": [item]})

    async def search(self, request: web.Request) -> web.Response:
        hits = [{"score": 0.5, "item": "gzip.open", "text": "Open a gzip file. [bold]\nMore."}]
        return web.json_response({"hits": hits})


class Problem(Exception):
    def __init__(self, status: int, detail: str, retry_after: str = "1") -> None:
        super().__init__(detail)
        self.status, self.detail, self.retry_after = status, detail, retry_after


def _checked(text: str, content_type: str) -> dict[str, Any]:
    try:
        task = json.loads(text, parse_constant=lambda _: _refuse(400, "body: not valid JSON"))
    except ValueError as error:
        raise Problem(400, "body: not valid JSON") from error
    data = task.get("data")
    if task["task_type"] == "painting":
        _refuse(422, "task_type: unknown task type")
    if not isinstance(data, str | list) or not data:
        _refuse(422, "data: wrong")
    if len(data) > 10_000:
        _refuse(422, "data: over the limit of 10000")
    if task.get("model_name"):
        _refuse(422, "model_name: unknown model; allowed: a")
    assert content_type == "application/json"
    return dict(task)


def _refuse(status: int, detail: str) -> None:
    raise Problem(status, detail)


@web.middleware
async def _as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Problem as error:
        status, detail, headers = error.status, error.detail, {"Retry-After": error.retry_after}
    except web.HTTPException as error:
        status, detail, headers = error.status, error.reason, {}
    body = {"type": "x", "title": "x", "status": status, "detail": detail, "request_id": "r"}
    kind = "application/problem+json"
    return web.json_response(body, status=status, content_type=kind, headers=headers)


async def _prometheus(_: web.Request) -> web.Response:
    return web.Response(text="# TYPE a gauge\na 1\n")


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def service_url(service: FakeService) -> Iterator[str]:
    """The fake service on a free port, in a thread: the programs bring their own loop."""
    loop, started, found = asyncio.new_event_loop(), threading.Event(), list[TestServer]()

    async def start() -> None:
        found.append(TestServer(service.app()))
        await found[0].start_server()
        started.set()

    def serve() -> None:
        loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(found[0].close())
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert started.wait(10)
    yield str(found[0].make_url("/")).rstrip("/")
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
