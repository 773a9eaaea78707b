"""Dead letters are listed, shown, and sent back once their cause is gone: HTTP and commands."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.ids import task_id_for_source
from scripts.stack import StackState
from tests.harness import Client, Log, Service, until
from tests.harness.client import task_of
from tests.harness.service import CHECKOUT
from tests.harness.waiting import PATIENCE_S

LIMIT = "VECTORIZE_MASTER_TASK_MAX_ITEMS"
PER_MINUTE = "VECTORIZE_MASTER_TASK_DEADLETTER_MAX_PER_MINUTE"
FAUST = [str(Path(sys.executable).with_name("faust")), "-A", "faust_app"]


@pytest.fixture
def service(stack: StackState, folder: Path) -> Iterator[Service]:
    """A service of its own, that takes few items at first."""
    with Service(stack, folder, settings={LIMIT: "3"}) as service:
        yield service


def command(service: Service, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*FAUST, *words],
        cwd=CHECKOUT,
        env=service.env,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


async def test_what_was_refused_is_done_when_it_is_sent_back_after_the_cause_is_gone(
    client: Client, log: Log, service: Service
) -> None:
    texts = [f"text {number}" for number in range(5)]
    (place,) = await log.produce([task_of(texts)])
    await log.produce([b"no task"], partition=place.partition)

    async def listed() -> list[dict[str, object]]:
        letters = (await client.get("/dead-letters")).json["dead_letters"]
        return letters if len(letters) == 2 else []

    letters = await until("both are dead letters", listed)
    source = {"topic": place.topic, "partition": place.partition, "offset": place.offset}
    (letter,) = [each for each in letters if each["source"] == source]
    number = letter["number"]
    assert "task.max_items" in str(letter["detail"])
    assert "text 4" in (await client.get(f"/dead-letters/{number}")).json["text"]

    service.terminate()
    del service.env[LIMIT]
    service.start().wait_ready()
    async with Client(service.url) as anew:  # the old connections are gone
        await _is_done_when_sent_back(anew, log, service, number, place)


async def test_clients_that_reuse_an_id_are_refused_and_hold_nobody_up(
    stack: StackState, folder: Path
) -> None:
    with Service(stack, folder, settings={PER_MINUTE: "2"}) as service:
        async with Client(service.url) as client:
            first = await client.done("the first", task_id="harbour")
            for number in range(5):
                again = await client.post(
                    "/tasks/submit", task_of(f"another {number}", task_id="harbour")
                )
                assert (again.status, again.json["task_id"]) == (422, "harbour")

            async def buried() -> bool:
                letters = (await client.get("/dead-letters")).json["dead_letters"]
                return [each["reason"] for each in letters] == ["conflict"] * 5

            await until("each is a dead letter all the same", buried)
            assert (await client.get("/readyz")).status == 200
            await client.done("of somebody else")
            assert first["task_id"] == "harbour"


async def _is_done_when_sent_back(
    client: Client, log: Log, service: Service, number: object, place: Any
) -> None:
    sent = await client.post(f"/dead-letters/{number}/redrive")
    assert (sent.status, sent.json["topic"]) == (202, log.topic("tasks"))
    task_id = task_id_for_source(place.topic, place.partition, place.offset)

    async def known() -> bool:
        return (await client.get(f"/tasks/{task_id}")).status == 200

    await until("it is a task", known)
    assert (await client.final(task_id))["completed_items"] == 5

    shown = command(service, "dead-show", str(number))
    assert (shown.returncode, "text 4" in shown.stdout) == (0, True), shown
    again = command(service, "dead-redrive", str(number))
    assert again.returncode == 0, again.stderr
    late = command(service, "dead-redrive", "--reason", "invalid_task")
    assert late.returncode == 0, late.stderr
    assert late.stdout.count(" -> partition ") == 2
    # The same record once more, twice: still one task. The other is no better than it was.
    await until("the other is buried again", lambda: _count(client, 3))
    found = (await client.get("/tasks")).json
    assert [task["task_id"] for task in found["tasks"]] == [task_id]
    lines = command(service, "dead-list", "--limit", "1").stdout.splitlines()
    assert "no task" not in lines[-2]
    assert lines[-1].startswith("more: --before ")


async def _count(client: Client, wanted: int) -> bool:
    return len((await client.get("/dead-letters")).json["dead_letters"]) == wanted


def test_a_command_for_what_is_not_there_says_so_in_one_line(service: Service) -> None:
    done = command(service, "dead-show", "99")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == (
        "vectorize: no dead letter 99: it never existed, or its retention is over"
    )
    assert command(service, "dead-redrive").returncode == 2
