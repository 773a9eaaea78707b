"""The fault proxy: plain forwarding harms nothing, and each mischief does what it says."""

import asyncio
import random
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from tests.faults.proxy import HOST, FaultProxy, Mischief

MIB = bytes(range(256)) * 4096
PATIENCE_S = 10.0


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, data: bytes) -> bytes:
        """Say it, hear as much."""
        self.writer.write(data)
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readexactly(len(data))

    async def hear(self) -> tuple[bytes, bool]:
        """All that still comes, and whether it ended in peace."""
        heard = b""
        async with asyncio.timeout(PATIENCE_S):
            try:
                while data := await self.reader.read(65536):
                    heard += data
            except ConnectionResetError:
                return heard, False
        return heard, True

    async def is_cut_off(self) -> bool:
        """Whether nothing more comes, once the connection has ended in whichever way."""
        heard, _ = await self.hear()
        return heard == b""


@dataclass
class EchoServer:
    """Echoes what it hears, and its end; ``hoarding``, it answers nothing before the end."""

    hoarding: bool = False
    heard: bytearray = field(default_factory=bytearray)
    ends: int = 0
    port: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        hoard = b""
        try:
            while data := await reader.read(65536):
                self.heard += data
                if self.hoarding:
                    hoard += data
                else:
                    writer.write(data)
                    await writer.drain()
            self.ends += 1
            writer.write(hoard)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[EchoServer]:
    echo = EchoServer()
    listening = await asyncio.start_server(echo.serve, HOST, 0)
    echo.port = listening.sockets[0].getsockname()[1]
    before = asyncio.all_tasks()
    yield echo
    for writer in echo.writers:
        writer.transport.abort()
    listening.close()
    await until(lambda: asyncio.all_tasks() <= before | here())


