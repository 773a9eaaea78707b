"""How far a consumer group is behind on some topics: to hold back by, and to reconcile."""

from collections.abc import Iterable

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.records import Place
from streams.side_reader import SideReader


class LagMeter:
    """Asks the broker what a group has committed and where its topics end."""

    def __init__(self, bootstrap_servers: str, reader: SideReader) -> None:
        """Connect at the first use."""
        self._bootstrap_servers = bootstrap_servers
        self._reader = reader
        self._admin: AIOKafkaAdminClient | None = None

    async def lag(self, group: str, topics: Iterable[str], partitions: int) -> int:
        """Count the records of `topics` that `group` has not committed."""
        admin = await self._connected()
        places = [TopicPartition(name, number) for name in topics for number in range(partitions)]
        committed = await admin.list_consumer_group_offsets(group, partitions=places)
        ends = await self._reader.end_offsets([Place(*place) for place in places])
        begun = {place: max(0, found.offset) for place, found in committed.items()}
        return sum(max(0, ends[Place(*place)] - begun.get(place, 0)) for place in places)

    async def _connected(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap_servers)
            await admin.start()
            self._admin = admin
        return self._admin

    async def close(self) -> None:
        """Close the connection."""
        if self._admin is not None:
            admin, self._admin = self._admin, None
            await admin.close()
