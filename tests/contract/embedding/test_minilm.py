"""The real MiniLM on every backend, beside sentence-transformers itself."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from embedding.catalog import ModelEntry
from embedding.encoder import Encoder
from embedding.loading import LoadOptions
from embedding.quality import shaped
from embedding.weights import checked_folder
from models.encoding import EncodeOptions, Truncate
from models.vectors import Vector
from tests.contract.embedding.conftest import MINILM, load_on

ROOT = Path(__file__).resolve().parents[3]
WORDS = ["log", "stream", "table", "vector", "river", "stone", "bridge", "winter", "planet"]


def _texts(count: int) -> list[str]:
    rng = random.Random(count)
    made = [" ".join(rng.choices(WORDS, k=rng.randint(1, 40))) + f" {at}" for at in range(count)]
    return [*made, "", "中文 текст ünïcode 🙂", "word " * 400, " padded\n"]


@pytest.fixture(scope="module")
def expected(entries: dict[str, ModelEntry]) -> Vector:
    folder = checked_folder(entries[MINILM])
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    found = model.encode(_texts(40), batch_size=8, normalize_embeddings=True)
    return np.asarray(found, dtype=np.float32)


@pytest.fixture(scope="module")
def minilm(backend: str, entries: dict[str, ModelEntry], options: LoadOptions) -> Encoder:
    return load_on(backend, entries[MINILM], options)


def _vectors(encoder: Encoder, batch: list[str]) -> Vector:
    ready = encoder.tokenize(batch, prompt="", truncate=Truncate.END)
    return shaped(encoder.forward(ready), EncodeOptions())


def test_vectors_match_whatever_they_were_batched_with(minilm: Encoder, expected: Vector) -> None:
    texts, rng = _texts(40), random.Random(3)
    order = rng.sample(range(len(texts)), len(texts))
    while order:
        size = rng.randint(1, 15)
        batch, order = order[:size], order[size:]
        found = _vectors(minilm, [texts[at] for at in batch])
        assert (found * expected[batch]).sum(axis=1).min() >= 0.9999
        assert (found @ expected.T).argmax(axis=1).tolist() == batch


def test_full_precision_matches_to_the_fifth_digit(minilm: Encoder, expected: Vector) -> None:
    for text, vector in zip(_texts(40)[-4:], expected[-4:], strict=True):
        [one] = minilm.tokenize([text], prompt="", truncate=Truncate.END)
        [found] = shaped(minilm.forward_exact(one)[None], EncodeOptions())
        assert np.abs(found - vector).max() <= 1e-5


SERVING = """
import socket, sys
from pathlib import Path

def refuse(*args, **kwargs):
    raise AssertionError(f"network: {args}")

socket.socket.connect = socket.getaddrinfo = refuse
from embedding.catalog import load_catalog
from embedding.loading import LoadOptions, load_encoder
from models.encoding import Truncate

entry = load_catalog(Path("tests/models.yaml"), "hashing").resolve("all-MiniLM-L6-v2")
encoder = load_encoder(entry, LoadOptions(cache_dir=Path(sys.argv[1]), device="cpu", threads=1))
[one] = encoder.tokenize(["hello"], prompt="", truncate=Truncate.END)
encoder.forward([one]), encoder.forward_exact(one)
heavy = {"torch", "transformers", "sentence_transformers", "openvino_telemetry.main"}
print(encoder.backend.split()[0], sorted(heavy & sys.modules.keys()))
"""


def test_the_serving_process_needs_no_network_no_torch_and_no_transformers(
    options: LoadOptions,
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SERVING, str(options.cache_dir)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("openvino []\n", "")
