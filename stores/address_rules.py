"""Which addresses a document may be fetched from: pure rules, asked again at every connect."""

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Self

SETTING = "document.fetch_allowed_hosts"

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

#: Networks of one's own: closed, unless the allow list opens them.
_PRIVATE = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; also what some private overlays use
        "::1/128",
        "fc00::/7",
    )
)
#: Never opened, by no allow list: `ipaddress` calls several of them global (RELIABILITY T14).
_NEVER = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "169.254.0.0/16",  # link-local, with the metadata of most clouds at .169.254
        "100.100.100.200/32",  # Alibaba Cloud's metadata
        "168.63.129.16/32",  # Azure's wire server
        "192.0.0.0/24",  # IETF protocols; Oracle Cloud's metadata at .192
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "fd00:ec2::/32",  # metadata and credentials of AWS
        "fd20:ce::/32",  # metadata of Google Cloud
        "2001::/23",  # Teredo, ORCHID, benchmarks and other IETF protocols
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",  # documentation
    )
)
#: IPv6 hands out global addresses from here alone. Outside lie mapped and compatible IPv4, NAT64
#: (64:ff9b::/96 and 64:ff9b:1::/48), site- and link-local, multicast and all that is reserved.
_GLOBAL_V6 = IPv6Network("2000::/3")

_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*")
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")
_PORT = re.compile(r"[0-9]{1,5}")
_MOST_PORT = 65_535


class Reach(Enum):
    """Who may be asked to serve a document at an address."""

    PUBLIC = "everybody reaches it"
    PRIVATE = "only from inside; the allow list may open it"
    NEVER = "metadata, translated, reserved: never"


def reach_of(address: IpAddress) -> Reach:
    """Judge one address."""
    if any(address in network for network in _NEVER):
        return Reach.NEVER
    if any(address in network for network in _PRIVATE):
        return Reach.PRIVATE
    if isinstance(address, IPv6Address) and address not in _GLOBAL_V6:
        return Reach.NEVER
    return Reach.PUBLIC if address.is_global else Reach.NEVER


def canonical_host(host: str) -> str | None:
    """Write a host in its one form: lower case, no last dot, an address as it really is.

    Decimal, octal and hexadecimal forms of IPv4 are read as `connect` would read them. None: it
    is neither a name nor an address.
    """
    bare = host.removeprefix("[").removesuffix("]").lower()
    bare = bare.rstrip(".")
    if ":" in bare:
        return _ipv6(bare)
    if _NUMBER.fullmatch(bare.rpartition(".")[2]):
        return _ipv4(bare)
    return bare if _NAME.fullmatch(bare) else None


def literal_of(host: str) -> IpAddress | None:
    """The address that a canonical host is; None: it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _ipv4(text: str) -> str | None:
    try:
        return str(IPv4Address(socket.inet_aton(text)))
    except OSError:
        return None


def _ipv6(text: str) -> str | None:
    try:
        address = IPv6Address(text)
    except ValueError:
        return None
    return None if address.scope_id else str(address)


@dataclass(frozen=True, slots=True)
class AllowList:
    """What an operator opened although it is private, or at another port.

    An entry opens private addresses only; metadata, link-local and translated ones stay closed.
    """

    hosts: frozenset[str] = frozenset()
    doors: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[IpNetwork, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> Self:
        """Read host names, `host:port` and CIDR networks; raises ValueError naming the entry."""
        read = [_read_entry(entry) for entry in entries]
        return cls(
            hosts=frozenset(one for one in read if isinstance(one, str)),
            doors=frozenset(one for one in read if isinstance(one, tuple)),
            networks=tuple(one for one in read if isinstance(one, IPv4Network | IPv6Network)),
        )

    def names(self, host: str, port: int) -> bool:
        """Whether an entry names this host, at this port or at any."""
        return host in self.hosts or (host, port) in self.doors

    def permits(self, host: str, port: int, address: IpAddress) -> bool:
        """Whether a connect to `address`, where `host` leads, may be made."""
        reach = reach_of(address)
        if reach is Reach.PRIVATE:
            return self.names(host, port) or any(address in net for net in self.networks)
        return reach is Reach.PUBLIC


def _read_entry(entry: str) -> str | tuple[str, int] | IpNetwork:
    if "/" in entry:
        return _read_network(entry)
    host, port = _split_port(entry)
    name = canonical_host(host)
    if name is None:
        raise ValueError(
            f"{SETTING}: {entry!r} is no host name, host:port or network like 10.0.0.0/8"
        )
    if not port:
        return name
    if not _PORT.fullmatch(port) or not 0 < int(port) <= _MOST_PORT:
        raise ValueError(
            f"{SETTING}: {entry!r} has no port from 1 to {_MOST_PORT} behind its colon"
        )
    return name, int(port)


def _read_network(entry: str) -> IpNetwork:
    try:
        return ip_network(entry)
    except ValueError as error:
        raise ValueError(f"{SETTING}: {entry!r} is no network like 10.0.0.0/8: {error}") from error


def _split_port(entry: str) -> tuple[str, str]:
    """Cut `host:port`, `[v6]:port` or a bare host; a bare IPv6 address has many colons."""
    if entry.startswith("["):
        host, _, port = entry.partition("]")
        return host[1:], port.removeprefix(":")
    if entry.count(":") > 1:
        return entry, ""
    host, _, port = entry.partition(":")
    return host, port
