"""The clocks of a task: which limits of time it has, and which of them has passed. Pure.

Named as in Temporal: schedule-to-start (queue), start-to-close (run), schedule-to-close (total)
and heartbeat (https://docs.temporal.io/encyclopedia/detecting-activity-failures).
"""

from collections.abc import Iterator
from enum import StrEnum

from models.rows import TaskRow
from models.states import TaskState

#: A stalled task's units are sent again at most so often; then its heartbeat has stopped.
MOST_RESENDS = 20


class TimeLimit(StrEnum):
    """A limit whose passing lets a task expire."""

    QUEUE = "queue"
    """`queue_timeout_s`: no worker had taken it by then."""
    RUN = "run"
    """`run_timeout_s`: it was not finished so long after a worker took it."""
    TOTAL = "total"
    """`deadline_s`: it was not finished so long after its submit."""
    HEARTBEAT = "heartbeat"
    """Nothing was heard of it though its units were sent again and again."""


def due_ms(row: TaskRow) -> int | None:
    """Tell when the first of the limits passes that stand now; None where the task has none."""
    return min((at_ms for _, at_ms in _limits(row)), default=None)


def passed_limit(row: TaskRow, now_ms: int) -> TimeLimit | None:
    """Name the limit that passed first; None where none has."""
    over = [(at_ms, limit) for limit, at_ms in _limits(row) if at_ms <= now_ms]
    return min(over)[1] if over else None


def has_passed(row: TaskRow, limit: TimeLimit, at_ms: int) -> bool:
    """Tell whether this limit stood and had passed at a moment: events may come late."""
    if limit is TimeLimit.HEARTBEAT:
        return row.resent >= MOST_RESENDS
    return any(which is limit and due <= at_ms for which, due in _limits(row))


def reason_of(row: TaskRow, limit: TimeLimit) -> str:
    """Tell a person why the task expired, and what to change."""
    whole_ms = (row.deadline_ms or 0) - row.submitted_ms
    told = {
        TimeLimit.QUEUE: f"no worker had taken it after {_s(row.queue_timeout_ms)} "
        "(queue_timeout_s)",
        TimeLimit.RUN: f"not finished {_s(row.run_timeout_ms)} after it began (run_timeout_s)",
        TimeLimit.TOTAL: f"not finished {_s(whole_ms)} after its submit (deadline_s)",
        TimeLimit.HEARTBEAT: f"nothing was heard of it though it was sent {row.resent} times more",
    }
    return f"expired: {told[limit]}"


def _limits(row: TaskRow) -> Iterator[tuple[TimeLimit, int]]:
    """Yield the limits by time that stand now, and when each passes."""
    if row.deadline_ms is not None:
        yield TimeLimit.TOTAL, row.deadline_ms
    if row.queue_timeout_ms is not None and row.state is TaskState.PENDING:
        yield TimeLimit.QUEUE, row.submitted_ms + row.queue_timeout_ms
    if row.run_timeout_ms is not None and row.started_ms is not None:
        yield TimeLimit.RUN, row.started_ms + row.run_timeout_ms


def _s(ms: int | None) -> str:
    return f"{(ms or 0) / 1000:g} s"
