"""Where the time of a waiting task goes, from the broker's own clock on each of its records."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median

import orjson

from benchmarks.load import Answered
from benchmarks.log import Offsets, Record, ends_of, records_since
from models.states import Lane
from streams.topics import TopicNames

#: The broker's stamps are cut to whole milliseconds: half of one is lost on average.
STAMP_LOSS_MS = 0.5

#: From which mark to which, and what happens in between. (`folded` is not on the log: the
#: accepted event is folded by track before its unit is sent.)
HOPS = (
    ("asked", "task", "submit: HTTP in, task on the log"),
    ("task", "accepted", "intake: task read and checked, `accepted` on the log"),
    ("accepted", "unit", "verdict: `accepted` folded by track, unit on the log"),
    ("unit", "vectors", "embed: unit read, encoded, vectors on the log"),
    ("vectors", "unit_done", "store: vectors read and written, `unit_done` on the log"),
    ("unit_done", "result", "track: folded, row durable, result on the log"),
    ("result", "answered", "answer: row says so durably, HTTP out"),
)


@dataclass(frozen=True, slots=True)
class Hop:
    """One leg of the way."""

    label: str
    mean_ms: float
    median_ms: float
    longest_ms: float


def watched_topics(prefix: str, lane: Lane) -> list[str]:
    """The topics that a task of this lane goes through."""
    names = TopicNames(prefix)
    return [names.tasks, names.events, names.units(lane), names.vectors(lane), names.results]


async def begin(servers: str, prefix: str, lane: Lane = Lane.NORMAL) -> Offsets:
    """Remember where the topics end before the tasks."""
    return await ends_of(servers, watched_topics(prefix, lane))


async def hops_of(servers: str, begins: Offsets, found: Answered) -> list[Hop]:
    """Break down the way of the tasks in `found`, whose records lie behind `begins`."""
    records = await records_since(servers, begins)
    return breakdown(marks_of(records), _ends_of(found))


def marks_of(records: Iterable[Record]) -> dict[str, dict[str, float]]:
    """When each task's records were written: task id → mark → milliseconds since the epoch."""
    marks: dict[str, dict[str, float]] = {}
    for record in records:
        task_id, mark = _mark(record)
        written_ms = record.timestamp + STAMP_LOSS_MS
        marks.setdefault(task_id, {}).setdefault(mark, written_ms)
    return marks


def _mark(record: Record) -> tuple[str, str]:
    key, kind = (record.key or b"").decode(), record.topic.split(".")[1]
    if kind == "events":
        return key, str(orjson.loads(record.value)["kind"])
    named = {"tasks": "task", "units": "unit", "results": "result"}.get(kind, kind)
    return key.partition("/")[0], named


def _ends_of(found: Answered) -> dict[str, dict[str, float]]:
    """What the client saw: when it asked for each task and when it had its answer."""
    seen = zip(found.answers, found.asked_ms, found.latencies_ms, strict=True)
    return {
        str(orjson.loads(answer)["task_id"]): {"asked": asked, "answered": asked + took}
        for answer, asked, took in seen
    }


def breakdown(
    marks: Mapping[str, Mapping[str, float]], ends: Mapping[str, Mapping[str, float]]
) -> list[Hop]:
    """Mean, median and longest of each hop over the tasks that have all their marks."""
    ways = [{**marks.get(task_id, {}), **seen} for task_id, seen in ends.items()]
    whole = [way for way in ways if all(end in way for _, end, _ in HOPS)]
    return [_hop(whole, *hop) for hop in HOPS] if whole else []


def _hop(ways: Sequence[Mapping[str, float]], begin: str, end: str, label: str) -> Hop:
    took = [way[end] - way[begin] for way in ways]
    return Hop(label, round(mean(took), 2), round(median(took), 2), round(max(took), 2))


def told(name: str, rounds: Sequence[Sequence[Hop]]) -> list[str]:
    """A line a hop: the mean over the rounds, and the longest of all."""
    known = [each for each in rounds if each]
    if not known:
        return [f"{name}: not every record of the tasks was found; no breakdown"]
    lines = [
        f"{hop.label}: mean {mean(each[at].mean_ms for each in known):.1f} ms,"
        f" median {mean(each[at].median_ms for each in known):.1f} ms,"
        f" longest {max(each[at].longest_ms for each in known):.0f} ms"
        for at, hop in enumerate(known[0])
    ]
    return [f"{name}, hop by hop:", *(f"  {line}" for line in lines)]
