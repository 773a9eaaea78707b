"""Servers on loopback that do what a test tells them, and a resolver that knows a few names."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field

from aiohttp.abc import AbstractResolver, ResolveResult

from stores.guarded_fetch import Fetched

Behaviour = Callable[["Wire"], Awaitable[None]]


@dataclass
class Served:
    """One server: where it is, and what it saw."""

    port: int = 0
    hits: int = 0
    sent: int = 0
    heads: list[str] = field(default_factory=list)


class Wire:
    """One connection, seen from the server."""

    def __init__(
        self, served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._served = served
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes | str) -> None:
        raw = data.encode() if isinstance(data, str) else data
        self._writer.write(raw)
        await self._writer.drain()
        self._served.sent += len(raw)

    async def endless(self, data: bytes | str, *, pause_s: float = 0.0) -> None:
        while True:
            await self.send(data)
            await asyncio.sleep(pause_s)

    async def head(self) -> str:
        raw = await self._reader.readuntil(b"\r\n\r\n")
        self._served.heads.append(raw.decode())
        return raw.decode()

    async def silence(self) -> None:
        """Until the client hangs up."""
        while await self._reader.read(65_536):
            pass

    def reset(self) -> None:
        """Close as a crash does: with RST, not FIN."""
        sock = self._writer.get_extra_info("socket")
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()


@asynccontextmanager
async def serving(
    behave: Behaviour, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Served]:
    """Serve on a free port; every connection is a hit, whatever it says."""
    served = Served()
    running: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.hits += 1
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await behave(Wire(served, reader, writer))
        writer.close()
        running.discard(task)

    server = await asyncio.start_server(answer, host, port, limit=2**20)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()


class KnownNames(AbstractResolver):
    """Answers from a table; a name with several rows gets one at each question, in turn."""

    def __init__(self, names: Mapping[str, list[list[str]]]) -> None:
        self._names = {name: list(rows) for name, rows in names.items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        rows = self._names.get(host)
        if rows is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        addresses = rows.pop(0) if len(rows) > 1 else rows[0]
        return [
            ResolveResult(hostname=host, host=one, port=port, family=family, proto=0, flags=0)
            for one in addresses
        ]

    async def close(self) -> None:
        pass


def taken(fetched: Fetched) -> bytes:
    """What was fetched; its file is let go."""
    with closing(fetched):
        return fetched.read()
