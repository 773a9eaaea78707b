"""Pages of tasks, newest first: what is asked of an owner, what it answers, how answers merge."""

import base64
import binascii
from collections.abc import Iterable
from heapq import merge
from itertools import islice
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from models.errors import InvalidRequest
from models.rows import TaskRow
from models.states import TaskState


class Cursor(NamedTuple):
    """Where a page begins: right behind the task submitted then, with that id."""

    submitted_ms: int
    task_id: str

    def text(self) -> str:
        """Write the cursor as the opaque text a client carries."""
        return base64.urlsafe_b64encode(f"{self.submitted_ms}:{self.task_id}".encode()).decode()


def cursor_from(text: str) -> Cursor:
    """Read a client's cursor; raise InvalidRequest for what this service did not write."""
    try:
        submitted_ms, _, task_id = base64.urlsafe_b64decode(text).decode().partition(":")
        return Cursor(int(submitted_ms), task_id)
    except (ValueError, binascii.Error) as error:
        raise InvalidRequest(field="cursor", reason="not a cursor of this service") from error


def cursor_of(row: TaskRow) -> Cursor:
    """The cursor behind `row`."""
    return Cursor(row.submitted_ms, row.task_id)


class PageQuery(BaseModel):
    """What is asked of one owner."""

    model_config = ConfigDict(frozen=True)

    state: TaskState | None = None
    before: Cursor | None = Field(default=None, description="Only tasks behind this cursor.")
    skip: int = Field(default=0, ge=0, description="Tasks to pass over, newest first.")
    limit: int = Field(default=20, ge=0)


class Page(BaseModel):
    """Tasks newest first, and how many match in all."""

    rows: list[TaskRow]
    total: int


def merged_page(pages: Iterable[Page], *, skip: int, limit: int) -> Page:
    """Merge owners' pages, each holding its own first `skip + limit` tasks, into one."""
    answered = list(pages)
    newest_first = merge(*(page.rows for page in answered), key=cursor_of, reverse=True)
    rows = list(islice(newest_first, skip, skip + limit))
    return Page(rows=rows, total=sum(page.total for page in answered))
