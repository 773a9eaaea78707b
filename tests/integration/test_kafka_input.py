"""Straight into Kafka: any producer's good record is a task, garbage is a dead letter."""

import asyncio
import gzip
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from models.ids import task_id_for_key, task_id_for_source
from scripts.stack import StackState
from tests.harness import Client, Log, console_produce, until
from tests.harness.client import Answer, task_of
from tests.harness.kafka import headers_of, producer

MIB = 1024 * 1024
PARTITIONS = 4
TEXT = b'{"task_type": "text_vectorization", "data": '


async def _marked(client: Client, mark: str) -> list[dict[str, object]]:
    """The tasks with this mark in their metadata."""
    found = await client.get("/tasks?page_size=1000")
    return [task for task in found.json["tasks"] if task["metadata"].get("mark") == mark]


async def _task(client: Client, task_id: str) -> Answer:
    """A task that somebody produced: not there yet is no failure."""

    async def look() -> Answer | None:
        answer = await client.get(f"/tasks/{task_id}")
        assert answer.status in {200, 404, 503}, answer
        return answer if answer.status == 200 else None

    return await until(f"task {task_id} is there", look)


async def test_a_line_for_the_console_producer_is_one_task(
    client: Client, log: Log, stack: StackState, folder: Path
) -> None:
    mark = uuid4().hex
    line = orjson.dumps(task_of("来自控制台 from the console", metadata={"mark": mark})).decode()
    await console_produce(stack, log.topic("tasks"), f"{line}\n", folder)
    (record,) = [
        one
        for one in await log.records("tasks")
        if mark.encode() in (one.value or b"") and not one.key
    ]
    task_id = task_id_for_source(record.topic, record.partition, record.offset)
    await _task(client, task_id)
    task = await client.final(task_id)
    assert (task["status"], task["completed_items"]) == ("completed", 1)
    assert [one["task_id"] for one in await _marked(client, mark)] == [task_id]
    items = (await client.get(f"/tasks/{task_id}/result")).json["items"]
    assert items[0]["status"] == "stored"


GARBAGE: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", "invalid_task", "not valid JSON"),
    "no JSON": (b"hello", "invalid_task", "not valid JSON"),
    "noise": (bytes(range(256)), "invalid_task", "not valid JSON"),
    "a list": (b"[1]", "invalid_task", "a task is a JSON object"),
    "wrong types": (TEXT + b"7}", "invalid_task", "data"),
    "an empty text": (TEXT + b'""}', "invalid_task", "the text is empty"),
    "an empty list": (orjson.dumps(task_of([])), "invalid_task", "the list is empty"),
    "10,001 items": (orjson.dumps(task_of(["x"] * 10_001)), "invalid_task", "10000"),
    # As large as the broker takes it: with its reasons in the headers it does not fit whole.
    "9 MiB": (TEXT + b'"' + b"x" * (9 * MIB - 200) + b'"}', "invalid_task", "max_text_bytes"),
    "an unknown type": (b'{"task_type": "sound", "data": "x"}', "invalid_task", "task_type"),
    "an unknown model": (orjson.dumps(task_of("x", model_name="bert")), "unknown_model", "allowed"),
    "a lone surrogate": (TEXT + rb'"\ud800"}', "invalid_task", "not valid JSON"),
    "NaN": (TEXT + b'"x", "deadline_s": NaN}', "invalid_task", "not valid JSON"),
    "a depth bomb": (b"[" * 100_000, "invalid_task", "not valid JSON"),
    "a flat depth bomb": (
        TEXT + b'"x", "metadata": {"a": ' + b"[" * 60 + b"]" * 60 + b"}}",
        "invalid_task",
        "max_json_depth",
    ),
    "a compressed bomb": (gzip.compress(b"x" * 50 * MIB), "invalid_task", "not valid JSON"),
    "a version of a wrong type": (TEXT + b'"x", "v": "new"}', "invalid_task", "v"),
    "an unknown field": (orjson.dumps(task_of("x", dat="y")), "invalid_task", "dat"),
}


