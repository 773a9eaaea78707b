"""Whether a server answers: asked over its own protocol, never guessed from time passed."""

import http.client
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from scripts.stack.errors import ServerFailed
from scripts.stack.processes import is_alive
from scripts.stack.state import ServerState

PROBE_LIMIT_S = 2.0
HTTP_OK = 200
LAST_LINES = 15
TAIL_BYTES = 16 * 1024

# Kafka's Metadata request, version 4, for no topic: header (api 3, version 4, correlation 1,
# client id "stack"), an empty list of topics, and "create no topics".
_METADATA = struct.pack(">hhih5siB", 3, 4, 1, 5, b"stack", 0, 0)
# Its answer begins: size, correlation, throttle time, number of brokers.
_METADATA_START = struct.Struct(">iiii")


def kafka_answers(port: int) -> bool:
    """Whether the broker is registered and serves requests: it names itself in its metadata."""
    try:
        with socket.create_connection(("127.0.0.1", port), PROBE_LIMIT_S) as connection:
            connection.sendall(struct.pack(">i", len(_METADATA)) + _METADATA)
            answer = connection.makefile("rb").read(_METADATA_START.size)
        _size, _correlation, _throttle_ms, brokers = _METADATA_START.unpack(answer)
    except (OSError, struct.error):
        return False
    return bool(brokers >= 1)


def redis_answers(port: int) -> bool:
    """Whether Redis says PONG."""
    try:
        with socket.create_connection(("127.0.0.1", port), PROBE_LIMIT_S) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7).startswith(b"+PONG")
    except OSError:
        return False


def weaviate_answers(port: int, grpc_port: int) -> bool:
    """Whether Weaviate calls itself ready and its gRPC port is open."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_LIMIT_S)
    try:
        connection.request("GET", "/v1/.well-known/ready")
        if connection.getresponse().status != HTTP_OK:
            return False
        socket.create_connection(("127.0.0.1", grpc_port), PROBE_LIMIT_S).close()
        return True
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def last_lines(log: Path, count: int = LAST_LINES) -> str:
    """The end of a log, indented; says so when there is nothing in it."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        lines = []
    return "\n".join(f"    {line[:500]}" for line in lines) or "    (it printed nothing)"


def is_ready(server: ServerState, answers: Callable[[], bool], *, overdue: bool) -> bool:
    """Whether a server that was just started answers.

    Raises ServerFailed when it has died, and when it does not answer although it is overdue.
    """
    answered = answers()
    if not is_alive(server.process):  # whoever answered on that port then, it was not ours
        raise ServerFailed(server.name, "died at its start", server.log, last_lines(server.log))
    if not answered and overdue:
        raise ServerFailed(
            server.name, "did not answer in time", server.log, last_lines(server.log)
        )
    return answered
