"""The shelf of dead letters: read backwards in bounded steps; a letter sent back stays one."""

import asyncio
from collections.abc import Iterable

import pytest

from models.errors import BrokerUnavailable, LetterCut, LetterNotFound
from streams import dead_shelf
from streams.dead_shelf import ORIGIN, DeadShelf, letter_of, origin_of
from streams.records import Place, Record
from streams.side_reader import Span
from tests.unit.models.making import NOW_MS
from tests.unit.streams.fakes import NAMES, FakeProducer

DEAD = Place(NAMES.dead, 0)


class Shelved:
    """The topic of dead letters in memory; counts the records that were read."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.first = 0
        self.read_records = 0
        self.stuck = False

    def add(self, reason: str = "invalid_task", **headers: str) -> int:
        """Bury one; return its number."""
        number = len(self.records)
        told = {
            "reason": reason,
            "detail": "why",
            "stage": "intake",
            "attempts": "1",
            "source": f"{NAMES.tasks}[2]@{number}",
            "source_timestamp_ms": str(NOW_MS),
            "buried_ms": str(NOW_MS),
        }
        lines = tuple((name, value.encode()) for name, value in {**told, **headers}.items())
        self.records.append(Record(*DEAD, number, b"key", b"{}", lines, NOW_MS))
        return number

    async def read(self, place: Place, start: int, end: int) -> Span:
        """Give 70 records at most, as a broker gives no more bytes than it likes."""
        if self.stuck:
            return Span([], start)
        upto = min(end, start + 70)
        found = self.records[start:upto]
        self.read_records += len(found)
        return Span(found, upto)

    async def end_offsets(self, places: Iterable[Place]) -> dict[Place, int]:
        return {place: len(self.records) for place in places}

    async def beginning_offset(self, place: Place) -> int:
        return self.first


@pytest.fixture
def shelved() -> Shelved:
    return Shelved()


@pytest.fixture
def producer() -> FakeProducer:
    return FakeProducer()


@pytest.fixture
def shelf(shelved: Shelved, producer: FakeProducer) -> DeadShelf:
    return DeadShelf(shelved, producer, NAMES)


async def numbers(shelf: DeadShelf, limit: int, reason: str | None = None) -> list[list[int]]:
    """Read every page."""
    pages, before = [], None
    while True:
        page = await shelf.page(limit=limit, before=before, reason=reason)
        pages.append([letter.number for letter in page.letters])
        before = page.next_before
        if before is None:
            return pages


async def test_all_pages_together_hold_every_letter_once_the_newest_first(
    shelved: Shelved, shelf: DeadShelf
) -> None:
    for _ in range(507):
        shelved.add()
    shelved.first = 3
    pages = await numbers(shelf, 100)
    assert [len(page) for page in pages] == [100, 100, 100, 100, 100, 4]
    assert [number for page in pages for number in page] == list(range(506, 2, -1))


async def test_a_rare_reason_reads_a_bounded_stretch_and_says_where_to_go_on(
    shelved: Shelved, shelf: DeadShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_shelf, "MOST_LOOKED_AT", 300)
    shelved.add("rare")
    for _ in range(700):
        shelved.add()
    page = await shelf.page(limit=10, before=None, reason="rare")
    assert (page.letters, page.next_before, shelved.read_records) == ([], 401, 300)
    assert await numbers(shelf, 10, "rare") == [[], [], [0]]


async def test_an_empty_shelf_is_one_empty_page(shelf: DeadShelf) -> None:
    assert await numbers(shelf, 10) == [[]]


async def test_a_page_keeps_no_bytes_and_one_letter_has_them(
    shelved: Shelved, shelf: DeadShelf
) -> None:
    number = shelved.add()
    (listed,) = (await shelf.page(limit=1, before=None, reason=None)).letters
    assert (listed.value, listed.size_bytes) == (b"", 2)
    assert (await shelf.letter(number)).value == b"{}"


async def test_a_read_that_comes_to_nothing_is_told_as_an_outage(
    shelved: Shelved, shelf: DeadShelf
) -> None:
    shelved.add()
    shelved.stuck = True
    with pytest.raises(BrokerUnavailable):
        await asyncio.wait_for(shelf.page(limit=1, before=None, reason=None), 1)


@pytest.mark.parametrize(
    "headers",
    [
        {"attempts": "many"},
        {"buried_ms": ""},
        {"source_timestamp_ms": "1.5"},
        {"cut_from_bytes": "x"},
        {"source": "nowhere"},
    ],
)
async def test_a_record_that_somebody_else_wrote_is_passed(
    shelved: Shelved, shelf: DeadShelf, headers: dict[str, str]
) -> None:
    foreign = shelved.add(**headers)
    ours = shelved.add()
    assert await numbers(shelf, 10) == [[ours]]
    with pytest.raises(LetterNotFound):
        await shelf.letter(foreign)


async def test_a_letter_that_died_again_keeps_the_name_of_its_first_place(
    shelved: Shelved, shelf: DeadShelf, producer: FakeProducer
) -> None:
    first = shelved.add()
    await shelf.redrive(first)
    (sent,) = producer.to(NAMES.tasks)
    named = origin_of(sent)
    assert named == (NAMES.tasks, 2, first)

    again = shelved.add(
        source=f"{NAMES.tasks}[0]@977", **{ORIGIN: dict(sent.headers)[ORIGIN].decode()}
    )
    await shelf.redrive(again)
    assert origin_of(producer.to(NAMES.tasks)[1]) == named


async def test_what_is_sent_back_tells_where_it_lies_now(
    shelved: Shelved, shelf: DeadShelf, producer: FakeProducer
) -> None:
    sent = await shelf.redrive(shelved.add())
    (record,) = producer.to(NAMES.tasks)
    assert (record.key, record.value) == (b"key", b"{}")
    assert (sent.topic, sent.partition, sent.offset) == (
        record.topic, record.partition, record.offset
    )  # fmt: skip


@pytest.mark.parametrize(
    "headers", [{"cut_from_bytes": "9000000"}, {"source": "somebody.else[0]@4"}]
)
async def test_a_cut_letter_and_one_of_a_foreign_topic_are_not_sent(
    shelved: Shelved, shelf: DeadShelf, producer: FakeProducer, headers: dict[str, str]
) -> None:
    with pytest.raises(LetterCut):
        await shelf.redrive(shelved.add(**headers))
    assert producer.sent == []


def test_a_place_that_cannot_be_read_in_a_header_names_nothing() -> None:
    record = Record(NAMES.tasks, 1, 5, None, b"{}", ((ORIGIN, b"\xff"),), NOW_MS)
    assert origin_of(record) == (NAMES.tasks, 1, 5)
    assert letter_of(record) is None
