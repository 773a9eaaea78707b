"""A Faust table whose writes can be awaited (FAUST A4), read and written by partition.

Faust's own write sends the changelog record without looking whether it arrived, and takes the
partition from whatever event is current. Here both are arguments: the caller names the partition
and gets an awaitable that ends when the broker has the record.

What a process that lost a partition still had in its producer may come behind the new owner's
records (decision 0020): it neither counts as known here, nor wins over what is newer.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, cast

import structlog
from faust import App
from faust.types import TP, EventT
from faust.types.tables import TableT
from rocksdict import DbClosedError

from streams.changelog_books import ChangelogBooks
from streams.producing import FaustProducer, Sent, acknowledged
from streams.records import Record

log = structlog.get_logger("streams.tables")

#: Faust gives each partition's database a 2 GiB cache; a task row is about 1 KB. Caches and buffers
#: are filled before anything is given back, so they are what a process grows by in its first days.
#: Read from the system's page cache in place of its own a row costs 15 µs in place of 2, of some
#: 2 ms that an event costs. With buffers of 512 KB 16 partitions end at 16 MB, of 4 MB at 77 MB,
#: and a row costs 2 µs more.
_ROCKSDB_OPTIONS = {
    "block_cache_size": 256 * 1024,
    "write_buffer_size": 512 * 1024,
    "max_write_buffer_number": 2,
}
_OFFSET_KEY = b"__faust\0offset__"
_BUFFERS = "rocksdb.size-all-mem-tables"

Version = tuple[int | str, ...]
#: Gives the version of a value; of two values of a key the one with the higher version counts.
VersionOf = Callable[[bytes], Version]
#: The version of what is not there: lower than any other.
_NONE: Version = ()


class DurableTable:
    """One changelog-backed table of bytes, kept in RocksDB, a database a partition."""

    def __init__(
        self,
        app: App,
        name: str,
        partitions: int,
        *,
        check: Callable[[], None] = lambda: None,
        version_of: VersionOf | None = None,
    ) -> None:
        """Declare the table on `app`; its changelog has `partitions` partitions.

        `check` raises where this process must not write now. Without `version_of` the last value
        in the changelog counts.
        """
        self.name = name
        self._check = check
        self._version_of = version_of
        self._producer = FaustProducer(app)
        self._books: dict[int, ChangelogBooks] = {}
        self.table: TableT[bytes, bytes] = app.Table(
            name,
            partitions=partitions,
            key_type=bytes,
            value_type=bytes,
            options=dict(_ROCKSDB_OPTIONS),
            help=f"What this role knows: {name}.",
        )
        cast(Any, self.table).apply_changelog_batch = self._recover
        for rebalance in (app.on_partitions_revoked, app.on_partitions_assigned):
            rebalance.connect(self._close_books, weak=False)

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
        self._check()
        database = self._database(partition)
        if value is None:
            database.delete(key)
        else:
            database.put(key, value)
        sent = await self._producer.begin(self.changelog, key, value, partition=partition)
        return self._durable(partition, sent)

    def buffers_bytes(self) -> int:
        """What is written and in memory only, until it is put into files; for any thread."""
        databases = list(cast(Any, self.table.data)._dbs.values())  # noqa: SLF001  # no public way
        return sum(_buffered_bytes(each) for each in databases)

    def hole(self, partition: int, end: int) -> range:
        """The first stretch of the changelog, below its `end`, that this process does not know."""
        return self._book(partition).hole(end)

    async def assert_again(self, partition: int, strangers: Iterable[Record], end: int) -> int:
        """Write what stands here behind records of a stranger; all below `end` is known then.

        Returns how many values were written. Nothing comes between reading one and writing it.
        """
        written = 0
        for record in strangers:
            key = record.key or b""
            if self.get(partition, key) != record.value:
                durable = await self.put(partition, key, self.get(partition, key))
                await durable
                written += 1
        book = self._book(partition)
        book.pass_to(end)
        self._keep(partition, book)
        return written

    async def _durable(self, partition: int, sent: Sent) -> None:
        written = await acknowledged(sent)
        book = self._book(partition)
        book.note(written.offset)
        self._keep(partition, book)

    def _keep(self, partition: int, book: ChangelogBooks) -> None:
        """Have the next recovery begin behind what is known."""
        if book.next > 0:
            self._set_known_to(partition, book.next - 1)

    def _set_known_to(self, partition: int, offset: int) -> None:
        place = TP(self.changelog, partition)
        cast(Any, self.table).data.set_persisted_offset(place, offset)

    def _book(self, partition: int) -> ChangelogBooks:
        found = self._books.get(partition)
        if found is None:
            known = cast(Any, self.table).data.persisted_offset(TP(self.changelog, partition))
            found = self._books[partition] = ChangelogBooks(0 if known is None else known + 1)
        return found

    def _close_books(self, *_: object, **__: object) -> None:
        """Begin anew: what is known is what will have been recovered."""
        self._books.clear()

    def _recover(self, batch: Iterable[EventT[Any]]) -> None:
        """Apply records of the changelog, but for those that are older than what stands."""
        events = kept = list(batch)
        if self._version_of is not None:
            newest = _Newest(self.get, self._version_of)
            kept = [event for event in events if newest.is_news(event)]
        cast(Any, self.table).data.apply_changelog_batch(kept, to_key=bytes, to_value=bytes)
        read_to: dict[int, int] = {}
        for event in events:
            read_to[event.message.partition] = event.message.offset
        for partition, offset in read_to.items():
            self._set_known_to(partition, offset)

    def _database(self, partition: int) -> Any:  # noqa: ANN401  # rocksdict ships no such type
        return cast(Any, self.table.data)._db_for_partition(partition)  # noqa: SLF001  # no public way


def _buffered_bytes(database: Any) -> int:  # noqa: ANN401  # rocksdict ships no such type
    try:
        return int(database.property_int_value(_BUFFERS) or 0)
    except DbClosedError:  # its partition has just left
        return 0


class _Newest:
    """The versions that stand while a batch is applied."""

    def __init__(self, get: Callable[[int, bytes], bytes | None], version_of: VersionOf) -> None:
        self._get = get
        self._version_of = version_of
        self._versions: dict[tuple[int, bytes], Version] = {}

    def is_news(self, event: EventT[Any]) -> bool:
        """Whether a record counts; one that deletes always does."""
        message = event.message
        place = (message.partition, message.key or b"")
        version = self._version(message.value)
        if message.value is not None and version < self._standing(place):
            return False
        self._versions[place] = version
        return True

    def _standing(self, place: tuple[int, bytes]) -> Version:
        if place not in self._versions:
            self._versions[place] = self._version(self._get(*place))
        return self._versions[place]

    def _version(self, raw: bytes | None) -> Version:
        """The version of a value; one that cannot be read is older than any other."""
        try:
            return _NONE if raw is None else self._version_of(raw)
        except (ValueError, KeyError) as error:
            log.warning("value_unread", error=type(error).__name__)
            return _NONE
