"""SIGTERM under load: the process drains, exits with code 0 in time, and the work goes on."""

import asyncio
from uuid import uuid4

from scripts.stack import StackState
from tests.acceptance.client import Client, texts_of, watching
from tests.acceptance.evidence import announced, assert_stored_once
from tests.harness.fleet import DRAIN_S, Fleet

TASKS, ITEMS = 20, 150
ROLES = ("master", "embed", "store")


async def test_each_role_drains_under_load_and_the_work_goes_on_without_repeats(
    fleet: Fleet, stack: StackState
) -> None:
    for role in ROLES:
        fleet.add(role)
    await fleet.all_ready()
    async with Client(fleet.processes[:1], fleet.collection) as client, watching(client):
        for process in fleet.processes:
            await client.submit_many(TASKS, ITEMS)
            await client.some_stored(len(client.tasks) * ITEMS - TASKS * ITEMS + 1)
            code, seconds = await process.terminate()
            print(f"\n{process.name}: exit code {code} after {seconds:.1f} s")
            assert code == 0, process.told()[-3000:]
            assert seconds <= DRAIN_S
            await process.start().ready()
        await client.all_completed()
        assert_stored_once(stack, fleet.collection, client.tasks)
        assert await announced(stack, fleet.prefix) == dict.fromkeys(client.tasks, 1)


async def test_one_process_of_all_roles_drains_under_load_and_goes_on_without_repeats(
    fleet: Fleet, stack: StackState
) -> None:
    one = await fleet.add("all").ready()
    async with Client([one], fleet.collection) as client:
        submitting = asyncio.create_task(_keep_submitting(client))
        await client.some_stored(300)
        code, seconds = await one.terminate()
        print(f"\nall: exit code {code} after {seconds:.1f} s")
        assert code == 0, one.told()[-3000:]
        assert seconds <= DRAIN_S
        await one.start().ready()
        await submitting
        await client.all_completed()
        assert_stored_once(stack, fleet.collection, client.tasks)
        assert await announced(stack, fleet.prefix) == dict.fromkeys(client.tasks, 1)


async def _keep_submitting(client: Client) -> None:
    """Submit all the while, as clients do: each again under its key until it is accepted."""
    run = uuid4().hex
    for number in range(TASKS):
        await client.submit_stubbornly(texts_of(f"{run}-{number}", ITEMS), f"{run}-{number}")
