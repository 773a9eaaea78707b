"""The hashing encoder: deterministic, nearly orthogonal, honest about what it cut."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedding.encoder import EncodedText, Encoder
from embedding.hashing_encoder import HashingEncoder
from embedding.quality import vector_fault
from models.vectors import Vector
from tests.unit.embedding.fakes import hashing_entry

ROOT = Path(__file__).resolve().parents[3]


def _vectors(encoder: Encoder, texts: list[str]) -> Vector:
    found = encoder.encode(texts)
    assert all(isinstance(each, EncodedText) for each in found)
    return np.stack([each.vector for each in found if isinstance(each, EncodedText)])


@given(st.lists(st.text(), max_size=20))
def test_a_vector_depends_on_its_text_alone(texts: list[str]) -> None:
    encoder = HashingEncoder(hashing_entry())
    together = encoder.encode(texts)
    alone = [HashingEncoder(hashing_entry()).encode([text])[0] for text in texts]
    for one, other in zip(together, alone, strict=True):
        assert isinstance(one, EncodedText)
        assert isinstance(other, EncodedText)
        assert one.vector.tobytes() == other.vector.tobytes()


def test_another_process_gives_the_same_vector() -> None:
    program = (
        "from tests.unit.embedding.fakes import *;"
        "print(HashingEncoder(hashing_entry()).encode(['kafka'])[0].vector.tobytes().hex())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    [vector] = _vectors(HashingEncoder(hashing_entry()), ["kafka"])
    assert done.stdout.strip() == vector.tobytes().hex()


def test_different_texts_are_nearly_orthogonal() -> None:
    encoder = HashingEncoder(hashing_entry(dimension=384))
    vectors = _vectors(encoder, [f"text {number}" for number in range(500)])
    cosines = vectors @ vectors.T - np.eye(500)
    assert np.abs(cosines).max() < 0.35


@pytest.mark.parametrize("dimension", [1, 7, 8, 16, 384, 1000])
@pytest.mark.parametrize("normalized", [True, False])
def test_vectors_of_any_dimension_pass_the_gate(dimension: int, normalized: bool) -> None:
    encoder = HashingEncoder(hashing_entry(dimension=dimension, normalize=normalized))
    for vector in _vectors(encoder, ["a", "", "\ud800", "ü 中文"]):
        assert vector_fault(vector, dimension=dimension, normalized=normalized) is None


def test_another_model_gives_other_vectors() -> None:
    [one] = _vectors(HashingEncoder(hashing_entry(dimension=384)), ["same"])
    [other] = _vectors(HashingEncoder(hashing_entry("test/b", dimension=384)), ["same"])
    assert abs(float(one @ other)) < 0.5


def test_words_are_counted_and_a_long_text_is_cut_and_told() -> None:
    encoder = HashingEncoder(hashing_entry(max_tokens=3))
    whole, cut, same = encoder.encode(["a b c", "a b c d", "a b c e"])
    assert isinstance(whole, EncodedText)
    assert isinstance(cut, EncodedText)
    assert isinstance(same, EncodedText)
    assert (whole.tokens, whole.truncated) == (3, False)
    assert (cut.tokens, cut.truncated) == (4, True)
    assert cut.vector.tobytes() == same.vector.tobytes()


def test_no_texts_give_no_outcomes() -> None:
    assert HashingEncoder(hashing_entry()).encode([]) == []
