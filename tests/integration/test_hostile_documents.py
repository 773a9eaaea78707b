"""A flood of hostile files on the real stack: each ends by name, and nobody else notices."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.documents.bombs import SECRET, Canary
from tests.contract.documents.hostile import CORPUS
from tests.harness import Client, Service
from tests.integration.test_documents import upload

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TIMEOUT_S = 30.0  # a busy machine takes its time
OWN_SERVICE = True
SETTINGS = {
    f"VECTORIZE_MASTER_DOCUMENT_{name}": value
    for name, value in {
        "MAX_PAGES": "2000",
        "MAX_CHUNKS": "20000",
        "MAX_CHARS": "8000000",
        "MAX_UNPACKED_BYTES": "50000000",
        "MAX_ENTRIES": "5000",
        "TIMEOUT_S": str(TIMEOUT_S),
        "MEMORY_MB": "512",
        "READERS": "1",
    }.items()
}


@pytest.fixture
async def hits() -> AsyncIterator[list[str]]:
    """Who came to the canary's door: its first entry is the door itself."""
    came: list[str] = []

    def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append("somebody")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    came.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/canary")
    yield came
    server.close()
    await server.wait_closed()


async def neighbours(
    client: Client, collection: str, flood: asyncio.Task[Any]
) -> dict[str, list[float]]:
    """Send texts and good documents while the flood lasts; the seconds that each took."""
    took_s: dict[str, list[float]] = {"texts": [], "documents": []}

    async def text() -> list[dict[str, Any]]:
        return [await client.done("a text beside the flood", collection=collection)]

    async def document() -> list[dict[str, Any]]:
        return await upload(client, ("good.txt", b"a good document"), collection=collection)

    async def again_and_again(kind: str, send: Callable[[], Awaitable[list[Any]]]) -> None:
        while not flood.done():
            begun_s = time.monotonic()
            [task] = await send()
            assert task["status"] == "completed"
            took_s[kind].append(time.monotonic() - begun_s)
            await asyncio.sleep(0.5)

    await asyncio.gather(again_and_again("texts", text), again_and_again("documents", document))
    return took_s


async def test_no_hostile_file_stops_a_worker_or_harms_its_neighbours(
    client: Client, service: Service, hits: list[str], collection: str, tmp_path: Path
) -> None:
    before = service.pid
    canary = tmp_path / "canary"
    canary.write_text(SECRET)
    door = Canary(str(canary), hits[0])
    made = {name: bad.make(door) for name, bad in CORPUS.items()}
    # An empty file is refused at the door, and becomes no task.
    files = {name: content for name, content in made.items() if content}
    named = [(f"x.{CORPUS[name].ending or 'bin'}", content) for name, content in files.items()]
    flood = asyncio.create_task(upload(client, *named, collection=collection, priority="low"))
    took_s = await neighbours(client, collection, flood)
    tasks = await flood
    for name, task in zip(files, tasks, strict=True):
        result = (await client.get(f"/tasks/{task['task_id']}/result?vectors=false")).json
        bad = CORPUS[name]
        codes = {item["error"]["code"] for item in result["items"] if "error" in item}
        if task["status"] == "completed":
            assert bad.text is not None, name
        else:
            assert task["status"] == "failed", name
            assert codes <= set(bad.codes), f"{name}: {task['error']}"
        assert SECRET not in str(result), name
    assert len(hits) == 1
    assert service.pid == before
    assert service.alive
    told = ", ".join(
        f"{len(each)} {kind}, slowest {max(each):.1f} s" for kind, each in took_s.items()
    )
    print(f"{len(tasks)} hostile files beside {told}")
