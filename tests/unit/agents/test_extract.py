"""Extract: what is read is told before its units are sent; what cannot be read fails by name."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agents.extract import Extract, Reading
from models.documents import (
    UNREAD,
    Chunk,
    ChunkOptions,
    DocumentRefused,
    Extraction,
    PageFault,
    Place,
)
from models.errors import BrokerUnavailable, UnknownModel
from models.events import Extracted, PagesRead
from models.files import FileOrder, Obtained
from models.images import Pixels
from models.manifests import KeptChunk
from models.states import ItemErrorCode, Lane
from models.units import Cut, DocumentFacts, ImageFacts, ItemFailure, Unit, UnitItem
from streams.codec import BadRecord, decode_unit, encode_file
from streams.records import Record
from streams.turns import Turns
from tests.unit.agents.fakes import FakeCache, events_of, kinds_of, topics_of
from tests.unit.models.making import NOW_MS, SOURCE, TASK
from tests.unit.streams.fakes import NAMES, FakeProducer, reason_of, record, tools

CUT = Cut(max_text_bytes=1000, unit_items=2, unit_bytes=10_000, max_units=8)
WHOLE = Extraction(
    format="pdf",
    pages=3,
    parts=[
        Chunk(text="one", place=Place(page=1, headings=["A"], start=0, end=3)),
        Chunk(text="two", place=Place(page=1, start=4, end=7)),
        PageFault(page=2, message="the page is broken"),
        Chunk(text="three", place=Place(page=3, end=5)),
    ],
)


def order(**changes: Any) -> FileOrder:
    facts: dict[str, Any] = {
        "task_id": TASK,
        "source": SOURCE,
        "lane": Lane.LOW,
        "model": "tiny",
        "fingerprint": "f1",
        "collection": "Tiny",
        "submitted_ms": NOW_MS - 10,
        "sent_ms": NOW_MS - 5,
        "metadata": {"k": 1},
        "cut": CUT,
        "document": DocumentFacts(filename="a.pdf", chunks=ChunkOptions(tokens=64)),
    }
    return FileOrder.model_validate(facts | changes)


class FakeReader:
    """Gives `found`, raises it, or waits at `gate`."""

    def __init__(self, found: Extraction | Exception) -> None:
        self.found = found
        self.asked: list[tuple[bytes, str | None, Path | None, ChunkOptions]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.told: tuple[int, int | None] | None = None
        self.left = False

    async def read(
        self,
        content: bytes,
        *,
        filename: str | None,
        tokenizer: Path | None,
        options: ChunkOptions,
        progress: Any,
    ) -> Extraction:
        self.asked.append((content, filename, tokenizer, options))
        if self.told is not None:
            progress(*self.told)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.left = True
            raise
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@dataclass
class FakeRevision:
    new: dict[int, str]
    kept: list[KeptChunk]


class FakeRevisions:
    """Keeps the chunk number 1; writes down what is to be closed."""

    def __init__(self) -> None:
        self.closed: list[tuple[int, FileOrder]] = []
        self.given_up: list[FileOrder] = []

    async def compare(self, partition: int, order: FileOrder, found: Extraction) -> FakeRevision:
        kept = [KeptChunk(key="b", index=1, place=Place(page=1))]
        return FakeRevision({0: "a", 3: "c"}, kept)

    async def close(self, partition: int, order: FileOrder) -> None:
        self.closed.append((partition, order))

    async def give_up(self, order: FileOrder) -> None:
        self.given_up.append(order)


@dataclass
class FakeImages:
    items: list[UnitItem]
    failures: list[ItemFailure]


class FakeImaging:
    """Makes three images of every task, the second of which cannot be read."""

    def __init__(self) -> None:
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, order: FileOrder, inline: bytes) -> FakeImages:
        self.asked += 1
        await self.gate.wait()
        items = [
            UnitItem(index=at, text="", pixels=Pixels(1, 2, bytes([at] * 6)), shape=(1, 2))
            for at in (0, 2)
        ]
        code = ItemErrorCode.DOCUMENT_UNREADABLE
        return FakeImages(items, [ItemFailure(index=1, code=code, message="data[1]: broken")])


class FakeObtainer:
    """Knows one document, or that it is gone."""

    def __init__(self) -> None:
        self.found: bytes | Exception = b"from elsewhere"
        self.filename: str | None = None
        self.asked: list[str | None] = []

    @asynccontextmanager
    async def content(self, order: FileOrder) -> AsyncIterator[Obtained]:
        self.asked.append(order.document.url or order.document.blob)
        if isinstance(self.found, Exception):
            raise self.found
        yield Obtained(self.found, self.filename)


class Bench:
    def __init__(self, found: Extraction | Exception = WHOLE, *marked: str) -> None:
        self.producer = FakeProducer()
        self.reader = FakeReader(found)
        self.cache = FakeCache(*marked)
        self.revisions = FakeRevisions()
        self.obtainer = FakeObtainer()
        self.imaging = FakeImaging()
        self.tokenizer: Path | Exception = Path("tokenizer.json")
        self.extract = Extract(
            tools(self.producer),
            obtainer=self.obtainer,
            reading=Reading(self.reader, self._tokenizer, Turns(1)),
            imaging=self.imaging,
            revisions=self.revisions,
            marks=self.cache,
            worker="x1",
            at_once=2,
        )

    def _tokenizer(self, model: str) -> Path:
        if isinstance(self.tokenizer, Exception):
            raise self.tokenizer
        return self.tokenizer

    async def take(self, **changes: Any) -> None:
        await (await self.extract.begin(file_record(**changes)))

    @property
    def told(self) -> Extracted:
        (event,) = (each for each in events_of(self.producer) if isinstance(each, Extracted))
        return event

    @property
    def units(self) -> list[Unit]:
        return [decode_unit(each.value) for each in self.producer.to(NAMES.units(Lane.LOW))]


async def seen(condition: Callable[[], bool]) -> None:
    """Let others run until it is so."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # a fake rings no bell
            await asyncio.sleep(0)


