"""Every backend gives sentence-transformers' own vectors, whatever the model is made of."""

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from embedding.catalog import ModelEntry
from embedding.encoder import Encoder
from embedding.parity import REFERENCE_TEXTS
from embedding.quality import shaped
from models.encoding import Truncate
from models.vectors import Vector
from tests.contract.embedding.small_models import TEXTS

INPUT_TYPES = ["document", "query"]


def _expected(original: SentenceTransformer, entry: ModelEntry, input_type: str) -> Vector:
    """Vectors of length 1, as a user of sentence-transformers makes them."""
    found = original.encode(
        list(TEXTS), prompt=entry.prompt_of(input_type), batch_size=4, normalize_embeddings=True
    )
    return np.asarray(found, dtype=np.float32)


@pytest.mark.parametrize("input_type", INPUT_TYPES)
def test_vectors_are_those_of_sentence_transformers(
    served: Encoder, original: SentenceTransformer, small: ModelEntry, input_type: str
) -> None:
    expected = _expected(original, small, input_type)
    likeness = expected @ expected.T - np.eye(len(TEXTS))
    assert likeness.max() < 0.9, "the model must tell the texts apart, else this proves nothing"
    prompt = small.prompt_of(input_type)
    ready = served.tokenize(TEXTS, prompt=prompt, truncate=Truncate.END)
    options = small.default_options().model_copy(update={"normalize": True})
    found = shaped(served.forward(ready), options)
    assert (found * expected).sum(axis=1).min() >= 0.9999
    assert np.abs(found - expected).max() <= 1e-4
    assert (found @ expected.T).argmax(axis=1).tolist() == list(range(len(TEXTS)))


def test_vectors_have_the_lengths_that_the_model_gives_them(
    served: Encoder, original: SentenceTransformer, small: ModelEntry
) -> None:
    expected = original.encode(list(TEXTS), batch_size=4)
    ready = served.tokenize(TEXTS, prompt="", truncate=Truncate.END)
    found = shaped(served.forward(ready), small.default_options())
    assert np.linalg.norm(found, axis=1) == pytest.approx(
        np.linalg.norm(expected, axis=1), rel=1e-4
    )


@pytest.mark.parametrize("input_type", INPUT_TYPES)
def test_ids_are_those_of_sentence_transformers(
    served: Encoder, original: SentenceTransformer, small: ModelEntry, input_type: str
) -> None:
    prompt = small.prompt_of(input_type)
    texts = [
        *TEXTS,
        *REFERENCE_TEXTS,
        "a" * 100_000,
        " padded\n",
        "with a <mask> [MASK] [SEP] in it",
    ]
    for text, one in zip(
        texts, served.tokenize(texts, prompt=prompt, truncate=Truncate.END), strict=True
    ):
        expected = original.preprocess([text], prompt=prompt)["input_ids"][0].tolist()
        assert one.ids.tolist() == expected
