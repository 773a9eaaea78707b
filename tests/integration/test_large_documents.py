"""Large documents on the real stack: only what changed is embedded, and memory is bounded."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from scripts.stack import StackState
from tests.harness import Client, Service, fresh_prefix
from tests.harness.files import pdf
from tests.integration.test_documents import upload

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MOST_BYTES = 1_000_000_000


@pytest.fixture(scope="module")
def roles(stack: StackState, folder: Path) -> Iterator[dict[str, Service]]:
    """Each role in a process of its own, on one blob store."""
    prefix = fresh_prefix()
    blobs = {"VECTORIZE_MASTER_DOCUMENT_BLOB_URL": (folder / "shared").as_uri()}
    made = {
        role: Service(stack, folder, prefix=prefix, role=role, settings=blobs)
        for role in ("master", "extract", "embed", "store")
    }
    try:
        for each in made.values():
            each.start()
        for each in made.values():
            each.wait_ready()
        yield made
    finally:
        for each in made.values():
            each.kill()


def page(number: int, version: int = 1) -> str:
    """A page of prose that no other page has."""
    words = " ".join(f"word{number}x{at}" for at in range(300))
    return f"Page {number} in version {version}. {words}"


async def sent(client: Client, content: bytes, **task: Any) -> dict[str, Any]:
    [found] = await upload(client, ("large.pdf", content), **task)
    assert found["status"] == "completed", found
    return found


async def test_of_300_pages_only_the_changed_one_is_embedded_again(
    roles: dict[str, Service], collection: str
) -> None:
    pages = [page(number) for number in range(300)]
    async with Client(roles["master"].url) as client:
        first = await sent(client, pdf(pages), document_id="book", collection=collection)
        assert first["document"]["pages"] == 300
        pages[141] = page(141, version=2)
        again = await sent(client, pdf(pages), document_id="book", collection=collection)
        items = (
            await client.get(f"/tasks/{again['task_id']}/result?vectors=false&limit=1000")
        ).json["items"]
    of_the_page = sum(item["place"]["page"] == 142 for item in items)
    embedded = again["completed_items"] - again["document"]["kept_items"]
    deleted = again["document"]["deleted_items"]
    assert 0 < deleted <= embedded <= of_the_page
    print(f"{again['completed_items']} chunks, {embedded} embedded again, {deleted} deleted")


async def test_2000_pages_are_read_in_bounded_memory(
    roles: dict[str, Service], collection: str
) -> None:
    content = pdf([page(number) for number in range(2000)])
    extract = psutil.Process(roles["extract"].pid)
    most_bytes = 0

    async def watch() -> None:
        nonlocal most_bytes
        while True:
            family = [extract, *extract.children(recursive=True)]
            used = sum(each.memory_info().rss for each in family if each.is_running())
            most_bytes = max(most_bytes, used)
            await asyncio.sleep(0.2)

    watching = asyncio.create_task(watch())
    async with Client(roles["master"].url) as client:
        task = await sent(client, content, collection=collection)
    watching.cancel()
    assert (task["document"]["pages"], task["failed_items"]) == (2000, 0)
    assert most_bytes < MOST_BYTES
    print(
        f"{len(content):,} bytes, {task['total_items']} chunks, {most_bytes / 1e6:.0f} MB at most"
    )
