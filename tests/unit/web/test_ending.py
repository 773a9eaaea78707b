"""Cancelling and retrying."""

from typing import Any

import pytest

from models.states import TaskState


async def test_a_cancel_answers_with_the_cancelled_task_however_often(site: Any) -> None:
    task_id = await site.submit()
    for _ in range(2):
        answer = await site.delete(f"/tasks/{task_id}")
        assert (answer.status, answer.body["status"]) == (200, "cancelled")


async def test_a_cancel_of_an_unknown_task_is_404(site: Any) -> None:
    assert (await site.delete("/tasks/unknown")).status == 404


@pytest.mark.parametrize("state", ["completed", "failed", "expired"])
async def test_a_cancel_of_a_finished_task_is_409_with_its_state(site: Any, state: str) -> None:
    task_id = await site.submit()
    site.board.change(task_id, state=TaskState(state))
    answer = await site.delete(f"/tasks/{task_id}")
    assert (answer.status, answer.body["state"]) == (409, state)
    assert answer.body["task_id"] == task_id


async def test_a_task_that_finishes_first_wins_over_the_cancel(site: Any) -> None:
    task_id = await site.submit()

    async def finish(_: str) -> int:
        site.board.change(task_id, state=TaskState.COMPLETED)
        return 9

    site.log.cancel = finish
    assert (await site.delete(f"/tasks/{task_id}")).status == 409


async def test_a_cancel_without_a_verdict_in_time_is_202(site: Any) -> None:
    task_id = await site.submit()
    site.log.cancel_folds = False
    answer = await site.delete(f"/tasks/{task_id}")
    assert (answer.status, answer.body["status"]) == (202, "cancel_requested")
    assert answer.body["task_id"] == task_id


async def test_a_retry_makes_a_new_task_of_the_failed_items_with_their_own_ids(site: Any) -> None:
    old = await site.submit_texts(
        "a", "b", "c", item_ids=["x", "y", "z"], metadata={"m": 1}, priority="high"
    )
    site.board.change(old, state=TaskState.COMPLETED, failed=0b101, stored_items=1)
    answer = await site.post(f"/tasks/{old}/retry")
    assert answer.status == 202
    assert answer.body["retry_of"] == old
    assert answer.body["task_id"] != old
    assert answer.headers["Location"] == f"/tasks/{answer.body['task_id']}"
    record = site.log.records[-1]
    assert (record.data, record.item_ids) == (["a", "c"], ["x", "z"])
    assert (record.metadata, record.priority, record.collection) == ({"m": 1}, "high", "Tiny")
    assert (record.retry_of, record.task_id) == (old, answer.body["task_id"])


@pytest.mark.parametrize("state", ["cancelled", "expired"])
async def test_a_retry_of_an_ended_task_does_all_of_it(site: Any, state: str) -> None:
    old = await site.submit_texts("a", "b")
    site.board.change(old, state=TaskState(state), failed=0b1)
    assert (await site.post(f"/tasks/{old}/retry")).status == 202
    assert site.log.records[-1].data == ["a", "b"]


async def test_a_retry_of_one_text_is_one_text(site: Any) -> None:
    old = await site.submit("only")
    site.board.change(old, state=TaskState.FAILED, failed=1)
    await site.post(f"/tasks/{old}/retry")
    assert site.log.records[-1].data == "only"


async def test_a_retry_under_a_key_happens_once(site: Any) -> None:
    old = await site.submit()
    site.board.change(old, state=TaskState.FAILED, failed=1)
    path, key = f"/tasks/{old}/retry", {"Idempotency-Key": "again"}
    first, second = [await site.post(path, headers=key) for _ in range(2)]
    assert (first.status, second.status) == (202, 200)
    assert first.body["task_id"] == second.body["task_id"]


async def test_a_retry_that_makes_no_sense_is_409_with_the_state(site: Any) -> None:
    task_id = await site.submit()
    answer = await site.post(f"/tasks/{task_id}/retry")
    assert (answer.status, answer.body["state"]) == (409, "pending")
    assert answer.body["type"] == "urn:vectorize:problem:task-unfinished"
    site.board.change(task_id, state=TaskState.COMPLETED)
    answer = await site.post(f"/tasks/{task_id}/retry")
    assert (answer.status, answer.body["state"]) == (409, "completed")
    assert answer.body["type"] == "urn:vectorize:problem:nothing-to-retry"


async def test_a_retry_without_its_source_record_is_gone(site: Any) -> None:
    task_id = await site.submit()
    site.board.change(task_id, state=TaskState.FAILED, failed=1)
    site.log.kept = False
    answer = await site.post(f"/tasks/{task_id}/retry")
    assert (answer.status, answer.body["task_id"]) == (410, task_id)
    assert (await site.post("/tasks/unknown/retry")).status == 404
