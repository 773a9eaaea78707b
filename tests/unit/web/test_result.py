"""`GET /tasks/{id}/result`: the outcome of each item, paged, with its vector."""

import base64
from typing import Any

import numpy as np
import pytest

from models.states import ItemErrorCode, TaskState
from models.units import ItemFailure
from models.vectors import StoredVector

VECTOR = np.array([0.1, -0.25, 3.0, 1e-7], dtype=np.float32)


def store(site: Any, task_id: str, *indexes: int) -> None:
    found = {at: StoredVector(at, f"{task_id}/{at}", VECTOR * (at + 1)) for at in indexes}
    site.vectors.stored[task_id] = found


async def finished(site: Any) -> str:
    """Three texts: the first and the last are stored, the second failed."""
    task_id = str(await site.submit_texts("a", "b", "c"))
    site.board.change(
        task_id, state=TaskState.COMPLETED, failed=0b10, stored_items=2, failed_items=1
    )
    failure = {"index": 1, "code": "empty_text", "message": "the text is empty"}
    site.board.failures[task_id] = [ItemFailure.model_validate(failure)]
    store(site, task_id, 0, 2)
    return task_id


async def test_each_item_has_its_outcome_and_the_right_vector(site: Any) -> None:
    task_id = await finished(site)
    body = (await site.get(f"/tasks/{task_id}/result")).body
    items = body.pop("items")
    assert body == {
        "task_id": task_id,
        "status": "completed",
        "total": 3,
        "offset": 0,
        "limit": 100,
        "next_offset": None,
        "model_name": "tiny",
        "dimension": 4,
        "encoding": "float",
    }
    assert [item["status"] for item in items] == ["stored", "failed", "stored"]
    assert [item["index"] for item in items] == [0, 1, 2]
    assert items[0]["item"] == f"{task_id}/0"
    assert items[1]["error"] == {"code": "empty_text", "message": "the text is empty"}
    assert "vector" not in items[1]
    for item in (items[0], items[2]):
        read = np.array(item["vector"], dtype=np.float32)
        assert (read == VECTOR * (item["index"] + 1)).all()


async def test_base64_holds_the_very_same_float32(site: Any) -> None:
    task_id = await finished(site)
    items = (await site.get(f"/tasks/{task_id}/result?encoding=base64")).body["items"]
    read = np.frombuffer(base64.b64decode(items[2]["vector"]), dtype="<f4")
    assert (read == VECTOR * 3).all()


async def test_a_task_may_ask_for_base64_and_its_reader_for_something_else(site: Any) -> None:
    task_id = await site.submit(encoding="base64")
    site.board.change(task_id, state=TaskState.COMPLETED, stored_items=1)
    store(site, task_id, 0)
    body = (await site.get(f"/tasks/{task_id}/result")).body
    assert body["encoding"] == "base64"
    raw = base64.b64decode(body["items"][0]["vector"])
    assert (np.frombuffer(raw, dtype="<f4") == VECTOR).all()
    body = (await site.get(f"/tasks/{task_id}/result?encoding=float")).body
    assert body["encoding"] == "float"
    assert (np.array(body["items"][0]["vector"], dtype=np.float32) == VECTOR).all()


async def test_each_stored_item_says_how_long_its_text_was_and_whether_it_was_cut(
    site: Any,
) -> None:
    task_id = await finished(site)
    site.vectors.stored[task_id] = {
        0: StoredVector(0, f"{task_id}/0", VECTOR, tokens=3, truncated=False),
        2: StoredVector(2, f"{task_id}/2", VECTOR, tokens=900, truncated=True),
    }
    for query in ("", "?vectors=false"):
        items = (await site.get(f"/tasks/{task_id}/result{query}")).body["items"]
        shown = [(item.get("tokens"), item.get("truncated")) for item in items]
        assert shown == [(3, False), (None, None), (900, True)]


