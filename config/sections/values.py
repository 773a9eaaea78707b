"""Kinds of values that several settings share: addresses, URLs, words, optional ones."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict

SECTION = ConfigDict(
    frozen=True,
    extra="forbid",
    allow_inf_nan=False,
    hide_input_in_errors=True,  # an input may be a secret
)
"""How every section behaves."""

_HOST_PORT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/,;@\[\]]+):(\d{1,5})")
_MAX_PORT = 65535


def _empty_to_none(value: object) -> object:
    """An empty optional value is one that was not given."""
    return None if value == "" else value


def _lowered(value: object) -> object:
    """A word without regard to case and surrounding blanks."""
    return value.strip().lower() if isinstance(value, str) else value


def is_host_port(text: str) -> bool:
    """Whether `text` is `host:port`, the host possibly an IPv6 address in brackets."""
    found = _HOST_PORT.fullmatch(text)
    return found is not None and 1 <= int(found[2]) <= _MAX_PORT


def _host_port(text: str) -> str:
    """One `host:port`; raises ValueError for anything else."""
    if not is_host_port(text):
        raise ValueError("must be host:port")
    return text


def _host_ports(text: str) -> str:
    """Comma-separated `host:port`s, blanks removed; raises ValueError for anything else."""
    addresses = [part.strip() for part in text.split(",")]
    if not all(is_host_port(address) for address in addresses):
        raise ValueError("must be host:port, or several separated by commas")
    return ",".join(addresses)


def _has_host_and_valid_port(url: str) -> bool:
    """Whether `url` names a host and, if it names a port, one that can exist."""
    try:
        parts = urlsplit(url)
        return parts.hostname is not None and parts.port != 0
    except ValueError:
        return False


def _http_url(url: str) -> str:
    """An http(s) URL without credentials; raises ValueError for anything else."""
    if not url.startswith(("http://", "https://")) or not _has_host_and_valid_port(url):
        raise ValueError("must be http://host:port or https://host:port")
    if "@" in urlsplit(url).netloc:
        raise ValueError("must not carry a user or a password; keys have settings of their own")
    return url.rstrip("/")


def _redis_url(url: str) -> str:
    """A Redis URL, or the empty string; raises ValueError for anything else."""
    if not url or url.startswith("unix://"):
        return url
    if not url.startswith(("redis://", "rediss://")) or not _has_host_and_valid_port(url):
        raise ValueError(
            "must be redis://host:port/db, rediss://host:port/db, unix://path, or empty for off"
        )
    return url


OptionalValue = BeforeValidator(_empty_to_none)
Word = BeforeValidator(_lowered)
HostPort = Annotated[str, AfterValidator(_host_port)]
HostPorts = Annotated[str, AfterValidator(_host_ports)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
RedisUrl = Annotated[str, AfterValidator(_redis_url)]
