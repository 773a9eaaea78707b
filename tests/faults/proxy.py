"""A TCP proxy on loopback that harms what passes between a client and a server, as it is told."""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Self

from tests.faults.mischief import NO_MISCHIEF, Mischief, Orders, Side

__all__ = ["FaultProxy", "Mischief"]

HOST = "127.0.0.1"
CHUNK_BYTES = 64 * 1024
#: What one direction of a connection holds back, at most; past that, its writer has to wait.
HELD_CHUNKS = 16
#: A narrow bandwidth flows in steps of this length, not in bursts of a whole chunk.
PACE_S = 0.05
BACKLOG = 128

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class FaultProxy:
    """Forwards TCP from its own port to a target, and does the mischief it was last told.

    For use in one event loop: ``async with FaultProxy(host, port, dice=dice) as proxy``. Leaving
    resets every connection.

    Raises:
        OSError: On entering, when the given port is not free.
    """

    def __init__(
        self, target_host: str, target_port: int, *, port: int = 0, dice: random.Random
    ) -> None:
        #: Where the proxy listens; 0 means that the system chooses, once, on entering.
        self.port = port
        self._orders = Orders((target_host, target_port), dice)
        self._live: dict[asyncio.Task[None], _Connection] = {}
        self._reserved: socket.socket | None = None
        self._listener: socket.socket | None = None

    @property
    def connections(self) -> int:
        """How many connections of clients are open."""
        return len(self._live)

    @property
    def passed_bytes(self) -> int:
        """How many bytes were forwarded so far, both directions and all connections together."""
        return self._orders.passed_bytes

    def set(self, mischief: Mischief) -> None:
        """Do this from now on, and nothing of what was told before.

        Connections that a blackhole ends with are reset: what they swallowed is gone.
        """
        spoiled = self._orders.mischief.blackhole and not mischief.blackhole
        self._orders.tell(mischief)
        for task, connection in self._live.items():
            connection.heard_bytes = 0
            if mischief.reset or spoiled:
                task.cancel()
        self._open_or_close()

    def heal(self) -> None:
        """Go back to plain forwarding."""
        self.set(NO_MISCHIEF)

    async def __aenter__(self) -> Self:
        # Never listens, only keeps the port while nobody does: else another program, or the
        # connecting client's own end, could get it in the meantime.
        self._reserved = _bound(self.port)
        self.port = self._reserved.getsockname()[1]
        self._open_or_close()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None
        self._open_or_close()
        ending = list(self._live)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    def _open_or_close(self) -> None:
        wanted = self._reserved is not None and not self._orders.mischief.refuse
        loop = asyncio.get_running_loop()
        if wanted and self._listener is None:
            self._listener = _bound(self.port)
            self._listener.listen(BACKLOG)
            loop.add_reader(self._listener, self._accept, self._listener)
        elif not wanted and self._listener is not None:
            loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        try:
            accepted, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # the client went away meanwhile
            return
        accepted.setblocking(False)
        _end_with_reset(accepted)
        if self._orders.mischief.reset:
            accepted.close()
            return
        connection = _Connection(accepted, self._orders)
        task = asyncio.create_task(connection.run())
        self._live[task] = connection
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._live.pop(task).close()


