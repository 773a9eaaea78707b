"""Which ports a server gets: the standard one, the one it had, or a free one.

Free ports are taken from below the kernel's range for outgoing connections. A port inside
that range may be lent to any client while its server is down, and a client that dials a dead
server there can even connect to itself; both would keep a killed server from coming back.
"""

import errno
import secrets
import socket
from collections.abc import Collection, Iterable
from pathlib import Path

import psutil

LOWEST_PORT = 10_000
USUAL_FIRST_OUTGOING_PORT = 32_768
ATTEMPTS = 2_000


def is_free(port: int) -> bool:
    """Whether a server may listen on `port` now, on loopback and on all addresses."""
    tcp, udp = socket.SOCK_STREAM, socket.SOCK_DGRAM
    probes = [(socket.AF_INET, tcp), (socket.AF_INET, udp)]
    if socket.has_ipv6:
        probes.append((socket.AF_INET6, tcp))
    return all(_can_bind(family, kind, port) for family, kind in probes)


def _can_bind(family: socket.AddressFamily, kind: socket.SocketKind, port: int) -> bool:
    try:
        probe = socket.socket(family, kind)
    except OSError:  # no IPv6 here: then nothing can hold the port there
        return True
    with probe:
        if kind == socket.SOCK_STREAM:  # as servers do: a port in TIME_WAIT is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            return family == socket.AF_INET6 and error.errno != errno.EADDRINUSE
    return True


def free_port(taken: Collection[int] = ()) -> int:
    """A port nobody listens on and that is not in `taken`. Raises OSError if none is found."""
    highest = max(LOWEST_PORT + 1_000, _first_outgoing_port() - 1)
    for _ in range(ATTEMPTS):
        port = secrets.choice(range(LOWEST_PORT, highest + 1))
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port between {LOWEST_PORT} and {highest}")


def choose_port(candidates: Iterable[int], taken: Collection[int] = ()) -> int:
    """The first candidate that is free and not in `taken`, else some free port."""
    for port in candidates:
        if port not in taken and is_free(port):
            return port
    return free_port(taken)


def owner_of(port: int) -> str:
    """Who listens on `port`, in words; "another process" where the system does not tell."""
    try:
        connections = psutil.net_connections(kind="inet")
    except (psutil.Error, OSError):
        return "another process"
    for connection in connections:
        if connection.laddr and connection.laddr.port == port and connection.pid:
            return _name_of(connection.pid)
    return "another process"


def _name_of(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"


def _first_outgoing_port() -> int:
    try:
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
    except OSError:
        return USUAL_FIRST_OUTGOING_PORT
    return int(text.split()[0])
