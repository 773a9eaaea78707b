"""Weaviate as the contender uses it: a plain collection with the client's own defaults."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from models.vectors import Vector

if TYPE_CHECKING:
    from weaviate import WeaviateClient

COLLECTION = "BenchCelery"
PAGE = 500


class Missing(Exception):
    """Objects that should be stored are not there."""


def connect(url: str, grpc: str) -> "WeaviateClient":
    """A connection; `url` is HTTP's, `grpc` is `host:port`."""
    import weaviate  # noqa: PLC0415  # 60 MB and a second: only who stores pays

    http, (grpc_host, _, grpc_port) = urlsplit(url), grpc.rpartition(":")
    return weaviate.connect_to_custom(
        http_host=http.hostname or "127.0.0.1",
        http_port=http.port or 80,
        http_secure=False,
        grpc_host=grpc_host,
        grpc_port=int(grpc_port),
        grpc_secure=False,
    )


def create(client: "WeaviateClient") -> None:
    """Make the collection anew: vectors from outside, default index, one searchable text."""
    from weaviate.classes.config import Configure, DataType, Property  # noqa: PLC0415  # likewise

    client.collections.delete(COLLECTION)
    client.collections.create(
        COLLECTION,
        vector_config=Configure.Vectors.self_provided(),
        properties=[Property(name="text", data_type=DataType.TEXT)],
    )


def vectors_of(client: "WeaviateClient", ids: Sequence[str]) -> Vector:
    """The stored vectors in the order of `ids`: `(n, dim) float32`. Raises Missing."""
    collection = client.collections.use(COLLECTION)
    found: dict[str, object] = {}
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        answer = collection.query.fetch_objects_by_ids(page, limit=PAGE, include_vector=True)
        found |= {str(each.uuid): each.vector["default"] for each in answer.objects}
    missing = [each for each in ids if each not in found]
    if missing:
        raise Missing(f"{len(missing)} of {len(ids)} objects")
    return np.array([found[each] for each in ids], dtype=np.float32)
