"""The encoder on a real GPU: the model's own vectors, memory that runs out and comes back."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from embedding.batching import BatchOptions
from embedding.catalog import ModelEntry
from embedding.encoder import EncodedText, Encoder
from embedding.lanes import LaneBatcher
from embedding.loading import LoadOptions, devices_for, load_encoders
from embedding.memory import device_bytes
from embedding.parity import BackendRefused
from embedding.pool import ModelPool
from embedding.torch_encoder import TorchEncoder, load_torch
from embedding.weights import checked_folder
from models.encoding import EncodeOptions, Truncate
from models.states import Lane
from models.vectors import Vector
from tests.contract.embedding.small_models import TEXTS
from tests.gpu.card import MEGABYTE, no_more_memory_than, unit
from tests.gpu.conftest import DEVICE

pytestmark = pytest.mark.gpu

#: All texts of a caller in one call.
WHOLE = BatchOptions(
    batch_texts=20_000, least_tokens=2_000_000, first_tokens=2_000_000, most_tokens=2_000_000
)
WORDS = ["log", "stream", "table", "vector", "river", "stone", "bridge", "winter", "planet"]


def vectors_of(encoder: Encoder, texts: list[str] | tuple[str, ...]) -> Vector:
    return encoder.forward(encoder.tokenize(texts, prompt="", truncate=Truncate.END))


def many_texts(count: int, seed: int = 5) -> list[str]:
    dice = random.Random(seed)
    return [" ".join(dice.choices(WORDS, k=dice.randint(1, 40))) + f" {at}" for at in range(count)]


def test_vectors_are_those_of_sentence_transformers_on_the_cpu(
    served: TorchEncoder, small: ModelEntry
) -> None:
    original = SentenceTransformer(str(checked_folder(small)), device="cpu", local_files_only=True)
    original.max_seq_length = small.max_tokens
    expected = np.asarray(original.encode(list(TEXTS), normalize_embeddings=True), np.float32)
    found = unit(vectors_of(served, TEXTS))
    assert (found * expected).sum(axis=1).min() >= 0.9999
    assert (found @ expected.T).argmax(axis=1).tolist() == list(range(len(TEXTS)))


def test_a_model_that_half_precision_changes_is_served_in_full(bert: TorchEncoder) -> None:
    """Its weights are large: in fp16 it is at a cosine of 0.9998 to itself in fp32."""
    assert (bert.device, bert.backend) == (DEVICE, "torch fp32")


def test_a_row_belongs_to_its_text_whatever_it_was_batched_with(bert: TorchEncoder) -> None:
    texts, dice = many_texts(200), random.Random(3)
    alone = unit(np.concatenate([vectors_of(bert, [text]) for text in texts]))
    order = dice.sample(range(len(texts)), len(texts))
    while order:
        size = dice.randint(1, 60)
        batch, order = order[:size], order[size:]
        found = unit(vectors_of(bert, [texts[at] for at in batch]))
        assert (found * alone[batch]).sum(axis=1).min() >= 0.9999


def test_vectors_are_arrays_that_later_calls_leave_alone(bert: TorchEncoder) -> None:
    first = vectors_of(bert, TEXTS)
    before = first.copy()
    for count in (200, 3, 700):
        vectors_of(bert, many_texts(count))
    np.testing.assert_array_equal(first, before)
    assert first.dtype == np.float32


def test_one_text_alone_in_full_precision_is_what_it_is_in_a_call(bert: TorchEncoder) -> None:
    [one] = bert.tokenize([TEXTS[0]], prompt="", truncate=Truncate.END)
    exact, called = unit(bert.forward_exact(one)[None])[0], unit(bert.forward([one]))[0]
    assert float(exact @ called) >= 0.9999


def test_attention_builds_no_plan_for_each_shape(bert: TorchEncoder) -> None:
    assert not torch.backends.cuda.cudnn_sdp_enabled()


def test_a_model_that_overflows_in_half_precision_is_served_in_full_on_the_gpu(
    entries: dict[str, ModelEntry], tmp_path: Path
) -> None:
    entry = overflowing(entries["test/bert-mean"], tmp_path / "wide")
    encoder = load_torch(entry, device=DEVICE)
    assert (encoder.device, encoder.backend) == (DEVICE, "torch fp32")
    assert np.isfinite(vectors_of(encoder, TEXTS)).all()
    encoder.close()


def overflowing(entry: ModelEntry, folder: Path) -> ModelEntry:
    """The same model with a Dense on top whose values no fp16 holds."""
    from sentence_transformers.base.modules import Dense

    from embedding.weights import config_hash, weights_hash

    model = SentenceTransformer(str(checked_folder(entry)), device="cpu", local_files_only=True)
    dense = Dense(entry.dimension, entry.dimension, activation_function=torch.nn.Identity())
    with torch.no_grad():
        dense.linear.weight.copy_(torch.eye(entry.dimension) * 1e6)
        dense.linear.bias.zero_()
    wide = SentenceTransformer(modules=[*list(model), dense], device="cpu")
    wide.save(str(folder), create_model_card=False)
    changed = {
        "source": {"folder": str(folder)},
        "sha256": weights_hash(folder),
        "config_sha256": config_hash(folder),
        "normalize": False,
    }
    return ModelEntry.model_validate({**entry.model_dump(), **changed})


def test_memory_that_runs_out_is_a_memory_error_and_the_next_call_has_room(
    bert: TorchEncoder,
) -> None:
    few, many = many_texts(8), many_texts(20_000)
    expected = vectors_of(bert, few)
    with no_more_memory_than(64 * MEGABYTE):
        with pytest.raises(MemoryError, match="out of memory on cuda:0"):
            vectors_of(bert, many)
        assert device_bytes() < 200 * MEGABYTE
        np.testing.assert_allclose(vectors_of(bert, few), expected, atol=2e-3)


async def test_a_call_too_large_for_the_card_is_halved_until_it_fits(
    entries: dict[str, ModelEntry], tmp_path: Path
) -> None:
    entry = entries["test/bert-mean"]
    options = LoadOptions(cache_dir=tmp_path, device=DEVICE)
    pool = ModelPool(lambda wanted: load_encoders(wanted, options))
    texts = many_texts(20_000)
    batcher = LaneBatcher(pool, WHOLE)
    await batcher.start()
    try:
        before = await batcher.encode(Lane.LOW, entry, texts[:100], EncodeOptions())
        with no_more_memory_than(64 * MEGABYTE):
            found = await batcher.encode(Lane.LOW, entry, texts, EncodeOptions())
    finally:
        await batcher.stop()
    assert all(isinstance(outcome, EncodedText) for outcome in found)
    for one, other in zip(before, found[:100], strict=True):
        assert isinstance(one, EncodedText)
        assert isinstance(other, EncodedText)
        assert float(one.vector @ other.vector) >= 0.9999


def test_every_gpu_has_an_encoder_of_its_own(
    entries: dict[str, ModelEntry], tmp_path: Path
) -> None:
    entry = entries["test/mpnet-mean"]
    loaded = load_encoders(entry, LoadOptions(cache_dir=tmp_path, device="auto"))
    assert [each.device for each in loaded] == devices_for("auto")
    assert len(loaded) == torch.cuda.device_count()
    for each in loaded:
        each.close()


def test_a_closed_model_gives_its_memory_back(entries: dict[str, ModelEntry]) -> None:
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated(0)
    encoder = load_torch(entries["test/bert-mean"], device=DEVICE)
    vectors_of(encoder, many_texts(500))
    assert device_bytes() > 0
    encoder.close()
    assert torch.cuda.memory_allocated(0) <= before
    with pytest.raises(RuntimeError, match="is closed"):
        vectors_of(encoder, TEXTS)


def test_a_gpu_that_is_not_there_is_refused(entries: dict[str, ModelEntry]) -> None:
    with pytest.raises(BackendRefused, match="torch finds no cuda:99 here"):
        load_torch(entries["test/bert-mean"], device="cuda:99")
