"""Lists: pages, filters and cursors over a known set of tasks."""

import asyncio

import pytest

from tests.harness import Client, Service
from tests.harness.client import task_of

COUNT = 47
#: Tasks without a single good text fail.
FAILED = 5

OWN_SERVICE = True
SETTINGS = {"VECTORIZE_MASTER_TASK_MAX_PAGE_DEPTH": "1000"}


@pytest.fixture(scope="module")
def known(service: Service) -> list[str]:
    """The ids of all tasks there are."""

    async def make() -> list[str]:
        async with Client(service.url) as client:
            bodies = [task_of([" "]) for _ in range(FAILED)]
            bodies += [task_of(f"task {number}") for number in range(COUNT - FAILED)]
            slots = (await client.post("/tasks/batch", bodies)).json["tasks"]
            ids = [slot["task_id"] for slot in slots]
            await asyncio.gather(*(client.final(task_id) for task_id in ids))
            return ids

    return asyncio.run(make())


async def _walk(client: Client, query: str, cursor: str | None = "") -> list[str]:
    """All ids, page by page, along the cursor."""
    found: list[str] = []
    while cursor is not None:
        answer = await client.get(f"/tasks?{query}{f'&cursor={cursor}' if cursor else ''}")
        assert answer.status == 200, answer
        found += [task["task_id"] for task in answer.json["tasks"]]
        cursor = answer.json["next_cursor"]
    return found


async def test_a_list_has_the_pages_of_the_guide_newest_first(
    client: Client, known: list[str]
) -> None:
    status, _, page = await client.get("/tasks?page=1&page_size=10")
    assert status == 200
    assert (page["total"], page["page"], page["page_size"]) == (COUNT, 1, 10)
    assert len(page["tasks"]) == 10
    times = [task["created_at"] for task in page["tasks"]]
    assert times == sorted(times, reverse=True)
    assert page["tasks"][0] == await client.task(page["tasks"][0]["task_id"])


async def test_pages_hold_every_task_once(client: Client, known: list[str]) -> None:
    found: list[str] = []
    for number in range(1, 6):
        page = (await client.get(f"/tasks?page={number}&page_size=10")).json
        found += [task["task_id"] for task in page["tasks"]]
        assert (page["next_cursor"] is None) == (number == 5)
    assert sorted(found) == sorted(known)


@pytest.mark.parametrize("size", [1, 7, 47, 48])
async def test_a_cursor_walks_every_task_once(client: Client, known: list[str], size: int) -> None:
    found = await _walk(client, f"page_size={size}")
    assert sorted(found) == sorted(known)
    whole = (await client.get("/tasks?page_size=100")).json
    assert found == [task["task_id"] for task in whole["tasks"]]


@pytest.mark.parametrize(
    "state, count", [("failed", FAILED), ("completed", COUNT - FAILED), ("pending", 0)]
)
async def test_a_filter_shows_one_state_only(
    client: Client, known: list[str], state: str, count: int
) -> None:
    page = (await client.get(f"/tasks?status_filter={state}&page_size=100")).json
    assert (page["total"], len(page["tasks"])) == (count, count)
    assert {task["status"] for task in page["tasks"]} <= {state}
    assert len(await _walk(client, f"status_filter={state}&page_size=3")) == count


async def test_a_page_beyond_the_end_is_empty(client: Client, known: list[str]) -> None:
    status, _, page = await client.get("/tasks?page=9&page_size=10")
    assert (status, page["tasks"], page["total"], page["next_cursor"]) == (200, [], COUNT, None)


async def test_a_page_too_deep_names_the_limit_and_the_cursor(
    client: Client, known: list[str]
) -> None:
    status, _, problem = await client.get("/tasks?page=101&page_size=10")
    assert (status, problem["field"], problem["setting"]) == (422, "page", "task.max_page_depth")
    assert (problem["limit"], problem["given"]) == (1000, 1010)
    assert "cursor" in problem["detail"]
    assert (await client.get("/tasks?page=100&page_size=10")).status == 200


@pytest.mark.parametrize(
    "query, field",
    [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=x", "page"),
        ("page_size=0", "page_size"),
        ("page_size=1001", "page_size"),
        ("status_filter=asleep", "status_filter"),
        ("cursor=nonsense", "cursor"),
        ("cursor=AAAA&page=2", "cursor"),
    ],
)
async def test_a_bad_query_names_its_parameter(
    client: Client, known: list[str], query: str, field: str
) -> None:
    status, headers, problem = await client.get(f"/tasks?{query}")
    assert (status, problem["field"]) == (422, field)
    assert headers["Content-Type"].startswith("application/problem+json")


async def test_tasks_that_come_during_a_walk_do_not_disturb_it(
    client: Client, known: list[str]
) -> None:
    first = (await client.get("/tasks?page_size=20")).json
    late = await client.done("late")
    found = [task["task_id"] for task in first["tasks"]]
    found += await _walk(client, "page_size=20", first["next_cursor"])
    assert late["task_id"] not in found
    assert sorted(found) == sorted(known)
