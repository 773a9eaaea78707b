"""The project as these tests see it: its root and its files, those not yet committed included."""

import ast
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


def _listed(*options: str) -> list[Path]:
    command = ["git", "-C", str(ROOT), "ls-files", "-z", *options]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in said.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Every file that is tracked, or would be after `git add .`."""
    return _listed("--cached", "--others", "--exclude-standard")


@pytest.fixture(scope="session")
def sources(files: list[Path]) -> dict[str, ast.Module]:
    """The syntax tree of every Python file, by its path from the root."""
    python = [path for path in files if path.suffix == ".py"]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_bytes()) for path in python}


@pytest.fixture(scope="session")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())
