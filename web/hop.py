"""The one hop: asking the master that owns a task. Any failure there is OwnerUnavailable here."""

from collections.abc import Mapping

import aiohttp
import orjson
from pydantic import TypeAdapter, ValidationError

from models.errors import OwnerUnavailable, TaskNotFound
from models.metrics import Tally
from models.paging import Page, PageQuery
from models.rows import TaskRow
from models.units import ItemFailure, SourcePlace
from web.auth import key_headers
from web.errors import problem_type

#: Says that a request comes from a master; who gets one never asks another.
HOP_HEADER = "X-Vectorize-Hop"
FIRST_HOP = "1"
FAILURES: TypeAdapter[list[ItemFailure]] = TypeAdapter(list[ItemFailure])
_OK, _NOT_FOUND = 200, 404


class OwnerHop:
    """Reads from other masters, over connections that are kept."""

    def __init__(self, *, api_key: str | None, timeout_s: float) -> None:
        """Send `api_key`; wait `timeout_s`, and on top what a call is to be held."""
        self._headers = {HOP_HEADER: FIRST_HOP, **key_headers(api_key)}
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def row(
        self,
        url: str,
        task_id: str,
        *,
        after_source: SourcePlace | None = None,
        after_event: int | None = None,
        until_final_s: float = 0.0,
    ) -> TaskRow | None:
        """Read a task's row at its owner, as its board gives it."""
        params = {"until_final_s": f"{until_final_s:.3f}"}
        if after_source is not None:
            params["partition"] = str(after_source.partition)
            params["offset"] = str(after_source.offset)
        if after_event is not None:
            params["event"] = str(after_event)
        raw = await self._get(f"{url}/owner/tasks/{task_id}", params, held_s=until_final_s)
        try:
            return None if raw is None else TaskRow.model_validate_json(raw)
        except ValidationError as error:
            raise OwnerUnavailable("the owner answered what is no row") from error

    async def page(self, url: str, query: PageQuery) -> Page:
        """List what another master owns."""
        params = {"query": query.model_dump_json(exclude_defaults=True)}
        raw = await self._get(f"{url}/owner/page", params)
        try:
            return Page.model_validate_json(raw or b"")
        except ValidationError as error:
            raise OwnerUnavailable("the owner answered what is no page") from error

    async def tally(self, url: str) -> Tally:
        """Add up what another master owns."""
        raw = await self._get(f"{url}/owner/tally", {})
        try:
            return Tally.model_validate_json(raw or b"")
        except ValidationError as error:
            raise OwnerUnavailable("the owner answered what is no tally") from error

    async def errors(self, url: str, task_id: str) -> list[ItemFailure]:
        """List the failed items of a task at its owner; raise TaskNotFound."""
        raw = await self._get(f"{url}/owner/errors/{task_id}", {})
        if raw is None:
            raise TaskNotFound(task_id)
        try:
            return FAILURES.validate_json(raw)
        except ValidationError as error:
            raise OwnerUnavailable("the owner answered what is no list of failures") from error

    async def _get(
        self, url: str, params: Mapping[str, str], *, held_s: float = 0.0
    ) -> bytes | None:
        """Get a body; None where the owner itself says that there is no such task."""
        timeout = aiohttp.ClientTimeout(total=self._timeout_s + held_s)
        try:
            async with self._opened().get(
                url, params=params, timeout=timeout, allow_redirects=False
            ) as answer:
                raw = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise OwnerUnavailable(f"the owner did not answer ({type(error).__name__})") from error
        if answer.status == _OK:
            return raw
        if answer.status == _NOT_FOUND and _says_unknown_task(raw):
            return None
        raise OwnerUnavailable(f"the owner answered {answer.status}")

    def _opened(self) -> aiohttp.ClientSession:
        # Not in the constructor: a session belongs to the loop that serves requests.
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)  # held calls must not starve quick ones
            self._session = aiohttp.ClientSession(headers=self._headers, connector=connector)
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()


def _says_unknown_task(raw: bytes) -> bool:
    """A stranger on the owner's port answers 404 too: only our own problem document counts."""
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return isinstance(document, dict) and document.get("type") == problem_type(TaskNotFound)
