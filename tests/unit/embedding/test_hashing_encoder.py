"""The hashing encoder: deterministic, nearly orthogonal, honest about what it cut."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedding.encoder import ReadyImage, Tokenized
from embedding.hashing_encoder import HashingEncoder
from embedding.quality import shaped, vector_faults
from models.encoding import EncodeOptions, Truncate
from models.vectors import Vector
from tests.unit.embedding.fakes import hashing_entry, image

ROOT = Path(__file__).resolve().parents[3]


def _read(
    encoder: HashingEncoder,
    texts: Sequence[str],
    truncate: Truncate = Truncate.END,
    prompt: str = "",
) -> list[Tokenized]:
    return encoder.tokenize(texts, prompt=prompt, truncate=truncate)


def _vectors(encoder: HashingEncoder, texts: Sequence[str]) -> Vector:
    """Vectors of length 1."""
    return shaped(encoder.forward(_read(encoder, texts)), EncodeOptions())


@given(st.lists(st.text(), max_size=20))
def test_a_vector_depends_on_its_text_alone(texts: list[str]) -> None:
    encoder = HashingEncoder(hashing_entry())
    together = encoder.forward(_read(encoder, texts))
    for text, vector in zip(texts, together, strict=True):
        other = HashingEncoder(hashing_entry())
        assert other.forward_exact(_read(other, [text])[0]).tobytes() == vector.tobytes()


def test_another_process_gives_the_same_vector() -> None:
    program = (
        "from tests.unit.embedding import test_hashing_encoder as test;"
        "[vector] = test._vectors(test.HashingEncoder(test.hashing_entry()), ['kafka']);"
        "print(vector.tobytes().hex())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    [vector] = _vectors(HashingEncoder(hashing_entry()), ["kafka"])
    assert done.stdout.strip() == vector.tobytes().hex()


def test_the_vectors_never_change_by_accident() -> None:
    """Benchmarks and acceptance tests of other versions compare with them."""
    encoder = HashingEncoder(hashing_entry(dimension=4))
    assert encoder.forward(_read(encoder, ["kafka"])).tolist() == [KAFKA]


KAFKA = [-96.5, 111.5, -121.5, 23.5]


def test_different_texts_are_nearly_orthogonal() -> None:
    encoder = HashingEncoder(hashing_entry(dimension=384))
    vectors = _vectors(encoder, [f"text {number}" for number in range(500)])
    cosines = vectors @ vectors.T - np.eye(500)
    assert np.abs(cosines).max() < 0.35


@pytest.mark.parametrize("dimension", [1, 7, 8, 16, 384, 1000])
def test_vectors_of_any_dimension_pass_the_gate(dimension: int) -> None:
    encoder = HashingEncoder(hashing_entry(dimension=dimension))
    found = encoder.forward(_read(encoder, ["a", "", "\ud800", "ü 中文"]))
    assert vector_faults(found, texts=4, dimension=dimension) == [None] * 4


def test_another_model_gives_other_vectors() -> None:
    [one] = _vectors(HashingEncoder(hashing_entry(dimension=384)), ["same"])
    [other] = _vectors(HashingEncoder(hashing_entry("test/b", dimension=384)), ["same"])
    assert abs(float(one @ other)) < 0.5


def _tokens(one: Tokenized) -> tuple[int, bool]:
    return one.tokens, one.truncated


def test_words_are_counted_and_a_long_text_is_cut_and_told() -> None:
    encoder = HashingEncoder(hashing_entry(max_tokens=3))
    whole, cut, same = _read(encoder, ["a b c", "a b c d", "a b c e"])
    assert (_tokens(whole), _tokens(cut), _tokens(same)) == ((3, False), (4, True), (4, True))
    assert np.array_equal(cut.ids, same.ids)


def test_a_long_text_may_lose_its_beginning_instead() -> None:
    encoder = HashingEncoder(hashing_entry(max_tokens=3))
    cut, same, other = _read(encoder, ["x b c d", "y b c d", "x b c e"], Truncate.START)
    assert np.array_equal(cut.ids, same.ids)
    assert not np.array_equal(cut.ids, other.ids)


def test_the_prompt_is_counted_and_stays_when_the_beginning_is_cut() -> None:
    encoder = HashingEncoder(hashing_entry(max_tokens=3))
    [with_prompt] = _read(encoder, ["x b c d"], Truncate.START, prompt="p: ")
    [spelled] = _read(encoder, ["p: c d"])
    assert _tokens(with_prompt) == (5, True)
    assert np.array_equal(with_prompt.ids, spelled.ids)


@pytest.mark.parametrize("text,tokens", [("", 0), ("a", 1), ("a b", 2)])
def test_a_text_of_few_words_is_never_called_cut(text: str, tokens: int) -> None:
    [one] = _read(HashingEncoder(hashing_entry()), [text])
    assert _tokens(one) == (tokens, False)


def test_no_texts_give_no_rows() -> None:
    encoder = HashingEncoder(hashing_entry(dimension=16))
    assert _read(encoder, []) == []
    assert encoder.forward([]).shape == (0, 16)


def test_images_have_vectors_of_their_own() -> None:
    encoder = HashingEncoder(hashing_entry(kind="clip", dimension=64))
    assert encoder.pixel_spec is not None
    assert (encoder.pixel_spec.size, encoder.pixel_spec.tokens) == ((224, 224), 50)
    ready = [ReadyImage(image(mark), 50) for mark in (1, 2, 1)]
    found = encoder.forward(ready)
    assert np.array_equal(found[0], found[2])
    assert np.array_equal(encoder.forward_exact(ready[1]), found[1])
    directions = shaped(found[:2], EncodeOptions())
    assert abs(float(directions[0] @ directions[1])) < 0.5
    assert vector_faults(found, texts=3, dimension=64) == [None] * 3
