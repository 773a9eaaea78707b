"""The table `documents` of the role extract: what stands of each document that has an id."""

import zlib
from collections.abc import Awaitable

from models.manifests import Manifest
from streams.codec import encode
from streams.tables import DurableTable, Version

#: Headings and hashes repeat: packed, a manifest of 10,000 chunks fits a record many times over.
LEVEL = 3


def version_of(raw: bytes) -> Version:
    """Read the version of a manifest as it is written."""
    return _read(raw).version


class DocumentTable:
    """Manifests of the partitions in hand; the key's partition is that of its files."""

    def __init__(self, table: DurableTable) -> None:
        """Keep them in `table`."""
        self._table = table

    def stored(self, partition: int, key: bytes) -> Manifest | None:
        """Read a manifest as it stands."""
        raw = self._table.get(partition, key)
        return None if raw is None else _read(raw)

    async def put(self, partition: int, key: bytes, manifest: Manifest) -> Awaitable[None]:
        """Write a manifest; what is returned ends when the changelog has it."""
        return await self._table.put(partition, key, zlib.compress(encode(manifest), LEVEL))


def _read(raw: bytes) -> Manifest:
    return Manifest.model_validate_json(zlib.decompress(raw))
