"""A master that dies between a task's final row and its announcement: it is announced after all."""

import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from scripts.stack import StackState
from tests.acceptance.client import Client, texts_of
from tests.acceptance.evidence import Changelog, announced, assert_stored_once
from tests.harness import Log, until
from tests.harness.fleet import CHECKOUT, FAUST, Fleet

DYING = [sys.executable, str(Path(__file__).with_name("dying_worker.py")), *FAUST[1:]]
EXIT_CODE = 86


@pytest.mark.parametrize("dies, told_by_then", [("before", 0), ("after", 1)])
async def test_a_crash_between_row_and_announcement_still_announces(
    fleet: Fleet, stack: StackState, dies: str, told_by_then: int
) -> None:
    master = fleet.add("master", command=DYING, ACCEPTANCE_DIES=dies, PYTHONPATH=str(CHECKOUT))
    for role in ("embed", "store"):
        fleet.add(role)
    await fleet.all_ready()
    async with Client([master], fleet.collection) as client:
        task_id = await client.submit(texts_of(dies, 10))
        await until("the master dies at its fault point", master.has_ended)
        assert master.popen is not None
        assert master.popen.returncode == EXIT_CODE, master.told()[-3000:]
        rows = await _rows(fleet, task_id)
        assert rows[-1]["state"] == "completed", "the row must be durable before it is announced"
        assert not rows[-1].get("announced")
        assert (await announced(stack, fleet.prefix))[task_id] == told_by_then

        master.command = FAUST
        await master.start().ready()
        await until("the row says it was announced", lambda: _is_announced(fleet, task_id))
        assert (await announced(stack, fleet.prefix))[task_id] == told_by_then + 1
        results = await Log(stack, fleet.prefix).records("results")
        told = [orjson.loads(each.value) for each in results]
        assert {(each["task_id"], each["status"], each["completed_items"]) for each in told} == {
            (task_id, "completed", 10)
        }
        await client.all_completed()
        assert_stored_once(stack, fleet.collection, client.tasks)


async def _rows(fleet: Fleet, task_id: str) -> list[dict[str, Any]]:
    """Every version of a task's row on the table's changelog, oldest first."""
    found = await Changelog(fleet.stack, fleet.prefix).records("tasks")
    return [orjson.loads(each.value) for each in found if each.key == task_id.encode()]


async def _is_announced(fleet: Fleet, task_id: str) -> bool:
    return bool((await _rows(fleet, task_id))[-1].get("announced"))
