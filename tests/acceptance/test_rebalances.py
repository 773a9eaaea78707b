"""A storm of rebalances: a second master comes and goes while small tasks flow (FAUST A5)."""

import asyncio
import itertools
from uuid import uuid4

from scripts.stack import StackState
from tests.acceptance.client import Client, texts_of
from tests.acceptance.evidence import announced, assert_stored_once
from tests.harness import Log
from tests.harness.fleet import Fleet
from tests.harness.kafka import producer, written

TASKS, AT_ONCE, VISITS = 2000, 100, 4


async def test_each_of_2000_tasks_completes_while_a_second_master_joins_and_leaves(
    fleet: Fleet, stack: StackState
) -> None:
    # The sweep must have no part in it: what a rebalance skips, the delivery layer must notice.
    late = {"VECTORIZE_MASTER_TASK_STALLED_AFTER_S": "3600"}
    staying = fleet.add("master", **late)
    for role in ("embed", "store"):
        fleet.add(role)
    await fleet.all_ready()
    visitor = fleet.add("master", **late)
    async with Client([staying], fleet.collection) as client:
        flowing = asyncio.create_task(_flow(client, Log(stack, fleet.prefix)))
        for visit in itertools.count(1):
            await visitor.ready()
            await asyncio.sleep(1)
            if visit % 2:
                assert (await visitor.terminate())[0] == 0
            else:
                visitor.kill()
            if visit >= VISITS and flowing.done():
                break
            visitor.start()
        await flowing
        await client.as_many_completed()
        await client.all_completed()
        assert len(client.tasks) == TASKS
        assert_stored_once(stack, fleet.collection, client.tasks)
        assert (await announced(stack, fleet.prefix)).keys() == client.tasks.keys()
        holes = staying.told().count("fetched_beside_faust")
        print(f"\n{visit} visits; {holes} records that Faust did not bring were fetched beside it")


async def _flow(client: Client, log: Log) -> None:
    """Produce single texts straight to Kafka, some at a time: no rebalance holds that up."""
    async with producer(log.servers) as sending:
        for number, text in enumerate(texts_of("flow", TASKS)):
            task_id = str(uuid4())
            body = {
                "task_type": "text_vectorization",
                "data": text,
                "collection": client.collection,
                "task_id": task_id,
            }
            await sending.send(log.topic("tasks"), written(body), key=task_id.encode())
            client.tasks[task_id] = 1
            if number % AT_ONCE == 0:
                await asyncio.sleep(1)
