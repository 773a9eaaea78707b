"""Submitting: what is answered, what lies on the log, and the verdicts under a key."""

import asyncio
from typing import Any

from models.ids import task_id_for_key
from models.states import TaskState
from models.tasks import TaskRequest
from models.units import SourcePlace

TEXT = {"task_type": "text_vectorization", "data": "这是一个测试文本"}


async def test_a_submit_is_answered_with_the_task_where_to_find_it_and_when_to_ask(
    site: Any,
) -> None:
    answer = await site.post("/tasks/submit", {**TEXT, "metadata": {"a": 1}, "priority": 7})
    body = answer.body
    assert answer.status == 202
    assert body["status"] == "pending"
    assert (body["task_type"], body["model_name"]) == ("text_vectorization", "tiny")
    assert (body["priority"], body["total_items"], body["metadata"]) == ("high", 1, {"a": 1})
    assert body["created_at"].endswith("Z")
    assert answer.headers["Location"] == f"/tasks/{body['task_id']}" == body["links"]["self"]
    assert answer.headers["Retry-After"] == "1"
    [record] = site.log.records
    assert record.task_id == body["task_id"]
    assert record.data == TEXT["data"]
    assert record.submitted_ms is not None


async def test_a_plain_submit_does_not_ask_the_owner(site: Any) -> None:
    site.board.away = True
    assert (await site.post("/tasks/submit", TEXT)).status == 202
    assert site.board.asked == []


async def test_the_guides_submits_work_as_written(site: Any) -> None:
    batch = {
        "task_type": "batch_vectorization",
        "data": ["第一个文本", "第二个文本", "第三个文本"],
        "batch_size": 2,
    }
    answer = await site.post("/tasks/submit", batch)
    assert answer.status == 202
    assert answer.body["total_items"] == 3
    assert (await site.post("/tasks/submit", {**TEXT, "priority": 1})).body["priority"] == "normal"


async def test_a_content_type_is_not_needed(site: Any) -> None:
    answer = await site.post("/tasks/submit", TEXT, headers={"Content-Type": "text/plain"})
    assert answer.status == 202


async def test_a_broker_that_is_away_gives_503_and_when_to_try_again(site: Any) -> None:
    site.log.down = True
    answer = await site.post("/tasks/submit", TEXT)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert answer.body["type"] == "urn:vectorize:problem:broker-unavailable"
    assert answer.body["retryable"] is True


async def test_a_traceparent_travels_on_and_a_broken_one_is_left_out(site: Any) -> None:
    good = f"00-{'a' * 32}-{'b' * 16}-01"
    await site.post("/tasks/submit", TEXT, headers={"traceparent": good})
    await site.post("/tasks/submit", TEXT, headers={"traceparent": "nonsense"})
    assert [record.traceparent for record in site.log.records] == [good, None]


async def test_wait_holds_until_the_task_is_final(site: Any) -> None:
    waiting = asyncio.create_task(site.post("/tasks/submit?wait=3", TEXT))
    await site.until(lambda: site.board.rows)
    [task_id] = site.board.rows
    site.board.change(task_id, state=TaskState.COMPLETED, stored_items=1, finished_ms=1)
    answer = await waiting
    assert (answer.status, answer.body["status"], answer.body["progress"]) == (200, "completed", 1)
    assert "Retry-After" not in answer.headers


async def test_wait_that_is_over_gives_the_task_as_it_is(site: Any) -> None:
    answer = await site.post("/tasks/submit?wait=0.05", TEXT)
    assert (answer.status, answer.body["status"]) == (202, "pending")
    assert answer.body["completed_items"] == 0


async def test_wait_with_the_owner_away_still_tells_that_the_task_is_accepted(site: Any) -> None:
    site.board.away = True
    answer = await site.post("/tasks/submit?wait=0.2", TEXT)
    assert (answer.status, answer.body["status"]) == (202, "pending")


async def test_the_same_key_and_body_give_the_same_task(site: Any) -> None:
    key = {"Idempotency-Key": "order 66"}
    first = await site.post("/tasks/submit", TEXT, headers=key)
    second = await site.post("/tasks/submit", TEXT, headers=key)
    assert (first.status, second.status) == (202, 200)
    assert first.body["task_id"] == second.body["task_id"]
    assert first.body["task_id"] == task_id_for_key("default", "order 66")
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"


