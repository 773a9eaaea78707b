"""A PDF's bookmarks as headings: which stand on a page, and where in its text."""

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from documents.pages import HEADING_CHARS, HEADING_LEVELS, Heading, is_blank, one_line

#: Each costs a search for its page; a book has some hundreds.
MAX_BOOKMARKS = 5_000

Outline = Mapping[int, list[tuple[int, str]]]


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


def placed(entries: Iterable[tuple[int, str]], text: str) -> tuple[Heading, ...]:
    """The entries as headings of a page: at the line that has the title, or behind the last."""
    headings: list[Heading] = []
    at = 0
    for level, title in entries:
        words = r"\s+".join(map(re.escape, title.split()))
        line = re.compile(words, re.IGNORECASE).search(text, at)
        if line:
            at = max(at, text.rfind("\n", 0, line.start()) + 1)
        headings.append(Heading(level, title, at))
    return tuple(headings)
