"""R13: a frozen worker or store makes tasks expire by their own clocks, on time, and no others."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil

from scripts.stack import load_state
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.rig import Rig, Shape, rig, texts_of

NAME = "R13"
TITLE = "tasks with limits of time behind a frozen embed worker, or a frozen Weaviate"
ROLES = ("master", "master", "embed", "store")
#: So much later than its limit a task may become final (R13: at most 3 s).
MOST_OVER_S = 3.0
#: Past this a task counts as never ended.
LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What is frozen, which limit is to pass, and what the task is told."""

    frozen: str
    field: str
    limit_s: float


TRIALS = (
    Trial("embed", "queue_timeout_s", 2.0),
    Trial("embed", "deadline_s", 3.0),
    Trial("weaviate", "run_timeout_s", 2.0),
    Trial("weaviate", "deadline_s", 3.0),
)


async def run(
    folder: Path, *, rounds: int, tasks: int, seed: int, say: Callable[[str], None]
) -> Outcome:
    """Freeze, submit `tasks` tasks with a limit and as many without, wake; again and again."""
    shape = Shape(tasks=0, texts=4, roles=ROLES)
    over_s: list[float] = []
    wrong = 0
    async with rig(shape, folder, seed=seed, say=say) as trial:
        for number in range(rounds):
            each = TRIALS[number % len(TRIALS)]
            late, other = await _one(trial, number, each, tasks)
            over_s += late
            wrong += other
            say(f"  {each.frozen} frozen, {each.field}: at most {max(late, default=0):.2f} s late")
        verdict = await trial.judge()
    return outcome_of(
        NAME,
        TITLE,
        seed=seed,
        trials=rounds * tasks,
        verdict=verdict,
        faults={
            "not expired, or by another limit": wrong,
            "too late": sum(each > MOST_OVER_S for each in over_s),
            "wrongly expired": verdict.states["expired"] - len(over_s),
        },
        facts={
            "late p95, s": round(float(np.percentile(over_s, 95)), 2),
            "late at most, s": round(max(over_s), 2),
        },
    )


async def _one(trial: Rig, number: int, each: Trial, tasks: int) -> tuple[list[float], int]:
    """Give how late the tasks with a limit expired, in seconds, and how many did not as told."""
    with _frozen(trial, each.frozen):
        limited = [
            await _submit(trial, f"{number}-{at}", number * 1000 + at, {each.field: each.limit_s})
            for at in range(tasks)
        ]
        patient = [
            await _submit(trial, f"{number}-free-{at}", number * 1000 + 500 + at, {})
            for at in range(tasks)
        ]
        late = await asyncio.gather(*(_late_s(trial, each, task_id) for task_id in limited))
    for task_id in patient:
        await trial.clients.until_final("patient", task_id, look_s=0.1)
    good = [seconds for seconds in late if seconds is not None]
    return good, len(late) - len(good)


async def _submit(trial: Rig, key: str, number: int, fields: dict[str, object]) -> str:
    texts = texts_of(8_000_000 + number, trial.shape.texts)
    key = f"{trial.fleet.prefix}-clock-{key}"
    return str(await trial.clients.submit("clocked", key, texts, **fields))


async def _late_s(trial: Rig, each: Trial, task_id: str) -> float | None:
    """How long after its limit a client saw the task expired; None where it ended otherwise."""
    async with asyncio.timeout(LIMIT_S):
        state = await trial.clients.until_final("clocked", task_id, look_s=0.05)
    now = datetime.now(UTC)
    task = (await trial.clients.ask("GET", f"{trial.masters[0].url}/tasks/{task_id}")).body
    if state != "expired" or each.field not in str(task["error"]):
        return None
    since = task["started_at"] if each.field == "run_timeout_s" else task["created_at"]
    return (now - datetime.fromisoformat(str(since))).total_seconds() - each.limit_s


@contextmanager
def _frozen(trial: Rig, what: str) -> Iterator[None]:
    """SIGSTOP the embed worker or Weaviate for the time of the block."""
    process = psutil.Process(_pid(trial, what))
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def _pid(trial: Rig, what: str) -> int:
    if what == "embed":
        return trial.of("embed")[0].pid
    state = load_state(trial.stack.directory)
    assert state is not None
    reference = state.server(what).process
    assert reference is not None
    return reference.pid
