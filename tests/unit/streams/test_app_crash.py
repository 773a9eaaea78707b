"""A part of Faust that met an error ends the process, not a start or a stop that fails."""

from pathlib import Path

import pytest

from streams import app as module
from streams.app import KafkaOptions, StageApp, stage_app
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
