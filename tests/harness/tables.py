"""A master's tables filled without work, and what its log says of their recovery."""

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import uuid4

import orjson

from models.clock import SYSTEM_CLOCK
from models.events import Accepted, Event, UnitDone
from models.states import Lane, TaskType
from models.units import SourcePlace
from streams.codec import encode
from tests.harness.fleet import Process
from tests.harness.kafka import Log, producer

AT_ONCE = 2000
SOURCE = SourcePlace(partition=0, offset=0)
#: A line of the tables that Faust logs at a recovery: `| topic | partition | offset |`.
_OFFSET = re.compile(r"\|\s+(\d+)\s+\|\s+(-?\d+)\s+\|")


async def put_finished_tasks(log: Log, tasks: int) -> None:
    """Put the events of `tasks` finished tasks straight onto the log."""
    events = _events(tasks)
    async with producer(log.servers, linger_ms=20, max_batch_size=2**18) as sending:
        while chunk := list(islice(events, AT_ONCE)):
            sent = [
                await sending.send(log.topic("events"), encode(event), key=event.task_id.encode())
                for event in chunk
            ]
            for each in sent:
                await each


def _events(tasks: int) -> Iterator[Event]:
    began_ms = SYSTEM_CLOCK.now_ms() - tasks
    for number in range(tasks):
        task_id, at_ms = str(uuid4()), began_ms + number
        yield Accepted(
            task_id=task_id,
            at_ms=at_ms,
            source=SOURCE,
            body_hash="0" * 32,
            task_type=TaskType.BATCH,
            model="test/hashing-64",
            fingerprint="0" * 16,
            collection="Recovered",
            lane=Lane.NORMAL,
            submitted_ms=at_ms,
            total_items=64,
            total_units=1,
        )
        yield UnitDone(
            task_id=task_id, at_ms=at_ms + 1, unit=0, source=SOURCE, stored=64, worker="nobody"
        )


def _logged(master: Process, words: str) -> dict[str, Any]:
    """The last line of the log since the start that holds `words`."""
    lines = [line for line in master.told().splitlines() if words in line]
    return dict(orjson.loads(lines[-1]))


def recovery_began_s(master: Process) -> float:
    stamp = _logged(master, "[^---Recovery]: Starting")["timestamp"]
    return datetime.fromisoformat(stamp).timestamp()


def records_read_again(master: Process) -> int:
    """How much of the changelogs was read: from where Faust said it begins to their ends."""
    ends, starts = (
        sum(int(offset) for _, offset in _OFFSET.findall(_logged(master, words)["event"]))
        for words in ("Highwater for active", "active offsets at start")
    )
    assert ends > 0, "there was nothing to recover"
    return ends - starts
