"""The fold as a table: (row, event, offset) -> what the row says then."""

from typing import Any

import pytest

from models.bitmap import members
from models.encoding import EncodeOptions, Encoding, Truncate
from models.events import Event, UnitDone
from models.fold import INTAKE_ERRORS, Verdict, fold
from models.rows import TaskRow
from models.states import FINAL, SWEPT, TaskState
from tests.unit.models.making import (
    DEADLINE_MS,
    MAX_RUN_MS,
    NOW_MS,
    OTHER_SOURCE,
    SOURCE,
    TASK,
    accepted,
    cancel,
    deadline,
    failure,
    final_row,
    fold_all,
    resent,
    retention,
    row,
    started,
    swept,
    unit_done,
)

PENDING, PROCESSING = TaskState.PENDING, TaskState.PROCESSING
DUE = row(deadline_ms=DEADLINE_MS)
OPTIONS = EncodeOptions(prompt="p: ", dimensions=32, normalize=False, truncate=Truncate.START)
ORIGINS = {"computed": 2, "deduplicated": 1, "cached": 1}
NO_ORIGINS = {"computed_items": 0, "deduplicated_items": 0, "cached_items": 0}
HALF = row(state=PROCESSING, done_units=0b01, stored_items=2, started_ms=NOW_MS + 50)
FINALS = [final_row(state) for state in sorted(FINAL)]


def facts_of(task: TaskRow, names: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(task, name) for name in names}


def case(name: str, before: TaskRow | None, event: Event, offset: int, **after: Any) -> Any:
    return pytest.param(before, event, offset, after, id=name)


