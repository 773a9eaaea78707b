"""Names to addresses on threads of its own: a stalled DNS stalls no other work of the process."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class NameLookup(AbstractResolver):
    """The system's resolver, at most `threads` lookups at a time; it judges nothing."""

    def __init__(self, threads: int) -> None:
        """Start no thread before the first lookup."""
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="name-lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of `host`; raises socket.gaierror where there are none."""
        loop = asyncio.get_running_loop()
        infos = await loop.run_in_executor(self._threads, _look_up, host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=found,
                proto=proto,
                flags=_NUMERIC,
            )
            for found, _, proto, _, address in infos
        ]

    async def close(self) -> None:
        """Let the threads end, without waiting for lookups that hang."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(
    host: str, port: int, family: socket.AddressFamily
) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str | int | bytes, ...]]]:
    flags = socket.AI_ADDRCONFIG
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=flags)
    return [*found]
