"""One connection's guard: no socket for a closed address, no more bytes than a document may have.

It is the connector's `socket_factory`, which sees the real address of every connect, where a
guard in the resolver misses addresses written in the URL (RELIABILITY T13).
"""

import errno
import socket

from aiohttp import AddrInfoType
from typing_extensions import Buffer

from stores.address_rules import AllowList, literal_of
from stores.url_rules import Target

#: What may come beside the document: heads, chunk sizes, TLS.
EXTRA_BYTES = 1024 * 1024
#: Taken in at once. A body in chunks of one byte costs about a second of the event loop per MB
#: to take apart; of asyncio's own 256 KiB that made pauses of 0.2 s for everybody else.
GULP_BYTES = 16 * 1024


class ConnectGuard:
    """Opens sockets for one target; `refused` and `flooded` tell why a connection failed."""

    def __init__(self, target: Target, allowed: AllowList, max_bytes: int) -> None:
        """Let twice `max_bytes` in, since a document may come in small chunks."""
        self.target = target
        self.refused = False
        self.bytes_left = 2 * max_bytes + EXTRA_BYTES
        self._allowed = allowed

    @property
    def flooded(self) -> bool:
        """Whether more came than may be."""
        return self.bytes_left < 0

    def __call__(self, info: AddrInfoType) -> socket.socket:
        """A socket for this address; raises PermissionError where it is closed."""
        family, kind, proto, _, place = info
        if not self._permits(str(place[0]), place[1]):
            self.refused = True
            # An OSError, so that the host's other addresses get their turn.
            raise PermissionError(errno.EACCES, "closed by the fetch rules")
        return _MeteredSocket(self, family, kind, proto)

    def count(self, received: int) -> None:
        """Take note of bytes that came; raises OSError when they are too many."""
        self.bytes_left -= received
        if self.flooded:
            raise OSError(errno.EFBIG, "more bytes than the document may be")

    def _permits(self, host: str, port: object) -> bool:
        address = literal_of(host)
        target = self.target
        return (
            address is not None
            and port == target.port
            and self._allowed.permits(target.host, target.port, address)
        )


class _MeteredSocket(socket.socket):
    """Counts what it receives: endless chunk sizes and interim answers never become a body.

    A subclass, against the house rule, because asyncio takes nothing else for a socket.
    """

    def __init__(self, guard: ConnectGuard, family: int, kind: int, proto: int) -> None:
        super().__init__(family, kind, proto)
        self._guard = guard

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        data = super().recv(min(bufsize, GULP_BYTES), flags)
        self._guard.count(len(data))
        return data

    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        received = super().recv_into(buffer, nbytes, flags)
        self._guard.count(received)
        return received
