"""What the system says after a drain, read beside it: Kafka, the HTTP lists, Weaviate."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import numpy as np
import orjson

from scripts.stack import StackState
from stores.weaviate_schema import class_name
from streams.codec import decode_event
from tests.faults.clients import Clients
from tests.faults.view import Happening, StoredObject, SystemView, TaskRecord, TaskView
from tests.harness import Log
from tests.harness.weaviate import weaviate_client

PAGE = 1000
#: `topic[partition]@offset`, as dead letters name their source.
_SOURCE = re.compile(rb"(?P<topic>.+)\[(?P<partition>\d+)\]@(?P<offset>\d+)")


async def look(stack: StackState, prefix: str, clients: Clients) -> SystemView:
    """Read everything there is but the committed offsets, which are looked at on the way."""
    log = Log(stack, prefix)
    return SystemView(
        tasks={task_id: view async for task_id, view in _tasks(clients)},
        announced=[_announced(record) for record in await log.records("results")],
        objects=list(stored_objects(stack, clients.collection)),
        task_records=[_task_record(record) for record in await log.records("tasks")],
        dead=list(_sources(log.topic("tasks"), await log.records("dead"))),
        happenings=[_happening(record) for record in await log.records("events")],
    )


async def _tasks(clients: Clients) -> AsyncIterator[tuple[str, TaskView]]:
    """Every task that the masters list."""
    cursor, master = "", next(each for each in clients.masters if each.alive)
    while cursor is not None:
        path = f"/tasks?page_size={PAGE}{cursor and f'&cursor={cursor}'}"
        told = await clients.ask("GET", master.url + path)
        assert told.status == 200, told
        page = told.body
        for task in page["tasks"]:
            yield (
                str(task["task_id"]),
                TaskView(
                    state=task["status"],
                    total=task["total_items"],
                    stored=task["completed_items"],
                    failed=task["failed_items"],
                ),
            )
        cursor = page["next_cursor"]


def _announced(record: Any) -> tuple[str, str]:
    note = orjson.loads(record.value)
    return str(note["task_id"]), str(note["status"])


def _happening(record: Any) -> Happening:
    return Happening(record.offset, record.timestamp, decode_event(record.value))


def _task_record(record: Any) -> TaskRecord:
    task_id = orjson.loads(record.value).get("task_id")
    return TaskRecord(record.partition, record.offset, task_id)


def _sources(topic: str, dead: Iterable[Any]) -> Iterator[tuple[int, int]]:
    """The places on the topic of tasks that lie in the dead letters."""
    for record in dead:
        found = _SOURCE.fullmatch(dict(record.headers)["source"])
        if found is not None and found["topic"].decode() == topic:
            yield int(found["partition"]), int(found["offset"])


def stored_objects(stack: StackState, collection: str) -> Iterator[StoredObject]:
    """Every object of a collection with its vector."""
    with weaviate_client(stack) as client:
        objects = client.collections.use(class_name(collection)).with_tenant("default")
        for each in objects.iterator(include_vector=True, cache_size=PAGE):
            yield _object(each)


def _object(found: Any) -> StoredObject:
    [vector] = found.vector.values()
    properties = found.properties
    return StoredObject(
        task=str(properties["task"]),
        index=int(properties["item_index"]),
        object_id=str(found.uuid),
        vector=np.asarray(vector, dtype=np.float32),
        text=str(properties["text"]),
    )
