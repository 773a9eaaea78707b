"""Redis and Weaviate killed under a working service: slower, never wrong, back by itself."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis.asyncio

from scripts.stack import StackState, kill_service, start_service
from tests.harness import Client, Service, fresh_collection, until

pytestmark = pytest.mark.timeout(400)


@contextmanager
def killed(stack: StackState, name: str) -> Iterator[None]:
    """A server of the stack is killed, and back at the end."""
    kill_service(stack.directory, name)
    try:
        yield
    finally:
        start_service(stack.directory, name)


async def _health(client: Client, **wanted: object) -> dict[str, object]:
    async def look() -> dict[str, object]:
        health = (await client.get("/health")).json
        return health if wanted.items() <= health.items() else {}

    return await until(f"health says {wanted}", look)


async def _cached(stack: StackState, service: Service) -> set[str]:
    """What the service keeps in Redis."""
    async with redis.asyncio.from_url(stack.settings["database.redis_url"]) as client:
        return {key.decode() async for key in client.scan_iter(f"*{service.prefix}:*")}


async def test_without_redis_every_answer_stays_right_and_the_cache_comes_back(
    client: Client, stack: StackState, service: Service, collection: str
) -> None:
    before = await client.done(["before a", "before b"], collection=collection)
    assert any(before["task_id"] in key for key in await _cached(stack, service))
    with killed(stack, "redis"):
        assert await client.task(before["task_id"]) == before
        during = await client.done(["during a", "during b"], collection=collection)
        assert during["status"] == "completed"
        listed = (await client.get("/tasks?page_size=2")).json["tasks"]
        assert [task["task_id"] for task in listed] == [during["task_id"], before["task_id"]]
        for text, task in (("before b", before), ("during a", during)):
            asked = {"query": text, "collection": collection, "limit": 1}
            (hit,) = (await client.post("/search", asked)).json["hits"]
            assert (hit["text"], hit["task"]) == (text, task["task_id"])
        result = (await client.get(f"/tasks/{during['task_id']}/result")).json
        assert [item["status"] for item in result["items"]] == ["stored", "stored"]
        cancelled = await client.submit(
            [f"cancel {number}" for number in range(2000)], batch_size=5
        )
        verdict = await client.delete(f"/tasks/{cancelled}")
        assert verdict.status in {200, 409}
        await _health(client, status="degraded", redis_connected=False)
        assert (await client.get("/readyz")).status == 200
    await _health(client, status="healthy", redis_connected=True)
    for task in (before, during):
        assert await client.task(task["task_id"]) == task
    after = await client.done("after")

    async def kept() -> bool:
        return any(after["task_id"] in key for key in await _cached(stack, service))

    await until("the cache is used again", kept)
    assert await client.task(after["task_id"]) == after


async def test_without_weaviate_tasks_wait_and_are_done_when_it_is_back(
    client: Client, stack: StackState, collection: str
) -> None:
    before = await client.done("before", collection=collection)
    with killed(stack, "weaviate"):
        waiting = [await client.submit(["wait a", "wait b"], collection=collection)]
        waiting.append(await client.submit("wait c", collection=fresh_collection()))

        async def embedded() -> bool:
            states = {(await client.task(task_id))["status"] for task_id in waiting}
            assert states <= {"pending", "processing"}
            return states == {"processing"}

        await until("both are worked on", embedded)
        status, headers, problem = await client.post("/search", {"query": "x"})
        assert (status, problem["type"]) == (503, "urn:vectorize:problem:vector-store-unavailable")
        assert int(headers["Retry-After"]) >= 1
        result = await client.get(f"/tasks/{before['task_id']}/result")
        assert (result.status, result.json["retryable"]) == (503, True)
        assert await client.task(before["task_id"]) == before
        assert (await client.get("/tasks")).status == 200
        await _health(client, status="degraded", weaviate_connected=False)
        # Not a moment's patience: still waiting after the store has tried again and again.
        await asyncio.sleep(3)
        assert not await _final_ones(client, waiting)
    for task_id in waiting:
        task = await client.final(task_id)
        assert (task["status"], task["failed_items"]) == ("completed", 0)
        items = (await client.get(f"/tasks/{task_id}/result")).json["items"]
        assert {item["status"] for item in items} == {"stored"}
    await _health(client, status="healthy", weaviate_connected=True)
    asked = {"query": "wait b", "collection": collection, "limit": 1}

    async def found() -> bool:
        hits = (await client.post("/search", asked)).json.get("hits")
        return bool(hits) and hits[0]["text"] == "wait b"

    await until("a search finds it", found)


async def _final_ones(client: Client, ids: list[str]) -> list[str]:
    tasks = [await client.task(task_id) for task_id in ids]
    return [task["task_id"] for task in tasks if task["completed_at"]]


async def test_a_start_without_weaviate_and_redis_takes_tasks_and_does_them_later(
    stack: StackState, folder: Path
) -> None:
    with killed(stack, "weaviate"), killed(stack, "redis"):
        service = Service(stack, folder)
        try:
            service.start().wait_ready()
            async with Client(service.url) as client:
                task_id = await client.submit(["early", "bird"])
                await _health(client, weaviate_connected=False, redis_connected=False)
                assert (await client.task(task_id))["status"] in {"pending", "processing"}
        except BaseException:
            service.end()
            raise
    try:
        async with Client(service.url) as client:
            assert (await client.final(task_id))["status"] == "completed"
            await _health(client, status="healthy")
    finally:
        service.end()
