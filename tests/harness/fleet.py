"""Whole processes of the service beside each other.

`tests.harness.Service` waits for its process; these let readers go on meanwhile, and run other
commands than the plain worker.
"""

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import aiohttp
import psutil

from scripts.stack import StackState
from tests.harness import PATIENCE_S, Service, free_port, fresh_collection, fresh_prefix, until

CHECKOUT = Path(__file__).resolve().parents[2]
#: What the issue names: `faust -A faust_app worker -l info`.
FAUST = [str(Path(sys.executable).with_name("faust")), "-A", "faust_app", "worker", "-l", "info"]
#: What SIGTERM promises (issue: "SIGTERM drains and exits within 25 s").
DRAIN_S = 25.0

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


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
        await until(f"{self.name} is ready", self.is_ready, limit_s=limit_s)
        return self

    async def is_ready(self) -> bool:
        """Ask `/readyz` once."""
        assert self.alive, f"{self.name} ended: {self.told()[-3000:]}"
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(3)) as http,
                http.get(f"{self.url}/readyz") as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def has_ended(self) -> bool:
        """Whether the process is gone."""
        return not self.alive

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
        await until(f"{self.name} drains and exits", self.has_ended, limit_s=limit_s)
        return self.popen.returncode, time.monotonic() - began

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
        self.prefix = fresh_prefix()
        self.collection = fresh_collection()
        self.processes: list[Process] = []
        self._settings = settings

    def environment(
        self, role: str | None, port: int, settings: Mapping[str, str]
    ) -> dict[str, str]:
        """The harness's environment of one process, with a model of small vectors."""
        plain = Service(self.stack, self.folder, prefix=self.prefix, role=role or "all")
        ours = {
            **plain.env,
            "VECTORIZE_MASTER_PORT": str(port),
            "VECTORIZE_MASTER_SERVICE_WORKER_PORT": str(port),
            "VECTORIZE_MASTER_SERVICE_ADVERTISED_URL": f"http://127.0.0.1:{port}",
            "VECTORIZE_MASTER_TASK_DEFAULT_MODEL": "test/hashing-64",
        }
        if role is None:
            del ours["VECTORIZE_ROLE"]
        return {**ours, **self._settings, **settings}

    def add(
        self, role: str | None = "all", *, command: list[str] | None = None, **settings: str
    ) -> Process:
        """Make a process of a role and start it; the fleet ends it."""
        port = free_port()
        name = f"{role or 'default'}-{len(self.processes)}"
        process = Process(
            name=name,
            env=self.environment(role, port, settings),
            log=self.folder / f"{name}.log",
            port=port,
            command=list(command or FAUST),
        )
        self.processes.append(process)
        return process.start()

    async def all_ready(self) -> None:
        """Wait until all that run are ready, all at once: each that joins sets others back."""

        async def are_ready() -> bool:
            return all([await each.is_ready() for each in self.processes if each.alive])

        await until("all are ready", are_ready)
        await asyncio.sleep(0.5)
        await until("all are still ready", are_ready)

    def end(self) -> None:
        """End everything that still runs."""
        for process in self.processes:
            process.end()

    def logs(self, last: int = 3000) -> str:
        """The last words of each process, for a failed test."""
        return "\n".join(f"--- {p.name} ---\n{p.told()[-last:]}" for p in self.processes)
