"""A document that comes again: what is kept, taken over and removed, and who may decide it."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import numpy as np
import pytest

from agents.revisions import Revision, Revisions
from models.documents import Chunk, ChunkOptions, Extraction, PageFault, Place
from models.errors import VectorStoreUnavailable
from models.events import UnitDone
from models.files import FileOrder, key_of
from models.manifests import Manifest, reading_of
from models.storing import stored_item
from models.unit_making import unit_of
from models.units import Cut, DocumentFacts, ItemOutcome, UnitItem
from models.vectors import StoredItem
from stores.memory import MemoryStore
from tests.unit.agents.fakes import CATALOG, TINY, events_of
from tests.unit.models.making import NOW_MS, SOURCE
from tests.unit.streams.fakes import FakeProducer, tools

CUT = Cut(max_text_bytes=1000, unit_items=2, unit_bytes=10_000, max_units=8)


class FakeDocuments:
    def __init__(self) -> None:
        self.held: dict[bytes, Manifest] = {}
        self.durable: dict[bytes, Manifest] = {}

    def stored(self, partition: int, key: bytes) -> Manifest | None:
        return self.held.get(key)

    async def put(self, partition: int, key: bytes, manifest: Manifest) -> Awaitable[None]:
        self.held[key] = manifest

        async def durable() -> None:
            self.durable[key] = manifest

        return durable()


class Down(MemoryStore):
    """Forgets chunks, or is away, when told to."""

    down = False

    async def write(self, items: Any) -> Any:
        if self.down:
            raise VectorStoreUnavailable
        return await super().write(items)


def order(task_id: str, submitted_ms: int = NOW_MS, **changes: Any) -> FileOrder:
    facts: dict[str, Any] = {
        "task_id": task_id,
        "source": SOURCE,
        "lane": "normal",
        "model": TINY.name,
        "fingerprint": TINY.fingerprint,
        "collection": "Tiny",
        "submitted_ms": submitted_ms,
        "sent_ms": NOW_MS,
        "cut": CUT,
        "metadata": {"by": task_id},
        "document": DocumentFacts(
            document_id="doc", filename="a.pdf", chunks=ChunkOptions(tokens=16)
        ),
    }
    return FileOrder.model_validate(facts | changes)


def read(*texts: str) -> Extraction:
    """One chunk a page; an empty text is a page that could not be read."""
    parts = [
        Chunk(text=text, place=Place(page=at, end=len(text)))
        if text
        else PageFault(page=at, message="broken")
        for at, text in enumerate(texts, 1)
    ]
    return Extraction(format="pdf", parts=parts)


class Bench:
    """Revisions over a store in memory; units are embedded and stored by the bench."""

    def __init__(self) -> None:
        self.producer = FakeProducer()
        self.documents = FakeDocuments()
        self.store = Down()
        self.readings: dict[str, str] = {}
        self.revisions = Revisions(
            tools(self.producer),
            documents=self.documents,
            store=self.store,
            catalog=CATALOG,
            worker="x1",
        )

    async def compare(self, task: FileOrder, *texts: str) -> Revision:
        revision = await self.revisions.compare(0, task, read(*texts))
        self.readings[task.task_id] = reading_of(read(*texts).digest(), revision.kept)
        return revision

    async def embed(self, task: FileOrder, revision: Revision, *texts: str) -> None:
        """What the stages behind extract do with the new chunks."""
        found = dict(read(*texts).chunks())
        items = [
            UnitItem(
                index=at, text=found[at].text, own_id=f"doc/{at}", place=found[at].place, chunk=key
            )
            for at, key in revision.new.items()
        ]
        passport = TINY.passport_of(task.options)
        unit = unit_of(task, 0, items, NOW_MS)
        outcome = ItemOutcome(tokens=3)
        await self.store.write(
            [
                stored_item(unit, item, passport, vector=vector_of(item.text), outcome=outcome)
                for item in items
            ]
        )

    def closing_of(self, task: FileOrder, kept: int, **changes: Any) -> FileOrder:
        """The order to close what the task was last read into."""
        reading = self.readings.get(task.task_id, "never read")
        told = {"closing": True, "unit": 1, "kept": kept, "reading": reading}
        return task.model_copy(update=told | changes)

    async def close(self, task: FileOrder, kept: int) -> UnitDone:
        before = len(self.producer.sent)
        await self.revisions.close(0, self.closing_of(task, kept))
        event = events_of(self.producer)[before]
        assert isinstance(event, UnitDone)
        return event

    async def whole(self, task: FileOrder, *texts: str) -> UnitDone:
        revision = await self.compare(task, *texts)
        await self.embed(task, revision, *texts)
        return await self.close(task, len(revision.kept))

    @property
    def stored(self) -> dict[str, StoredItem]:
        return {item.text: item for item in self.store.objects.values()}


def vector_of(text: str) -> "np.ndarray[Any, np.dtype[np.float32]]":
    return np.frombuffer(text.ljust(4)[:4].encode(), dtype=np.uint8).astype(np.float32)


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_the_first_reading_is_all_new_and_then_stands(bench: Bench) -> None:
    revision = await bench.compare(order("a"), "one", "", "two")
    assert (sorted(revision.new), list(revision.kept)) == ([0, 2], [])
    await bench.embed(order("a"), revision, "one", "", "two")
    told = await bench.close(order("a"), 0)
    assert (told.stored, told.deleted, told.failures, told.unit) == (0, 0, [], 1)
    assert told.reading == bench.readings["a"]
    [manifest] = bench.documents.durable.values()
    assert sorted(manifest.standing) == sorted(revision.new.values())


async def test_one_changed_page_is_all_that_is_embedded_and_its_old_text_goes(
    bench: Bench,
) -> None:
    await bench.whole(order("a"), "one", "two", "three")
    again = order("b", NOW_MS + 1)
    revision = await bench.compare(again, "zero", "one", "2", "three")
    assert (sorted(revision.new), [chunk.index for chunk in revision.kept]) == ([0, 2], [1, 3])
    assert set(bench.stored) == {"one", "two", "three"}, "nothing goes before the new ones stand"
    await bench.embed(again, revision, "zero", "one", "2", "three")
    told = await bench.close(again, 2)
    assert (told.stored, told.deleted, told.failures) == (2, 1, [])
    assert set(bench.stored) == {"zero", "one", "2", "three"}


async def test_what_is_kept_is_the_new_tasks_with_its_new_place_and_its_old_vector(
    bench: Bench,
) -> None:
    await bench.whole(order("a"), "one")
    before = bench.stored["one"]
    await bench.whole(order("b", NOW_MS + 1), "zero", "one")
    after = bench.stored["one"]
    assert (after.task_id, after.index, after.item) == ("b", 1, "doc/1")
    assert (after.place, after.metadata, after.tokens) == (Place(page=2, end=3), {"by": "b"}, 3)
    np.testing.assert_array_equal(after.vector, before.vector)
    assert after.object_id == before.object_id


async def test_a_task_that_never_closed_lends_nothing(bench: Bench) -> None:
    died = order("a")
    await bench.embed(died, await bench.compare(died, "one", "two"), "one", "two")
    revision = await bench.compare(order("b", NOW_MS + 1), "one", "two")
    assert (len(revision.new), list(revision.kept)) == (2, [])


async def test_what_is_gone_from_the_store_is_embedded_again(bench: Bench) -> None:
    await bench.whole(order("a"), "one", "two")
    del bench.store.objects[bench.stored["one"].object_id]
    revision = await bench.compare(order("b", NOW_MS + 1), "one", "two")
    assert (sorted(revision.new), [chunk.index for chunk in revision.kept]) == ([0], [1])


async def test_what_goes_between_comparing_and_closing_is_a_failed_item(bench: Bench) -> None:
    await bench.whole(order("a"), "one", "two")
    await bench.compare(order("b", NOW_MS + 1), "one", "two")
    del bench.store.objects[bench.stored["one"].object_id]
    told = await bench.close(order("b", NOW_MS + 1), 2)
    assert told.stored == 1
    [failure] = told.failures
    assert (failure.index, failure.own_id) == (0, "doc/0")
    assert "send the document again" in failure.message


async def test_of_two_at_once_the_later_submitted_stands_whoever_closes_last(
    bench: Bench,
) -> None:
    await bench.whole(order("old", NOW_MS - 9), "same", "gone")
    early, late = order("a"), order("b", NOW_MS + 1)
    first = await bench.compare(early, "same", "early")
    second = await bench.compare(late, "same", "late")
    await bench.embed(late, second, "same", "late")
    await bench.close(late, len(second.kept))
    await bench.embed(early, first, "same", "early")
    told = await bench.close(early, len(first.kept))
    assert (told.stored, told.deleted) == (1, 0)
    assert {text: item.task_id for text, item in bench.stored.items()} == {"same": "b", "late": "b"}


async def test_an_earlier_task_that_is_read_late_removes_nothing_of_the_later_one(
    bench: Bench,
) -> None:
    await bench.whole(order("b", NOW_MS + 1), "late")
    await bench.whole(order("a"), "early")
    assert {text: item.task_id for text, item in bench.stored.items()} == {"late": "b"}
    assert bench.documents.held[key_of(order("a"))].task_id == "b"


async def test_other_documents_and_other_tasks_are_left_alone(bench: Bench) -> None:
    other = DocumentFacts(document_id="other", chunks=ChunkOptions(tokens=16))
    await bench.whole(order("a"), "one")
    await bench.whole(order("c", document=other), "one", "x")
    await bench.whole(order("b", NOW_MS + 1), "two")
    assert sorted((item.document_id, item.text) for item in bench.store.objects.values()) == [
        ("doc", "two"),
        ("other", "one"),
        ("other", "x"),
    ]


async def test_closing_twice_says_the_same_and_changes_nothing(bench: Bench) -> None:
    await bench.whole(order("a"), "one", "two")
    again = order("b", NOW_MS + 1)
    revision = await bench.compare(again, "one", "new")
    await bench.embed(again, revision, "one", "new")
    first, held = await bench.close(again, 1), dict(bench.store.objects)
    second = await bench.close(again, 1)
    assert (second.stored, second.failures) == (first.stored, first.failures)
    assert set(bench.store.objects) == set(held)


async def test_while_the_store_is_away_nothing_is_closed(bench: Bench) -> None:
    await bench.whole(order("a"), "one", "two")
    again = order("b", NOW_MS + 1)
    await bench.compare(again, "one")
    sent, bench.store.down = len(bench.producer.sent), True
    with pytest.raises(VectorStoreUnavailable):
        await bench.close(again, 1)
    assert len(bench.producer.sent) == sent
    assert set(bench.stored) == {"one", "two"}
    bench.store.down = False
    assert (await bench.close(again, 1)).deleted == 1


async def test_a_document_is_compared_by_one_at_a_time(bench: Bench) -> None:
    tasks = [order(f"t{number}", NOW_MS + number) for number in range(9)]
    await asyncio.gather(*(bench.compare(task, "one") for task in tasks))
    assert bench.documents.durable[key_of(tasks[0])].task_id == "t8"


async def test_closing_what_no_manifest_tells_of_removes_nothing(bench: Bench) -> None:
    """A table that fell behind its closings must not let a document hang, nor harm it."""
    await bench.whole(order("old", NOW_MS - 9), "one")
    told = await bench.close(order("a"), 0)
    assert (told.stored, told.deleted, told.failures) == (0, 0, [])
    assert set(bench.stored) == {"one"}


async def test_the_closing_of_a_reading_that_was_read_again_since_is_left_to_the_next(
    bench: Bench,
) -> None:
    await bench.whole(order("old", NOW_MS - 9), "one")
    await bench.compare(order("a"), "one", "two")
    of_before = bench.closing_of(order("a"), 1)
    again = await bench.compare(order("a"), "one", "three")
    sent = len(bench.producer.sent)
    await bench.revisions.close(0, of_before)
    assert len(bench.producer.sent) == sent
    await bench.embed(order("a"), again, "one", "three")
    assert (await bench.close(order("a"), 1)).stored == 1
    assert set(bench.stored) == {"one", "three"}


async def test_chunks_that_failed_leave_the_version_before_beside_those_that_stand(
    bench: Bench,
) -> None:
    await bench.whole(order("old", NOW_MS - 9), "one", "two")
    revision = await bench.compare(order("a"), "one", "2")
    await bench.revisions.close(0, bench.closing_of(order("a"), len(revision.kept), whole=False))
    told = events_of(bench.producer)[-1]
    assert isinstance(told, UnitDone)
    assert (told.stored, told.deleted) == (1, 0)
    assert {text: item.task_id for text, item in bench.stored.items()} == {"one": "a", "two": "old"}
    await bench.whole(order("b", NOW_MS + 1), "one", "2")
    assert {text: item.task_id for text, item in bench.stored.items()} == {"one": "b", "2": "b"}


async def test_closing_again_after_a_later_task_was_read_takes_nothing_from_it(
    bench: Bench,
) -> None:
    await bench.whole(order("a"), "one", "two")
    revision = await bench.compare(order("b", NOW_MS + 1), "one", "new")
    told = await bench.close(order("a"), 0)
    assert (told.stored, told.deleted, told.failures) == (0, 0, [])
    await bench.embed(order("b", NOW_MS + 1), revision, "one", "new")
    await bench.close(order("b", NOW_MS + 1), 1)
    assert {text: item.task_id for text, item in bench.stored.items()} == {"one": "b", "new": "b"}


async def test_what_an_earlier_task_stores_after_a_later_one_was_closed_goes_when_it_is_closed(
    bench: Bench,
) -> None:
    early, late = order("a"), order("b", NOW_MS + 1)
    first = await bench.compare(early, "early")
    await bench.whole(late, "late")
    await bench.embed(early, first, "early")
    assert (await bench.close(early, 0)).deleted == 0
    assert set(bench.stored) == {"late"}


async def test_a_document_that_cannot_be_closed_keeps_what_stood(bench: Bench) -> None:
    await bench.whole(order("old", NOW_MS - 9), "one", "two")
    revision = await bench.compare(order("a"), "one")
    await bench.revisions.give_up(bench.closing_of(order("a"), len(revision.kept)))
    told = events_of(bench.producer)[-1]
    assert isinstance(told, UnitDone)
    assert (told.stored, told.deleted) == (1, 0)
    assert set(bench.stored) == {"one", "two"}
