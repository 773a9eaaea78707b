"""A Faust table whose writes can be awaited (FAUST A4), read and written by partition.

Faust's own write sends the changelog record without looking whether it arrived, and takes the
partition from whatever event is current. Here both are arguments: the caller names the partition
and gets an awaitable that ends when the broker has the record.
"""

from collections.abc import Awaitable, Iterator
from typing import Any, cast

from faust import App
from faust.types import TP
from faust.types.tables import TableT

from streams.producing import FaustProducer, Sent, acknowledged

#: Faust gives each partition's database a 2 GiB cache; a task row is about 1 KB. Buffers fill up
#: before they are written out, so they are what a process grows by in its first hours: at 512 KB
#: 16 partitions end at 16 MB, at 4 MB at 77 MB, and a row costs 2 µs more.
_ROCKSDB_OPTIONS = {
    "block_cache_size": 8 * 1024 * 1024,
    "write_buffer_size": 512 * 1024,
    "max_write_buffer_number": 2,
}
_OFFSET_KEY = b"__faust\0offset__"


class DurableTable:
    """One changelog-backed table of bytes, kept in RocksDB, a database a partition."""

    def __init__(self, app: App, name: str, partitions: int) -> None:
        """Declare the table on `app`; its changelog has `partitions` partitions."""
        self.name = name
        self._producer = FaustProducer(app)
        self.table: TableT[bytes, bytes] = app.Table(
            name,
            partitions=partitions,
            key_type=bytes,
            value_type=bytes,
            options=dict(_ROCKSDB_OPTIONS),
            help=f"What this role knows: {name}.",
        )

    @property
    def changelog(self) -> str:
        """The name of the changelog topic."""
        return str(self.table.changelog_topic.get_topic_name())

    def get(self, partition: int, key: bytes) -> bytes | None:
        """Read a value of an owned partition; the caller checks ownership."""
        return cast("bytes | None", self._database(partition).get(key))

    def scan(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield every key and value of an owned partition."""
        for key, value in self._database(partition).items():
            if key != _OFFSET_KEY:
                yield key, value

    async def put(self, partition: int, key: bytes, value: bytes | None) -> Awaitable[None]:
        """Write a value (None deletes); what is returned ends when the changelog has it.

        The local database is ahead of the changelog until then. That is safe because the event
        that caused the write is not acknowledged before: it comes again and writes again.
        """
        database = self._database(partition)
        if value is None:
            database.delete(key)
        else:
            database.put(key, value)
        sent = await self._producer.begin(self.changelog, key, value, partition=partition)
        return self._durable(partition, sent)

    async def _durable(self, partition: int, sent: Sent) -> None:
        written = await acknowledged(sent)
        cast(Any, self.table).data.set_persisted_offset(
            TP(self.changelog, partition), written.offset
        )

    def _database(self, partition: int) -> Any:  # noqa: ANN401  # rocksdict ships no such type
        return cast(Any, self.table.data)._db_for_partition(partition)  # noqa: SLF001  # no public way
