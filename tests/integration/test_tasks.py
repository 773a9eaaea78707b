"""Submitting and reading tasks on the real stack."""

import asyncio
from collections import Counter
from uuid import uuid4

import orjson
import pytest
from openapi_spec_validator import validate

from tests.harness import Client, Log, Service, fresh_collection
from tests.harness.client import FINAL, task_of
from tests.harness.kafka import headers_of

#: The bodies of the user's guide, letter by letter but for the model, which is the tests' own.
GUIDE = [
    {
        "task_type": "text_vectorization",
        "data": "这是一个测试文本",
        "model_name": "sentence-transformers/all-MiniLM-L6-v2",
    },
    {
        "task_type": "text_vectorization",
        "data": "这是需要向量化的文本",
        "model_name": "sentence-transformers/all-MiniLM-L6-v2",
        "priority": 1,
    },
    {
        "task_type": "batch_vectorization",
        "data": ["第一个文本", "第二个文本", "第三个文本"],
        "batch_size": 2,
    },
    {"task_type": "text_vectorization", "data": "测试文本内容", "priority": 1},
]
ENGLISH = [
    {"task_type": "text_vectorization", "data": "Read a gzip file line by line.", "priority": 1},
    {"task_type": "batch_vectorization", "data": ["one", "two", "three"], "batch_size": 2},
]
FAST = {"model_name": "test/hashing-384"}


@pytest.mark.parametrize("body", [*GUIDE, *ENGLISH], ids=lambda body: str(body["data"])[:12])
async def test_a_body_of_the_guide_becomes_a_finished_task(
    client: Client, body: dict[str, object]
) -> None:
    given = body | (FAST if "model_name" in body else {})
    status, headers, task = await client.post("/tasks/submit", given)
    assert status == 202
    assert headers["Location"] == f"/tasks/{task['task_id']}"
    assert int(headers["Retry-After"]) >= 1
    assert (task["status"], task["progress"]) == ("pending", 0.0)
    items = len(body["data"]) if isinstance(body["data"], list) else 1
    done = await client.final(task["task_id"])
    assert (done["status"], done["progress"], done["error"]) == ("completed", 1.0, None)
    assert (done["total_items"], done["completed_items"], done["failed_items"]) == (items, items, 0)
    assert done["created_at"] <= done["started_at"] <= done["completed_at"]
    assert done["processing_time"] >= 0
    assert done["created_at"] == task["created_at"]


async def test_a_submit_that_waits_answers_with_the_finished_task(client: Client) -> None:
    status, _, task = await client.post("/tasks/submit?wait=60", task_of("wait for me"))
    assert (status, task["status"]) == (200, "completed")
    again = await client.get(f"/tasks/{task['task_id']}?wait=30")
    assert (again.status, again.json) == (200, task)


@pytest.mark.parametrize("shape", ["object", "list"])
async def test_a_batch_takes_the_good_and_refuses_the_bad_each_by_itself(
    client: Client, shape: str
) -> None:
    tasks = [
        task_of("first"),
        {"task_type": "text_vectorization", "data": ""},
        task_of(["second", "third"]),
        {"task_type": "sound_vectorization", "data": "x"},
    ]
    body = {"tasks": tasks} if shape == "object" else tasks
    status, _, answer = await client.post("/tasks/batch", body)
    assert (status, answer["accepted"], answer["refused"]) == (202, 2, 2)
    slots = answer["tasks"]
    assert [slot["index"] for slot in slots] == [0, 1, 2, 3]
    assert [slot.get("error", {}).get("field") for slot in slots] == [
        None,
        "data",
        None,
        "task_type",
    ]
    for index in (0, 2):
        assert (await client.final(slots[index]["task_id"]))["status"] == "completed"


async def test_a_batch_without_any_good_task_is_a_problem_with_every_reason(client: Client) -> None:
    status, _, problem = await client.post("/tasks/batch", [{"task_type": "x"}, 7])
    assert (status, problem["status"], len(problem["tasks"])) == (422, 422, 2)


async def test_own_facts_come_back_as_they_were_given(client: Client) -> None:
    task_id, collection = f"my-{uuid4().hex}", fresh_collection()
    facts = {"source": "文件.txt", "page": 3, "deep": {"list": [1, None, True]}}
    task = await client.done(
        "own facts", task_id=task_id, metadata=facts, collection=collection, priority="high",
        deadline_s=600, callback_url="https://example.com/hook",
    )  # fmt: skip
    assert (task["task_id"], task["metadata"], task["collection"]) == (task_id, facts, collection)
    assert (task["priority"], task["status"]) == ("high", "completed")
    assert task["deadline_at"] > task["created_at"]


