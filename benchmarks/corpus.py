"""The texts: made ones of a known shape, and the docstrings of the standard library."""

import math
import random
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path

from benchmarks.tokens import costs_of, grouped
from scripts.demo.docstrings import collect

SEED = 20_240_817
#: Lengths are lognormal with a mean of 17.5 words (PERFORMANCE.md, 3).
MEAN_WORDS = 17.5
SIGMA = 0.6
MOST_WORDS = 200
_SYLLABLES = ("ka", "lo", "mi", "ren", "tu", "sa", "vel", "do", "ni", "par", "es", "qui")
VOCABULARY = 4096
#: Length profiles: mean tokens of a text, special ones included, and the spread of its logarithm.
MIXED = "mixed"
PROFILES = {
    "queries": (12, 0.25),
    "passages": (60, 0.3),
    "chunks": (400, 0.15),
    MIXED: (19.5, 0.6),
}
LEAST_TOKENS = 4
#: Exponent of Zipf's law: how much more often the first of the repeated texts comes.
ZIPF = 1.0


def mixed(count: int) -> list[str]:
    """`count` texts of mixed lengths, the same at every call."""
    dice = random.Random(SEED)  # noqa: S311  # texts, not secrets
    words = [_word(dice) for _ in range(VOCABULARY)]
    return [" ".join(dice.choices(words, k=_length(dice))) for _ in range(count)]


def _word(dice: random.Random) -> str:
    return "".join(dice.choices(_SYLLABLES, k=dice.randint(1, 4)))


def _length(dice: random.Random) -> int:
    mu = math.log(MEAN_WORDS) - SIGMA**2 / 2
    return max(1, min(MOST_WORDS, round(dice.lognormvariate(mu, SIGMA))))


@cache
def _docstrings() -> tuple[str, ...]:
    texts = [found.text for found in collect()]
    random.Random(SEED).shuffle(texts)  # noqa: S311  # neighbours in a file are alike
    return tuple(texts)


def docstrings(start: int, count: int) -> list[str]:
    """`count` docstrings of the standard library, shuffled, from number `start` on."""
    texts = _docstrings()
    return [texts[number % len(texts)] for number in range(start, start + count)]


def fresh(start: int, count: int) -> list[str]:
    """Like `docstrings`, but no text ever comes again: a later lap has its number in front."""
    texts = _docstrings()
    laps = ((number // len(texts), texts[number % len(texts)]) for number in _numbers(start, count))
    return [f"{lap}. {text}" if lap else text for lap, text in laps]


def _numbers(start: int, count: int) -> range:
    return range(start, start + count)


def profile(name: str, folder: Path) -> list[str]:
    """All texts of a length profile, cut out of docstrings by the tokenizer in `folder`."""
    mean, spread = PROFILES[name]
    words = " ".join(_docstrings()).split()
    return grouped(words, costs_of(folder, words), _sizes(mean, spread))


def _sizes(mean: float, spread: float) -> Iterator[int]:
    dice = random.Random(SEED)  # noqa: S311  # texts, not secrets
    mu = math.log(mean) - spread**2 / 2
    while True:
        yield max(LEAST_TOKENS, round(dice.lognormvariate(mu, spread)))


def part_of(texts: Sequence[str], start: int, count: int) -> list[str]:
    """`count` of `texts` from number `start` on, over and over."""
    return [texts[number % len(texts)] for number in _numbers(start, count)]


def with_duplicates(texts: Sequence[str], share: float, seed: int) -> list[str]:
    """As many texts as `texts`, of which `share` repeat others by Zipf's law, shuffled."""
    dice = random.Random(seed)  # noqa: S311  # texts, not secrets
    distinct = list(texts[: max(1, round(len(texts) * (1 - share)))])
    weights = list(accumulate(1 / rank**ZIPF for rank in range(1, len(distinct) + 1)))
    repeated = dice.choices(distinct, cum_weights=weights, k=len(texts) - len(distinct))
    mixture = distinct + repeated
    dice.shuffle(mixture)
    return mixture
