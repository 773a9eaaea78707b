"""The clocks of a task: which stand in which state, when they pass, and what is told of it."""

import pytest

from models.states import TaskState
from models.time_limits import MOST_RESENDS, TimeLimit, due_ms, has_passed, passed_limit, reason_of
from tests.unit.models.making import NOW_MS, accepted, deadline, fold_all, row, started

QUEUE_MS, RUN_MS, TOTAL_MS = 5_000, 7_000, 60_000
LIMITED = {
    "submitted_ms": NOW_MS,
    "queue_timeout_ms": QUEUE_MS,
    "run_timeout_ms": RUN_MS,
    "deadline_ms": NOW_MS + TOTAL_MS,
}
WAITING = row(state=TaskState.PENDING, **LIMITED)
RUNNING = row(state=TaskState.PROCESSING, started_ms=NOW_MS + 1_000, **LIMITED)


@pytest.mark.parametrize(
    "task, due",
    [
        (WAITING, NOW_MS + QUEUE_MS),
        (RUNNING, NOW_MS + 1_000 + RUN_MS),
        (row(**LIMITED | {"queue_timeout_ms": None}), NOW_MS + TOTAL_MS),
        (row(), None),
    ],
)
def test_the_first_limit_that_stands_is_due(task: object, due: int | None) -> None:
    assert due_ms(task) == due  # type: ignore[arg-type]


def test_a_task_that_was_taken_has_no_queue_limit_any_more() -> None:
    assert passed_limit(WAITING, NOW_MS + QUEUE_MS) is TimeLimit.QUEUE
    assert passed_limit(RUNNING, NOW_MS + QUEUE_MS) is None
    assert not has_passed(RUNNING, TimeLimit.QUEUE, NOW_MS + TOTAL_MS)


def test_of_several_that_passed_the_earliest_is_named() -> None:
    assert passed_limit(RUNNING, NOW_MS + TOTAL_MS) is TimeLimit.RUN
    assert passed_limit(RUNNING, NOW_MS + 1_000 + RUN_MS - 1) is None


def test_the_heartbeat_has_stopped_when_sending_again_was_in_vain() -> None:
    assert not has_passed(row(resent=MOST_RESENDS - 1), TimeLimit.HEARTBEAT, NOW_MS)
    assert has_passed(row(resent=MOST_RESENDS), TimeLimit.HEARTBEAT, NOW_MS)


@pytest.mark.parametrize(
    "limit, told",
    [
        (TimeLimit.QUEUE, "expired: no worker had taken it after 5 s (queue_timeout_s)"),
        (TimeLimit.RUN, "expired: not finished 7 s after it began (run_timeout_s)"),
        (TimeLimit.TOTAL, "expired: not finished 60 s after its submit (deadline_s)"),
        (TimeLimit.HEARTBEAT, "expired: nothing was heard of it though it was sent 0 times more"),
    ],
)
def test_a_person_is_told_which_limit_and_what_to_change(limit: TimeLimit, told: str) -> None:
    assert reason_of(RUNNING, limit) == told


def test_a_task_whose_queue_limit_passed_expires_and_says_so() -> None:
    late = deadline(NOW_MS + QUEUE_MS).model_copy(update={"limit": TimeLimit.QUEUE})
    ended, _ = fold_all([(1, accepted(submitted_ms=NOW_MS, queue_timeout_ms=QUEUE_MS)), (2, late)])
    assert ended is not None
    assert ended.state is TaskState.EXPIRED
    assert ended.first_error == reason_of(ended, TimeLimit.QUEUE)


def test_a_queue_limit_told_of_too_late_ends_no_task_that_was_begun_meanwhile() -> None:
    late = deadline(NOW_MS + QUEUE_MS).model_copy(update={"limit": TimeLimit.QUEUE})
    begun = accepted(submitted_ms=NOW_MS, queue_timeout_ms=QUEUE_MS)
    going_on, _ = fold_all([(1, begun), (2, started()), (3, late)])
    assert going_on is not None
    assert going_on.state is TaskState.PROCESSING
