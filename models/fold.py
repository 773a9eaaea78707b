"""The fold: (row, event, offset) -> row. The one judge of a task's state; pure.

Rules that make it safe under at-least-once delivery:
- an event at or below the row's version was folded before: nothing changes, but what had to
  follow it (an announcement, a verdict) is named again, since it may not have happened;
- a unit that is done stays done, so a repeated or late `unit_done` counts nothing twice;
- a final state is never left;
- an event of another source record than the row's is not about this task's work.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from models.bitmap import bitmap_of, contains
from models.documents import UNREAD
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
from models.rows import TaskRow
from models.states import SWEPT, TaskState
from models.time_limits import TimeLimit, has_passed, reason_of
from models.units import ItemFailure

#: The place among a row's `error_units` of what never became part of a unit: intake's refusals,
#: and the pages of a document that could not be read.
INTAKE_ERRORS = 0


class Verdict(StrEnum):
    """What an `accepted` event came to."""

    OWN = "own"
    """The row is this record's: its units are to be sent, unless the task is final."""
    REPEAT = "repeat"
    """Another record with the same body came first: nothing is to be done."""
    CONFLICT = "conflict"
    """Another record with another body came first."""


@dataclass(frozen=True, slots=True)
class Folded:
    """What an event came to; `row` is None where the task is (or stays) unknown."""

    row: TaskRow | None
    changed: bool = False
    purged: bool = False
    verdict: Verdict | None = None
    error_unit: int | None = None
    errors: tuple[ItemFailure, ...] = field(default=())

    @property
    def announce(self) -> bool:
        """Whether the final state is still to be told."""
        return self.row is not None and self.row.is_final and not self.row.announced


def fold(row: TaskRow | None, event: Event, offset: int, *, max_run_ms: int) -> Folded:
    """Fold `event`, read at `offset`, into `row`.

    `max_run_ms` is how long a unit may run: a cancelled task is swept again after it.
    """
    if isinstance(event, Accepted):
        return _accepted(row, event, offset)
    if row is None:
        return Folded(None)
    if offset <= row.version:
        return _repeated(row, event)
    if isinstance(event, RetentionPassed):
        return Folded(None, changed=True, purged=True) if row.is_final else Folded(row)
    return _later(row, event, offset, max_run_ms)


def _later(row: TaskRow, event: Event, offset: int, max_run_ms: int) -> Folded:
    if isinstance(event, UnitDone):
        return _unit_done(row, event, offset)
    if isinstance(event, Extracted):
        return _extracted(row, event, offset)
    if isinstance(event, CancelRequested):
        return _ended(row, event, offset, state=TaskState.CANCELLED, max_run_ms=max_run_ms)
    if isinstance(event, DeadlinePassed):
        return _expired(row, event, offset, max_run_ms)
    changes = _CHANGES[type(event)](row, event)
    return Folded(_next(row, event, offset, **changes), changed=True)


def _next(row: TaskRow, event: Event, offset: int, **changes: object) -> TaskRow:
    if not row.is_final:
        changes.setdefault("last_event_ms", event.at_ms)
    return row.model_copy(update={"version": offset, **changes})


def _accepted(row: TaskRow | None, event: Accepted, offset: int) -> Folded:
    if row is not None:
        verdict = _verdict(row, event)
        refused = event.rejected if verdict is Verdict.OWN else []
        return _named_again(row, INTAKE_ERRORS, refused, verdict=verdict)
    errors = tuple(event.rejected)
    new = TaskRow(
        **{name: getattr(event, name) for name in _TAKEN_OVER},
        version=offset,
        state=TaskState.PENDING,
        last_event_ms=event.at_ms,
        failed=bitmap_of(error.index for error in errors),
        failed_items=len(errors),
        error_units=1 << INTAKE_ERRORS if errors else 0,
        first_error=errors[0].message if errors else None,
    )
    return Folded(
        _finish_if_done(new, event.at_ms),
        changed=True,
        verdict=Verdict.OWN,
        error_unit=INTAKE_ERRORS if errors else None,
        errors=errors,
    )


