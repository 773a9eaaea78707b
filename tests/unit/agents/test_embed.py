"""Embed: one outcome an item, on to the store, back to the caller, or reported failed."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from agents.embed import Embed, Gate, Suspects, mind_the_backlog
from embedding.catalog import ModelEntry
from embedding.encoder import EncodedText, EncodeFailure, Origin, Outcome
from embedding.pool import ModelLoadFailed
from models.encoding import EncodeOptions, Truncate
from models.errors import HandedBack
from models.events import DeadlinePassed, UnitDone, UnitStarted
from models.states import ItemErrorCode, Lane
from models.units import ReplyAddress, Unit, UnitItem
from streams.codec import BadRecord, decode_vectors, encode
from tests.unit.agents.fakes import (
    CATALOG,
    TINY,
    FakeCache,
    deliveries,
    events_of,
    kinds_of,
    topics_of,
)
from tests.unit.models.making import NOW_MS, TASK, unit
from tests.unit.streams.fakes import NAMES, FakeProducer, reason_of, record, tools

REPLY = ReplyAddress(partition=3, correlation_id="c1", deadline_ms=NOW_MS + 1000)


class FakeBatcher:
    """A vector that says which text it came of; texts named `bad…` have none."""

    def __init__(self) -> None:
        self.calls: list[tuple[Lane, str, list[str]]] = []
        self.options: list[EncodeOptions] = []
        self.error: Exception | None = None
        self.short = 0
        self.reached: asyncio.Event | None = None
        """Set where encoding began that then never ends."""

    async def encode(
        self, lane: Lane, entry: ModelEntry, texts: Sequence[str], options: EncodeOptions
    ) -> list[Outcome]:
        self.calls.append((lane, entry.name, list(texts)))
        self.options.append(options)
        if self.error is not None:
            raise self.error
        if self.reached is not None:
            self.reached.set()
            await asyncio.Event().wait()
        return [_outcome(text) for text in texts[self.short :]]


def _outcome(text: str) -> Outcome:
    if text.startswith("bad"):
        return EncodeFailure(ItemErrorCode.BAD_VECTOR, "not a number")
    vector = np.full(4, sum(text.encode()), dtype=np.float32)
    origin = {"=": Origin.DEDUPLICATED, "#": Origin.CACHED}.get(text[-1], Origin.COMPUTED)
    return EncodedText(vector, len(text), text.endswith("!"), origin)


class FakeAttempts:
    """Counts begins; `ended` are those that were forgotten."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.ended: list[str] = []

    async def begin(self, key: str) -> int:
        self.counts[key] += 1
        return self.counts[key]

    def end(self, key: str) -> None:
        self.ended.append(key)
        del self.counts[key]

    def take_back(self, key: str) -> None:
        self.counts[key] -= 1


class Bench:
    def __init__(self, *marked: str) -> None:
        self.producer = FakeProducer()
        self.batcher, self.alone = FakeBatcher(), FakeBatcher()
        self.attempts = FakeAttempts()
        self.gate = Gate()
        self.books = deliveries()
        self.embed = Embed(
            tools(self.producer),
            deliveries=self.books,
            batcher=self.batcher,
            catalog=CATALOG,
            suspects=Suspects(self.attempts, self.alone, most_deaths=2),
            marks=FakeCache(*marked),
            gate=self.gate,
            worker="w7",
        )

    async def take(self, each: Unit) -> None:
        work = await self.embed.begin(record(0, encode(each)))
        assert work is not None
        await asyncio.wait_for(work, 1)

    @property
    def done(self) -> UnitDone:
        (event,) = [event for event in events_of(self.producer) if isinstance(event, UnitDone)]
        return event


@pytest.fixture
async def bench() -> Bench:
    return Bench()


def work(*texts: str, **changes: object) -> Unit:
    return unit(*texts, **{"fingerprint": TINY.fingerprint, "number": 1} | changes)


