"""CSV: a line a row, cells joined as in every table here."""

import csv
from collections.abc import Iterator
from io import StringIO

from documents.pages import Opened, PageWriter, Source
from documents.plain_kinds import table_of
from documents.refusals import unreadable


def opened(source: Source) -> Opened:
    """Give one page, which is the whole table. Raises DocumentRefused."""
    writer = PageWriter(source.room)
    for row in _rows(source):
        writer.row(row)
    return Opened(iter([writer.page()]), markdown=False)


def _rows(source: Source) -> Iterator[list[str]]:
    # The module's own limit, 131,072, is on cells; ours is on all of them together.
    csv.field_size_limit(max(source.limits.max_chars, 1))
    table = table_of(source.text.removeprefix("\ufeff"))
    lines = StringIO(table.rows, newline="")
    try:
        yield from csv.reader(lines, delimiter=table.delimiter or ",")
    except csv.Error as error:
        raise unreadable("its rows cannot be told apart") from error
