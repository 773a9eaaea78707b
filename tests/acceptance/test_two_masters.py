"""Two masters answer as one."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from scripts.stack import StackState
from tests.acceptance.client import Answer, Client, texts_of
from tests.acceptance.evidence import assert_stored_once
from tests.harness import fresh_collection
from tests.harness.fleet import Fleet, Process


@pytest.fixture(scope="module")
def pair(stack: StackState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two masters, an embed worker and a store worker, for all tests of this page."""
    fleet = Fleet(stack, tmp_path_factory.mktemp("pair"))
    for role in ("master", "master", "embed", "store"):
        fleet.add(role)
    yield fleet
    fleet.end()


@pytest.fixture
async def client(pair: Fleet) -> AsyncIterator[Client]:
    """A client of both masters, with a collection of its own."""
    await pair.all_ready()
    async with Client(pair.processes[:2], fresh_collection()) as client:
        yield client


async def test_what_one_master_accepted_the_other_shows_at_once(client: Client) -> None:
    # Reads of unknown ids make the owners look up where their logs end, all the while: what they
    # learnt just before a submit must not be taken for the end after it.
    strangers = asyncio.create_task(_ask_for_strangers(client))
    for number in range(100):
        here, there = random.sample(list(client.masters), 2)
        task_id = await client.submit(texts_of(f"at-once-{number}", 2), at=here)
        answer = await client.ask("GET", f"/tasks/{task_id}", at=there)
        assert answer.status == 200, f"{number}: {answer}"
    assert not strangers.done(), strangers.result()
    strangers.cancel()
    await client.all_completed()


async def _ask_for_strangers(client: Client) -> None:
    while True:
        asked = [client.ask("GET", f"/tasks/{uuid4()}", at=at) for at in client.masters * 4]
        assert {answer.status for answer in await asyncio.gather(*asked)} == {404}


async def test_both_masters_list_all_tasks_newest_first(client: Client) -> None:
    mine = [await client.submit(texts_of(f"list-{number}", 2)) for number in range(20)]
    await client.all_completed()
    lists = []
    for master in client.masters:
        listed, cursor = [], ""
        while cursor is not None:
            path = f"/tasks?page_size=7{cursor and f'&cursor={cursor}'}"
            page = (await client.ask("GET", path, at=master)).body
            listed += page["tasks"]
            cursor = page["next_cursor"]
        assert page["total"] == len(listed)
        assert [task["task_id"] for task in listed[: len(mine)]] == mine[::-1]
        lists.append(listed)
    assert lists[0] == lists[1]


async def test_a_task_is_cancelled_through_the_master_that_did_not_take_it(
    client: Client, pair: Fleet, stack: StackState
) -> None:
    done = await client.submit(texts_of("done before", 3))
    await client.all_completed()
    for master in client.masters:
        late = await client.ask("DELETE", f"/tasks/{done}", at=master)
        assert (late.status, late.body["state"]) == (409, "completed"), late
    await pair.processes[
        2
    ].terminate()  # without its embed worker nothing finishes before it is cancelled
    try:
        await _cancel_across(client)
    finally:
        await pair.processes[2].start().ready()
    client.tasks = {done: 3}
    await client.submit(texts_of("after the cancelled", 10))
    await client.all_completed()
    assert_stored_once(stack, client.collection, client.tasks)


async def _cancel_across(client: Client) -> None:
    for number in range(6):
        here, there = random.sample(list(client.masters), 2)
        task_id = await client.submit(texts_of(f"cancel-{number}", 200), at=here)
        answer = await client.ask("DELETE", f"/tasks/{task_id}", at=there)
        assert (answer.status, answer.body["status"]) == (200, "cancelled"), answer
        for master in client.masters:
            assert (await client.task(task_id, at=master))["status"] == "cancelled"


async def test_a_call_that_waits_is_held_by_either_master(client: Client) -> None:
    for number in range(8):
        here, there = random.sample(list(client.masters), 2)
        task_id = await client.submit(texts_of(f"wait-{number}", 20), at=here)
        held = await asyncio.gather(
            *(client.ask("GET", f"/tasks/{task_id}?wait=30", at=at) for at in (here, there))
        )
        for answer in held:
            assert (answer.status, answer.body["status"]) == (200, "completed"), answer
    for master in client.masters:
        body = client.body(texts_of(f"submit-wait-{master.port}", 5))
        answer = await client.ask("POST", "/tasks/submit?wait=30", at=master, json=body)
        assert (answer.status, answer.body["status"]) == (200, "completed"), answer


async def test_one_key_posted_fifty_times_at_once_to_both_is_one_task(
    client: Client, stack: StackState
) -> None:
    before = [await _total(client, master) for master in client.masters]
    body = client.body(texts_of("one key", 30))
    key = {"Idempotency-Key": f"key-{uuid4()}"}

    async def post(number: int) -> Answer:
        at = client.masters[number % 2]
        return await client.ask("POST", "/tasks/submit", at=at, json=body, headers=key)

    answers = await asyncio.gather(*(post(number) for number in range(50)))
    assert {answer.status for answer in answers} <= {200, 202}, [
        answer for answer in answers if answer.status not in {200, 202}
    ][:3]
    (task_id,) = {answer.body["task_id"] for answer in answers}
    first = [answer for answer in answers if "Idempotent-Replayed" not in answer.headers]
    assert len(first) == 1
    other = {**body, "data": texts_of("another body", 30)}
    for master in client.masters:
        answer = await client.ask("POST", "/tasks/submit", at=master, json=other, headers=key)
        assert answer.status == 422, answer
    client.tasks[task_id] = 30
    await client.all_completed()
    assert_stored_once(stack, client.collection, client.tasks)
    assert [await _total(client, master) for master in client.masters] == [
        total + 1 for total in before
    ]


async def test_results_and_search_are_the_same_on_both(client: Client) -> None:
    texts = texts_of("both", 10)
    task_id = await client.submit(texts)
    await client.all_completed()
    pages = [
        (await client.ask("GET", f"/tasks/{task_id}/result", at=master)).body
        for master in client.masters
    ]
    assert pages[0] == pages[1]
    assert [item["status"] for item in pages[0]["items"]] == ["stored"] * len(texts)
    for index, text in enumerate(texts):
        for master in client.masters:
            wanted = {"query": text, "limit": 1, "collection": client.collection}
            answer = await client.ask("POST", "/search", at=master, json=wanted)
            assert answer.status == 200, answer
            (hit,) = answer.body["hits"]
            assert (hit["text"], hit["item"]) == (text, f"{task_id}/{index}")
        vector = {"vector": pages[0]["items"][index]["vector"], "limit": 1}
        found = [
            (await client.ask("POST", "/search", at=master, json=vector | _in(client))).body["hits"]
            for master in client.masters
        ]
        assert found[0] == found[1]
        assert found[0][0]["text"] == text


def _in(client: Client) -> dict[str, str]:
    return {"collection": client.collection}


async def _total(client: Client, master: Process) -> int:
    return int((await client.ask("GET", "/tasks?page_size=1", at=master)).body["total"])
