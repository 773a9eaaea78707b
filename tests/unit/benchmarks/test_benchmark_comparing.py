"""What makes a comparison fair: the same texts, right vectors, ratios by round, a known roof."""

from collections.abc import Iterator
from itertools import cycle

import numpy as np
import pytest

from benchmarks.comparing import Compared
from benchmarks.corpus import fresh, part_of, with_duplicates
from benchmarks.crew import GEMM, INFINITY, OURS, PLAIN, TUNED
from benchmarks.encoder import padding, quotients, speeds
from benchmarks.figures import Round, Series, scaled
from benchmarks.likeness import fault_of, least_cosine, nearness
from benchmarks.memory import growth_mb
from benchmarks.roof import Shape, gflop
from benchmarks.tokens import grouped
from benchmarks.wire import CODECS, trip_us, vectors_of
from models.vectors import Vector

MINILM = Shape(num_hidden_layers=6, hidden_size=384, intermediate_size=1536)


def vectors(*rows: tuple[float, ...]) -> Vector:
    return np.array(rows, dtype=np.float32)


REFERENCE = {0: vectors((1, 0), (0, 1)), 1: vectors((1, 1), (1, 2))}


def test_right_vectors_have_no_fault() -> None:
    given = {number: each * 2 for number, each in REFERENCE.items()}
    assert fault_of(given, REFERENCE) == ""
    assert "over 4 texts, item by item: least cosine 1.000000" in nearness(REFERENCE, REFERENCE)


@pytest.mark.parametrize(
    "given, said",
    [
        ({0: REFERENCE[0][::-1], 1: REFERENCE[1]}, "least cosine 0.000000"),
        ({0: REFERENCE[0], 1: vectors((1, 1), (np.nan, 2))}, "least cosine nan"),
        ({0: REFERENCE[0], 1: vectors((1, 1), (0, 0))}, "least cosine nan"),
        ({0: REFERENCE[0][:1], 1: REFERENCE[1]}, "(1, 2) vectors where (2, 2) are right"),
        ({0: REFERENCE[0]}, "rounds [0] where the reference has [0, 1]"),
    ],
    ids=["two swapped", "one not a number", "one zero", "one too few", "a round is missing"],
)
def test_wrong_vectors_are_a_fault_wherever_they_are(given: dict[int, Vector], said: str) -> None:
    assert said in fault_of(given, REFERENCE)


def test_the_least_cosine_is_that_of_the_worst_item() -> None:
    assert least_cosine(vectors((1, 0), (1, 1)), vectors((1, 0), (1, 0))) == pytest.approx(0.5**0.5)


def compared(**values: tuple[float, ...]) -> Compared:
    names = {"ours": OURS, "plain": PLAIN, "tuned": TUNED, "infinity": INFINITY, "gemm": GEMM}
    rounds = {names[name]: [Round(value=each) for each in given] for name, given in values.items()}
    facts = {OURS: [{"tokens": 90.0, "padded_tokens": 100.0}]}
    return Compared(rounds, facts)


def test_ours_is_divided_by_each_of_the_others_round_by_round() -> None:
    found = compared(plain=(1, 2), tuned=(2, 2), ours=(10, 8), gemm=(500, 500))
    series = {each.name: each for each in quotients(found, bf16=True)}
    assert series[f"ours ÷ {PLAIN}"].values == [10, 4]
    assert series[f"ours ÷ {PLAIN}"].least == 5.0
    assert series[f"ours ÷ {TUNED}"].least is None
    assert len(series) == 2


def test_less_is_expected_of_a_processor_without_bfloat16() -> None:
    found = compared(plain=(1,), infinity=(1,), ours=(3,))
    assert [each.least for each in quotients(found, bf16=False)] == [2.5, None]
    assert [each.least for each in quotients(found)] == [None, None]


def test_without_right_vectors_of_ours_there_is_no_ratio() -> None:
    found = compared(plain=(1,), tuned=(2,))
    assert quotients(found, bf16=True) == padding(found) == []
    assert [each.name for each in speeds(found, "queries: ")] == [
        f"queries: {PLAIN}",
        f"queries: {TUNED}",
    ]


def test_padding_efficiency_is_real_tokens_by_computed_ones() -> None:
    assert padding(compared(ours=(1,)))[0].values == [0.9]


def test_the_work_of_a_token_is_that_of_the_published_formula() -> None:
    assert MINILM.weights == pytest.approx(10.6e6, rel=0.01)
    assert MINILM.flop(32) / 32 == pytest.approx(21.5e6, rel=0.01)
    assert MINILM.flop(128) / 128 == pytest.approx(22.4e6, rel=0.01)
    assert gflop(MINILM, [32, 32]) == pytest.approx(2 * MINILM.flop(32) / 1e9)


def test_a_series_is_scaled_by_a_factor_a_round() -> None:
    series = Series(name="s", unit="u", rounds=[Round(value=2), Round(value=3)])
    assert [each.value for each in scaled(series, [10, 100])] == [20, 300]


def sizes(*each: int) -> Iterator[int]:
    return cycle(each)


def test_words_are_joined_to_texts_of_the_wanted_tokens() -> None:
    words, costs = list("abcdef"), [1, 2, 1, 1, 5, 1]
    assert grouped(words, costs, sizes(5)) == ["a b", "c d", "e"]


def test_a_word_longer_than_a_text_is_a_text_of_its_own() -> None:
    assert grouped(["long", "x", "y"], [9, 1, 1], sizes(4)) == ["long"]


def test_fresh_texts_never_come_twice() -> None:
    laps = [fresh(start, 4000) for start in (0, 4000, 8000)]
    texts = [text for lap in laps for text in lap]
    again = len(texts) - len(set(texts))
    assert again < 0.05 * len(texts)  # the library repeats some docstrings itself
    assert fresh(4000, 2) == laps[1][:2]


def test_a_part_goes_round_at_the_end() -> None:
    assert part_of(["a", "b", "c"], 2, 3) == ["c", "a", "b"]


@pytest.mark.parametrize("share, distinct", [(0.0, 1000), (0.3, 700), (0.7, 300), (0.95, 50)])
def test_duplicates_are_the_share_that_was_asked_for(share: float, distinct: int) -> None:
    texts = with_duplicates([str(number) for number in range(1000)], share, seed=1)
    assert (len(texts), len(set(texts))) == (1000, distinct)
    assert texts == with_duplicates([str(number) for number in range(1000)], share, seed=1)


def test_a_few_of_the_repeated_texts_come_most_often() -> None:
    texts = with_duplicates([str(number) for number in range(1000)], 0.7, seed=1)
    counts = sorted((texts.count(text) for text in set(texts)), reverse=True)
    assert sum(counts[:30]) > sum(counts) / 3


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("shape", [(1, 4), (3, 5)])
def test_every_codec_gives_back_the_very_same_vectors(name: str, shape: tuple[int, int]) -> None:
    codec, given = CODECS[name], vectors_of(shape)
    assert np.array_equal(codec.read(codec.write(given), len(given)), given)
    assert trip_us(name, shape, seconds=1e-6) > 0


def test_memory_that_stays_has_not_grown() -> None:
    assert growth_mb([500, 600, 650, 650, 650, 650, 650, 650]) == 0
    assert growth_mb([500, 600, 650, 650, 660, 670, 680, 690]) == 20
