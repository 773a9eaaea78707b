"""What a master keeps in memory of each row it owns: enough to list, count, and see what is due.

The table itself is on disk; reading a row is a look-up there. Listing newest first, counting by
state and finding due deadlines must not read every row, so this small entry a task stands by.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sortedcontainers import SortedKeyList

from models.metrics import Tally
from models.rows import TaskRow
from models.states import TaskState
from models.time_limits import due_ms


class Entry(NamedTuple):
    """The facts of one row that lists, counts and timers need."""

    submitted_ms: int
    task_id: str
    state: TaskState
    version: int
    stored_items: int
    last_event_ms: int
    finished_ms: int | None
    due_ms: int | None
    """When the first of its limits of time passes."""
    next_sweep_ms: int | None


def entry_of(row: TaskRow) -> Entry:
    """Take over a row's facts."""
    return Entry(
        submitted_ms=row.submitted_ms,
        task_id=row.task_id,
        state=row.state,
        version=row.version,
        stored_items=row.stored_items,
        last_event_ms=row.last_event_ms,
        finished_ms=row.finished_ms,
        due_ms=due_ms(row),
        next_sweep_ms=min(row.sweeps_due_ms, default=None),
    )


#: Sorts behind every task id.
_LAST = "\U0010ffff"


def _due_order(entry: Entry) -> tuple[int, str]:
    return entry.due_ms or 0, entry.task_id


def _order(entry: Entry) -> tuple[int, str]:
    return entry.submitted_ms, entry.task_id


class RowIndex:
    """The entries of one partition, by task id and in the order of submission."""

    def __init__(self) -> None:
        """Begin empty."""
        self._by_id: dict[str, Entry] = {}
        self._by_state = {state: SortedKeyList(key=_order) for state in TaskState}
        self._due = SortedKeyList(key=_due_order)
        self._sweeps: set[str] = set()
        self._completed_ms = 0
        self._vectors = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def put(self, row: TaskRow) -> None:
        """Take over a row, unless a newer version is known already."""
        known = self._by_id.get(row.task_id)
        if known is not None:
            if known.version > row.version:
                return
            self.remove(row.task_id)
        entry = entry_of(row)
        self._by_id[row.task_id] = entry
        self._by_state[entry.state].add(entry)
        if entry.due_ms is not None and entry.state in _OPEN:
            self._due.add(entry)
        if entry.next_sweep_ms is not None:
            self._sweeps.add(entry.task_id)
        self._count(entry, 1)

    def remove(self, task_id: str) -> None:
        """Forget a row."""
        entry = self._by_id.pop(task_id, None)
        if entry is not None:
            self._by_state[entry.state].remove(entry)
            self._due.discard(entry)
            self._sweeps.discard(task_id)
            self._count(entry, -1)

    def _count(self, entry: Entry, sign: int) -> None:
        self._vectors += sign * entry.stored_items
        if entry.state is TaskState.COMPLETED and entry.finished_ms is not None:
            self._completed_ms += sign * (entry.finished_ms - entry.submitted_ms)

    def newest(
        self, state: TaskState | None, before: tuple[int, str] | None
    ) -> Iterator[Iterator[Entry]]:
        """Yield an iterator a state, each newest first, of what was submitted before `before`."""
        for listed in self._states(state):
            end = listed.bisect_key_left(before) if before is not None else len(listed)
            yield listed.islice(0, end, reverse=True)

    def total(self, state: TaskState | None) -> int:
        """Count the tasks in a state, or all."""
        return sum(len(listed) for listed in self._states(state))

    def _states(self, state: TaskState | None) -> Iterable[SortedKeyList]:
        return self._by_state.values() if state is None else (self._by_state[state],)

    def unfinished(self) -> Iterator[Entry]:
        """Yield the tasks that have not reached a final state, newest first."""
        for state in (TaskState.PENDING, TaskState.PROCESSING):
            yield from reversed(self._by_state[state])

    def due(self, now_ms: int) -> list[Entry]:
        """List the unfinished tasks of which a limit of time has passed, the first due first."""
        return list(self._due.irange_key(max_key=(now_ms, _LAST)))

    @property
    def unfinished_total(self) -> int:
        """How many tasks have not reached a final state."""
        return sum(len(self._by_state[state]) for state in _OPEN)

    @property
    def oldest_pending_ms(self) -> int | None:
        """When the task was submitted that waits longest to be begun; None: none waits."""
        pending = self._by_state[TaskState.PENDING]
        return int(pending[0].submitted_ms) if pending else None

    def to_sweep(self, now_ms: int) -> list[Entry]:
        """List the tasks whose stored vectors are due to be removed."""
        due = (self._by_id[task_id] for task_id in self._sweeps)
        return [entry for entry in due if (entry.next_sweep_ms or 0) <= now_ms]

    def finished_before(self, at_ms: int, limit: int) -> list[Entry]:
        """List up to `limit` tasks that reached a final state before `at_ms`."""
        found: list[Entry] = []
        for state in (s for s in TaskState if s not in _OPEN):
            for entry in self._by_state[state]:
                if entry.submitted_ms > at_ms or len(found) >= limit:
                    break
                if (entry.finished_ms or 0) < at_ms:
                    found.append(entry)
        return found

    def tally(self) -> Tally:
        """Add up the partition."""
        return Tally(
            states={state: len(listed) for state, listed in self._by_state.items()},
            completed_ms=self._completed_ms,
            vectors=self._vectors,
        )


_OPEN = frozenset({TaskState.PENDING, TaskState.PROCESSING})