async def test_fifty_submits_at_once_under_one_key_give_one_task(site: Any) -> None:
    posts = [site.post("/tasks/submit", {**TEXT, "idempotency_key": "one"}) for _ in range(50)]
    answers = await asyncio.gather(*posts)
    assert len({answer.body["task_id"] for answer in answers}) == 1
    assert sorted(answer.status for answer in answers) == [200] * 49 + [202]
    assert len(site.board.rows) == 1


async def test_the_same_key_with_another_body_is_refused(site: Any) -> None:
    key = {"Idempotency-Key": "k"}
    task_id = (await site.post("/tasks/submit", TEXT, headers=key)).body["task_id"]
    answer = await site.post("/tasks/submit", {**TEXT, "data": "another"}, headers=key)
    assert answer.status == 422
    assert answer.body["type"] == "urn:vectorize:problem:idempotency-conflict"
    assert (answer.body["task_id"], answer.body["field"]) == (task_id, "Idempotency-Key")


async def test_an_own_task_id_is_judged_like_a_key(site: Any) -> None:
    mine = {**TEXT, "task_id": "my.task:1"}
    statuses = [
        (await site.post("/tasks/submit", body)).status
        for body in (mine, mine, {**mine, "data": "another"})
    ]
    assert statuses == [202, 200, 422]
    assert (await site.get("/tasks/my.task:1")).body["task_id"] == "my.task:1"


async def test_a_replay_of_a_finished_task_shows_it_finished(site: Any) -> None:
    task_id = await site.submit(idempotency_key="k")
    site.board.change(task_id, state=TaskState.FAILED, finished_ms=1)
    answer = await site.post(
        "/tasks/submit?wait=1",
        {"task_type": "text_vectorization", "data": "a text", "idempotency_key": "k"},
    )
    assert (answer.status, answer.body["status"]) == (200, "failed")


async def test_no_verdict_in_time_gives_503_for_a_keyed_submit(site: Any) -> None:
    site.board.away = True
    answer = await site.post("/tasks/submit", TEXT, headers={"Idempotency-Key": "k"})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert len(site.log.records) == 1


async def test_a_verdict_is_awaited_while_the_owner_comes_back(site: Any) -> None:
    site.board.away = True
    asyncio.get_running_loop().call_later(0.12, setattr, site.board, "away", False)
    answer = await site.post("/tasks/submit", TEXT, headers={"Idempotency-Key": "k"})
    assert answer.status == 202


async def test_a_key_in_header_and_body_must_be_the_same(site: Any) -> None:
    body = {**TEXT, "idempotency_key": "a"}
    assert (await site.post("/tasks/submit", body, headers={"Idempotency-Key": "a"})).status == 202
    answer = await site.post("/tasks/submit", body, headers={"Idempotency-Key": "b"})
    assert (answer.status, answer.body["field"]) == (422, "idempotency_key")


async def test_a_key_must_be_short_and_printable(site: Any) -> None:
    for key in ("", "x" * 256, "tab\there"):
        answer = await site.post("/tasks/submit", TEXT, headers={"Idempotency-Key": key})
        assert (answer.status, answer.body["field"]) == (422, "Idempotency-Key")
    answer = await site.post("/tasks/submit", {**TEXT, "idempotency_key": "a\nb"})
    assert (answer.status, answer.body["field"]) == (422, "idempotency_key")


async def test_the_row_of_another_source_record_is_the_replayed_task(site: Any) -> None:
    request = TaskRequest.model_validate({**TEXT, "task_id": "t1", "submitted_ms": 5})
    site.log.records = [request] * 3
    site.board.accept(request, SourcePlace(partition=0, offset=0))
    answer = await site.post("/tasks/submit", {**TEXT, "task_id": "t1"})
    assert (answer.status, answer.headers["Idempotent-Replayed"]) == (200, "true")
    assert answer.body["created_at"] == "1970-01-01T00:00:00.005Z"
