"""Images among texts in the batcher: never in one call, and what holds for texts holds for them."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from embedding.batching import BatchOptions
from embedding.catalog import ModelEntry
from embedding.encoder import EncodedText, EncodeFailure, Origin, Outcome
from embedding.lanes import LaneBatcher
from embedding.pool import ModelPool
from embedding.quality import shaped
from embedding.recall import Recall, keys_of
from models.encoding import EncodeOptions, Truncate
from models.images import Pixels
from models.states import ItemErrorCode, Lane
from models.vectors import Vector
from tests.unit.embedding.fakes import (
    FakeEncoder,
    FakeVectorCache,
    hashing_entry,
    image,
    vector_of,
)

CLIP = hashing_entry("test/clip", kind="clip")
PLAIN = EncodeOptions()
Given = str | Pixels


class Site:
    """A running batcher, and the encoder behind it."""

    def __init__(self, entry: ModelEntry, spoil: Any) -> None:
        self.entry = entry
        self.encoder = FakeEncoder(entry, spoil)
        options = BatchOptions(first_tokens=120)
        recall = Recall(FakeVectorCache(), patience_s=10)
        self.batcher = LaneBatcher(ModelPool(lambda _: [self.encoder]), options, recall=recall)

    async def encode(
        self, *inputs: Given, lane: Lane = Lane.NORMAL, options: EncodeOptions = PLAIN
    ) -> list[Outcome]:
        return await asyncio.wait_for(self.batcher.encode(lane, self.entry, inputs, options), 10)


@asynccontextmanager
async def running(spoil: Any = None, entry: ModelEntry = CLIP) -> AsyncIterator[Site]:
    site = Site(entry, spoil)
    await site.batcher.start()
    try:
        yield site
    finally:
        await site.batcher.stop()


def name_of(given: Given) -> str:
    return given if isinstance(given, str) else f"image {given.data[0]}"


def assert_are(outcomes: Sequence[Outcome], inputs: Sequence[Given]) -> None:
    for outcome, given in zip(outcomes, inputs, strict=True):
        assert isinstance(outcome, EncodedText), outcome
        expected = shaped(vector_of(name_of(given), CLIP.dimension)[None], PLAIN)[0]
        np.testing.assert_allclose(outcome.vector, expected, rtol=1e-6)


async def test_texts_and_images_get_their_own_vectors_and_never_share_a_call() -> None:
    dice = random.Random(5)

    async def call(number: int) -> None:
        images = [image(dice.randrange(9)) for _ in range(dice.randrange(4))]
        inputs: list[Given] = [f"{number} text {at}" for at in range(dice.randrange(4))]
        inputs += images
        dice.shuffle(inputs)
        assert_are(await site.encode(*inputs, lane=dice.choice(list(Lane))), inputs)

    async with running() as site:
        await asyncio.gather(*(call(number) for number in range(40)))
        kinds = [{text.startswith("image") for text in call} for call in site.encoder.calls]
        assert all(len(kind) == 1 for kind in kinds)
        assert {kind for call in kinds for kind in call} == {True, False}


async def test_a_call_holds_as_many_images_as_its_budget_has_tokens() -> None:
    """An image of ViT-B/32 is 50 tokens: two of them go into 120."""
    async with running() as site:
        outcomes = await site.encode(*(image(mark) for mark in range(4)))
        assert [len(call) for call in site.encoder.calls[:1]] == [2]
        assert {one.tokens for one in outcomes if isinstance(one, EncodedText)} == {50}
        assert not any(one.truncated for one in outcomes if isinstance(one, EncodedText))


async def test_equal_images_are_computed_once_and_later_come_from_the_cache() -> None:
    async with running() as site:
        first = await site.encode(image(1), image(2), image(1))
        again = await site.encode(image(3), image(1))
        origins = [one.origin for one in (*first, *again) if isinstance(one, EncodedText)]
        assert origins == [
            Origin.COMPUTED, Origin.COMPUTED, Origin.DEDUPLICATED, Origin.COMPUTED, Origin.CACHED
        ]  # fmt: skip
        assert_are([*first, *again], [image(mark) for mark in (1, 2, 1, 3, 1)])


def nan_for(*names: str) -> Any:
    def spoil(texts: Sequence[str], vectors: Vector) -> Vector:
        return np.where([[text in names] for text in texts], np.float32(np.nan), vectors)

    return spoil


async def test_an_image_that_fails_the_gate_is_computed_again_exactly() -> None:
    async with running(nan_for("image 2")) as site:
        inputs = [image(mark) for mark in (1, 2, 3)]
        assert_are(await site.encode(*inputs), inputs)
        assert site.encoder.exact_calls == ["image 2"]


async def test_an_image_that_stays_nan_harms_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    nan = np.full(CLIP.dimension, np.nan, dtype=np.float32)
    monkeypatch.setattr(FakeEncoder, "forward_exact", lambda self, one: nan)
    async with running(nan_for("image 2")) as site:
        one, bad, two, text = await site.encode(image(1), image(2), image(3), "text")
        assert_are([one, two, text], [image(1), image(3), "text"])
        assert bad == EncodeFailure(
            ItemErrorCode.BAD_VECTOR, "the vector has values that are not finite"
        )


@pytest.mark.parametrize("error", [RuntimeError("bad"), MemoryError()])
async def test_an_image_the_model_fails_on_fails_alone(error: Exception) -> None:
    def spoil(texts: Sequence[str], vectors: Vector) -> Vector:
        if "image 2" in texts:
            raise error
        return vectors

    async with running(spoil) as site:
        one, bad, two = await site.encode(image(1), image(2), image(3))
        assert_are([one, two], [image(1), image(3)])
        assert bad == EncodeFailure(
            ItemErrorCode.ENCODE_FAILED, f"the model failed on this image: {type(error).__name__}"
        )


async def test_an_image_for_a_model_of_texts_fails_and_its_neighbour_does_not() -> None:
    async with running(entry=hashing_entry()) as site:
        text, bad = await site.encode("text", image(1))
        assert_are([text], ["text"])
        assert bad == EncodeFailure(ItemErrorCode.ENCODE_FAILED, "the model reads texts, no images")


async def test_an_image_that_was_made_for_another_model_fails() -> None:
    async with running() as site:
        bad, fine = await site.encode(Pixels(1, 2, b"\0" * 6), image(1))
        assert_are([fine], [image(1)])
        assert isinstance(bad, EncodeFailure)
        assert "made (1, 2) points large for a model that takes (224, 224)" in bad.message


async def test_a_text_that_must_not_be_cut_leaves_images_alone() -> None:
    strict = EncodeOptions(truncate=Truncate.ERROR)
    async with running(entry=CLIP.model_copy(update={"max_tokens": 5})) as site:
        fine, bad = await site.encode(image(1), "too long", options=strict)
        assert_are([fine], [image(1)])
        assert isinstance(bad, EncodeFailure)
        assert bad.code is ItemErrorCode.TEXT_TOO_LONG


def test_an_image_has_one_key_however_texts_are_cut_and_no_text_has_it() -> None:
    pixels = image(1)
    start = EncodeOptions(truncate=Truncate.START)
    [key] = keys_of(CLIP, PLAIN, [pixels])
    texts = [pixels.digest.decode("latin-1"), "image", ""]
    assert keys_of(CLIP, start, [image(1), image(2)])[0] == key
    assert len({key, *keys_of(CLIP, start, [image(2)]), *keys_of(CLIP, PLAIN, texts)}) == 5
    assert keys_of(CLIP, EncodeOptions(dimensions=4), [pixels]) != [key]
    other = CLIP.model_copy(update={"revision": "2"})
    assert keys_of(other, PLAIN, [pixels]) != [key]
