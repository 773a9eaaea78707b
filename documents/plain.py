"""Plain text and Markdown: the text as it stands, and the headings of the latter."""

import re
from collections.abc import Iterator
from itertools import takewhile

from documents.formats import Format
from documents.pages import HEADING_CHARS, Heading, Opened, Page, Source, clean, is_blank

#: Behind one of backticks stands no other, or it is code within a line.
_FENCE = re.compile(r" {0,3}(```+(?=[^`]*$)|~~~+)")
_ATX = re.compile(r" {0,3}(#{1,6})[ \t](.*)")
#: A rule by itself, and what YAML between two of them begins with: a key, an entry, a mapping.
_RULE = re.compile(r"^---[ \t]*$", re.MULTILINE)
_YAML = re.compile(r"[\w\"'$@<][^\n]*?:(?=\s|$)|-(?: |$)|\{")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")


def opened(source: Source) -> Opened:
    """Give one page, which is the whole text. Raises DocumentRefused."""
    text = clean(source.text)
    source.room.take(len(text))
    markdown = source.format is Format.MARKDOWN
    headings = tuple(headings_of(text)) if markdown else ()
    return Opened(iter([Page(text, headings)]), markdown=markdown)


def headings_of(text: str) -> Iterator[Heading]:
    """The headings of a Markdown text, in order; none from within fences or front matter."""
    front_end = _front_matter_end(text)
    fence = ""
    at, last = 0, ""
    for line in text.split("\n"):
        within = at < front_end
        mark = _FENCE.match(line)
        closing = mark and mark.group(1).startswith(fence) and is_blank(line[mark.end() :])
        if mark and (closing or not fence):
            fence = "" if fence else mark.group(1)
        elif not fence and not within:
            yield from _heading(line, last, at)
        last = "" if fence or within else line
        at += len(line) + 1


def _front_matter_end(text: str) -> int:
    """Where a text goes on behind front matter, which is YAML between two rules; 0: it has none."""
    end = _RULE.search(text, len("---\n")) if text.startswith("---\n") else None
    if end is None:
        return 0
    lines = text[len("---\n") : end.start()].splitlines()
    comments = [*takewhile(lambda line: line.startswith("#"), lines)]
    others = lines[len(comments) :]
    if comments:  # a blank line behind them makes them headings
        is_yaml = not others or _YAML.match(others[0]) is not None
    else:
        is_yaml = _YAML.match(next(filter(None, others), "")) is not None
    return end.end() if is_yaml else 0


def _heading(line: str, last: str, at: int) -> Iterator[Heading]:
    """The heading that `line` is, or makes of the `last` line by underlining it."""
    atx = _ATX.match(line)
    if atx and not is_blank(title := _without_closing(atx.group(2))):
        yield Heading(len(atx.group(1)), title[:HEADING_CHARS], at)
        return
    under = _SETEXT.match(line)
    if under and not is_blank(last) and not _ATX.match(last) and not last.startswith((" ", "\t")):
        level = 1 if under.group(1).startswith("=") else 2
        yield Heading(level, last.strip()[:HEADING_CHARS], at - len(last) - 1)


def _without_closing(title: str) -> str:
    """A heading may end as it starts: `## Title ##`."""
    title = title.strip()
    bare = title.rstrip("#")
    return bare.rstrip() if bare != bare.rstrip() else title
