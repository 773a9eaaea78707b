"""Whole processes of the service, started, killed and asked as an operator and a client would."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import aiohttp
import psutil

from scripts.stack import StackState

CHECKOUT = Path(__file__).resolve().parents[2]
FAUST = [str(Path(sys.executable).with_name("faust")), "-A", "faust_app", "worker", "-l", "info"]
#: The longest a whole step may take here, on a machine that others use too. Not what is measured.
PATIENCE_S = 90.0
#: What SIGTERM promises (issue: "SIGTERM drains and exits within 25 s").
DRAIN_S = 25.0

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(
    what: str, check: Callable[[], Any], *, limit_s: float = PATIENCE_S, every_s: float = 0.05
) -> Any:
    """Wait until `check` (plain or async) gives something true, and return it."""
    deadline = time.monotonic() + limit_s
    while True:
        found = check()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {limit_s:g} s: {what}"
        await asyncio.sleep(every_s)


@dataclass
class Process:
    """One process of the service; it keeps its port and its data over restarts."""

    name: str
    env: Mapping[str, str]
    log: Path
    port: int
    command: list[str] = field(default_factory=lambda: list(FAUST))
    popen: subprocess.Popen[bytes] | None = None
    _log_from: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.popen is not None
        return self.popen.pid

    @property
    def alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def start(self) -> Self:
        """Start the process; what it logs from here on is `told()`."""
        assert not self.alive
        self._log_from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as out:
            self.popen = subprocess.Popen(
                self.command,
                cwd=CHECKOUT,
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def told(self) -> str:
        """What the process has logged since its last start."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as lines:
            lines.seek(self._log_from)
            text = _ANSI.sub("", lines.read().decode(errors="replace"))
        return "\n".join(line for line in text.splitlines() if '"route": "/readyz"' not in line)

    async def ready(self, limit_s: float = PATIENCE_S) -> Self:
        """Wait until `/readyz` says so; a process that ends meanwhile fails the test at once."""

        async def asked() -> bool:
            assert self.alive, f"{self.name} ended: {self.told()[-3000:]}"
            try:
                async with (
                    aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(3)) as http,
                    http.get(f"{self.url}/readyz") as answer,
                ):
                    return answer.status == 200
            except (aiohttp.ClientError, TimeoutError):
                return False

        await until(f"{self.name} is ready", asked, limit_s=limit_s, every_s=0.1)
        return self

    def kill(self) -> None:
        """SIGKILL: what a power cut does."""
        assert self.popen is not None
        self.popen.kill()
        self.popen.wait()

    async def terminate(self, limit_s: float = DRAIN_S) -> tuple[int, float]:
        """SIGTERM; return the exit code and how long it took. Past `limit_s` the test fails."""
        assert self.popen is not None
        began = time.monotonic()
        self.popen.send_signal(signal.SIGTERM)
        popen = self.popen
        await until(
            f"{self.name} drains and exits", lambda: popen.poll() is not None, limit_s=limit_s
        )
        return popen.returncode, time.monotonic() - began

    def end(self) -> None:
        """End it whatever state it is in, and whatever it started."""
        if self.popen is None:
            return
        try:
            family = [psutil.Process(self.popen.pid)]
            family += family[0].children(recursive=True)
        except psutil.NoSuchProcess:
            family = []
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.popen.wait()

    def resident_bytes(self) -> int:
        """Resident memory now."""
        return int(psutil.Process(self.pid).memory_info().rss)


class Fleet:
    """Processes that share one topic prefix, one stack, and one folder of data and logs."""

    def __init__(self, stack: StackState, folder: Path, **settings: str) -> None:
        self.stack = stack
        self.folder = folder
        self.prefix = f"acc-{uuid4().hex[:8]}"
        self.collection = f"Acc{uuid4().hex[:12]}"
        self.processes: list[Process] = []
        self._settings = settings

    def environment(self, role: str | None, port: int, **settings: str) -> dict[str, str]:
        """The environment of one process: this stack, this prefix, the hashing model."""
        ours = {name: value for name, value in os.environ.items() if "VECTORIZE" not in name}
        ours |= {
            "PYTHONUNBUFFERED": "1",
            "VECTORIZE_STACK_DIR": str(self.stack.directory),
            "VECTORIZE_MASTER_HOST": "127.0.0.1",
            "VECTORIZE_MASTER_PORT": str(port),
            "VECTORIZE_MASTER_SERVICE_WORKER_PORT": str(port),
            "VECTORIZE_MASTER_SERVICE_DATA_DIR": str(self.folder / "data"),
            "VECTORIZE_MASTER_SERVICE_LOG_FORMAT": "json",
            "VECTORIZE_MASTER_MONITORING_PROMETHEUS_PORT": "0",
            "VECTORIZE_MASTER_MONITORING_HEARTBEAT_INTERVAL_S": "0.5",
            "VECTORIZE_MASTER_KAFKA_BOOTSTRAP_SERVERS": self.stack.settings[
                "kafka.bootstrap_servers"
            ],
            "VECTORIZE_MASTER_REDIS_URL": self.stack.settings.get("database.redis_url", ""),
            "VECTORIZE_MASTER_WEAVIATE_URL": self.stack.settings["database.weaviate_url"],
            "VECTORIZE_MASTER_DATABASE_WEAVIATE_GRPC_URL": self.stack.settings[
                "database.weaviate_grpc_url"
            ],
            "VECTORIZE_MASTER_KAFKA_TOPIC_PREFIX": self.prefix,
            "VECTORIZE_MASTER_KAFKA_PARTITIONS": "4",
            "VECTORIZE_MASTER_KAFKA_UNIT_PARTITIONS": "4",
            # A killed member is missed sooner; the broker's own floor is far below.
            "VECTORIZE_MASTER_KAFKA_SESSION_TIMEOUT_S": "6",
            "VECTORIZE_MASTER_KAFKA_HEARTBEAT_INTERVAL_S": "1.5",
            "VECTORIZE_MASTER_TASK_MODELS_FILE": "tests/models.yaml",
            "VECTORIZE_MASTER_TASK_DEFAULT_MODEL": "test/hashing-64",
        }
        if role is not None:
            ours["VECTORIZE_ROLE"] = role
        return {**ours, **self._settings, **settings}

    def add(
        self, role: str | None = "all", *, command: list[str] | None = None, **settings: str
    ) -> Process:
        """Make a process of a role and start it; the fleet ends it."""
        port = free_port()
        name = f"{role or 'default'}-{len(self.processes)}"
        process = Process(
            name=name,
            env=self.environment(role, port, **settings),
            log=self.folder / f"{name}.log",
            port=port,
            command=list(command or FAUST),
        )
        self.processes.append(process)
        return process.start()

    async def all_ready(self) -> None:
        """Wait until every process that runs is ready."""
        await asyncio.gather(*(each.ready() for each in self.processes if each.alive))

    def end(self) -> None:
        """End everything that still runs."""
        for process in self.processes:
            process.end()

    def logs(self, last: int = 3000) -> str:
        """The last words of each process, for a failed test."""
        return "\n".join(f"--- {p.name} ---\n{p.told()[-last:]}" for p in self.processes)