TABLE = [
    case(
        "accepted makes a pending row at its offset",
        None,
        accepted(),
        7,
        version=7,
        state=PENDING,
        source=SOURCE,
        body_hash="hash-a",
        submitted_ms=NOW_MS - 10,
        last_event_ms=NOW_MS,
        total_items=4,
        total_units=2,
        done_units=0,
        failed_items=0,
        error_units=0,
        progress=0.0,
    ),
    case(
        "accepted takes over all the client said",
        None,
        accepted(
            metadata={"a": 1},
            retry_of="t0",
            callback_url="http://x",
            own_ids=True,
            tenant="acme",
            traceparent="00-aa",
            deadline_ms=DEADLINE_MS,
        ),
        7,
        metadata={"a": 1},
        retry_of="t0",
        callback_url="http://x",
        own_ids=True,
        tenant="acme",
        traceparent="00-aa",
        deadline_ms=DEADLINE_MS,
    ),
    case(
        "accepted takes over how its texts become vectors and how they are shown",
        None,
        accepted(options=OPTIONS, input_type="", encoding=Encoding.BASE64),
        7,
        options=OPTIONS,
        input_type="",
        encoding=Encoding.BASE64,
    ),
    case(
        "accepted without options, as older records are, means the plain ones",
        None,
        accepted(),
        7,
        options=EncodeOptions(),
        input_type="document",
        encoding=Encoding.FLOAT,
    ),
    case(
        "accepted with refused items counts them as failed",
        None,
        accepted(rejected=[failure(1, "empty"), failure(3, "large")]),
        7,
        state=PENDING,
        failed=0b1010,
        failed_items=2,
        error_units=1 << INTAKE_ERRORS,
        first_error="empty",
        progress=0.5,
    ),
    case(
        "accepted with nothing but refused items is failed at once",
        None,
        accepted(total_items=1, total_units=0, rejected=[failure(0)]),
        7,
        state=TaskState.FAILED,
        finished_ms=NOW_MS,
        progress=1.0,
    ),
    case("accepted again changes nothing", HALF, accepted(), 30, version=10, state=PROCESSING),
    case(
        "a started unit makes it processing",
        row(),
        started(),
        11,
        version=11,
        state=PROCESSING,
        started_ms=NOW_MS + 50,
        last_event_ms=NOW_MS + 50,
    ),
    case(
        "a later start keeps the first starting time",
        HALF,
        started(NOW_MS + 999),
        11,
        started_ms=NOW_MS + 50,
    ),
    case(
        "the first unit done starts the task too",
        row(),
        unit_done(1, tokens=9, truncated=1),
        11,
        state=PROCESSING,
        started_ms=NOW_MS + 100,
        finished_ms=None,
        done_units=0b10,
        stored_items=2,
        tokens=9,
        truncated_items=1,
        progress=0.5,
        version=11,
    ),
    case(
        "the last unit done completes the task",
        HALF,
        unit_done(1),
        11,
        state=TaskState.COMPLETED,
        finished_ms=NOW_MS + 100,
        stored_items=4,
        progress=1.0,
        announced=False,
    ),
    case(
        "one stored item among failures completes the task",
        HALF.model_copy(update={"stored_items": 1, "failed_items": 1, "failed": 0b01}),
        unit_done(1, failed=(2, 3)),
        11,
        state=TaskState.COMPLETED,
        stored_items=1,
        failed_items=3,
        failed=0b1101,
        error_units=0b100,
    ),
    case(
        "no stored item at the end fails the task",
        HALF.model_copy(update={"stored_items": 0, "failed_items": 2, "failed": 0b11}),
        unit_done(1, failed=(2, 3)),
        11,
        state=TaskState.FAILED,
        stored_items=0,
        failed_items=4,
    ),
    case(
        "the first error stays the first",
        HALF.model_copy(update={"first_error": "early"}),
        unit_done(1, failed=(2,)),
        11,
        first_error="early",
    ),
    case(
        "a unit done twice counts once",
        HALF,
        unit_done(0, failed=(0,), **ORIGINS),
        11,
        **NO_ORIGINS,
        version=11,
        stored_items=2,
        failed_items=0,
        error_units=0,
        state=PROCESSING,
    ),
    case(
        "where vectors came from is added up",
        HALF.model_copy(update={"computed_items": 1, "cached_items": 1}),
        unit_done(1, computed=3, deduplicated=2, cached=1),
        11,
        computed_items=4,
        deduplicated_items=2,
        cached_items=2,
    ),
    case(
        "a unit read a second time counts once",
        HALF,
        unit_done(1, **ORIGINS),
        10,
        **NO_ORIGINS,
        version=10,
        done_units=0b01,
        stored_items=2,
    ),
    case(
        "a unit of another source counts nothing",
        HALF,
        unit_done(1, source=OTHER_SOURCE, **ORIGINS),
        11,
        **NO_ORIGINS,
        version=11,
        done_units=0b01,
        stored_items=2,
        state=PROCESSING,
    ),
    case(
        "a unit the task does not have counts nothing",
        HALF,
        unit_done(2),
        11,
        done_units=0b01,
        stored_items=2,
        state=PROCESSING,
    ),
    case(
        "cancel ends a pending task and asks for two sweeps",
        row(),
        cancel(),
        11,
        state=TaskState.CANCELLED,
        finished_ms=NOW_MS + 70,
        sweeps_due_ms=[NOW_MS + 70, NOW_MS + 70 + MAX_RUN_MS],
    ),
    case("cancel ends a working task", HALF, cancel(), 11, state=TaskState.CANCELLED),
    case("an old cancel is passed", HALF, cancel(), 10, state=PROCESSING, version=10),
    case("no deadline never expires", HALF, deadline(), 11, state=PROCESSING, sweeps_due_ms=[]),
    case(
        "a deadline not yet due does not expire",
        DUE,
        deadline(DEADLINE_MS - 1),
        11,
        state=PENDING,
        version=11,
    ),
    case(
        "a deadline due expires and asks for sweeps",
        DUE,
        deadline(),
        11,
        state=TaskState.EXPIRED,
        finished_ms=DEADLINE_MS,
        sweeps_due_ms=[DEADLINE_MS, DEADLINE_MS + MAX_RUN_MS],
    ),
    case("units resent are counted", HALF, resent(), 11, resent=1, last_event_ms=NOW_MS + 90),
    case("units resent twice at one offset count once", HALF, resent(), 10, resent=0),
    case(
        "retention before the final state changes nothing", HALF, retention(), 11, state=PROCESSING
    ),
    case(
        "a sweep done is taken off the list",
        final_row(TaskState.CANCELLED, sweeps_due_ms=[5, 9]),
        swept(5),
        11,
        sweeps_due_ms=[9],
        state=TaskState.CANCELLED,
    ),
    case(
        "a sweep that is not on the list changes nothing",
        final_row(TaskState.CANCELLED, sweeps_due_ms=[9]),
        swept(5),
        11,
        sweeps_due_ms=[9],
    ),
    case(
        "a unit done after the cancel counts nothing",
        final_row(TaskState.CANCELLED),
        unit_done(0, **ORIGINS),
        11,
        **NO_ORIGINS,
        done_units=0,
        stored_items=0,
        state=TaskState.CANCELLED,
    ),
]


