"""A PDF's bookmarks as headings: which stand on a page, and where in its text."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from documents.pages import HEADING_CHARS, HEADING_LEVELS, Heading, is_blank, one_line

#: Each costs a search for its page; a book has some hundreds.
MAX_BOOKMARKS = 5_000
#: How much of a page is looked through for each of its bookmarks; a full one has some thousands.
LOOKED_AT_CHARS = 50_000

Outline = Mapping[int, list[tuple[int, str]]]

_WORD = re.compile(r"\w+")
#: That of a section, in front of its title: `3.1 Methods`, `IV. Methods`, `A.2 Methods`.
_NUMBER = re.compile(r"^(?:[a-z]|[ivxlc]+|[0-9]+) (?:[0-9]+ )*")


def outline_of(bookmarks: Iterable[Any]) -> Outline:
    """The bookmarks by the index of their page: level from 1, and title, in order."""
    found: dict[int, list[tuple[int, str]]] = {}
    for bookmark in islice(bookmarks, MAX_BOOKMARKS):
        target = bookmark.get_dest()
        index = None if target is None else target.get_index()
        title = one_line(bookmark.get_title())[:HEADING_CHARS]
        if index is not None and not is_blank(title):
            level = min(bookmark.level + 1, HEADING_LEVELS)
            found.setdefault(index, []).append((level, title))
    return found


def placed(entries: Sequence[tuple[int, str]], text: str) -> tuple[Heading, ...]:
    """The entries as headings of a page, in their order.

    Each is at the next line that is its title, else at the next that has it, else with the last.
    """
    if not entries:
        return ()
    lines = _lines(text[:LOOKED_AT_CHARS])
    headings: list[Heading] = []
    at = free = 0
    for level, title in entries:
        words = _words(title)
        whole = lines.whole(words, free)
        at = lines.mention(words, at) if whole is None else whole
        # Titles of the same name have lines of their own.
        free = max(free, at) if whole is None else at + 1
        headings.append(Heading(level, title, lines.starts[at]))
    return tuple(headings)


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of a page, and their words as they are compared with those of titles."""

    words: str
    """Those of the whole page, each between spaces."""
    starts: list[int] = field(default_factory=list)
    """Where each line starts in the text."""
    places: list[int] = field(default_factory=list)
    """Where each line starts in the words."""
    saying: dict[str, list[int]] = field(default_factory=dict)
    """The lines that say this and no more, but for a number in front of it."""

    def whole(self, words: str, first: int) -> int | None:
        """The next line, from `first` on, that says the words and no more."""
        found = self.saying.get(words, [])
        at = bisect_left(found, first)
        return found[at] if at < len(found) else None

    def mention(self, words: str, first: int) -> int:
        """The next line, from `first` on, in which the words begin; `first` where there is none."""
        place = self.words.find(f" {words} ", self.places[first]) if words else -1
        return first if place < 0 else bisect_right(self.places, place) - 1


def _lines(text: str) -> _Lines:
    split = text.split("\n")
    told = [_words(line) for line in split]
    lines = _Lines(" ".join(["", *filter(None, told), ""]))
    start = place = 0
    for at, (line, words) in enumerate(zip(split, told, strict=True)):
        lines.starts.append(start)
        lines.places.append(place)
        for says in {words, _NUMBER.sub("", words)} - {""}:
            lines.saying.setdefault(says, []).append(at)
        start += len(line) + 1
        place += len(words) + 1 if words else 0
    return lines


def _words(text: str) -> str:
    """The words of a text without what stands between them, and without capitals."""
    return " ".join(_WORD.findall(text.casefold()))
