"""What one master asks of another, and nobody else: reads of what is owned here, never further."""

from aiohttp import web
from pydantic import ValidationError

from models.errors import InvalidRequest, OwnerUnavailable, TaskNotFound
from models.paging import PageQuery
from models.rows import TaskRow
from models.units import SourcePlace
from web.answers import raw_answer
from web.errors import Handler
from web.hop import FAILURES, FIRST_HOP, HOP_HEADER
from web.limits import WebLimits
from web.paths import TASK_ID
from web.ports import Board, Owners
from web.queries import whole_number
from web.refusals import UnknownPath


def owner_routes(board: Board, owners: Owners, limits: WebLimits) -> list[web.RouteDef]:
    """The routes under `/owner`."""

    async def owned(request: web.Request) -> TaskRow:
        task_id = request.match_info["task_id"]
        if owners.url_of(task_id) is not None:
            raise OwnerUnavailable("this master does not own the task (any more)")
        row = await board.row(
            task_id,
            after_source=_after_source(request),
            after_event=_optional(request, "event"),
            until_final_s=_held_s(request, limits.max_wait_s),
        )
        if row is None:
            raise TaskNotFound(task_id)
        return row

    async def row(request: web.Request) -> web.StreamResponse:
        return raw_answer((await owned(request)).model_dump_json().encode())

    async def errors(request: web.Request) -> web.StreamResponse:
        return raw_answer(FAILURES.dump_json(board.errors(await owned(request))))

    async def page(request: web.Request) -> web.StreamResponse:
        try:
            query = PageQuery.model_validate_json(request.query.get("query", "{}"))
        except ValidationError as error:
            raise InvalidRequest(field="query", reason="is no query for a page") from error
        return raw_answer(board.page(query).model_dump_json().encode())

    async def tally(request: web.Request) -> web.StreamResponse:
        del request
        return raw_answer(board.tally().model_dump_json().encode())

    return [
        web.get(f"/owner/tasks/{TASK_ID}", _one_hop(row)),
        web.get(f"/owner/errors/{TASK_ID}", _one_hop(errors)),
        web.get("/owner/page", _one_hop(page)),
        web.get("/owner/tally", _one_hop(tally)),
    ]


def _one_hop(handler: Handler) -> Handler:
    """Let only the first hop of another master in."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        hop = request.headers.get(HOP_HEADER)
        if hop is None:
            raise UnknownPath("only masters ask here, and say so")
        if hop != FIRST_HOP:
            raise OwnerUnavailable("the request went from master to master already")
        return await handler(request)

    return guarded


def _after_source(request: web.Request) -> SourcePlace | None:
    offset = _optional(request, "offset")
    if offset is None:
        return None
    return SourcePlace(partition=whole_number(request, "partition", default=0), offset=offset)


def _optional(request: web.Request, name: str) -> int | None:
    return whole_number(request, name, default=0) if name in request.query else None


def _held_s(request: web.Request, longest_s: float) -> float:
    try:
        return min(max(0.0, float(request.query.get("until_final_s", "0"))), longest_s)
    except ValueError:
        return 0.0
