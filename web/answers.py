"""Answers as JSON bytes; orjson writes them, numbers of NumPy included."""

from collections.abc import Mapping

import orjson
from aiohttp import web

JSON = "application/json"
PROBLEM = "application/problem+json"


def json_answer(
    body: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Answer with `body` as JSON."""
    raw = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    return raw_answer(raw, status=status, headers=headers)


def raw_answer(
    raw: bytes,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    content_type: str = JSON,
) -> web.Response:
    """Answer with JSON that is written already."""
    return web.Response(body=raw, status=status, headers=headers, content_type=content_type)
