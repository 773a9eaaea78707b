"""Sends and writes that fail now and then, or whose answer is lost: of all tasks, or of some."""

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

from weaviate.collections.classes.batch import BatchObjectReturn, ErrorObject
from weaviate.collections.data.async_ import _DataCollectionAsync
from weaviate.exceptions import WeaviateInsertManyAllFailedError
from weaviate.outputs.query import WeaviateProperties

from models.errors import BrokerUnavailable, VectorStoreUnavailable
from models.vectors import StoredItem
from stores import weaviate_writing
from stores.weaviate import WeaviateStore
from streams.producing import FaustProducer, Sent
from tests.faults.orders import Faults

#: What an object's text holds that Weaviate itself is to refuse.
REFUSED = "an object that Weaviate refuses"
#: What Weaviate says of one that it cannot store now.
READ_ONLY = "store is read-only"
#: One task in so many is struck, where only some are.
STRUCK_IN = 5

#: Tells whether what belongs to this task may fail now.
Meant = Callable[[str], bool]


def is_struck(task_id: str) -> bool:
    """Tell whether a task is among those that are struck, where only some are."""
    return crc32(task_id.encode()) % STRUCK_IN == 0


def _meant_by(switch: str | None) -> Meant:
    """All tasks always, or the struck ones while the file `switch` is there."""
    if switch is None:
        return lambda task_id: True  # everybody
    path = Path(switch)
    return lambda task_id: is_struck(task_id) and path.exists()


def let_fail(faults: Faults, dice: random.Random) -> None:
    """Have fail in this process what is to fail."""
    meant = _meant_by(faults.switch)
    if faults.sends_fail:
        _let_sends_fail(faults.sends_fail, dice, meant)
    if faults.writes_fail:
        _let_writes_fail(faults.writes_fail, dice)
    if faults.objects_fail:
        _let_objects_fail(faults.objects_fail, dice, meant)
    _let_objects_be_refused()


def _let_sends_fail(share: float, dice: random.Random, meant: Meant) -> None:
    """Fail so many sends, and lose the acknowledgement of as many."""
    begin = FaustProducer.begin

    async def flaky(
        self: FaustProducer, topic: str, key: bytes | None, *rest: Any, **more: Any
    ) -> Sent:
        hit = meant((key or b"").partition(b"/")[0].decode())
        if hit and dice.random() < share:
            raise BrokerUnavailable("a fault of the rig: this record was not sent")
        sent = await begin(self, topic, key, *rest, **more)
        if not hit or dice.random() >= share:
            return sent
        lost = asyncio.ensure_future(_lost(sent))
        lost.add_done_callback(lambda done: done.cancelled() or done.exception())
        return lost

    FaustProducer.begin = flaky  # type: ignore[method-assign]


async def _lost(sent: Sent) -> Any:
    """A record that the broker has, though its acknowledgement never came."""
    await sent
    raise BrokerUnavailable("a fault of the rig: this acknowledgement was lost")


def _let_writes_fail(share: float, dice: random.Random) -> None:
    """Fail so many writes to Weaviate, and lose the answer of as many."""
    write = WeaviateStore.write

    async def flaky(self: WeaviateStore, items: Any) -> Any:
        if dice.random() < share:
            raise VectorStoreUnavailable("a fault of the rig: Weaviate is away")
        found = await write(self, items)
        if dice.random() < share:
            raise VectorStoreUnavailable("a fault of the rig: Weaviate's answer was lost")
        return found

    WeaviateStore.write = flaky  # type: ignore[method-assign]


def _let_objects_fail(share: float, dice: random.Random, meant: Meant) -> None:
    """Have so many objects of a write told as not stored now; half of them are stored."""
    insert_many = _DataCollectionAsync.insert_many

    async def flaky(self: Any, objects: Sequence[Any]) -> BatchObjectReturn:
        told = {
            at
            for at, each in enumerate(objects)
            if meant(str(each.properties["task"])) and dice.random() < share
        }
        kept = [at for at in range(len(objects)) if at not in told or dice.random() < 0.5]
        done = BatchObjectReturn()
        if kept:
            done = await insert_many(self, [objects[at] for at in kept])
        errors = {kept[at]: error for at, error in done.errors.items()}
        errors |= {at: ErrorObject(READ_ONLY, objects[at]) for at in told}
        if len(errors) == len(objects):  # as the client does
            raise WeaviateInsertManyAllFailedError(errors[0].message)
        return BatchObjectReturn(errors=errors, has_errors=bool(errors))

    _DataCollectionAsync.insert_many = flaky  # type: ignore[method-assign]


def _let_objects_be_refused() -> None:
    """Send those whose text says so with a number that is none: Weaviate refuses them for good."""
    as_it_is = weaviate_writing._object

    def spoiled(item: StoredItem) -> Any:
        made = as_it_is(item)
        if REFUSED not in item.text:
            return made
        properties: WeaviateProperties = {**made.properties, "item_index": "no number"}
        made.properties = properties
        return made

    weaviate_writing._object = spoiled
