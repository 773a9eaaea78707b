"""Servers made to hang, flood or fool whoever fetches from them: each is bounded."""

import asyncio
import gzip
import time
from dataclasses import dataclass

import pytest

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
from stores.guarded_fetch import Fetched, FetchOptions, GuardedFetch
from tests.unit.stores.loopback import Behaviour, KnownNames, Wire, serving, taken

MAX_BYTES = 200_000
#: For servers that would never end, and for those of which something else is expected: on a
#: busy machine a second may pass before they have said it.
TIMEOUT_S = 1.0
PATIENCE_S = 15.0
#: What may be under way beyond the limit, in the buffers of both sockets.
BUFFERS_BYTES = 16 * 1024 * 1024
#: Far above what anything here may take on a slow machine.
HANG_S = 30.0
OK = "HTTP/1.1 200 OK\r\n"


async def fetch_from(
    behave: Behaviour, *, scheme: str = "http", timeout_s: float = PATIENCE_S
) -> tuple[Fetched | FetchFailed, int]:
    """Fetch from one server; also how many bytes it got rid of."""
    async with serving(behave) as server:
        options = FetchOptions(
            max_bytes=MAX_BYTES, timeout_s=timeout_s, allowed_hosts=(f"files.test:{server.port}",)
        )
        fetch = GuardedFetch(options, resolver=KnownNames({"files.test": [["127.0.0.1"]]}))
        try:
            return await fetch.fetch(f"{scheme}://files.test:{server.port}/report.pdf"), server.sent
        except FetchFailed as failure:
            return failure, server.sent


def answers(*parts: bytes | str) -> Behaviour:
    """Say one thing, and hang up."""

    async def behave(wire: Wire) -> None:
        await wire.head()
        for part in parts:
            await wire.send(part)

    return behave


def floods(start: bytes | str, part: bytes | str, *, pause_s: float = 0.0) -> Behaviour:
    """Say one thing for ever."""

    async def behave(wire: Wire) -> None:
        await wire.head()
        await wire.send(start)
        await wire.endless(part, pause_s=pause_s)

    return behave


def falls_silent(start: bytes | str = b"") -> Behaviour:
    async def behave(wire: Wire) -> None:
        await wire.send(start)
        await wire.silence()

    return behave


def resets(start: bytes | str = b"") -> Behaviour:
    async def behave(wire: Wire) -> None:
        await wire.head()
        await wire.send(start)
        await asyncio.sleep(0.05)
        wire.reset()

    return behave


async def hangs_up(wire: Wire) -> None:
    """Before it was asked."""


async def redirects_in_a_loop(wire: Wire) -> None:
    await wire.head()
    await wire.send("HTTP/1.1 302 Found\r\nLocation: /report.pdf\r\nContent-Length: 0\r\n\r\n")


