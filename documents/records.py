"""JSON and NDJSON: a line a value, `place.of.it: value`; records stand apart."""

import json
from collections.abc import Iterator
from typing import Any

from documents.formats import Format
from documents.pages import Opened, PageWriter, Source
from documents.refusals import unreadable
from models.documents import DocumentRefused

#: So many more broken lines than whole ones: the rest is not tried.
FAR_MORE_LINES = 1000

# Whatever JSON may hold.
_Json = Any


def opened(source: Source) -> Opened:
    """Give one page, which is all records. Raises DocumentRefused."""
    writer = PageWriter(source.room)
    for value in _values(source):
        for record in value if isinstance(value, list) else [value]:
            writer.paragraph("\n".join(_lines(record, source.limits.max_chars)))
    return Opened(iter([writer.page()]), markdown=False)


def _values(source: Source) -> Iterator[_Json]:
    """The document's value, or that of each line. Raises DocumentRefused."""
    text = source.text.removeprefix("\ufeff")
    if source.format is Format.JSON:
        yield _parsed(text, 1)
    else:
        yield from _values_of_lines(text)


def _values_of_lines(text: str) -> Iterator[_Json]:
    """The value of each line, a broken one's as it stands. Raises DocumentRefused if most are."""
    whole = broken = 0
    first: DocumentRefused | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        value: _Json = line
        try:
            value = _parsed(line, number)
            whole += 1
        except DocumentRefused as refused:
            first = first or refused
            broken += 1
        if broken > whole + FAR_MORE_LINES:
            break
        yield value
    if first and broken >= whole:
        raise first


def _parsed(text: str, first_line: int) -> _Json:
    """Parse; numbers stay as they are written. Raises DocumentRefused."""
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        where = f"line {line}, column {error.colno}"
        raise unreadable(f"it is not valid JSON at {where}") from error
    except RecursionError as error:
        raise unreadable("its JSON is nested too deeply") from error


def _lines(record: _Json, max_chars: int) -> Iterator[str]:
    """One line a value, under the names that lead to it; no more than is ever taken."""
    waiting: list[tuple[str, _Json]] = [("", record)]
    told = 0
    while waiting and told <= max_chars:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{name}.{key}" if name else key, value[key]) for key in reversed(value)]
        elif isinstance(value, list) and not _is_flat(value):
            waiting += [(name, one) for one in reversed(value)]
        else:
            line = f"{name}: {_scalar(value)}" if name else _scalar(value)
            told += len(line) + 1
            yield line


def _is_flat(values: list[_Json]) -> bool:
    return not any(isinstance(value, (dict, list)) for value in values)


def _scalar(value: _Json) -> str:
    if isinstance(value, list):
        return ", ".join(map(_scalar, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
