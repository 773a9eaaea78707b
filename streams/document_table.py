"""The table `documents` of the role extract: what stands of each document that has an id."""

import zlib
from collections.abc import Awaitable

import orjson

from models.manifests import Manifest
from streams.codec import encode
from streams.tables import DurableTable, Version

#: Headings and hashes repeat: packed, a manifest of 10,000 chunks fits a record many times over.
LEVEL = 3
#: Around a version, before its manifest; JSON without layout has no END.
BEGIN, END = b"[", b"\n"


def version_of(raw: bytes) -> Version:
    """Read the version of a manifest, which stands before it as JSON: thousands are recovered."""
    return tuple(orjson.loads(raw.partition(END)[0]))


class DocumentTable:
    """Manifests of the partitions in hand; the key's partition is that of its files."""

    def __init__(self, table: DurableTable) -> None:
        """Keep them in `table`."""
        self._table = table

    def stored(self, partition: int, key: bytes) -> Manifest | None:
        """Read a manifest as it stands."""
        raw = self._table.get(partition, key)
        if raw is None:
            return None
        packed = raw.partition(END)[2] if raw.startswith(BEGIN) else raw  # as it was at first
        return Manifest.model_validate_json(zlib.decompress(packed))

    async def put(self, partition: int, key: bytes, manifest: Manifest) -> Awaitable[None]:
        """Write a manifest; what is returned ends when the changelog has it."""
        packed = zlib.compress(encode(manifest), LEVEL)
        return await self._table.put(partition, key, orjson.dumps(manifest.version) + END + packed)