_TAKEN_OVER = set(Accepted.model_fields) & set(TaskRow.model_fields) - {"v"}


def _verdict(row: TaskRow, event: Accepted) -> Verdict:
    if row.source == event.source:
        return Verdict.OWN
    return Verdict.REPEAT if row.body_hash == event.body_hash else Verdict.CONFLICT


def _repeated(row: TaskRow, event: Event) -> Folded:
    """Name again the errors that stood under this event: their row may not have been written."""
    if isinstance(event, UnitDone) and _is_of(row, event):
        return _named_again(row, event.unit + 1, event.failures, verdict=None)
    if isinstance(event, Extracted) and _is_of(row, event):
        return _named_again(row, INTAKE_ERRORS, event.failures, verdict=None)
    return Folded(row)


def _is_of(row: TaskRow, event: Extracted | UnitDone) -> bool:
    """Whether an event is about this task's record and, of a document, the reading that counts."""
    return event.source == row.source and event.reading == row.reading


def _extracted(row: TaskRow, event: Extracted, offset: int) -> Folded:
    """Take what a document was read into; the last reading counts.

    A worker that was killed may have told of one and not sent all its units; whoever reads the
    document after it may find something else (a page at a URL changes), and sends all of its own.
    So another reading begins anew, and units of the one before count nothing any more. That it
    cannot be read a second time takes nothing back.
    """
    late = event.reading == UNREAD and not row.is_open
    if row.is_final or late or event.source != row.source or event.reading == row.reading:
        return Folded(_next(row, event, offset), changed=True)
    failures = event.failures
    read = _next(
        row,
        event,
        offset,
        state=TaskState.PROCESSING,
        started_ms=row.started_ms or event.begun_ms or event.at_ms,
        reading=event.reading,
        **_NOTHING_DONE,
        total_items=event.total_items,
        total_units=event.total_units + event.closes,
        closes=event.closes,
        kept_items=event.kept,
        format=event.format,
        charset=event.charset,
        pages=event.pages,
        pages_read=event.pages or 0,
        failed=bitmap_of(failure.index for failure in failures),
        failed_items=len(failures),
        error_units=1 << INTAKE_ERRORS if failures else 0,
        first_error=failures[0].message if failures else None,
    )
    return Folded(
        _finish_if_done(read, event.at_ms),
        changed=True,
        error_unit=INTAKE_ERRORS if failures else None,
        errors=tuple(failures),
    )


#: What a row counts of units, before any is done.
_NOTHING_DONE = dict.fromkeys(
    (
        *("done_units", "stored_items", "truncated_items", "tokens", "computed_items"),
        *("deduplicated_items", "cached_items", "deleted_items"),
    ),
    0,
)


def _named_again(
    row: TaskRow, place: int, failures: Sequence[ItemFailure], *, verdict: Verdict | None
) -> Folded:
    """Name errors again, unless they never counted: a second run of a unit may fail otherwise."""
    counted = contains(row.error_units, place) and not (
        bitmap_of(failure.index for failure in failures) & ~row.failed
    )
    if not failures or not counted:
        return Folded(row, verdict=verdict)
    return Folded(row, verdict=verdict, error_unit=place, errors=tuple(failures))


