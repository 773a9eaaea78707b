"""Fetching a document by its URL, which a stranger chose: only public places, bounded in all.

Each hop is judged twice: its URL by `url_rules`, its address by `connect_guard`.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile, gettempdir
from typing import IO

import aiohttp
from aiohttp.abc import AbstractResolver

from models.clock import SYSTEM_CLOCK, Clock
from models.errors import Unavailable
from stores.address_rules import AllowList
from stores.connect_guard import ConnectGuard
from stores.fetch_answers import (
    REDIRECTS,
    filename_of,
    is_whole,
    may_pass,
    media_type_of,
    retry_after_s,
)
from stores.fetch_errors import (
    AnswerBroken,
    FetchFailed,
    FetchTimedOut,
    FetchTooLarge,
    HostUnknown,
    HostUnreachable,
    StatusRefused,
    UrlRefused,
)
from stores.name_lookup import NameLookup
from stores.url_rules import FIELD, FetchRules, Target, closed, redirect_of, target_of

#: Of a head: its first line, one field, all fields.
LINE_BYTES = 8_190
FIELD_BYTES = 8_190
FIELDS = 128
PIECE_BYTES = 65_536
#: A larger document is written to the disk while it comes.
IN_MEMORY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """How far a document may be fetched (settings document.fetch_*)."""

    max_bytes: int = 67_108_864
    timeout_s: float = 30.0  # from the name's lookup to the last byte, redirects included
    allowed_hosts: tuple[str, ...] = ()  # names, host:port, CIDR: allowed although private
    ports: tuple[int, ...] = (80, 443)
    max_redirects: int = 3
    lookups: int = 4  # names looked up at a time
    user_agent: str = "vectorize-fetch"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document as its server delivered it; only what it holds is more than a hint."""

    size: int
    final_url_host: str
    content_type: str | None
    filename: str | None  # a bare name, never a path
    file: IO[bytes] = field(repr=False)

    def read(self) -> bytes:
        """Take all of it into memory."""
        self.file.seek(0)
        return self.file.read()

    def close(self) -> None:
        """Let go of it."""
        self.file.close()


class NoSpaceToFetch(Unavailable):
    """This machine has no room for what is being fetched. Try again later."""


class GuardedFetch:
    """Fetches documents; each hop has a connector of its own, so none inherits a connection."""

    def __init__(
        self,
        options: FetchOptions,
        *,
        clock: Clock = SYSTEM_CLOCK,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """Connect to nothing yet; raises ValueError where an allowed host is not one."""
        allowed = AllowList.of(options.allowed_hosts)
        self._rules = FetchRules(frozenset(options.ports), allowed)
        self._options = options
        self._clock = clock
        self._resolver = resolver or NameLookup(options.lookups)

    async def fetch(self, url: str) -> Fetched:
        """Get a document of at most `max_bytes` within `timeout_s`.

        Raises FetchFailed, and NoSpaceToFetch.

        A large one lies in a file without a name, so that slow servers fill no memory; it must be
        closed.
        """
        target = target_of(url, self._rules)
        limit_s = self._options.timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return await self._follow(target)
        except TimeoutError:
            raise FetchTimedOut(host=target.host, limit_s=limit_s) from None

    async def close(self) -> None:
        """Let go of the lookup threads."""
        await self._resolver.close()

    async def _follow(self, target: Target) -> Fetched:
        for _ in range(self._options.max_redirects + 1):
            found = await self._hop(target)
            if isinstance(found, Fetched):
                return found
            target = redirect_of(target, found, self._rules)
        raise UrlRefused(f"{FIELD}: more than {self._options.max_redirects} redirects")

    async def _hop(self, target: Target) -> Fetched | str:
        """Ask one server: a document, or the place it redirects to."""
        guard = ConnectGuard(target, self._rules.allowed, self._options.max_bytes)
        try:
            async with (
                self._session(guard) as session,
                session.get(target.url, allow_redirects=False) as answer,
            ):
                return await self._read(answer, target)
        except (aiohttp.ClientError, OSError) as error:
            # `from None`: aiohttp's own words hold the whole URL, with its secrets.
            raise _failure_of(error, guard, self._options.max_bytes) from None

    def _session(self, guard: ConnectGuard) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=self._resolver, socket_factory=guard, use_dns_cache=False, force_close=True
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # no proxy and no .netrc: neither would pass the door
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # `fetch` bounds all
            headers={
                "User-Agent": self._options.user_agent,
                "Accept": "*/*",
                "Accept-Encoding": "identity",
            },
            max_line_size=LINE_BYTES,
            max_field_size=FIELD_BYTES,
            max_headers=FIELDS,
        )

    async def _read(self, answer: aiohttp.ClientResponse, target: Target) -> Fetched | str:
        headers = answer.headers
        if answer.status in REDIRECTS and "Location" in headers:
            return headers["Location"]
        self._check(answer, target.host)
        file = await _content(answer, target.host, self._options.max_bytes)
        return Fetched(
            size=file.tell(),
            final_url_host=target.host,
            content_type=media_type_of(headers.get("Content-Type")),
            filename=filename_of(headers.get("Content-Disposition"), target.url.name),
            file=file,
        )

    def _check(self, answer: aiohttp.ClientResponse, host: str) -> None:
        """Raise for an answer that is not the document as it is."""
        if not is_whole(answer.status):
            raise StatusRefused(
                host=host,
                status=answer.status,
                transient=may_pass(answer.status),
                retry_after_s=retry_after_s(
                    answer.headers.get("Retry-After"), self._clock.now_ms()
                ),
            )
        # Never unpacked, so that no bomb can go off; we asked for `identity`.
        if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise AnswerBroken(f"{FIELD}: {host} sent the document compressed, unasked")


