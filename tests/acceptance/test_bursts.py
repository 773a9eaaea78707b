"""More small tasks at once than any buffer holds: they flow, nothing is fetched a second way."""

from uuid import uuid4

from scripts.stack import StackState
from tests.acceptance.client import Client, texts_of
from tests.acceptance.evidence import assert_stored_once
from tests.harness import Log
from tests.harness.fleet import Fleet
from tests.harness.kafka import producer, written

TASKS = 800


async def test_a_burst_of_single_text_tasks_does_not_stand_in_its_own_way(
    fleet: Fleet, stack: StackState
) -> None:
    # Intake waits for what track folds, and both read through one consumer: where intake's full
    # buffer holds the consumer up, only the look at quiet tails brings track its events.
    log = Log(stack, fleet.prefix)
    one = await fleet.add("all").ready()
    async with Client([one], fleet.collection) as client:
        async with producer(log.servers, linger_ms=20) as sending:
            for text in texts_of("burst", TASKS):
                task = str(uuid4())
                body = {"task_type": "text_vectorization", "data": text, "task_id": task}
                value = written({**body, "collection": client.collection})
                await sending.send(log.topic("tasks"), value, key=task.encode())
                client.tasks[task] = 1
        await client.as_many_completed()
        assert one.told().count("fetched_beside_faust") < TASKS / 20
        await client.all_completed()
        assert_stored_once(stack, fleet.collection, client.tasks)
