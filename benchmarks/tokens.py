"""How long texts are for the model, and texts cut to be so long; without torch."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer

#: `[CLS]` and `[SEP]`.
SPECIAL = 2


def lengths_of(folder: Path, texts: Sequence[str], most: int) -> list[int]:
    """Tokens of each text, special ones included, as the model sees it: `most` at most."""
    found = _tokenizer(folder).encode_batch_fast(list(texts))
    return [min(most, len(each.ids)) for each in found]


@cache
def _tokenizer(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def costs_of(folder: Path, words: Sequence[str]) -> list[int]:
    """Tokens of each word, without special ones."""
    found = _tokenizer(folder).encode_batch_fast(list(words), add_special_tokens=False)
    return [len(each.ids) for each in found]


def grouped(words: Sequence[str], costs: Sequence[int], sizes: Iterator[int]) -> list[str]:
    """Join words, in their order, to texts of about as many tokens as `sizes` says.

    A text ends before the word that would make it too long; one word is always taken. What is
    left at the end is no text.
    """
    texts: list[str] = []
    current: list[str] = []
    spent, room = 0, next(sizes) - SPECIAL
    for word, cost in zip(words, costs, strict=True):
        if current and spent + cost > room:
            texts.append(" ".join(current))
            current, spent, room = [], 0, next(sizes) - SPECIAL
        current.append(word)
        spent += cost
    return texts
