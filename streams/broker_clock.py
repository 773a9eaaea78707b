"""The broker's clock: what all processes agree on, however wrong their machines' own are.

Deadlines, retention and ages are judged by processes on many machines, and one of them may be an
hour off. The broker stamps each record when it appends it, and says so in its acknowledgement;
that moment lies between the send and the acknowledgement, so it bounds how far the broker's clock
is ahead of ours (as in Cristian's algorithm, https://doi.org/10.1007/BF01784024).
"""

import asyncio

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from models.clock import Clock
from models.errors import BrokerUnavailable
from streams.producing import LOG_APPEND_TIME, Producer, RecordTooLarge

log = structlog.get_logger("streams.broker_clock")

#: A correction at least so large is told: somebody should mend that machine's clock.
NOTEWORTHY_MS = 1_000
#: The key of a record that only asks for the time; no reader of signs of life understands it.
CLOCK_KEY = b"clock"
ANSWER_LIMIT_S = 2.0
FIRST_LIMIT_S = 10.0


class BrokerClock:
    """The broker's time, as far as acknowledgements have told it; the machine's own before that."""

    def __init__(self, machine: Clock) -> None:
        """Correct this clock."""
        self._machine = machine
        self._ahead_ms = 0

    def now_ms(self) -> int:
        """Return the broker's wall-clock time in milliseconds since 1970, about."""
        return self._machine.now_ms() + self._ahead_ms

    def monotonic_s(self) -> float:
        """Return seconds that never jump."""
        return self._machine.monotonic_s()

    def machine_ms(self) -> int:
        """Return the machine's own wall-clock time, for `learn`."""
        return self._machine.now_ms()

    def learn(self, *, sent_ms: int, appended_ms: int) -> None:
        """Take in that a record sent at `sent_ms` and acknowledged now was appended then.

        `sent_ms` is by the machine's clock, `appended_ms` by the broker's. Where the bounds hold
        what is known already, nothing changes: acknowledgements that are slow teach nothing wrong.
        """
        least, most = appended_ms - self._machine.now_ms(), appended_ms - sent_ms
        if least > most:
            return  # the machine's clock was set back in between
        before, self._ahead_ms = self._ahead_ms, min(max(self._ahead_ms, least), most)
        if abs(self._ahead_ms - before) >= NOTEWORTHY_MS:
            log.warning("clock_differs_from_broker", ahead_ms=self._ahead_ms, before_ms=before)


async def first_time(bootstrap_servers: str, topic: str, clock: BrokerClock) -> None:
    """Learn the broker's time before anything is judged by it; go on without where that fails.

    The first of the two records pays for the connection, the second bounds the time closely.
    """
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all")
    try:
        async with asyncio.timeout(FIRST_LIMIT_S):
            await producer.start()
            for _ in range(2):
                sent_ms = clock.machine_ms()
                placed = await producer.send_and_wait(topic, b"", key=CLOCK_KEY)
                if placed.timestamp_type == LOG_APPEND_TIME:
                    clock.learn(sent_ms=sent_ms, appended_ms=placed.timestamp)
    except (KafkaError, OSError, TimeoutError) as error:
        log.warning("broker_time_not_told", error=repr(error))
    finally:
        await producer.stop()


async def keep_time(producer: Producer, topic: str, clock: BrokerClock, interval_s: float) -> None:
    """Learn the broker's time again and again, by records that say nothing, until cancelled."""
    while True:
        await ask_time(producer, topic, clock)
        await asyncio.sleep(interval_s)


async def ask_time(producer: Producer, topic: str, clock: BrokerClock) -> None:
    """Learn the broker's time once; where it does not answer, what is known stays."""
    sent_ms = clock.machine_ms()
    try:
        written = await producer.send(topic, CLOCK_KEY, b"", timeout_s=ANSWER_LIMIT_S)
    except (BrokerUnavailable, RecordTooLarge) as error:
        log.debug("broker_time_not_told", error=repr(error))
        return
    if written.appended_ms is not None:
        clock.learn(sent_ms=sent_ms, appended_ms=written.appended_ms)
