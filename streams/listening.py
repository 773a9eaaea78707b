"""Which port a process listens on: the wanted one, the next free, or an error naming the owner."""

import socket
from dataclasses import dataclass

import psutil

from models.errors import StartRefused

TRIED_PORTS = 100
HIGHEST_PORT = 65_535


class PortTaken(StartRefused):
    """A port that was set on purpose belongs to somebody else."""


@dataclass(frozen=True, slots=True)
class Listening:
    """The port chosen, and what a person should know about the choice."""

    port: int
    note: str | None = None
    refused: str | None = None

    def checked(self) -> int:
        """Return the port; raise PortTaken where it was set on purpose and is taken."""
        if self.refused is not None:
            raise PortTaken(self.refused)
        return self.port


def choose_port(
    host: str, wanted: int, *, purpose: str, setting: str, on_purpose: bool
) -> Listening:
    """Choose the port for `purpose`: `wanted` if free (0: any), else the next free one.

    A port that was set on purpose is never replaced: the choice then carries the refusal.
    """
    if wanted == 0:
        return Listening(_any_free(host))
    if is_free(host, wanted):
        return Listening(wanted)
    told = f"port {wanted} ({purpose}) is taken by {owner_of(wanted)}"
    if on_purpose:
        return Listening(wanted, refused=f"{told}; stop it or set {setting} to another port")
    for port in range(wanted + 1, min(wanted + TRIED_PORTS, HIGHEST_PORT + 1)):
        if is_free(host, port):
            return Listening(port, note=f"{told}; using {port} instead (setting {setting})")
    return Listening(_any_free(host), note=f"{told}; using any free port")


def reachable_host(host: str) -> str:
    """Name a host that a browser on this machine can open, for a bound address."""
    return "localhost" if host in {"0.0.0.0", "::", ""} else host  # noqa: S104  # compared only


def is_free(host: str, port: int) -> bool:
    """Tell whether `port` can be bound on `host` now."""
    with socket.socket(_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _any_free(host: str) -> int:
    with socket.socket(_family(host)) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def owner_of(port: int) -> str:
    """Name the process that listens on `port`, as far as this user may see it."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except (psutil.Error, OSError):
        pass
    return "another process"
