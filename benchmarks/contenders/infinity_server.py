"""The infinity server of a run: its own defaults, on loopback."""

import http.client
from functools import partial
from pathlib import Path

from benchmarks.contenders.infinity import MODEL
from benchmarks.contenders.server import Server
from benchmarks.contenders.speaking import Assignment
from benchmarks.contenders.worker import child_environment


def infinity_server(python: Path, given: Assignment, folder: Path, port: int) -> Server:
    """A server run by `python`, which has infinity installed; not started yet.

    Its cache of texts it has seen is off, or later rounds would be free.
    """
    command = [
        *(str(python), str(python.with_name("infinity_emb")), "v2"),
        *("--model-id", str(given.folder), "--served-model-name", MODEL),
        *("--engine", "torch", "--device", "cpu", "--dtype", "float32"),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--no-vector-disk-cache", "--no-trust-remote-code", "--log-level", "warning"),
    ]
    env = child_environment(given.threads) | {"INFINITY_ANONYMOUS_USAGE_STATS": "0"}
    del env["PYTHONPATH"]  # its packages are older than ours
    return Server("infinity", command, env, folder, is_ready=partial(is_healthy, port))


def is_healthy(port: int) -> bool:
    """Whether the server on this loopback port says that it is well."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
