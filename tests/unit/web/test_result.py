"""`GET /tasks/{id}/result`: the outcome of each item, paged, with its vector."""

import base64
from typing import Any

import numpy as np
import pytest

from models.states import TaskState
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
