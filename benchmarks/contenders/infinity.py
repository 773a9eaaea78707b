"""An infinity server over HTTP: 64 texts a request, several requests at once, base64 vectors."""

import base64
import http.client
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import orjson

from benchmarks.contenders.speaking import Assignment, Encode, serve_encoder
from models.vectors import Vector

REQUEST_TEXTS = 64
CONNECTIONS = 4
TIMEOUT_S = 120.0
MODEL = "bench"


class Refused(Exception):
    """The server gave no vectors."""


class Client:
    """Asks one server from several threads."""

    def __init__(self, port: int) -> None:
        """A connection a request: the server closes kept ones between two rounds."""
        self._port = port
        self._threads = ThreadPoolExecutor(CONNECTIONS)

    def encode(
        self, texts: list[str], _settings: dict[str, int]
    ) -> tuple[Vector, dict[str, float | str]]:
        """Ask for all texts: `(n, dim) float32` in their order. Raises Refused."""
        starts = range(0, len(texts), REQUEST_TEXTS)
        parts = [texts[start : start + REQUEST_TEXTS] for start in starts]
        return np.concatenate(list(self._threads.map(self._ask, parts))), {}

    def _ask(self, texts: list[str]) -> Vector:
        body = orjson.dumps({"model": MODEL, "input": texts, "encoding_format": "base64"})
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        with closing(connection):
            connection.request("POST", "/embeddings", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
        if answer.status != http.client.OK:
            raise Refused(f"status {answer.status}: {said[:200]!r}")
        return rows_of(said)


def rows_of(said: bytes) -> Vector:
    """The vectors of an answer by their own index: `(n, dim) float32`."""
    items = sorted(orjson.loads(said)["data"], key=lambda item: int(item["index"]))
    raw = b"".join(base64.b64decode(item["embedding"]) for item in items)
    return np.frombuffer(raw, dtype="<f4").reshape(len(items), -1)


def load(given: Assignment) -> Encode:
    """Talk to the server that listens on the setting `port`."""
    return Client(int(given.settings["port"])).encode


if __name__ == "__main__":
    serve_encoder(load)
