"""The commands: each has help, each names something that exists."""

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

TARGET = re.compile(r"^([A-Za-z][\w-]*):([^=#]*?)(?:## (.+))?$", re.MULTILINE)
PROMISED = {
    "setup", "run", "stop", "test", "check", "bench", "faults", "stack", "stack-down",
    "stack-status", "demo", "settings-page", "format", "lock", "help", "test-gpu", "demo-docs",
}  # fmt: skip


@pytest.fixture
def makefile(root: Path) -> str:
    return (root / "Makefile").read_text()


def test_every_target_has_one_line_of_help(makefile: str) -> None:
    targets = {name: text for name, _, text in TARGET.findall(makefile)}
    assert set(targets) == PROMISED
    assert [name for name, text in targets.items() if not text] == []


def test_every_target_is_phony(makefile: str) -> None:
    """Else a folder of the same name, such as `benchmarks` or `stack`, would switch it off."""
    phony = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[0].split()
    assert set(phony) >= PROMISED


def test_make_alone_lists_the_commands(root: Path) -> None:
    command = ["make", "--no-print-directory", "-C", str(root)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in said.splitlines()} == PROMISED


def test_every_module_and_script_that_a_command_runs_exists(root: Path, makefile: str) -> None:
    modules = set(re.findall(r"\$\(PYTHON\) -m ([\w.]+)", makefile))
    scripts = set(re.findall(r"\$\(PYTHON\) (scripts/\S+\.py)", makefile))
    assert modules
    assert scripts
    assert [name for name in sorted(modules) if importlib.util.find_spec(name) is None] == []
    assert [name for name in sorted(scripts) if not (root / name).is_file()] == []


def test_ci_checks_and_tests_by_the_same_commands(root: Path) -> None:
    script = root / ".ci" / "run"
    assert script.stat().st_mode & 0o100
    commands = re.findall(r"^make --no-print-directory (\w+)$", script.read_text(), re.MULTILINE)
    assert commands == ["setup", "check", "test"]
    assert script.read_text().rstrip().endswith("make --no-print-directory test")
