"""Cancelling and retrying while the whole pipeline works."""

import asyncio
from typing import Any
from uuid import uuid4

import weaviate

from scripts.stack import StackState
from tests.harness import Answer, Client, Log, until, until_sync

#: So long a unit may run at most; after it, a cancelled task's vectors are swept again.
OWN_SERVICE = True
SETTINGS = {"VECTORIZE_MASTER_TASK_MAX_RUN_S": "5"}
MANY = [f"one of many {number}" for number in range(2000)]


class Stored:
    """Looks at Weaviate beside the service."""

    def __init__(self, stack: StackState, collection: str) -> None:
        self._settings = stack.settings
        self._collection = collection

    def count(self) -> int:
        """How many objects the collection holds."""
        http = self._settings["database.weaviate_url"].removeprefix("http://").split(":")
        grpc = self._settings["database.weaviate_grpc_url"].split(":")
        with weaviate.connect_to_local(
            host=http[0], port=int(http[1]), grpc_port=int(grpc[1])
        ) as client:
            objects = client.collections.use(self._collection).with_tenant("default")
            return int(objects.aggregate.over_all(total_count=True).total_count or 0)


async def _cancelled_in_mid_work(client: Client, collection: str) -> dict[str, Any]:
    """Cancel a task of many items after the first and before the last of them is stored."""
    for _ in range(5):
        task_id = await client.submit(MANY, batch_size=5, collection=collection)

        async def begun(task_id: str = task_id) -> Any:
            task = await client.task(task_id)
            return task if task["completed_items"] else None

        await until("some of it is stored", begun)
        answer = await client.delete(f"/tasks/{task_id}")
        if answer.status == 200:
            return dict(answer.json)
        assert answer.status == 409, answer
    raise AssertionError("five times the task was done before it could be cancelled")


async def test_a_cancel_in_mid_work_ends_the_task_and_removes_its_vectors(
    client: Client, stack: StackState, log: Log, collection: str
) -> None:
    other = await client.done(["stays"], collection=collection)
    task = await _cancelled_in_mid_work(client, collection)
    assert task["status"] == "cancelled"
    assert 0 < task["completed_items"] < len(MANY)
    again = await client.delete(f"/tasks/{task['task_id']}")
    assert (again.status, again.json["status"]) == (200, "cancelled")
    # What was in flight may still be written; the second sweep removes it.
    row = await until("both sweeps are done", lambda: _swept(client, task["task_id"]))
    assert row["state"] == "cancelled"
    stored = Stored(stack, collection)
    await asyncio.to_thread(until_sync, "only the other task is left", lambda: stored.count() == 1)
    assert (await client.get(f"/tasks/{other['task_id']}/result")).json["items"][0]["vector"]
    items = (await client.get(f"/tasks/{task['task_id']}/result?limit=10")).json["items"]
    assert {item["error"]["code"] for item in items} == {"cancelled"}
    final = await client.task(task["task_id"])
    assert (final["status"], final["completed_at"]) == ("cancelled", task["completed_at"])
    told = [one for one in await log.records("results") if one.key == task["task_id"].encode()]
    assert len(told) == 1
    # A retry does the whole of it again, as a new task.
    status, headers, retried = await client.post(f"/tasks/{task['task_id']}/retry")
    assert (status, retried["retry_of"]) == (202, task["task_id"])
    assert headers["Location"] == f"/tasks/{retried['task_id']}"
    done = await client.final(retried["task_id"])
    assert (done["status"], done["completed_items"]) == ("completed", len(MANY))
    assert await asyncio.to_thread(stored.count) == 1 + len(MANY)


async def _swept(client: Client, task_id: str) -> Any:
    row = (await client.get(f"/tables/tasks/{task_id}")).json
    return row if not row.get("sweeps_due_ms") else None


async def test_a_cancel_of_a_finished_task_changes_nothing(client: Client) -> None:
    task = await client.done("finished")
    status, _, problem = await client.delete(f"/tasks/{task['task_id']}")
    assert (status, problem["state"]) == (409, "completed")
    assert await client.task(task["task_id"]) == task


async def test_a_cancel_of_an_unknown_task_is_not_found(client: Client) -> None:
    assert (await client.delete(f"/tasks/{uuid4()}")).status == 404


async def test_a_retry_makes_a_new_task_of_what_failed(client: Client, collection: str) -> None:
    texts = ["good", " ", "also good", "x" * 300_000]
    first = await client.done(texts, item_ids=["a", "b", "c", "d"], collection=collection)
    status, _, task = await client.post(f"/tasks/{first['task_id']}/retry?wait=60")
    assert (status, task["retry_of"], task["total_items"]) == (200, first["task_id"], 2)
    assert task["task_id"] != first["task_id"]
    items = (await client.get(f"/tasks/{task['task_id']}/result")).json["items"]
    assert [item["item"] for item in items] == ["b", "d"]
    assert [item["error"]["code"] for item in items] == ["empty_text", "text_too_large"]
    assert await client.task(first["task_id"]) == first


async def test_a_retry_under_a_key_is_one_task(client: Client) -> None:
    first = await client.done([" ", "good"])
    key = {"Idempotency-Key": f"key-{uuid4()}"}
    answers = [await client.post(f"/tasks/{first['task_id']}/retry", headers=key) for _ in range(2)]
    assert answers[0].status in {200, 202}  # 200: it is done already
    assert ["Idempotent-Replayed" in answer.headers for answer in answers] == [False, True]
    assert len({answer.json["task_id"] for answer in answers}) == 1


async def test_a_retry_of_a_whole_task_is_refused(client: Client) -> None:
    task = await client.done("all is well")
    status, _, problem = await client.post(f"/tasks/{task['task_id']}/retry")
    assert (status, problem["type"]) == (409, "urn:vectorize:problem:nothing-to-retry")


async def test_many_cancels_at_once_all_get_a_verdict(client: Client) -> None:
    async def cancel(task_id: str) -> Answer:
        answer = await client.delete(f"/tasks/{task_id}")
        while answer.status in {202, 503}:  # "later", on a busy machine
            answer = await client.delete(f"/tasks/{task_id}")
        return answer

    ids = await asyncio.gather(*(client.submit(f"race {number}") for number in range(20)))
    answers = await asyncio.gather(*(cancel(task_id) for task_id in ids))
    for task_id, answer in zip(ids, answers, strict=True):
        final = await client.final(task_id)
        assert answer.status in {200, 409}, answer.text
        expected = "cancelled" if answer.status == 200 else "completed"
        assert final["status"] == expected
