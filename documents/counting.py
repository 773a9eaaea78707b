"""How many tokens a text has: exactly, and word by word from memory, which is many times faster."""

import re
from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer

#: A word with the white space before it: to most tokenizers borders of tokens.
_WORDS = re.compile(r"\s*\S+")
#: Words that are remembered at a time, and how long one may be: some 20 MB at most.
REMEMBERED = 50_000
LONGEST_CHARS = 40


class Counter(Protocol):
    """Counts tokens, special ones not included."""

    special: int
    """How many special tokens the model puts around a text."""

    def exact(self, text: str) -> int:
        """Count as the model will."""

    def quick(self, text: str) -> int:
        """Count word by word: the same where no token reaches over white space."""


class WordCounter:
    """A token is a word between white space."""

    special = 0

    def exact(self, text: str) -> int:
        """Count words."""
        return len(text.split())

    quick = exact


class TokenCounter:
    """Counts with a model's tokenizer."""

    def __init__(self, path: Path) -> None:
        """Load the tokenizer, one of our own: one that truncates would have text lost unseen."""
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._known: dict[str, int] = {}
        self.special = int(self._tokenizer.num_special_tokens_to_add(is_pair=False))

    def exact(self, text: str) -> int:
        """Tokenize the whole text."""
        [found] = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)
        return len(found)

    def quick(self, text: str) -> int:
        """Add up its words; each is tokenized once, unless it is long."""
        known, total = self._known, 0
        for word in _WORDS.findall(text):
            count = known.get(word)
            total += self._learned(word) if count is None else count
        return total

    def _learned(self, word: str) -> int:
        count = self.exact(word)
        if len(word) <= LONGEST_CHARS:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[word] = count
        return count


def counter_for(tokenizer: Path | None) -> Counter:
    """Count with the tokenizer in this file; None: count words."""
    return WordCounter() if tokenizer is None else TokenCounter(tokenizer)
