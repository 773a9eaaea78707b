"""The index of rows against a naive list of them."""

from heapq import merge

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from models.rows import TaskRow
from models.states import FINAL, TaskState
from models.time_limits import due_ms
from streams.index import RowIndex, entry_of
from tests.unit.models.making import final_row, row

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])


@st.composite
def rows(draw: st.DrawFn) -> TaskRow:
    state = draw(st.sampled_from(TaskState))
    submitted = draw(st.integers(0, 20))
    finished = submitted + draw(st.integers(0, 20)) if state in FINAL else None
    return row(
        task_id=draw(NAMES),
        version=draw(st.integers(0, 9)),
        state=state,
        submitted_ms=submitted,
        finished_ms=finished,
        stored_items=draw(st.integers(0, 4)),
        sweeps_due_ms=draw(st.lists(st.integers(0, 30), max_size=2)),
    )


def newest_first(found: list[TaskRow]) -> list[TaskRow]:
    return sorted(found, key=lambda each: (each.submitted_ms, each.task_id), reverse=True)


class IndexAgainstModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.index = RowIndex()
        self.rows: dict[str, TaskRow] = {}

    @rule(put=rows())
    def put(self, put: TaskRow) -> None:
        self.index.put(put)
        known = self.rows.get(put.task_id)
        if known is None or known.version <= put.version:
            self.rows[put.task_id] = put

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        self.index.remove(name)
        self.rows.pop(name, None)

    def listed(self, state: TaskState | None, before: tuple[int, str] | None) -> list[str]:
        parts = self.index.newest(state, before)
        merged = merge(*parts, key=lambda entry: entry[:2], reverse=True)
        return [entry.task_id for entry in merged]

    @rule(
        state=st.none() | st.sampled_from(TaskState),
        before=st.none() | st.tuples(st.integers(0, 21), NAMES),
    )
    def list_newest_first_behind_a_cursor(
        self, state: TaskState | None, before: tuple[int, str] | None
    ) -> None:
        expected = [
            each.task_id
            for each in newest_first(list(self.rows.values()))
            if state in {None, each.state}
            and (before is None or (each.submitted_ms, each.task_id) < before)
        ]
        assert self.listed(state, before) == expected

    @rule(now=st.integers(0, 31))
    def list_what_is_to_be_swept(self, now: int) -> None:
        due = {
            name for name, each in self.rows.items() if min(each.sweeps_due_ms, default=99) <= now
        }
        assert {entry.task_id for entry in self.index.to_sweep(now)} == due

    @rule(at=st.integers(0, 45), limit=st.integers(1, 6))
    def list_what_is_past_its_retention(self, at: int, limit: int) -> None:
        past = {
            name
            for name, each in self.rows.items()
            if each.state in FINAL and (each.finished_ms or 0) < at
        }
        found = [entry.task_id for entry in self.index.finished_before(at, limit)]
        assert set(found) <= past
        assert len(found) == len(set(found)) == min(limit, len(past))

    @invariant()
    def counts_agree(self) -> None:
        held = list(self.rows.values())
        assert len(self.index) == len(held)
        tally = self.index.tally()
        for state in TaskState:
            of_state = [each for each in held if each.state is state]
            assert self.index.total(state) == tally.states[state] == len(of_state)
        assert self.index.total(None) == len(held)
        assert tally.vectors == sum(each.stored_items for each in held)
        assert tally.completed_ms == sum(
            each.finished_ms - each.submitted_ms
            for each in held
            if each.state is TaskState.COMPLETED and each.finished_ms is not None
        )

    @invariant()
    def unfinished_are_the_open_ones(self) -> None:
        open_ones = {name for name, each in self.rows.items() if each.state not in FINAL}
        assert {entry.task_id for entry in self.index.unfinished()} == open_ones


TestIndexAgainstModel = IndexAgainstModel.TestCase


@given(rows())
def test_an_entry_says_what_its_row_says(each: TaskRow) -> None:
    entry = entry_of(each)
    shared = set(entry._fields) - {"next_sweep_ms", "due_ms"}
    assert all(getattr(entry, name) == getattr(each, name) for name in shared)
    assert entry.next_sweep_ms == min(each.sweeps_due_ms, default=None)
    assert entry.due_ms == due_ms(each)


def test_what_is_due_is_listed_in_its_order_and_a_final_task_never() -> None:
    index = RowIndex()
    for task_id, due_at_ms in (("late", 900), ("b", 500), ("a", 500), ("later", 901)):
        index.put(row(task_id=task_id, deadline_ms=due_at_ms))
    index.put(final_row(task_id="done", deadline_ms=1))
    assert [entry.task_id for entry in index.due(900)] == ["a", "b", "late"]
    index.put(final_row(task_id="a", deadline_ms=500, version=99))
    index.remove("b")
    assert [entry.task_id for entry in index.due(900)] == ["late"]


def test_a_row_at_the_same_version_replaces_itself_an_older_one_does_not() -> None:
    index = RowIndex()
    index.put(row(version=5, stored_items=1))
    index.put(row(version=5, stored_items=2))
    index.put(row(version=4, stored_items=9))
    assert index.tally().vectors == 2
    assert len(index) == 1