@pytest.mark.parametrize("partition", range(PARTITIONS))
async def test_garbage_goes_to_the_dead_letters_and_the_next_good_record_is_done(
    client: Client, log: Log, partition: int
) -> None:
    names = list(GARBAGE)[partition::PARTITIONS]
    mark = uuid4().hex
    good = task_of("after the garbage", metadata={"mark": mark})
    values = [GARBAGE[name][0] for name in names]
    *places, last = await log.produce([*values, good], partition=partition)
    task = await _task(client, task_id_for_source(last.topic, last.partition, last.offset))
    assert (await client.final(task.json["task_id"]))["status"] == "completed"

    async def buried() -> dict[str, object]:
        dead = {headers_of(record)["source"]: record for record in await log.records("dead")}
        return dead if {_source(place) for place in places} <= set(dead) else {}

    dead = await until("the garbage is buried", buried)
    for name, place in zip(names, places, strict=True):
        value, reason, detail = GARBAGE[name]
        record = dead[_source(place)]
        headers = headers_of(record)
        kept = value[: len(record.value)] if "cut_from_bytes" in headers else value
        assert record.value == kept, name
        assert (headers["reason"], headers["stage"]) == (reason, "intake"), name
        assert detail in headers["detail"], (name, headers)
        assert int(headers["attempts"]) >= 1


def _source(place: object) -> str:
    return f"{place.topic}[{place.partition}]@{place.offset}"


async def test_a_record_without_a_value_stops_nothing(client: Client, log: Log) -> None:
    (place,) = await log.produce([None], key=b"nobody", partition=0)
    (last,) = await log.produce([task_of("after the tombstone")], partition=0)
    await _task(client, task_id_for_source(last.topic, last.partition, last.offset))

    async def buried() -> list[object]:
        dead = await log.records("dead")
        return [one for one in dead if headers_of(one)["source"] == _source(place)]

    await until("the tombstone is buried", buried)


async def test_a_record_under_a_wrong_key_is_its_own_task(client: Client, log: Log) -> None:
    task_id = f"own-{uuid4().hex}"
    await log.produce([task_of("wrong key", task_id=task_id)], key=b"somebody else")
    await log.produce([task_of("wrong key", task_id=task_id)], key=b"\xff\x00\xfe", partition=1)
    assert (await _task(client, task_id)).json["total_items"] == 1
    assert (await client.final(task_id))["status"] == "completed"


async def test_a_record_under_its_right_key_is_taken_as_it_lies(client: Client, log: Log) -> None:
    task_id = f"own-{uuid4().hex}"
    await log.produce([task_of(["a", "b"], task_id=task_id)], key=task_id.encode())
    await _task(client, task_id)
    assert (await client.final(task_id))["completed_items"] == 2
    found = [one for one in await log.records("tasks") if task_id.encode() in (one.value or b"")]
    assert len(found) == 1


async def test_an_idempotency_key_in_a_record_is_one_task(client: Client, log: Log) -> None:
    key, mark = uuid4().hex, uuid4().hex
    body = task_of("twice", idempotency_key=key, metadata={"mark": mark})
    await log.produce([body, body])
    await log.produce([body], partition=3, key=b"elsewhere")
    task_id = task_id_for_key("default", key)
    await _task(client, task_id)
    assert (await client.final(task_id))["status"] == "completed"
    # The same key over HTTP is the same task, and another body is refused.
    headers = {"Idempotency-Key": key}
    again = await client.post(
        "/tasks/submit", task_of("twice", metadata={"mark": mark}), headers=headers
    )
    assert (again.status, again.json["task_id"]) == (200, task_id)
    assert [one["task_id"] for one in await _marked(client, mark)] == [task_id]
    await log.produce([body | {"data": "another body"}])

    async def buried() -> list[dict[str, str]]:
        dead = [headers_of(one) for one in await log.records("dead")]
        return [one for one in dead if task_id in one["detail"]]

    (conflict,) = await until("the other body is buried", buried)
    assert conflict["reason"] == "conflict"
    assert (await client.task(task_id))["completed_items"] == 1


