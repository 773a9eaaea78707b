"""Everything is stopped and started again: nothing that was ever answered reads differently."""

import shutil
from typing import Any

from scripts.stack import start_service, stop_service
from tests.acceptance.client import Client, texts_of
from tests.harness.fleet import Fleet

SERVERS = ("redis", "weaviate", "kafka")


async def test_a_restart_of_the_service_and_its_servers_keeps_every_task(own_fleet: Fleet) -> None:
    one = await own_fleet.add("all").ready()
    async with Client([one], own_fleet.collection) as client:
        await client.submit_many(tasks=40, items=20)
        await client.submit(texts_of("own", 5), item_ids=[f"id-{n}" for n in range(5)])
        await client.submit(texts_of("told", 3), metadata={"book": "Emma", "page": 3})
        await client.all_completed()
        await _submit_what_does_not_complete(client)
        before = await _everything(client)
        assert {task["status"] for task in before["tasks"].values()} == {
            "completed",
            "failed",
            "cancelled",
        }
        assert (await one.terminate())[0] == 0
        _restart_servers(own_fleet)
        await one.start().ready()
        assert await _everything(client) == before

        one.kill()
        shutil.rmtree(own_fleet.folder / "data")
        await one.start().ready()
        assert await _everything(client) == before, "the log alone must be enough"
        fresh = await client.submit(texts_of("after", 7))
        await client.all_final()
        assert (await client.task(fresh))["status"] == "completed"


def _restart_servers(fleet: Fleet) -> None:
    for name in SERVERS:
        stop_service(fleet.stack.directory, name)
    for name in reversed(SERVERS):
        start_service(fleet.stack.directory, name)


async def _submit_what_does_not_complete(client: Client) -> None:
    failed = await client.submit(["", "   "])
    cancelled = await client.submit(texts_of("cancelled", 5000))
    answer = await client.ask("DELETE", f"/tasks/{cancelled}")
    assert (answer.status, answer.body["status"]) == (200, "cancelled"), answer
    assert (await client.all_final())[failed]["status"] == "failed"


async def _everything(client: Client) -> dict[str, Any]:
    """What a client can read: each task, its results with their vectors, and the list."""
    tasks, results = {}, {}
    for task_id in client.tasks:
        tasks[task_id] = await client.patient_task(task_id)
        page = await client.ask("GET", f"/tasks/{task_id}/result?limit=1000")
        assert page.status == 200, page
        results[task_id] = page.body
    listed = (await client.ask("GET", "/tasks?page_size=1000")).body
    assert listed["total"] == len(client.tasks)
    return {"tasks": tasks, "results": results, "listed": listed["tasks"]}
