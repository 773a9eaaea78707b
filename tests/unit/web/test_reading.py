"""Reading one task, lists, and the raw tables."""

import asyncio
from typing import Any

import pytest
from pydantic import TypeAdapter

from models.states import TaskState
from models.units import ItemFailure
from web.views import Receipt, ResultPage, TaskPage, TaskView


async def test_a_task_is_shown_with_all_its_fields(site: Any) -> None:
    task_id = await site.submit_texts("a", "b", "c", metadata={"k": [1]}, priority="low")
    site.board.change(
        task_id,
        state=TaskState.COMPLETED,
        submitted_ms=1_700_000_000_000,
        started_ms=1_700_000_000_500,
        finished_ms=1_700_000_002_000,
        last_event_ms=1_700_000_001_000,
        stored_items=2,
        failed_items=1,
        truncated_items=1,
        tokens=30,
        computed_items=1,
        deduplicated_items=2,
        cached_items=3,
        first_error="no vector",
    )
    answer = await site.get(f"/tasks/{task_id}")
    assert answer.status == 200
    assert answer.body == {
        "task_id": task_id,
        "status": "completed",
        "progress": 1.0,
        "task_type": "batch_vectorization",
        "model_name": "tiny",
        "priority": "low",
        "total_items": 3,
        "completed_items": 2,
        "failed_items": 1,
        "truncated_items": 1,
        "tokens": 30,
        "computed_items": 1,
        "deduplicated_items": 2,
        "cached_items": 3,
        "options": {
            "dimensions": None,
            "normalize": True,
            "truncate": "end",
            "encoding": "float",
            "input_type": "document",
        },
        "error": "no vector",
        "metadata": {"k": [1]},
        "collection": "Tiny",
        "retry_of": None,
        "created_at": "2023-11-14T22:13:20.000Z",
        "started_at": "2023-11-14T22:13:20.500Z",
        "completed_at": "2023-11-14T22:13:22.000Z",
        "updated_at": "2023-11-14T22:13:22.000Z",
        "processing_time": 2.0,
        "deadline_at": None,
        "links": {"self": f"/tasks/{task_id}", "result": f"/tasks/{task_id}/result"},
    }


async def test_answers_fit_the_schemas_that_the_document_shows(site: Any) -> None:
    receipt = await site.post("/tasks/submit", {"task_type": "text_vectorization", "data": "a"})
    TypeAdapter(Receipt).validate_python(receipt.body)
    task = await site.get(receipt.body["links"]["self"])
    TypeAdapter(TaskView).validate_python(task.body)
    TypeAdapter(TaskPage).validate_python((await site.get("/tasks")).body)
    result = await site.get(receipt.body["links"]["result"])
    TypeAdapter(ResultPage).validate_python(result.body)


@pytest.mark.parametrize("path", ["/tasks/{}", "/tasks/{}/result", "/tables/tasks/{}"])
async def test_an_unknown_id_is_404(site: Any, path: str) -> None:
    answer = await site.get(path.format("nobody-knows"))
    assert (answer.status, answer.body["type"]) == (404, "urn:vectorize:problem:task-not-found")
    assert "nobody-knows" in answer.body["detail"]


async def test_while_the_owner_is_away_a_read_is_503_and_never_404(site: Any) -> None:
    site.board.away = True
    answer = await site.get("/tasks/anything")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    site.owners.away = True
    assert (await site.get("/tasks/anything")).status == 503


async def test_a_final_row_comes_from_the_cache_even_while_the_owner_is_away(site: Any) -> None:
    task_id = await site.submit()
    site.cache.rows[task_id] = site.board.change(task_id, state=TaskState.FAILED, finished_ms=1)
    site.board.away = True
    assert (await site.get(f"/tasks/{task_id}")).body["status"] == "failed"
    assert (await site.get(f"/tasks/{task_id}?wait=1")).body["status"] == "failed"


async def test_wait_on_a_read_holds_for_the_final_state(site: Any) -> None:
    task_id = await site.submit()
    waiting = asyncio.create_task(site.get(f"/tasks/{task_id}?wait=3"))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    site.board.change(task_id, state=TaskState.EXPIRED, finished_ms=1)
    assert (await waiting).body["status"] == "expired"


async def test_wait_on_a_read_outlasts_an_owner_that_is_away(site: Any) -> None:
    task_id = await site.submit()
    site.board.change(task_id, state=TaskState.FAILED, finished_ms=1)
    site.board.away = True
    asyncio.get_running_loop().call_later(0.12, setattr, site.board, "away", False)
    assert (await site.get(f"/tasks/{task_id}?wait=3")).status == 200


