"""Committed offsets are judged by what existed when they were seen, record by record."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from models.events import Accepted, CancelRequested, UnitDone
from models.fold import fold
from models.ids import unit_id
from models.rows import TaskRow
from models.states import Lane
from models.units import SourcePlace
from streams.codec import encode
from streams.records import Place
from streams.topics import TopicNames
from tests.faults.commits import Input, Output, Snapshot, judged
from tests.faults.tracing import inputs_of, topics_of
from tests.faults.view import CommitSample
from tests.unit.models import making

IN, OUT = Place("in", 0), Place("out", 1)
NAMES = TopicNames("v")
PARTITION = 3


def made(offset: int, *outputs: int | None) -> Input:
    """A record with its outputs; None: it never had one."""
    return Input(offset, tuple(None if at is None else Output(OUT, at) for at in outputs))


def seen(committed: int, out: int) -> Snapshot:
    return Snapshot({("group", IN): committed}, {OUT: out})


def past(inputs: list[Input], *snapshots: Snapshot) -> list[tuple[int, int]]:
    """Committed and finished offset of each sample."""
    return [(each.committed, each.finished_to) for each in judged(snapshots, {IN: inputs})]


def test_a_commit_up_to_finished_records_is_good() -> None:
    records = [made(0, 0), made(1, 2, 3), made(5, 4)]
    assert past(records, seen(2, 4), seen(6, 5)) == [(2, 2), (6, 6)]


def test_a_commit_above_a_record_whose_output_came_later_is_named_with_the_record() -> None:
    records = [made(0, 0), made(1, 7), made(2, 1)]
    assert past(records, seen(3, 7), seen(4, 8)) == [(3, 1), (4, 4)]


def test_a_record_that_never_had_an_output_stays_unfinished() -> None:
    assert past([made(0, 0, None), made(1, 1)], seen(1, 5), seen(2, 99)) == [(1, 0), (2, 0)]


def test_an_output_nobody_saw_the_end_of_does_not_count() -> None:
    assert past([made(0, 0)], Snapshot({("group", IN): 1}, {})) == [(1, 0)]


def test_an_offset_that_stands_is_judged_once() -> None:
    assert len(past([made(0, 0)], seen(1, 1), seen(1, 2), seen(1, 3))) == 1


def test_groups_are_judged_apart() -> None:
    both = {("a", IN): 1, ("b", IN): 2}
    records = [made(0, 0), made(1, 9)]
    assert list(judged([Snapshot(both, {OUT: 5})], {IN: records})) == [
        CommitSample("a", "in", 0, 1, 1),
        CommitSample("b", "in", 0, 2, 1),
    ]


@dataclass(frozen=True)
class Kept:
    """A record as aiokafka gives it."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None


@dataclass
class Trial:
    """The records of a trial: one task of two units, worked on as it should be."""

    records: dict[str, list[Kept]] = field(
        default_factory=lambda: {topic: [] for topic in topics_of(NAMES)}
    )

    def add(self, topic: str, key: bytes, value: bytes | None = b"{}") -> int:
        found = self.records[topic]
        found.append(Kept(topic, PARTITION, len(found), key, value))
        return len(found) - 1

    def event(self, event: Any) -> int:
        return self.add(NAMES.events, event.task_id.encode(), encode(event))

    def row(self, task: str, version: int) -> int:
        return self.add(NAMES.changelog("tasks"), task.encode(), encode(row_of(task, version)))

    def whole(self, task: str) -> None:
        source = self.add(NAMES.tasks, task.encode())
        self.row(task, self.event(accepted(task, source)))
        keys = [unit_id(task, number).encode() for number in range(2)]
        for key in keys:
            self.add(NAMES.units(Lane.NORMAL), key)
        for number, key in enumerate(keys):
            self.add(NAMES.vectors(Lane.NORMAL), key)
            self.row(task, self.event(done(task, number)))

    def needs(self, **states: str) -> dict[str, list[list[tuple[str, int] | None]]]:
        """The outputs of each record, by topic, in the order of the records."""
        inputs = inputs_of(self.records, NAMES, states)
        return {
            place.topic: [
                [None if need is None else (need.place.topic, need.offset) for need in one.needs]
                for one in each
            ]
            for place, each in inputs.items()
        }


def accepted(task: str, offset: int) -> Accepted:
    source = SourcePlace(partition=PARTITION, offset=offset)
    return making.accepted(task_id=task, source=source)


def done(task: str, unit: int) -> UnitDone:
    return making.unit_done(unit, task_id=task)


def row_of(task: str, version: int) -> TaskRow:
    row = fold(None, accepted(task, 0), version, max_run_ms=1).row
    assert row is not None
    return row


@pytest.fixture
def trial() -> Trial:
    trial = Trial()
    trial.whole("t")
    return trial


UNITS, VECTORS = NAMES.units(Lane.NORMAL), NAMES.vectors(Lane.NORMAL)
ROWS = NAMES.changelog("tasks")


def test_every_record_is_followed_to_its_outputs(trial: Trial) -> None:
    assert trial.needs(t="completed") == {
        NAMES.tasks: [[(NAMES.events, 0), (UNITS, 0), (UNITS, 1)]],
        UNITS: [[(VECTORS, 0)], [(VECTORS, 1)]],
        VECTORS: [[(NAMES.events, 1)], [(NAMES.events, 2)]],
        NAMES.events: [[(ROWS, 0)], [(ROWS, 1)], [(ROWS, 2)]],
    }


def test_a_second_output_of_the_same_record_changes_nothing(trial: Trial) -> None:
    before = trial.needs(t="completed")
    trial.add(VECTORS, b"t/0")
    trial.event(done("t", 0))
    trial.row("t", 2)
    now = trial.needs(t="completed")
    assert now[VECTORS].pop() == [(NAMES.events, 1)]
    assert now == before


def test_what_never_came_is_missed(trial: Trial) -> None:
    trial.records[VECTORS].pop()
    trial.records[NAMES.events].pop()
    trial.records[ROWS].pop(0)
    needs = trial.needs(t="processing")
    assert needs[UNITS] == [[(VECTORS, 0)], [None]]
    assert needs[NAMES.events][0] == [(ROWS, 1)], "a later row has folded the event too"
    trial.records[ROWS].clear()
    assert trial.needs(t="processing")[NAMES.events] == [[None], [None]]


def test_a_unit_that_failed_whole_is_reported_without_vectors(trial: Trial) -> None:
    trial.records[VECTORS].clear()
    assert trial.needs(t="failed")[UNITS] == [[(NAMES.events, 1)], [(NAMES.events, 2)]]


def test_a_repeated_record_of_a_task_needs_its_event_only(trial: Trial) -> None:
    again = trial.add(NAMES.tasks, b"t")
    told = trial.event(accepted("t", again))
    assert trial.needs(t="completed")[NAMES.tasks][1] == [(NAMES.events, told)]
    assert len(trial.needs(t="completed")[NAMES.events]) == 3


def test_the_work_of_a_cancelled_task_may_be_left_undone(trial: Trial) -> None:
    trial.event(CancelRequested(task_id="t", at_ms=2))
    assert trial.needs(t="cancelled") == {NAMES.tasks: [[(NAMES.events, 0)]]}


def test_a_record_that_became_no_task_is_left_out(trial: Trial) -> None:
    trial.add(NAMES.tasks, b"another", b"no json")
    assert len(trial.needs(t="completed")[NAMES.tasks]) == 1