def _unit_done(row: TaskRow, event: UnitDone, offset: int) -> Folded:
    known = event.unit < row.total_units and _is_of(row, event)
    if row.is_final or not known or contains(row.done_units, event.unit):
        return Folded(_next(row, event, offset, **_swept_again(row, event)), changed=True)
    failures = event.failures
    counted = _next(
        row,
        event,
        offset,
        state=TaskState.PROCESSING,
        started_ms=row.started_ms or event.at_ms,
        done_units=row.done_units | 1 << event.unit,
        stored_items=row.stored_items + event.stored,
        failed_items=row.failed_items + len(failures),
        failed=row.failed | bitmap_of(failure.index for failure in failures),
        error_units=row.error_units | (2 << event.unit if failures else 0),
        first_error=row.first_error or (failures[0].message if failures else None),
        truncated_items=row.truncated_items + event.truncated,
        tokens=row.tokens + event.tokens,
        computed_items=row.computed_items + event.computed,
        deduplicated_items=row.deduplicated_items + event.deduplicated,
        cached_items=row.cached_items + event.cached,
        deleted_items=row.deleted_items + event.deleted,
    )
    return Folded(
        _finish_if_done(counted, event.at_ms),
        changed=True,
        error_unit=event.unit + 1 if failures else None,
        errors=tuple(failures),
    )


def _swept_again(row: TaskRow, event: UnitDone) -> dict[str, object]:
    """Have vectors removed that were stored after the task's end: a unit may queue for long."""
    if row.state in SWEPT and event.source == row.source and event.stored:
        return {"sweeps_due_ms": sorted({*row.sweeps_due_ms, event.at_ms})}
    return {}


def _finish_if_done(row: TaskRow, at_ms: int) -> TaskRow:
    if not row.all_units_done:
        return row
    state = TaskState.COMPLETED if row.stored_items else TaskState.FAILED
    return row.model_copy(update={"state": state, "finished_ms": at_ms})


def _expired(row: TaskRow, event: DeadlinePassed, offset: int, max_run_ms: int) -> Folded:
    """End the task, if the limit that the sender saw pass stands and has passed."""
    if not has_passed(row, event.limit, event.at_ms):
        return Folded(_next(row, event, offset), changed=True)
    why = {"first_error": reason_of(row, event.limit)}
    return _ended(row, event, offset, state=TaskState.EXPIRED, max_run_ms=max_run_ms, **why)


def _ended(
    row: TaskRow, event: Event, offset: int, *, state: TaskState, max_run_ms: int, **why: str
) -> Folded:
    if row.is_final or _is_being_closed(row, event):
        return Folded(_next(row, event, offset), changed=True)
    sweeps = [event.at_ms, event.at_ms + max_run_ms] if state in SWEPT else []
    ends = {"state": state, "finished_ms": event.at_ms, "sweeps_due_ms": sweeps, **why}
    return Folded(_next(row, event, offset, **ends), changed=True)


def _is_being_closed(row: TaskRow, event: Event) -> bool:
    """Whether it is too late to end a task: its document may be changing hands now.

    What is taken over is removed with a task that ends, and the version before it with that. Only
    one whose closing never comes about ends all the same.
    """
    stuck = isinstance(event, DeadlinePassed) and event.limit is TimeLimit.HEARTBEAT
    return row.is_to_be_closed and not stuck


def _unit_started(row: TaskRow, event: UnitStarted) -> dict[str, Any]:
    if row.is_final:
        return {}
    return {"state": TaskState.PROCESSING, "started_ms": row.started_ms or event.at_ms}


def _pages_read(row: TaskRow, event: PagesRead) -> dict[str, Any]:
    if not row.is_open or row.is_final or event.source != row.source:
        return {}
    return {"pages_read": max(row.pages_read, event.read), "pages": event.pages}


def _units_resent(row: TaskRow, event: UnitsResent) -> dict[str, Any]:  # noqa: ARG001  # one shape for all
    return {"resent": row.resent + 1}


def _swept(row: TaskRow, event: Swept) -> dict[str, Any]:
    return {"sweeps_due_ms": [due for due in row.sweeps_due_ms if due != event.due_ms]}


_CHANGES: dict[type, Callable[[TaskRow, Any], dict[str, Any]]] = {
    UnitStarted: _unit_started,
    PagesRead: _pages_read,
    UnitsResent: _units_resent,
    Swept: _swept,
}
