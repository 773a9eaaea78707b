"""A trial: what ends the process that compiles a model ends a child, not a worker."""

import sys
from pathlib import Path

import pytest

from embedding import trial
from embedding.conversion import Converted
from embedding.parity import BackendRefused
from embedding.trial import refuse_unless_it_survives


def child(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import os, signal, sys; {code}")


@pytest.fixture
def source(tmp_path: Path) -> Converted:
    folder = tmp_path / "model"
    folder.mkdir()
    return Converted(folder)


@pytest.mark.parametrize(
    "code,how",
    [
        ("os.kill(os.getpid(), signal.SIGFPE)", "signal 8"),
        ("os.abort()", "signal 6"),
        ("sys.exit(3)", "exit 3"),
    ],
)
def test_a_model_that_ends_its_process_is_refused_each_time(
    source: Converted, code: str, how: str
) -> None:
    for _ in range(2):
        with pytest.raises(BackendRefused, match=rf"bf16: compiling it ended .*{how}"):
            refuse_unless_it_survives(source, "bf16", command=child(code))


def test_a_trial_that_takes_too_long_is_a_refusal(
    source: Converted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "TRIAL_S", 0.2)
    with pytest.raises(BackendRefused, match=r"longer than 0\.2 s"):
        refuse_unless_it_survives(source, "f32", command=child("signal.pause()"))


def test_what_survived_is_not_tried_again_and_another_precision_is(source: Converted) -> None:
    refuse_unless_it_survives(source, "bf16", command=child("pass"))
    refuse_unless_it_survives(source, "bf16", command=child("sys.exit(1)"))
    with pytest.raises(BackendRefused):
        refuse_unless_it_survives(source, "f32", command=child("sys.exit(1)"))
    assert list(source.folder.iterdir()) == [], "the model's own folder is told by its sizes"
