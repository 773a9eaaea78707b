"""What the log of events tells of a trial: who came too late, and how soon a cancel stopped work.

The events are folded again as the masters did it, by the same function, beside what each changed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models.bitmap import contains
from models.events import CancelRequested, UnitDone, UnitStarted
from models.fold import fold
from models.rows import TaskRow
from models.states import TaskState
from tests.faults.view import Happening

#: Only says when a cancelled task is swept again, which is not looked at here.
_MAX_RUN_MS = 1000


@dataclass(frozen=True, slots=True)
class Told:
    """What the log tells."""

    rejected: int = 0
    """Units told done that were done before, or whose task had ended: the word changed nothing."""
    stop_s: Sequence[float] = ()
    """For each task that a cancel ended: how long after it a worker still told of its units."""


def told_by(happenings: Iterable[Happening]) -> Told:
    """Fold every event in the order of the log; those of one task lie in one partition."""
    rows: dict[str, TaskRow] = {}
    cancelled_ms: dict[str, int] = {}
    stop_s: dict[str, float] = {}
    rejected = 0
    for each in happenings:
        event, row = each.event, rows.get(each.event.task_id)
        folded = fold(row, event, each.offset, max_run_ms=_MAX_RUN_MS)
        if isinstance(event, UnitDone) and row is not None:
            rejected += row.is_final or contains(row.done_units, event.unit)
        if isinstance(event, UnitDone | UnitStarted) and event.task_id in cancelled_ms:
            stop_s[event.task_id] = (each.at_ms - cancelled_ms[event.task_id]) / 1000
        if folded.row is not None:
            rows[event.task_id] = folded.row
            if isinstance(event, CancelRequested) and _was_ended_by_it(row, folded.row):
                cancelled_ms[event.task_id] = each.at_ms
                stop_s[event.task_id] = 0.0
    return Told(rejected, tuple(stop_s.values()))


def _was_ended_by_it(before: TaskRow | None, after: TaskRow) -> bool:
    return (before is None or not before.is_final) and after.state is TaskState.CANCELLED
