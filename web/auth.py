"""One static API key, off where none is set; all but the health routes ask for it."""

from hmac import compare_digest

from aiohttp import web
from aiohttp.typedefs import Middleware

from models.errors import NotAuthorized
from web.errors import Handler

OPEN_PATHS = frozenset({"/health", "/livez", "/readyz"})
KEY_HEADER = "X-API-Key"
_BEARER = "bearer "


def api_key_guard(api_key: str) -> Middleware:
    """Let only callers pass that send `api_key`; others get NotAuthorized."""
    wanted = api_key.encode()

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in OPEN_PATHS and not compare_digest(_given(request), wanted):
            raise NotAuthorized
        return await handler(request)

    return guard


def key_headers(api_key: str | None) -> dict[str, str]:
    """What a master sends when it asks another one."""
    return {} if api_key is None else {KEY_HEADER: api_key}


def _given(request: web.Request) -> bytes:
    authorization = request.headers.get("Authorization", "")
    if authorization[: len(_BEARER)].lower() == _BEARER:
        return authorization[len(_BEARER) :].strip().encode(errors="surrogateescape")
    return request.headers.get(KEY_HEADER, "").encode(errors="surrogateescape")
