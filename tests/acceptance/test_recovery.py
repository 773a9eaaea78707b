"""A master with many tasks in its tables starts again: from its own disk, and with every row."""

import re
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import uuid4

import orjson
import pytest

from models.clock import SYSTEM_CLOCK
from models.events import Accepted, Event, UnitDone
from models.states import Lane, TaskType
from models.units import SourcePlace
from scripts.stack import StackState
from streams.codec import encode
from tests.acceptance.client import Client
from tests.harness import Log, until
from tests.harness.fleet import Fleet, Process
from tests.harness.kafka import producer

AT_ONCE = 2000
SOURCE = SourcePlace(partition=0, offset=0)
#: A line of the tables that Faust logs at a recovery: `| topic | partition | offset |`.
_OFFSET = re.compile(r"\|\s+(\d+)\s+\|\s+(-?\d+)\s+\|")


@pytest.mark.parametrize(
    "rows", [5_000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
async def test_a_master_recovers_its_rows_from_its_own_disk(
    fleet: Fleet, stack: StackState, rows: int
) -> None:
    master = await fleet.add("master").ready()
    async with Client([master], fleet.collection) as client:
        await _send(Log(stack, fleet.prefix), rows)
        await until(f"{rows} tasks", lambda: _are_known(client, rows), limit_s=90 + rows / 50)
        before = await _newest(client)
        assert (await master.terminate())[0] == 0
        began_s = time.time()
        await master.start().ready()
        ready_s = time.time()
        assert await _newest(client) == before
        assert await _are_known(client, rows)
    read_again = _records_read_again(master)
    print(
        f"\n{rows} rows: ready {ready_s - _recovery_began_s(master):.2f} s after recovery began, "
        f"{ready_s - began_s:.1f} s after the process did; {read_again} changelog records read; "
        f"{master.resident_bytes() / 2**20:.0f} MiB resident"
    )
    assert read_again < rows / 100, "the local tables were of no use"


async def _send(log: Log, tasks: int) -> None:
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


async def _are_known(client: Client, rows: int) -> bool:
    """Whether the list has all of them, each completed."""
    answer = await client.ask("GET", "/tasks?status_filter=completed&page_size=1")
    return answer.status == 200 and answer.body["total"] == rows


async def _newest(client: Client) -> Any:
    return (await client.ask("GET", "/tasks?page_size=1000")).body


def _logged(master: Process, words: str) -> dict[str, Any]:
    """The last line of the log since the start that holds `words`."""
    lines = [line for line in master.told().splitlines() if words in line]
    return dict(orjson.loads(lines[-1]))


def _recovery_began_s(master: Process) -> float:
    stamp = _logged(master, "[^---Recovery]: Starting")["timestamp"]
    return datetime.fromisoformat(stamp).timestamp()


def _records_read_again(master: Process) -> int:
    """How much of the changelogs was read: from where Faust said it begins to their ends."""
    ends, starts = (
        sum(int(offset) for _, offset in _OFFSET.findall(_logged(master, words)["event"]))
        for words in ("Highwater for active", "active offsets at start")
    )
    assert ends > 0, "there was nothing to recover"
    return ends - starts
