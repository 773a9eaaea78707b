"""What the role embed holds while texts go through it, and whether it grows."""

from uuid import uuid4

from benchmarks.bench import Bench, batch_task
from benchmarks.corpus import fresh
from benchmarks.figures import Round, Section, Series
from benchmarks.log import Results, Unfinished, produce_tasks, producing, results_of
from benchmarks.plan import TASK_TEXTS
from benchmarks.services import Service

NAME = "memory"
TITLE = "Resident memory of the role embed, as texts go through it (all-MiniLM-L6-v2, Weaviate)"
ROLES = ("master", "embed", "store")
MOST_MB = 800.0
#: Growth over the second half that is taken for noise of the allocator.
MOST_GROWTH_MB = 16.0
#: Looks at the process in a run.
LOOKS = 20
#: So many looks are taken even when the time is over: fewer say nothing of growth.
LEAST_LOOKS = 4


async def measure(bench: Bench) -> Section:
    """Send lap after lap of tasks, and look at the process after each."""
    tasks = max(1, round(bench.plan.memory_texts / TASK_TEXTS / LOOKS))
    async with (
        bench.serving(ROLES) as services,
        results_of(bench.servers, services[0].prefix) as results,
    ):
        embed = services[1]
        held = await _looks(bench, embed, results, tasks)
    texts = len(held) * tasks * TASK_TEXTS
    resident = Series(name="resident", unit="MB", rounds=held, most=MOST_MB)
    growth = Series(
        name="grown over the second half",
        unit="MB",
        rounds=[Round(value=growth_mb(resident.values))],
        most=MOST_GROWTH_MB,
    )
    last = Series(name="resident at the end", unit="MB", rounds=held[-1:], most=MOST_MB)
    wanted = tasks * TASK_TEXTS * LOOKS
    short = [f"out of time after {texts:,} of {wanted:,} texts"] if len(held) < LOOKS else []
    notes = [f"{texts:,} texts, a look after every {tasks * TASK_TEXTS:,}"]
    return Section(
        name=NAME,
        title=TITLE,
        series=[resident, last, growth],
        notes=notes,
        faults=short,
        wanted_rounds=1,
    )


async def _looks(bench: Bench, embed: Service, results: Results, tasks: int) -> list[Round]:
    held: list[Round] = []
    for lap in range(LOOKS):
        if lap >= LEAST_LOOKS and bench.over:
            break
        await _lap(bench, embed.prefix, results, range(lap * tasks, (lap + 1) * tasks))
        held.append(Round(value=embed.memory_mb()))
        bench.say(f"  {(lap + 1) * tasks * TASK_TEXTS:,} texts: {held[-1].value:.0f} MB")
    return held


async def _lap(bench: Bench, prefix: str, results: Results, numbers: range) -> None:
    """Put these tasks on the log and wait until each is stored; raise Unfinished."""
    tasks = {
        name: batch_task(fresh(number * TASK_TEXTS, TASK_TEXTS), name)
        for name, number in ((str(uuid4()), number) for number in numbers)
    }
    async with producing(bench.servers) as producer:
        await produce_tasks(producer, f"{prefix}.tasks", tasks)
    for found in await results.next(len(tasks)):
        if (found.status, found.stored) != ("completed", TASK_TEXTS):
            raise Unfinished(f"a task ended otherwise: {found}")


def growth_mb(held: list[float]) -> float:
    """The mean of the last quarter above that of the quarter after the middle's start."""
    half = held[len(held) // 2 :]
    middle = max(1, len(half) // 2)
    begins, ends = half[:middle], half[-middle:]
    return sum(ends) / len(ends) - sum(begins) / len(begins)
