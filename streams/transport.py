"""Faust's consumer with our books: what is committed, and how a drain ends, is decided here.

Replaced in faust-streaming 0.15.3, each for a fault that was reproduced (FAUST.md):
- `_new_offset` and `_filter_tps_with_pending_acks`: Faust commits past unfinished or skipped
  records (T1, A5); ours asks the ledgers.
- `ack`, `_add_gap`: Faust's own books would only grow; ours replace them.
- `_commit_offsets`: Faust notes an offset as committed even when the commit failed (T5).
- `wait_empty`: Faust waits without limit for acknowledgements; ours settles the deliveries.
- the isolation level: records of aborted transactions are not for us.
- the longest wait of a fetch, 1.5 s in Faust: while records of one partition lie in the client, a
  fetch goes out for the others alone, and what comes in that partition meanwhile waits for its end.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

import aiokafka
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import Message

if TYPE_CHECKING:
    from faust.types.transports import TPorTopicSet


class Books(Protocol):
    """What the consumer asks about deliveries."""

    def committable(self) -> Mapping[TP, int]:
        """The offset to commit for each partition in hand."""

    async def settle(self) -> None:
        """Finish or hand back everything in flight."""

    def forget(self) -> None:
        """Drop the books: the next generation begins at what was committed."""


class LedgerThread(driver.AIOKafkaConsumerThread):
    """The consumer thread, reading committed records only, and never long without a partition."""

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001  # Faust ties it to exactly_once
        wait_ms = cast(Any, self.app).fetch_max_wait_ms
        consumer._fetch_max_wait_ms = wait_ms  # noqa: SLF001  # Faust has no setting for it
        return consumer


class LedgerConsumer(driver.Consumer):
    """Faust's consumer, committing what the ledgers say."""

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return LedgerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def _books(self) -> Books:
        return cast(Books, cast(Any, self.app).deliveries)

    def ack(self, message: Message) -> bool:
        """Take note of nothing: a stage's own completion is what counts."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Believe no hole: the delivery layer looks into it."""

    def _filter_tps_with_pending_acks(self, topics: "TPorTopicSet | None" = None) -> Iterator[TP]:
        offsets = self._books.committable()
        return (tp for tp in offsets if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self._books.committable().get(tp)

    async def _commit_offsets(
        self,
        offsets: Mapping[TP, int],
        start_new_transaction: bool = True,  # noqa: ARG002, FBT001, FBT002  # Faust's signature
    ) -> bool:
        assignment = self.assignment()
        ours = {tp: offset for tp, offset in offsets.items() if tp in assignment}
        if not ours or not await self._commit(ours):
            return False
        self.app.tables.on_commit(ours)
        self._committed_offset.update(ours)
        self.app.monitor.on_tp_commit(ours)
        return True

    async def wait_empty(self) -> None:
        """Settle what is in flight, commit, and close the books of this generation."""
        try:
            await self._books.settle()
            await self.commit()
        finally:
            self._books.forget()

    def was_sought(self, tp: TP) -> bool:
        """Whether a partition's committed offset was read since it was taken over.

        Faust calls its tables recovered a moment before.
        """
        return tp in self._read_offset

    def committed(self, tp: TP) -> int:
        """The offset this group had committed when the partition was taken over, or since."""
        return self._committed_offset[tp] or 0


class LedgerTransport(driver.Transport):
    """The aiokafka transport with the consumer above."""

    Consumer = LedgerConsumer
