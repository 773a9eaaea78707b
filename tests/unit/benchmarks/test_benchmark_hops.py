"""The breakdown of a task's way, from records as the broker stamped them."""

from collections import Counter
from dataclasses import dataclass

import orjson
import pytest

from benchmarks.hops import HOPS, breakdown, marks_of, watched_topics
from benchmarks.load import Answered
from models.states import Lane
from streams.topics import TopicNames

NAMES = TopicNames("bench-1")
TASK = "t-1"


@dataclass(frozen=True)
class Stamped:
    """A record with no more than is looked at."""

    topic: str
    key: bytes | None
    value: bytes
    timestamp: int
    partition: int = 0
    offset: int = 0


def event(kind: str, at: int) -> Stamped:
    return Stamped(NAMES.events, TASK.encode(), orjson.dumps({"kind": kind}), at)


def way() -> list[Stamped]:
    unit = f"{TASK}/0".encode()
    return [
        Stamped(NAMES.tasks, TASK.encode(), b"", 1002),
        event("accepted", 1005),
        Stamped(NAMES.units(Lane.NORMAL), unit, b"", 1009),
        event("unit_started", 1010),
        Stamped(NAMES.vectors(Lane.NORMAL), unit, b"", 1014),
        event("unit_done", 1020),
        Stamped(NAMES.results, TASK.encode(), b"", 1027),
    ]


def test_every_topic_on_the_way_is_watched() -> None:
    assert {record.topic for record in way()} == set(watched_topics("bench-1", Lane.NORMAL))


def test_the_hops_add_up_to_the_whole_way() -> None:
    ends = {TASK: {"asked": 1000.0, "answered": 1035.0}}
    hops = breakdown(marks_of(way()), ends)
    assert [hop.label for hop in hops] == [label for _, _, label in HOPS]
    assert [hop.mean_ms for hop in hops] == [2.5, 3, 4, 5, 6, 7, 7.5]
    assert sum(hop.mean_ms for hop in hops) == pytest.approx(35)


def test_a_repeated_record_does_not_move_its_mark() -> None:
    assert marks_of([*way(), event("unit_done", 9000)])[TASK]["unit_done"] == 1020.5


def test_a_task_without_all_its_records_is_left_out() -> None:
    assert breakdown(marks_of(way()[:-1]), {TASK: {"asked": 1.0, "answered": 2.0}}) == []


def test_an_answer_counts_as_accepted_by_its_status() -> None:
    assert Answered(statuses=Counter({202: 3, 200: 1, 503: 2})).accepted == 4
