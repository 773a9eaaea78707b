"""A master at rest: how soon it is ready, what it holds, what it uses while nothing happens."""

import asyncio

from benchmarks.bench import Bench
from benchmarks.figures import Round, Section, Series
from benchmarks.services import NO_MODEL_NO_STORE
from benchmarks.usage import CpuWatch

NAME = "rest"
TITLE = "A master at rest (VECTORIZE_ROLE=master)"
MOST_MB = 250.0


async def measure(bench: Bench) -> Section:
    """Start one master again and again; the first start, which makes the topics, is dropped."""
    starts: list[Round] = []
    memory: list[Round] = []
    busy: list[Round] = []
    async with bench.serving(["master"], NO_MODEL_NO_STORE) as [master]:
        for number in range(1, bench.plan.rounds + 1):
            if number > 1 and bench.over:
                break
            await master.end()
            starts.append(Round(value=await master.start()))
            watch = CpuWatch({"master": master.pid})
            watch.start()
            await asyncio.sleep(bench.plan.quiet_s)
            memory.append(Round(value=master.memory_mb()))
            busy.append(Round(value=watch.cores()["master"] * 1000))
            bench.say(f"  round {number}: ready after {starts[-1].value:.2f} s")
    return Section(
        name=NAME,
        title=TITLE,
        series=[
            Series(name="resident memory", unit="MB", rounds=memory, most=MOST_MB),
            Series(name="start-up to /readyz", unit="s", rounds=starts),
            Series(name="processor while idle", unit="core-ms/s", rounds=busy),
        ],
    )
