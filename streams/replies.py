"""A waiting caller's way: a text goes up the high lane, its vector comes back by itself.

Each master listens on one partition of `vectorize.replies`, from its end, and knows its own
answers by their correlation id; what arrives after the deadline finds nobody.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Callable

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from models.clock import Clock
from models.encoding import EncodeOptions
from models.errors import NoEmbedWorker, VectorizeError
from models.states import Lane
from models.units import ReplyAddress, Unit, UnitItem
from models.vectors import Passport, Vector
from streams.codec import decode_vectors, encode
from streams.producing import Producer
from streams.topics import TopicNames

log = structlog.get_logger("streams.replies")


class ItemRefused(VectorizeError):
    """The model gave no vector for the text; the message says why."""


class Asker:
    """Asks embed workers for vectors and hands each answer to its caller."""

    def __init__(
        self,
        *,
        producer: Producer,
        names: TopicNames,
        partition: int,
        workers_alive: Callable[[], bool],
        clock: Clock,
    ) -> None:
        """Listen on `partition` of the replies; `workers_alive` tells whether to ask at all."""
        self.partition = partition
        self.listening = asyncio.Event()
        self._producer = producer
        self._names = names
        self._workers_alive = workers_alive
        self._clock = clock
        self._waiting: dict[str, asyncio.Future[bytes]] = {}

    async def embed(
        self, passport: Passport, options: EncodeOptions, text: str, timeout_s: float
    ) -> Vector:
        """Get the vector of `text`, `(dim,) float32`, as `options` make it and `passport` says.

        Raises NoEmbedWorker when none is alive or none answers within `timeout_s`, ItemRefused
        when the model gave no vector.
        """
        if not self._workers_alive():
            raise NoEmbedWorker
        correlation_id = uuid.uuid4().hex
        future = self._waiting[correlation_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await self.listening.wait()
                await self._ask(
                    passport, options, text, correlation_id=correlation_id, timeout_s=timeout_s
                )
                return _vector_in(await future)
        except TimeoutError as error:
            raise NoEmbedWorker(f"no embed worker answered within {timeout_s:g} s") from error
        finally:
            del self._waiting[correlation_id]

    async def _ask(
        self,
        passport: Passport,
        options: EncodeOptions,
        text: str,
        *,
        correlation_id: str,
        timeout_s: float,
    ) -> None:
        now_ms = self._clock.now_ms()
        deadline_ms = now_ms + int(timeout_s * 1000)
        unit = Unit(
            task_id=f"reply-{correlation_id}",
            number=0,
            lane=Lane.HIGH,
            model=passport.model,
            fingerprint=passport.fingerprint,
            options=options,
            collection="",
            submitted_ms=now_ms,
            sent_ms=now_ms,
            deadline_ms=deadline_ms,
            items=[UnitItem(index=0, text=text)],
            reply=ReplyAddress(
                partition=self.partition, correlation_id=correlation_id, deadline_ms=deadline_ms
            ),
        )
        topic = self._names.units(Lane.HIGH)
        await self._producer.send(topic, unit.id.encode(), encode(unit), timeout_s=timeout_s)

    def answered(self, key: bytes | None, value: bytes | None) -> None:
        """Hand a reply to its caller, if it is one of ours and somebody still waits."""
        future = self._waiting.get((key or b"").decode(errors="replace"))
        if future is not None and not future.done() and value is not None:
            future.set_result(value)


def _vector_in(raw: bytes) -> Vector:
    header, matrix = decode_vectors(raw)
    if not len(matrix):
        reason = header.failures[0].message if header.failures else "no vector"
        raise ItemRefused(f"the model gave no vector: {reason}")
    vector: Vector = matrix[0]
    return vector


async def listen_for_ever(bootstrap_servers: str, asker: Asker, topic: str, max_bytes: int) -> None:
    """Read the asker's partition from its end until cancelled."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        group_id=None,
        max_partition_fetch_bytes=max_bytes,
        auto_offset_reset="latest",
    )
    try:
        await consumer.start()
        partition = TopicPartition(topic, asker.partition)
        consumer.assign([partition])
        await consumer.seek_to_end()
        # The position is fetched lazily: ask for it, or an early answer lies before "the end".
        await consumer.position(partition)
        asker.listening.set()
        async for record in consumer:
            asker.answered(record.key, record.value)
    finally:
        asker.listening.clear()
        with contextlib.suppress(Exception):
            await consumer.stop()
