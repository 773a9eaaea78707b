"""A server that a contender needs beside its own process: started, awaited, ended by its id."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.contenders.worker import WorkerFailed
from scripts.stack.processes import ProcessRef, end, is_alive, spawn
from scripts.stack.readiness import last_lines

READY_LIMIT_S = 180.0
END_LIMIT_S = 15.0
LOOK_EVERY_S = 0.2


class Server:
    """One process."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        folder: Path,
        *,
        is_ready: Callable[[], bool],
    ) -> None:
        """What it prints is kept in `folder`; `is_ready` may block for some seconds."""
        self._name = name
        self._command = command
        self._env = env
        self._log = folder / f"{name}.log"
        self._is_ready = is_ready
        self._process: ProcessRef | None = None

    async def start(self) -> None:
        """Start it and wait until it is ready. Raises WorkerFailed."""
        deadline_s = time.monotonic() + READY_LIMIT_S
        self._process = spawn(self._command, env=self._env, log=self._log)
        while not await asyncio.to_thread(self._is_ready):
            if not is_alive(self._process) or time.monotonic() > deadline_s:
                raise WorkerFailed(f"{self._name} is not ready:\n{last_lines(self._log, 15)}")
            await asyncio.sleep(LOOK_EVERY_S)

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise WorkerFailed(f"{self._name} was never started. This is a bug.")
        return self._process.pid

    async def end(self) -> None:
        """End it in good order, or by force where it does not end."""
        await asyncio.to_thread(end, self._process, limit_s=END_LIMIT_S)