@pytest.mark.parametrize("before, event, offset, after", TABLE)
def test_the_fold_table(
    before: TaskRow | None, event: Event, offset: int, after: dict[str, Any]
) -> None:
    folded = fold(before, event, offset, max_run_ms=MAX_RUN_MS)
    assert folded.row is not None
    assert facts_of(folded.row, after) == after


@pytest.mark.parametrize("final", FINALS, ids=lambda final: final.state)
@pytest.mark.parametrize(
    "event",
    [
        accepted(),
        accepted(source=OTHER_SOURCE, body_hash="hash-b"),
        started(),
        unit_done(0, failed=(0,), computed=1, deduplicated=1, cached=1),
        unit_done(1, source=OTHER_SOURCE),
        cancel(),
        deadline(),
        resent(),
        swept(1),
    ],
    ids=lambda event: event.kind,
)
@pytest.mark.parametrize("offset", [3, 10, 11], ids=["older", "repeated", "newer"])
def test_a_final_row_keeps_its_state_counts_and_times(
    final: TaskRow, event: Event, offset: int
) -> None:
    due = final.model_copy(update={"deadline_ms": DEADLINE_MS})
    after = fold(due, event, offset, max_run_ms=MAX_RUN_MS).row
    assert after is not None
    may_move = {"version", "resent", "sweeps_due_ms"}
    assert after.model_dump(exclude=may_move) == due.model_dump(exclude=may_move)


@pytest.mark.parametrize("final", FINALS, ids=lambda final: final.state)
@pytest.mark.parametrize("late", [unit_done(0), unit_done(0, source=OTHER_SOURCE)])
def test_vectors_stored_after_a_cancelled_tasks_end_are_swept_too(
    final: TaskRow, late: UnitDone
) -> None:
    after = fold(final, late, 11, max_run_ms=MAX_RUN_MS).row
    assert after is not None
    own = final.state in SWEPT and late.source == final.source
    added = set(after.sweeps_due_ms) - set(final.sweeps_due_ms)
    assert added == ({late.at_ms} if own else set())


@pytest.mark.parametrize(
    "event",
    [started(), unit_done(), cancel(), deadline(), resent(), retention(), swept(1)],
    ids=lambda event: event.kind,
)
def test_only_an_accepted_event_makes_a_task_known(event: Event) -> None:
    folded = fold(None, event, 5, max_run_ms=MAX_RUN_MS)
    assert folded.row is None
    assert not folded.changed
    assert not folded.purged


@pytest.mark.parametrize(
    "event, verdict",
    [
        (accepted(), Verdict.OWN),
        (accepted(source=OTHER_SOURCE), Verdict.REPEAT),
        (accepted(source=OTHER_SOURCE, body_hash="hash-b"), Verdict.CONFLICT),
    ],
    ids=["the same record", "the same body", "another body"],
)
@pytest.mark.parametrize("before", [row(), HALF, *FINALS], ids=lambda before: before.state)
def test_a_second_accepted_event_is_judged_by_record_then_body(
    before: TaskRow, event: Event, verdict: Verdict
) -> None:
    folded = fold(before, event, 20, max_run_ms=MAX_RUN_MS)
    assert folded.verdict is verdict
    assert folded.row == before
    assert not folded.changed


def test_the_first_accepted_event_owns_the_task() -> None:
    assert fold(None, accepted(), 1, max_run_ms=MAX_RUN_MS).verdict is Verdict.OWN