@dataclass(frozen=True, slots=True)
class _End:
    """One end of a connection, which closes with a reset unless it has parted."""

    side: Side
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def part(self) -> None:
        """Close in peace: both directions have ended by themselves."""
        with suppress(OSError):
            _end_in_peace(self.writer.get_extra_info("socket"))


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What was read at once; no data is the end of a direction."""

    data: bytes
    arrived_s: float
    luck: float  # its share of the jitter, 0 to 1


class _Connection:
    """One client's connection, forwarded to the target in two directions."""

    def __init__(self, accepted: socket.socket, orders: Orders) -> None:
        self.heard_bytes = 0  # by the client, since the last order
        self._accepted = accepted
        self._orders = orders

    async def run(self) -> None:
        """Forward until both sides have ended, one is lost, or the task is cancelled."""
        opening = asyncio.open_connection(sock=self._accepted, limit=CHUNK_BYTES)
        with suppress(OSError):
            async with _end(Side.CLIENT, opening) as client:
                if self._orders.mischief.blackhole:
                    await _swallow(client)
                async with _end(Side.SERVER, self._dial()) as server:
                    await self._forward(client, server)

    def close(self) -> None:
        """Close what a task that was cancelled before its first step leaves open."""
        self._accepted.close()

    async def _dial(self) -> _Streams:
        async with self._breaking_the_news(Side.SERVER):
            return await asyncio.open_connection(*self._orders.target, limit=CHUNK_BYTES)

    async def _forward(self, client: _End, server: _End) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for source, sink in ((client, server), (server, client)):
                    pipe: asyncio.Queue[_Chunk] = asyncio.Queue(HELD_CHUNKS)
                    group.create_task(self._read(source, pipe))
                    group.create_task(self._write(pipe, sink))
        except* OSError:
            pass  # one side was lost: the other is told by a reset
        else:
            client.part()
            server.part()

    async def _read(self, source: _End, pipe: asyncio.Queue[_Chunk]) -> None:
        loop = asyncio.get_running_loop()
        async with self._breaking_the_news(source.side):
            while True:
                data = await source.reader.read(CHUNK_BYTES)
                await pipe.put(_Chunk(data, loop.time(), self._orders.dice.random()))
                if not data:
                    return

    async def _write(self, pipe: asyncio.Queue[_Chunk], sink: _End) -> None:
        async with self._breaking_the_news(sink.side):
            while (chunk := await self._ripe(pipe)).data:
                await self._deliver(chunk.data, sink)
            await self._orders.until_heard_by(sink.side)
            sink.writer.write_eof()

    @asynccontextmanager
    async def _breaking_the_news(self, side: Side) -> AsyncIterator[None]:
        """Let the loss of a server out only when its client may hear of it."""
        try:
            yield
        except OSError:
            if side is Side.SERVER:
                await self._orders.until_heard_by(Side.CLIENT)
            raise

    async def _ripe(self, pipe: asyncio.Queue[_Chunk]) -> _Chunk:
        """The next chunk, once it is as old as the latency of now wants it."""
        chunk = await pipe.get()
        loop = asyncio.get_running_loop()
        while True:
            mischief = self._orders.mischief
            age_s = mischief.latency_s + chunk.luck * mischief.jitter_s
            left_s = chunk.arrived_s + age_s - loop.time()
            if left_s <= 0 or not await self._orders.news(left_s):
                return chunk

    async def _deliver(self, data: bytes, sink: _End) -> None:
        while data:
            mischief = self._orders.mischief
            if mischief.blackhole:
                return
            if mischief.silences(sink.side):
                await self._orders.news()
                continue
            size_bytes = self._piece_bytes(len(data), sink.side)
            rate = mischief.bytes_per_s
            if rate is not None and await self._orders.news(size_bytes / rate):
                continue
            await self._pass(data[:size_bytes], sink)
            data = data[size_bytes:]

    def _piece_bytes(self, data_bytes: int, side: Side) -> int:
        mischief = self._orders.mischief
        sizes = [data_bytes]
        if mischief.slice_bytes is not None:
            sizes.append(mischief.slice_bytes)
        if mischief.bytes_per_s is not None:
            sizes.append(max(1, int(mischief.bytes_per_s * PACE_S)))
        if mischief.cut_after_bytes is not None and side is Side.CLIENT:
            sizes.append(mischief.cut_after_bytes - self.heard_bytes)
        return min(sizes)

    async def _pass(self, piece: bytes, sink: _End) -> None:
        sink.writer.write(piece)
        self._orders.passed_bytes += len(piece)
        if sink.side is Side.CLIENT:
            self.heard_bytes += len(piece)
        await sink.writer.drain()
        cut = self._orders.mischief.cut_after_bytes
        if cut is not None and sink.side is Side.CLIENT and self.heard_bytes >= cut:
            raise ConnectionAbortedError("cut")
        await asyncio.sleep(0)  # drain() does not yield: many slices would hold up the loop


@asynccontextmanager
async def _end(side: Side, opening: Awaitable[_Streams]) -> AsyncIterator[_End]:
    reader, writer = await opening
    _end_with_reset(writer.get_extra_info("socket"))
    # drain() then waits until the kernel has it all: nothing is left to lose at a cut.
    writer.transport.set_write_buffer_limits(high=0)
    try:
        yield _End(side, reader, writer)
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def _swallow(client: _End) -> None:
    """Read and forget, until cancelled; the client's end is not answered either."""
    while await client.reader.read(CHUNK_BYTES):
        pass
    await asyncio.Event().wait()


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
    except OSError:
        bound.close()
        raise
    return bound


def _end_with_reset(at: socket.socket) -> None:
    at.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _end_in_peace(at: socket.socket) -> None:
    at.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
