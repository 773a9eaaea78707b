"""A storm of rebalances: a second master comes and goes while small tasks flow (FAUST A5)."""

import asyncio, sys
import itertools
from uuid import uuid4

from scripts.stack import StackState
from tests.acceptance.client import Client, texts_of
from tests.acceptance.evidence import announced, assert_stored_once
from tests.acceptance.fleet import Fleet
from tests.harness import Log, until
from tests.harness.kafka import producer, written

TASKS, AT_ONCE, VISITS = 2000, 100, 4


async def test_each_of_2000_tasks_completes_while_a_second_master_joins_and_leaves(
    fleet: Fleet, stack: StackState
) -> None:
    # The sweep must have no part in it: what a rebalance skips, the delivery layer must notice.
    late = {"VECTORIZE_MASTER_TASK_STALLED_AFTER_S": "3600"}
    staying = fleet.add(
        "master",
        command=[sys.executable, "/tmp/diag_worker.py", "-A", "faust_app", "worker", "-l", "info"],
        PYTHONPATH="/work/main",
        **late,
    )
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
        await _all_are_completed(client)
        assert_stored_once(stack, fleet.collection, client.tasks)
        assert (await announced(stack, fleet.prefix)).keys() == client.tasks.keys()
        holes = staying.told().count("skipped_record_delivered")
        print(f"\n{visit} visits; {holes} records that Faust skipped were delivered all the same")


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


async def _all_are_completed(client: Client) -> None:
    """Wait for the count first: 2,000 single reads again and again would be a load of their own."""

    async def all_counted() -> bool:
        answer = await client.ask("GET", "/tasks?status_filter=completed&page_size=1")
        return answer.status == 200 and answer.body["total"] >= TASKS

    try:
        await until("every task is completed", all_counted)
    finally:
        await client.all_completed(limit_s=10)
    assert len(client.tasks) == TASKS
