"""The outermost middleware: a request's id, its line in the log, its place in the metrics."""

import re
from http import HTTPStatus
from time import perf_counter

import structlog
import uuid_utils
from aiohttp import web
from aiohttp.typedefs import Middleware

from web.auth import OPEN_PATHS
from web.errors import REQUEST_ID, REQUEST_ID_HEADER, Handler
from web.metrics import UNMATCHED, WebMeters

log = structlog.get_logger("web.access")

#: Given ids that may stand in logs and headers as they are.
_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
#: The status noted for a caller that left before its answer.
CLIENT_LEFT = 499
#: Methods that may stand as a label; anything else a stranger invents is one of them.
_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"})


def access(meters: WebMeters) -> Middleware:
    """Name each request, then log and count its answer; never its payload."""

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        began_s = perf_counter()
        request_id = request[REQUEST_ID] = _id_of(request)
        status = CLIENT_LEFT
        try:
            response = await handler(request)
            status = response.status
            response.headers[REQUEST_ID_HEADER] = request_id
            return response
        finally:
            _note(meters, request, status, perf_counter() - began_s)

    return observe


def _id_of(request: web.Request) -> str:
    given = request.headers.get(REQUEST_ID_HEADER)
    return given if given and _SANE_ID.fullmatch(given) else str(uuid_utils.uuid7())


def _note(meters: WebMeters, request: web.Request, status: int, seconds: float) -> None:
    method = request.method if request.method in _METHODS else "OTHER"
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else UNMATCHED
    meters.note(method, route, status, seconds)
    tell = log.debug
    # A probe's 503 is its answer, asked for every second while a process starts.
    if status >= HTTPStatus.BAD_REQUEST and route not in OPEN_PATHS:
        tell = log.warning if status >= HTTPStatus.INTERNAL_SERVER_ERROR else log.info
    tell(
        "request",
        method=method,
        route=route,
        status=status,
        ms=round(seconds * 1000, 2),
        request_id=request[REQUEST_ID],
    )
