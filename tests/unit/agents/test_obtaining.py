"""Obtaining: our own store is waited for, a stranger's server is not."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from agents.obtaining import ASK_AGAIN_S, Obtainer
from models.blob_refs import BlobRef
from models.documents import ChunkOptions, DocumentRefused
from models.errors import BlobStoreUnavailable
from models.files import FileOrder
from models.states import ItemErrorCode
from models.units import DocumentFacts
from stores.blob_errors import BlobDamaged, BlobFailed, BlobGone, BlobsUnavailable
from stores.fetch_errors import FetchFailed, FetchTooLarge
from streams.room import Room
from tests.unit.agents.test_extract import order

REF = BlobRef.of(b"content")
PASSING, FINAL = FetchFailed("data: busy", transient=True), FetchFailed("data: no such page")


@dataclass
class Fetched:
    content: bytes
    filename: str | None = "notes.md"
    closed: bool = False
    was_read: bool = False

    @property
    def size(self) -> int:
        return len(self.content)

    def read(self) -> bytes:
        assert not self.closed
        self.was_read = True
        return self.content

    def close(self) -> None:
        self.closed = True


class Servers:
    """Gives its answers in turn; both the stranger's server and the blob store."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []
        self.waited_s: list[float] = []
        self.fetched: list[Fetched] = []
        self.asked_once = asyncio.Event()

    async def fetch(self, url: str) -> Fetched:
        self.fetched.append(Fetched(self._next(url)))
        return self.fetched[-1]

    async def get(self, ref: BlobRef) -> bytes:
        return self._next(ref)

    async def sleep(self, seconds: float) -> None:
        self.waited_s.append(seconds)

    def _next(self, what: object) -> bytes:
        self.asked.append(what)
        self.asked_once.set()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def asked_of(**where: str) -> FileOrder:
    facts = DocumentFacts(chunks=ChunkOptions(tokens=64), **where)
    return order(document=facts.model_dump())


async def obtained(servers: Servers, **where: str) -> bytes:
    obtainer = Obtainer(servers, servers, Room(1000), sleep=servers.sleep)
    async with obtainer.content(asked_of(**where)) as found:
        return found.content


async def test_a_blob_is_read_and_a_url_fetched() -> None:
    servers = Servers(b"one", b"two")
    assert await obtained(servers, blob=str(REF)) == b"one"
    assert await obtained(servers, url="https://x/") == b"two"
    assert servers.asked == [REF, "https://x/"]
    assert [each.closed for each in servers.fetched] == [True]


async def test_what_was_fetched_waits_for_room_before_it_is_in_memory() -> None:
    room, servers = Room(10), Servers(b"fetched")
    obtainer = Obtainer(servers, servers, room)

    async def read() -> bytes:
        async with obtainer.content(asked_of(url="https://x/")) as found:
            assert found.filename == "notes.md"
            return found.content

    async with room.taken(9):
        reading = asyncio.create_task(read())
        await servers.asked_once.wait()
        await asyncio.sleep(0)
        assert (reading.done(), servers.fetched[0].was_read) == (False, False)
    assert await reading == b"fetched"


@pytest.mark.parametrize("where", [{"url": "https://x/"}, {"blob": str(REF)}])
async def test_a_document_has_its_room_for_as_long_as_it_is_used(where: dict[str, str]) -> None:
    room, servers = Room(REF.size), Servers(b"content")

    async def take() -> None:
        async with room.taken(1):
            pass

    async with Obtainer(servers, servers, room).content(asked_of(**where)):
        other = asyncio.create_task(take())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not other.done()
    await other


async def test_what_was_fetched_is_let_go_where_nobody_wants_it_any_more() -> None:
    room, servers = Room(10), Servers(b"fetched")
    obtainer = Obtainer(servers, servers, room)
    async with room.taken(10):
        waiting = asyncio.create_task(obtainer.content(asked_of(url="https://x/")).__aenter__())
        await servers.asked_once.wait()
        waiting.cancel()
        await asyncio.wait({waiting})
    assert servers.fetched[0].closed


async def test_a_server_that_is_busy_is_asked_again_with_waits() -> None:
    servers = Servers(PASSING, PASSING, b"at last")
    assert await obtained(servers, url="https://x/") == b"at last"
    assert servers.waited_s == list(ASK_AGAIN_S)


@pytest.mark.parametrize(
    "answers,asked,code",
    [
        ([FINAL], 1, ItemErrorCode.DOCUMENT_FETCH_FAILED),
        ([PASSING] * 3, 3, ItemErrorCode.DOCUMENT_FETCH_FAILED),
        ([FetchTooLarge(host="x", limit=5, given=6)], 1, ItemErrorCode.DOCUMENT_TOO_LARGE),
    ],
)
async def test_a_document_that_cannot_be_fetched_fails_with_the_reason(
    answers: list[bytes | Exception], asked: int, code: ItemErrorCode
) -> None:
    servers = Servers(*answers)
    with pytest.raises(DocumentRefused, match="data: ") as caught:
        await obtained(servers, url="https://x/")
    assert (caught.value.code, len(servers.asked)) == (code, asked)


@pytest.mark.parametrize("error", [BlobGone("it is gone"), BlobDamaged("it is damaged")])
async def test_a_blob_that_is_gone_or_damaged_is_to_be_sent_again(error: BlobFailed) -> None:
    with pytest.raises(DocumentRefused, match="send the file again") as caught:
        await obtained(Servers(error), blob=str(REF))
    assert caught.value.code is ItemErrorCode.DOCUMENT_GONE


async def test_a_blob_store_that_is_away_is_waited_for() -> None:
    with pytest.raises(BlobStoreUnavailable, match="away"):
        await obtained(Servers(BlobsUnavailable("away")), blob=str(REF))
