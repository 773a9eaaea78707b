"""The bare client against a real socket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from benchmarks.load import Answered, Load, LoadFailed, _run, answer_in, post

Answer = Callable[[bytes], bytes]


def http(body: bytes, status: str = "202 Accepted") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[int]:
    """Answers each request, in two pieces, by its body."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b"":
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            told = answer(await reader.readexactly(length))
            if not told:
                break
            writer.write(told[:20])
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(told[20:])
        writer.close()

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    running = await asyncio.start_server(quietly, "127.0.0.1", 0)
    async with running:
        yield running.sockets[0].getsockname()[1]


async def asked(answer: Answer, bodies: list[bytes], seconds: float | None = None) -> Answered:
    async with server(answer) as port:
        return await _run(Load(port, "/tasks/submit", bodies, connections=3, seconds=seconds))


async def test_each_body_is_asked_once_and_answers_are_kept() -> None:
    bodies = [b"%d" % number for number in range(20)]
    found = await asked(http, bodies)
    assert sorted(found.answers) == sorted(bodies)
    assert found.statuses == {202: 20}
    assert len(found.latencies_ms) == len(found.asked_ms) == 20


async def test_by_time_it_goes_on_with_the_same_bodies() -> None:
    found = await asked(http, [b"one"], seconds=0.2)
    assert found.accepted > 3
    assert found.answers == []


async def test_refusals_are_counted_by_their_status() -> None:
    found = await asked(lambda body: http(body, "503 Service Unavailable"), [b"x", b"y"])
    assert (found.statuses, found.accepted) == ({503: 2}, 0)


async def test_a_connection_that_is_closed_fails_the_measurement() -> None:
    with pytest.raises(LoadFailed, match="closed a connection"):
        await asked(lambda _: b"", [b"x"])


def test_an_answer_is_whole_only_with_its_last_byte() -> None:
    whole = bytearray(http(b'{"a":1}'))
    assert answer_in(whole) == (202, b'{"a":1}')
    assert [answer_in(whole[:end]) for end in range(len(whole))] == [None] * len(whole)


def test_an_answer_without_a_length_is_refused() -> None:
    with pytest.raises(LoadFailed, match="Content-Length"):
        answer_in(bytearray(b"HTTP/1.1 200 OK\r\n\r\n"))


def test_a_request_carries_its_length() -> None:
    assert post("/x", 80, b"abc").endswith(b"Content-Length: 3\r\n\r\nabc")
