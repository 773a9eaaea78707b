"""`/dead-letters`: what never became a task, listed, shown, and sent back to where it came from."""

import base64
from typing import Annotated, NotRequired

from aiohttp import web
from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from models.clock import iso_time
from models.dead_letters import DeadLetter
from models.errors import LetterNotFound
from web.answers import json_answer
from web.limits import DEFAULT_PAGE_SIZE, WebLimits
from web.ports import DeadLetterShelf
from web.queries import at_most, whole_number

_CLOSED = ConfigDict(extra="forbid")
_MOST_DIGITS = 18


@with_config(_CLOSED)
class SourceView(TypedDict):
    """A record's place."""

    topic: str
    partition: int
    offset: int


@with_config(_CLOSED)
class DeadLetterView(TypedDict):
    """A dead letter; its bytes only where one is asked for."""

    number: int
    reason: str
    detail: str
    stage: str
    attempts: int
    source: Annotated[SourceView, Field(description="Where it was read.")]
    source_at: str | None
    buried_at: str | None
    size_bytes: Annotated[int, Field(description="Of the whole record's value.")]
    cut: Annotated[bool, Field(description="Only the beginning is kept: it cannot be sent back.")]
    key: NotRequired[Annotated[str | None, Field(description="base64")]]
    value: NotRequired[Annotated[str, Field(description="The bytes as they came, in base64.")]]
    text: NotRequired[Annotated[str, Field(description="The same as text, if it is UTF-8.")]]


@with_config(_CLOSED)
class DeadLetterPage(TypedDict):
    """Dead letters, the newest first."""

    dead_letters: list[DeadLetterView]
    next_before: Annotated[int | None, Field(description="Give it as `before` to go on.")]


@with_config(_CLOSED)
class RedrivenView(TypedDict):
    """Where a letter's bytes lie now."""

    number: int
    topic: str
    partition: int
    offset: int


def dead_letter_routes(shelf: DeadLetterShelf, limits: WebLimits) -> list[web.RouteDef]:
    """List, show, redrive."""

    async def page(request: web.Request) -> web.Response:
        limit = whole_number(request, "limit", default=DEFAULT_PAGE_SIZE, least=1)
        at_most(
            limit,
            limits.max_page_size,
            field="limit",
            what="the letters of a page",
            setting="task.max_page_size",
        )
        before = whole_number(request, "before", default=0) if "before" in request.query else None
        found = await shelf.page(limit=limit, before=before, reason=request.query.get("reason"))
        views = [view_of(letter) for letter in found.letters]
        return json_answer({"dead_letters": views, "next_before": found.next_before})

    async def show(request: web.Request) -> web.Response:
        letter = await shelf.letter(_number(request))
        return json_answer(view_of(letter) | _bytes_of(letter))

    async def redrive(request: web.Request) -> web.Response:
        number = _number(request)
        sent = await shelf.redrive(number)
        told: RedrivenView = {
            "number": number,
            "topic": sent.topic,
            "partition": sent.partition,
            "offset": sent.offset,
        }
        return json_answer(told, status=202)

    return [
        web.get("/dead-letters", page),
        web.get("/dead-letters/{number}", show),
        web.post("/dead-letters/{number}/redrive", redrive),
    ]


def _number(request: web.Request) -> int:
    given = request.match_info["number"]
    if not (given.isascii() and given.isdigit() and len(given) <= _MOST_DIGITS):
        raise LetterNotFound(given[:100])
    return int(given)


def view_of(letter: DeadLetter) -> DeadLetterView:
    """Show a letter without its bytes."""
    place = letter.source
    return {
        "number": letter.number,
        "reason": letter.reason,
        "detail": letter.detail,
        "stage": letter.stage,
        "attempts": letter.attempts,
        "source": {
            "topic": letter.source_topic,
            "partition": place.partition,
            "offset": place.offset,
        },
        "source_at": iso_time(letter.source_ms),
        "buried_at": iso_time(letter.buried_ms),
        "size_bytes": letter.size_bytes,
        "cut": letter.cut_from_bytes is not None,
    }


def _bytes_of(letter: DeadLetter) -> dict[str, str | None]:
    key = None if letter.key is None else base64.b64encode(letter.key).decode("ascii")
    shown: dict[str, str | None] = {
        "key": key,
        "value": base64.b64encode(letter.value).decode("ascii"),
    }
    try:
        return {**shown, "text": letter.value.decode()}
    except UnicodeDecodeError:
        return shown
