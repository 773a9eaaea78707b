"""What the log of events tells beside: late words, and how long work goes on after a cancel."""

from models.events import Event
from tests.faults.happenings import Told, told_by
from tests.faults.view import Happening
from tests.unit.models.making import OTHER_SOURCE, accepted, cancel, started, unit_done


def told(*events: tuple[int, Event]) -> Told:
    """Each event with the time at which the broker had it, in the order of the log."""
    return told_by(Happening(offset, at_ms, event) for offset, (at_ms, event) in enumerate(events))


def test_a_unit_told_done_once_is_no_late_word() -> None:
    assert told((0, accepted()), (1, unit_done(0)), (2, unit_done(1))) == Told()


def test_a_unit_told_done_again_and_one_of_an_ended_task_are_late_words() -> None:
    log = told((0, accepted()), (1, unit_done(0)), (2, unit_done(0)), (3, cancel()))
    assert log.rejected == 1
    log = told((0, accepted()), (1, cancel()), (2, unit_done(0)), (3, unit_done(1)))
    assert log.rejected == 2


def test_work_of_a_cancelled_task_stops_with_the_last_that_its_workers_tell() -> None:
    log = told((0, accepted()), (100, cancel()), (250, started()), (700, unit_done(0)))
    assert log.stop_s == (0.6,)


def test_a_cancel_after_which_nothing_came_stopped_at_once() -> None:
    assert told((0, accepted()), (50, unit_done(0)), (100, cancel())).stop_s == (0.0,)


def test_a_cancel_that_came_too_late_ended_nothing() -> None:
    log = told((0, accepted()), (1, unit_done(0)), (2, unit_done(1)), (3, cancel()))
    assert log.stop_s == ()


def test_a_second_cancel_does_not_move_the_first() -> None:
    log = told((0, accepted()), (100, cancel()), (500, cancel()), (600, unit_done(0)))
    assert log.stop_s == (0.5,)


def test_tasks_are_told_apart_and_what_was_never_accepted_tells_nothing() -> None:
    other = {"task_id": "task-b"}
    log = told(
        (0, unit_done(0, task_id="task-c")),
        (0, accepted()),
        (0, accepted(source=OTHER_SOURCE, **other)),
        (100, cancel()),
        (300, unit_done(0, source=OTHER_SOURCE, **other)),
    )
    assert log == Told(0, (0.0,))
