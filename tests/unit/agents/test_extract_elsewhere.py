"""Extract: files that do not come in their records; few at once, and none held for too long."""

import asyncio
import weakref
from typing import Any, cast

import pytest

from models.blob_refs import BlobRef
from models.documents import ChunkOptions, DocumentRefused
from models.errors import BlobStoreUnavailable
from models.states import ItemErrorCode, Lane
from models.units import DocumentFacts
from tests.unit.agents.fakes import kinds_of
from tests.unit.agents.test_extract import Bench, order, seen
from tests.unit.streams.fakes import NAMES

ELSEWHERE = DocumentFacts(url="https://x/a.pdf", chunks=ChunkOptions(tokens=64)).model_dump()


async def test_a_document_elsewhere_is_obtained_and_one_that_came_along_is_not() -> None:
    here, there = Bench(), Bench()
    await here.take()
    await there.take(document=ELSEWHERE)
    assert (here.obtainer.asked, there.obtainer.asked) == ([], ["https://x/a.pdf"])
    assert there.reader.asked[0][0] == b"from elsewhere"


@pytest.mark.parametrize(
    "own, servers, counts",
    [(None, "notes.md", "notes.md"), ("a.txt", "b.md", "a.txt"), (None, None, None)],
)
async def test_what_a_server_calls_a_document_counts_where_its_task_does_not_say(
    own: str | None, servers: str | None, counts: str | None
) -> None:
    bench = Bench()
    bench.obtainer.filename = servers
    await bench.take(document=ELSEWHERE | {"filename": own})
    assert bench.reader.asked[0][1] == counts


@pytest.mark.parametrize("where", [{"url": "https://x/"}, {"blob": str(BlobRef.of(b"x"))}])
async def test_few_tasks_at_once_wait_for_images_from_elsewhere(where: dict[str, str]) -> None:
    bench = Bench()
    bench.imaging.gate.clear()
    elsewhere, along = ({"images": [image], "chunks": {"tokens": 8}} for image in (where, {}))
    taking = [asyncio.create_task(bench.take(document=elsewhere)) for _ in range(3)]
    taking.append(asyncio.create_task(bench.take(document=along)))
    await seen(lambda: bench.imaging.asked == 3)
    for _ in range(20):
        await asyncio.sleep(0)
    assert bench.imaging.asked == 3  # two from elsewhere, and the one that came along
    bench.imaging.gate.set()
    await asyncio.gather(*taking)
    assert bench.imaging.asked == 4


async def test_an_urgent_image_does_not_wait_behind_bulk_ones_from_elsewhere() -> None:
    bench = Bench()
    bench.imaging.gate.clear()
    elsewhere = {"images": [{"url": "https://x/"}], "chunks": {"tokens": 8}}
    bulk = [asyncio.create_task(bench.take(document=elsewhere)) for _ in range(4)]
    await seen(lambda: bench.imaging.asked == 2)
    urgent = asyncio.create_task(bench.take(document=elsewhere, lane=Lane.HIGH))
    await seen(lambda: bench.imaging.asked == 3)
    bench.imaging.gate.set()
    await asyncio.gather(*bulk, urgent)


class File:
    """In place of bytes: of this somebody can tell whether it is held still."""


REFUSED = DocumentRefused(ItemErrorCode.DOCUMENT_NO_TEXT, "no text")


@pytest.mark.parametrize("error", [REFUSED, BlobStoreUnavailable()])
async def test_a_file_is_let_go_though_its_error_is_waited_with(error: Exception) -> None:
    bench = Bench(error)
    bench.producer.refuse = {NAMES.events}
    bench.obtainer.found = cast(Any, File())
    held = weakref.ref(bench.obtainer.found)
    given = order(document=ELSEWHERE)
    read = bench.extract._read_unless_cancelled(given, b"", bench.extract._teller_of(given))
    with pytest.raises(type(error)) as waited_with:
        await read
    bench.obtainer.found = b""
    bench.reader.asked.clear()
    assert held() is None, waited_with


async def test_a_document_that_is_gone_fails_and_an_outage_is_waited_out() -> None:
    gone, away = Bench(), Bench()
    gone.obtainer.found = DocumentRefused(ItemErrorCode.DOCUMENT_GONE, "gone")
    away.obtainer.found = BlobStoreUnavailable()
    await gone.take(document=ELSEWHERE)
    assert gone.told.failures[0].code is ItemErrorCode.DOCUMENT_GONE
    with pytest.raises(BlobStoreUnavailable):
        await away.take(document=ELSEWHERE)
    assert kinds_of(away.producer) == ["unit_started"]