def redirects(place: str) -> Behaviour:
    return answers(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n")


BOMB = gzip.compress(bytes(50_000_000))
PIECE = b"x" * 65_536
CHUNKED = OK + "Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Case:
    behave: Behaviour
    failure: type[FetchFailed]
    transient: bool = False


CASES = {
    "a body without end": Case(floods(OK + "\r\n", PIECE), FetchTooLarge),
    "a chunked body without end": Case(
        floods(CHUNKED, b"10000\r\n" + PIECE + b"\r\n"), FetchTooLarge
    ),
    "a length over the limit": Case(
        floods(OK + "Content-Length: 99999999999\r\n\r\n", PIECE), FetchTooLarge
    ),
    "a body one byte over the limit": Case(
        answers(OK + "\r\n", b"x" * (MAX_BYTES + 1)), FetchTooLarge
    ),
    "a length that promises more than comes": Case(
        answers(OK + "Content-Length: 1000\r\n\r\n", b"x" * 10), AnswerBroken, transient=True
    ),
    "a negative length": Case(answers(OK + "Content-Length: -5\r\n\r\nabc"), AnswerBroken),
    "two lengths": Case(
        answers(OK + "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"), AnswerBroken
    ),
    "a packed bomb, unasked": Case(
        answers(OK + f"Content-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n\r\n", BOMB),
        AnswerBroken,
    ),
    "a body that drips": Case(
        floods(OK + "Content-Length: 1000\r\n\r\n", b"x", pause_s=0.05), FetchTimedOut, True
    ),
    "a head that drips": Case(floods(OK, b"X-A: 1\r\n", pause_s=0.05), FetchTimedOut, True),
    "chunks of one byte without end": Case(
        floods(CHUNKED, b"1\r\nx\r\n" * 1_000), FetchTooLarge
    ),
    "a field without end": Case(floods(OK + "X-A: ", PIECE), AnswerBroken),
    "fields without end": Case(floods(OK, b"X-A: 1\r\n" * 100), AnswerBroken),
    "a first line without end": Case(floods("HTTP/1.1 200 ", PIECE), AnswerBroken),
    "a chunk size without end": Case(floods(CHUNKED, b"0" * 10_000), FetchTooLarge),
    "a chunk extension without end": Case(floods(CHUNKED + "1;", PIECE), FetchTooLarge),
    "trailers without end": Case(floods(CHUNKED + "0\r\n", b"X-A: 1\r\n" * 100), AnswerBroken),
    "a trailer without end": Case(floods(CHUNKED + "0\r\nX-A: ", PIECE), AnswerBroken),
    "a chunk that is none": Case(answers(CHUNKED, b"zz\r\nabc\r\n0\r\n\r\n"), AnswerBroken),
    "a chunked body that stops": Case(answers(CHUNKED, b"5\r\nab"), AnswerBroken, True),
    "interim answers without end": Case(
        floods("", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), FetchTooLarge
    ),
    "a redirect in a loop": Case(redirects_in_a_loop, UrlRefused),
    "a redirect to loopback": Case(redirects("http://127.0.0.1/"), UrlRefused),
    "a redirect to metadata": Case(redirects("http://169.254.169.254/latest"), UrlRefused),
    "a redirect to a file": Case(redirects("file:///etc/passwd"), UrlRefused),
    "a redirect to another port": Case(redirects("http://files.test:22/"), UrlRefused),
    "a redirect with a password": Case(redirects("http://a:b@files.test/"), UrlRefused),
    "a redirect to a name without address": Case(redirects("http://gone.test/"), HostUnknown),
    "a redirect without a place": Case(answers("HTTP/1.1 302 Found\r\n\r\n"), StatusRefused),
    "silence": Case(falls_silent(), FetchTimedOut, True),
    "silence after half a head": Case(falls_silent(OK + "Content-"), FetchTimedOut, True),
    "silence after the head": Case(
        falls_silent(OK + "Content-Length: 9\r\n\r\n"), FetchTimedOut, True
    ),
    "a reset before the answer": Case(resets(), AnswerBroken, True),
    "a reset in the head": Case(resets(OK), AnswerBroken, True),
    "a reset in the body": Case(
        resets(OK + "Content-Length: 1000\r\n\r\nabc"), AnswerBroken, True
    ),
    "a hang-up before the question": Case(hangs_up, AnswerBroken, True),
    "another protocol": Case(answers("SSH-2.0-OpenSSH_9.6\r\n"), AnswerBroken),
    "a head with a null": Case(answers(OK + "X-A: a\x00b\r\n\r\n"), AnswerBroken),
    "a part, unasked": Case(
        answers("HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\nx"), StatusRefused
    ),
    "another protocol on request": Case(
        answers("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        StatusRefused,
    ),
}  # fmt: skip


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 12


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_a_hostile_server_is_bounded_in_time_and_bytes(case: Case) -> None:
    began_s = time.monotonic()
    timeout_s = TIMEOUT_S if case.failure is FetchTimedOut else PATIENCE_S
    failure, sent = await fetch_from(case.behave, timeout_s=timeout_s)
    assert isinstance(failure, FetchFailed), failure
    assert (type(failure), failure.transient) == (case.failure, case.transient), failure.message
    assert sent <= MAX_BYTES + BUFFERS_BYTES
    assert time.monotonic() - began_s < HANG_S
    assert failure.__cause__ is None


async def test_a_server_without_tls_is_not_trusted() -> None:
    failure, _ = await fetch_from(falls_silent(OK + "\r\n"), scheme="https")
    assert isinstance(failure, HostUnreachable)
    assert not failure.transient


async def test_a_length_that_promises_less_than_comes_is_all_that_is_read() -> None:
    fetched, sent = await fetch_from(floods(OK + "Content-Length: 5\r\n\r\n", b"abcde"))
    assert isinstance(fetched, AnswerBroken) or taken(fetched) == b"abcde"
    assert sent <= MAX_BYTES + BUFFERS_BYTES


async def test_a_redirect_is_followed_without_reading_its_body() -> None:
    async def behave(wire: Wire) -> None:
        if "/report.pdf" in await wire.head():
            await wire.send("HTTP/1.1 302 Found\r\nLocation: /b.pdf\r\n\r\n")
            await wire.endless(PIECE)
        await wire.send(OK + "Content-Length: 3\r\n\r\nabc")

    fetched, sent = await fetch_from(behave)
    assert isinstance(fetched, Fetched)
    assert (taken(fetched), fetched.filename) == (b"abc", "b.pdf")
    assert sent <= MAX_BYTES + BUFFERS_BYTES


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
async def test_a_refusal_of_the_server_is_final(status: int) -> None:
    failure, _ = await fetch_from(answers(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n"))
    assert isinstance(failure, StatusRefused)
    assert (failure.status, failure.transient, failure.retry_after_s) == (status, False, None)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_passing_trouble_of_the_server_may_be_tried_again(status: int) -> None:
    failure, _ = await fetch_from(
        answers(f"HTTP/1.1 {status} No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")
    )
    assert isinstance(failure, StatusRefused)
    assert (failure.transient, failure.retry_after_s) == (True, 7.0)
    assert failure.message == f"data: files.test answered with status {status}"


async def test_nobody_listening_may_be_tried_again(free_port: int) -> None:
    options = FetchOptions(allowed_hosts=(f"127.0.0.1:{free_port}",))
    with pytest.raises(HostUnreachable, match="takes no connection") as caught:
        await GuardedFetch(options).fetch(f"http://127.0.0.1:{free_port}/?token=secret")
    assert caught.value.transient
    assert "secret" not in caught.value.message