@pytest.mark.parametrize("priority", [9, 5, 1, 0, -3, "high", "normal", "low"])
async def test_every_priority_finishes_on_its_lane(client: Client, priority: int | str) -> None:
    lanes = {9: "high", 5: "high", 1: "normal", 0: "low", -3: "low"}
    task = await client.done("a lane", priority=priority)
    assert (task["status"], task["priority"]) == ("completed", lanes.get(priority, priority))


async def test_a_bad_item_harms_only_itself(client: Client) -> None:
    task = await client.done(["good", "  ", "x" * 300_000, "also good"])
    assert (task["status"], task["completed_items"], task["failed_items"]) == ("completed", 2, 2)
    assert task["error"] == "data[1]: the text is empty"
    row = await client.get(f"/tables/tasks/{task['task_id']}")
    assert (row.status, row.json["state"], row.json["stored_items"]) == (200, "completed", 2)
    errors = (await client.get(f"/tables/errors/{task['task_id']}")).json
    assert [(error["index"], error["code"]) for error in errors] == [
        (1, "empty_text"),
        (2, "text_too_large"),
    ]
    assert "task.max_text_bytes" in errors[1]["message"]


async def test_a_task_without_any_good_item_fails_with_its_reason(client: Client) -> None:
    task = await client.done([" ", ""])
    assert (task["status"], task["completed_items"], task["failed_items"]) == ("failed", 0, 2)
    assert "empty" in task["error"]


async def test_a_text_over_the_models_limit_is_cut_and_reported(client: Client) -> None:
    task = await client.done(["short", "word " * 300])
    assert (task["status"], task["truncated_items"]) == ("completed", 1)


@pytest.mark.parametrize("table", ["tasks", "errors"])
async def test_a_table_does_not_know_an_unknown_key(client: Client, table: str) -> None:
    status, _, problem = await client.get(f"/tables/{table}/{uuid4()}")
    assert (status, problem["type"]) == (404, "urn:vectorize:problem:task-not-found")


async def test_there_are_no_other_tables(client: Client) -> None:
    status, _, problem = await client.get("/tables/secrets/x")
    assert (status, problem["allowed"]) == (404, ["tasks", "errors"])


# -- read your writes ---------------------------------------------------------------------------


async def test_a_task_that_was_accepted_is_never_unknown(client: Client) -> None:
    async def one(number: int) -> int:
        task_id = await client.submit(f"read your writes {number}")
        answer = await client.get(f"/tasks/{task_id}")
        while answer.status == 503:  # "later" is allowed where the machine is busy; 404 never is
            answer = await client.get(f"/tasks/{task_id}")
        return answer.status

    seen: Counter[int] = Counter()
    for start in range(0, 300, 10):
        seen.update(await asyncio.gather(*(one(start + step) for step in range(10))))
    assert seen == {200: 300}


# -- idempotency --------------------------------------------------------------------------------


