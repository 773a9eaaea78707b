"""Tasks, events and rows, as short as a test can say them."""

from typing import Any

from models.bitmap import bitmap_of
from models.events import (
    Accepted,
    CancelRequested,
    DeadlinePassed,
    Event,
    Extracted,
    PagesRead,
    RetentionPassed,
    Swept,
    UnitDone,
    UnitsResent,
    UnitStarted,
)
from models.fold import Folded, fold
from models.rows import TaskRow
from models.states import ItemErrorCode, Lane, TaskState, TaskType
from models.tasks import TaskRequest
from models.units import ItemFailure, SourcePlace, Unit, UnitItem

TASK = "task-a"
SOURCE = SourcePlace(partition=2, offset=40)
OTHER_SOURCE = SourcePlace(partition=2, offset=41)
NOW_MS = 1_785_000_000_000
DEADLINE_MS = NOW_MS + 60_000
MAX_RUN_MS = 600_000
#: How a document was read.
READING = "r1"


def failure(index: int, message: str = "no vector", **more: Any) -> ItemFailure:
    return ItemFailure(index=index, code=ItemErrorCode.ENCODE_FAILED, message=message, **more)


def accepted(**changes: Any) -> Accepted:
    facts: dict[str, Any] = {
        "task_id": TASK,
        "at_ms": NOW_MS,
        "source": SOURCE,
        "body_hash": "hash-a",
        "task_type": TaskType.BATCH,
        "model": "tiny",
        "fingerprint": "f1",
        "collection": "Tiny",
        "lane": Lane.NORMAL,
        "submitted_ms": NOW_MS - 10,
        "total_items": 4,
        "total_units": 2,
    }
    return Accepted.model_validate(facts | changes)


def unit_done(unit: int = 0, *, failed: tuple[int, ...] = (), **changes: Any) -> UnitDone:
    facts: dict[str, Any] = {
        "task_id": TASK,
        "at_ms": NOW_MS + 100,
        "unit": unit,
        "source": SOURCE,
        "stored": 2 - len(failed),
        "failures": [failure(index) for index in failed],
        "worker": "w1",
    }
    return UnitDone.model_validate(facts | changes)


def extracted(*, failed: tuple[int, ...] = (), **changes: Any) -> Extracted:
    facts: dict[str, Any] = {
        "task_id": TASK,
        "at_ms": NOW_MS + 60,
        "source": SOURCE,
        "reading": READING,
        "total_items": 4,
        "total_units": 2,
        "failures": [page_fault(index) for index in failed],
        "format": "pdf",
        "pages": 3,
        "worker": "x1",
    }
    return Extracted.model_validate(facts | changes)


def page_fault(index: int) -> ItemFailure:
    return ItemFailure(index=index, code=ItemErrorCode.PAGE_UNREADABLE, message=f"page {index}")


def pages(read: int, **changes: Any) -> PagesRead:
    facts = {"task_id": TASK, "at_ms": NOW_MS + 55, "source": SOURCE, "read": read, "pages": 9}
    return PagesRead.model_validate(facts | changes)


def started(at_ms: int = NOW_MS + 50) -> UnitStarted:
    return UnitStarted(task_id=TASK, at_ms=at_ms, unit=0, worker="w1")


def cancel(at_ms: int = NOW_MS + 70) -> CancelRequested:
    return CancelRequested(task_id=TASK, at_ms=at_ms)


def deadline(at_ms: int = DEADLINE_MS) -> DeadlinePassed:
    return DeadlinePassed(task_id=TASK, at_ms=at_ms)


def resent(at_ms: int = NOW_MS + 90) -> UnitsResent:
    return UnitsResent(task_id=TASK, at_ms=at_ms)


def retention(at_ms: int = NOW_MS + 10**9) -> RetentionPassed:
    return RetentionPassed(task_id=TASK, at_ms=at_ms)


def swept(due_ms: int, at_ms: int = NOW_MS + 200) -> Swept:
    return Swept(task_id=TASK, at_ms=at_ms, due_ms=due_ms)


def row(**changes: Any) -> TaskRow:
    """A row as two units of two items make it, at version 10; unfinished unless changed."""
    facts: dict[str, Any] = {
        **accepted().model_dump(include=set(TaskRow.model_fields) - {"v"}),
        "version": 10,
        "state": TaskState.PENDING,
        "last_event_ms": NOW_MS,
    }
    return TaskRow.model_validate(facts | changes)


def final_row(state: TaskState = TaskState.COMPLETED, **changes: Any) -> TaskRow:
    facts: dict[str, Any] = {"state": state, "finished_ms": NOW_MS + 300}
    if state is TaskState.COMPLETED:
        facts |= {"stored_items": 4, "done_units": 0b11}
    if state is TaskState.FAILED:
        failed = bitmap_of(range(4))
        facts |= {"failed_items": 4, "failed": failed, "done_units": 0b11, "error_units": 0b110}
    return row(**facts | changes)


def fold_all(
    events: list[tuple[int, Event]], start: TaskRow | None = None
) -> tuple[TaskRow | None, list[Folded]]:
    """Fold (offset, event) pairs one after the other."""
    now, steps = start, []
    for offset, event in events:
        step = fold(now, event, offset, max_run_ms=MAX_RUN_MS)
        steps.append(step)
        now = step.row
    return now, steps


def request(data: str | list[str] = "a text", **changes: Any) -> TaskRequest:
    kind = TaskType.TEXT if isinstance(data, str) else TaskType.BATCH
    return TaskRequest.model_validate({"task_type": kind, "data": data} | changes)


def unit(*texts: str, **changes: Any) -> Unit:
    facts: dict[str, Any] = {
        "task_id": TASK,
        "number": 0,
        "source": SOURCE,
        "lane": Lane.NORMAL,
        "model": "tiny",
        "fingerprint": "f1",
        "collection": "Tiny",
        "submitted_ms": NOW_MS - 10,
        "sent_ms": NOW_MS,
        "items": [UnitItem(index=i, text=text) for i, text in enumerate(texts or ("a", "b"))],
    }
    return Unit.model_validate(facts | changes)