async def test_committed_records_are_tasks_and_aborted_ones_are_not(
    client: Client, log: Log
) -> None:
    kept, dropped = f"kept-{uuid4().hex}", f"dropped-{uuid4().hex}"
    async with log.transactions(f"tx-{uuid4().hex}") as sending:
        for round_ in range(3):
            async with sending.transaction():
                for partition in range(PARTITIONS):
                    body = task_of("kept", task_id=f"{kept}-{round_}-{partition}")
                    await sending.send(log.topic("tasks"), orjson.dumps(body), partition=partition)
            await sending.begin_transaction()
            for partition in range(PARTITIONS):
                body = task_of("dropped", task_id=f"{dropped}-{round_}-{partition}")
                await sending.send_and_wait(
                    log.topic("tasks"), orjson.dumps(body), partition=partition
                )
            await sending.abort_transaction()
    # Markers of transactions now end every partition. Whoever waits for "folded to the end" must
    # not wait for them.
    await _nobody_is_known(client)
    names = [f"{round_}-{partition}" for round_ in range(3) for partition in range(PARTITIONS)]
    for name in names:
        await _task(client, f"{kept}-{name}")
        assert (await client.final(f"{kept}-{name}"))["status"] == "completed"
        assert (await client.get(f"/tasks/{dropped}-{name}")).status == 404
    assert await client.submit("after the transactions")


async def _nobody_is_known(client: Client) -> None:
    """An unknown id is said to be unknown on every partition, soon; never that it is there."""

    async def look() -> bool:
        answers = await asyncio.gather(*(client.get(f"/tasks/{uuid4()}") for _ in range(20)))
        assert {answer.status for answer in answers} <= {404, 503}
        return all(answer.status == 404 for answer in answers)

    await until("unknown ids are not found", look, limit_s=15)


async def test_a_transaction_that_stays_open_holds_back_no_read_of_what_is_known(
    client: Client, log: Log
) -> None:
    known = await client.done("known before")
    async with log.transactions(f"tx-{uuid4().hex}") as sending:
        await sending.begin_transaction()
        for partition in range(PARTITIONS):
            await sending.send_and_wait(
                log.topic("tasks"), orjson.dumps(task_of("open")), partition=partition
            )
        assert (await client.get(f"/tasks/{known['task_id']}")).status == 200
        assert (await client.get("/tasks")).status == 200
        await sending.abort_transaction()
    await _nobody_is_known(client)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(TEXT + b'"' + b"x" * 40 * MIB + b'"}', id="a text of 40 MiB"),
        pytest.param(orjson.dumps(task_of(["x" * 200_000] * 60)), id="good texts, 12 MiB of them"),
    ],
)
async def test_a_record_that_unfolds_beyond_every_limit_stops_nothing(
    client: Client, log: Log, value: bytes
) -> None:
    """Kafka's own compression: small on the wire and in the log, large in the consumer."""
    async with producer(log.servers, compression_type="gzip", largest=100 * MIB) as sending:
        place = await sending.send_and_wait(log.topic("tasks"), value, partition=2)
    (last,) = await log.produce([task_of("after the bomb")], partition=2)
    task = await _task(client, task_id_for_source(last.topic, last.partition, last.offset))
    assert (await client.final(task.json["task_id"]))["status"] == "completed"

    async def buried() -> list[dict[str, str]]:
        dead = [headers_of(one) for one in await log.records("dead")]
        return [one for one in dead if one["source"] == _source(place)]

    (found,) = await until("the bomb is buried", buried)
    assert found["cut_from_bytes"] == str(len(value))
    assert found["reason"] in {"invalid_task", "intake_failed"}