def file_record(content: bytes = b"%PDF", **changes: Any) -> Record:
    return record(0, encode_file(order(**changes), content), topic=NAMES.files(Lane.LOW))


async def test_what_a_document_is_read_into_is_told_before_its_units_are_sent() -> None:
    bench = Bench()
    await bench.take()
    topics = topics_of(bench.producer.sent)
    assert topics == [NAMES.events, *[NAMES.units(Lane.LOW)] * 2]
    told = bench.told
    assert (told.total_items, told.total_units, told.pages, told.format) == (4, 2, 3, "pdf")
    [fault] = told.failures
    assert (fault.index, fault.code) == (2, ItemErrorCode.PAGE_UNREADABLE)
    assert fault.message == "page 2: the page is broken"


async def test_units_carry_text_place_reading_and_all_that_the_task_said() -> None:
    bench = Bench()
    await bench.take()
    first, second = bench.units
    assert [item.index for unit in bench.units for item in unit.items] == [0, 1, 3]
    assert first.items[0].text == "one"
    assert first.items[0].place == Place(page=1, headings=["A"], start=0, end=3)
    assert (first.number, second.number) == (0, 1)
    assert {first.reading, second.reading} == {bench.told.reading}
    assert (first.metadata, first.lane, first.source) == ({"k": 1}, Lane.LOW, SOURCE)
    assert first.document == order().document


async def test_the_reader_gets_the_bytes_the_name_and_how_to_cut() -> None:
    bench = Bench()
    await bench.take()
    assert bench.reader.asked == [
        (b"%PDF", "a.pdf", Path("tokenizer.json"), ChunkOptions(tokens=64))
    ]


NAMED = DocumentFacts(document_id="doc", chunks=ChunkOptions(tokens=64)).model_dump()


async def test_of_a_document_with_an_id_only_what_is_new_is_embedded_under_own_ids() -> None:
    bench = Bench()
    await bench.take(document=NAMED)
    items = [item for unit in bench.units for item in unit.items]
    assert [(item.own_id, item.chunk) for item in items] == [("doc/0", "a"), ("doc/3", "c")]
    told = bench.told
    assert (told.total_items, told.total_units, told.kept, told.closes) == (4, 1, 1, True)
    assert told.failures[0].own_id == "doc/2"


async def test_another_reading_is_one_that_keeps_other_chunks() -> None:
    plain, named = Bench(), Bench()
    await plain.take()
    await named.take(document=NAMED)
    assert plain.told.reading != named.told.reading
    assert not plain.told.closes


async def test_an_order_to_close_is_not_read() -> None:
    bench = Bench()
    await bench.take(document=NAMED, closing=True, unit=3, kept=1)
    [(partition, closed)] = bench.revisions.closed
    assert (partition, closed.unit, closed.kept) == (0, 3, 1)
    assert (bench.reader.asked, bench.producer.sent) == ([], [])


@pytest.mark.parametrize(
    "error,code",
    [
        (
            DocumentRefused(ItemErrorCode.DOCUMENT_ENCRYPTED, "it needs a password"),
            ItemErrorCode.DOCUMENT_ENCRYPTED,
        ),
        (UnknownModel(given="tiny", allowed=["other"]), ItemErrorCode.MODEL_UNAVAILABLE),
    ],
    ids=["refused", "no model"],
)
async def test_a_document_that_cannot_be_read_is_the_one_failed_item(
    error: Exception, code: ItemErrorCode
) -> None:
    bench = Bench(error)
    await bench.take()
    told = bench.told
    assert (told.total_items, told.total_units, told.reading) == (1, 0, UNREAD)
    assert [(fault.index, fault.code) for fault in told.failures] == [(0, code)]
    assert bench.units == []


