"""Reading query parameters: each is bounded, and a refusal names it."""

import math
from collections.abc import Sequence

from aiohttp import web

from models.errors import InvalidRequest, LimitExceeded

_LONGEST_NUMBER = 18  # digits
WAIT_SETTING = "service.max_wait_s"


def whole_number(request: web.Request, name: str, *, default: int, least: int = 0) -> int:
    """Read the whole number `name`, at least `least`."""
    given = request.query.get(name)
    if given is None:
        return default
    digits = given.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER):
        raise InvalidRequest(field=name, reason="must be a whole number", given=given[:100])
    if int(given) < least:
        raise InvalidRequest(field=name, reason=f"must be at least {least}", given=int(given))
    return int(given)


def at_most(given: int, limit: int, *, field: str, what: str, setting: str) -> int:
    """Return `given`, or raise LimitExceeded."""
    if given > limit:
        raise LimitExceeded(field=field, what=what, limit=limit, given=given, setting=setting)
    return given


def choice(request: web.Request, name: str, allowed: Sequence[str]) -> str | None:
    """Read one of the `allowed` words; None where the caller gives none."""
    given = request.query.get(name)
    if given is not None and given not in allowed:
        raise InvalidRequest(
            field=name, reason=f"unknown; allowed: {', '.join(allowed)}", given=given[:100]
        )
    return given


def wait_seconds(request: web.Request, longest_s: float) -> float:
    """Read `wait`, the seconds a caller is ready to be held."""
    given = request.query.get("wait")
    if given is None:
        return 0.0
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise InvalidRequest(field="wait", reason="must be seconds, 0 or more", given=given[:100])
    at_most(
        math.ceil(min(seconds, 1e15)),
        math.floor(longest_s) if seconds > longest_s else math.ceil(longest_s),
        field="wait",
        what="the seconds to wait",
        setting=WAIT_SETTING,
    )
    return seconds
