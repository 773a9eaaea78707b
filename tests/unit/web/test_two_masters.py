"""Two masters: what one owns the other shows, by one hop and never by two."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from models.states import TaskState
from models.units import ItemFailure

HOP = {"X-Vectorize-Hop": "1"}


@pytest.fixture
async def masters(make_site: Any) -> Any:
    """`asked` owns nothing of the tasks t0 … t9; `owner` owns them all."""
    asked, owner = await make_site(api_key="k"), await make_site(api_key="k")
    for site in (asked, owner):
        site.client.session.headers["X-API-Key"] = "k"
    asked.owners.urls = {f"t{number}": owner.url for number in range(10)}
    asked.owners.all = [None, owner.url]
    owner.owners.all = [asked.url, None]
    return asked, owner


async def test_a_task_is_read_at_its_owner(masters: Any) -> None:
    asked, owner = masters
    await owner.submit(task_id="t1", metadata={"k": 1})
    answer = await asked.get("/tasks/t1")
    assert (answer.status, answer.body["metadata"]) == (200, {"k": 1})
    assert asked.board.asked == []
    assert (await asked.get("/tables/tasks/t1")).body["task_id"] == "t1"


async def test_404_comes_from_the_owner_alone(masters: Any) -> None:
    asked, owner = masters
    assert (await asked.get("/tasks/t1")).status == 404
    owner.board.away = True
    assert (await asked.get("/tasks/t1")).status == 503


async def test_a_keyed_submit_and_a_cancel_are_judged_by_the_owner(masters: Any) -> None:
    asked, owner = masters

    async def submit(request: Any) -> Any:
        return await owner.parts.log.submit(request)

    async def cancel(task_id: str) -> int:
        return int(await owner.parts.log.cancel(task_id))

    asked.log.submit, asked.log.cancel = submit, cancel
    body = {"task_type": "text_vectorization", "data": "x", "task_id": "t2"}
    statuses = [(await asked.post("/tasks/submit", body)).status for _ in range(2)]
    assert statuses == [202, 200]
    assert (await asked.delete("/tasks/t2")).body["status"] == "cancelled"
    assert asked.board.rows == {}


async def test_wait_is_held_at_the_owner(masters: Any) -> None:
    asked, owner = masters
    await owner.submit(task_id="t3")
    waiting = asyncio.create_task(asked.get("/tasks/t3?wait=3"))
    await asyncio.sleep(0.7)  # longer than the hop's own timeout
    assert not waiting.done()
    owner.board.change("t3", state=TaskState.FAILED, finished_ms=1)
    assert (await waiting).body["status"] == "failed"


async def test_errors_of_a_result_come_from_the_owner(masters: Any) -> None:
    asked, owner = masters
    await owner.submit(task_id="t4")
    owner.board.change("t4", state=TaskState.FAILED, failed=1, failed_items=1)
    failure = {"index": 0, "code": "bad_vector", "message": "NaN"}
    owner.board.failures["t4"] = [ItemFailure.model_validate(failure)]
    [item] = (await asked.get("/tasks/t4/result")).body["items"]
    assert item["error"] == {"code": "bad_vector", "message": "NaN"}


async def test_lists_and_figures_of_all_owners_are_merged(masters: Any) -> None:
    asked, owner = masters
    for number in range(4):
        await owner.submit(task_id=f"t{number}")
        owner.board.change(f"t{number}", submitted_ms=number * 2)
        await asked.submit(task_id=f"own{number}")
        asked.board.change(f"own{number}", submitted_ms=number * 2 + 1)
    newest = ["own3", "t3", "own2", "t2", "own1", "t1", "own0", "t0"]
    for site in (asked, owner):
        pages = [(await site.get(f"/tasks?page={page}&page_size=3")).body for page in (1, 2, 3)]
        assert [task["task_id"] for page in pages for task in page["tasks"]] == newest
        assert {page["total"] for page in pages} == {8}
        behind = (await site.get(f"/tasks?page_size=5&cursor={pages[0]['next_cursor']}")).body
        assert [task["task_id"] for task in behind["tasks"]] == newest[3:]
        assert behind["next_cursor"] is None
    assert (await asked.get("/metrics")).body["pending_tasks"] == 8
    assert (await asked.get("/health")).body["queue_size"] == 8


async def test_a_list_with_an_owner_that_is_away_is_503(masters: Any) -> None:
    asked, owner = masters
    owner.board.away = True
    assert (await asked.get("/tasks")).status == 503


async def test_a_dead_owner_is_503(masters: Any) -> None:
    asked, owner = masters
    await owner.client.close()
    for path in ("/tasks/t1", "/tasks", "/metrics", "/tables/tasks/t1"):
        answer = await asked.get(path)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


async def test_an_owner_that_hangs_is_503_after_the_read_timeout(masters: Any) -> None:
    asked, owner = masters

    async def hang(*args: Any, **kwargs: Any) -> None:
        await asyncio.sleep(2)

    owner.board.row = hang
    began = asyncio.get_running_loop().time()
    assert (await asked.get("/tasks/t1")).status == 503
    assert asyncio.get_running_loop().time() - began < 1.5


async def test_a_404_of_a_stranger_on_the_owners_port_is_not_believed(masters: Any) -> None:
    asked, _ = masters
    async with TestServer(web.Application()) as stranger:
        asked.owners.urls["t1"] = str(stranger.make_url("")).rstrip("/")
        assert (await asked.get("/tasks/t1")).status == 503


async def test_a_master_that_does_not_own_the_task_never_asks_a_third(masters: Any) -> None:
    asked, owner = masters
    owner.owners.urls = {"t1": asked.url}
    answer = await asked.get("/tasks/t1")
    assert answer.status == 503
    assert (asked.board.asked, owner.board.asked) == ([], [])


async def test_only_a_first_hop_is_let_in(masters: Any) -> None:
    _, owner = masters
    await owner.submit(task_id="t1")
    for path in ("tasks/t1", "errors/t1", "page", "tally"):
        assert (await owner.get(f"/owner/{path}")).status == 404
        assert (await owner.get(f"/owner/{path}", headers=HOP)).status == 200
        assert (await owner.get(f"/owner/{path}", headers={"X-Vectorize-Hop": "2"})).status == 503
    odd = await owner.get("/owner/page?query=5", headers=HOP)
    assert (odd.status, odd.body["field"]) == (422, "query")
