"""How to reach Weaviate and how its indexes are built."""

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

USUAL_GRPC_PORT = 50051
_USUAL_HTTP_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """Where one of Weaviate's two doors is."""

    host: str
    port: int
    secure: bool

    @classmethod
    def of_http(cls, url: str) -> Self:
        """Read `http[s]://host[:port]`; raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in _USUAL_HTTP_PORTS or not parts.hostname:
            raise ValueError(f"not a URL like http://host:8080: {url!r}")
        port = parts.port or _USUAL_HTTP_PORTS[parts.scheme]
        return cls(parts.hostname, port, parts.scheme == "https")

    @classmethod
    def of_grpc(cls, url: str, http: "Address") -> Self:
        """Read `[grpc[s]://]host[:port]`; empty means the usual port beside `http`."""
        parts = urlsplit(url if "://" in url else f"//{url}")
        secure = parts.scheme in {"grpcs", "https"} if parts.scheme else http.secure
        return cls(parts.hostname or http.host, parts.port or USUAL_GRPC_PORT, secure)


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """The HNSW index of every named vector; distances are cosine."""

    ef_construction: int = 128  # candidates looked at while building: better index, slower writes
    max_connections: int = 32  # edges per node: better recall, more memory
    ef: int = -1  # candidates looked at while searching; -1: Weaviate chooses by `limit`
    most_spaces: int = 100  # named vectors of a collection: each has an index of its own


@dataclass(frozen=True, slots=True)
class WeaviateOptions:
    """How to reach Weaviate, how long to wait, and how much to send at once."""

    url: str
    grpc_url: str = ""
    api_key: str = field(default="", repr=False)
    query_timeout_s: float = 10.0
    write_timeout_s: float = 30.0
    schema_timeout_s: float = 30.0
    batch_objects: int = 256
    batch_bytes: int = 8 * 1024 * 1024
    index: IndexOptions = field(default_factory=IndexOptions)

    @property
    def http(self) -> Address:
        """Where the REST door is."""
        return Address.of_http(self.url)

    @property
    def grpc(self) -> Address:
        """Where the gRPC door is."""
        return Address.of_grpc(self.grpc_url, self.http)