async def test_nobody_reads_a_document_whose_task_is_cancelled_or_late() -> None:
    cancelled, late = Bench(WHOLE, TASK), Bench()
    await cancelled.take()
    await late.take(deadline_ms=NOW_MS)
    assert (cancelled.reader.asked, late.reader.asked) == ([], [])
    assert (kinds_of(cancelled.producer), kinds_of(late.producer)) == ([], ["deadline_passed"])


async def test_a_short_reading_is_told_with_what_was_read_and_since_when() -> None:
    bench = Bench()
    await bench.take()
    assert kinds_of(bench.producer) == ["extracted"]
    assert (bench.told.begun_ms, bench.told.at_ms) == (NOW_MS, NOW_MS)


async def test_that_a_document_with_a_queue_timeout_was_begun_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agents.extract.TOLD_AFTER_S", 60.0)
    bench = Bench()
    bench.reader.gate.clear()
    taking = asyncio.create_task(bench.take(queue_timeout_ms=30_000))
    await seen(lambda: bool(bench.producer.sent))
    assert kinds_of(bench.producer) == ["unit_started"]
    bench.reader.gate.set()
    await asyncio.wait_for(taking, 5)
    assert kinds_of(bench.producer) == ["unit_started", "extracted"]


async def test_a_reading_that_takes_long_tells_that_it_began_and_its_pages_and_ends_with_a_cancel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agents.extract.TOLD_AFTER_S", 0.01)
    monkeypatch.setattr("agents.extract.LOOK_AGAIN_S", 0.01)
    bench = Bench()
    bench.reader.gate.clear()
    bench.reader.told = (7, 90)
    taking = asyncio.create_task(bench.take())
    await seen(lambda: "pages_read" in kinds_of(bench.producer))
    [told] = [each for each in events_of(bench.producer) if isinstance(each, PagesRead)]
    assert (told.read, told.pages, told.source) == (7, 90, SOURCE)
    bench.cache.marked[TASK] = 0
    await asyncio.wait_for(taking, 5)
    assert bench.reader.left
    assert kinds_of(bench.producer) == ["unit_started", "pages_read"]


async def test_a_task_that_is_given_back_leaves_no_reading_behind() -> None:
    bench = Bench()
    bench.reader.gate.clear()
    taking = asyncio.create_task(bench.take())
    await seen(lambda: bool(bench.reader.asked))
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert bench.reader.left


async def test_without_the_broker_no_unit_goes_ahead_of_its_reading() -> None:
    bench = Bench()
    bench.producer.refuse = {NAMES.events}
    with pytest.raises(BrokerUnavailable):
        await bench.take()
    assert bench.units == []


async def test_an_urgent_document_does_not_wait_behind_bulk_ones() -> None:
    bench = Bench()
    bench.reader.gate.clear()
    lanes = [Lane.LOW, Lane.LOW, Lane.NORMAL, Lane.HIGH]
    taking = []
    for lane in lanes:
        named = DocumentFacts(filename=lane, chunks=ChunkOptions(tokens=64)).model_dump()
        taking.append(asyncio.create_task(bench.take(lane=lane, document=named)))
        await asyncio.sleep(0.01)
    bench.reader.gate.set()
    await asyncio.gather(*taking)
    assert [filename for _, filename, _, _ in bench.reader.asked] == [
        "low",
        "high",
        "normal",
        "low",
    ]


IMAGES = DocumentFacts(images=[ImageFacts(size=1)] * 3, chunks=ChunkOptions(tokens=64)).model_dump()


async def test_images_go_on_as_pixels_and_one_that_cannot_be_read_fails_alone() -> None:
    bench = Bench()
    await bench.take(document=IMAGES)
    told = bench.told
    assert (told.total_items, told.total_units, told.format) == (3, 1, "image")
    assert [(fault.index, fault.message) for fault in told.failures] == [(1, "data[1]: broken")]
    [unit] = bench.units
    assert [item.index for item in unit.items] == [0, 2]
    assert [item.pixels for item in unit.items] == [
        Pixels(1, 2, bytes(6)), Pixels(1, 2, bytes([2] * 6)),
    ]  # fmt: skip
    assert unit.reading == told.reading
    assert bench.reader.asked == []


async def test_a_document_that_cannot_be_closed_is_given_up() -> None:
    bench = Bench()
    await bench.extract.poison(file_record(closing=True), RuntimeError("x"), 5)
    assert [order.closing for order in bench.revisions.given_up] == [True]
    assert bench.producer.sent == []


async def test_a_document_that_breaks_the_stage_fails_and_what_is_no_file_is_buried() -> None:
    bench = Bench()
    await bench.extract.poison(file_record(), RuntimeError("x"), 5)
    assert bench.told.failures[0].code is ItemErrorCode.STAGE_FAILED
    await bench.extract.poison(record(0, b"{}"), BadRecord("bad_frame", "no"), 5)
    assert [reason_of(each) for each in bench.producer.to(NAMES.dead)] == ["bad_frame"]
