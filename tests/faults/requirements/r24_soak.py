"""R24: hours of even work leave memory, files and threads where they were.

Finished tasks are purged after minutes here, in place of days: what a master keeps of each task
that it knows is bounded by that, and must not hide what is not. Tables gather rows in memory before
they write them out, each partition's up to a bound (`vectorize_table_buffers_bytes`): of even work
alone that would take half an hour, so the warming up is more work, of small tasks; and it moves a
master's memory by some MB up and down, so its slope is told with these buffers and without.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import numpy as np
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.forgetting import gone_by
from tests.faults.history import read_history
from tests.faults.orders import Faults
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.rig import Rig, Shape, rig
from tests.harness.fleet import Process

NAME = "R24"
TITLE = "even work for a long time, tasks come and go: memory, open files, threads"
ROLES = ("master", "embed", "store")
LOOK_S = 5.0
#: What comes before this share of the time is the warming up.
WARM = 1 / 3
#: Small tasks in flight then, and their texts.
WARM_AT_ONCE, WARM_TEXTS = 16, 8
#: The number of the first task after that.
EVEN = 1_000_000
#: How long finished tasks are kept.
RETENTION_S = 180.0
#: What was final so long before the end is judged as ever; it is there still when it is looked at.
JUDGED_S = 30.0
MB = 1024 * 1024
BUFFERS = "vectorize_table_buffers_bytes"


@dataclass(frozen=True, slots=True)
class Look:
    """What a process holds at a moment."""

    at_s: float
    resident_bytes: int
    buffers_bytes: int
    """Those of its tables."""
    files: int
    threads: int


async def run(
    folder: Path, *, seconds: float, texts: int, seed: int, say: Callable[[str], None]
) -> Outcome:
    """Work for so long, two tasks at a time, and look at every process now and then."""
    faults = Faults(seed=seed, retention_s=RETENTION_S)
    shape = Shape(tasks=0, texts=texts, roles=ROLES, submitters=2, look_s=0.5, faults=faults)
    async with rig(shape, folder, seed=seed, say=say) as trial:
        looking = asyncio.create_task(_looked_at(trial, seconds))
        many = replace(shape, texts=WARM_TEXTS, submitters=WARM_AT_ONCE)
        many_s = WARM * seconds - RETENTION_S  # they are purged before the warming up is over
        await _work(trial, many, many_s)
        await _work(trial, shape, seconds - many_s, first=EVEN)
        looks = await looking
        before_ns = time.monotonic_ns() - int(JUDGED_S * 1e9)
        verdict = await trial.judge(gone_by(read_history(trial.clients.history.path), before_ns))
    facts = {
        f"{name}: {what}": value
        for name, each in looks.items()
        for what, value in facts_of(each).items()
    }
    return outcome_of(NAME, TITLE, seed=seed, trials=1, verdict=verdict, facts=facts)


async def _work(trial: Rig, shape: Shape, seconds: float, *, first: int = 0) -> None:
    """Keep tasks of this shape in flight for so long."""
    trial.shape = shape
    enough = asyncio.Event()
    working = asyncio.create_task(trial.load(enough, first=first))
    await asyncio.sleep(seconds)
    enough.set()
    await working


async def _looked_at(trial: Rig, seconds: float) -> Mapping[str, Sequence[Look]]:
    looks: dict[str, list[Look]] = {each.name: [] for each in trial.fleet.processes}
    began_s = time.monotonic()
    async with aiohttp.ClientSession() as http:
        while (at_s := time.monotonic() - began_s) < seconds:
            for each in trial.fleet.processes:
                looks[each.name].append(await _look(http, each, at_s))
            await asyncio.sleep(LOOK_S)
    return looks


async def _look(http: aiohttp.ClientSession, process: Process, at_s: float) -> Look:
    port = process.env["VECTORIZE_MASTER_MONITORING_PROMETHEUS_PORT"]
    async with http.get(f"http://127.0.0.1:{port}/metrics") as answer:
        buffers = buffers_in(await answer.text())
    seen = psutil.Process(process.pid)
    resident = int(seen.memory_info().rss)
    return Look(at_s, resident, buffers, seen.num_fds(), seen.num_threads())


def buffers_in(metrics: str) -> int:
    """What the buffers of a process's tables hold, in bytes, by what it tells Prometheus."""
    return sum(
        int(sample.value)
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == BUFFERS
    )


def facts_of(looks: Sequence[Look]) -> dict[str, float]:
    """Tell how memory, files and threads went after the warming up."""
    warm = [each for each in looks if each.at_s >= looks[-1].at_s * WARM]
    hours = [each.at_s / 3600 for each in warm]
    resident = [each.resident_bytes / MB for each in warm]
    buffers = [each.buffers_bytes / MB for each in warm]
    besides = [all_of_it - buffer for all_of_it, buffer in zip(resident, buffers, strict=True)]
    return {
        "MB": round(float(np.median(resident))),
        "of these in buffers of tables": round(float(np.median(buffers)), 1),
        "MB an hour without them": slope_of(hours, besides),
        "MB an hour with them": slope_of(hours, resident),
        "files more": _more([each.files for each in warm]),
        "threads more": _more([each.threads for each in warm]),
    }


def slope_of(hours: Sequence[float], values: Sequence[float]) -> float:
    """How much the values grow an hour, by least squares."""
    return round(float(np.polyfit(hours, values, 1)[0]), 2) if len(hours) > 1 else 0.0


def _more(counts: Sequence[int]) -> int:
    """The median of the last quarter less that of the first: a table's files come and go."""
    quarter = max(1, len(counts) // 4)
    return round(float(np.median(counts[-quarter:]) - np.median(counts[:quarter])))
