"""Items to store, as short as a test can say them."""

import numpy as np

from models.ids import item_key, object_id
from models.vectors import Passport, Space, StoredItem, Vector

DIMENSION = 8


def unit_vector(direction: int, dimension: int = DIMENSION) -> Vector:
    vector = np.zeros(dimension, np.float32)
    vector[direction % dimension] = 1.0
    return vector


def passport(fingerprint: str = "f1", dimension: int = DIMENSION) -> Passport:
    return Passport(
        model="m",
        revision="r",
        files_hash="0" * 64,
        dimension=dimension,
        normalized=True,
        fingerprint=fingerprint,
    )


def stored_item(
    task_id: str = "task-a",
    index: int = 0,
    *,
    space: Space,
    own_id: str | None = None,
    vector: Vector | None = None,
    text: str = "a text",
    submitted_ms: int = 1_785_000_000_000,
    dimension: int = DIMENSION,
    **metadata: object,
) -> StoredItem:
    key = item_key(task_id, index, own_id)
    return StoredItem(
        object_id=object_id(space.tenant, space.collection, key, 0, fingerprint=space.fingerprint),
        tenant=space.tenant,
        collection=space.collection,
        task_id=task_id,
        index=index,
        item=key,
        own_id=own_id is not None,
        text=text,
        submitted_ms=submitted_ms,
        passport=passport(space.fingerprint, dimension),
        vector=unit_vector(index, dimension) if vector is None else vector,
        metadata=metadata,
    )