def _failure_of(
    error: aiohttp.ClientError | OSError, guard: ConnectGuard, limit: int
) -> FetchFailed:
    """Say what went wrong between us and one host."""
    host = guard.target.host
    if guard.flooded:
        return FetchTooLarge(host=host, limit=limit, given=None)
    match error:
        case aiohttp.ClientConnectorError():
            return _unconnected(error, guard)
        case aiohttp.ClientResponseError() | aiohttp.InvalidURL():
            return AnswerBroken(f"{FIELD}: {host} answered with what is not valid HTTP")
        case _:
            return AnswerBroken(f"{FIELD}: the answer of {host} was cut off", transient=True)


def _unconnected(error: aiohttp.ClientConnectorError, guard: ConnectGuard) -> FetchFailed:
    host = guard.target.host
    match error:
        case aiohttp.ClientConnectorDNSError():
            return _unknown(error, host)
        case aiohttp.ClientSSLError():
            return HostUnreachable(f"{FIELD}: no trusted TLS connection to {host}")
        case _ if guard.refused:
            return closed(host)
        case _:
            return HostUnreachable(f"{FIELD}: {host} takes no connection", transient=True)


async def _content(answer: aiohttp.ClientResponse, host: str, limit: int) -> IO[bytes]:
    """The body, in a file that stands at its end. Raises FetchTooLarge."""
    given = answer.content_length
    if given is not None and given > limit:
        raise FetchTooLarge(host=host, limit=limit, given=given)
    file = SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115  # whoever asked closes it
    with ExitStack() as undone:
        undone.callback(_drop, file)
        async for piece in answer.content.iter_chunked(PIECE_BYTES):
            if file.tell() + len(piece) > limit:
                raise FetchTooLarge(host=host, limit=limit, given=None)
            with _on_our_disk():
                file.write(piece)
        with _on_our_disk():
            file.flush()
        undone.pop_all()
    return file


@contextmanager
def _on_our_disk() -> Iterator[None]:
    """Raise NoSpaceToFetch for what goes wrong: that is no foreign server's fault."""
    try:
        yield
    except OSError as error:
        raise NoSpaceToFetch(
            f"a fetched document cannot be written to {gettempdir()} ({error.strerror}): "
            "make room there, or set TMPDIR"
        ) from error


def _drop(file: IO[bytes]) -> None:
    """Let go of what nobody wants: to close it writes the rest, for which there may be no room."""
    with suppress(OSError):
        file.close()


def _unknown(error: aiohttp.ClientConnectorDNSError, host: str) -> HostUnknown:
    """A name without an address stays so; a name server that is silent may answer later."""
    lasting = {socket.EAI_NONAME, socket.EAI_NODATA}
    return HostUnknown(
        f"{FIELD}: the host name {host} leads to no address",
        transient=error.os_error.errno not in lasting,
    )
