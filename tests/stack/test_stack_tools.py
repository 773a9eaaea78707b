"""Missing tools are named with the command that brings them; builds are whole or absent."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.stack import MissingTool
from scripts.stack.builds import build_once, run_with_progress
from scripts.stack.errors import BuildFailed
from scripts.stack.progress import say_nothing
from scripts.stack.tools import java, kafka_jars, redis_server, weaviate_server


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with an empty cache and nothing on the PATH."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.mark.usefixtures("bare_machine")
def test_without_maven_the_error_names_its_package() -> None:
    with pytest.raises(MissingTool, match="apt-get install -y maven"):
        kafka_jars(say_nothing)


@pytest.mark.usefixtures("bare_machine")
def test_without_go_the_error_names_its_package() -> None:
    with pytest.raises(MissingTool, match="apt-get install -y golang-go"):
        weaviate_server(say_nothing)


@pytest.mark.usefixtures("bare_machine")
def test_without_redis_and_apt_the_error_names_its_package() -> None:
    with pytest.raises(MissingTool, match="apt-get install -y redis-server"):
        redis_server(say_nothing)


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.stack.tools.is_root", lambda: True)


def _program(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.usefixtures("as_root")
@pytest.mark.usefixtures("bare_machine")
def test_root_on_debian_gets_redis_installed_and_its_service_stopped(tmp_path: Path) -> None:
    programs, calls = tmp_path / "bin", tmp_path / "calls"
    redis = programs / "redis-server"
    makes_redis = f"[ $1 = install ] && /bin/ln -s /bin/true {redis}; true"
    _program(programs / "apt-get", f"echo apt-get $1 >> {calls}; {makes_redis}")
    _program(programs / "service", f"echo service $* >> {calls}")
    assert redis_server(say_nothing) == str(redis)
    said = calls.read_text().splitlines()
    assert said == ["apt-get update", "apt-get install", "service redis-server stop"]


@pytest.mark.usefixtures("as_root")
@pytest.mark.usefixtures("bare_machine")
def test_an_installation_that_fails_leaves_redis_missing(tmp_path: Path) -> None:
    _program(tmp_path / "bin" / "apt-get", "echo no network; exit 100")
    said: list[str] = []
    with pytest.raises(MissingTool):
        redis_server(said.append)
    assert "no network" in said[-1]


def test_an_old_go_is_refused_with_its_version(bare_machine: None, tmp_path: Path) -> None:
    _program(tmp_path / "bin" / "go", "echo go version go1.19.8 linux/amd64")
    with pytest.raises(MissingTool, match=r"is 1\.19"):
        weaviate_server(say_nothing)


def test_java_comes_with_the_development_dependencies() -> None:
    assert Path(java()).exists()


def test_a_build_is_made_once(tmp_path: Path) -> None:
    builds: list[Path] = []

    def build(folder: Path) -> None:
        builds.append(folder)
        (folder / "proof").touch()

    for _ in range(2):
        build_once(tmp_path / "tool", "proof", build, what="a tool", say=say_nothing)
    assert len(builds) == 1
    assert (tmp_path / "tool" / "proof").exists()


def test_a_build_that_fails_leaves_nothing_half_made(tmp_path: Path) -> None:
    def build(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_once(tmp_path / "tool", "proof", build, what="a tool", say=say_nothing)
    assert [path.name for path in tmp_path.iterdir()] == [".tool.lock"]


def test_what_a_killed_build_left_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".tool.half").mkdir()
    (tmp_path / ".tool.half" / "old").touch()
    (tmp_path / "tool").mkdir()
    build_once(
        tmp_path / "tool",
        "proof",
        lambda folder: (folder / "proof").touch(),
        what="a tool",
        say=say_nothing,
    )
    assert [path.name for path in (tmp_path / "tool").iterdir()] == ["proof"]


def test_a_failed_command_shows_its_last_words_and_its_log(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    said: list[str] = []
    with pytest.raises(BuildFailed, match="no such module") as failure:
        run_with_progress(
            [sys.executable, "-c", "raise SystemExit('no such module')"],
            env={},
            log=log,
            what="building",
            expected="a moment",
            say=said.append,
        )
    assert str(log) in str(failure.value)
    assert said == ["building (a moment)"]


def test_two_processes_never_build_at_once(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, time\n"
        "from scripts.stack.builds import build_once\n"
        "def build(folder):\n"
        "    print('built'); time.sleep(0.5); (folder / 'proof').touch()\n"
        "build_once(pathlib.Path(sys.argv[1]), 'proof', build, what='it', say=lambda _: None)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "tool")]
    root = Path(__file__).resolve().parents[2]
    builders = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(2)
    ]
    printed = [builder.communicate(timeout=30)[0] for builder in builders]
    assert sorted(printed) == ["", "built\n"]
