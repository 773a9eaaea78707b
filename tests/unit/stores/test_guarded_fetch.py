"""What an honest server sees and what comes of its documents."""

import asyncio
import errno
import io
import socket
from functools import partial
from typing import Any

import pytest

from stores import guarded_fetch
from stores.fetch_errors import HostUnknown, UrlRefused
from stores.guarded_fetch import FetchOptions, GuardedFetch, NoSpaceToFetch
from stores.name_lookup import NameLookup
from tests.unit.stores.loopback import KnownNames, Served, Wire, serving, taken

#: Far above what anything here may take on a slow machine.
HANG_S = 30.0
NAMES = {"files.test": [["127.0.0.1"]], "xn--bcher-kva.test": [["127.0.0.1"]]}


async def document(wire: Wire) -> None:
    await wire.head()
    await wire.send(
        "HTTP/1.1 200 OK\r\nContent-Type: Application/PDF; v=1\r\nSet-Cookie: a=b\r\n"
        'Content-Disposition: attachment; filename="../q3.pdf"\r\nContent-Length: 4\r\n\r\n%PDF'
    )


def fetcher(server: Served, *hosts: str) -> GuardedFetch:
    allowed = tuple(f"{host}:{server.port}" for host in hosts or ("files.test",))
    return GuardedFetch(FetchOptions(allowed_hosts=allowed), resolver=KnownNames(NAMES))


async def test_a_document_comes_with_what_is_known_of_it() -> None:
    async with serving(document) as server:
        fetched = await fetcher(server).fetch(f"http://files.test:{server.port}/x?y=z")
    assert taken(fetched) == b"%PDF"
    assert fetched.final_url_host == "files.test"
    assert fetched.content_type == "application/pdf"
    assert fetched.filename == "q3.pdf"


@pytest.mark.parametrize(
    "host, allowed",
    [
        ("files.test", "files.test"),
        ("FILES.test.", "files.test"),
        ("bücher.test", "xn--bcher-kva.test"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
    ],
)
async def test_an_allowed_host_is_reached_however_it_is_written(host: str, allowed: str) -> None:
    async with serving(document) as server:
        fetched = await fetcher(server, allowed).fetch(f"http://{host}:{server.port}/")
    assert taken(fetched) == b"%PDF"
    assert fetched.final_url_host == allowed


async def test_the_server_is_told_no_more_than_it_must_know() -> None:
    async with serving(document) as server:
        url = f"http://files.test:{server.port}/a%2Fb?sig=c%2Bd%3D#part"
        taken(await fetcher(server).fetch(url))
    request, *fields = server.heads[0].strip().split("\r\n")
    assert request == "GET /a%2Fb?sig=c%2Bd%3D HTTP/1.1"
    assert sorted(fields) == [
        "Accept-Encoding: identity",
        "Accept: */*",
        "Connection: close",
        f"Host: files.test:{server.port}",
        "User-Agent: vectorize-fetch",
    ]


async def test_a_redirect_takes_no_cookie_and_no_referer_along() -> None:
    async def redirect(wire: Wire) -> None:
        await wire.head()
        place = "Location: /b" if len(server.heads) == 1 else "Content-Length: 0"
        status = "302 Found" if len(server.heads) == 1 else "200 OK"
        await wire.send(f"HTTP/1.1 {status}\r\nSet-Cookie: a=b; Path=/\r\n{place}\r\n\r\n")

    async with serving(redirect) as server:
        fetched = await fetcher(server).fetch(f"http://files.test:{server.port}/a")
    assert taken(fetched) == b""
    assert len(server.heads) == 2
    assert "cookie" not in server.heads[1].lower()
    assert "referer" not in server.heads[1].lower()


@pytest.mark.parametrize("hops", [0, 1, 3, 4])
async def test_three_redirects_are_followed_and_no_more(hops: int) -> None:
    async def redirect(wire: Wire) -> None:
        await wire.head()
        if server.hits <= hops:
            await wire.send(f"HTTP/1.1 307 On\r\nLocation: /{server.hits}\r\n\r\n")
        else:
            await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")

    async with serving(redirect) as server:
        fetching = fetcher(server).fetch(f"http://files.test:{server.port}/")
        if hops <= 3:
            assert taken(await fetching) == b"abc"
        else:
            with pytest.raises(UrlRefused, match="more than 3 redirects"):
                await fetching
    assert server.hits == min(hops + 1, 4)


async def test_no_connection_stays_open_behind_a_fetch() -> None:
    ended = asyncio.Semaphore(0)

    async def watched(wire: Wire) -> None:
        await document(wire)
        await wire.silence()
        ended.release()

    async with serving(watched) as server:
        fetch = fetcher(server)
        for _ in range(3):
            taken(await fetch.fetch(f"http://files.test:{server.port}/"))
            async with asyncio.timeout(HANG_S):
                await ended.acquire()


class FullDisk(io.BytesIO):
    """Takes a first piece, and says only later that there is no room; to close it fails, too."""

    def __init__(self, in_memory_bytes: int, *, late: bool) -> None:
        super().__init__()
        self.late = late
        self.fails = True

    def write(self, piece: Any) -> int:
        if not self.late:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(piece)

    def flush(self) -> None:
        if self.fails:
            raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        failed, self.fails = self.fails, False
        super().close()
        if failed:
            raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("late", [False, True])
async def test_a_full_disk_of_ours_is_not_the_servers_fault(
    late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_fetch, "SpooledTemporaryFile", partial(FullDisk, late=late))
    async with serving(document) as server:
        with pytest.raises(NoSpaceToFetch, match="make room there, or set TMPDIR"):
            await fetcher(server).fetch(f"http://files.test:{server.port}/")


async def test_a_name_that_nobody_knows_is_final() -> None:
    with pytest.raises(HostUnknown, match=r"gone\.test leads to no address") as caught:
        await GuardedFetch(FetchOptions(), resolver=KnownNames({})).fetch("http://gone.test/?s=1")
    assert not caught.value.transient


async def test_a_silent_name_server_may_be_tried_again() -> None:
    class Silent(KnownNames):
        async def resolve(self, host: str, port: int = 0, family: object = None) -> list[object]:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")

    with pytest.raises(HostUnknown) as caught:
        await GuardedFetch(FetchOptions(), resolver=Silent({})).fetch("http://files.test/")
    assert caught.value.transient


async def test_the_resolver_of_the_system_is_asked_on_threads_of_its_own() -> None:
    lookup = NameLookup(threads=1)
    found = await lookup.resolve("localhost", 80)
    assert "127.0.0.1" in {one["host"] for one in found}
    assert {one["port"] for one in found} == {80}
    await lookup.close()


def test_an_allowed_host_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"document\.fetch_allowed_hosts: 'http://x/' is no"):
        GuardedFetch(FetchOptions(allowed_hosts=("http://x/",)))
