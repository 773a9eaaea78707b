"""The real MiniLM against sentence-transformers itself."""

import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedding.catalog import Catalog
from embedding.encoder import EncodedText, Encoder
from embedding.loading import load_encoder
from embedding.torch_encoder import TorchOptions
from embedding.weights import BadWeights, checked_folder
from models.vectors import Vector

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

ROOT = Path(__file__).resolve().parents[3]
MINILM = "all-MiniLM-L6-v2"
WORDS = [
    "log",
    "stream",
    "table",
    "vector",
    "river",
    "stone",
    "bridge",
    "winter",
    "market",
    "doctor",
    "planet",
    "guitar",
]


def _texts(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    made = [" ".join(rng.choices(WORDS, k=rng.randint(1, 40))) for _ in range(count - 4)]
    return [*made, "", "中文 текст ünïcode 🙂", "word " * 400, " padded\n"]


def _vectors(encoder: Encoder, texts: list[str]) -> Vector:
    found = encoder.encode(texts)
    assert all(isinstance(each, EncodedText) for each in found)
    return np.stack([each.vector for each in found if isinstance(each, EncodedText)])


@pytest.fixture(scope="module")
def reference(catalog: Catalog) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    folder = checked_folder(catalog.resolve(MINILM))
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


@pytest.mark.parametrize("seed", range(3))
def test_vectors_match_the_reference_whatever_they_were_batched_with(
    minilm: Encoder, reference: "SentenceTransformer", seed: int
) -> None:
    texts = _texts(60, seed)
    expected = reference.encode(texts, batch_size=1, normalize_embeddings=True)
    rng = random.Random(seed)
    order = rng.sample(range(len(texts)), len(texts))
    while order:
        size = rng.randint(1, 25)
        batch, order = order[:size], order[size:]
        found = _vectors(minilm, [texts[index] for index in batch])
        cosines = (found * expected[batch]).sum(axis=1)
        assert cosines.min() >= 0.9999


def test_each_vector_is_nearest_to_its_own_text(
    minilm: Encoder, reference: "SentenceTransformer"
) -> None:
    texts = [f"{word} number {number}" for number, word in enumerate(WORDS * 5)]
    expected = reference.encode(texts, normalize_embeddings=True)
    shuffled = random.Random(7).sample(range(len(texts)), len(texts))
    found = _vectors(minilm, [texts[index] for index in shuffled])
    assert (found @ expected.T).argmax(axis=1).tolist() == shuffled


def test_tokens_are_counted_before_the_cut_and_the_cut_is_told(minilm: Encoder) -> None:
    short, exact, longer = minilm.encode(["hello world", "word " * 254, "word " * 255])
    assert isinstance(short, EncodedText)
    assert isinstance(exact, EncodedText)
    assert isinstance(longer, EncodedText)
    assert (short.tokens, short.truncated) == (4, False)
    assert (exact.tokens, exact.truncated) == (256, False)
    assert (longer.tokens, longer.truncated) == (257, True)
    assert float(exact.vector @ longer.vector) >= 0.9999


def test_vectors_are_float32_rows_of_the_right_size(minilm: Encoder) -> None:
    vectors = _vectors(minilm, ["one", "two"])
    assert (vectors.shape, str(vectors.dtype)) == ((2, 384), "float32")
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_no_texts_give_no_outcomes(minilm: Encoder) -> None:
    assert minilm.encode([]) == []


def test_a_small_budget_changes_nothing_but_the_batches(minilm: Encoder, catalog: Catalog) -> None:
    options = TorchOptions(device="cpu", forward_texts=3, forward_tokens=32)
    texts = _texts(12, seed=5)
    found = _vectors(load_encoder(catalog.resolve(MINILM), options), texts)
    assert (found * _vectors(minilm, texts)).sum(axis=1).min() >= 0.9999


def test_a_prompt_stands_before_every_text(minilm: Encoder, catalog: Catalog) -> None:
    prompts = {"document": "passage: "}
    entry = catalog.resolve(MINILM).model_copy(update={"prompts": prompts})
    [prompted] = load_encoder(entry).encode(["hello"])
    [spelled] = minilm.encode(["passage: hello"])
    assert isinstance(prompted, EncodedText)
    assert isinstance(spelled, EncodedText)
    assert prompted.tokens == spelled.tokens
    assert float(prompted.vector @ spelled.vector) >= 0.9999


@pytest.mark.parametrize(
    "change,reason",
    [
        ({"dimension": 512}, "makes vectors of 384 values, the catalog says 512"),
        ({"max_tokens": 512}, "takes 256 tokens, the catalog says 512"),
        ({"sha256": "0" * 64}, "sha256 of the weights"),
    ],
)
def test_a_catalog_that_does_not_fit_the_files_is_refused(
    catalog: Catalog, change: dict[str, object], reason: str
) -> None:
    with pytest.raises(BadWeights, match=reason):
        load_encoder(catalog.resolve(MINILM).model_copy(update=change))


def test_a_closed_model_refuses_to_encode(catalog: Catalog) -> None:
    encoder = load_encoder(catalog.resolve(MINILM))
    encoder.close()
    with pytest.raises(RuntimeError, match="is closed"):
        encoder.encode(["hello"])


OFFLINE = """
import socket
from pathlib import Path

def refuse(*args, **kwargs):
    raise AssertionError(f"network: {args}")

socket.socket.connect = socket.getaddrinfo = refuse
from embedding.catalog import load_catalog
from embedding.torch_encoder import TorchOptions, load_torch
import torch
entry = load_catalog(Path("tests/models.yaml"), "hashing").resolve("all-MiniLM-L6-v2")
encoder = load_torch(entry, TorchOptions(threads=1))
print(torch.get_num_threads(), len(encoder.encode(["hello"])))
"""


def test_it_loads_without_any_network_on_the_threads_it_is_given() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("1 1", "")
