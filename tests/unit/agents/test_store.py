"""Store: vectors under deterministic ids, then the unit's report: stored, refused or failed."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from agents.store import Store
from models.encoding import EncodeOptions
from models.errors import VectorStoreUnavailable
from models.events import UnitDone
from models.ids import object_id
from models.states import ItemErrorCode
from models.units import EncodedUnit, ItemFailure, ItemOutcome, ReplyAddress, Unit, UnitItem
from models.vectors import StoredItem
from stores.memory import MemoryStore
from streams.codec import BadRecord, encode_vectors
from streams.records import Record
from streams.turns import Turns
from tests.unit.agents.fakes import CATALOG, TINY, FakeCache, events_of
from tests.unit.models.making import NOW_MS, TASK, failure, unit
from tests.unit.streams.fakes import NAMES, FakeProducer, reason_of, record, tools


class Writer(MemoryStore):
    """Refuses the items it is told to; `down` is an outage."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[int] = set()
        self.down = False
        self.answers_lost = False

    async def write(self, items: Sequence[StoredItem]) -> list[ItemFailure | None]:
        if self.down:
            raise VectorStoreUnavailable
        good = [item for item in items if item.index not in self.refused]
        written = dict(zip((item.index for item in good), await super().write(good), strict=True))
        if self.answers_lost:
            raise VectorStoreUnavailable
        return [
            ItemFailure(index=item.index, code=ItemErrorCode.STORE_REFUSED, message="no")
            if item.index in self.refused
            else written[item.index]
            for item in items
        ]


class Bench:
    def __init__(self, *marked: str) -> None:
        self.producer = FakeProducer()
        self.writer = Writer()
        self.marks = FakeCache(*marked)
        self.store = Store(
            tools(self.producer),
            writer=self.writer,
            catalog=CATALOG,
            marks=self.marks,
            turns=Turns(4),
            write_objects=16,
        )

    async def take(self, each: Record) -> None:
        await asyncio.wait_for(await self.store.begin(each), 1)

    @property
    def done(self) -> UnitDone:
        (event,) = events_of(self.producer)
        assert isinstance(event, UnitDone)
        return event


@pytest.fixture
async def bench() -> Bench:
    return Bench()


def work(*texts: str, **changes: object) -> Unit:
    return unit(*texts, **{"fingerprint": TINY.fingerprint} | changes)


def vectors_record(each: Unit, *failures: ItemFailure) -> Record:
    count = len(each.items)
    vectors = np.zeros((count, 4), dtype=np.float32)
    vectors[:, 0] = [item.index + 1 for item in each.items]
    header = EncodedUnit(
        unit=each,
        outcomes=[
            ItemOutcome(tokens=10 + item.index, truncated=item.index == 0) for item in each.items
        ],
        failures=list(failures),
        computed=3,
        deduplicated=2,
        cached=1,
        dimension=4,
        worker="w7",
        queue_ms=11,
        encode_ms=12,
    )
    return record(0, encode_vectors(header, vectors), topic=NAMES.vectors(each.lane))


async def test_each_vector_is_stored_beside_its_own_text(bench: Bench) -> None:
    items = [UnitItem(index=0, text="a"), UnitItem(index=5, text="b", own_id="mine")]
    await bench.take(vectors_record(work(items=items, metadata={"k": 1})))
    stored = sorted(bench.writer.objects.values(), key=lambda item: item.index)
    assert [(each.text, float(each.vector[0])) for each in stored] == [("a", 1.0), ("b", 6.0)]
    assert [(each.item, each.own_id) for each in stored] == [("task-a/0", False), ("mine", True)]
    assert all(each.metadata == {"k": 1} for each in stored)
    assert all(each.passport == TINY.passport for each in stored)


async def test_each_object_says_how_long_its_text_was_and_whether_it_was_cut(
    bench: Bench,
) -> None:
    await bench.take(vectors_record(work("a", "b")))
    stored = sorted(bench.writer.objects.values(), key=lambda item: item.index)
    assert [(each.tokens, each.truncated) for each in stored] == [(10, True), (11, False)]


async def test_the_passport_follows_the_options_of_the_unit(bench: Bench) -> None:
    options = EncodeOptions(prompt="query: ", dimensions=2, normalize=False)
    passport = TINY.passport_of(options)
    each = work("a", options=options, fingerprint=passport.fingerprint)
    vectors = np.ones((1, 2), dtype=np.float32)
    header = EncodedUnit(
        unit=each, outcomes=[ItemOutcome(tokens=3)], dimension=2, worker="w", queue_ms=0,
        encode_ms=0,
    )  # fmt: skip
    await bench.take(record(0, encode_vectors(header, vectors), topic=NAMES.vectors(each.lane)))
    (stored,) = bench.writer.objects.values()
    assert stored.passport == passport
    assert (passport.dimension, passport.normalized, passport.prompt) == (2, False, "query: ")
    assert bench.done.stored == 1


