"""How much may be in flight at once: bodies stay in memory until their records are acknowledged."""

from aiohttp import web
from aiohttp.typedefs import Middleware

from web.errors import Handler
from web.limits import WebLimits
from web.refusals import Overloaded

SETTING = "service.max_in_flight_bytes"


def admission(limits: WebLimits) -> Middleware:
    """Refuse a body that would take more memory than all bodies together may (Overloaded)."""
    in_flight = 0

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal in_flight
        size = _size(request, limits.max_body_bytes)
        if not size:
            return await handler(request)
        if in_flight and in_flight + size > limits.max_in_flight_bytes:
            raise Overloaded(
                what="the bytes of all bodies in flight",
                limit=limits.max_in_flight_bytes,
                given=in_flight + size,
                setting=SETTING,
            )
        in_flight += size
        try:
            return await handler(request)
        finally:
            in_flight -= size

    return admit


def _size(request: web.Request, longest: int) -> int:
    """What a body may take: its length, or where that is not known the most that is read of it."""
    if not request.body_exists:
        return 0
    told = request.content_length
    if told is None or "Content-Encoding" in request.headers:
        return longest
    return min(told, longest)
