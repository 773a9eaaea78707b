"""`vectorize.dead`: what never became a task, with its bytes as they came and the reason.

Above a rate the source waits instead (arroyo's lesson): a bad deploy or a broken producer must
not drain a topic into the dead letters unseen. Waiting is visible: readiness, a gauge, a log line.
"""

import asyncio
from collections import deque

import structlog

from models.clock import Clock
from streams import figures
from streams.producing import Producer, RecordTooLarge
from streams.records import Record

log = structlog.get_logger("streams.dead_letters")

MINUTE_S = 60.0
#: How often a held source looks whether there is room again.
HELD_LOOK_S = 1.0
#: How much is kept of key and value where Kafka does not take the whole with its reasons.
KEPT_BYTES = 16 * 1024


class DeadLetters:
    """The way to the dead letters, at most `max_per_minute` a process."""

    def __init__(self, producer: Producer, topic: str, max_per_minute: int, clock: Clock) -> None:
        """Send to `topic`; hold the source above `max_per_minute`."""
        self.held = False
        self._producer = producer
        self._topic = topic
        self._max = max_per_minute
        self._clock = clock
        self._sent_s: deque[float] = deque()

    async def bury(
        self,
        record: Record,
        *,
        stage: str,
        reason: str,
        detail: str,
        attempts: int,
        answered: bool = False,
    ) -> None:
        """Send a record's own bytes with why it is here; returns when the broker has it.

        One whose sender was `answered` holds nobody up: it is no work that goes astray unseen.
        """
        if not answered:
            await self._wait_for_room()
        headers = (
            *record.headers,
            ("reason", reason.encode()),
            ("detail", detail[:1000].encode(errors="replace")),
            ("stage", stage.encode()),
            ("attempts", str(attempts).encode()),
            ("source", str(record).encode()),
            ("source_timestamp_ms", str(record.timestamp_ms).encode()),
            ("buried_ms", str(self._clock.now_ms()).encode()),
        )
        try:
            await self._producer.send(self._topic, record.key, record.value or b"", headers=headers)
        except RecordTooLarge:
            # As large as a record may be without the reasons, or it came compressed. The whole
            # lies at its source until that topic's retention; here it must not stop the rest.
            key = None if record.key is None else record.key[:KEPT_BYTES]
            value = (record.value or b"")[:KEPT_BYTES]
            cut = (*headers, ("cut_from_bytes", str(len(record.value or b"")).encode()))
            await self._producer.send(self._topic, key, value, headers=cut)
        figures.DEAD_LETTERS.labels(reason).inc()
        log.warning("dead_letter", source=str(record), stage=stage, reason=reason, detail=detail)

    async def _wait_for_room(self) -> None:
        while not self._room():
            if not self.held:
                self._hold(held=True)
            await asyncio.sleep(HELD_LOOK_S)
        if self.held:
            self._hold(held=False)
        self._sent_s.append(self._clock.monotonic_s())

    def _room(self) -> bool:
        oldest = self._clock.monotonic_s() - MINUTE_S
        while self._sent_s and self._sent_s[0] < oldest:
            self._sent_s.popleft()
        return len(self._sent_s) < self._max

    def _hold(self, *, held: bool) -> None:
        self.held = held
        figures.DEAD_LETTERS_HELD.set(int(held))
        log.error("dead_letters_held" if held else "dead_letters_flow", max_per_minute=self._max)
