"""`POST /search`: the stored texts nearest to a text or a vector."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Self

import numpy as np
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from typing_extensions import TypedDict

from embedding.catalog import Catalog, ModelEntry
from models.clock import Clock
from models.errors import (
    InvalidRequest,
    NoEmbedWorker,
    Unavailable,
    VectorizeError,
    VectorStoreUnavailable,
)
from models.ids import DEFAULT_TENANT
from models.splitting import json_bytes
from models.vectors import Hit, Space, Vector
from web.answers import json_answer
from web.bodies import read_json
from web.limits import DEFAULT_HITS, WebLimits
from web.ports import Asker, VectorReader
from web.queries import at_most
from web.validating import refusal_of, shown

Number = Annotated[float, Field(strict=True)]


class SearchRequest(BaseModel):
    """What is looked for, and where."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    query: str | None = Field(default=None, description="A text; give this or `vector`.")
    vector: list[Number] | None = Field(default=None, description="A vector of the model's size.")
    limit: Annotated[int, Field(strict=True)] = Field(
        default=DEFAULT_HITS, ge=1, description="How many hits, at most."
    )
    filter: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Equalities, all of which must hold: `task`, `item`, or a key of the "
        "metadata, with a scalar, or a list of scalars any of which may hold.",
    )
    model_name: str | None = Field(default=None, max_length=256)
    collection: str | None = Field(default=None, pattern=r"^[A-Z][A-Za-z0-9_]{0,127}$")

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if (self.query is None) == (self.vector is None):
            raise ValueError("query: give either query or vector")
        return self


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
        wanted, entry = self._checked(raw)
        collection = wanted.collection or entry.collection
        vector = await self._vector_of(wanted, entry)
        space = Space(tenant=DEFAULT_TENANT, collection=collection, fingerprint=entry.fingerprint)
        hits = await self._found(space, vector, wanted)
        took_ms = round((self._clock.monotonic_s() - began_s) * 1000, 2)
        return {
            "hits": [_shown(hit) for hit in hits],
            "model_name": entry.name,
            "collection": collection,
            "took_ms": took_ms,
        }

    def _checked(self, raw: object) -> tuple[SearchRequest, ModelEntry]:
        if not isinstance(raw, dict):
            raise InvalidRequest(field="body", reason="a search is a JSON object", given=shown(raw))
        name = raw.get("model_name")
        entry = self._catalog.resolve(name if isinstance(name, str) else None)
        _check_size(raw.get("vector"), entry)
        if unknown := sorted(raw.keys() - SearchRequest.model_fields.keys()):
            known = ", ".join(SearchRequest.model_fields)
            raise InvalidRequest(field=unknown[0][:100], reason=f"unknown; there are: {known}")
        try:
            wanted = SearchRequest.model_validate(raw)
        except ValidationError as error:
            raise refusal_of(error, raw) from error
        most = self._limits.max_search_limit
        at_most(
            wanted.limit,
            most,
            field="limit",
            what="the number of hits",
            setting="task.max_search_limit",
        )
        return wanted, entry

    async def _vector_of(self, wanted: SearchRequest, entry: ModelEntry) -> Vector:
        if wanted.vector is not None:
            return _as_vector(wanted.vector)
        text = wanted.query or ""
        if not text.strip():
            raise InvalidRequest(field="query", reason="the text is empty")
        most = self._limits.task.max_text_bytes
        what, setting = "the text's size in bytes", "task.max_text_bytes"
        at_most(json_bytes(text), most, field="query", what=what, setting=setting)
        timeout_s = self._limits.search_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await self._asker.embed(entry.name, entry.fingerprint, text, timeout_s)
        except TimeoutError as error:
            raise NoEmbedWorker from error
        except (Unavailable, InvalidRequest):
            raise
        except VectorizeError as error:  # the model itself gives no vector for this text
            raise InvalidRequest(field="query", reason=error.message) from error

    async def _found(self, space: Space, vector: Vector, wanted: SearchRequest) -> Sequence[Hit]:
        try:
            async with asyncio.timeout(self._limits.search_timeout_s):
                return await self._vectors.search(
                    space, vector, limit=wanted.limit, where=wanted.filter
                )
        except TimeoutError as error:
            raise VectorStoreUnavailable from error


def _check_size(vector: object, entry: ModelEntry) -> None:
    """Before pydantic, which would look at each of a million numbers first."""
    if isinstance(vector, list) and len(vector) != entry.dimension:
        reason = f"model {entry.name} has {entry.dimension} dimensions"
        raise InvalidRequest(field="vector", reason=reason, given=len(vector))


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
    return {
        "id": hit.id,
        "score": score,
        "text": hit.text,
        "task": hit.task,
        "item": hit.item,
        "metadata": hit.metadata,
    }


def search_routes(searcher: Searcher, limits: WebLimits) -> list[web.RouteDef]:
    """`POST /search`."""

    async def search(request: web.Request) -> web.Response:
        return json_answer(await searcher.search(await read_json(request, limits)))

    return [web.post("/search", search)]