async def test_an_object_of_before_says_nothing_of_its_texts_length(site: Any) -> None:
    items = (await site.get(f"/tasks/{await finished(site)}/result")).body["items"]
    assert set(items[0]) == {"index", "item", "status", "vector"}


async def test_a_text_too_long_under_truncate_error_failed_with_both_numbers(site: Any) -> None:
    task_id = await site.submit("a long text", truncate="error")
    site.board.change(task_id, state=TaskState.FAILED, failed=1, failed_items=1)
    message = "the text has 300 tokens, the model takes 16 (truncate: error)"
    failure = ItemFailure(index=0, code=ItemErrorCode.TEXT_TOO_LONG, message=message)
    site.board.failures[task_id] = [failure]
    (item,) = (await site.get(f"/tasks/{task_id}/result")).body["items"]
    assert (item["status"], item["error"]) == (
        "failed",
        {"code": "text_too_long", "message": message},
    )


async def test_the_dimension_of_a_result_is_that_of_its_vectors(site: Any) -> None:
    task_id = await site.submit(dimensions=2)
    assert (await site.get(f"/tasks/{task_id}/result")).body["dimension"] == 2


async def test_pages_join_up(site: Any) -> None:
    task_id = await finished(site)
    seen, offset = [], 0
    while offset is not None:
        body = (await site.get(f"/tasks/{task_id}/result?offset={offset}&limit=2")).body
        seen += [item["index"] for item in body["items"]]
        offset = body["next_offset"]
    assert seen == [0, 1, 2]


async def test_a_page_beyond_the_end_is_empty(site: Any) -> None:
    body = (await site.get(f"/tasks/{await finished(site)}/result?offset=3")).body
    assert (body["items"], body["next_offset"], body["total"]) == ([], None, 3)


async def test_without_vectors_the_store_is_not_needed(site: Any) -> None:
    task_id = await finished(site)
    site.vectors.alive = False
    assert (await site.get(f"/tasks/{task_id}/result")).status == 503
    items = (await site.get(f"/tasks/{task_id}/result?vectors=false")).body["items"]
    assert [item["status"] for item in items] == ["stored", "failed", "stored"]
    assert not any("vector" in item for item in items)


async def test_an_unfinished_task_shows_what_is_there_and_what_is_pending(site: Any) -> None:
    task_id = await site.submit_texts("a", "b")
    store(site, task_id, 1)
    items = (await site.get(f"/tasks/{task_id}/result")).body["items"]
    assert [item["status"] for item in items] == ["pending", "stored"]


async def test_an_item_that_a_later_task_holds_reads_superseded(site: Any) -> None:
    task_id = await site.submit_texts("a", "b", item_ids=["x", "y"])
    site.board.change(task_id, state=TaskState.COMPLETED, stored_items=2)
    site.vectors.stored[task_id] = {1: StoredVector(1, "y", None)}
    items = (await site.get(f"/tasks/{task_id}/result?vectors=false")).body["items"]
    assert [item["status"] for item in items] == ["superseded", "stored"]
    assert [item["item"] for item in items] == [None, "y"]


@pytest.mark.parametrize("state", ["cancelled", "expired"])
async def test_the_items_of_an_ended_task_failed_for_that_reason(site: Any, state: str) -> None:
    task_id = await site.submit_texts("a", "b")
    site.board.change(task_id, state=TaskState(state))
    store(site, task_id, 0)
    items = (await site.get(f"/tasks/{task_id}/result")).body["items"]
    assert [(item["status"], item["error"]["code"]) for item in items] == [("failed", state)] * 2


@pytest.mark.parametrize(
    "query, field",
    [
        ("offset=-1", "offset"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("encoding=hex", "encoding"),
        ("vectors=maybe", "vectors"),
    ],
)
async def test_a_result_query_that_is_wrong_names_its_field(
    site: Any, query: str, field: str
) -> None:
    answer = await site.get(f"/tasks/{await finished(site)}/result?{query}")
    assert (answer.status, answer.body["field"]) == (422, field)