async def test_objects_are_named_so_that_a_second_run_writes_the_same_ones(bench: Bench) -> None:
    items = [UnitItem(index=0, text="a"), UnitItem(index=1, text="b", own_id="mine")]
    each = vectors_record(work(items=items))
    await bench.take(each)
    once = set(bench.writer.objects)
    await bench.take(each)
    assert set(bench.writer.objects) == once
    assert once == {
        object_id("default", "Tiny", identity, 0, fingerprint=TINY.fingerprint)
        for identity in ("task/task-a/0", "own/mine")
    }


async def test_a_stored_unit_is_reported_with_its_figures(bench: Bench) -> None:
    await bench.take(vectors_record(work("a", "b", number=3)))
    done = bench.done
    assert (done.unit, done.stored, done.failures) == (3, 2, [])
    assert (done.tokens, done.truncated) == (21, 1)
    assert (done.computed, done.deduplicated, done.cached) == (3, 2, 1)
    assert (done.worker, done.queue_ms, done.encode_ms) == ("w7", 11, 12)
    assert bench.producer.sent[0].key == TASK.encode()


async def test_refusals_and_earlier_failures_are_reported_together(bench: Bench) -> None:
    bench.writer.refused = {1}
    await bench.take(vectors_record(work("a", "b", "c"), failure(7)))
    assert [each.index for each in bench.done.failures] == [7, 1]
    assert bench.done.stored == 2
    assert bench.done.tokens == 10 + 12
    assert sorted(item.index for item in bench.writer.objects.values()) == [0, 2]


async def test_an_outage_reports_nothing_and_is_left_to_the_delivery(bench: Bench) -> None:
    bench.writer.down = True
    with pytest.raises(VectorStoreUnavailable):
        await bench.take(vectors_record(work("a")))
    assert bench.producer.sent == []


async def test_a_cancelled_tasks_vectors_are_not_stored() -> None:
    bench = Bench(TASK)
    await bench.take(vectors_record(work("a")))
    assert bench.writer.objects == {}
    assert bench.producer.sent == []


async def test_what_a_try_wrote_before_its_task_was_cancelled_is_removed_by_the_next(
    bench: Bench,
) -> None:
    await bench.take(vectors_record(work("a", task_id="another")))
    bench.writer.answers_lost = True
    with pytest.raises(VectorStoreUnavailable):
        await bench.take(vectors_record(work("a", "b")))
    assert len(bench.writer.objects) == 3
    await bench.marks.mark_cancelled(TASK, 60)
    await bench.take(vectors_record(work("a", "b")))
    assert [item.task_id for item in bench.writer.objects.values()] == ["another"]


async def test_a_model_that_left_the_catalog_fails_its_items_and_stores_nothing(
    bench: Bench,
) -> None:
    await bench.take(vectors_record(work("a", model="gone"), failure(4)))
    codes = {each.index: each.code for each in bench.done.failures}
    assert codes[0] is ItemErrorCode.MODEL_UNAVAILABLE
    assert set(codes) == {0, 4}
    assert bench.writer.objects == {}


async def test_a_unit_that_cannot_be_stored_fails_by_the_last_resort(bench: Bench) -> None:
    await bench.store.poison(vectors_record(work("a", "b"), failure(9)), KeyError("x"), 3)
    assert sorted(each.index for each in bench.done.failures) == [0, 1, 9]
    assert bench.done.stored == 0
    assert "KeyError" in bench.done.failures[-1].message


@pytest.mark.parametrize("raw", [None, b"V1", b"garbage"])
async def test_a_record_that_is_no_vectors_is_a_dead_letter(
    bench: Bench, raw: bytes | None
) -> None:
    with pytest.raises(BadRecord) as caught:
        await bench.store.begin(record(0, raw))
    await bench.store.poison(record(0, raw), caught.value, 1)
    assert [reason_of(each) for each in bench.producer.to(NAMES.dead)] == ["bad_frame"]


async def test_a_waiting_callers_vectors_in_the_wrong_topic_are_a_dead_letter(bench: Bench) -> None:
    reply = ReplyAddress(partition=0, correlation_id="c", deadline_ms=NOW_MS)
    each = vectors_record(work("a", source=None, reply=reply))
    with pytest.raises(BadRecord) as caught:
        await bench.take(each)
    await bench.store.poison(each, caught.value, 1)
    assert bench.writer.objects == {}
    assert [reason_of(dead) for dead in bench.producer.to(NAMES.dead)] == ["bad_frame"]
