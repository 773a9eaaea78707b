"""A master alone: tasks wait, can be cancelled, run out of time; then workers come."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack import StackState
from tests.harness import Client, Log, Service, until
from tests.harness.kafka import headers_of


@pytest.fixture(scope="module")
def service(stack: StackState, folder: Path) -> Iterator[Service]:
    with Service(stack, folder, role="master") as service:
        yield service


async def test_a_pending_task_can_be_cancelled_and_again(client: Client, log: Log) -> None:
    task_id = await client.submit(["nobody", "works"])
    assert (await client.task(task_id))["status"] == "pending"
    first = await client.delete(f"/tasks/{task_id}")
    assert (first.status, first.json["status"]) == (200, "cancelled")
    again = await client.delete(f"/tasks/{task_id}")
    assert (again.status, again.json) == (200, first.json)
    assert (await client.get(f"/tasks/{task_id}?wait=5")).json["status"] == "cancelled"
    (told,) = [one for one in await log.awaited("results", 1) if one.key == task_id.encode()]
    assert headers_of(told)["ce_type"] == "vectorize.task.cancelled"


async def test_a_task_whose_deadline_passes_expires(client: Client, log: Log) -> None:
    task_id = await client.submit(["too", "late"], deadline_s=0.5)
    task = await client.final(task_id)
    assert (task["status"], task["completed_items"]) == ("expired", 0)
    assert task["completed_at"] >= task["deadline_at"]
    items = (await client.get(f"/tasks/{task_id}/result")).json["items"]
    assert [item["error"]["code"] for item in items] == ["expired", "expired"]
    assert (await client.get("/metrics")).json["failed_tasks"] >= 1
    late = await client.delete(f"/tasks/{task_id}")
    assert (late.status, late.json["state"]) == (409, "expired")


async def test_a_retry_of_a_waiting_task_is_refused(client: Client) -> None:
    task_id = await client.submit("waits")
    status, _, problem = await client.post(f"/tasks/{task_id}/retry")
    assert (status, problem["state"]) == (409, "pending")


async def test_a_result_of_a_waiting_task_says_so(client: Client) -> None:
    task_id = await client.submit(["waits", " "])
    result = (await client.get(f"/tasks/{task_id}/result")).json
    assert [item["status"] for item in result["items"]] == ["pending", "failed"]


async def test_a_wait_that_runs_out_answers_with_the_task_as_it_is(client: Client) -> None:
    task_id = await client.submit("waits")
    status, _, task = await client.get(f"/tasks/{task_id}?wait=0.3")
    assert (status, task["status"]) == (200, "pending")


async def test_a_search_by_text_says_that_no_worker_is_there(client: Client) -> None:
    status, headers, problem = await client.post("/search", {"query": "x"})
    assert (status, problem["type"]) == (503, "urn:vectorize:problem:no-embed-worker")
    assert int(headers["Retry-After"]) >= 1
    assert problem["retryable"] is True


async def test_health_is_degraded_without_workers(client: Client) -> None:
    status, _, health = await client.get("/health")
    assert (status, health["status"], health["active_workers"]) == (200, "degraded", 0)
    assert health["kafka_connected"]


async def test_all_that_waited_is_done_when_workers_come_and_what_ended_stays(
    client: Client, stack: StackState, folder: Path, service: Service
) -> None:
    waiting = await client.submit(["waited", "for", "workers"])
    cancelled = await client.submit("cancelled while waiting")
    assert (await client.delete(f"/tasks/{cancelled}")).status == 200
    with (
        Service(stack, folder, prefix=service.prefix, role="extract"),
        Service(stack, folder, prefix=service.prefix, role="embed"),
        Service(stack, folder, prefix=service.prefix, role="store"),
    ):
        assert (await client.final(waiting))["status"] == "completed"
        states = {}

        async def nothing_waits() -> bool:
            page = (await client.get("/tasks?page_size=100")).json["tasks"]
            states.update({task["task_id"]: task["status"] for task in page})
            return not {"pending", "processing"} & set(states.values())

        await until("every task is final", nothing_waits)
        assert states[cancelled] == "cancelled"
        assert set(states.values()) == {"completed", "cancelled", "expired"}

        async def healthy() -> bool:
            return bool((await client.get("/health")).json["status"] == "healthy")

        await until("health says so", healthy)
        assert (await client.post("/search", {"query": "x"})).status == 200
