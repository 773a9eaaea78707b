"""Converted models: named by all that went into them, whole or not there, made by a child."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from embedding import conversion
from embedding.catalog import ModelEntry
from embedding.conversion import Converted, Manifest, conversion_key, converted
from embedding.parity import BackendRefused
from embedding.weights import BadWeights

ENTRY = ModelEntry.model_validate(
    {
        "name": "test/disk",
        "revision": "1",
        "dimension": 4,
        "max_tokens": 8,
        "sha256": "0" * 64,
        "source": {"folder": "unused"},
    }
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "README.md").write_text("read me")
    return folder


def _write(folder: Path) -> Converted:
    """What the child writes, as far as anybody looks at it here."""
    target = Converted(folder)
    folder.mkdir(exist_ok=True)
    target.network.write_text("network")
    target.tokenizer.write_text("tokenizer")
    manifest = Manifest(pad_id=0, max_tokens=8, versions={}, sizes=target.sizes())
    target.manifest.write_text(manifest.model_dump_json())
    return target


class FakeChild:
    """Stands for `subprocess.run`; writes a model, or fails as told."""

    def __init__(self, code: int = 0, stderr: str = "") -> None:
        self.runs = 0
        self.meanwhile: Callable[[], object] = lambda: None
        self._answer = code, stderr

    def __call__(self, command: list[str], **more: object) -> subprocess.CompletedProcess[str]:
        self.runs += 1
        code, stderr = self._answer
        if not code:
            _write(Path(command[-1]))
        self.meanwhile()
        return subprocess.CompletedProcess(command, code, "", stderr)


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> FakeChild:
    fake = FakeChild()
    monkeypatch.setattr(conversion.subprocess, "run", fake)
    return fake


def _convert(source: Path, cache_dir: Path) -> Converted:
    return converted(ENTRY, source, cache_dir=cache_dir, timeout_s=5)


def test_the_name_changes_with_all_that_went_into_it(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [conversion_key(ENTRY, source)]
    names.append(conversion_key(ENTRY.model_copy(update={"sha256": "1" * 64}), source))
    names.append(conversion_key(ENTRY.model_copy(update={"max_tokens": 9}), source))
    (source / "config.json").write_text("{ }")
    names.append(conversion_key(ENTRY, source))
    monkeypatch.setattr(conversion, "version", lambda name: "0.0")
    names.append(conversion_key(ENTRY, source))
    monkeypatch.setattr(conversion, "FORMAT", conversion.FORMAT + 1)
    names.append(conversion_key(ENTRY, source))
    assert len(set(names)) == len(names)


def test_the_name_stays_with_what_changes_nothing(source: Path) -> None:
    name = conversion_key(ENTRY, source)
    (source / "README.md").write_text("read me again")
    assert conversion_key(ENTRY.model_copy(update={"aliases": ("x",)}), source) == name


def test_a_model_is_converted_once(source: Path, tmp_path: Path, child: FakeChild) -> None:
    first, second = (_convert(source, tmp_path / "cache") for _ in range(2))
    assert (child.runs, first) == (1, second)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [first.folder.name]


def test_a_model_that_is_not_whole_is_converted_again(
    source: Path, tmp_path: Path, child: FakeChild
) -> None:
    kept = _convert(source, tmp_path)
    kept.network.write_text("net")
    assert not kept.is_whole()
    assert _convert(source, tmp_path).is_whole()
    assert child.runs == 2


def test_who_finishes_second_takes_what_the_first_has_made(
    source: Path, tmp_path: Path, child: FakeChild
) -> None:
    cache_dir = tmp_path / "cache"
    child.meanwhile = lambda: _write(cache_dir / conversion_key(ENTRY, source))
    assert _convert(source, cache_dir).is_whole()
    assert len(list(cache_dir.iterdir())) == 1


@pytest.mark.parametrize(
    "code,stderr,error,reason",
    [
        (3, "model test/disk: takes 4 tokens\n", BadWeights, "^model test/disk: takes 4 tokens$"),
        (
            1,
            "Traceback:\n  line\nValueError: no\n\n",
            BackendRefused,
            r"failed \(1\): ValueError: no$",
        ),
        (-9, "", BackendRefused, r"failed \(-9\): it said nothing$"),
    ],
)
def test_a_child_that_fails_is_quoted_and_leaves_nothing(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    stderr: str,
    error: type[Exception],
    reason: str,
) -> None:
    monkeypatch.setattr(conversion.subprocess, "run", FakeChild(code, stderr))
    with pytest.raises(error, match=reason):
        _convert(source, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_a_killed_process_left_is_removed_but_not_work_under_way(
    source: Path, tmp_path: Path, child: FakeChild
) -> None:
    left, under_way, other = (tmp_path / name for name in ("aa.x1", "bb.x2", "cc"))
    for folder in (left, under_way, other):
        folder.mkdir()
    for folder in (left, other):
        os.utime(folder, (0, 0))
    _convert(source, tmp_path)
    assert [path.exists() for path in (left, under_way, other)] == [False, True, True]
