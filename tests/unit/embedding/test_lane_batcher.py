"""Many coroutines, one model thread: order, urgency, poison, leaving and stopping."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import numpy as np
import pytest

from embedding.calls import BatchOptions
from embedding.catalog import ModelEntry
from embedding.encoder import EncodedText, EncodeFailure, Encoder, Outcome
from embedding.hashing_encoder import HashingEncoder
from embedding.lanes import BatcherStopped, LaneBatcher
from embedding.pool import ModelLoadFailed, ModelPool
from models.states import ItemErrorCode, Lane
from tests.unit.embedding.fakes import FakeEncoder, hashing_entry

ENTRY = hashing_entry(dimension=64)
Spoil = Callable[[Sequence[str], list[Outcome]], list[Outcome]]


@asynccontextmanager
async def _running(
    encoder: Encoder, options: BatchOptions | None = None
) -> AsyncIterator[LaneBatcher]:
    pool = ModelPool(lambda entry: encoder)
    await pool.get(ENTRY)
    batcher = LaneBatcher(pool, options or BatchOptions())
    await batcher.start()
    try:
        yield batcher
    finally:
        if isinstance(encoder, FakeEncoder):
            encoder.gate.set()
        await batcher.stop()


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110  (the model thread sets no asyncio.Event)
            await asyncio.sleep(0.001)


def _ask(batcher: LaneBatcher, lane: Lane, *texts: str) -> asyncio.Task[list[Outcome]]:
    return asyncio.create_task(batcher.encode(lane, ENTRY, texts))


async def _held(batcher: LaneBatcher, encoder: FakeEncoder) -> asyncio.Task[list[Outcome]]:
    """A first call that runs until the gate opens, so that others wait behind it."""
    encoder.gate.clear()
    first = _ask(batcher, Lane.LOW, "running")
    await _until(lambda: encoder.calls == [["running"]])
    return first


def _expected(text: str) -> bytes:
    [found] = HashingEncoder(ENTRY).encode([text])
    assert isinstance(found, EncodedText)
    return found.vector.tobytes()


def _given(outcome: Outcome) -> bytes:
    assert isinstance(outcome, EncodedText)
    return outcome.vector.tobytes()


async def test_each_caller_gets_the_vectors_of_its_own_texts_in_order() -> None:
    rng = random.Random(1)
    encoder = FakeEncoder(ENTRY)
    wanted = [[f"{n} {k}" for k in range(rng.randint(0, 30))] for n in range(100)]
    async with _running(encoder, BatchOptions(batch_texts=16, batch_tokens=100)) as batcher:
        answers = await asyncio.gather(
            *(batcher.encode(rng.choice(list(Lane)), ENTRY, texts) for texts in wanted)
        )
    for texts, outcomes in zip(wanted, answers, strict=True):
        assert [_given(each) for each in outcomes] == [_expected(text) for text in texts]
    assert max(len(call) for call in encoder.calls) <= 16
    assert all(name.startswith("encode") for name in encoder.threads)
    assert len(encoder.threads) == 1


async def test_a_high_request_overtakes_queued_low_ones() -> None:
    encoder = FakeEncoder(ENTRY)
    async with _running(encoder, BatchOptions(batch_texts=2)) as batcher:
        tasks = [await _held(batcher, encoder)]
        tasks += [_ask(batcher, Lane.LOW, f"low {n}") for n in range(6)]
        await _until(lambda: batcher.waiting()[Lane.LOW] == 6)
        tasks.append(_ask(batcher, Lane.HIGH, "urgent"))
        await _until(lambda: batcher.waiting()[Lane.HIGH] == 1)
        encoder.gate.set()
        await asyncio.gather(*tasks)
    assert encoder.calls[:3] == [["running"], ["urgent"], ["low 0", "low 1"]]


async def test_a_high_request_waits_for_one_piece_of_a_large_request_only() -> None:
    encoder = FakeEncoder(ENTRY)
    async with _running(encoder, BatchOptions(batch_texts=4)) as batcher:
        encoder.gate.clear()
        bulk = _ask(batcher, Lane.LOW, *(f"bulk {n}" for n in range(20)))
        await _until(lambda: len(encoder.calls) == 1)
        urgent = _ask(batcher, Lane.HIGH, "urgent")
        await _until(lambda: batcher.waiting()[Lane.HIGH] == 1)
        encoder.gate.set()
        await asyncio.gather(bulk, urgent)
    assert encoder.calls[:2] == [[f"bulk {n}" for n in range(4)], ["urgent"]]
    assert sum(map(len, encoder.calls)) == 21


async def test_a_low_request_is_not_starved_by_a_flood_of_high_ones() -> None:
    encoder = FakeEncoder(ENTRY)
    options = BatchOptions(batch_texts=1, age_after_batches=5)
    async with _running(encoder, options) as batcher:
        tasks = [await _held(batcher, encoder), _ask(batcher, Lane.LOW, "patient")]
        tasks += [_ask(batcher, Lane.HIGH, f"high {n}") for n in range(40)]
        await _until(lambda: batcher.waiting()[Lane.HIGH] == 40)
        encoder.gate.set()
        await asyncio.gather(*tasks)
    assert encoder.calls.index(["patient"]) <= 6


def _poison(text: str, error: BaseException) -> Spoil:
    def spoil(texts: Sequence[str], outcomes: list[Outcome]) -> list[Outcome]:
        if text in texts:
            raise error
        return outcomes

    return spoil


class Panic(BaseException):
    """Like a panic of the Rust tokenizer, which is no Exception."""


@pytest.mark.parametrize(
    "error", [ValueError("cannot read 'bad 3'"), MemoryError(), StopIteration(), Panic()], ids=repr
)
async def test_a_poison_text_fails_alone_and_its_batch_mates_are_encoded(
    error: BaseException,
) -> None:
    encoder = FakeEncoder(ENTRY, _poison("bad 3", error))
    async with _running(encoder) as batcher:
        first, second = await asyncio.gather(
            batcher.encode(Lane.LOW, ENTRY, [f"bad {n}" for n in range(10)]),
            batcher.encode(Lane.LOW, ENTRY, ["good 0", "good 1"]),
        )
        failed = batcher.counts.failed_calls
    assert isinstance(first[3], EncodeFailure)
    assert first[3].code is ItemErrorCode.ENCODE_FAILED
    assert "bad 3" not in first[3].message
    assert type(error).__name__ in first[3].message
    good = [*first[:3], *first[4:], *second]
    names = [f"bad {n}" for n in range(10) if n != 3] + ["good 0", "good 1"]
    assert [_given(each) for each in good] == [_expected(name) for name in names]
    assert failed >= 4


async def test_urgent_work_goes_between_the_pieces_of_a_failed_call() -> None:
    encoder = FakeEncoder(ENTRY, _poison("bad", ValueError()))
    async with _running(encoder) as batcher:
        encoder.gate.clear()
        bulk = _ask(batcher, Lane.LOW, "bad", *(f"ok {n}" for n in range(7)))
        await _until(lambda: len(encoder.calls) == 1)
        urgent = _ask(batcher, Lane.HIGH, "urgent")
        await _until(lambda: batcher.waiting()[Lane.HIGH] == 1)
        encoder.gate.set()
        await asyncio.gather(bulk, urgent)
    assert encoder.calls[1] == ["urgent"]


async def test_a_vector_of_nan_fails_only_its_own_item() -> None:
    def spoil(texts: Sequence[str], outcomes: list[Outcome]) -> list[Outcome]:
        bad = EncodedText(np.full(64, np.nan, dtype=np.float32), 1, truncated=False)
        pairs = zip(texts, outcomes, strict=True)
        return [bad if text == "nan" else outcome for text, outcome in pairs]

    async with _running(FakeEncoder(ENTRY, spoil)) as batcher:
        one, bad, two = await batcher.encode(Lane.NORMAL, ENTRY, ["one", "nan", "two"])
    assert isinstance(bad, EncodeFailure)
    assert bad.code is ItemErrorCode.BAD_VECTOR
    assert (_given(one), _given(two)) == (_expected("one"), _expected("two"))


async def test_an_answer_of_another_length_never_moves_a_vector_to_another_text() -> None:
    encoder = FakeEncoder(ENTRY, lambda texts, outcomes: outcomes[1:])
    async with _running(encoder) as batcher:
        outcomes = await batcher.encode(Lane.NORMAL, ENTRY, ["one", "two"])
    assert all(isinstance(each, EncodeFailure) for each in outcomes)


async def test_a_cancelled_waiter_is_skipped_and_the_others_go_on() -> None:
    encoder = FakeEncoder(ENTRY)
    async with _running(encoder, BatchOptions(batch_texts=1)) as batcher:
        running = await _held(batcher, encoder)
        leaving, staying = (_ask(batcher, Lane.NORMAL, text) for text in ("leaving", "staying"))
        await _until(lambda: batcher.waiting()[Lane.NORMAL] == 2)
        leaving.cancel()
        await _until(lambda: batcher.waiting()[Lane.NORMAL] == 1)
        encoder.gate.set()
        await asyncio.gather(running, staying)
    assert leaving.cancelled()
    assert encoder.calls == [["running"], ["staying"]]


async def test_a_caller_cancelled_while_its_call_runs_harms_nobody() -> None:
    encoder = FakeEncoder(ENTRY)
    async with _running(encoder) as batcher:
        running = await _held(batcher, encoder)
        running.cancel()
        behind = _ask(batcher, Lane.NORMAL, "behind")
        await asyncio.sleep(0)
        encoder.gate.set()
        [outcome] = await behind
    assert _given(outcome) == _expected("behind")


async def test_a_full_lane_blocks_its_callers_and_no_others() -> None:
    encoder = FakeEncoder(ENTRY)
    async with _running(encoder, BatchOptions(lane_requests=2)) as batcher:
        tasks = [await _held(batcher, encoder)]
        tasks += [_ask(batcher, Lane.LOW, f"low {n}") for n in range(5)]
        tasks.append(_ask(batcher, Lane.HIGH, "high"))
        await _until(lambda: batcher.waiting()[Lane.HIGH] == 1)
        assert batcher.waiting() == {Lane.HIGH: 1, Lane.NORMAL: 0, Lane.LOW: 1}
        encoder.gate.set()
        await asyncio.gather(*tasks)
    done = sorted(text for call in encoder.calls for text in call)
    assert done == ["high", *(f"low {n}" for n in range(5)), "running"]


async def test_callers_cancelled_at_a_full_lane_give_their_place_back() -> None:
    encoder = FakeEncoder(ENTRY)
    async with _running(encoder, BatchOptions(lane_requests=1)) as batcher:
        running = await _held(batcher, encoder)
        blocked = [_ask(batcher, Lane.LOW, f"low {n}") for n in range(3)]
        await asyncio.sleep(0)
        for task in blocked[:2]:
            task.cancel()
        encoder.gate.set()
        await asyncio.gather(running, blocked[2])
    assert encoder.calls == [["running"], ["low 2"]]


async def test_stopping_finishes_the_running_call_and_fails_who_waits() -> None:
    encoder = FakeEncoder(ENTRY)
    async with _running(encoder, BatchOptions(lane_requests=2)) as batcher:
        running = await _held(batcher, encoder)
        waiting = [_ask(batcher, Lane.LOW, f"low {n}") for n in range(4)]
        await asyncio.sleep(0)
        stopping = asyncio.create_task(batcher.stop())
        await asyncio.sleep(0)
        encoder.gate.set()
        await stopping
        [outcome] = await running
        assert _given(outcome) == _expected("running")
        for found in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(found, BatcherStopped)
        with pytest.raises(BatcherStopped):
            await batcher.encode(Lane.LOW, ENTRY, ["late"])
    assert encoder.calls == [["running"]]


async def test_requests_made_before_the_start_are_served_after_it() -> None:
    batcher = LaneBatcher(ModelPool(FakeEncoder))
    early = _ask(batcher, Lane.LOW, "early")
    await _until(lambda: batcher.waiting()[Lane.LOW] == 1)
    await batcher.start()
    [outcome] = await early
    assert _given(outcome) == _expected("early")
    await batcher.stop()


async def test_a_batcher_that_was_never_started_stops_and_fails_who_waits() -> None:
    batcher = LaneBatcher(ModelPool(FakeEncoder))
    early = _ask(batcher, Lane.LOW, "early")
    await _until(lambda: batcher.waiting()[Lane.LOW] == 1)
    await batcher.stop()
    with pytest.raises(BatcherStopped):
        await early


async def test_a_model_that_does_not_load_fails_its_own_callers_only() -> None:
    def load(entry: ModelEntry) -> Encoder:
        if entry.name == "test/broken":
            raise OSError("gone")
        return FakeEncoder(entry)

    batcher = LaneBatcher(ModelPool(load))
    await batcher.start()
    with pytest.raises(ModelLoadFailed, match="test/broken cannot be loaded: gone"):
        await batcher.encode(Lane.HIGH, hashing_entry("test/broken"), ["text"])
    [outcome] = await batcher.encode(Lane.HIGH, ENTRY, ["text"])
    assert _given(outcome) == _expected("text")
    await batcher.stop()


async def test_no_texts_give_no_outcomes_and_no_call() -> None:
    encoder = FakeEncoder(ENTRY)
    async with _running(encoder) as batcher:
        assert await batcher.encode(Lane.HIGH, ENTRY, []) == []
    assert encoder.calls == []


async def test_the_event_loop_stays_free_while_a_model_runs() -> None:
    encoder = FakeEncoder(ENTRY)
    async with _running(encoder) as batcher:
        running: Awaitable[list[Outcome]] = await _held(batcher, encoder)
        for _ in range(10):
            await asyncio.sleep(0.001)
        encoder.gate.set()
        await running
    assert batcher.counts.calls == 1
    assert batcher.counts.texts == 1