async def test_a_units_vectors_go_to_its_lane_each_beside_its_item(bench: Bench) -> None:
    await bench.take(work("a", "bb!", "c", lane=Lane.LOW, sent_ms=NOW_MS - 40))
    (sent,) = bench.producer.sent
    assert (sent.topic, sent.key) == (NAMES.vectors(Lane.LOW), b"task-a/1")
    header, vectors = decode_vectors(sent.value)
    assert [item.text for item in header.unit.items] == ["a", "bb!", "c"]
    assert [int(vector[0]) for vector in vectors] == [sum(t.encode()) for t in ("a", "bb!", "c")]
    assert [(o.tokens, o.truncated) for o in header.outcomes] == [(1, False), (3, True), (1, False)]
    assert (header.worker, header.queue_ms, header.dimension) == ("w7", 40, 4)
    assert bench.batcher.calls == [(Lane.LOW, "tiny", ["a", "bb!", "c"])]


async def test_a_failed_text_leaves_its_mates_their_own_vectors(bench: Bench) -> None:
    items = [UnitItem(index=4 + n, text=t, own_id=t) for n, t in enumerate(["a", "bad", "c"])]
    await bench.take(work(items=items))
    header, vectors = decode_vectors(bench.producer.sent[0].value)
    assert [(item.index, item.text) for item in header.unit.items] == [(4, "a"), (6, "c")]
    assert [int(vector[0]) for vector in vectors] == [ord("a"), ord("c")]
    assert [(f.index, f.code, f.own_id) for f in header.failures] == [
        (5, ItemErrorCode.BAD_VECTOR, "bad")
    ]


async def test_a_unit_of_failures_is_reported_done_at_once(bench: Bench) -> None:
    await bench.take(work("bad", "bad too"))
    assert topics_of(bench.producer.sent) == [NAMES.events]
    assert bench.done.stored == 0
    assert [failure.index for failure in bench.done.failures] == [0, 1]
    assert (bench.done.unit, bench.done.worker) == (1, "w7")
    assert bench.producer.sent[0].key == TASK.encode()


async def test_a_unit_is_encoded_by_its_own_options_in_its_own_space(bench: Bench) -> None:
    options = EncodeOptions(prompt="passage: ", normalize=False, truncate=Truncate.START)
    space = TINY.passport_of(options).fingerprint
    assert space != TINY.fingerprint
    await bench.take(work("a", options=options, fingerprint=space))
    assert bench.batcher.options == [options]
    assert len(bench.producer.to(NAMES.vectors(Lane.NORMAL))) == 1


async def test_vectors_of_other_options_than_were_accepted_are_never_made(bench: Bench) -> None:
    await bench.take(work("a", options=EncodeOptions(normalize=False)))
    assert [failure.code for failure in bench.done.failures] == [ItemErrorCode.MODEL_UNAVAILABLE]
    assert bench.batcher.calls == []


async def test_the_header_tells_where_its_vectors_came_from(bench: Bench) -> None:
    await bench.take(work("a", "b=", "c=", "d#", "bad", "e", "f"))
    header, _ = decode_vectors(bench.producer.sent[0].value)
    assert (header.computed, header.deduplicated, header.cached) == (3, 2, 1)


async def test_only_a_tasks_first_unit_says_that_it_started(bench: Bench) -> None:
    await bench.take(work("a", number=0))
    assert topics_of(bench.producer.sent) == [NAMES.events, NAMES.vectors(Lane.NORMAL)]
    assert isinstance(events_of(bench.producer)[0], UnitStarted)
    await bench.take(work("a", number=1))
    assert kinds_of(bench.producer) == ["unit_started"]


async def test_of_a_document_that_was_read_nobody_is_told_again_that_it_started(
    bench: Bench,
) -> None:
    await bench.take(work("a", number=0, reading="r1"))
    assert topics_of(bench.producer.sent) == [NAMES.vectors(Lane.NORMAL)]


async def test_a_waiting_caller_is_answered_at_its_own_partition(bench: Bench) -> None:
    await bench.take(work("a", "bad", source=None, reply=REPLY, number=0))
    (sent,) = bench.producer.sent
    assert (sent.topic, sent.key, sent.partition) == (NAMES.replies, b"c1", 3)
    header, vectors = decode_vectors(sent.value)
    assert len(vectors) == len(header.failures) == 1


