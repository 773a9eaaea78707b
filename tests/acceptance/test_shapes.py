"""The shapes a deployment may have: one process, one a role, and the change between them."""

import asyncio
from pathlib import Path

from scripts.stack import StackState
from tests.acceptance.client import Client
from tests.acceptance.evidence import announced, assert_stored_once, stored_items
from tests.harness.fleet import Fleet

ROLES = ("master", "embed", "store")
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MIB = 2**20


async def test_one_worker_on_an_empty_broker_finishes_a_task_with_the_real_model(
    fleet: Fleet, stack: StackState
) -> None:
    settings = {
        "VECTORIZE_MASTER_TASK_DEFAULT_MODEL": MINILM,
        "VECTORIZE_MASTER_TASK_MODELS_FILE": "config/models.yaml",
    }
    alone = await fleet.add(None, **settings).ready()
    async with Client([alone], fleet.collection) as client:
        text = "read a gzip file line by line"
        body = {"task_type": "text_vectorization", "data": text, "collection": fleet.collection}
        answer = await client.ask("POST", "/tasks/submit?wait=60", json=body)
        assert (answer.status, answer.body["status"]) == (200, "completed"), answer
        client.tasks[answer.body["task_id"]] = 1
        asked = {"query": text, "limit": 1, "collection": fleet.collection}
        found = await client.ask("POST", "/search", json=asked)
        assert found.body["hits"][0]["text"] == text
        assert found.body["hits"][0]["score"] > 0.999, found
        assert_stored_once(stack, fleet.collection, client.tasks)
    # The model runs on OpenVINO: torch made it ready in a child. What the master's test below
    # looks for is found where a model runs.
    assert libraries_of_models(alone.pid) == {"libopenvino"}


async def test_three_processes_of_one_role_each_finish_tasks(
    fleet: Fleet, stack: StackState
) -> None:
    master, *_ = [fleet.add(role) for role in ROLES]
    await fleet.all_ready()
    async with Client([master], fleet.collection) as client:
        await client.submit_many(tasks=10, items=100)
        await client.all_completed()
        assert_stored_once(stack, fleet.collection, client.tasks)


async def test_changing_the_shape_in_mid_work_and_back_loses_and_repeats_nothing(
    fleet: Fleet, stack: StackState
) -> None:
    one = await fleet.add("all").ready()
    async with Client([one], fleet.collection) as client:
        await client.submit_many(tasks=40, items=200)
        await client.some_stored(200)
        assert (await one.terminate())[0] == 0
        # Read beside the masters, of which none runs now: the next ones work while they start.
        assert stored_items(stack, fleet.collection).total() < client.items, "it came too late"
        three = [fleet.add(role) for role in ROLES]
        await fleet.all_ready()
        client.masters = three[:1]
        before = await client.stored()
        await client.submit_many(tasks=40, items=200)
        await client.some_stored(before + 200)
        # All at once, the last stage first: what they hold when they leave is left to the next.
        ended = await asyncio.gather(*(process.terminate() for process in reversed(three)))
        assert [code for code, _ in ended] == [0, 0, 0]
        assert stored_items(stack, fleet.collection).total() < client.items, "it came too late"
        client.masters = [await one.start().ready()]
        await client.all_completed()
        assert_stored_once(stack, fleet.collection, client.tasks)
        assert await announced(stack, fleet.prefix) == dict.fromkeys(client.tasks, 1)


async def test_a_master_never_loads_what_runs_models_and_is_small_at_rest(fleet: Fleet) -> None:
    master = await fleet.add("master", VECTORIZE_MASTER_TASK_DEFAULT_MODEL=MINILM).ready()
    resident = master.resident_bytes()
    print(f"\nmaster at rest: {resident / MIB:.0f} MiB resident")
    assert libraries_of_models(master.pid) == set()
    assert resident < 250_000_000


def libraries_of_models(pid: int) -> set[str]:
    """Which of the libraries that run models a process has in its memory."""
    mapped = Path(f"/proc/{pid}/maps").read_text()
    return {name for name in ("libtorch", "libopenvino") if name in mapped}
