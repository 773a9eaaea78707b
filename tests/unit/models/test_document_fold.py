"""The fold of a document's task: open until it is read, and one reading counts."""

from typing import Any

import pytest

from models.bitmap import members
from models.documents import ChunkOptions
from models.events import DeadlinePassed
from models.fold import INTAKE_ERRORS, fold
from models.rows import TaskRow
from models.states import TaskState, TaskType
from models.time_limits import MOST_RESENDS, TimeLimit
from models.units import DocumentFacts
from tests.unit.models.making import (
    DEADLINE_MS,
    MAX_RUN_MS,
    NOW_MS,
    OTHER_SOURCE,
    READING,
    TASK,
    accepted,
    cancel,
    extracted,
    fold_all,
    pages,
    started,
    unit_done,
)

FACTS = DocumentFacts(filename="a.pdf", chunks=ChunkOptions(tokens=64))
ACCEPTED = accepted(
    task_type=TaskType.DOCUMENT, total_items=0, total_units=0, document=FACTS.model_dump()
)


def row_after(*events: Any) -> TaskRow:
    found, _ = fold_all(list(enumerate(events, 7)))
    assert found is not None
    return found


def test_a_document_is_open_and_without_progress_until_it_is_read() -> None:
    found = row_after(ACCEPTED, started())
    assert (found.is_open, found.state, found.progress) == (True, TaskState.PROCESSING, 0.0)
    assert not found.all_units_done


def test_what_it_was_read_into_are_its_items() -> None:
    found = row_after(ACCEPTED, extracted(failed=(2,)))
    assert not found.is_open
    assert (found.total_items, found.total_units, found.pages, found.format) == (4, 2, 3, "pdf")
    assert (list(members(found.failed)), found.failed_items, found.first_error) == (
        [2], 1, "page 2",
    )  # fmt: skip
    assert found.error_units == 1 << INTAKE_ERRORS
    assert found.progress == 0.25


@pytest.mark.parametrize(
    "before,begun_ms,since_ms",
    [
        ([], NOW_MS + 20, NOW_MS + 20),
        ([started()], NOW_MS + 40, NOW_MS + 50),
        ([], None, NOW_MS + 60),
    ],
    ids=["read at once", "told before", "of an older worker"],
)
def test_it_began_when_it_was_first_told_to_have_begun(
    before: list[Any], begun_ms: int | None, since_ms: int
) -> None:
    found = row_after(ACCEPTED, *before, extracted(begun_ms=begun_ms))
    assert (found.state, found.started_ms) == (TaskState.PROCESSING, since_ms)


def test_it_is_completed_by_its_units_however_many_pages_failed() -> None:
    found = row_after(
        ACCEPTED,
        extracted(failed=(2,)),
        unit_done(0, reading=READING),
        unit_done(1, stored=1, reading=READING),
    )
    assert (found.state, found.stored_items, found.failed_items) == (TaskState.COMPLETED, 3, 1)
    assert found.progress == 1.0


@pytest.mark.parametrize("units", [0, 1])
def test_a_document_that_cannot_be_read_fails_at_once(units: int) -> None:
    refused = extracted(reading="unread", total_items=1, total_units=0, failed=(0,))
    found = row_after(ACCEPTED, refused, *[unit_done(0, reading=READING)] * units)
    assert (found.state, found.total_items, found.failed_items) == (TaskState.FAILED, 1, 1)
    assert found.first_error == "page 0"


def test_units_of_a_reading_that_does_not_count_count_nothing() -> None:
    found = row_after(ACCEPTED, extracted(), unit_done(0, reading="other"), unit_done(1))
    assert (found.done_units, found.stored_items) == (0, 0)


def test_units_count_nothing_before_the_document_is_read() -> None:
    found = row_after(ACCEPTED, unit_done(0, reading=READING))
    assert (found.done_units, found.stored_items, found.is_open) == (0, 0, True)


def test_the_last_reading_counts_and_begins_anew() -> None:
    """A worker that was killed may not have sent all units of the one it told of."""
    before = (ACCEPTED, extracted(failed=(2,)), unit_done(0, reading=READING))
    found = row_after(*before, extracted(reading="other", total_items=9))
    assert (found.reading, found.total_items, found.stored_items) == ("other", 9, 0)
    assert (found.done_units, found.failed_items, found.progress) == (0, 0, 0.0)


def test_the_same_reading_told_again_takes_nothing_back() -> None:
    found = row_after(ACCEPTED, extracted(), unit_done(0, reading=READING), extracted())
    assert (found.done_units, found.stored_items) == (1, 2)


