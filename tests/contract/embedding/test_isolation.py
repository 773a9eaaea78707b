"""Suspects in a process of their own: the culprit fails with its reason, the others are encoded."""

import sys
from pathlib import Path

import numpy as np
import pytest

from embedding.catalog import ModelEntry, load_catalog
from embedding.encoder import EncodedText, EncodeFailure, Outcome
from embedding.hashing_encoder import HashingEncoder
from embedding.isolation import Isolation, IsolationOptions
from embedding.loading import LoadOptions
from embedding.pool import ModelLoadFailed
from models.encoding import EncodeOptions, Truncate
from models.states import ItemErrorCode, Lane
from tests.harness import hashing_vectors
from tests.harness.poison import EATS, EXIT_CODE, EXITS, HANGS
from tests.harness.service import CHECKOUT

POISONED = (sys.executable, "-m", "tests.harness.poisoned_child")
NAME = "test/hashing-options"


@pytest.fixture
def entry() -> ModelEntry:
    return load_catalog(CHECKOUT / "tests/models.yaml", NAME).resolve(None)


@pytest.fixture
def isolation(tmp_path: Path) -> Isolation:
    options = IsolationOptions(
        load=LoadOptions(cache_dir=tmp_path, device="cpu"), text_timeout_s=3, memory_mb=256
    )
    return Isolation(options, POISONED)


async def encoded(isolation: Isolation, entry: ModelEntry, *texts: str) -> list[Outcome]:
    return await isolation.encode(Lane.NORMAL, entry, texts, entry.default_options())


@pytest.mark.parametrize(
    "poison, reason",
    [
        (EXITS, f"exit code {EXIT_CODE}"),
        (HANGS, "longer than 3 s"),
        (EATS, "MemoryError"),
    ],
)
async def test_poison_fails_alone_and_says_why(
    isolation: Isolation, entry: ModelEntry, poison: str, reason: str
) -> None:
    before, bad, after = await encoded(isolation, entry, "before", poison, "after")
    assert isinstance(bad, EncodeFailure)
    assert bad.code in {ItemErrorCode.POISON, ItemErrorCode.ENCODE_FAILED}
    assert reason in bad.message
    assert poison not in bad.message
    for outcome, right in zip((before, after), hashing_vectors(["before", "after"], NAME),
                              strict=True):  # fmt: skip
        assert isinstance(outcome, EncodedText)
        np.testing.assert_array_equal(outcome.vector, right)


async def test_a_text_encoded_apart_is_encoded_as_its_task_wants(
    isolation: Isolation, entry: ModelEntry
) -> None:
    options = EncodeOptions(prompt="query: ", dimensions=16, truncate=Truncate.START)
    [outcome] = await isolation.encode(Lane.HIGH, entry, ["a\nb " * 40], options)
    [right] = hashing_vectors(["a\nb " * 40], NAME, options)
    assert isinstance(outcome, EncodedText)
    np.testing.assert_allclose(outcome.vector, right, rtol=1e-6)
    [read] = HashingEncoder(entry).tokenize(
        ["a\nb " * 40], prompt="query: ", truncate=Truncate.START
    )
    assert (outcome.tokens, outcome.truncated) == (read.tokens, True)


async def test_a_model_that_does_not_load_there_is_the_models_fault(
    isolation: Isolation, entry: ModelEntry
) -> None:
    facts = {"backend": "openvino", "source": {"folder": "/nowhere"}, "sha256": "0" * 64}
    gone = entry.model_copy(update={"backend": "openvino", "sha256": "0" * 64})
    gone = ModelEntry.model_validate({**gone.model_dump(), **facts})
    with pytest.raises(ModelLoadFailed, match="in a process of its own"):
        await encoded(isolation, gone, "a")
