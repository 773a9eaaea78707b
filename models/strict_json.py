"""JSON from strangers: no NaN, no lone surrogate, no depth bomb gets past this door."""

from typing import cast

import orjson

from models.errors import LimitExceeded, MalformedJson

DEPTH_SETTING = "task.max_json_depth"


def load_strict(raw: bytes, *, max_depth: int) -> object:
    """Parse `raw`; raise MalformedJson for what is no JSON, LimitExceeded for what is too deep.

    orjson refuses NaN, infinities and lone surrogates, which the standard library lets through.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedJson(reason=_first_line(error)) from error
    depth = _depth(value, max_depth)
    if depth > max_depth:
        raise LimitExceeded(
            field="body", what="JSON nesting", limit=max_depth, given=depth, setting=DEPTH_SETTING
        )
    return cast(object, value)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]


def _depth(value: object, stop_after: int) -> int:
    """Count nesting level by level (no recursion), giving up one past `stop_after`."""
    level = [value] if isinstance(value, dict | list) else []
    depth = 0
    while level and depth <= stop_after:
        depth += 1
        # One flat comprehension: a body of a million small lists is answered in a moment.
        level = [
            child
            for part in level
            for child in (part.values() if isinstance(part, dict) else part)
            if isinstance(child, (dict, list))
        ]
    return depth
