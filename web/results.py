"""The outcome of each item of a task, with its vector: a page of it, and its route."""

import base64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from aiohttp import web

from embedding.catalog import Catalog
from models.bitmap import contains
from models.documents import Place
from models.encoding import Encoding
from models.errors import UnknownModel, VectorStoreUnavailable
from models.ids import chunk_key, item_key
from models.rows import TaskRow
from models.states import SWEPT, ItemErrorCode, ItemStatus, TaskState
from models.units import ItemFailure
from models.vectors import Space, StoredVector, Vector
from web.answers import json_answer
from web.limits import DEFAULT_RESULT_ITEMS, WebLimits
from web.paths import TASK
from web.ports import VectorReader
from web.queries import at_most, choice, whole_number
from web.reading import TaskReader
from web.views import ItemView, PlaceView, ResultPage


@dataclass(frozen=True, slots=True)
class ResultQuery:
    """Which items are asked for, and how their vectors are written (None: as the task asks)."""

    offset: int
    limit: int
    vectors: bool
    encoding: Encoding | None


class ResultReader:
    """Reads a task's outcome, item by item."""

    def __init__(self, reader: TaskReader, vectors: VectorReader, catalog: Catalog) -> None:
        """Rows and errors come from `reader`, vectors from `vectors`."""
        self._reader = reader
        self._vectors = vectors
        self._catalog = catalog

    async def page(self, task_id: str, query: ResultQuery) -> ResultPage:
        """Raise TaskNotFound, OwnerUnavailable, VectorStoreUnavailable."""
        row = await self._reader.find(task_id)
        end = min(query.offset + query.limit, row.total_items)
        indexes = range(query.offset, end)
        failures = await self._failures(row, indexes)
        stored = await self._stored(row, indexes, with_vectors=query.vectors)
        encoding = query.encoding or row.encoding
        return {
            "task_id": row.task_id,
            "status": row.state,
            "total": row.total_items,
            "offset": query.offset,
            "limit": query.limit,
            "next_offset": end if end < row.total_items and indexes else None,
            "model_name": row.model,
            "dimension": self._dimension(row),
            "encoding": encoding,
            "items": [_item(row, at, failures, stored, encoding=encoding) for at in indexes],
        }

    async def _failures(self, row: TaskRow, indexes: range) -> dict[int, ItemFailure]:
        if not any(contains(row.failed, index) for index in indexes):
            return {}
        return {failure.index: failure for failure in await self._reader.errors(row)}

    async def _stored(
        self, row: TaskRow, indexes: range, *, with_vectors: bool
    ) -> Mapping[int, StoredVector]:
        if not indexes or row.state in SWEPT or row.state is TaskState.FAILED:
            return {}
        if not row.is_final or row.own_ids or row.document or with_vectors:
            return await self._read(row, indexes, with_vectors=with_vectors)
        # Without own ids nobody can supersede an item: the row alone knows what is stored, and
        # the store only adds tokens and truncation. Of a chunk it knows the place, too.
        known = {at: StoredVector(at, item_key(row.task_id, at, None), None) for at in indexes}
        with suppress(VectorStoreUnavailable):
            known |= await self._read(row, indexes, with_vectors=False)
        return known

    async def _read(
        self, row: TaskRow, indexes: range, *, with_vectors: bool
    ) -> Mapping[int, StoredVector]:
        space = Space(tenant=row.tenant, collection=row.collection, fingerprint=row.fingerprint)
        return await self._vectors.results(
            space,
            row.task_id,
            first=indexes.start,
            count=len(indexes),
            with_vectors=with_vectors,
        )

    def _dimension(self, row: TaskRow) -> int | None:
        if row.options.dimensions is not None:
            return row.options.dimensions
        try:
            return self._catalog.resolve(row.model).dimension
        except UnknownModel:  # no longer allowed; its vectors are still there
            return None


def _item(
    row: TaskRow,
    index: int,
    failures: Mapping[int, ItemFailure],
    found: Mapping[int, StoredVector],
    *,
    encoding: Encoding,
) -> ItemView:
    """Show one item: its failure counts, then the task's state, then what the store holds."""
    if contains(row.failed, index):
        return _failed(row, index, failures.get(index))
    if row.state in SWEPT:
        gone: ItemView = {"index": index, "item": _name(row, index), "status": ItemStatus.FAILED}
        message = f"the task was {row.state} before this item counted"
        return {**gone, "error": {"code": row.state, "message": message}}
    stored = found.get(index)
    if stored is None:
        status = ItemStatus.SUPERSEDED if row.is_final else ItemStatus.PENDING
        return {"index": index, "item": _name(row, index), "status": status}
    return _shown(stored, encoding)


def _shown(stored: StoredVector, encoding: Encoding) -> ItemView:
    item: ItemView = {"index": stored.index, "item": stored.item, "status": ItemStatus.STORED}
    if stored.tokens is not None:
        item["tokens"] = stored.tokens
    if stored.truncated is not None:
        item["truncated"] = stored.truncated
    if stored.place is not None:
        item["place"] = _place(stored.place)
    if stored.vector is not None:
        item["vector"] = _written(stored.vector, encoding)
    return item


def _place(place: Place) -> PlaceView:
    return {
        "page": place.page,
        "sheet": place.sheet,
        "headings": place.headings,
        "start": place.start,
        "end": place.end,
    }


def _failed(row: TaskRow, index: int, failure: ItemFailure | None) -> ItemView:
    own_id = failure.own_id if failure is not None else None
    code = failure.code if failure is not None else ItemErrorCode.STAGE_FAILED
    message = failure.message if failure is not None else "the reason is not kept"
    return {
        "index": index,
        "item": own_id or _name(row, index),
        "status": ItemStatus.FAILED,
        "error": {"code": code, "message": message},
    }


def _name(row: TaskRow, index: int) -> str | None:
    """The item's name; own ids of items that are not stored stand in the source record only."""
    document_id = row.document.document_id if row.document else None
    if document_id is not None:
        return chunk_key(document_id, index)
    return None if row.own_ids else item_key(row.task_id, index, None)


def _written(vector: Vector, encoding: Encoding) -> list[float] | str:
    if encoding is Encoding.BASE64:
        return base64.b64encode(np.ascontiguousarray(vector, dtype="<f4").tobytes()).decode()
    # orjson writes the array itself, each float32 in its shortest form.
    return np.ascontiguousarray(vector, dtype=np.float32)  # type: ignore[return-value]  # a list to any reader


def _encoding(request: web.Request) -> Encoding | None:
    chosen = choice(request, "encoding", tuple(Encoding))
    return None if chosen is None else Encoding(chosen)


def result_routes(results: ResultReader, limits: WebLimits) -> list[web.RouteDef]:
    """`GET /tasks/{task_id}/result`."""

    async def result(request: web.Request) -> web.Response:
        query = ResultQuery(
            offset=whole_number(request, "offset", default=0),
            limit=at_most(
                whole_number(
                    request,
                    "limit",
                    default=min(DEFAULT_RESULT_ITEMS, limits.max_page_size),
                    least=1,
                ),
                limits.max_page_size,
                field="limit",
                what="the number of items",
                setting="task.max_page_size",
            ),
            vectors=choice(request, "vectors", ("true", "false")) != "false",
            encoding=_encoding(request),
        )
        return json_answer(await results.page(request.match_info["task_id"], query))

    return [web.get(f"{TASK}/result", result)]
