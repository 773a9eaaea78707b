"""Producing: a record counts as sent when the broker acknowledged it, not before (T2)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, cast

from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.partitioner import murmur2
from aiokafka.structs import RecordMetadata
from faust import App
from faust.exceptions import FaustError

from models.errors import BrokerUnavailable, VectorizeError
from streams.records import Headers

Sent = Awaitable[RecordMetadata]

#: Kafka's mark of a timestamp that the broker gave.
LOG_APPEND_TIME = 1
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


class RecordTooLarge(VectorizeError):
    """Kafka takes no record of this size, however often it is sent (kafka.max_record_bytes)."""


@dataclass(frozen=True, slots=True)
class Written:
    """Where an acknowledged record lies."""

    partition: int
    offset: int
    appended_ms: int | None = None
    """When the broker appended it, by its own clock; None where its topic keeps other times."""


class Producer(Protocol):
    """What stages and stores need of a producer."""

    async def begin(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Headers = (),
    ) -> Sent:
        """Hand a record to the producer in order; the result is awaited for its acknowledgement."""

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Headers = (),
        timeout_s: float | None = None,
    ) -> Written:
        """Send and wait for the acknowledgement; raise BrokerUnavailable or RecordTooLarge."""


class FaustProducer:
    """The producer of a Faust app (aiokafka, acks=all)."""

    def __init__(self, app: App) -> None:
        """Use the app's own producer, which lives as long as the app."""
        self._app = app

    async def begin(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Headers = (),
    ) -> Sent:
        """Hand a record over; records of one partition keep this order."""
        try:
            return await self._app.producer.send(
                topic, key, value, partition, None, list(headers) or None
            )
        except (FaustError, RuntimeError, AttributeError) as error:
            if isinstance(error.__cause__, _TOO_LARGE):
                raise RecordTooLarge from error
            raise BrokerUnavailable(f"the producer is not ready: {error}") from error

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Headers = (),
        timeout_s: float | None = None,
    ) -> Written:
        """Send and wait for the acknowledgement; past `timeout_s` the outcome is unknown."""
        try:
            async with asyncio.timeout(timeout_s):
                sent = await self.begin(topic, key, value, partition=partition, headers=headers)
                return await acknowledged(sent)
        except TimeoutError as error:
            raise BrokerUnavailable(
                f"Kafka did not acknowledge within {timeout_s:g} s; the outcome is unknown"
            ) from error


async def acknowledged(sent: Sent) -> Written:
    """Wait for the acknowledgement; raise BrokerUnavailable or RecordTooLarge where it failed."""
    try:
        # Shielded: a caller that gives up must not cancel a record its neighbours travel with.
        place = await asyncio.shield(cast("asyncio.Future[RecordMetadata]", sent))
    except _TOO_LARGE as error:
        raise RecordTooLarge from error
    except Exception as error:
        raise BrokerUnavailable(f"Kafka did not take the record: {error!r}") from error
    stamped = place.timestamp if place.timestamp_type == LOG_APPEND_TIME else None
    return Written(place.partition, place.offset, stamped)


PartitionOf = Callable[[bytes], int]


def partitioner(count: int) -> PartitionOf:
    """Give the partition of a key among `count`, as every Java-compatible client computes it."""

    def partition_of(key: bytes) -> int:
        return int((murmur2(key) & 0x7FFFFFFF) % count)

    return partition_of
