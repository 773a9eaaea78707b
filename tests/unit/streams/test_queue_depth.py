"""How much waits: what is not read yet, and this master's share taken for all."""

from collections.abc import Iterator

import pytest

from models.states import TaskState
from streams.index import RowIndex
from streams.queue_depth import QueueDepth
from tests.unit.models.making import NOW_MS, row
from tests.unit.streams.fakes import FakeClock


class Rows:
    """Indexes by partition."""

    def __init__(self) -> None:
        self.found: dict[int, RowIndex] = {}

    def indexes(self) -> Iterator[tuple[int, RowIndex]]:
        yield from self.found.items()


async def none() -> int:
    return 0


def depth_of(rows: Rows, partitions: int = 8) -> QueueDepth:
    depth = QueueDepth(rows, none, partitions=partitions, clock=FakeClock())  # type: ignore[arg-type]
    depth.look()
    return depth


def index_of(*states: TaskState, waited_ms: int = 0) -> RowIndex:
    index = RowIndex()
    for number, state in enumerate(states):
        index.put(row(task_id=f"t{number}", state=state, submitted_ms=NOW_MS - waited_ms - number))
    return index


def test_a_share_of_the_partitions_stands_for_all() -> None:
    rows = Rows()
    rows.found = {
        0: index_of(TaskState.PENDING, TaskState.PROCESSING, TaskState.COMPLETED),
        5: index_of(TaskState.PENDING),
    }
    assert depth_of(rows).tasks() == 12
    assert depth_of(rows, partitions=2).tasks() == 3


@pytest.mark.parametrize("state, age_s", [(TaskState.PENDING, 5.0), (TaskState.PROCESSING, 0.0)])
def test_the_oldest_is_the_one_that_waits_longest_to_be_begun(
    state: TaskState, age_s: float
) -> None:
    rows = Rows()
    rows.found = {0: index_of(state, waited_ms=5000), 1: index_of(TaskState.COMPLETED)}
    assert depth_of(rows).oldest_s() == age_s


def test_who_owns_nothing_knows_of_nothing() -> None:
    assert (depth_of(Rows()).tasks(), depth_of(Rows()).oldest_s()) == (0, 0.0)