@pytest.mark.parametrize("final", FINALS, ids=lambda final: final.state)
def test_retention_purges_a_final_row_once(final: TaskRow) -> None:
    folded = fold(final, retention(), 11, max_run_ms=MAX_RUN_MS)
    assert folded.row is None
    assert folded.purged
    assert folded.changed
    assert not fold(None, retention(), 11, max_run_ms=MAX_RUN_MS).purged


def test_an_old_retention_event_does_not_purge_a_task_submitted_anew() -> None:
    folded = fold(final_row(version=10), retention(), 9, max_run_ms=MAX_RUN_MS)
    assert folded.row is not None
    assert not folded.purged


def test_refusals_of_intake_are_errors_of_place_zero() -> None:
    folded = fold(None, accepted(rejected=[failure(1)]), 1, max_run_ms=MAX_RUN_MS)
    assert folded.error_unit == INTAKE_ERRORS
    assert folded.errors == (failure(1),)


def test_failures_of_a_unit_are_errors_of_the_place_after_it() -> None:
    folded = fold(row(), unit_done(1, failed=(2,)), 11, max_run_ms=MAX_RUN_MS)
    assert folded.row is not None
    assert folded.error_unit == 2
    assert list(members(folded.row.error_units)) == [2]
    assert folded.errors == (failure(2),)


def test_a_repeated_unit_names_its_errors_again_since_they_may_not_be_written() -> None:
    event = unit_done(1, failed=(2,))
    once = fold(row(), event, 11, max_run_ms=MAX_RUN_MS)
    again = fold(once.row, event, 11, max_run_ms=MAX_RUN_MS)
    assert (again.error_unit, again.errors) == (once.error_unit, once.errors)
    assert again.row == once.row


@pytest.mark.parametrize(
    "event",
    [
        unit_done(1, failed=(2, 3)),
        unit_done(0, failed=(0,)),
        unit_done(1, failed=(2,), source=OTHER_SOURCE),
        unit_done(5, failed=(2,)),
    ],
    ids=["fails more items", "unit had no failure", "another source", "no such unit"],
)
def test_a_repeat_that_never_counted_names_no_errors(event: Event) -> None:
    told, _ = fold_all([(11, unit_done(1, failed=(2,))), (12, unit_done(0)), (13, event)], row())
    again = fold(told, event, 13, max_run_ms=MAX_RUN_MS)
    assert again.error_unit is None
    assert again.errors == ()


def test_a_unit_done_after_a_cancel_leaves_no_errors_behind_even_when_repeated() -> None:
    event = unit_done(1, failed=(2,))
    told, steps = fold_all([(11, cancel()), (12, event)], row())
    again = fold(told, event, 12, max_run_ms=MAX_RUN_MS)
    assert steps[-1].error_unit is None
    assert again.error_unit is None


@pytest.mark.parametrize("event", [unit_done(1), accepted(), started()], ids=lambda e: e.kind)
def test_a_final_row_is_announced_on_every_repeat_until_it_says_so(event: Event) -> None:
    final, _ = fold_all([(11, unit_done(1))], HALF)
    assert final is not None
    assert fold(final, event, 11, max_run_ms=MAX_RUN_MS).announce
    told = final.model_copy(update={"announced": True})
    assert not fold(told, event, 11, max_run_ms=MAX_RUN_MS).announce
    assert not fold(told, event, 12, max_run_ms=MAX_RUN_MS).announce


def test_an_unfinished_row_is_never_announced() -> None:
    _, steps = fold_all([(1, accepted()), (2, started()), (3, unit_done(0)), (4, resent())])
    assert not any(step.announce for step in steps)


def test_the_last_event_time_moves_only_until_the_task_is_final() -> None:
    told, _ = fold_all([(11, unit_done(1, at_ms=NOW_MS + 1)), (12, cancel(NOW_MS + 2))], HALF)
    assert told is not None
    assert told.last_event_ms == NOW_MS + 1
    assert told.version == 12


def test_units_may_finish_in_any_order() -> None:
    first, _ = fold_all([(1, accepted()), (2, unit_done(0)), (3, unit_done(1))])
    second, _ = fold_all([(1, accepted()), (2, unit_done(1)), (3, unit_done(0))])
    assert first == second
    assert first is not None
    assert first.task_id == TASK
