"""The contenders of one part: started together, measured in turn, always ended."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.contenders import environments
from benchmarks.contenders.celery_server import addresses, celery_server
from benchmarks.contenders.infinity_server import infinity_server
from benchmarks.contenders.model import default_assignment
from benchmarks.contenders.worker import Program, Worker, WorkerFailed
from benchmarks.services import free_port
from scripts.stack import StackError

PLAIN = "sentence-transformers, default"
TUNED = "sentence-transformers, tuned"
ONNX = "ONNX Runtime fp32"
INFINITY = "infinity over HTTP"
CELERY = "Celery, sentence-transformers, Weaviate"
OURS = "ours"
SERIAL = "ours, stages one by one"
GEMM = "matrix products"
TOKENIZER = "tokenizer, all threads"
TOKENIZER_ALONE = "tokenizer, one thread"


@dataclass(slots=True)
class Member:
    """One contender that runs."""

    worker: Worker
    servers: dict[str, int] = field(default_factory=dict)
    """Processes that work for it, by name."""

    def pids(self, name: str) -> dict[str, int]:
        """All of its processes."""
        return {name: self.worker.pid, **self.servers}


@dataclass(slots=True)
class Crew:
    """Who runs, by name, and why others do not."""

    members: dict[str, Member] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


@asynccontextmanager
async def crew_of(bench: Bench, names: Sequence[str]) -> AsyncIterator[Crew]:
    """Start these contenders one by one; one that cannot start is a fault, the others go on."""
    crew = Crew()
    async with AsyncExitStack() as running:
        for name in names:
            bench.say(f"  loading: {name}")
            try:
                crew.members[name] = await _STARTS[name](bench, running)
            except (WorkerFailed, StackError, OSError) as error:
                bench.say(f"  {name}: not measured: {error}")
                crew.faults.append(f"{name}: not measured: {_last_line(error)}")
        yield crew


def _last_line(error: Exception) -> str:
    """Where a process says why it ended; all of it is said while the benchmark runs."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


async def started(bench: Bench, running: AsyncExitStack, program: Program) -> Worker:
    """Start one contender's process, which ends with `running`. Raises WorkerFailed."""
    worker = Worker(program, default_assignment(), _folder(bench))
    running.push_async_callback(worker.end)
    await worker.start()
    return worker


async def _simple(
    module: str, bench: Bench, running: AsyncExitStack, *, threads: int | None = None
) -> Member:
    program = Program(f"benchmarks.contenders.{module}", threads=threads)
    return Member(await started(bench, running, program))


async def _onnx(bench: Bench, running: AsyncExitStack) -> Member:
    python = environments.python_of(environments.ONNX, bench.say)
    return Member(await started(bench, running, Program("benchmarks.contenders.onnx", python)))


async def _infinity(bench: Bench, running: AsyncExitStack) -> Member:
    python, port = environments.python_of(environments.INFINITY, bench.say), free_port()
    server = infinity_server(python, default_assignment(), _folder(bench), port)
    running.push_async_callback(server.end)
    await server.start()
    client = Program("benchmarks.contenders.infinity", settings={"port": str(port)})
    return Member(await started(bench, running, client), {"infinity server": server.pid})


async def _celery(bench: Bench, running: AsyncExitStack) -> Member:
    python, given = environments.python_of(environments.CELERY, bench.say), default_assignment()
    told = addresses(bench.stack, given)
    server = celery_server(python, given, _folder(bench), told)
    running.push_async_callback(server.end)
    await server.start()
    client = Program("benchmarks.contenders.celery", python, environment=told)
    return Member(
        await started(bench, running, client), {"celery worker": server.pid, **bench.pids()}
    )


def _folder(bench: Bench) -> Path:
    return bench.folder / "contenders"


_STARTS: dict[str, Callable[[Bench, AsyncExitStack], Awaitable[Member]]] = {
    PLAIN: partial(_simple, "plain"),
    TUNED: partial(_simple, "tuned"),
    ONNX: _onnx,
    INFINITY: _infinity,
    CELERY: _celery,
    OURS: partial(_simple, "ours"),
    SERIAL: partial(_simple, "stages"),
    GEMM: partial(_simple, "gemm"),
    TOKENIZER: partial(_simple, "tokenizing"),
    TOKENIZER_ALONE: partial(_simple, "tokenizing", threads=1),
}
