"""The broker dies under load and comes back on the same port; nobody is asked to help."""

import asyncio
import sys
from uuid import uuid4

from scripts.stack import kill_service, start_service
from tests.acceptance.client import Client, texts_of, watching
from tests.acceptance.evidence import announced, assert_stored_once
from tests.harness.fleet import CHECKOUT, Fleet

SUPERVISED = [sys.executable, str(CHECKOUT / "scripts" / "start_master.py")]
TASKS, ITEMS = 30, 100
ROLES = ("master", "embed", "store")


async def test_a_killed_broker_costs_time_and_nothing_else(own_fleet: Fleet) -> None:
    stack = own_fleet.stack
    processes = [own_fleet.add(role, command=SUPERVISED) for role in ROLES]
    await own_fleet.all_ready()
    async with Client(processes[:1], own_fleet.collection) as client, watching(client):
        await client.submit_many(TASKS // 2, ITEMS)
        submitting = asyncio.create_task(_keep_submitting(client))
        await client.some_stored(1)
        kill_service(stack.directory, "kafka")
        await asyncio.sleep(4)
        await asyncio.to_thread(start_service, stack.directory, "kafka")
        await submitting
        await client.all_completed(limit_s=150)
        assert_stored_once(stack, own_fleet.collection, client.tasks)
        assert (await announced(stack, own_fleet.prefix)).keys() == client.tasks.keys()
    for process in processes:
        print(f"\n{process.name}: {process.told().count('worker_restarts')} restarts")


async def _keep_submitting(client: Client) -> None:
    run = uuid4().hex
    for number in range(TASKS // 2):
        await client.submit_stubbornly(texts_of(f"{run}-{number}", ITEMS), f"{run}-{number}")
        await asyncio.sleep(0.1)
