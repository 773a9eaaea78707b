"""Who owns a task: the master that holds the partition of its id (FAUST A3)."""

from typing import Any, cast

from faust import App
from faust.types import TP

from models.errors import OwnerUnavailable
from streams.producing import PartitionOf


class Owners:
    """The map from tasks to masters, as the group's leader last shared it."""

    def __init__(
        self, app: App, changelog: str, partitions: int, partition_of: PartitionOf
    ) -> None:
        """Look partitions of the table's `changelog` up in the app's assignor."""
        self._app = app
        self._changelog = changelog
        self._partitions = partitions
        self._partition_of = partition_of

    def partition_of(self, task_id: str) -> int:
        """The partition of a task's rows, in every topic keyed by task id."""
        return self._partition_of(task_id.encode())

    def url_of(self, task_id: str) -> str | None:
        """The base URL of the owning master; None where it is this process itself.

        Raises OwnerUnavailable while nobody owns the partition.
        """
        return self._url(self.partition_of(task_id))

    def peers(self) -> list[str | None]:
        """Each owner once, None for this process; OwnerUnavailable where a partition has none."""
        return list(dict.fromkeys(self._url(number) for number in range(self._partitions)))

    def _url(self, partition: int) -> str | None:
        place = TP(self._changelog, partition)
        urls = cast(Any, self._app.assignor)._tps_url  # noqa: SLF001  # key_store needs producer metadata
        url = urls.get(place)
        if url is None:
            raise OwnerUnavailable(f"no master owns partition {partition} now (a rebalance)")
        own = str(self._app.conf.canonical_url).rstrip("/")
        return None if str(url).rstrip("/") == own else str(url).rstrip("/")
