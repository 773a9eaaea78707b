"""A contender's process, as the benchmark sees it: started, asked, always ended."""

import asyncio
import os
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson
from pydantic import BaseModel

from benchmarks.contenders.speaking import Assignment, Told, Wanted
from benchmarks.machine import CHECKOUT
from benchmarks.services import inherited
from models.vectors import Vector

LOAD_LIMIT_S = 300.0
ANSWER_LIMIT_S = 900.0
END_LIMIT_S = 10.0
LONGEST_LINE_BYTES = 1 << 20
#: The thread pools that libraries make by themselves, each with its variable.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")


class WorkerFailed(Exception):
    """A contender could not be loaded or did not answer: it has no figure."""


@dataclass(frozen=True, slots=True)
class Program:
    """How a contender is started."""

    module: str
    python: Path = Path(sys.executable)
    settings: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None
    """Threads it may compute with; None: as many as all others."""


class Worker:
    """One contender's process."""

    def __init__(self, program: Program, given: Assignment, folder: Path) -> None:
        """Texts, vectors and what it prints are kept in `folder`; nothing runs before `start`."""
        self.facts: dict[str, float | str] = {}
        self._program = program
        changed = {
            "settings": dict(program.settings),
            "threads": program.threads or given.threads,
        }
        self._given = given.model_copy(update=changed)
        self.folder = folder
        self._log = folder / f"{program.module.rpartition('.')[2]}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> float:
        """Start and load; give the seconds of loading. Raises WorkerFailed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(self._program.python),
                "-m",
                self._program.module,
                self._given.model_dump_json(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=child_environment(self._given.threads) | dict(self._program.environment),
                cwd=CHECKOUT,
                limit=LONGEST_LINE_BYTES,
            )
        return (await self._told(LOAD_LIMIT_S)).seconds

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running.pid

    async def ask(self, question: BaseModel) -> Told:
        """Ask one question. Raises WorkerFailed."""
        if self._running.stdin is None:
            raise WorkerFailed("no stdin. This is a bug.")
        self._running.stdin.write(question.model_dump_json().encode() + b"\n")
        return await self._told(ANSWER_LIMIT_S)

    async def encode(
        self, texts: list[str], settings: Mapping[str, int] | None = None
    ) -> tuple[Told, Vector]:
        """Encode `texts`: what was told, and `(n, dim) float32`. Raises WorkerFailed."""
        name = f"{self._program.module.rpartition('.')[2]}-{self.pid}"
        asked, found = self.folder / f"{name}.json", self.folder / f"{name}.npy"
        asked.write_bytes(orjson.dumps(texts))
        wanted = Wanted(texts=asked, vectors=found, settings=dict(settings or {}))
        told = await self.ask(wanted)
        return told, np.load(found)

    async def end(self) -> None:
        """Let it end by the end of its stdin, or end it by its id."""
        if self._process is None or self._process.returncode is not None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), END_LIMIT_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise WorkerFailed(f"{self._program.module} was never started. This is a bug.")
        return self._process

    async def _told(self, limit_s: float) -> Told:
        if self._running.stdout is None:
            raise WorkerFailed("no stdout. This is a bug.")
        try:
            line = await asyncio.wait_for(self._running.stdout.readline(), limit_s)
        except TimeoutError as error:
            raise WorkerFailed(f"{self._program.module}: no answer in {limit_s:g} s") from error
        if not line:
            raise WorkerFailed(f"{self._program.module} ended:\n{_last_lines(self._log)}")
        told = Told.model_validate_json(line)
        if told.error:
            raise WorkerFailed(f"{self._program.module}: {told.error}")
        self.facts = told.facts
        return told


def child_environment(threads: int) -> dict[str, str]:
    """What a contender's process finds: equal threads, no network for models, no telemetry.

    A program of another environment finds the checkout and this environment's packages too.
    """
    return {
        **inherited(),
        **dict.fromkeys(THREADS, str(threads)),
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), sysconfig.get_path("purelib")]),
        "HF_HUB_OFFLINE": "1",
        "DO_NOT_TRACK": "1",
        "TOKENIZERS_PARALLELISM": "true",
    }


def _last_lines(log: Path, count: int = 15) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-count:])
