"""Settings of the stores that leave the log: Redis and Weaviate."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr

from config.sections.values import SECTION, HostPort, HttpUrl, OptionalValue, RedisUrl, Word

DEFAULT_GRPC_PORT = 50051


class DatabaseSettings(BaseModel):
    """Redis (a cache) and Weaviate (the vectors)."""

    model_config = SECTION

    redis_url: RedisUrl = Field(
        "redis://localhost:6379/0",
        repr=False,  # may carry a password
        description="URL of Redis, the cache; empty: off.",
    )
    redis_max_connections: int = Field(
        32, ge=1, le=10_000, description="Most connections to Redis per process."
    )
    redis_timeout_ms: int = Field(
        250, ge=1, le=60_000, description="Longest wait for Redis before going on without it."
    )
    weaviate_url: HttpUrl = Field("http://localhost:8080", description="URL of Weaviate.")
    weaviate_grpc_url: Annotated[HostPort | None, OptionalValue] = Field(
        None,
        description="host:port of Weaviate's gRPC; unset: the host of weaviate_url, port 50051.",
    )
    weaviate_api_key: Annotated[SecretStr | None, OptionalValue] = Field(
        None, description="API key for Weaviate; unset: anonymous."
    )
    weaviate_timeout_s: float = Field(
        30.0, gt=0, le=600, description="Longest wait for one answer of Weaviate."
    )
    vector_store: Annotated[Literal["weaviate", "none"], Word] = Field(
        "weaviate",
        description="Where vectors go; none: computed and discarded, for benchmarks.",
    )
    max_spaces: int = Field(
        100,
        ge=1,
        le=10_000,
        description="Most vector spaces (model, dimensions, normalize, prompt) in a collection.",
    )
    hnsw_ef_construction: int = Field(
        128, ge=8, le=4096, description="Weaviate's HNSW efConstruction, for new collections."
    )
    hnsw_max_connections: int = Field(
        32, ge=4, le=2047, description="Weaviate's HNSW maxConnections, for new collections."
    )
    hnsw_ef: int = Field(
        -1, ge=-1, le=4096, description="Weaviate's HNSW ef for searches; -1: Weaviate decides."
    )

    @property
    def weaviate_grpc_address(self) -> tuple[str, int]:
        """Host and port of Weaviate's gRPC, the default filled in."""
        if self.weaviate_grpc_url is None:
            return urlsplit(self.weaviate_url).hostname or "localhost", DEFAULT_GRPC_PORT
        host, _, port = self.weaviate_grpc_url.rpartition(":")
        return host.strip("[]"), int(port)
