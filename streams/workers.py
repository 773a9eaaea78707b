"""Signs of life on `vectorize.workers`: workers send them, every master reads all of them."""

import asyncio
from collections.abc import Callable

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic import ValidationError

from models.clock import Clock
from models.workers import WorkerBeat
from streams.app import StageApp
from streams.codec import encode
from streams.producing import Producer

log = structlog.get_logger("streams.workers")

WorkerBeatMaker = Callable[[], WorkerBeat]


async def beat_for_ever(
    producer: Producer, topic: str, interval_s: float, beat: WorkerBeatMaker
) -> None:
    """Send a beat every `interval_s` until cancelled; an outage is waited out."""
    while True:
        await send_beat(producer, topic, beat())
        await asyncio.sleep(interval_s)


async def send_beat(producer: Producer, topic: str, beat: WorkerBeat) -> None:
    """Send one beat; a beat that cannot be sent is simply missing."""
    try:
        await producer.send(topic, beat.worker.encode(), encode(beat), timeout_s=2.0)
    except Exception as error:  # noqa: BLE001  # no sign of life is the sign
        log.debug("beat_not_sent", error=repr(error))


def beat_from(
    app: StageApp, producer: Producer, topic: str, beat: WorkerBeatMaker, *, interval_s: float
) -> None:
    """Send signs of life from `app` for as long as it lives, and a last one at its end."""
    app.background("beat", lambda: beat_for_ever(producer, topic, interval_s, beat))

    async def leave() -> None:
        await send_beat(producer, topic, beat().model_copy(update={"leaving": True}))

    app.before_stop.append(leave)


class WorkerWatch:
    """Who is alive, by the beats read so far."""

    def __init__(self, timeout_s: float, clock: Clock) -> None:
        """Count a worker as gone when its last beat is older than `timeout_s`."""
        self._timeout_ms = int(timeout_s * 1000)
        self._clock = clock
        self._beats: dict[str, tuple[int, WorkerBeat]] = {}

    def active(self) -> list[WorkerBeat]:
        """The workers alive now."""
        oldest = self._clock.now_ms() - self._timeout_ms
        return [beat for at_ms, beat in self._beats.values() if at_ms >= oldest]

    def note(self, raw: bytes, arrived_ms: int) -> None:
        """Take over a beat; what cannot be read is no worker of ours."""
        try:
            beat = WorkerBeat.model_validate_json(raw)
        except ValidationError:
            return
        if beat.leaving:
            self._beats.pop(beat.worker, None)
        else:
            self._beats[beat.worker] = (arrived_ms, beat)
        self._forget_gone()

    def _forget_gone(self) -> None:
        oldest = self._clock.now_ms() - self._timeout_ms * 10
        for worker, (at_ms, _) in list(self._beats.items()):
            if at_ms < oldest:
                del self._beats[worker]


async def watch_for_ever(bootstrap_servers: str, topic: str, watch: WorkerWatch) -> None:
    """Read the beats until cancelled, from the beginning of what the topic still keeps."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=None)
    try:
        await consumer.start()
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        async for record in consumer:
            # The broker's clock: a worker's own may be an hour off.
            watch.note(record.value, record.timestamp)
    finally:
        await consumer.stop()
