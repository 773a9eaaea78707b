"""A small HTTP client: status, headers and parsed body of one answer, and no opinion."""

import io
import json as standard_json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.harness.waiting import PATIENCE_S, until

FINAL = frozenset({"completed", "failed", "cancelled", "expired"})


@dataclass(frozen=True)
class Answer:
    """One answer; `json` is None where the body is no JSON."""

    status: int
    headers: Mapping[str, str]
    json: Any
    text: str = ""

    def __iter__(self) -> Any:
        """Unpack as `status, headers, json`."""
        return iter((self.status, self.headers, self.json))


class Client:
    """Asks one service; give `at` to ask another."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=200),
            timeout=aiohttp.ClientTimeout(total=PATIENCE_S),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._http is not None
        await self._http.close()

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        at: str | None = None,
    ) -> Answer:
        """Send `body` as JSON, or `raw` as it is; aiohttp.ClientError where nobody answers."""
        assert self._http is not None
        data = raw if body is None else standard_json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if data is not None else {}
        payload = None if data is None else io.BytesIO(data)  # aiohttp warns of large bytes
        url = path if "://" in path else (at or self.url) + path
        async with self._http.request(
            method, url, data=payload, headers={**sent, **(headers or {})}
        ) as answer:
            text = (await answer.read()).decode(errors="replace")
            parsed = standard_json.loads(text) if "json" in answer.content_type else None
            return Answer(answer.status, answer.headers, parsed, text)

    async def get(self, path: str, **more: Any) -> Answer:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, body: object = None, **more: Any) -> Answer:
        return await self.ask("POST", path, body, **more)

    async def delete(self, path: str, **more: Any) -> Answer:
        return await self.ask("DELETE", path, **more)

    # -- shorthands that must succeed ---------------------------------------------------------

    async def submit(self, data: str | list[str], **fields: object) -> str:
        """Submit a task that must be accepted; return its id."""
        answer = await self.post("/tasks/submit", task_of(data, **fields))
        assert answer.status == 202, answer
        return str(answer.json["task_id"])

    async def done(self, data: str | list[str], **fields: object) -> Any:
        """Submit a task and return it when it is final."""
        return await self.final(await self.submit(data, **fields))

    async def task(self, task_id: str) -> Any:
        """Read a task that must be there."""
        answer = await self.get(f"/tasks/{task_id}")
        assert answer.status == 200, answer
        return answer.json

    async def final(self, task_id: str, *, limit_s: float = PATIENCE_S) -> Any:
        """Wait for a task's final state. A 503 is waited out, a 404 is a failure."""

        async def look() -> Any:
            answer = await self.get(f"/tasks/{task_id}?wait=5")
            assert answer.status in {200, 503}, answer
            return answer.json if answer.json.get("status") in FINAL else None

        return await until(f"task {task_id} is final", look, limit_s=limit_s)


def task_of(data: str | list[str], **fields: object) -> dict[str, object]:
    """The body of a task over `data`."""
    kind = "text_vectorization" if isinstance(data, str) else "batch_vectorization"
    return {"task_type": kind, "data": data, **fields}
