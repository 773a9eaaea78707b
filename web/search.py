"""`POST /search`: the stored texts nearest to a text or a vector."""

import asyncio
import math
from collections.abc import Mapping, Sequence

import numpy as np
from aiohttp import web
from typing_extensions import TypedDict

from embedding.catalog import Catalog
from models.clock import Clock
from models.errors import (
    InvalidRequest,
    NoEmbedWorker,
    Unavailable,
    VectorizeError,
    VectorStoreUnavailable,
)
from models.splitting import json_bytes
from models.vectors import Hit, Vector
from web.answers import json_answer
from web.bodies import read_json
from web.limits import WebLimits
from web.ports import Asker, VectorReader
from web.queries import at_most
from web.search_request import Search, read_search


class SearchAnswer(TypedDict):
    """What was found."""

    hits: list[Hit]
    model_name: str
    collection: str
    took_ms: float


class Searcher:
    """Finds stored texts."""

    def __init__(
        self,
        asker: Asker,
        vectors: VectorReader,
        catalog: Catalog,
        *,
        limits: WebLimits,
        clock: Clock,
    ) -> None:
        """Get vectors of texts from `asker`, neighbours from `vectors`."""
        self._asker = asker
        self._vectors = vectors
        self._catalog = catalog
        self._limits = limits
        self._clock = clock

    async def search(self, raw: object) -> Mapping[str, object]:
        """Answer a parsed body; raise InvalidRequest, NoEmbedWorker, VectorStoreUnavailable."""
        began_s = self._clock.monotonic_s()
        search = read_search(raw, self._catalog, self._limits)
        vector = await self._vector_of(search)
        hits = await self._found(search, vector)
        took_ms = round((self._clock.monotonic_s() - began_s) * 1000, 2)
        return {
            "hits": [_shown(hit) for hit in hits],
            "model_name": search.entry.name,
            "collection": search.collection,
            "took_ms": took_ms,
        }

    async def _vector_of(self, search: Search) -> Vector:
        if search.wanted.vector is not None:
            return _as_vector(search.wanted.vector)
        text = search.wanted.query or ""
        if not text.strip():
            raise InvalidRequest(field="query", reason="the text is empty")
        most = self._limits.task.max_text_bytes
        what, setting = "the text's size in bytes", "task.max_text_bytes"
        at_most(json_bytes(text), most, field="query", what=what, setting=setting)
        passport = search.entry.passport_of(search.query)
        timeout_s = self._limits.search_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await self._asker.embed(passport, search.query, text, timeout_s)
        except TimeoutError as error:
            raise NoEmbedWorker from error
        except (Unavailable, InvalidRequest):
            raise
        except VectorizeError as error:  # the model itself gives no vector for this text
            raise InvalidRequest(field="query", reason=error.message) from error

    async def _found(self, search: Search, vector: Vector) -> Sequence[Hit]:
        limit, where = search.wanted.limit, search.wanted.filter
        try:
            async with asyncio.timeout(self._limits.search_timeout_s):
                return await self._vectors.search(search.space, vector, limit=limit, where=where)
        except TimeoutError as error:
            raise VectorStoreUnavailable from error


def _as_vector(numbers: Sequence[float]) -> Vector:
    with np.errstate(over="ignore"):
        vector = np.asarray(numbers, dtype=np.float64).astype(np.float32)
    if not np.isfinite(vector).all():
        raise InvalidRequest(field="vector", reason="each number must fit into a float32")
    if not vector.any():
        raise InvalidRequest(field="vector", reason="all zeros point nowhere")
    return vector


def _shown(hit: Hit) -> dict[str, object]:
    score = hit.score if math.isfinite(hit.score) else None
    shown: dict[str, object] = {
        "id": hit.id,
        "score": score,
        "text": hit.text,
        "task": hit.task,
        "item": hit.item,
        "metadata": hit.metadata,
    }
    if hit.place is not None:
        place = hit.place.model_dump()
        shown |= {"document_id": hit.document_id, "filename": hit.filename, "place": place}
    return shown


def search_routes(searcher: Searcher, limits: WebLimits) -> list[web.RouteDef]:
    """`POST /search`."""

    async def search(request: web.Request) -> web.Response:
        return json_answer(await searcher.search(await read_json(request, limits)))

    return [web.post("/search", search)]
