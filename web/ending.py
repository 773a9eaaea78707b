"""Cancelling a task, and doing again what a finished one left undone."""

from dataclasses import dataclass

from models.bitmap import members
from models.errors import (
    NothingToRetry,
    OwnerUnavailable,
    TaskFinished,
    TaskNotFound,
    TaskUnfinished,
)
from models.rows import TaskRow
from models.states import SWEPT, TaskState
from models.tasks import TaskRequest
from web.ports import TaskLog
from web.reading import TaskReader
from web.refusals import SourceGone


class Canceller:
    """Ends tasks; the fold is the judge."""

    def __init__(self, log: TaskLog, reader: TaskReader, verdict_timeout_s: float) -> None:
        """Wait `verdict_timeout_s` for the fold's verdict."""
        self._log = log
        self._reader = reader
        self._timeout_s = verdict_timeout_s

    async def cancel(self, task_id: str) -> TaskRow | None:
        """Cancel a task and return its row; None: asked for, no verdict yet.

        Raises TaskNotFound, TaskFinished for another final state, BrokerUnavailable.
        """
        row = await self._reader.settled(task_id, patience_s=self._timeout_s)
        if row is None:
            raise TaskNotFound(task_id)
        if not row.is_final:
            event = await self._log.cancel(task_id)
            try:
                judged = await self._reader.settled(
                    task_id, patience_s=self._timeout_s, after_event=event
                )
            except OwnerUnavailable:
                return None
            if judged is None or not judged.is_final:
                return None
            row = judged
        if row.state is not TaskState.CANCELLED:
            raise TaskFinished(task_id=task_id, state=row.state)
        return row


@dataclass(frozen=True, slots=True)
class Retrier:
    """Makes a new request of what a finished task left without vectors."""

    log: TaskLog
    reader: TaskReader

    async def request(self, task_id: str) -> TaskRequest:
        """The new request; its own item ids are kept.

        Raises TaskNotFound, TaskUnfinished, NothingToRetry, SourceGone.
        """
        row = await self.reader.find(task_id)
        if not row.is_final:
            raise TaskUnfinished(task_id=task_id, state=row.state)
        wanted = list(range(row.total_items)) if row.state in SWEPT else list(members(row.failed))
        if not wanted and not (row.state in SWEPT and row.document):
            raise NothingToRetry(task_id=task_id, state=row.state)
        source = await self.log.source(row.source)
        if source is None or (row.document is None and len(source.texts) != row.total_items):
            raise SourceGone(task_id)
        return _retry_of(row, source, wanted)


def _retry_of(row: TaskRow, source: TaskRequest, wanted: list[int]) -> TaskRequest:
    """The items that are `wanted`; of a document all of it: its chunks are not in the request."""
    items, ids = source.images if source.is_image else source.texts, source.item_ids
    return source.model_copy(
        update={
            "data": source.data if isinstance(source.data, str) else [items[at] for at in wanted],
            "item_ids": None if ids is None else [ids[at] for at in wanted],
            "model_name": row.model,
            "collection": row.collection,
            "retry_of": row.task_id,
            "task_id": None,
            "idempotency_key": None,
            "submitted_ms": None,
        }
    )
