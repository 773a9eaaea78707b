"""What holds for every backend behind the encoder port."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from embedding.encoder import Encoder, Tokenized
from models.encoding import Truncate
from models.vectors import Vector

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
ODD = [
    "",
    " ",
    "a" * 1_000_000,
    "🙂" * 300,
    "مرحبا بالعالم",
    "分布式向量化服务",
    "\x00\x01\x07\x1b[31m",
    "half of a pair: \ud800",
    "word " * 5000,
]


def _texts(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 30))) + f" {at}" for at in range(count)]


def _tokens(encoder: Encoder, texts: Sequence[str], prompt: str = "") -> list[Tokenized]:
    return encoder.tokenize(texts, prompt=prompt, truncate=Truncate.END)


def _cosines(one: Vector, other: Vector) -> Vector:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / lengths)


def test_a_row_belongs_to_its_text_whatever_it_was_batched_with(encoder: Encoder) -> None:
    ready = _tokens(encoder, _texts(20, seed=1))
    alone = np.concatenate([encoder.forward([one]) for one in ready])
    order = random.Random(2).sample(range(len(ready)), len(ready))
    while order:
        batch, order = order[:7], order[7:]
        found = encoder.forward([ready[at] for at in batch])
        assert _cosines(found, alone[batch]).min() >= 0.9999


def test_vectors_are_float32_rows_that_the_next_call_leaves_alone(encoder: Encoder) -> None:
    first = encoder.forward(_tokens(encoder, ["one", "two"]))
    kept = first.copy()
    encoder.forward(_tokens(encoder, ["three", "four"]))
    assert (first.dtype, first.ndim, len(first)) == (np.float32, 2, 2)
    assert np.array_equal(first, kept)


def test_full_precision_gives_the_same_vector_of_one_text(encoder: Encoder) -> None:
    [one] = _tokens(encoder, ["the river under the bridge"])
    exact = encoder.forward_exact(one)
    assert (exact.dtype, exact.ndim) == (np.float32, 1)
    assert _cosines(exact[None], encoder.forward([one])).min() >= 0.9999


def test_no_texts_are_no_tokens(encoder: Encoder) -> None:
    assert _tokens(encoder, []) == []


def test_tokens_are_counted_before_the_cut_and_the_cut_is_told(encoder: Encoder) -> None:
    short, long = _tokens(encoder, ["hello world", "word " * 5000])
    assert not short.truncated
    assert short.tokens <= short.length + 2
    assert long.truncated
    assert long.tokens >= 5000 > long.length


@pytest.mark.parametrize("prompt", ["", "passage: "], ids=["no prompt", "a prompt"])
@pytest.mark.parametrize("truncate", [Truncate.END, Truncate.ERROR])
def test_the_end_of_a_long_text_makes_no_difference_once_it_is_cut(
    encoder: Encoder, truncate: Truncate, prompt: str
) -> None:
    texts = ["word " * 5000 + "end", "word " * 5000 + "other"]
    one, other = encoder.tokenize(texts, prompt=prompt, truncate=truncate)
    assert one.truncated
    assert np.array_equal(one.ids, other.ids)


def test_the_beginning_of_a_long_text_makes_no_difference_once_it_is_cut(encoder: Encoder) -> None:
    texts = ["begin" + " word" * 5000, "other" + " word" * 5000]
    one, other = encoder.tokenize(texts, prompt="", truncate=Truncate.START)
    assert one.truncated
    assert np.array_equal(one.ids, other.ids)


def test_the_prompt_stays_when_the_beginning_is_cut(encoder: Encoder) -> None:
    text = "begin" + " word" * 5000
    [prompted] = encoder.tokenize([text], prompt="passage about ", truncate=Truncate.START)
    [plain] = encoder.tokenize([text], prompt="", truncate=Truncate.START)
    assert prompted.length == plain.length
    assert not np.array_equal(prompted.ids, plain.ids)


def test_a_prompt_reads_as_if_the_text_began_with_it(encoder: Encoder) -> None:
    [prompted] = _tokens(encoder, ["hello"], prompt="passage: ")
    [spelled] = _tokens(encoder, ["passage: hello"])
    assert np.array_equal(prompted.ids, spelled.ids)
    assert prompted.tokens == spelled.tokens


def test_odd_texts_have_vectors_and_leave_their_neighbours_alone(encoder: Encoder) -> None:
    [plain] = _tokens(encoder, ["a plain text"])
    odd = _tokens(encoder, ODD)
    found = encoder.forward([plain, *odd])
    assert np.isfinite(found).all()
    assert (np.linalg.norm(found, axis=1) > 0).all()
    assert _cosines(found[:1], encoder.forward([plain])).min() >= 0.9999


def test_many_threads_tokenize_as_one_does(encoder: Encoder) -> None:
    parts = [_texts(50, seed) for seed in range(8)]
    expected = [[one.ids.tolist() for one in _tokens(encoder, part)] for part in parts]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda part: _tokens(encoder, part), parts))
    assert [[one.ids.tolist() for one in part] for part in found] == expected
