"""The outcome of each item of a task, with its vector: a page of it, and its route."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from aiohttp import web

from embedding.catalog import Catalog
from models.bitmap import contains
from models.errors import UnknownModel
from models.ids import item_key
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
from web.views import ItemView, ResultPage


@dataclass(frozen=True, slots=True)
class ResultQuery:
    """Which items are asked for, and how their vectors are written."""

    offset: int
    limit: int
    vectors: bool
    as_base64: bool


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
        stored = await self._stored(row, indexes, query)
        return {
            "task_id": row.task_id,
            "status": row.state,
            "total": row.total_items,
            "offset": query.offset,
            "limit": query.limit,
            "next_offset": end if end < row.total_items and indexes else None,
            "model_name": row.model,
            "dimension": self._dimension(row.model),
            "items": [_item(row, at, failures, stored, query=query) for at in indexes],
        }

    async def _failures(self, row: TaskRow, indexes: range) -> dict[int, ItemFailure]:
        if not any(contains(row.failed, index) for index in indexes):
            return {}
        return {failure.index: failure for failure in await self._reader.errors(row)}

    async def _stored(
        self, row: TaskRow, indexes: range, query: ResultQuery
    ) -> Mapping[int, StoredVector]:
        if not indexes or row.state in SWEPT or row.state is TaskState.FAILED:
            return {}
        if row.is_final and not row.own_ids and not query.vectors:
            # Without own ids nobody can supersede an item: the row alone knows what is stored.
            return {at: StoredVector(at, item_key(row.task_id, at, None), None) for at in indexes}
        space = Space(tenant=row.tenant, collection=row.collection, fingerprint=row.fingerprint)
        return await self._vectors.results(
            space,
            row.task_id,
            first=indexes.start,
            count=len(indexes),
            with_vectors=query.vectors,
        )

    def _dimension(self, model: str) -> int | None:
        try:
            return self._catalog.resolve(model).dimension
        except UnknownModel:  # no longer allowed; its vectors are still there
            return None


def _item(
    row: TaskRow,
    index: int,
    failures: Mapping[int, ItemFailure],
    found: Mapping[int, StoredVector],
    *,
    query: ResultQuery,
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
    item: ItemView = {"index": index, "item": stored.item, "status": ItemStatus.STORED}
    if query.vectors and stored.vector is not None:
        item["vector"] = _written(stored.vector, as_base64=query.as_base64)
    return item


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
    return None if row.own_ids else item_key(row.task_id, index, None)


def _written(vector: Vector, *, as_base64: bool) -> list[float] | str:
    if as_base64:
        return base64.b64encode(np.ascontiguousarray(vector, dtype="<f4").tobytes()).decode()
    # orjson writes the array itself, each float32 in its shortest form.
    return np.ascontiguousarray(vector, dtype=np.float32)  # type: ignore[return-value]  # a list to any reader


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
            as_base64=choice(request, "encoding", ("float", "base64")) == "base64",
        )
        return json_answer(await results.page(request.match_info["task_id"], query))

    return [web.get(f"{TASK}/result", result)]
