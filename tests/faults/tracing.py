"""From every record of a trial to its outputs: what had to exist before it was acknowledged."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.events import Accepted, UnitDone
from models.ids import unit_id
from models.rows import TaskRow
from models.states import Lane
from streams.codec import decode_event
from streams.records import Place
from streams.topics import TopicNames
from tests.faults.commits import Input, Inputs, Output

Records = Mapping[str, Sequence[Any]]
"""The records of each topic, by its full name."""
#: Work of such tasks may be left undone.
LEFT = frozenset({"cancelled", "expired"})
TASKS_TABLE = "tasks"


@dataclass
class _Outputs:
    """The first output of each kind, by what it is an output of."""

    accepted: dict[tuple[int, int], tuple[Output, Accepted]] = field(default_factory=dict)
    """By the partition and offset of the task's record."""
    owner: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By task: the record it is made of."""
    units: dict[bytes, Output] = field(default_factory=dict)
    vectors: dict[bytes, Output] = field(default_factory=dict)
    done: dict[bytes, Output] = field(default_factory=dict)
    rows: defaultdict[str, list[tuple[int, Output]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By task: the versions of its row, in the changelog's order."""

    def row(self, task: str, version: int) -> Output | None:
        """The first row of a task that has folded the event of this offset."""
        return next((output for found, output in self.rows[task] if found >= version), None)


def topics_of(names: TopicNames) -> list[str]:
    """Every topic that is read for this: inputs and outputs."""
    lanes = [topic(lane) for lane in Lane for topic in (names.units, names.vectors)]
    return [names.tasks, names.events, names.changelog(TASKS_TABLE), *lanes]


def inputs_of(records: Records, names: TopicNames, states: Mapping[str, str]) -> Inputs:
    """Name the outputs of every record; `states` are the tasks' final states.

    Left out are records that need none: those of cancelled and expired tasks, those that became
    dead letters or were sent home, and events that repeat what was folded before.
    """
    outputs = _outputs(records, names)
    found: defaultdict[Place, list[Input]] = defaultdict(list)
    for place, one in _inputs(records, names, outputs, states):
        found[place].append(one)
    return {place: sorted(each, key=lambda one: one.offset) for place, each in found.items()}


def _outputs(records: Records, names: TopicNames) -> _Outputs:
    outputs = _Outputs()
    for lane in Lane:
        for record in records[names.units(lane)]:
            outputs.units.setdefault(record.key, _output(record))
        for record in records[names.vectors(lane)]:
            outputs.vectors.setdefault(record.key, _output(record))
    for record in records[names.events]:
        event = decode_event(record.value)
        if isinstance(event, Accepted):
            source = (event.source.partition, event.source.offset)
            outputs.accepted.setdefault(source, (_output(record), event))
            outputs.owner.setdefault(event.task_id, source)
        elif isinstance(event, UnitDone):
            outputs.done.setdefault(_unit(event.task_id, event.unit), _output(record))
    for record in records[names.changelog(TASKS_TABLE)]:
        if record.value is not None:
            row = TaskRow.model_validate_json(record.value)
            outputs.rows[row.task_id].append((row.version, _output(record)))
    return outputs


def _inputs(
    records: Records, names: TopicNames, outputs: _Outputs, states: Mapping[str, str]
) -> Iterator[tuple[Place, Input]]:
    yield from _tasks(records[names.tasks], outputs, states)
    for lane in Lane:
        yield from _units(records[names.units(lane)], outputs, states)
        for record in records[names.vectors(lane)]:
            if _counts(record.key, states):
                yield _input(record, outputs.done.get(record.key))
    yield from _events(records[names.events], outputs, states)


def _tasks(
    records: Sequence[Any], outputs: _Outputs, states: Mapping[str, str]
) -> Iterator[tuple[Place, Input]]:
    for record in records:
        source = (record.partition, record.offset)
        if source not in outputs.accepted:
            continue
        told, event = outputs.accepted[source]
        needs: list[Output | None] = [told]
        if outputs.owner[event.task_id] == source and states.get(event.task_id) not in LEFT:
            units = range(event.total_units)
            needs += [outputs.units.get(_unit(event.task_id, number)) for number in units]
        yield _input(record, *needs)


def _units(
    records: Sequence[Any], outputs: _Outputs, states: Mapping[str, str]
) -> Iterator[tuple[Place, Input]]:
    for record in records:
        if _counts(record.key, states):
            # A unit without one good text has no vectors and is reported done at once.
            output = outputs.vectors.get(record.key) or outputs.done.get(record.key)
            yield _input(record, output)


def _events(
    records: Sequence[Any], outputs: _Outputs, states: Mapping[str, str]
) -> Iterator[tuple[Place, Input]]:
    for record in records:
        event = decode_event(record.value)
        if states.get(event.task_id, "cancelled") in LEFT:
            continue
        here = _output(record)
        if isinstance(event, Accepted):
            source = (event.source.partition, event.source.offset)
            first = outputs.owner[event.task_id] == source and outputs.accepted[source][0] == here
        elif isinstance(event, UnitDone):
            first = outputs.done[_unit(event.task_id, event.unit)] == here
        else:
            continue
        if first:
            yield _input(record, outputs.row(event.task_id, record.offset))


def _input(record: Any, *needs: Output | None) -> tuple[Place, Input]:
    return Place(record.topic, record.partition), Input(record.offset, needs)


def _output(record: Any) -> Output:
    return Output(Place(record.topic, record.partition), record.offset)


def _unit(task: str, number: int) -> bytes:
    return unit_id(task, number).encode()


def _counts(key: bytes, states: Mapping[str, str]) -> bool:
    """Tell whether a unit is of a task whose work had to be done."""
    return states.get(key.decode().rpartition("/")[0], "cancelled") not in LEFT