def test_that_it_cannot_be_read_again_takes_nothing_back() -> None:
    refused = extracted(reading="unread", total_items=1, total_units=0, failed=(0,))
    found = row_after(ACCEPTED, extracted(), unit_done(0, reading=READING), refused)
    assert (found.reading, found.state, found.done_units) == (READING, TaskState.PROCESSING, 1)


def test_another_reading_of_a_completed_document_changes_nothing() -> None:
    done = [unit_done(number, reading=READING) for number in (0, 1)]
    found = row_after(ACCEPTED, extracted(), *done, extracted(reading="other"))
    assert (found.state, found.reading) == (TaskState.COMPLETED, READING)


def test_a_reading_of_another_record_is_not_of_this_task() -> None:
    found = row_after(ACCEPTED, extracted(source=OTHER_SOURCE))
    assert found.is_open


def test_a_repeat_names_the_unreadable_pages_again() -> None:
    before = row_after(ACCEPTED, extracted(failed=(2,)))
    again = fold(before, extracted(failed=(2,)), before.version, max_run_ms=MAX_RUN_MS)
    assert (again.changed, again.error_unit, len(again.errors)) == (False, INTAKE_ERRORS, 1)


def test_pages_are_counted_forwards_only_and_by_this_record_only() -> None:
    found = row_after(ACCEPTED, pages(5), pages(3), pages(8, source=OTHER_SOURCE))
    assert (found.pages_read, found.pages) == (5, 9)


def test_pages_told_late_change_nothing_of_a_document_that_is_read() -> None:
    found = row_after(ACCEPTED, extracted(), pages(2))
    assert (found.pages_read, found.pages) == (3, 3)


def test_a_document_with_an_id_is_done_when_its_last_unit_closed_it() -> None:
    done = [unit_done(number, reading=READING) for number in (0, 1)]
    before = row_after(ACCEPTED, extracted(closes=True, total_items=6, kept=2), done[0])
    assert (before.total_units, before.kept_items, before.is_to_be_closed) == (3, 2, False)
    waiting = fold(before, done[1], before.version + 1, max_run_ms=MAX_RUN_MS).row
    assert waiting is not None
    assert (waiting.is_to_be_closed, waiting.is_final) == (True, False)
    closing = unit_done(2, stored=2, deleted=5, reading=READING)
    ended = fold(waiting, closing, waiting.version + 1, max_run_ms=MAX_RUN_MS).row
    assert ended is not None
    assert (ended.state, ended.stored_items, ended.deleted_items) == (TaskState.COMPLETED, 6, 5)
    assert not ended.is_to_be_closed


def test_a_document_that_is_being_closed_is_not_cancelled_any_more() -> None:
    """Removing what it took over would remove the version before it too."""
    found = row_after(ACCEPTED, extracted(closes=True, total_units=0, kept=4), cancel())
    assert (found.state, found.is_to_be_closed) == (TaskState.PROCESSING, True)


@pytest.mark.parametrize("limit, ends", [(TimeLimit.TOTAL, False), (TimeLimit.HEARTBEAT, True)])
def test_a_document_that_is_being_closed_expires_only_where_nobody_closes_it(
    limit: TimeLimit, ends: bool
) -> None:
    row = row_after(ACCEPTED, extracted(closes=True, total_units=0, kept=4))
    stuck = row.model_copy(update={"resent": MOST_RESENDS, "deadline_ms": DEADLINE_MS})
    late = DeadlinePassed(task_id=TASK, at_ms=DEADLINE_MS, limit=limit)
    found = fold(stuck, late, stuck.version + 1, max_run_ms=MAX_RUN_MS).row
    assert found is not None
    assert found.is_final is ends


def test_a_document_of_which_nothing_is_new_is_to_be_closed_at_once() -> None:
    found = row_after(ACCEPTED, extracted(closes=True, total_units=0, kept=4))
    assert (found.is_to_be_closed, found.is_final, found.progress) == (True, False, 0.0)


def test_a_document_without_an_id_is_never_closed() -> None:
    found = row_after(ACCEPTED, extracted(), unit_done(0, reading=READING))
    assert not found.is_to_be_closed


def test_a_cancelled_document_is_not_read_any_more_and_what_is_stored_late_is_swept() -> None:
    ended = row_after(ACCEPTED, cancel(), extracted())
    assert (ended.state, ended.total_items, ended.is_open) == (TaskState.CANCELLED, 0, True)
    stored = fold(ended, unit_done(0, reading=READING), ended.version + 1, max_run_ms=MAX_RUN_MS)
    assert stored.row is not None
    assert NOW_MS + 100 in stored.row.sweeps_due_ms
