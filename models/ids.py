"""Identities: how tasks, units and stored objects are named, always the same way."""

import re
from typing import NewType
from uuid import UUID, uuid5

TaskId = NewType("TaskId", str)
UnitId = NewType("UnitId", str)

#: The namespace of every uuid5 this project makes; changing it renames the world.
NAMESPACE = UUID("8d0f6f52-6b1e-5c0e-9a53-2f1f1a8f7c11")
DEFAULT_TENANT = "default"

#: What a client may choose as its own task id: safe in paths, logs and Kafka keys.
TASK_ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def _named(*parts: str) -> UUID:
    return uuid5(NAMESPACE, "\x00".join(parts))


def task_id_for_key(tenant: str, idempotency_key: str) -> TaskId:
    """Name the one task that all submits with this idempotency key mean."""
    return TaskId(str(_named("key", tenant, idempotency_key)))


def task_id_for_source(topic: str, partition: int, offset: int) -> TaskId:
    """Name the task of a record that gives neither id nor key, so that a replay is no second."""
    return TaskId(str(_named("source", topic, str(partition), str(offset))))


def unit_id(task_id: str, unit: int) -> UnitId:
    """Name unit number `unit` of a task; also its record's key."""
    return UnitId(f"{task_id}/{unit}")


def item_key(task_id: str, index: int, own_id: str | None) -> str:
    """Name an item: the client's own id, else the task and the position."""
    return own_id if own_id is not None else f"{task_id}/{index}"


def chunk_key(document_id: str, index: int) -> str:
    """Name a chunk of a document that has a client's own id."""
    return f"{document_id}/{index}"


def chunk_identity(document_id: str, chunk: str) -> str:
    """What the object of a document's chunk is named by: the same text is the same object."""
    return f"document/{document_id}/{chunk}"


def item_identity(task_id: str, index: int, own_id: str | None) -> str:
    """What an item's object is named by: no client's own id can name another task's item."""
    return f"own/{own_id}" if own_id is not None else f"task/{task_id}/{index}"


def object_id(tenant: str, collection: str, item: str, chunk: int, *, fingerprint: str) -> UUID:
    """Name the stored object of one chunk: the same input is the same object (DESIGN 8)."""
    return _named("object", tenant, collection, item, str(chunk), fingerprint)