@pytest.fixture
async def proxy(server: EchoServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(HOST, server.port, dice=random.Random(7)) as proxy:
        yield proxy


@pytest.fixture
async def connect(proxy: FaultProxy) -> AsyncIterator[Callable[[], asyncio.Future[Client]]]:
    clients: list[Client] = []

    async def connected() -> Client:
        clients.append(Client(*await asyncio.open_connection(HOST, proxy.port)))
        return clients[-1]

    yield lambda: asyncio.ensure_future(connected())
    for client in clients:
        client.writer.transport.abort()
    await asyncio.gather(*(c.writer.wait_closed() for c in clients), return_exceptions=True)


Connect = Callable[[], asyncio.Future[Client]]


def here() -> set[asyncio.Task[object]]:
    task = asyncio.current_task()
    return set() if task is None else {task}


def reset(writer: asyncio.StreamWriter) -> None:
    """End it as a process does that was killed with unread data: by RST, not by an end."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110  # sockets ring no bell
            await asyncio.sleep(0.001)


async def stays_silent(client: Client) -> bool:
    """Whether nothing comes for a moment, neither bytes nor an end."""
    try:
        async with asyncio.timeout(0.03):
            await client.reader.read(1)
    except TimeoutError:
        return True
    return False


async def test_a_mebibyte_passes_byte_for_byte_both_ways(
    proxy: FaultProxy, server: EchoServer, connect: Connect
) -> None:
    client = await connect()
    assert await client.ask(MIB) == MIB
    assert server.heard == MIB
    assert proxy.passed_bytes == 2 * len(MIB)


async def test_an_end_of_one_side_is_passed_on_and_the_other_may_still_speak(
    proxy: FaultProxy, server: EchoServer, connect: Connect
) -> None:
    server.hoarding = True
    client = await connect()
    client.writer.write(b"question")
    client.writer.write_eof()
    assert await client.hear() == (b"question", True)
    assert server.ends == 1
    await until(lambda: proxy.connections == 0)


async def test_an_answer_ends_in_peace_even_for_a_slow_reader(
    server: EchoServer, connect: Connect
) -> None:
    server.hoarding = True
    client = await connect()
    client.writer.write(MIB)
    client.writer.write_eof()
    await until(lambda: server.ends == 1)
    assert await client.hear() == (MIB, True)


async def test_slices_add_up_to_the_same_bytes(proxy: FaultProxy, connect: Connect) -> None:
    proxy.set(Mischief(slice_bytes=7))
    client = await connect()
    assert await client.ask(MIB[:10_000]) == MIB[:10_000]


async def test_latency_delays_and_healing_ends_the_wait(
    proxy: FaultProxy, connect: Connect
) -> None:
    client = await connect()
    proxy.set(Mischief(latency_s=0.02, jitter_s=0.01))
    began = time.monotonic()
    await client.ask(b"slow")
    assert time.monotonic() - began >= 0.03
    proxy.set(Mischief(latency_s=3600))
    asking = asyncio.create_task(client.ask(b"for ever"))
    assert not (await asyncio.wait([asking], timeout=0.03))[0]
    proxy.heal()
    assert await asking == b"for ever"


async def test_bandwidth_slows_what_is_sent(proxy: FaultProxy, connect: Connect) -> None:
    client = await connect()
    proxy.set(Mischief(bytes_per_s=100_000))
    began = time.monotonic()
    assert await client.ask(MIB[:2_000]) == MIB[:2_000]
    assert time.monotonic() - began >= 0.03


async def test_bandwidth_gives_way_to_healing(proxy: FaultProxy, connect: Connect) -> None:
    client = await connect()
    proxy.set(Mischief(bytes_per_s=0.001))
    asking = asyncio.create_task(client.ask(MIB))
    assert not (await asyncio.wait([asking], timeout=0.03))[0]
    proxy.heal()
    assert await asking == MIB


async def test_a_reset_ends_connections_that_exist_and_those_to_come(
    proxy: FaultProxy, connect: Connect
) -> None:
    client = await connect()
    await client.ask(b"hello")
    proxy.set(Mischief(reset=True))
    assert await client.hear() == (b"", False)
    with suppress(ConnectionResetError):  # it may be reset before its client has it open
        assert await (await connect()).is_cut_off()
    proxy.heal()
    assert await (await connect()).ask(b"again") == b"again"


async def test_a_reset_reaches_a_connection_in_its_first_moment(
    proxy: FaultProxy, connect: Connect
) -> None:
    connecting = connect()
    await until(lambda: proxy.connections == 1)
    proxy.set(Mischief(reset=True))
    with suppress(ConnectionResetError):
        assert await (await connecting).is_cut_off()
    await until(lambda: proxy.connections == 0)


async def test_a_blackhole_gives_nothing_then_dies_of_healing_and_a_new_one_works(
    proxy: FaultProxy, server: EchoServer, connect: Connect
) -> None:
    old = await connect()
    await old.ask(b"before")
    proxy.set(Mischief(blackhole=True))
    new = await connect()
    for client in (old, new):
        client.writer.write(MIB)
        await asyncio.wait_for(client.writer.drain(), PATIENCE_S)  # it is read
        client.writer.write_eof()
        assert await stays_silent(client)
    assert server.heard == b"before"
    assert proxy.connections == 2
    proxy.heal()
    for client in (old, new):
        assert await client.is_cut_off()
    assert await (await connect()).ask(b"after") == b"after"


@pytest.mark.parametrize("silence", [Mischief(blackhole=True), Mischief(half_open=True)])
async def test_silence_hides_the_death_of_the_server_until_healed(
    proxy: FaultProxy, server: EchoServer, connect: Connect, silence: Mischief
) -> None:
    client = await connect()
    await client.ask(b"before")
    proxy.set(silence)
    reset(server.writers[0])
    assert await stays_silent(client)
    proxy.heal()
    assert await client.hear() == (b"", False)


async def test_half_open_the_server_hears_and_the_client_hears_only_after_healing(
    proxy: FaultProxy, server: EchoServer, connect: Connect
) -> None:
    client = await connect()
    proxy.set(Mischief(half_open=True))
    client.writer.write(b"one way")
    client.writer.write_eof()
    await until(lambda: server.ends == 1)
    assert server.heard == b"one way"
    assert await stays_silent(client)
    proxy.heal()
    assert await client.hear() == (b"one way", True)


@pytest.mark.parametrize("cut_bytes", [0, 1, 100_000])
async def test_a_cut_lets_no_more_than_its_bytes_through(
    proxy: FaultProxy, server: EchoServer, connect: Connect, cut_bytes: int
) -> None:
    client = await connect()
    await client.ask(b"not counted")
    proxy.set(Mischief(cut_after_bytes=cut_bytes))
    client.writer.write(MIB)
    heard, in_peace = await client.hear()
    assert heard == MIB[: len(heard)]
    assert len(heard) <= cut_bytes
    assert not in_peace
    await until(lambda: proxy.connections == 0)


async def test_each_connection_has_its_own_cut(proxy: FaultProxy, connect: Connect) -> None:
    proxy.set(Mischief(cut_after_bytes=10))
    for _ in range(2):
        client = await connect()
        assert await client.ask(b"123456789") == b"123456789"


async def test_refusal_leaves_old_connections_and_the_port_comes_back(
    proxy: FaultProxy, connect: Connect
) -> None:
    old = await connect()
    await old.ask(b"before")
    port = proxy.port
    for _ in range(2):
        proxy.set(Mischief(refuse=True))
        with pytest.raises(ConnectionRefusedError):
            await connect()
        assert await old.ask(b"still here") == b"still here"
        proxy.heal()
        assert await (await connect()).ask(b"back") == b"back"
    assert proxy.port == port


async def test_a_given_port_is_kept_over_lives(server: EchoServer) -> None:
    ports = [0]
    for _ in range(3):
        dice = random.Random(7)
        async with FaultProxy(HOST, server.port, port=ports[-1], dice=dice) as proxy:
            ports.append(proxy.port)
            reader, writer = await asyncio.open_connection(HOST, proxy.port)
            client = Client(reader, writer)
            assert await client.ask(b"here") == b"here"
        assert await client.is_cut_off()
        writer.close()
    assert len(set(ports[1:])) == 1


async def test_a_reset_of_one_side_reaches_the_other(
    proxy: FaultProxy, server: EchoServer, connect: Connect
) -> None:
    client = await connect()
    await client.ask(b"hello")
    reset(client.writer)
    await until(lambda: proxy.connections == 0)
    assert server.ends == 0
    other = await connect()
    await other.ask(b"hello")
    reset(server.writers[-1])
    assert await other.hear() == (b"", False)


async def test_a_server_that_is_not_there_is_a_reset(server: EchoServer) -> None:
    async with FaultProxy(HOST, server.port, dice=random.Random(7)) as nowhere:
        nowhere.set(Mischief(refuse=True))  # a port that is surely free
        async with FaultProxy(HOST, nowhere.port, dice=random.Random(7)) as proxy:
            reader, writer = await asyncio.open_connection(HOST, proxy.port)
            assert await Client(reader, writer).is_cut_off()
            writer.close()


@pytest.mark.parametrize(
    "mischief",
    [
        Mischief(),
        Mischief(blackhole=True),
        Mischief(half_open=True),
        Mischief(latency_s=3600),
        Mischief(bytes_per_s=0.001),
    ],
)
async def test_closing_with_open_connections_leaves_no_tasks(
    server: EchoServer, mischief: Mischief
) -> None:
    before = asyncio.all_tasks()
    async with FaultProxy(HOST, server.port, dice=random.Random(7)) as proxy:
        proxy.set(mischief)
        pairs = [await asyncio.open_connection(HOST, proxy.port) for _ in range(3)]
        for _, writer in pairs:
            writer.write(MIB)
        await until(lambda: proxy.connections == 3)
    assert proxy.connections == 0
    for pair in pairs:
        await Client(*pair).hear()
        pair[1].close()
    await until(lambda: asyncio.all_tasks() <= before)


@pytest.mark.parametrize(
    "wrong",
    [{"latency_s": -1}, {"cut_after_bytes": -1}, {"bytes_per_s": 0}, {"slice_bytes": 0}],
)
def test_impossible_mischief_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="zero"):
        Mischief(**wrong)  # type: ignore[arg-type]  # a table of one wrong value each
