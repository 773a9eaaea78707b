"""What holds of the fold whatever happens to a task, in whatever order, however often."""

import itertools
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from models.bitmap import bitmap_of, members
from models.events import Event
from models.fold import fold
from models.rows import TaskRow
from models.states import FINAL, TaskState
from tests.unit.models.making import (
    DEADLINE_MS,
    MAX_RUN_MS,
    NOW_MS,
    OTHER_SOURCE,
    accepted,
    cancel,
    deadline,
    failure,
    fold_all,
    resent,
    retention,
    started,
    swept,
    unit_done,
)

Log = list[tuple[int, Event]]


@dataclass(frozen=True)
class Story:
    """A task's log, and its units' item indexes."""

    log: Log
    units: list[list[int]]
    total_items: int


@st.composite
def stories(draw: st.DrawFn, *, purges: bool = False) -> Story:
    """A task with units done in any order, repeats and strangers between, and endings."""
    sizes = draw(st.lists(st.integers(1, 4), max_size=5))
    refused = draw(st.integers(0 if sizes else 1, 3))
    total = refused + sum(sizes)
    starts = [refused + sum(sizes[:number]) for number in range(len(sizes))]
    units = [list(range(start, start + size)) for start, size in zip(starts, sizes, strict=True)]
    first = accepted(
        total_items=total,
        total_units=len(units),
        rejected=[failure(index) for index in range(refused)],
        deadline_ms=draw(st.sampled_from([None, DEADLINE_MS])),
    )
    done = [_done(draw, number, items) for number, items in enumerate(units)]
    extra = st.sampled_from(
        [
            first,
            accepted(source=OTHER_SOURCE, body_hash="hash-b"),
            started(),
            cancel(),
            deadline(),
            deadline(DEADLINE_MS - 1),
            resent(),
            swept(NOW_MS + 70),
            unit_done(0, source=OTHER_SOURCE, stored=3, computed=3),
            unit_done(len(units), stored=3, cached=3),
            *done,
            *([retention()] if purges else []),
        ]
    )
    events = draw(st.permutations(done + draw(st.lists(extra, max_size=8))))
    return Story([*enumerate([first, *events], start=5)], units, total)


def _done(draw: st.DrawFn, number: int, items: list[int]) -> Event:
    failed = draw(st.sets(st.sampled_from(items)))
    stored = len(items) - len(failed)
    computed = draw(st.integers(0, stored))
    cached = draw(st.integers(0, stored - computed))
    return unit_done(
        number,
        stored=stored,
        computed=computed,
        cached=cached,
        deduplicated=stored - computed - cached,
        failures=[failure(index, f"of unit {number}") for index in sorted(failed)],
    )


def rows_of(log: Log) -> list[TaskRow | None]:
    return [step.row for step in fold_all(log)[1]]


def errors_of(log: Log, row: TaskRow | None = None) -> dict[int, list[int]]:
    """What the log writes into the table `errors`: item indexes by place."""
    _, steps = fold_all(log, row)
    return {
        step.error_unit: [error.index for error in step.errors]
        for step in steps
        if step.error_unit is not None
    }


@given(stories())
def test_a_final_state_is_never_left(story: Story) -> None:
    states = [row.state for row in rows_of(story.log) if row is not None]
    final = [state for state in states if state in FINAL]
    assert len(set(final)) <= 1
    assert states[len(states) - len(final) :] == final


@given(stories())
def test_all_units_done_means_exactly_one_final_state(story: Story) -> None:
    last = rows_of(story.log)[-1]
    assert last is not None
    assert last.is_final
    assert last.finished_ms is not None
    if last.state is TaskState.COMPLETED:
        assert last.stored_items > 0
    if last.state is TaskState.FAILED:
        assert last.stored_items == 0
        assert last.failed_items == last.total_items


@given(stories())
def test_counts_never_pass_the_total_and_agree_with_the_bitmaps(story: Story) -> None:
    for row in rows_of(story.log):
        assert row is not None
        assert row.stored_items + row.failed_items <= row.total_items == story.total_items
        assert row.failed.bit_count() == row.failed_items
        assert row.done_units < 1 << len(story.units)
        decided = sum(len(story.units[number]) for number in members(row.done_units))
        refused = story.total_items - sum(map(len, story.units))
        assert row.stored_items + row.failed_items == decided + refused


@given(stories())
def test_every_stored_vector_came_from_one_place_however_often_it_is_told(story: Story) -> None:
    for row in rows_of(story.log):
        assert row is not None
        origins = (row.computed_items, row.deduplicated_items, row.cached_items)
        assert sum(origins) == row.stored_items


@given(stories())
def test_progress_stays_in_range_and_never_falls(story: Story) -> None:
    shown = [row.progress for row in rows_of(story.log) if row is not None]
    assert all(0.0 <= progress <= 1.0 for progress in shown)
    assert shown == sorted(shown)


@given(stories(), st.data())
def test_a_replay_after_a_crash_ends_in_the_same_row(story: Story, data: st.DataObject) -> None:
    """The row stands at any version; the log comes again from any earlier offset."""
    rows = rows_of(story.log)
    crashed = data.draw(st.integers(0, len(rows) - 1), label="row survived at")
    committed = data.draw(st.integers(0, crashed + 1), label="log comes again from")
    again, _ = fold_all(story.log[committed:], rows[crashed])
    assert again == rows[-1]


@given(stories(), st.data())
def test_a_replay_after_a_crash_leaves_the_same_errors(story: Story, data: st.DataObject) -> None:
    """Only what was committed is surely in the changelog of `errors`; the rest is named again."""
    rows = rows_of(story.log)
    crashed = data.draw(st.integers(0, len(rows) - 1), label="row survived at")
    committed = data.draw(st.integers(0, crashed + 1), label="log comes again from")
    again = errors_of(story.log[committed:], rows[crashed])
    assert errors_of(story.log[:committed]) | again == errors_of(story.log)


@given(stories())
def test_every_failed_item_has_its_error_and_none_is_left_behind(story: Story) -> None:
    last = rows_of(story.log)[-1]
    assert last is not None
    table = errors_of(story.log)
    assert sorted(table) == list(members(last.error_units))
    assert bitmap_of(index for indexes in table.values() for index in indexes) == last.failed


@given(stories())
def test_any_repeat_of_a_final_row_announces_until_told(story: Story) -> None:
    last = rows_of(story.log)[-1]
    assert last is not None
    told = last.model_copy(update={"announced": True})
    for offset, event in story.log:
        assert fold(last, event, offset, max_run_ms=MAX_RUN_MS).announce
        assert not fold(told, event, offset, max_run_ms=MAX_RUN_MS).announce


@given(stories(purges=True))
def test_a_purge_happens_to_final_tasks_only(story: Story) -> None:
    now: TaskRow | None = None
    for offset, event in story.log:
        folded = fold(now, event, offset, max_run_ms=MAX_RUN_MS)
        assert not folded.purged or (now is not None and now.is_final)
        assert folded.purged == (now is not None and folded.row is None)
        now = folded.row


@given(stories(purges=True))
def test_a_row_never_goes_back_to_an_older_version(story: Story) -> None:
    versions = [row.version if row is not None else None for row in rows_of(story.log)]
    for before, after in itertools.pairwise(versions):
        assert before is None or after is None or before <= after
