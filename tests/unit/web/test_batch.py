"""`POST /tasks/batch`: each task is accepted or refused by itself."""

from typing import Any

GOOD = {"task_type": "text_vectorization", "data": "a text"}
BAD = {"task_type": "text_vectorization", "data": ""}


async def test_each_task_of_a_batch_stands_for_itself(site: Any) -> None:
    answer = await site.post("/tasks/batch", {"tasks": [GOOD, BAD, "no task", GOOD]})
    body = answer.body
    assert (answer.status, body["accepted"], body["refused"]) == (202, 2, 2)
    assert [slot["index"] for slot in body["tasks"]] == [0, 1, 2, 3]
    assert [slot.get("status") for slot in body["tasks"]] == ["pending", None, None, "pending"]
    assert [slot.get("error", {}).get("field") for slot in body["tasks"]] == [
        None,
        "data",
        "body",
        None,
    ]
    assert body["tasks"][1]["error"]["status"] == 422
    assert len(site.board.rows) == 2
    assert set(site.board.rows) == {body["tasks"][0]["task_id"], body["tasks"][3]["task_id"]}


async def test_a_bare_list_is_a_batch(site: Any) -> None:
    answer = await site.post("/tasks/batch", [GOOD, GOOD])
    assert (answer.status, answer.body["accepted"]) == (202, 2)


async def test_a_batch_without_any_good_task_is_a_problem_with_its_slots(site: Any) -> None:
    answer = await site.post("/tasks/batch", [BAD, BAD])
    assert answer.status == 422
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.body["field"] == "tasks"
    assert [slot["error"]["field"] for slot in answer.body["tasks"]] == ["data", "data"]


async def test_a_batch_while_the_broker_is_away_may_be_tried_again(site: Any) -> None:
    site.log.down = True
    answer = await site.post("/tasks/batch", [GOOD, BAD])
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


async def test_what_is_no_batch_is_refused(site: Any) -> None:
    for body, field in (
        ({}, "tasks"),
        ({"tasks": 5}, "tasks"),
        ({"tasks": []}, "tasks"),
        ([], "tasks"),
        ("x", "tasks"),
        ({"tasks": [GOOD], "colour": 1}, "colour"),
    ):
        answer = await site.post("/tasks/batch", body)
        assert (answer.status, answer.body["field"]) == (422, field)


async def test_too_many_tasks_name_the_limit(site: Any) -> None:
    told = (await site.post("/tasks/batch", [GOOD] * 6)).body
    named = (told["limit"], told["given"], told["setting"])
    assert named == (5, 6, "task.max_batch_tasks")


async def test_a_batch_sent_again_under_its_key_makes_nothing_new(site: Any) -> None:
    other = {**GOOD, "idempotency_key": "mine"}
    key = {"Idempotency-Key": "b1"}
    first = (await site.post("/tasks/batch", [GOOD, GOOD, other], headers=key)).body
    second = (await site.post("/tasks/batch", [GOOD, GOOD, other], headers=key)).body
    assert [slot["task_id"] for slot in first["tasks"]] == [
        slot["task_id"] for slot in second["tasks"]
    ]
    assert len(site.board.rows) == 3


async def test_a_key_used_with_another_body_fails_only_its_own_task(site: Any) -> None:
    keyed = {**GOOD, "idempotency_key": "k"}
    answer = await site.post("/tasks/batch", [keyed, {**keyed, "data": "another"}, GOOD])
    kinds = sorted("error" in slot for slot in answer.body["tasks"])
    assert (answer.status, kinds) == (202, [False, False, True])
