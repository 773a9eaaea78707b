"""The texts: made ones of a known shape, and the docstrings of the standard library."""

import math
import random
from functools import cache

from scripts.demo.docstrings import collect

SEED = 20_240_817
#: Lengths are lognormal with a mean of 17.5 words (PERFORMANCE.md, 3).
MEAN_WORDS = 17.5
SIGMA = 0.6
MOST_WORDS = 200
_SYLLABLES = ("ka", "lo", "mi", "ren", "tu", "sa", "vel", "do", "ni", "par", "es", "qui")
VOCABULARY = 4096


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
