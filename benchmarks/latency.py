"""Submitted → completed as one waiting caller sees it, at rest, by `?wait=`."""

import orjson

from benchmarks import hops
from benchmarks.bench import Bench, text_task
from benchmarks.corpus import mixed
from benchmarks.figures import Round, Section, Series, percentile
from benchmarks.hops import Hop
from benchmarks.load import Answered, Load
from benchmarks.log import Unfinished
from benchmarks.services import NO_MODEL_NO_STORE, Service

NAME = "latency"
TITLE = "Submitted → completed by ?wait=, one request at a time, nothing else running"
MOST_MS = 60.0
PATH = "/tasks/submit?wait=20"
SHAPES = {
    "hashing, no Weaviate, one process": (["all"], NO_MODEL_NO_STORE),
    "hashing, no Weaviate, three processes": (["master", "embed", "store"], NO_MODEL_NO_STORE),
    "MiniLM, Weaviate, one process": (["all"], None),
}


async def measure(bench: Bench) -> Section:
    """Measure one shape after the other: at rest means that nothing else runs."""
    section = Section(name=NAME, title=TITLE)
    for name, (roles, settings) in SHAPES.items():
        async with bench.serving(roles, settings) as services:
            rounds, found = await _waits(bench, services[0])
        p50 = Series(name=f"{name}: p50", unit="ms", rounds=rounds[0], most=MOST_MS)
        p99 = Series(name=f"{name}: p99", unit="ms", rounds=rounds[1])
        section.series.extend([p50, p99])
        section.notes.extend(hops.told(name, found))
    return section


async def _waits(
    bench: Bench, service: Service
) -> tuple[tuple[list[Round], list[Round]], list[list[Hop]]]:
    """The rounds' p50 and p99, and each round's hops."""
    p50: list[Round] = []
    p99: list[Round] = []
    found: list[list[Hop]] = []
    for number in range(bench.plan.rounds + 1):
        if number > 1 and bench.over:
            break
        count = bench.plan.waits if number else bench.plan.waits // 4
        bodies = [text_task(text) for text in mixed((number + 1) * count)[-count:]]
        begins = await hops.begin(bench.servers, service.prefix)
        answered = await bench.load(Load(service.port, PATH, bodies, connections=1))
        _check(answered)
        if number:
            p50.append(Round(value=percentile(answered.latencies_ms, 0.50)))
            p99.append(Round(value=percentile(answered.latencies_ms, 0.99)))
            found.append(await hops.hops_of(bench.servers, begins, answered))
            bench.say(f"  round {number}: p50 {p50[-1].value:.1f} ms, p99 {p99[-1].value:.1f} ms")
    return (p50, p99), found


def _check(found: Answered) -> None:
    states = {orjson.loads(answer)["status"] for answer in found.answers}
    if states != {"completed"}:
        raise Unfinished(f"answers with states {sorted(states)} where all should be completed")
