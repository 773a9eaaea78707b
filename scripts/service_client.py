"""The service over HTTP, for the scripts that show it and try it: patient, and plain in errors."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from config.errors import SettingsError
from config.settings import load_settings
from scripts.supervisor.record import Addresses, running_service

DEFAULT_URL = "http://localhost:8000"
METRICS_PORT = 9090
PATIENCE_S = 60.0
LONGEST_PAUSE_S = 10.0
_TRY_AGAIN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_LATER = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError)

Json = dict[str, Any]
Body = Mapping[str, object] | Sequence[object] | bytes | aiohttp.FormData | None


class NotReachable(Exception):
    """Nothing answers at the address."""


class Refused(Exception):
    """The service answered with an error."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def problem(self) -> str:
        """The error in one line."""
        body = self.body if isinstance(self.body, dict) else {}
        return f"{self.status}: {body.get('detail') or body.get('title') or 'no reason given'}"


class ServiceClient:
    """Asks one service."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        api_key: str | None = None,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Send `api_key` with every request; go on for `patience_s` while it says "later"."""
        self._session = session
        self._url = url.rstrip("/")
        self._headers = {"X-API-Key": api_key} if api_key else {}
        self._patience_s = patience_s

    async def once(self, method: str, path: str, body: Body = None, **headers: str) -> Answer:
        """Ask once; raise NotReachable where nothing answers."""
        try:
            return await self._once(method, path, body, headers)
        except _LATER as error:
            raise NotReachable(f"{self._url} does not answer ({_told(error)})") from error

    async def ask(self, method: str, path: str, body: Body = None, **headers: str) -> Json:
        """Ask until it is answered; raise Refused, or NotReachable when patience is over."""
        deadline_s = time.monotonic() + self._patience_s
        while True:
            try:
                answer = await self.once(method, path, body, **headers)
            except NotReachable:
                if time.monotonic() > deadline_s:
                    raise
                pause_s = 1.0
            else:
                if answer.status < HTTPStatus.BAD_REQUEST:
                    return dict(answer.body)
                if answer.status not in _TRY_AGAIN or time.monotonic() > deadline_s:
                    raise Refused(f"{method} {path}: {answer.problem}")
                pause_s = _pause_s(answer)
            await asyncio.sleep(pause_s)

    async def _once(self, method: str, path: str, body: Body, headers: Mapping[str, str]) -> Answer:
        sent = {**self._headers, **{name.replace("_", "-"): headers[name] for name in headers}}
        data: str | bytes | aiohttp.FormData | None
        if body is None or isinstance(body, aiohttp.FormData):
            data = body
        else:
            sent["Content-Type"] = "application/json"
            data = body if isinstance(body, bytes) else json.dumps(body)
        url = path if "://" in path else self._url + path
        async with self._session.request(method, url, headers=sent, data=data) as response:
            text = await response.text()
            given = json.loads(text) if "json" in response.content_type else text
            return Answer(response.status, response.headers, given)


def _pause_s(answer: Answer) -> float:
    """How long to wait before asking again."""
    given = answer.headers.get("Retry-After", "")
    return min(float(given), LONGEST_PAUSE_S) if given.isdigit() else 1.0


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__


def default_addresses() -> Addresses:
    """The service in the background of this checkout, else the guide's own address."""
    record = running_service()
    if record is not None and record.addresses is not None:
        return record.addresses
    return Addresses(url=DEFAULT_URL)


def addresses_for(base_url: str | None, metrics_url: str | None = None) -> Addresses:
    """The addresses meant by the command line."""
    found = Addresses(url=base_url.rstrip("/")) if base_url else default_addresses()
    return found.model_copy(update={"metrics_url": metrics_url}) if metrics_url else found


def api_key_for(
    base_url: str | None, given: str | None, configured: Callable[[], str | None] | None = None
) -> str | None:
    """The key that was given, else this checkout's own; that one goes to its own service only."""
    if given or base_url:
        return given
    return (configured or configured_api_key)()


def configured_api_key() -> str | None:
    """The key in this checkout's settings."""
    try:
        secret = load_settings().service.api_key
    except SettingsError:
        return None
    return secret.get_secret_value() if secret else None
