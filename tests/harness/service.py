"""One process of the service: started, waited for, asked, killed or drained, and always ended."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from scripts.stack import StackState
from scripts.stack.state import VARIABLES
from tests.harness.waiting import PATIENCE_S, until_sync

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "faust", "-A", "faust_app", "worker", "-l", "info"]
MODEL = "test/hashing-384"
TAIL_CHARACTERS = 4000

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fresh_prefix() -> str:
    """A topic prefix that nobody used before: topics, groups and cache keys of one's own."""
    return f"it-{uuid4().hex[:10]}"


def fresh_collection() -> str:
    """A collection that nobody used before."""
    return f"It{uuid4().hex[:12]}"


class Service:
    """One process of the service; it keeps its ports and its data over restarts.

    `with Service(stack, folder) as service:` starts it and waits until it is ready. `start()`
    after `kill()` or `terminate()` starts it again.
    """

    def __init__(
        self,
        stack: StackState,
        folder: Path,
        *,
        prefix: str | None = None,
        role: str = "all",
        settings: Mapping[str, str] | None = None,
        ready_limit_s: float = PATIENCE_S,
    ) -> None:
        """`settings` are environment variables over the defaults of the tests."""
        self.prefix = prefix or fresh_prefix()
        self.role = role
        self.port = free_port()
        self.metrics_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.metrics_url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        self.log = folder / f"{self.prefix}-{role}-{self.port}.log"
        self.env = environment_of(self, stack, folder) | dict(settings or {})
        self._ready_limit_s = ready_limit_s
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_from = 0

    # -- life ---------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            return self.start().wait_ready()
        except BaseException:
            self.end()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def start(self) -> Self:
        """Start the process and return at once."""
        assert not self.alive, "it runs already"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._log_from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as out:
            self._popen = subprocess.Popen(
                COMMAND,
                cwd=CHECKOUT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def wait_ready(self) -> Self:
        """Wait for `/readyz`; a process that ends meanwhile fails at once, with its last words."""
        try:
            until_sync(f"{self.role} is ready", self._is_ready, limit_s=self._ready_limit_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail()}") from None
        return self

    def _is_ready(self) -> bool:
        assert self.alive, f"it ended with {self.exit_code}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def kill(self) -> None:
        """SIGKILL: what a power cut does."""
        popen = self._process()
        popen.kill()
        popen.wait()

    def terminate(self, limit_s: float = PATIENCE_S) -> tuple[int, float]:
        """SIGTERM; return the exit code and the seconds it took."""
        popen, began_s = self._process(), time.monotonic()
        popen.terminate()
        try:
            code = popen.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"alive {limit_s:g} s after SIGTERM\n{self.tail()}") from None
        return code, time.monotonic() - began_s

    def end(self) -> None:
        """End it and whatever it started, in whatever state they are."""
        if self._popen is None:
            return
        if self.alive:
            # Its own session: nobody else is in this group, and its pid is not reaped yet.
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def _process(self) -> "subprocess.Popen[bytes]":
        assert self._popen is not None, "it was never started"
        return self._popen

    # -- looks --------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether the process runs now."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the last start."""
        return self._process().pid

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process().poll()

    def logged(self) -> str:
        """What it logged since its last start."""
        with self.log.open("rb") as lines:
            lines.seek(self._log_from)
            return _COLOURS.sub("", lines.read().decode(errors="replace"))

    def tail(self) -> str:
        """Its last words, for a failed test."""
        return f"--- {self.log} ---\n{self.logged()[-TAIL_CHARACTERS:]}"


def environment_of(service: Service, stack: StackState, folder: Path) -> dict[str, str]:
    """What the process is started with: this stack, its own ports and names, quick timeouts."""
    foreign = {name for name in os.environ if "VECTORIZE" in name or name == "LOG_LEVEL"}
    inherited = {name: value for name, value in os.environ.items() if name not in foreign}
    servers = {VARIABLES[name]: value for name, value in stack.settings.items()}
    return {
        **inherited,
        **servers,
        "PYTHONUNBUFFERED": "1",
        "VECTORIZE_ROLE": service.role,
        # No state file of a stack that a person runs in this checkout is read.
        "VECTORIZE_STACK_DIR": str(stack.directory),
        "VECTORIZE_MASTER_HOST": "127.0.0.1",
        "VECTORIZE_MASTER_PORT": str(service.port),
        "VECTORIZE_MASTER_SERVICE_WORKER_PORT": str(service.port),
        "VECTORIZE_MASTER_SERVICE_ADVERTISED_URL": service.url,
        "VECTORIZE_MASTER_SERVICE_DATA_DIR": str(folder / "data"),
        "VECTORIZE_MASTER_SERVICE_LOG_FORMAT": "json",
        "VECTORIZE_MASTER_MONITORING_PROMETHEUS_PORT": str(service.metrics_port),
        "VECTORIZE_MASTER_MONITORING_HEARTBEAT_INTERVAL_S": "0.5",
        "VECTORIZE_MASTER_KAFKA_TOPIC_PREFIX": service.prefix,
        "VECTORIZE_MASTER_KAFKA_PARTITIONS": "4",
        "VECTORIZE_MASTER_KAFKA_UNIT_PARTITIONS": "4",
        "VECTORIZE_MASTER_KAFKA_SESSION_TIMEOUT_S": "6",
        "VECTORIZE_MASTER_KAFKA_HEARTBEAT_INTERVAL_S": "2",
        "VECTORIZE_MASTER_TASK_MODELS_FILE": "tests/models.yaml",
        "VECTORIZE_MASTER_TASK_DEFAULT_MODEL": MODEL,
    }
