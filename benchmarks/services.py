"""Processes of the service, started as a user starts them, and always ended."""

import asyncio
import http.client
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from scripts.stack import StackState
from scripts.stack.processes import ProcessRef, end, is_alive, spawn
from scripts.stack.readiness import last_lines
from scripts.stack.state import environment_of

CHECKOUT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "faust", "-A", "faust_app", "worker", "-l", "info"]
MODELS_FILE = "tests/models.yaml"
HASHING = "test/hashing-384"
READY_LIMIT_S = 90.0
END_LIMIT_S = 25.0
LOOK_EVERY_S = 0.02

#: A model that costs nothing, and nowhere to put its vectors: all the rest is what is measured.
NO_MODEL_NO_STORE = {
    "VECTORIZE_MASTER_TASK_MODELS_FILE": MODELS_FILE,
    "VECTORIZE_MASTER_TASK_DEFAULT_MODEL": HASHING,
    "VECTORIZE_MASTER_DATABASE_VECTOR_STORE": "none",
}


class ServiceFailed(Exception):
    """A process of the service ended, or was not ready in time."""


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """One process of the service; it keeps its port and its data over restarts."""

    def __init__(
        self,
        stack: StackState,
        folder: Path,
        *,
        prefix: str,
        role: str,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Everything but addresses and `settings` is as users have it by default."""
        self.prefix = prefix
        self.role = role
        self.port = free_port()
        self.log = folder / f"{prefix}-{role}.log"
        self._env = inherited() | environment_of(stack) | self._own(folder) | dict(settings or {})
        self._process: ProcessRef | None = None

    def _own(self, folder: Path) -> dict[str, str]:
        return {
            "VECTORIZE_ROLE": self.role,
            "VECTORIZE_MASTER_HOST": "127.0.0.1",
            "VECTORIZE_MASTER_PORT": str(self.port),
            "VECTORIZE_MASTER_SERVICE_WORKER_PORT": str(self.port),
            "VECTORIZE_MASTER_MONITORING_PROMETHEUS_PORT": "0",
            "VECTORIZE_MASTER_SERVICE_DATA_DIR": str(folder / "data" / self.prefix),
            "VECTORIZE_MASTER_SERVICE_LOG_FORMAT": "json",
            "VECTORIZE_MASTER_KAFKA_TOPIC_PREFIX": self.prefix,
        }

    async def start(self) -> float:
        """Start it; give the seconds until `/readyz` says yes. Raises ServiceFailed."""
        began_s = time.monotonic()
        os.chdir(CHECKOUT)  # `spawn` takes no folder, and Faust looks for the app in this one
        self._process = spawn(COMMAND, env=self._env, log=self.log)
        while not await asyncio.to_thread(self._is_ready):
            waited_s = time.monotonic() - began_s
            if not is_alive(self._process) or waited_s > READY_LIMIT_S:
                told = last_lines(self.log, 15)
                raise ServiceFailed(f"{self.role} not ready after {waited_s:.0f} s:\n{told}")
            await asyncio.sleep(LOOK_EVERY_S)
        return time.monotonic() - began_s

    async def end(self) -> None:
        """End it in good order, or by force where it does not end."""
        await asyncio.to_thread(end, self._process, limit_s=END_LIMIT_S)

    @property
    def pid(self) -> int:
        """The process id of the last start."""
        if self._process is None:
            raise ServiceFailed(f"{self.role} was never started. This is a bug.")
        return self._process.pid

    def memory_mb(self) -> float:
        """Resident memory now, in MB of a million bytes."""
        return float(psutil.Process(self.pid).memory_info().rss) / 1e6

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def inherited() -> dict[str, str]:
    """This shell's environment without settings of the service: figures must not hang on them."""
    return {
        name: value
        for name, value in os.environ.items()
        if "VECTORIZE" not in name and name != "LOG_LEVEL"
    }
