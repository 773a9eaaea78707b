import httpx
import pytest
from weaviate import exceptions

from models.errors import VectorStoreUnavailable
from stores.vector_store import VectorStoreBusy
from stores.weaviate_errors import (
    CallRefused,
    PlaceMissing,
    Trouble,
    translated,
    trouble_of,
    trouble_of_message,
)

AWAY = [
    "connection refused",
    "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to connect",
    "<AioRpcError of RPC that terminated with: status = StatusCode.UNAVAILABLE details = ''>",
    "Deadline Exceeded",
    "StatusCode.DEADLINE_EXCEEDED",
    "context canceled",
    "context deadline exceeded",
    "read tcp 127.0.0.1:1->127.0.0.1:2: i/o timeout",
    "write /data/wal: no space left on device",
    "store is read-only",
    "shard books_v1_default is READONLY due to: disk usage too high",
    "not enough memory",
    "memory pressure: cannot process batch: not enough memory",
    "StatusCode.RESOURCE_EXHAUSTED: too many requests",
    "shard is shutdown",
    "index is shutting down",
    "leader not found",
    "broadcast: cannot achieve consistency level QUORUM: not enough replicas",
    "unexpected EOF",
    "alias points nowhere yet: service not ready",
    "tenant is being activated: activating",
    "shard Raft_v1_forbidden is READONLY due to: disk usage too high",
    "index is closed",
    "shard shutdown in progress",
    "tenant unavailable",
    'get/init local shard "x", no shutdown: local shard "x": already shut or dropped',
    "tenant not active: 'default'",
]
MISSING = [
    "class 'Books' not present in schema",
    "collection Books_v1 does not have configuration for vector m_f1",
    "extract target vectors: class Books_v1 does not have named vector m_x configured.",
    'alias "Books" points to collection "Books_v1" which does not exist',
    "could not find class Books_v1 in schema",
    'object search at index books_v1: tenant not found: "default"',
    "class Books has multi-tenancy disabled, but request was with tenant",
    'object search at index raft_v1: tenant not found: "unavailable"',
    r"object search at index timeouts_v1: tenant not found: \"forbidden\"",
    "could not find class Raft in schema",
]
REFUSED = [
    "new node has a vector with length 4. Existing nodes have vectors with length 8",
    "vector search: distance between entrypoint and query node: 8 vs 4: vector lengths don't match",
    "tenant name at index 0: 'a b' is not a valid tenant name",
    "'Vis ible' is not a valid class name",
    "invalid text property 'text' on class 'Books': not a string, but float64",
    "something nobody has seen before",
    "invalid text property 'text' on class 'Timeouts': not a string, but float64",
    "class name Unavailable404 is longer than allowed",
]


@pytest.mark.parametrize(
    "message, trouble",
    [
        *((message, Trouble.AWAY) for message in AWAY),
        *((message, Trouble.MISSING) for message in MISSING),
        *((message, Trouble.REFUSED) for message in REFUSED),
    ],
)
def test_weaviates_words_are_understood(message: str, trouble: Trouble) -> None:
    assert trouble_of_message(message) is trouble


def _status(code: int) -> exceptions.UnexpectedStatusCodeError:
    return exceptions.UnexpectedStatusCodeError("no", httpx.Response(code, json={"error": []}))


@pytest.mark.parametrize(
    "error, trouble",
    [
        (TimeoutError(), Trouble.AWAY),
        (ConnectionRefusedError(), Trouble.AWAY),
        (httpx.ReadError("gone"), Trouble.AWAY),
        (exceptions.WeaviateStartUpError("no meta"), Trouble.AWAY),
        (exceptions.WeaviateConnectionError("no"), Trouble.AWAY),
        (exceptions.WeaviateRetryError("no", 3), Trouble.AWAY),
        (exceptions.WeaviateInsertManyAllFailedError("store is read-only"), Trouble.AWAY),
        (exceptions.WeaviateInsertManyAllFailedError("bad vector"), Trouble.REFUSED),
        (exceptions.WeaviateQueryError("tenant not found", "GRPC search"), Trouble.MISSING),
        (_status(500), Trouble.AWAY),
        (_status(503), Trouble.AWAY),
        (_status(429), Trouble.AWAY),
        (_status(401), Trouble.AWAY),
        (_status(422), Trouble.REFUSED),
        (exceptions.WeaviateInvalidInputError("nonsense"), Trouble.REFUSED),
        (ValueError("nonsense"), Trouble.REFUSED),
    ],
    ids=str,
)
def test_the_clients_errors_are_understood(error: Exception, trouble: Trouble) -> None:
    assert trouble_of(error) is trouble


def test_an_answer_that_nothing_can_be_stored_now_is_no_outage() -> None:
    nothing = exceptions.WeaviateInsertManyAllFailedError("store is read-only")
    assert isinstance(translated(nothing), VectorStoreBusy)
    assert not isinstance(translated(TimeoutError("read-only")), VectorStoreBusy)


def test_callers_see_three_errors_only() -> None:
    assert isinstance(translated(TimeoutError()), VectorStoreUnavailable)
    assert isinstance(translated(ValueError("tenant not found")), PlaceMissing)
    assert isinstance(translated(ValueError("nonsense")), CallRefused)
