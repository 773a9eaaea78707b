"""The vector store in Weaviate: one object per item, one collection per visible name.

Importing this is cheap. The client (60 MB and a second to import) is loaded at the first call,
in a thread, so a process that never stores or searches does not carry it.
"""

import asyncio
import importlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

import aiohttp
from pydantic import JsonValue

from models.clock import SYSTEM_CLOCK, Clock
from models.errors import VectorStoreUnavailable
from models.units import ItemFailure
from models.vectors import Hit, Space, StandingChunk, StoredItem, StoredVector, Vector
from stores.circuit import Circuit
from stores.tcp_knock import knock
from stores.weaviate_options import Address, WeaviateOptions

if TYPE_CHECKING:
    from stores.weaviate_parts import WeaviateParts

PING_S = 1.0
_READY = 200


class WeaviateStore:
    """A VectorWriter and VectorReader in Weaviate; connects at the first call, not here.

    Of two tasks that write one item at the very same moment, within the few milliseconds
    between look-up and write, the earlier submitted may stand: Weaviate has no conditional write.
    """

    def __init__(self, options: WeaviateOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        self._options = options
        self._circuit = Circuit(_away, clock)
        self._http, self._grpc = options.http, options.grpc
        self._parts: WeaviateParts | None = None
        self._loading = asyncio.Lock()

    async def load(self) -> None:
        """Load the client now, so that the first call need not wait a second for it."""
        await self._loaded()

    async def write(self, items: Sequence[StoredItem]) -> list[ItemFailure | None]:
        """Store `items`; see VectorWriter."""
        writer = (await self._loaded()).writer
        return await self._circuit.call(lambda: writer.write(items))

    async def delete_task(self, space: Space, task_id: str) -> int:
        """Remove what the task still holds; see VectorWriter."""
        writer = (await self._loaded()).writer
        return await self._circuit.call(lambda: writer.delete_task(space, task_id))

    async def standing(self, space: Space, ids: Sequence[UUID]) -> frozenset[UUID]:
        """Those of `ids` that stand; see ChunkStore."""
        chunks = (await self._loaded()).chunks
        return await self._circuit.call(lambda: chunks.standing(space, ids))

    async def chunks(self, space: Space, ids: Sequence[UUID]) -> dict[UUID, StandingChunk]:
        """What the objects hold; see ChunkStore."""
        chunks = (await self._loaded()).chunks
        return await self._circuit.call(lambda: chunks.chunks(space, ids))

    async def delete_outdated(
        self, space: Space, document_id: str, *, submitted_ms: int, task_id: str
    ) -> int:
        """Remove what earlier readings left; see ChunkStore."""
        chunks = (await self._loaded()).chunks
        return await self._circuit.call(
            lambda: chunks.delete_outdated(
                space, document_id, submitted_ms=submitted_ms, task_id=task_id
            )
        )

    async def results(
        self, space: Space, task_id: str, *, first: int, count: int, with_vectors: bool
    ) -> dict[int, StoredVector]:
        """Read the task's objects in the range of indexes; see VectorReader."""
        reader = (await self._loaded()).reader
        return await self._circuit.call(
            lambda: reader.results(
                space, task_id, first=first, count=count, with_vectors=with_vectors
            )
        )

    async def search(
        self, space: Space, vector: Vector, *, limit: int, where: Mapping[str, JsonValue]
    ) -> list[Hit]:
        """Find the nearest objects; see VectorReader."""
        reader = (await self._loaded()).reader
        return await self._circuit.call(
            lambda: reader.search(space, vector, limit=limit, where=where)
        )

    async def ping(self) -> bool:
        """Tell within a second whether Weaviate is ready and its gRPC door open."""
        with suppress(aiohttp.ClientError, OSError):  # TimeoutError is an OSError
            async with asyncio.timeout(PING_S):
                await knock(self._grpc.host, self._grpc.port)
                return await _is_ready(self._http)
        return False

    async def close(self) -> None:
        """Let go of the connection; a later call makes a new one."""
        if self._parts is not None:
            await self._parts.connection.close()

    async def _loaded(self) -> "WeaviateParts":
        async with self._loading:
            if self._parts is None:
                parts = await asyncio.to_thread(importlib.import_module, "stores.weaviate_parts")
                self._parts = parts.assemble(self._options)
            return self._parts


def _away() -> VectorStoreUnavailable:
    return VectorStoreUnavailable(
        "Weaviate is not reachable now (it did not answer a moment ago, and is asked again soon)"
    )


async def _is_ready(http: Address) -> bool:
    scheme = "https" if http.secure else "http"
    url = f"{scheme}://{http.host}:{http.port}/v1/.well-known/ready"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status == _READY
