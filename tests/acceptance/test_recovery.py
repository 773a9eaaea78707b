"""A master with many tasks in its tables starts again: from its own disk, and with every row."""

import time
from typing import Any

import pytest

from scripts.stack import StackState
from tests.acceptance.client import Client
from tests.harness import Log, until
from tests.harness.fleet import Fleet
from tests.harness.tables import put_finished_tasks, records_read_again, recovery_began_s


@pytest.mark.parametrize(
    "rows", [5_000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
async def test_a_master_recovers_its_rows_from_its_own_disk(
    fleet: Fleet, stack: StackState, rows: int
) -> None:
    master = await fleet.add("master").ready()
    async with Client([master], fleet.collection) as client:
        await put_finished_tasks(Log(stack, fleet.prefix), rows)
        await until(f"{rows} tasks", lambda: _are_known(client, rows), limit_s=90 + rows / 50)
        before = await _newest(client)
        assert (await master.terminate())[0] == 0
        began_s = time.time()
        await master.start().ready()
        ready_s = time.time()
        assert await _newest(client) == before
        assert await _are_known(client, rows)
    read_again = records_read_again(master)
    print(
        f"\n{rows} rows: ready {ready_s - recovery_began_s(master):.2f} s after recovery began, "
        f"{ready_s - began_s:.1f} s after the process did; {read_again} changelog records read; "
        f"{master.resident_bytes() / 2**20:.0f} MiB resident"
    )
    assert read_again < rows / 100, "the local tables were of no use"


async def _are_known(client: Client, rows: int) -> bool:
    """Whether the list has all of them, each completed."""
    answer = await client.ask("GET", "/tasks?status_filter=completed&page_size=1")
    return answer.status == 200 and answer.body["total"] == rows


async def _newest(client: Client) -> Any:
    return (await client.ask("GET", "/tasks?page_size=1000")).body
