"""SIGKILL in mid-batch, of each kind of process, with a restart as a supervisor would do it."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest

from scripts.stack import StackState
from tests.acceptance.client import Client, texts_of, watching
from tests.acceptance.evidence import announced, assert_stored_once
from tests.harness import fresh_collection, hashing_vectors
from tests.harness.fleet import Fleet

TASKS, ITEMS = 24, 150


@pytest.fixture(scope="module")
def fleet(stack: StackState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two masters, an embed worker and a store worker; each test kills one and brings it back."""
    fleet = Fleet(stack, tmp_path_factory.mktemp("sigkill"))
    for role in ("master", "master", "embed", "store"):
        fleet.add(role)
    yield fleet
    fleet.end()


@pytest.mark.parametrize("victim", ["embed", "store", "master"])
async def test_a_process_killed_in_mid_batch_loses_and_repeats_nothing(
    fleet: Fleet, stack: StackState, victim: str
) -> None:
    await fleet.all_ready()
    masters = fleet.processes[:2]
    killed = next(each for each in fleet.processes if each.name.startswith(victim))
    async with Client(masters, fresh_collection()) as client:
        texts = [texts_of(f"{victim}-{number}", ITEMS) for number in range(TASKS)]
        ids = await _submit_half(client, texts[: TASKS // 2])
        async with watching(client):
            await client.some_stored(1)
            killed.kill()
            await asyncio.sleep(0.5)
            killed.start()
            # Clients do not stop for it: what one master cannot take, the other does.
            for number, each in enumerate(texts[TASKS // 2 :]):
                ids.append(await client.submit_stubbornly(each, f"{victim}-{uuid4()}-{number}"))
            await client.all_completed()
        await fleet.all_ready()
        assert_stored_once(stack, client.collection, client.tasks)
        for at in (0, TASKS // 2, TASKS - 1):
            await _assert_right_vectors(client, ids[at], texts[at])
        assert client.tasks.keys() <= (await announced(stack, fleet.prefix)).keys()


async def _submit_half(client: Client, texts: list[list[str]]) -> list[str]:
    return list(
        await asyncio.gather(
            *(client.submit(each, at=client.masters[at % 2]) for at, each in enumerate(texts))
        )
    )


async def _assert_right_vectors(client: Client, task_id: str, texts: list[str]) -> None:
    """Each item holds the vector of its own text, not of a neighbour's."""
    wanted = hashing_vectors(texts, "test/hashing-64")
    page = (await client.ask("GET", f"/tasks/{task_id}/result?limit={len(texts)}")).body
    assert [item["index"] for item in page["items"]] == list(range(len(texts)))
    for item, vector in zip(page["items"], wanted, strict=True):
        assert item["vector"] == pytest.approx(vector.tolist(), abs=1e-5), item["index"]