async def test_one_key_with_the_same_body_is_one_task(client: Client) -> None:
    key = {"Idempotency-Key": f"key-{uuid4()}"}
    first = await client.post("/tasks/submit", task_of("once"), headers=key)
    assert (first.status, "Idempotent-Replayed" in first.headers) == (202, False)
    again = await client.post("/tasks/submit", task_of("once"), headers=key)
    assert (again.status, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.json["task_id"] == first.json["task_id"]
    await client.final(first.json["task_id"])
    late = await client.post("/tasks/submit", task_of("once"), headers=key)
    assert (late.status, late.json["status"]) == (200, "completed")


async def test_one_key_with_another_body_is_refused(client: Client) -> None:
    key = {"Idempotency-Key": f"key-{uuid4()}"}
    first = await client.post("/tasks/submit", task_of("this"), headers=key)
    other = await client.post("/tasks/submit", task_of("that"), headers=key)
    assert (other.status, other.json["field"]) == (422, "Idempotency-Key")
    assert other.json["task_id"] == first.json["task_id"]
    assert (await client.final(first.json["task_id"]))["status"] == "completed"


async def test_fifty_posts_of_one_key_at_once_are_one_task(client: Client, log: Log) -> None:
    key = {"Idempotency-Key": f"key-{uuid4()}"}
    mark = {"run": uuid4().hex}
    body = task_of(["fifty", "times"], metadata=mark)
    answers = await asyncio.gather(
        *(client.post("/tasks/submit", body, headers=key) for _ in range(50))
    )
    counts = Counter(answer.status for answer in answers)
    assert counts == {202: 1, 200: 49}, counts
    (task_id,) = {answer.json["task_id"] for answer in answers}
    assert (await client.final(task_id))["status"] == "completed"
    listed = (await client.get("/tasks?page_size=1000")).json["tasks"]
    assert [task["task_id"] for task in listed if task["metadata"] == mark] == [task_id]


async def test_an_own_id_is_a_key_too(client: Client) -> None:
    task_id = f"own-{uuid4().hex}"
    first = await client.post("/tasks/submit", task_of("mine", task_id=task_id))
    again = await client.post("/tasks/submit", task_of("mine", task_id=task_id))
    other = await client.post("/tasks/submit", task_of("not mine", task_id=task_id))
    assert (first.status, again.status, other.status) == (202, 200, 422)


# -- what the service says of itself ------------------------------------------------------------


async def test_health_has_the_guides_fields_and_is_healthy(client: Client) -> None:
    status, _, health = await client.get("/health")
    assert status == 200
    assert set(health) == {
        "status", "timestamp", "kafka_connected", "weaviate_connected", "redis_connected",
        "active_workers", "queue_size",
    }  # fmt: skip
    assert health["status"] == "healthy", health
    assert health["active_workers"] >= 2


async def test_metrics_have_the_guides_fields_and_count(client: Client) -> None:
    before = (await client.get("/metrics")).json
    await client.done(["count", "me"])
    after = (await client.get("/metrics")).json
    assert set(after) == {
        "total_tasks", "pending_tasks", "processing_tasks", "completed_tasks", "failed_tasks",
        "average_processing_time", "total_vectors_generated",
    }  # fmt: skip
    assert after["total_tasks"] == before["total_tasks"] + 1
    assert after["total_vectors_generated"] >= before["total_vectors_generated"] + 2
    assert after["average_processing_time"] > 0


async def test_prometheus_has_a_port_of_its_own(client: Client, service: Service) -> None:
    await client.done("seen by Prometheus")
    status, headers, _ = answer = await client.get(service.metrics_url)
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    for line in (
        'vectorize_http_requests_total{method="POST",route="/tasks/submit",status="202"}',
        "vectorize_tasks_accepted_total",
        "vectorize_tasks_finished_total",
    ):
        assert line in answer.text


async def test_probes_give_a_reason_per_dependency(client: Client) -> None:
    assert (await client.get("/livez")).json == {"status": "alive"}
    ready = await client.get("/readyz")
    assert (ready.status, ready.json["status"]) == (200, "ready")
    assert set(ready.json["checks"].values()) == {"ready"}


async def test_openapi_describes_what_is_served(client: Client) -> None:
    status, _, document = await client.get("/openapi.json")
    assert status == 200
    assert document["openapi"].startswith("3.1")
    validate(document)
    assert {
        "/tasks", "/tasks/submit", "/tasks/batch", "/tasks/{task_id}", "/tasks/{task_id}/result",
        "/tasks/{task_id}/retry", "/search", "/health", "/metrics", "/livez", "/readyz",
        "/tables/{table}/{key}",
    } <= set(document["paths"])  # fmt: skip


# -- the public log -----------------------------------------------------------------------------


async def test_each_finished_task_is_announced_once_as_a_cloud_event(
    client: Client, log: Log
) -> None:
    page = await client.get("/tasks?page_size=1000")
    tasks = {task["task_id"]: await client.final(task["task_id"]) for task in page.json["tasks"]}
    tasks |= {
        task["task_id"]: task
        for task in [await client.done(["fine", " "]), await client.done([" "])]
    }
    records = await log.awaited("results", len(tasks))
    assert Counter(record.key.decode() for record in records) == dict.fromkeys(tasks, 1)
    for record in records:
        headers, task = headers_of(record), tasks[record.key.decode()]
        assert headers["ce_specversion"] == "1.0"
        assert headers["ce_type"] == f"vectorize.task.{task['status']}"
        assert headers["ce_subject"] == task["task_id"]
        assert headers["ce_source"]
        assert headers["ce_time"] == task["completed_at"]
        body = orjson.loads(record.value)
        for name in ("status", "total_items", "completed_items", "failed_items", "metadata"):
            assert body[name] == task[name]
        assert task["status"] in FINAL
        assert "vector" not in str(body.keys())
    assert len({headers_of(record)["ce_id"] for record in records}) == len(records)
