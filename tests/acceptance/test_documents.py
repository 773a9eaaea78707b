"""Documents while the processes that read them are killed: each is stored whole, once."""

import asyncio
import random
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from scripts.stack import StackState
from tests.acceptance.evidence import stored_texts
from tests.harness import Client, fresh_collection
from tests.harness.fleet import Fleet

DOCUMENTS, PARAGRAPHS, KILLS = 48, 12, 5
#: Every second document has an id, and is sent once more with one paragraph changed.
IDS = [f"doc-{number}" if number % 2 else None for number in range(DOCUMENTS)]


@pytest.fixture
def fleet(stack: StackState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A master, two readers of documents, an embed and a store worker, and one blob store."""
    folder = tmp_path_factory.mktemp("documents")
    shared = {
        "VECTORIZE_MASTER_DOCUMENT_BLOB_URL": (folder / "blobs").as_uri(),
        "VECTORIZE_MASTER_DOCUMENT_INLINE_BYTES": "600",
        "VECTORIZE_MASTER_TASK_STALLED_AFTER_S": "10",
    }
    fleet = Fleet(stack, folder, **shared)
    for role in ("master", "extract", "extract", "embed", "store"):
        fleet.add(role)
    yield fleet
    fleet.end()


def paragraphs(number: int, *, version: int = 1) -> list[str]:
    """Texts of which no two of any document are alike; a new version changes one of them."""
    changed = number % PARAGRAPHS
    return [
        f"document {number} paragraph {at} version {version if at == changed else 1} "
        + " ".join(f"w{number}x{at}x{word}" for word in range(20))
        for at in range(PARAGRAPHS)
    ]


async def send(client: Client, number: int, collection: str, version: int = 1) -> str:
    content = "\n\n".join(paragraphs(number, version=version)).encode()
    body: dict[str, Any] = {
        "task_type": "document_vectorization",
        "task_id": f"{collection}-{number}-{version}",
        "data": b64encode(content).decode(),
        "chunk_tokens": 28,  # one paragraph; two are too many
        "chunk_overlap": 0,
        "collection": collection,
        "document_id": IDS[number],
    }
    answer = await client.post("/tasks/submit", body)
    assert answer.status in {200, 202}, answer
    return str(body["task_id"])


async def kill_again_and_again(fleet: Fleet) -> None:
    """Kill a reader, let it lie for a moment, and start it again."""
    dice = random.Random(7)
    readers = [each for each in fleet.processes if each.name.startswith("extract")]
    for _ in range(KILLS):
        await asyncio.sleep(dice.uniform(1.0, 3.0))
        victim = dice.choice(readers)
        victim.kill()
        await asyncio.sleep(dice.uniform(0.2, 1.0))
        victim.start()


async def finals(client: Client, ids: list[str]) -> list[dict[str, Any]]:
    return list(await asyncio.gather(*(client.final(task_id, limit_s=240) for task_id in ids)))


async def test_readers_that_are_killed_lose_no_document_and_store_none_twice(
    fleet: Fleet, stack: StackState
) -> None:
    await fleet.all_ready()
    collection = fresh_collection()
    async with Client(fleet.processes[0].url) as client:
        killing = asyncio.create_task(kill_again_and_again(fleet))
        first = [await send(client, number, collection) for number in range(DOCUMENTS)]
        tasks = await finals(client, first)
        assert Counter(task["status"] for task in tasks) == {"completed": DOCUMENTS}
        assert {task["completed_items"] for task in tasks} == {PARAGRAPHS}
        named = [number for number in range(DOCUMENTS) if IDS[number] is not None]
        again = [await send(client, number, collection, version=2) for number in named]
        tasks = await finals(client, again)
        await killing
    assert Counter(task["status"] for task in tasks) == {"completed": len(named)}
    wanted = Counter(
        text
        for number in range(DOCUMENTS)
        for text in paragraphs(number, version=1 if IDS[number] is None else 2)
    )
    assert Counter(stored_texts(stack, collection)) == wanted
    embedded = sum(task["completed_items"] - task["document"]["kept_items"] for task in tasks)
    assert embedded == len(named), "only the paragraph that changed"
