"""Reading a request's body: bounded while it arrives and while it unfolds, then strict JSON."""

import asyncio

import aiohttp
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from models.errors import BodyTooLarge, BodyTooSlow, InvalidRequest, MalformedJson
from models.strict_json import load_strict
from web.limits import WebLimits

BODY_SETTING = "service.max_body_bytes"
TIME_SETTING = "service.body_timeout_s"
#: What aiohttp unfolds by itself; any other encoding would reach the parser as noise.
_ENCODINGS = ("identity", "gzip", "deflate")
_BROKEN = (HttpProcessingError, web.RequestPayloadError, aiohttp.ClientPayloadError, OSError)


async def read_json(request: web.Request, limits: WebLimits) -> object:
    """Read the body.

    Raises BodyTooLarge, BodyTooSlow, MalformedJson, or InvalidRequest for its encoding.
    """
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            raw = await _read(request, limits.max_body_bytes)
    except TimeoutError as error:
        raise BodyTooSlow(limit_s=limits.body_timeout_s, setting=TIME_SETTING) from error
    return load_strict(raw, max_depth=limits.task.max_json_depth)


async def _read(request: web.Request, limit: int) -> bytes:
    told = request.content_length
    if told is not None and told > limit:
        raise BodyTooLarge(limit=limit, given=told, setting=BODY_SETTING)
    encoding = request.headers.get("Content-Encoding")
    if encoding is not None and encoding.lower() not in _ENCODINGS:
        raise InvalidRequest(
            field="Content-Encoding", reason=f"allowed: {', '.join(_ENCODINGS)}", given=encoding
        )
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise BodyTooLarge(limit=limit, given=None, setting=BODY_SETTING) from error
    except _BROKEN as error:
        raise MalformedJson(reason="the body ended early or does not unpack") from error
    if len(raw) > limit:
        raise BodyTooLarge(limit=limit, given=len(raw), setting=BODY_SETTING)
    return raw
