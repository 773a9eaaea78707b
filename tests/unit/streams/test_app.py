"""What our app adds to Faust's: how it ends after an error, and what it says it has in hand."""

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP

from streams import app as module
from streams.app import KafkaOptions, StageApp, stage_app
from streams.records import Place
from streams.transport import LedgerConsumer
from streams.watchdog import EX_WEDGED


@pytest.fixture
def app(tmp_path: Path) -> StageApp:
    """An app that connects nowhere."""
    return stage_app("v-test", KafkaOptions("127.0.0.1:1"), tmp_path)


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The codes with which the process would have ended."""
    ended: list[int] = []
    monkeypatch.setattr(module.os, "_exit", ended.append)
    return ended


def test_an_error_in_a_part_of_faust_ends_the_process(app: StageApp, codes: list[int]) -> None:
    app._is_up = True
    app._crash(RuntimeError("the consumer broke"))
    assert codes == [EX_WEDGED]
    assert app.crashed


@pytest.mark.parametrize("reason", [SystemExit(78), KeyboardInterrupt()])
def test_who_wants_to_end_ends_in_its_own_way(
    app: StageApp, codes: list[int], reason: BaseException
) -> None:
    app._is_up = True
    app._crash(reason)
    assert codes == []


def test_a_start_that_fails_is_told_by_faust(app: StageApp, codes: list[int]) -> None:
    app._crash(RuntimeError("no broker"))
    assert codes == []


def test_an_error_while_stopping_changes_nothing_of_the_stop(
    app: StageApp, codes: list[int]
) -> None:
    app._is_up = True
    app._stopped.set()
    app._crash(RuntimeError("the consumer was closed"))
    assert codes == []


class Consumer:
    """A consumer that has partitions, and has read the committed offsets of some."""

    def __init__(self, assigned: Iterable[TP], sought: Iterable[TP]) -> None:
        self._assigned = set(assigned)
        self._read_offset: dict[TP, int | None] = dict.fromkeys(sought)

    def assignment(self) -> set[TP]:
        return self._assigned

    def was_sought(self, tp: TP) -> bool:
        return LedgerConsumer.was_sought(cast(Any, self), tp)


def test_a_partition_is_in_hand_only_once_its_committed_offset_was_read(
    app: StageApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its books would begin at its first record, and all of it would be worked on again."""
    both = [TP("v.t", 0), TP("v.t", 1)]
    app.stage_deliveries["v.t"] = cast(Any, SimpleNamespace())
    monkeypatch.setattr(StageApp, "in_standing", lambda _: True)
    monkeypatch.setattr(StageApp, "consumer", Consumer([*both, TP("v.rows", 0)], both[:1]))
    assert app.assigned() == {Place("v.t", 0)}


def test_nothing_is_in_hand_out_of_standing(app: StageApp) -> None:
    assert app.assigned() == set()
