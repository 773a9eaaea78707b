"""The client that loads a service: bare HTTP/1.1 over kept connections, in a process of its own.

An HTTP library costs as much as the server it measures. Here a request is bytes made beforehand,
an answer is read as far as its length, and one loop turns over many thousands a second.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

ANSWER_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be asked: for `seconds`, or each of `bodies` once."""

    port: int
    path: str
    bodies: list[bytes]
    connections: int
    seconds: float | None = None


@dataclass(slots=True)
class Answered:
    """What came of it."""

    began_s: float = 0.0  # monotonic, the same clock in every process of the machine
    seconds: float = 0.0
    cpu_s: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    asked_ms: list[float] = field(default_factory=list)  # since the epoch, as brokers count
    latencies_ms: list[float] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)  # bodies; only where each is asked once

    @property
    def accepted(self) -> int:
        """How many requests were accepted or done."""
        return self.statuses[200] + self.statuses[202]


class LoadFailed(Exception):
    """The service closed a connection, or did not answer."""


def run_load(load: Load) -> Answered:
    """Ask as `load` says; for another process. Raises LoadFailed."""
    return asyncio.run(_run(load))


def post(path: str, port: int, body: bytes) -> bytes:
    """A whole request."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Connection(asyncio.Protocol):
    """One kept connection: asks, reads the answer, asks again until there is nothing to ask."""

    def __init__(self, run: "_Run") -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._run = run
        self._asked_s = 0.0
        self._read = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101  # create_connection's
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        request = self._run.next_request()
        if request is None or self._transport is None:
            self._end(None)
            return
        self._asked_s = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._read += data
        found = answer_in(self._read)
        if found is not None:
            status, body = found
            self._read.clear()
            self._run.note(status, body, self._asked_s)
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(LoadFailed(f"the service closed a connection: {exc}"))

    def _end(self, error: Exception | None) -> None:
        if self.done.done():
            return
        if error is not None:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)
        if self._transport is not None:
            self._transport.close()


def answer_in(read: bytearray) -> tuple[int, bytes] | None:
    """The status and body of a whole answer; None while there is more to come."""
    head_end = read.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    head = read[:head_end].lower()
    begins = head.find(b"content-length:")
    if begins < 0:
        raise LoadFailed("an answer without Content-Length")
    length = int(head[begins + 15 :].split(b"\r\n", 1)[0])
    if len(read) < head_end + 4 + length:
        return None
    return int(read[9:12]), bytes(read[head_end + 4 : head_end + 4 + length])


class _Run:
    """What is left to ask, and what was answered."""

    def __init__(self, load: Load) -> None:
        self.found = Answered()
        self._requests = [post(load.path, load.port, body) for body in load.bodies]
        self._until_s = time.monotonic() + load.seconds if load.seconds is not None else None
        self._asked = 0

    def next_request(self) -> bytes | None:
        over = self._asked >= len(self._requests)
        if self._until_s is not None:
            over = time.monotonic() >= self._until_s
        if over:
            return None
        request = self._requests[self._asked % len(self._requests)]
        self._asked += 1
        return request

    def note(self, status: int, body: bytes, asked_s: float) -> None:
        took_ms = (time.perf_counter() - asked_s) * 1000
        self.found.statuses[status] += 1
        self.found.latencies_ms.append(took_ms)
        if self._until_s is None:
            self.found.asked_ms.append(time.time() * 1000 - took_ms)
            self.found.answers.append(body)


async def _run(load: Load) -> Answered:
    loop, run = asyncio.get_running_loop(), _Run(load)
    run.found.began_s, cpu_began_s = time.monotonic(), time.process_time()
    opened = [
        await loop.create_connection(lambda: _Connection(run), "127.0.0.1", load.port)
        for _ in range(load.connections)
    ]
    limit_s = ANSWER_LIMIT_S + (load.seconds or 0.0)
    async with asyncio.timeout(limit_s):
        await asyncio.gather(*(connection.done for _, connection in opened))
    run.found.seconds = time.monotonic() - run.found.began_s
    run.found.cpu_s = time.process_time() - cpu_began_s
    return run.found