async def test_a_held_read_is_asked_for_anew_and_ends_when_the_process_stops(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.reading.HOLD_S", 0.05)
    task_id = await site.submit()
    waiting = asyncio.create_task(site.get(f"/tasks/{task_id}?wait=5"))
    await site.until(lambda: len(site.board.asked) > 2)
    await site.app.shutdown()
    answer = await asyncio.wait_for(waiting, 1)
    assert (answer.status, answer.body["status"]) == (200, "pending")


async def test_the_list_has_exactly_the_promised_fields_newest_first(site: Any) -> None:
    ids = [await site.submit(task_id=f"t{number}") for number in range(3)]
    for number, task_id in enumerate(ids):
        site.board.change(task_id, submitted_ms=number)
    body = (await site.get("/tasks")).body
    assert list(body) == ["tasks", "total", "page", "page_size", "next_cursor"]
    assert [task["task_id"] for task in body["tasks"]] == ["t2", "t1", "t0"]
    assert (body["total"], body["page"], body["page_size"]) == (3, 1, 20)
    assert body["next_cursor"] is None


async def test_pages_and_cursors_walk_the_same_list(site: Any) -> None:
    for number in range(5):
        await site.submit(task_id=f"t{number}")
        site.board.change(f"t{number}", submitted_ms=number)
    pages = [(await site.get(f"/tasks?page={page}&page_size=2")).body for page in (1, 2, 3, 4)]
    by_page = [[task["task_id"] for task in page["tasks"]] for page in pages]
    assert by_page == [["t4", "t3"], ["t2", "t1"], ["t0"], []]
    assert [page["total"] for page in pages] == [5, 5, 5, 5]
    assert [page["next_cursor"] is None for page in pages] == [False, False, True, True]
    cursor = pages[0]["next_cursor"]
    behind = (await site.get(f"/tasks?page_size=2&cursor={cursor}")).body
    assert [task["task_id"] for task in behind["tasks"]] == ["t2", "t1"]
    assert (behind["page"], behind["total"]) == (None, 5)
    assert behind["next_cursor"] == pages[1]["next_cursor"]


async def test_the_list_is_filtered_by_status(site: Any) -> None:
    await site.submit(task_id="open")
    site.board.change(await site.submit(task_id="done"), state=TaskState.COMPLETED)
    body = (await site.get("/tasks?status_filter=pending")).body
    assert ([task["task_id"] for task in body["tasks"]], body["total"]) == (["open"], 1)


@pytest.mark.parametrize(
    "query, field, reason",
    [
        ("status_filter=weird", "status_filter", "allowed: pending, processing, completed"),
        ("page=0", "page", "at least 1"),
        ("page=x", "page", "whole number"),
        ("page=99999999999999999999", "page", "whole number"),
        ("page_size=0", "page_size", "at least 1"),
        ("page_size=1001", "page_size", "task.max_page_size"),
        ("cursor=nonsense", "cursor", "not a cursor"),
        ("cursor=MTp0&page=2", "cursor", "either page or cursor"),
        ("page=101&page_size=100", "page", "`cursor`"),
    ],
)
async def test_a_list_query_that_is_wrong_names_its_field(
    site: Any, query: str, field: str, reason: str
) -> None:
    answer = await site.get(f"/tasks?{query}")
    assert (answer.status, answer.body["field"]) == (422, field)
    assert reason in answer.body["reason"]


async def test_a_page_too_deep_names_the_limit_and_the_last_one_is_served(site: Any) -> None:
    told = (await site.get("/tasks?page=101&page_size=100")).body
    assert (told["limit"], told["given"]) == (10_000, 10_100)
    assert told["setting"] == "task.max_page_depth"
    assert (await site.get("/tasks?page=100&page_size=100")).body["tasks"] == []


async def test_a_list_while_an_owner_is_away_is_503(site: Any) -> None:
    site.board.away = True
    assert (await site.get("/tasks")).status == 503


async def test_tables_show_the_row_and_the_errors_as_they_stand(site: Any) -> None:
    task_id = await site.submit()
    failure = ItemFailure.model_validate({"index": 0, "code": "bad_vector", "message": "NaN"})
    site.board.failures[task_id] = [failure]
    row = (await site.get(f"/tables/tasks/{task_id}")).body
    assert (row["task_id"], row["source"]) == (task_id, {"partition": 0, "offset": 0})
    errors = (await site.get(f"/tables/errors/{task_id}")).body
    assert errors == [{"index": 0, "code": "bad_vector", "message": "NaN", "own_id": None}]


async def test_an_unknown_table_is_404_and_names_the_tables(site: Any) -> None:
    answer = await site.get("/tables/secrets/x")
    assert answer.status == 404
    assert answer.body["detail"] == "no table 'secrets'; there are: tasks, errors"
    assert answer.body["allowed"] == ["tasks", "errors"]
    assert (await site.get("/tables/tasks/%20odd")).status == 404