async def test_a_waiting_caller_is_told_of_nothing_but_failures_too(bench: Bench) -> None:
    await bench.take(work("bad", source=None, reply=REPLY))
    (sent,) = bench.producer.to(NAMES.replies)
    header, vectors = decode_vectors(sent.value)
    assert len(vectors) == 0
    assert len(header.failures) == 1


async def test_nobody_waits_any_more_so_nothing_is_done(bench: Bench) -> None:
    late = REPLY.model_copy(update={"deadline_ms": NOW_MS})
    await bench.take(work("a", source=None, reply=late))
    assert bench.producer.sent == []
    assert bench.batcher.calls == []


async def test_a_unit_past_its_deadline_says_so_and_is_not_encoded(bench: Bench) -> None:
    await bench.take(work("a", deadline_ms=NOW_MS, number=0))
    (event,) = events_of(bench.producer)
    assert isinstance(event, DeadlinePassed)
    assert event.at_ms == NOW_MS
    assert bench.batcher.calls == []
    await bench.take(work("a", deadline_ms=NOW_MS + 1))
    assert len(bench.batcher.calls) == 1


async def test_a_cancelled_tasks_unit_is_skipped() -> None:
    bench = Bench(TASK)
    await bench.take(work("a", number=0))
    assert bench.producer.sent == []
    assert bench.batcher.calls == []


async def test_a_model_of_another_fingerprint_fails_the_unit_and_encodes_nothing(
    bench: Bench,
) -> None:
    await bench.take(work("a", fingerprint="other"))
    assert [failure.code for failure in bench.done.failures] == [ItemErrorCode.MODEL_UNAVAILABLE]
    assert "fingerprint" in bench.done.failures[0].message
    assert bench.batcher.calls == []


async def test_an_unknown_model_fails_the_unit(bench: Bench) -> None:
    await bench.take(work("a", model="gone"))
    assert [failure.code for failure in bench.done.failures] == [ItemErrorCode.MODEL_UNAVAILABLE]


async def test_a_model_that_does_not_load_fails_the_unit(bench: Bench) -> None:
    bench.batcher.error = ModelLoadFailed(model="tiny", reason="no memory")
    await bench.take(work("a", "b"))
    assert [failure.code for failure in bench.done.failures] == [
        ItemErrorCode.MODEL_UNAVAILABLE
    ] * 2
    assert "no memory" in bench.done.failures[0].message


async def test_too_few_outcomes_never_shift_vectors_onto_other_texts(bench: Bench) -> None:
    bench.batcher.short = 1
    with pytest.raises(RuntimeError, match="1 outcomes for 2 texts"):
        await bench.take(work("a", "b"))
    assert bench.producer.to(NAMES.vectors(Lane.NORMAL)) == []


async def test_a_unit_that_cannot_be_worked_on_fails_by_the_last_resort(bench: Bench) -> None:
    await bench.embed.poison(record(0, encode(work("a", "b"))), MemoryError(), 3)
    assert [failure.code for failure in bench.done.failures] == [ItemErrorCode.STAGE_FAILED] * 2
    assert "MemoryError" in bench.done.failures[0].message


async def test_a_caller_is_told_by_the_last_resort_too(bench: Bench) -> None:
    asked = record(0, encode(work("a", source=None, reply=REPLY)))
    await bench.embed.poison(asked, MemoryError(), 3)
    header, _ = decode_vectors(bench.producer.to(NAMES.replies)[0].value)
    assert [failure.code for failure in header.failures] == [ItemErrorCode.STAGE_FAILED]


