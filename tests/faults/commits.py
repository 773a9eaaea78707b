"""R3: was an offset ever committed above a record whose output did not exist yet? Pure.

Samples say how far each group had committed and, read right after, how far each topic of outputs
went. Judged at the end, when all records are known: a record below a committed offset must have
its output below the ends of the same sample. What was written between the two looks counts as
written before: a violation of milliseconds may be missed, none is invented.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from streams.records import Place
from tests.faults.view import CommitSample


@dataclass(frozen=True, slots=True)
class Output:
    """Where the output of a record lies."""

    place: Place
    offset: int


@dataclass(frozen=True, slots=True)
class Input:
    """A record, and the outputs it must have had when it was acknowledged; None: never had."""

    offset: int
    needs: tuple[Output | None, ...]

    def finished(self, ends: Mapping[Place, int]) -> bool:
        """Tell whether all its outputs lie below these ends."""
        return all(
            need is not None and need.offset < ends.get(need.place, 0) for need in self.needs
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was committed, by group and partition, and how far every partition went then."""

    committed: Mapping[tuple[str, Place], int]
    ends: Mapping[Place, int]


Inputs = Mapping[Place, Sequence[Input]]
"""The records of each partition in the order of their offsets."""


def judged(snapshots: Sequence[Snapshot], inputs: Inputs) -> Iterator[CommitSample]:
    """Judge every committed offset that differs from the one before it, in the order of time."""
    last: dict[tuple[str, Place], int] = {}
    done: defaultdict[tuple[str, Place], int] = defaultdict(int)
    for snapshot in snapshots:
        for key, committed in snapshot.committed.items():
            if last.get(key) == committed:
                continue
            last[key] = committed
            group, place = key
            records = inputs.get(place, ())
            done[key] = _finished(records, done[key], committed, snapshot.ends)
            at = done[key]
            behind = at < len(records) and records[at].offset < committed
            finished_to = records[at].offset if behind else committed
            yield CommitSample(group, *place, committed=committed, finished_to=finished_to)


def _finished(records: Sequence[Input], at: int, upto: int, ends: Mapping[Place, int]) -> int:
    """Count on from `at` the records below `upto` that are finished, to the first that is not."""
    while at < len(records) and records[at].offset < upto and records[at].finished(ends):
        at += 1
    return at
