"""Many callers, one model: each gets the outcome of its own texts."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from embedding.batching import BatchOptions
from embedding.catalog import ModelEntry
from embedding.encoder import EncodedText, EncodeFailure, Origin, Outcome
from embedding.lanes import BatcherStopped, LaneBatcher
from embedding.pool import ModelLoadFailed, ModelPool
from embedding.quality import shaped
from embedding.recall import Recall
from models.encoding import EncodeOptions, Truncate
from models.states import ItemErrorCode, Lane
from models.vectors import Vector
from tests.unit.embedding.fakes import FakeEncoder, FakeVectorCache, hashing_entry, vector_of

ENTRY = hashing_entry()
PLAIN = EncodeOptions()
RAW = EncodeOptions(normalize=False)


class Site:
    """A running batcher, and the encoders behind it."""

    def __init__(self, spoil: Any = None, encoders: int = 1, **more: Any) -> None:
        self.encoders: list[FakeEncoder] = []
        self.cache = FakeVectorCache()
        self._spoil, self._count = spoil, encoders
        options = BatchOptions(**{"first_tokens": 40, **more})
        recall = Recall(self.cache, patience_s=10)
        pool = ModelPool(self._load)
        self.batcher = LaneBatcher(pool, options, recall=recall, encoders=encoders)

    def _load(self, entry: ModelEntry) -> Sequence[FakeEncoder]:
        self.encoders = [FakeEncoder(entry, self._spoil) for _ in range(self._count)]
        return self.encoders

    async def encode(
        self, *texts: str, lane: Lane = Lane.NORMAL, options: EncodeOptions = PLAIN
    ) -> list[Outcome]:
        return await asyncio.wait_for(self.batcher.encode(lane, ENTRY, texts, options), 10)

    @property
    def calls(self) -> list[list[str]]:
        return [call for encoder in self.encoders for call in encoder.calls]

    @property
    def computed(self) -> list[str]:
        return [text for call in self.calls for text in call]


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until it is so; what never is so fails."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # model threads ring no bell
            await asyncio.sleep(0)


@asynccontextmanager
async def running(spoil: Any = None, **more: Any) -> AsyncIterator[Site]:
    site = Site(spoil, **more)
    await site.batcher.start()
    try:
        yield site
    finally:
        for encoder in site.encoders:
            encoder.gate.set()
        await site.batcher.stop()


def assert_is(outcome: Outcome, text: str, options: EncodeOptions = PLAIN) -> None:
    assert isinstance(outcome, EncodedText), outcome
    expected = shaped(vector_of(text, ENTRY.dimension)[None], options)[0]
    np.testing.assert_allclose(outcome.vector, expected, rtol=1e-6)


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"vectorize_encoder_{name}_total", labels) or 0.0


@pytest.mark.parametrize("encoders", [1, 2])
async def test_each_of_many_callers_gets_its_own_vectors_in_order(encoders: int) -> None:
    dice = random.Random(7)

    async def call(number: int) -> None:
        texts = [f"{number} {'x' * dice.randrange(30)} {at}" for at in range(dice.randrange(1, 9))]
        options = dice.choice([PLAIN, RAW, EncodeOptions(dimensions=8)])
        outcomes = await site.encode(*texts, lane=dice.choice(list(Lane)), options=options)
        for text, outcome in zip(texts, outcomes, strict=True):
            assert_is(outcome, text, options)

    async with running(encoders=encoders) as site:
        await asyncio.gather(*(call(number) for number in range(60)))


async def test_every_device_works_at_once_each_in_its_own_thread() -> None:
    async with running(encoders=2) as site:
        await site.encode("warm")
        for encoder in site.encoders:
            encoder.gate.clear()
        asking = [asyncio.create_task(site.encode(mark * 40)) for mark in "ab"]
        await until(lambda: {"a" * 40, "b" * 40} <= set(site.computed))
        assert [each.threads for each in site.encoders] == [{"encode-0"}, {"encode-1"}]
        for encoder in site.encoders:
            encoder.gate.set()
        await asyncio.gather(*asking)


def raising(error: BaseException) -> Any:
    def spoil(texts: Sequence[str], vectors: Vector) -> Vector:
        if "bad" in texts:
            raise error
        return vectors

    return spoil


@pytest.mark.parametrize("error", [RuntimeError("bad"), MemoryError(), KeyboardInterrupt()])
async def test_a_text_the_model_fails_on_fails_alone(error: BaseException) -> None:
    async with running(raising(error)) as site:
        before = counted("out_of_memory")
        outcomes = await site.encode("a", "b", "bad", "c", "d")
        assert outcomes[2] == EncodeFailure(
            ItemErrorCode.ENCODE_FAILED, f"the model failed on this text: {type(error).__name__}"
        )
        for at, text in ((0, "a"), (1, "b"), (3, "c"), (4, "d")):
            assert_is(outcomes[at], text)
        assert (counted("out_of_memory") > before) == isinstance(error, MemoryError)
        assert_is((await site.encode("next"))[0], "next")


def with_nan(texts: Sequence[str], vectors: Vector) -> Vector:
    return np.where([[text.startswith("nan")] for text in texts], np.float32(np.nan), vectors)


async def test_a_vector_that_fails_the_gate_is_computed_again_exactly() -> None:
    async with running(with_nan) as site:
        before = counted("recomputed", outcome="mended")
        outcomes = await site.encode("a", "nan1", "b")
        for outcome, text in zip(outcomes, ("a", "nan1", "b"), strict=True):
            assert_is(outcome, text)
        assert site.encoders[0].exact_calls == ["nan1"]
        assert counted("recomputed", outcome="mended") == before + 1


async def test_a_vector_that_fails_twice_fails_its_item_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nan = np.full(ENTRY.dimension, np.nan, dtype=np.float32)
    monkeypatch.setattr(FakeEncoder, "forward_exact", lambda self, one: nan)
    async with running(with_nan) as site:
        before = counted("recomputed", outcome="failed")
        one, bad, two = await site.encode("a", "nan1", "b")
        assert bad == EncodeFailure(
            ItemErrorCode.BAD_VECTOR, "the vector has values that are not finite"
        )
        assert_is(one, "a")
        assert_is(two, "b")
        assert counted("recomputed", outcome="failed") == before + 1


async def test_an_encoder_that_mixes_up_its_rows_moves_no_vector_to_another_text() -> None:
    async with running(lambda texts, vectors: vectors[1:]) as site:
        outcomes = await site.encode("a", "b", "c")
        assert {each.code for each in outcomes if isinstance(each, EncodeFailure)} == {
            ItemErrorCode.ENCODE_FAILED
        }
        assert len(outcomes) == 3


def origins(outcomes: Sequence[Outcome]) -> list[Origin]:
    return [each.origin for each in outcomes if isinstance(each, EncodedText)]


async def test_equal_texts_are_computed_once_and_later_come_from_the_cache() -> None:
    async with running() as site:
        first = await site.encode("same", "other", "same", "same")
        assert origins(first) == [
            Origin.COMPUTED, Origin.COMPUTED, Origin.DEDUPLICATED, Origin.DEDUPLICATED
        ]  # fmt: skip
        assert sorted(site.computed) == ["other", "same"]
        again = await site.encode("new", "same")
        assert origins(again) == [Origin.COMPUTED, Origin.CACHED]
        for outcome, text in zip([*first, *again], ["same", "other", "same", "same", "new", "same"],
                                 strict=True):  # fmt: skip
            assert_is(outcome, text)


async def test_a_model_that_is_not_to_be_cached_never_asks() -> None:
    async with running() as site:
        entry = ENTRY.model_copy(update={"cache": False})
        for _ in range(2):
            await site.batcher.encode(Lane.NORMAL, entry, ["a"], PLAIN)
        assert (site.cache.asked, site.cache.held) == (0, {})
        assert site.calls == [["a"], ["a"]]


async def test_one_computation_serves_tasks_of_different_options() -> None:
    async with running() as site:
        await site.encode("warm")
        site.encoders[0].gate.clear()
        kinds = [
            PLAIN,
            RAW,
            EncodeOptions(dimensions=4),
            EncodeOptions(dimensions=4, normalize=False),
        ]
        asking = [asyncio.create_task(site.encode("text", options=each)) for each in kinds]
        await until(lambda: len(site.batcher._answers) == len(kinds))
        site.encoders[0].gate.set()
        for [outcome], options in zip(await asyncio.gather(*asking), kinds, strict=True):
            assert_is(outcome, "text", options)
        assert site.computed == ["warm", "text"]


async def test_a_text_that_is_too_long_fails_only_where_it_must_not_be_cut() -> None:
    entry = ENTRY.model_copy(update={"max_tokens": 5})
    async with running() as site:
        strict, end, start = [
            (await site.batcher.encode(Lane.NORMAL, entry, ["abcdefgh", "ok"], options))
            for options in (EncodeOptions(truncate=each) for each in
                            (Truncate.ERROR, Truncate.END, Truncate.START))
        ]  # fmt: skip
    failure, fine = strict
    assert isinstance(failure, EncodeFailure)
    assert failure.code is ItemErrorCode.TEXT_TOO_LONG
    assert "8 tokens, the model takes 5" in failure.message
    assert_is(fine, "ok")
    assert_is(end[0], "abcde")
    assert_is(start[0], "defgh")
    assert [(each.tokens, each.truncated) for each in end if isinstance(each, EncodedText)] == [
        (8, True), (2, False)
    ]  # fmt: skip


async def test_nothing_is_encoded_for_nothing() -> None:
    async with running() as site:
        assert await site.encode() == []


async def test_a_caller_that_leaves_frees_its_place_and_its_texts_are_not_computed() -> None:
    async with running(lane_requests=1) as site:
        await site.encode("warm")
        site.encoders[0].gate.clear()
        blocking = asyncio.create_task(site.encode("first", lane=Lane.LOW))
        await until(lambda: "first" in site.computed)
        leaving = asyncio.create_task(site.encode("left"))
        await until(lambda: site.batcher.waiting()[Lane.NORMAL] > 0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        site.encoders[0].gate.set()
        await blocking
        assert_is((await site.encode("next"))[0], "next")
        assert "left" not in site.computed


async def test_who_still_waits_at_the_stop_is_told_so() -> None:
    async with running() as site:
        await site.encode("warm")
        site.encoders[0].gate.clear()
        waiting = [asyncio.create_task(site.encode(f"{at}" * 40)) for at in range(3)]
        await until(lambda: sum(site.batcher.waiting().values()) >= 2)
        stopping = asyncio.create_task(site.batcher.stop())
        await asyncio.sleep(0)
        site.encoders[0].gate.set()
        await stopping
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert sum(isinstance(each, BatcherStopped) for each in told) >= 2
        assert not site.batcher.running
        with pytest.raises(BatcherStopped):
            await site.encode("late")


@pytest.mark.parametrize("error", [ValueError("odd"), KeyboardInterrupt()])
async def test_a_text_the_tokenizer_fails_on_fails_alone(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    whole = FakeEncoder.tokenize

    def tokenize(self: FakeEncoder, texts: Sequence[str], **more: Any) -> Any:
        if "odd" in texts:
            raise error
        return whole(self, texts, **more)

    monkeypatch.setattr(FakeEncoder, "tokenize", tokenize)
    async with running() as site:
        before, odd, after = await site.encode("a", "odd", "b")
        assert odd == EncodeFailure(
            ItemErrorCode.ENCODE_FAILED,
            f"the tokenizer failed on this text: {type(error).__name__}",
        )
        assert_is(before, "a")
        assert_is(after, "b")


async def test_a_text_that_was_cut_and_an_equal_whole_one_tell_their_own_tokens() -> None:
    entry = ENTRY.model_copy(update={"max_tokens": 5})
    async with running() as site:
        outcomes = await site.batcher.encode(Lane.NORMAL, entry, ["abcdefgh", "abcde"], PLAIN)
        read = [(each.tokens, each.truncated) for each in outcomes if isinstance(each, EncodedText)]
        assert read == [(8, True), (5, False)]
        assert site.computed == ["abcde"]


async def test_a_fault_in_handing_over_is_told_to_the_callers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    async with running() as site:
        with monkeypatch.context() as patch:
            patch.setattr("embedding.lanes.shaped", fail)
            with pytest.raises(ZeroDivisionError):
                await site.encode("a", "b")
        assert_is((await site.encode("a"))[0], "a")


async def test_a_model_that_does_not_load_is_the_callers_error() -> None:
    def load(entry: ModelEntry) -> Sequence[FakeEncoder]:
        raise OSError("gone")

    batcher = LaneBatcher(ModelPool(load))
    await batcher.start()
    with pytest.raises(ModelLoadFailed, match="gone"):
        await batcher.encode(Lane.HIGH, ENTRY, ["a"], PLAIN)
    await batcher.stop()
