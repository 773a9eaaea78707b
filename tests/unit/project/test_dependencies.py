"""The lock, its export for pip, and the versions that several files name."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from uv import find_uv_bin

NAME = re.compile(r"^[A-Za-z0-9._-]+")
REQUIREMENT = re.compile(r"^[a-z0-9][a-z0-9-]*==[0-9][\w.+-]*( ; .+)?$")


def _uv(root: Path, *arguments: str) -> str:
    command = [find_uv_bin(), *arguments, "--offline", "--quiet", "--project", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\nRun `make lock`."
    return done.stdout


def _code_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_requirements_txt_is_what_the_lock_says(root: Path) -> None:
    options = ["--locked", "--no-default-groups", "--no-hashes", "--no-annotate", "--no-header"]
    fresh = _uv(root, "export", *options)
    written = (root / "requirements.txt").read_text()
    assert _code_lines(written) == _code_lines(fresh), "stale: run `make lock`"


def test_requirements_txt_is_plain_pins_that_pip_reads(root: Path) -> None:
    lines = _code_lines((root / "requirements.txt").read_text())
    assert [line for line in lines if not REQUIREMENT.match(line)] == []


def test_the_lock_knows_one_registry_and_one_place_of_files(root: Path) -> None:
    """A lock written behind a mirror would send everybody to that mirror."""
    lock = tomllib.loads((root / "uv.lock").read_text())["package"]
    registries = {package["source"].get("registry") for package in lock} - {None}
    files = [file for package in lock for file in package.get("wheels", [])]
    files += [package["sdist"] for package in lock if "sdist" in package]
    assert len(registries) == 1
    assert len({urlsplit(file["url"]).hostname for file in files}) == 1


def test_faust_is_pinned_exactly(pyproject: dict[str, Any]) -> None:
    """A resolver that may wander goes back to a broken 0.2."""
    assert "faust-streaming==0.15.3" in pyproject["project"]["dependencies"]


def test_one_version_of_uv_is_named_everywhere(root: Path, pyproject: dict[str, Any]) -> None:
    makefile = re.findall(r"^UV_VERSION := (.+)$", (root / "Makefile").read_text(), re.MULTILINE)
    image = re.findall(r"\buv==([\d.]+)", (root / "Dockerfile").read_text())
    group = [name for name in pyproject["dependency-groups"]["dev"] if name.startswith("uv==")]
    assert {*makefile, *image} == {group[0].removeprefix("uv==")}


def test_whatever_is_imported_is_declared(
    root: Path, sources: dict[str, ast.Module], pyproject: dict[str, Any]
) -> None:
    """A package that only comes along with another one may leave with it."""
    groups = pyproject["dependency-groups"]
    runtime = _names(pyproject["project"]["dependencies"])
    anywhere = runtime | _names([*groups["dev"], *groups["stack"]])
    providers = packages_distributions()
    undeclared = {
        f"{name}: {module}"
        for name, tree in sources.items()
        for module in _foreign_modules(tree, root)
        if not _names(providers.get(module, [])) & (runtime if _ships(name) else anywhere)
    }
    assert sorted(undeclared) == []


def _names(requirements: Iterable[str]) -> set[str]:
    """Project names in their normal form, from requirements or bare names."""
    found = [NAME.match(requirement) for requirement in requirements]
    return {re.sub(r"[-_.]+", "-", name.group()).lower() for name in found if name}


def _ships(name: str) -> bool:
    """Whether a file runs where only the runtime dependencies are installed."""
    return not name.startswith(("tests/", "benchmarks/", "scripts/stack/"))


def _foreign_modules(tree: ast.Module, root: Path) -> Iterator[str]:
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for module in {name.split(".")[0] for name in names} - sys.stdlib_module_names:
            if not (root / module).exists() and not (root / f"{module}.py").exists():
                yield module