@pytest.mark.parametrize("raw", [b"no json", None, encode(unit()).replace(b'"source"', b'"s"')])
async def test_a_record_that_is_no_unit_is_a_dead_letter(bench: Bench, raw: bytes | None) -> None:
    with pytest.raises(BadRecord) as caught:
        await bench.embed.begin(record(0, raw))
    await bench.embed.poison(record(0, raw), caught.value, 1)
    (dead,) = bench.producer.to(NAMES.dead)
    assert reason_of(dead) in {"bad_record", "empty_record"}
    assert dead.value == (raw or b"")


async def test_units_wait_while_the_store_is_behind_but_callers_do_not(bench: Bench) -> None:
    bench.gate.judge(101, 100)
    await bench.take(work("a", source=None, reply=REPLY))
    assert len(bench.batcher.calls) == 1
    held = asyncio.ensure_future(_awaited(bench, work("b")))
    await asyncio.sleep(0.01)
    assert len(bench.batcher.calls) == 1
    bench.gate.judge(51, 100)
    await asyncio.sleep(0.01)
    assert not held.done()
    bench.gate.judge(50, 100)
    await asyncio.wait_for(held, 1)
    assert len(bench.batcher.calls) == 2


async def _awaited(bench: Bench, each: Unit) -> None:
    await bench.take(each)


async def test_a_unit_held_at_the_gate_is_handed_back_when_leaving(bench: Bench) -> None:
    bench.gate.judge(101, 100)
    held = asyncio.ensure_future(_awaited(bench, work("b")))
    await asyncio.sleep(0)
    bench.books.leaving.set()
    with pytest.raises(HandedBack):
        await held


async def test_the_backlog_works_the_gate() -> None:
    gate, backlogs = Gate(), [0, 11, 6, 5]
    seen: list[bool] = []

    async def backlog() -> int:
        seen.append(gate.open.is_set())
        return backlogs.pop(0) if backlogs else await asyncio.Event().wait()

    minding = asyncio.create_task(mind_the_backlog(gate, backlog, 10, interval_s=0))
    while len(seen) < 5:  # noqa: ASYNC110  # the loop under test rings no bell
        await asyncio.sleep(0)
    minding.cancel()
    assert seen == [True, True, False, False, True]


@pytest.mark.parametrize("deaths, apart", [(0, False), (1, False), (2, True), (5, True)])
async def test_a_unit_over_which_processes_died_is_encoded_apart(
    bench: Bench, deaths: int, apart: bool
) -> None:
    each = work("a", "bb")
    bench.attempts.counts[each.id] = deaths
    await bench.take(each)
    assert len(bench.alone.calls) == apart
    assert len(bench.batcher.calls) == (not apart)
    header, _ = decode_vectors(bench.producer.sent[0].value)
    assert [item.text for item in header.unit.items] == ["a", "bb"]
    assert bench.attempts.counts[each.id] == (deaths if apart else 0)
    assert bench.attempts.ended == ([] if apart else [each.id])


async def test_a_unit_that_was_encoded_apart_is_so_again_where_its_commit_was_lost(
    bench: Bench,
) -> None:
    each = work("a")
    bench.attempts.counts[each.id] = 2
    await bench.take(each)
    await bench.take(each)
    assert (len(bench.alone.calls), bench.batcher.calls) == (2, [])


@pytest.mark.parametrize("deaths", [0, 1, 2])
async def test_a_unit_that_is_handed_back_keeps_the_deaths_it_was_known_by(
    bench: Bench, deaths: int
) -> None:
    each = work("a")
    bench.attempts.counts[each.id] = deaths
    bench.batcher.reached = bench.alone.reached = reached = asyncio.Event()
    taking = asyncio.create_task(bench.take(each))
    await asyncio.wait_for(reached.wait(), 1)
    assert bench.attempts.counts[each.id] == deaths + 1
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    assert bench.attempts.counts[each.id] == deaths
    assert bench.attempts.ended == []


async def test_a_unit_that_fails_by_itself_leaves_no_count_behind(bench: Bench) -> None:
    bench.batcher.error = RuntimeError("odd")
    for _ in range(5):
        with pytest.raises(RuntimeError):
            await bench.take(work("a"))
    assert bench.attempts.counts == {}
    assert bench.alone.calls == []
